// Changes of opinions, and who may make them.
import { api, type Schemas, useAct } from '../../api/client';
import { is, type Me } from '../../api/roles';
import type { Filters } from '../../ui/filters';

export type Row = Schemas['OpinionRow'];
export type Detail = Schemas['OpinionDetail'];
export type Change = Schemas['OpinionChange'];
export type Status = Row['status'];

export const statuses: Status[] = ['new', 'accepted', 'fixed', 'declined'];

// changed names what is read again after a change: opinions everywhere, and the overview, which lists some.
const changed = ['/api/v1/opinions', '/api/v1/overview'];

// keeps says whether the user renames, merges, splits and decides; answers whether the approved answer may be set.
export const keeps = (me: Me) => is(me, 'admin', 'product');
export const answers = (me: Me) => is(me, 'admin', 'product', 'supervisor');

// scopeOf are the filters about sessions, which hold for the list and for one opinion alike.
export function scopeOf(filters: Filters): Filters {
  return Object.fromEntries(Object.entries(filters).filter(([name]) => ['from', 'to', 'shop', 'channel', 'business', 'team'].includes(name)));
}

export function patchOpinion(id: string, body: Change) {
  return api.PATCH('/api/v1/opinions/{opinion_id}', { params: { path: { opinion_id: id } }, body });
}

export function useChange(id: string) {
  return useAct((body: Change) => patchOpinion(id, body), changed);
}

// useBulk makes the same change to many opinions, one after the other, and tells which were not changed.
export function useBulk() {
  return useAct(async ({ ids, change }: { ids: string[]; change: Change }) => {
    const failed: { id: string; error: unknown }[] = [];
    for (const id of ids) {
      try {
        await patchOpinion(id, change);
      } catch (error) {
        failed.push({ id, error });
      }
    }
    return { done: ids.length - failed.length, failed };
  }, changed);
}

export function useMerge() {
  return useAct(async ({ into, ids }: { into: string; ids: string[] }) => {
    const { data } = await api.POST('/api/v1/opinions/{opinion_id}/merge', { params: { path: { opinion_id: into } }, body: { ids } });
    return data as Row;
  }, changed);
}

export function useUnmerge(id: string) {
  return useAct(async (ids: string[]) => {
    const { data } = await api.POST('/api/v1/opinions/{opinion_id}/unmerge', { params: { path: { opinion_id: id } }, body: { ids } });
    return data as Row;
  }, changed);
}

export function useSplit(id: string) {
  return useAct(async (body: Schemas['OpinionSplit']) => {
    const { data } = await api.POST('/api/v1/opinions/{opinion_id}/split', { params: { path: { opinion_id: id } }, body });
    return data as Row;
  }, changed);
}
