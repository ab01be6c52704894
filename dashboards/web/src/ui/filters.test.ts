import { expect, test } from 'vitest';

import { address } from '../api/address';
import { read } from './filters';

test('what is read from an address gives the same address again', () => {
  const f = (query: string, want = query) => expect(address(read(new URLSearchParams(query)))).toBe(want);
  f('?shop=a&shop=b&flagged=1');
  f('?q=%E4%B8%BA%E4%BB%80%E4%B9%88');
  f('?shop=&flagged=1', '?flagged=1');
  f('?lang=en', '');
  f('');
});

test('filters with several values are lists even with one', () => {
  expect(read(new URLSearchParams('?shop=a&state=closed'))).toEqual({ shop: ['a'], state: 'closed' });
});

test('what belongs to the page is no filter', () => {
  expect(read(new URLSearchParams('?tab=x&shop=a'), ['tab'])).toEqual({ shop: ['a'] });
});
