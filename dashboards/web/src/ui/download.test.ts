import { expect, test } from 'vitest';

import { fileName } from './download';

test('names of downloaded files', () => {
  const f = (disposition: string | null, want: string) => expect(fileName(disposition, 'x.csv')).toBe(want);
  f(`attachment; filename="opinions.xlsx"; filename*=UTF-8''%E5%AE%A2%E6%88%B7%E8%A7%82%E7%82%B9.xlsx`, '客户观点.xlsx');
  f('attachment; filename="opinions.xlsx"', 'opinions.xlsx');
  f(`attachment; filename="a.xlsx"; filename*=UTF-8''%E5%`, 'a.xlsx');
  f(null, 'x.csv');
});
