// What somebody may do here, which pages know before the rest of the app is there.
import type { Schemas } from './client';

export type Role = 'admin' | 'supervisor' | 'product' | 'analyst' | 'agent';
export type Me = Omit<Schemas['Me'], 'role'> & { role: Role };

// is says whether the user has one of the roles.
export function is(me: Me, ...roles: Role[]): boolean {
  return roles.includes(me.role);
}
