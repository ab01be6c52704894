// How often an opinion was said before and after it was fixed.
import { addDays } from '../../ui/days';

export interface Rates {
  // days is the length of either window.
  days: number;
  before: number;
  // after is null while no day of the data lies after the fix.
  after: number | null;
}

const daysBetween = (from: string, to: string) => Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000);

// rates gives mentions a day in two windows of the same length at either side of the fixed day, which counts as after: at
// most 28 days, and no longer than the data reaches on either side.
export function rates(days: { day: string | null; mentions: number }[], fixedOn: string, first: string, last: string): Rates {
  const known = Math.min(28, daysBetween(first, fixedOn));
  const reached = daysBetween(fixedOn, last) + 1;
  const n = Math.max(0, reached > 0 ? Math.min(known, reached) : known);
  const sum = (from: string, to: string) => days.reduce((s, d) => (d.day !== null && d.day >= from && d.day <= to ? s + d.mentions : s), 0);
  return {
    days: n,
    before: n > 0 ? sum(addDays(fixedOn, -n), addDays(fixedOn, -1)) / n : 0,
    after: n > 0 && reached > 0 ? sum(fixedOn, addDays(fixedOn, n - 1)) / n : null,
  };
}

// everyDay is the days from the first to the last, those without a mention with 0.
export function everyDay(days: { day: string | null; mentions: number }[], from: string, to: string): [string, number][] {
  const at = new Map(days.map((d) => [d.day, d.mentions]));
  const out: [string, number][] = [];
  for (let d = from; d <= to && out.length < 1500; d = addDays(d, 1)) out.push([d, at.get(d) ?? 0]);
  return out;
}
