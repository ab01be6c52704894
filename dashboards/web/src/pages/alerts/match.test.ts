import { expect, test } from 'vitest';

import { type AlertRow } from '../../ui/alerts';
import { matches, merge } from './match';

const alert = (id: string, at: string, more: Partial<AlertRow> = {}) =>
  ({ alert_id: id, at, kind: 'hit', state: 'sent', severity: 'major', rule_id: 'forbidden', withheld: '', shop: 's', team: 't', agent_id: 'a', session_id: 'x', ...more }) as AlertRow;

test('filters', () => {
  const a = alert('1', '2026-03-01T17:00:00Z');
  const f = (filters: Record<string, string | string[]>, want: boolean) => expect(matches(a, filters), JSON.stringify(filters)).toBe(want);
  f({}, true);
  f({ severity: ['critical', 'major'], shop: ['s'] }, true);
  f({ severity: ['critical'] }, false);
  f({ session: 'x' }, true);
  f({ agent: ['b'] }, false);
  f({ open: '1' }, true);
  f({ from: '2026-03-02', to: '2026-03-02' }, true); // 01:00 of the next day in Shanghai
  f({ to: '2026-03-01' }, false);
  expect(matches({ ...a, state: 'acknowledged' }, { open: '1' })).toBe(false);
  expect(matches({ ...a, withheld: 'too_old' }, { open: '1' })).toBe(false);
});

test('what comes live is put where it belongs', () => {
  const read = [alert('c', '2026-03-03T00:00:00Z'), alert('a', '2026-03-01T00:00:00Z')];
  const live = [alert('d', '2026-03-04T00:00:00Z'), alert('b', '2026-03-02T00:00:00Z'), alert('0', '2026-02-01T00:00:00Z'), alert('c', '2026-03-03T00:00:00Z', { state: 'acknowledged' })];
  const f = (filters: Record<string, string>, kept: string[], complete: boolean, want: string) =>
    expect(merge(read, live, filters, new Set(kept), complete).map((a) => a.alert_id + (a.state === 'acknowledged' ? '!' : '')).join(' ')).toBe(want);
  f({}, [], true, 'd c! b a 0');
  f({}, [], false, 'd c! b a');
  f({ open: '1' }, [], false, 'd b a');
  f({ open: '1' }, ['c'], false, 'd c! b a');
});
