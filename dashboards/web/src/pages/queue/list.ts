// The list that somebody works through: a tab with filters, as the address says it. The session page reads the same
// address, so that next and previous follow the list.
import { is, type Me } from '../../api/roles';
import { chosen, type Filters, read } from '../../ui/filters';

export type Tab = 'unreviewed' | 'mine' | 'appeals' | 'conflicts' | 'live' | 'all';

// tabsOf are the saved lists of a role.
export function tabsOf(me: Me): Tab[] {
  if (is(me, 'admin', 'supervisor')) return ['unreviewed', 'mine', 'appeals', 'conflicts', 'live', 'all'];
  if (is(me, 'agent')) return ['all', 'appeals'];
  return ['unreviewed', 'conflicts', 'live', 'all'];
}

// tabFilters are what a tab holds before anything is filtered.
export function tabFilters(tab: Tab, me: Me): Filters {
  switch (tab) {
    case 'unreviewed':
      return { state: 'closed', flagged: '1', reviewed: '0' };
    case 'mine':
      return { state: 'closed', reviewed: '0', assignee: [me.user] };
    case 'appeals':
      return { appeal: '1' };
    case 'conflicts':
      return { conflict: '1' };
    case 'live':
      return { state: 'open' };
    default:
      return {};
  }
}

export const sorts = ['queue', 'newest', 'oldest', 'score', 'experience', 'longest'] as const;

// own are parameters of an address that are no filters of sessions.
export const own = ['tab', 'turn', 'hit', 'seq'];

// tabOf is the tab of an address: a link with filters but without a tab means all sessions, a bare one the work to do.
export function tabOf(params: URLSearchParams, me: Me): Tab {
  const asked = params.get('tab') as Tab | null;
  if (asked && tabsOf(me).includes(asked)) return asked;
  const { sort: _, ...filters } = read(params, own);
  return Object.keys(filters).length > 0 ? 'all' : tabsOf(me)[0];
}

// queryOf is what the API is asked for.
export function queryOf(params: URLSearchParams, me: Me): Filters {
  const tab = tabOf(params, me);
  return chosen(params, { ...tabFilters(tab, me), ...(tab === 'live' ? { sort: 'newest' } : {}) }, own);
}

// listAddress is the part of an address that names the list, with its question mark.
export function listAddress(params: URLSearchParams, tab: Tab): string {
  const next = new URLSearchParams(params);
  for (const name of own) next.delete(name);
  next.delete('lang');
  next.set('tab', tab);
  return `?${next}`;
}
