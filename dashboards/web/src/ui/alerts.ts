// Alerts as they happen: one connection of the whole app, which the bell and the page of alerts share.
import { useSyncExternalStore } from 'react';

import { queryClient, type Schemas } from '../api/client';

export type AlertRow = Schemas['AlertRow'];

// Live is what the connection has brought since it began: alerts as they are now, by id.
export interface Live {
  state: 'off' | 'connecting' | 'live';
  alerts: ReadonlyMap<string, AlertRow>;
  // fresh are the ids of those that were not there before, the latest first.
  fresh: readonly string[];
}

const address = '/api/v1/alerts/stream';
const remembered = 500;

let live: Live = { state: 'off', alerts: new Map(), fresh: [] };
let source: EventSource | undefined;
let lastID = '';
let retry: ReturnType<typeof setTimeout> | undefined;
let failures = 0;
let counting: ReturnType<typeof setTimeout> | undefined;
const readers = new Set<() => void>();
const heralds = new Set<(alert: AlertRow) => void>();

function tell(next: Partial<Live>) {
  live = { ...live, ...next };
  for (const reader of readers) reader();
}

// recount asks for the counts anew, once for a burst of alerts.
function recount() {
  counting ??= setTimeout(() => {
    counting = undefined;
    void queryClient.invalidateQueries({ queryKey: ['/api/v1/alerts/counts'] });
  }, 300);
}

// isOpen says whether an alert still waits for somebody.
export function isOpen(alert: AlertRow): boolean {
  return alert.withheld === '' && ['stored', 'sent', 'failed'].includes(alert.state);
}

// put takes an alert as it is now.
export function put(alert: AlertRow) {
  const alerts = new Map(live.alerts);
  const known = alerts.has(alert.alert_id);
  alerts.delete(alert.alert_id);
  alerts.set(alert.alert_id, alert);
  let fresh = live.fresh;
  if (!known && isOpen(alert)) fresh = [alert.alert_id, ...fresh].slice(0, remembered);
  if (alerts.size > remembered) alerts.delete(alerts.keys().next().value as string);
  tell({ alerts, fresh });
  recount();
  if (!known && isOpen(alert)) for (const herald of heralds) herald(alert);
}

function connect() {
  clearTimeout(retry);
  tell({ state: 'connecting' });
  const s = new EventSource(lastID ? `${address}?last_event_id=${encodeURIComponent(lastID)}` : address);
  source = s;
  s.onopen = () => {
    failures = 0;
    tell({ state: 'live' });
  };
  s.addEventListener('alert', (e) => {
    lastID = e.lastEventId || lastID;
    put(JSON.parse(e.data as string) as AlertRow);
  });
  s.addEventListener('reload', () => {
    void queryClient.invalidateQueries({ queryKey: ['/api/v1/alerts'] });
    recount();
  });
  // The server ends a stream after a while, so that whoever listens is asked anew who it is.
  s.addEventListener('bye', () => {
    s.close();
    again(1000);
  });
  s.onerror = () => {
    // Where the connection broke the browser comes again by itself; a refusal ends the source.
    if (s.readyState === EventSource.CLOSED) again(Math.min(60_000, 2000 * 2 ** failures++));
    else tell({ state: 'connecting' });
  };
}

function again(after: number) {
  if (!source) return;
  tell({ state: 'connecting' });
  clearTimeout(retry);
  retry = setTimeout(connect, after);
}

let users = 0;

// listen holds the connection until what it returns is called; several may hold it at once.
export function listen(): () => void {
  if (users++ === 0) connect();
  return () => {
    if (--users > 0) return;
    clearTimeout(retry);
    source?.close();
    source = undefined;
    tell({ state: 'off', alerts: new Map(), fresh: [] });
  };
}

// onAlert is told of every alert that is new and waits for somebody.
export function onAlert(herald: (alert: AlertRow) => void): () => void {
  heralds.add(herald);
  return () => heralds.delete(herald);
}

export function useLive(): Live {
  return useSyncExternalStore(
    (reader) => {
      readers.add(reader);
      return () => readers.delete(reader);
    },
    () => live,
  );
}
