// The API of the server, typed by its own OpenAPI description (`npm run api` makes schema.d.ts from it).
import { QueryClient, type UseQueryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import createClient from 'openapi-fetch';

import { address } from './address';
import { type Ask, read } from './early';
import type { components, paths } from './schema';

// Schemas are the bodies of the API by name, such as Schemas['QueueRow'].
export type Schemas = components['schemas'];

// ApiError is an answer of the server that is no success. status 0: no answer at all.
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field?: string,
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

async function refused(response: Response): Promise<ApiError> {
  const seconds = Number(response.headers.get('Retry-After')) || undefined;
  try {
    const { error } = (await response.clone().json()) as Schemas['ErrorBody'];
    return new ApiError(response.status, error.code, error.message, error.field, seconds);
  } catch {
    return new ApiError(response.status, 'unknown', response.statusText, undefined, seconds);
  }
}

// api calls the server; every answer that is no success is thrown as an ApiError.
export const api = createClient<paths>({ baseUrl: '/', fetch: read, querySerializer: (query) => address(query).slice(1) });
api.use({
  async onResponse({ response }) {
    if (!response.ok) throw await refused(response);
    return undefined;
  },
  onError({ error }) {
    if (error instanceof ApiError || (error instanceof DOMException && error.name === 'AbortError')) throw error;
    return new ApiError(0, 'no_answer', String(error));
  },
});

// post sends what the description does not know: the log-in, and uploads.
export async function post<T>(path: string, body?: unknown): Promise<T> {
  let response: Response;
  const form = body instanceof FormData;
  try {
    response = await fetch(path, {
      method: 'POST',
      headers: form || body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: form ? body : body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    throw new ApiError(0, 'no_answer', String(error));
  }
  if (!response.ok) throw await refused(response);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      retry: (count, error) => count < 2 && error instanceof ApiError && (error.status === 0 || error.status >= 502),
      refetchOnWindowFocus: false,
    },
  },
});

type Gets = { [P in keyof paths]: paths[P] extends { get: unknown } ? P : never }[keyof paths];
type Answer<P extends Gets> = paths[P] extends { get: { responses: { 200: { content: { 'application/json': infer R } } } } } ? R : never;
type Asked<P extends Gets> = paths[P] extends { get: { parameters: infer A } } ? A : never;
export type QueryOf<P extends Gets> = Asked<P> extends { query?: infer Q } ? NonNullable<Q> : never;

// Params are what a GET takes. Values of `query` come from addresses, so they are checked by the server, not by types.
export interface Params {
  path?: Record<string, string>;
  query?: Record<string, unknown>;
}

// keyOf is where an answer is kept: by path and parameters, so that invalidate(path) makes it read again.
export const keyOf = ({ path, params = {}, list }: Ask) => (list === undefined ? [path, params] : [path, params, 'pages', list]);

// useGet reads a GET route.
export function useGet<P extends Gets>(path: P, params: Params = {}, options: Omit<UseQueryOptions<Answer<P>, ApiError>, 'queryKey' | 'queryFn'> = {}) {
  return useQuery<Answer<P>, ApiError>({
    queryKey: keyOf({ path, params }),
    queryFn: ({ signal }) => get(path, params, signal),
    ...options,
  });
}

// get reads a GET route once.
export async function get<P extends Gets>(path: P, params: Params = {}, signal?: AbortSignal): Promise<Answer<P>> {
  const call = api.GET as (path: string, init: unknown) => Promise<{ data?: unknown }>;
  const { data } = await call(path, { params, signal });
  return data as Answer<P>;
}

// prefetch reads what was asked for already into the place where useGet, or with a page size useList, looks for it. It throws nothing.
export function prefetch({ path, params = {}, list }: Ask): Promise<void> {
  const read = (query: object, signal: AbortSignal) => get(path as Gets, { ...params, query: { ...params.query, ...query } }, signal) as Promise<unknown>;
  if (list === undefined) return queryClient.prefetchQuery({ queryKey: keyOf({ path, params }), queryFn: ({ signal }) => read({}, signal) });
  return queryClient.prefetchInfiniteQuery({ queryKey: keyOf({ path, params, list }), queryFn: ({ signal }) => read({ limit: list }, signal), initialPageParam: undefined });
}

// useAct is a change of the server: act does it, and what `changes` names (paths, or beginnings of paths) is read again
// before it counts as done.
export function useAct<In, Out>(act: (input: In) => Promise<Out>, changes: string[] = []) {
  const client = useQueryClient();
  return useMutation<Out, ApiError, In>({
    mutationFn: act,
    onSuccess: () =>
      client.invalidateQueries({ predicate: (q) => changes.some((c) => typeof q.queryKey[0] === 'string' && q.queryKey[0].startsWith(c)) }),
  });
}
