// Addresses in this app of what stands behind a figure.
import { address } from './filters';

// lists have filters of their own that count where an address is silent; a link to what a figure is made of turns them off.
const silent = ['from', 'to', 'state', 'flagged', 'reviewed'];

// sessionsLink is the list of all sessions that filters let through.
export function sessionsLink(filters: Record<string, unknown>): string {
  const all: Record<string, unknown> = { ...filters };
  for (const name of silent) if (all[name] === undefined || all[name] === '' || all[name] === null) all[name] = '*';
  return `/sessions${address(all)}`;
}

// turnLink is a session opened at one of its turns.
export function turnLink(session: string, seq?: number): string {
  return `/sessions/${encodeURIComponent(session)}${seq === undefined ? '' : `?turn=${seq}`}`;
}
