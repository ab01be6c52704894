import { expect, test } from 'vitest';

import { csv } from './csv';

test('rows for spreadsheets', () => {
  const f = (rows: (string | number)[][], want: string) => expect(csv(rows)).toBe(`\uFEFF${want}`);
  f([['a', 'b'], ['1', '']], 'a,b\r\n1,\r\n');
  f([['a,"b"\n']], '"a,""b""\n"\r\n');
  f([['=1+1', '@x', '-1', '+1', 'a=1']], "'=1+1,'@x,'-1,'+1,a=1\r\n");
  f([[-1, 0.5]], '-1,0.5\r\n');
});
