import i18next from 'i18next';
import { beforeAll, expect, test } from 'vitest';

import common from '../i18n/common';
import { addDays } from './days';
import { clock, count, decimal, duration, figure, money, percent, setZone, time } from './format';

beforeAll(async () => {
  await i18next.init({ lng: 'en', keySeparator: false, resources: { en: { translation: common.en } } });
});

test('undefined figures are a dash, never zero', () => {
  for (const write of [count, decimal, percent, money, duration]) {
    expect(write(null)).toBe('–');
    expect(write(undefined)).toBe('–');
    expect(write(0)).toMatch(/^0/);
  }
});

test('durations', () => {
  const f = (ms: number, want: string) => expect(duration(ms)).toBe(want);
  f(0, '0 s');
  f(850, '0.9 s');
  f(59_400, '59 s');
  f(60_000, '1 min 00 s');
  f(3_599_600, '1 h 00 min');
  f(3_660_000, '1 h 01 min');
});

test('figures by unit', () => {
  expect(figure(0.4567, 'ratio')).toBe('45.7%');
  expect(figure(1234567, 'count')).toBe('1,234,567');
  expect(figure(12.5, 'money')).toBe('12.50');
  expect(clock(65_000)).toBe('1:05');
});

test('days and times', () => {
  expect(addDays('2026-03-01', -1)).toBe('2026-02-28');
  expect(addDays('2026-12-31', 1)).toBe('2027-01-01');
  expect(time('2026-03-31T17:00:00Z')).toBe('2026-04-01 01:00');
  expect(time('2026-03-31T16:05:09.5Z', 'YYYY-MM-DD HH:mm:ss')).toBe('2026-04-01 00:05:09');
  expect(time('2026-03-31T16:05:09+08:00', 'MM-DD HH:mm')).toBe('03-31 16:05');
  setZone('America/New_York');
  expect(time('2026-03-31T17:00:00Z')).toBe('2026-03-31 13:00');
  setZone('Asia/Shanghai');
  expect(time(null)).toBe('–');
});
