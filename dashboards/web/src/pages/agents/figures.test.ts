import { expect, test } from 'vitest';

import { beside, compare, gap, type Line, names, type Row, value } from './figures';
import words from './words';

const line = (more: Partial<Line>) => ({ team: '', main_team: 't', team_size: 5, rounds: 3, sales: '10.50', csat: null, ...more }) as Line;

test('every figure has a title and a definition', () => {
  for (const name of names) {
    expect(words.zh, name).toHaveProperty([`figure.${name}`]);
    expect(words.zh, name).toHaveProperty([`help.${name}`]);
  }
});

test('money comes as text, what is undefined is null', () => {
  expect(value(line({}), 'sales')).toBe(10.5);
  expect(value(line({}), 'csat')).toBeNull();
  expect(value(undefined, 'csat')).toBeNull();
});

test('beside the team where it has five agents, else beside all', () => {
  const team = { team: 't', score: 90, rounds: 50 } as Row;
  const all = { team: '', score: 80, rounds: 120 } as Row;
  const members = [1, 2, 3, 4, 10].map((rounds) => line({ rounds }));
  const others = [0, 0, 0, 0, 0, 0, 16].map((rounds) => line({ main_team: 'u', team_size: 4, rounds }));
  const f = (l: Line, agents: number, name: 'score' | 'rounds', want: unknown, rows = [...members, ...others]) => expect(beside({ teams: [team], all, agents, rows }, l, name)).toEqual(want);
  f(line({}), 12, 'score', { of: 'team', value: 90, agents: 5 });
  f(line({}), 12, 'rounds', { of: 'team', value: 4, agents: 5 });
  f(others[0], 12, 'score', { of: 'all', value: 80, agents: 12 });
  f(others[0], 12, 'rounds', { of: 'all', value: 3, agents: 12 });
  f(others[0], 12, 'rounds', undefined, others); // not everybody was asked for
  f(line({ main_team: '' }), 12, 'score', { of: 'all', value: 80, agents: 12 });
  f(line({ main_team: 'x' }), 4, 'score', undefined);
});

test('rows by team and shop stand beside the team pooled', () => {
  const rows = [line({ main_team: '', team: 't' })];
  const table = { teams: [{ team: 't', score: 90, rounds: 50 } as Row], all: null, agents: 0, rows };
  expect(beside(table, rows[0], 'score')).toEqual({ of: 'team', value: 90, agents: 5 });
  expect(beside(table, rows[0], 'rounds')).toEqual({ of: 'team', value: 10, agents: 5 });
  expect(beside(table, line({ main_team: '', team: 'x' }), 'score')).toBeUndefined();
});

test('better and worse', () => {
  expect(gap('avg_reply_ms', 10, 20)).toBe('better');
  expect(gap('avg_reply_ms', 30, 20)).toBe('worse');
  expect(gap('score', 95, 90)).toBe('same');
  expect(gap('hit_rate', 0, 0)).toBe('same');
  expect(gap('hit_rate', 0.2, 0)).toBe('worse');
  expect(gap('rounds', 9, 1)).toBe('same');
  expect(gap('csat', null, 1)).toBe('same');
});

test('undefined figures come last in either order', () => {
  const rows = [{ csat: null }, { csat: 0.5 }, { csat: 0.9 }] as Row[];
  const f = (descending: boolean) => {
    const sorted = [...rows].sort((a, b) => (descending ? -1 : 1) * compare('csat', descending)(a, b));
    return sorted.map((r) => r.csat);
  };
  expect(f(false)).toEqual([0.5, 0.9, null]);
  expect(f(true)).toEqual([0.9, 0.5, null]);
});
