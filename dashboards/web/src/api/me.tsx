import { createContext, use } from 'react';

import type { Schemas } from './client';

export type Role = 'admin' | 'supervisor' | 'product' | 'analyst' | 'agent';
export type Me = Omit<Schemas['Me'], 'role'> & { role: Role };

export const MeContext = createContext<Me | null>(null);

// useMe is who is logged in; every page below the layout has one.
export function useMe(): Me {
  const me = use(MeContext);
  if (!me) throw new Error('useMe stands above the log-in');
  return me;
}

// is says whether the user has one of the roles.
export function is(me: Me, ...roles: Role[]): boolean {
  return roles.includes(me.role);
}
