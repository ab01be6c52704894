// Alerts as they happen, which the bell and the page of alerts share.
import { useSyncExternalStore } from 'react';

import { queryClient, type Schemas } from '../api/client';
import { follow, type Said } from './stream';

export type AlertRow = Schemas['AlertRow'];

// Live is what the stream has brought since the page began: alerts as they are now, by id.
export interface Live {
  state: 'off' | 'connecting' | 'live';
  alerts: ReadonlyMap<string, AlertRow>;
  // fresh are the ids of those that were not there before, the latest first.
  fresh: readonly string[];
}

const remembered = 500;

let live: Live = { state: 'off', alerts: new Map(), fresh: [] };
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

function take(said: Said) {
  if (said.kind === 'state') return tell({ state: said.state });
  if (said.name === 'alert') return put(JSON.parse(said.data) as AlertRow);
  void queryClient.invalidateQueries({ queryKey: ['/api/v1/alerts'] });
  recount();
}

// listen takes in the alerts of a user until what it returns is called. A stream that is refused may mean that the log-in is
// over, which the counts then say.
export function listen(user: string): () => void {
  const leave = follow(user, take, recount);
  return () => {
    leave();
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
