import { expect, test } from 'vitest';

import { csv } from '../../ui/csv';
import { cell, field } from './table';

test('cells', () => {
  expect(cell(null)).toBe('NULL');
  expect(cell(['a', 1])).toBe('["a",1]');
  expect(cell('')).toBe('');
});

test('a result as a file is safe to open', () => {
  const f = (value: unknown, want: string) => expect(csv([['c'], [field(value)]], true)).toBe(`\ufeffc\r\n${want}\r\n`);
  f('a,b', '"a,b"');
  f('say "hi"\nbye', '"say ""hi""\nbye"');
  f('=1+1', "'=1+1");
  f('@cmd', "'@cmd");
  f(-5, '-5');
  f('-5.20', '-5.20');
  f('-5+cmd', "'-5+cmd");
  f(null, '');
  f([1, 2], '"[1,2]"');
});
