// Answers that are asked for before the app that reads them is there.
import { address, filled } from './address';

// Ask is a GET of the API by what it takes. `list` is the page size of one that is read page by page (useList).
export interface Ask {
  path: string;
  params?: { path?: Record<string, string>; query?: Record<string, unknown> };
  list?: number;
}

const started = new Map<string, Promise<Response>>();

// Nothing that a page shows is older than this when it is read, in ms.
const kept = 10_000;

// ask starts a GET; the first reader of its address gets the answer, of which ask gives a copy.
export function ask({ path, params, list }: Ask): Promise<Response> {
  const url = new URL(filled(path, params?.path) + address({ ...params?.query, limit: list ?? params?.query?.limit }), location.href).href;
  const answer = fetch(url);
  started.set(url, answer);
  setTimeout(() => started.delete(url), kept);
  const copy = answer.then((r) => r.clone());
  copy.catch(() => undefined); // whoever reads the answer is told
  return copy;
}

// read is fetch, for what was asked before the answer that is on its way.
export function read(request: Request): Promise<Response> {
  const answer = request.method === 'GET' ? started.get(request.url) : undefined;
  if (!answer) return fetch(request);
  started.delete(request.url);
  return answer;
}
