import { queryOptions } from '@tanstack/react-query';
import { createContext, use } from 'react';

import { type ApiError, get, type Schemas } from './client';
import type { Me } from './roles';

// meQuery asks who is logged in. A refusal is kept: it leads to the log-in page, after which everything is asked anew.
export const meQuery = queryOptions<Schemas['Me'], ApiError>({ queryKey: ['/api/v1/me'], queryFn: () => get('/api/v1/me'), staleTime: Infinity, retryOnMount: false });

export const MeContext = createContext<Me | null>(null);

// useMe is who is logged in; every page below the layout has one.
export function useMe(): Me {
  const me = use(MeContext);
  if (!me) throw new Error('useMe stands above the log-in');
  return me;
}
