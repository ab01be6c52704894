import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import { type ApiError, get, keyOf, type Params, type QueryOf } from './client';
import type { paths } from './schema';

type Lists = { [P in keyof paths]: paths[P] extends { get: { responses: { 200: { content: { 'application/json': { items: unknown[]; next?: string } } } } } } ? P : never }[keyof paths];
type Page<P extends Lists> = paths[P] extends { get: { responses: { 200: { content: { 'application/json': infer R } } } } } ? R : never;
export type ItemOf<P extends Lists> = Page<P> extends { items: (infer I)[] } ? I : never;

// useList reads a paged GET route page after page: `items` are those read so far, more() reads on where `hasMore`. While
// other filters are being read the old items stay, and `stale` says so.
export function useList<P extends Lists>(path: P, params: Params = {}, options: { limit?: number; enabled?: boolean } = {}) {
  const { limit = 50, enabled = true } = options;
  const query = useInfiniteQuery<Page<P>, ApiError, { pages: Page<P>[] }, unknown[], string | undefined>({
    queryKey: keyOf({ path, params, list: limit }),
    queryFn: async ({ pageParam, signal }) => (await get(path as never, { ...params, query: { ...params.query, limit, cursor: pageParam } as QueryOf<never> }, signal)) as Page<P>,
    initialPageParam: undefined,
    getNextPageParam: (last) => (last as { next?: string }).next || undefined,
    placeholderData: keepPreviousData,
    enabled,
  });
  const pages = query.data?.pages as { items: ItemOf<P>[]; total?: number | null }[] | undefined;
  const items = useMemo(() => pages?.flatMap((p) => p.items), [pages]);
  return {
    items,
    total: pages?.[0]?.total ?? undefined,
    first: query.data?.pages[0], // with what an answer says beside its items
    error: query.error,
    isPending: query.isPending,
    stale: query.isPlaceholderData,
    hasMore: query.hasNextPage,
    loadingMore: query.isFetchingNextPage,
    more: () => void query.fetchNextPage(),
    refetch: query.refetch,
  };
}

// readAll reads all pages of a list at once, up to `bound` items.
export async function readAll<P extends Lists>(path: P, params: Params = {}, bound = 10_000): Promise<ItemOf<P>[]> {
  const items: ItemOf<P>[] = [];
  let cursor: string | undefined;
  do {
    const page = (await get(path as never, { ...params, query: { ...params.query, limit: 200, cursor } as QueryOf<never> })) as { items: ItemOf<P>[]; next?: string };
    items.push(...page.items);
    cursor = page.next || undefined;
  } while (cursor && items.length < bound);
  return items.slice(0, bound);
}
