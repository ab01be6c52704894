import { expect, test } from 'vitest';

import { around, differences } from './diff';

test('differences line by line', () => {
  expect(differences('a\nb\nc\n', 'a\nx\nc\n')).toEqual([
    { change: 'same', text: 'a' },
    { change: 'removed', text: 'b' },
    { change: 'added', text: 'x' },
    { change: 'same', text: 'c' },
  ]);
  expect(differences('', 'a\n')).toEqual([{ change: 'added', text: 'a' }]);
});

test('equal lines far from a difference fold into a gap', () => {
  const same = (n: number) => Array.from({ length: n }, (_, i) => `line ${i}`).join('\n');
  const lines = around(differences(`${same(9)}\nold\n`, `${same(9)}\nnew\n`), 2);
  expect(lines.map((l) => l?.text ?? '⋯')).toEqual(['⋯', 'line 7', 'line 8', 'old', 'new']);
});
