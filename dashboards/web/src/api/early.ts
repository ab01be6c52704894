// Answers that are asked for before the app that reads them is there.
const started = new Map<string, Promise<Response>>();

// Nothing that a page shows is older than this when it is read.
const kept = 10_000;

// ask starts a GET of a path of the API; the first reader of that address gets its answer.
export function ask(path: string) {
  const answer = fetch(path);
  answer.catch(() => undefined); // whoever reads it is told
  started.set(new URL(path, location.href).href, answer);
  setTimeout(() => started.clear(), kept);
}

// read is fetch, for what was asked before the answer that is on its way.
export function read(request: Request): Promise<Response> {
  const answer = request.method === 'GET' ? started.get(request.url) : undefined;
  if (!answer) return fetch(request);
  started.delete(request.url);
  return answer;
}
