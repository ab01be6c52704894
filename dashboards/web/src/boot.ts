// The first of the app to run. What a page needs is asked for at once: the app, the page, who looks at it, and, as soon as
// that is known, what the page reads first. Otherwise each would wait for the one before.
import 'virtual:antd.css'; // before the styles of the pages
import { type Ask, ask } from './api/early';
import type { Schemas } from './api/client';
import type { Me } from './api/roles';
import { choicesOf, firstReads, waits } from './first';
import { pageAt, pages } from './pages';
import { inZone } from './ui/zone';

async function begin(): Promise<Ask[]> {
  if (location.pathname === '/login') return [];
  const me = ask({ path: '/api/v1/me' });
  const here = pageAt(location.pathname);
  if (!here) return [];
  pages[here.page]().catch(() => undefined); // the router loads it again, and tells
  const choices = choicesOf(here.page);
  const offered = choices && ask(choices);
  const answer = await me;
  if (!answer.ok) return [];
  const last = offered && waits(here.page) ? ((await (await offered).json()) as Schemas['Offered']).last_day : null;
  const who = (await answer.json()) as Me;
  const asks = firstReads(here.page, { values: here.values, search: new URLSearchParams(location.search), me: who, last });
  for (const a of asks) void ask(a);
  inZone(who.timezone); // made while everything is on its way
  return choices ? [choices, ...asks] : asks;
}

const begun = begin().catch(() => []); // the page asks itself, and tells
void import('./main').then((app) => app.start(begun));
