// What the pages read first, by their addresses. It is asked for before the app is there, so it must be what the page then
// asks for; a browser test opens every page and looks that nothing was asked for in vain.
import type { Ask } from './api/early';
import { is, type Me } from './api/roles';
import { besideOf, comparisonOf, figuresOf, own as ownOfTable, ownOfOne, viewOf } from './pages/agents/query';
import { queryOf } from './pages/queue/list';
import { latest, monthTo } from './ui/days';
import { chosen } from './ui/filters';

// At is where somebody is: the values in the path of the page and the rest of the address, who it is, and the last day
// that has sessions.
export interface At {
  values: Record<string, string>;
  search: URLSearchParams;
  me: Me;
  last: string | null;
}

const of = (path: string, query: object): Ask => ({ path, params: { query: { ...query } } });
const page = (path: string, query: object, size = 50): Ask => ({ ...of(path, query), list: size });

// oneAgent is the page of an agent, under /me and by the agent's address.
function oneAgent(agent: string, { search, me, last }: At): Ask[] {
  const { agent: _, ...filters } = chosen(search, monthTo(me.today, last), ownOfOne);
  const { profile: __, ...plain } = filters;
  const own = { ...plain, agent: [agent] };
  return [
    of('/api/v1/kpi', besideOf(filters, comparisonOf(search))),
    of('/api/v1/kpi/trend', { ...filters, by: 'agent', whole: '1', agent: [agent] }),
    of('/api/v1/kpi/broken', own),
    page('/api/v1/sessions', { ...own, sort: 'newest' }, 10),
  ];
}

const reads: Record<string, (at: At) => Ask[]> = {
  '/': ({ search, me, last }) => {
    if (is(me, 'agent')) return []; // who is led to another page
    const filters = chosen(search, {}, ['figure', 'on']);
    return [of('/api/v1/overview', { ...filters, day: filters.day ?? latest(me.today, last) })];
  },
  '/sessions': ({ search, me }) => {
    const { sort, ...where } = queryOf(search, me);
    return [page('/api/v1/sessions', { ...where, ...(sort ? { sort } : {}) }), of('/api/v1/sessions/counts', where)];
  },
  '/sessions/:id': ({ values, search, me }) => {
    const path = { session_id: values.id };
    return [
      { path: '/api/v1/sessions/{session_id}', params: { path } },
      ...(is(me, 'admin', 'supervisor', 'agent') ? [{ path: '/api/v1/sessions/{session_id}/review', params: { path } }] : []),
      { path: '/api/v1/sessions/{session_id}/neighbours', params: { path, query: queryOf(search, me) } },
    ];
  },
  '/appeals': ({ search, me }) => {
    const tab = search.get('tab') ?? (is(me, 'agent') ? 'mine' : 'open');
    if (tab === 'mine') return [{ path: '/api/v1/reviews/appealable', params: {} }];
    return tab === 'open' || tab === 'judged' ? [page('/api/v1/reviews/appeals', { judged: tab })] : [];
  },
  '/alerts': ({ search }) => [page('/api/v1/alerts', chosen(search, { open: '1' }))],
  '/opinions': ({ search }) => {
    const { sort, ...where } = chosen(search);
    return [page('/api/v1/opinions', { ...where, ...(sort ? { sort } : {}) }), of('/api/v1/opinions/counts', where)];
  },
  '/opinions/:id': ({ values, search }) => {
    const params = { path: { opinion_id: values.id }, query: chosen(search) };
    return [
      { path: '/api/v1/opinions/{opinion_id}', params },
      { path: '/api/v1/opinions/{opinion_id}/quotes', params, list: 20 },
      { path: '/api/v1/opinions/{opinion_id}/customers', params, list: 10 },
    ];
  },
  '/agents': ({ search, me, last }) => (search.get('tab') === 'training' ? [] : [of('/api/v1/kpi', figuresOf(chosen(search, monthTo(me.today, last), ownOfTable), viewOf(search)))]),
  '/agents/:id': (at) => oneAgent(at.values.id, at),
  '/me': (at) => (at.me.agent_id ? oneAgent(at.me.agent_id, at) : []),
  '/search': ({ search }) => {
    const filters = chosen(search, {}, ['group']);
    return Object.keys(filters).length > 0 ? [page('/api/v1/turns', filters)] : [];
  },
  '/rules': ({ search }) => [of('/api/v1/rules', chosen(search, {}, ['tab']))],
  '/data': ({ search }) => (search.get('tab') ? [] : [{ path: '/api/v1/data/views', params: {} }]),
};

// dated are the pages whose first day follows from the last one there is, unless the address says one.
const dated = new Set(['/', '/agents', '/agents/:id', '/me']);

// waits says whether what a page reads is only known with the last day.
export const waits = (name: string) => dated.has(name);

// firstReads is what a page reads first.
export const firstReads = (name: string, at: At): Ask[] => reads[name]?.(at) ?? [];

const choices: Ask = { path: '/api/v1/filters', params: {} };

// choicesOf is the question what may be chosen in filters, on pages that have any.
export const choicesOf = (name: string): Ask | undefined => (name === '/imports' || name === '/data' ? undefined : choices);
