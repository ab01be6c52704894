// Addresses in this app of what stands behind a figure.
import { address } from '../api/address';

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

// ownPack is the pack that rules made in the browser go to where no other is chosen.
export const ownPack = 'custom';

// packLink opens the editor of a pack, at a rule or with a new rule of a form.
export function packLink(pack: string, at: { rule?: string; form?: string } = {}): string {
  const query = new URLSearchParams(Object.entries(at).filter(([, v]) => v) as [string, string][]).toString();
  return `/rules/packs/${encodeURIComponent(pack)}${query ? `?${query}` : ''}`;
}
