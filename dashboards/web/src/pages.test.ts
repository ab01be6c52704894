import { expect, test } from 'vitest';

import { pageAt } from './pages';

test('addresses lead to pages with what stands in them', () => {
  const f = (address: string, want: ReturnType<typeof pageAt>) => expect(pageAt(address)).toEqual(want);
  f('/', { page: '/', values: {} });
  f('/sessions/', { page: '/sessions', values: {} });
  f('/sessions/a%2Fb', { page: '/sessions/:id', values: { id: 'a/b' } });
  f('/rules/packs/standard', { page: '/rules/packs/:pack', values: { pack: 'standard' } });
  f('/sessions/%E0%A4', { page: '/sessions/:id', values: { id: '%E0%A4' } });
  f('/nowhere', undefined);
});
