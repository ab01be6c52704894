// The stream of alerts that the tabs of a browser share. A browser opens six connections to a server at most, and a stream takes
// one for as long as it lasts: with one in each tab the seventh would wait for ever. So one tab holds the stream and passes on
// what it brings; when it goes, another takes over from the last event that it has heard of.

// Said is what a stream says: how it stands, or an event of the server.
export type Said = { kind: 'state'; state: 'connecting' | 'live'; last: string } | { kind: 'event'; name: 'alert' | 'reload'; last: string; data: string };

type Take = (said: Said) => void;

const address = '/api/v1/alerts/stream';

// open holds a stream of its own from the event `last` on, and comes again when it breaks. refused is told when the server does
// not let it in.
function open(last: string, take: Take, refused: () => void): () => void {
  let source: EventSource | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  const again = (after: number) => {
    take({ kind: 'state', state: 'connecting', last });
    clearTimeout(retry);
    retry = setTimeout(connect, after);
  };
  const connect = () => {
    take({ kind: 'state', state: 'connecting', last });
    const s = new EventSource(last ? `${address}?last_event_id=${encodeURIComponent(last)}` : address);
    source = s;
    s.onopen = () => {
      failures = 0;
      take({ kind: 'state', state: 'live', last });
    };
    for (const name of ['alert', 'reload'] as const)
      s.addEventListener(name, (e) => {
        last = e.lastEventId || last;
        take({ kind: 'event', name, last, data: e.data as string });
      });
    // The server ends a stream after a while, so that whoever listens is asked anew who it is.
    s.addEventListener('bye', () => {
      s.close();
      again(1000);
    });
    s.onerror = () => {
      // Where the connection broke the browser comes again by itself; a refusal ends the source.
      if (s.readyState !== EventSource.CLOSED) return take({ kind: 'state', state: 'connecting', last });
      refused();
      again(Math.min(60_000, 2000 * 2 ** failures++));
    };
  };
  connect();
  return () => {
    clearTimeout(retry);
    source?.close();
  };
}

// follow tells take what the stream of a user says until what it returns is called, whichever tab holds it. Where the browser
// has no locks (it gives them to secure addresses only) the tab holds one of its own.
export function follow(user: string, take: Take, refused: () => void): () => void {
  if (!('locks' in navigator) || !('BroadcastChannel' in window)) return open('', take, refused);
  const name = `tingke.alerts ${user}`;
  const channel = new BroadcastChannel(name);
  const leave = new AbortController();
  let holds = false;
  let heard = false; // another tab has held the stream
  let state: Said = { kind: 'state', state: 'connecting', last: '' };
  const got = (said: Said) => {
    state = { kind: 'state', state: said.kind === 'state' ? said.state : state.kind === 'state' ? state.state : 'live', last: said.last || state.last };
    take(said);
  };
  const tell = (said: Said) => {
    channel.postMessage(said);
    got(said);
  };
  channel.onmessage = ({ data }: MessageEvent<Said | 'hello'>) => {
    if (data === 'hello') {
      if (holds) channel.postMessage(state);
    } else if (!holds) {
      heard = true;
      got(data);
    }
  };
  take(state);
  channel.postMessage('hello');
  const hold = () =>
    new Promise<void>((release) => {
      holds = true;
      const close = open(state.last, tell, refused);
      leave.signal.addEventListener('abort', () => (close(), release()));
      // Nothing says from where to go on: what came while nobody held the stream is read anew.
      if (heard && !state.last) tell({ kind: 'event', name: 'reload', last: '', data: '' });
    });
  navigator.locks.request(name, { signal: leave.signal }, hold).catch((error: unknown) => {
    if (!leave.signal.aborted) throw error;
  });
  return () => {
    leave.abort();
    channel.close();
  };
}
