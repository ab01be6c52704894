import i18next from 'i18next';
import { beforeAll, expect, test } from 'vitest';

import common from '../../i18n/common';
import { behind, change } from './figures';
import words from './words';

beforeAll(async () => {
  await i18next.init({ lng: 'en', keySeparator: false, resources: { en: { translation: common.en, overview: words.en } } });
});

test('how a figure differs from an earlier day', () => {
  const f = (name: string, unit: 'count' | 'ms' | 'ratio' | 'points' | 'mean', now: number | null, then: number | null, text: string, good: boolean | null) =>
    expect(change({ name, unit }, now, then)).toEqual({ text, good });
  f('sessions', 'count', 8, 3, '+5', null);
  f('flagged', 'count', 8, 3, '+5', false);
  f('flagged', 'count', 3, 8, '−5', true);
  f('score', 'points', 82, 80.625, '+1.4', true);
  f('avg_reply_ms', 'ms', 35_000, 166_000, '−2 min 11 s', true);
  f('within_180s', 'ratio', 0.88, 0.65, '+23 pts', true);
  f('experience', 'mean', -0.2, 0.1, '−0.3', false);
  f('score', 'points', 82.01, 82, '±0', null);
  f('score', 'points', null, 82, '–', null);
  f('score', 'points', 82, null, '–', null);
});

test('where figures click through to', () => {
  const f = (link: string, want: unknown) => expect(behind(link, '2026-11-09')).toEqual(want);
  f('/sessions?flagged=1&from=2026-11-10&state=closed&to=2026-11-10', { to: '/sessions?flagged=1&from=2026-11-09&state=closed&to=2026-11-09&reviewed=*' });
  f('/sessions?from=2026-11-10&shop=a&to=2026-11-10', { to: '/sessions?from=2026-11-09&shop=a&to=2026-11-09&state=*&flagged=*&reviewed=*' });
  f('/kpi/sessions?by=shop&figure=rounds&from=2026-11-10&to=2026-11-10', { figure: 'rounds' });
  f('', null);
});
