import { expect, test } from 'vitest';

import { everyDay, rates } from './rate';

const days = [
  { day: '2026-11-01', mentions: 6 },
  { day: '2026-11-08', mentions: 4 },
  { day: '2026-11-10', mentions: 2 },
  { day: '2026-11-11', mentions: 1 },
  { day: null, mentions: 9 },
];

test('rates before and after the fixed day', () => {
  const f = (fixed: string, first: string, last: string, want: object) => expect(rates(days, fixed, first, last)).toEqual(want);
  f('2026-11-10', '2026-01-01', '2026-11-12', { days: 3, before: 4 / 3, after: 1 }); // the fixed day counts as after
  f('2026-11-10', '2026-11-09', '2026-11-30', { days: 1, before: 0, after: 2 }); // no longer than the data reaches back
  f('2026-11-10', '2026-01-01', '2027-06-01', { days: 28, before: 10 / 28, after: 3 / 28 });
  f('2026-11-20', '2026-11-10', '2026-11-15', { days: 10, before: 0.3, after: null }); // fixed after the last day
  f('2026-11-10', '2026-11-10', '2026-11-15', { days: 0, before: 0, after: null }); // fixed on the first day
});

test('days without a mention are there with 0', () => {
  expect(everyDay(days, '2026-11-09', '2026-11-11')).toEqual([['2026-11-09', 0], ['2026-11-10', 2], ['2026-11-11', 1]]);
});
