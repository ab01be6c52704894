// What the overview knows about its figures: which way is better, how two days differ, where a click leads.
import i18next from 'i18next';

import type { Schemas } from '../../api/client';
import { read } from '../../ui/filters';
import { count, dash, decimal, duration, money } from '../../ui/format';
import { sessionsLink } from '../../ui/links';

export type Figure = Schemas['Figure'];

// better says which way a figure should go: 1 up, -1 down; what is not named is neither.
const better: Record<string, 1 | -1> = { flagged: -1, unreviewed: -1, score: 1, experience: 1, avg_reply_ms: -1, first_reply_ms: -1, within_180s: 1, conversion: 1, sales: 1 };

// groups are the figures in the order in which they are shown.
export const groups: [string, string[]][] = [
  ['volume', ['sessions', 'open', 'turns']],
  ['quality', ['flagged', 'unreviewed', 'score', 'experience']],
  ['replies', ['rounds', 'avg_reply_ms', 'first_reply_ms', 'within_180s']],
  ['orders', ['received', 'conversion', 'sales']],
];

// headline are the figures that stand over all others.
export const headline = ['sessions', 'flagged', 'score', 'experience', 'within_180s', 'conversion'];

export interface Change {
  text: string;
  // good is null where the figure did not move or has no better side.
  good: boolean | null;
}

// change is how a figure differs from an earlier one, in its own unit; percentages differ by points.
export function change(figure: Pick<Figure, 'name' | 'unit'>, now: number | null, then: number | null): Change {
  if (now === null || then === null) return { text: dash, good: null };
  const by = now - then;
  const size = Math.abs(by);
  const written = ((): string => {
    switch (figure.unit) {
      case 'count':
        return count(size);
      case 'ms':
        return duration(size);
      case 'ratio':
        return i18next.t('overview:points', { n: decimal(size * 100, 1) });
      case 'money':
        return money(size);
      case 'points':
        return decimal(size, 1);
      default:
        return decimal(size, 2);
    }
  })();
  // what rounds to nothing did not move
  if (!/[1-9]/.test(written)) return { text: '±0', good: null };
  const side = better[figure.name];
  return { text: `${by > 0 ? '+' : '−'}${written}`, good: side === undefined ? null : by > 0 === side > 0 };
}

// behind is where the figures of a day click through to: an address of the app, or the figure of the KPI views whose
// parts a drawer lists; null where the role may not ask.
export function behind(link: string, day: string): { to: string } | { figure: string } | null {
  if (!link) return null;
  const [path, query] = link.split('?');
  const filters = read(new URLSearchParams(query));
  if (path === '/kpi/sessions') return { figure: filters.figure as string };
  return { to: sessionsLink({ ...filters, from: day, to: day }) };
}
