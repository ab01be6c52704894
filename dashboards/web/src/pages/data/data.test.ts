import { expect, test } from 'vitest';

import { cell, csv } from './table';

test('cells', () => {
  expect(cell(null)).toBe('NULL');
  expect(cell(['a', 1])).toBe('["a",1]');
  expect(cell('')).toBe('');
});

test('csv is safe to open', () => {
  const f = (value: unknown, want: string) => expect(csv(['c'], [[value]])).toBe(`\ufeffc\r\n${want}\r\n`);
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
