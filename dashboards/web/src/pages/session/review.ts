// Decisions on a session: shown at once, taken back when the server refuses them, and honest about what others did.
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { App } from 'antd';
import { useEffect, useRef } from 'react';

import { api, ApiError, type Schemas, useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { useTranslation } from '../../i18n';
import { useWhy } from '../../ui/states';

export type Detail = Schemas['SessionDetail'];
export type Review = Schemas['Review'];
export type Action = Omit<Schemas['ReviewAction'], 'seen'>;
export type Found = Detail['hits'][number];

// Judged is a hit as the session shows it, with where its review stands.
export interface Judged extends Found {
  allowed: string[];
  by: string;
  decidedAt: string | null;
  appeals: number;
  until: string | null;
  saving: boolean;
}

const path = '/api/v1/sessions/{session_id}/review';
const changed = new Set(['/api/v1/sessions/{session_id}', '/api/v1/sessions', '/api/v1/sessions/counts', '/api/v1/overview']);
const leadsTo: Record<string, Judged['state']> = { confirm: 'confirmed', dismiss: 'dismissed', appeal: 'appealed', uphold: 'upheld', overturn: 'overturned' };

// useReview is the review of a session, and act to take part in it. Roles that do not review get none.
export function useReview(id: string) {
  const { t } = useTranslation('session');
  const { message, notification } = App.useApp();
  const why = useWhy();
  const me = useMe();
  const client = useQueryClient();
  const takesPart = is(me, 'admin', 'supervisor', 'agent');
  const params = { path: { session_id: id } };
  const key = [path, params];
  const review = useGet(path, params, { enabled: takesPart, refetchInterval: 20_000, staleTime: 5_000 });

  // What others do meanwhile is said, not only shown.
  const last = useRef<string | null>(null);
  const trail = review.data?.trail;
  useEffect(() => {
    if (!trail) return;
    const newest = trail.at(-1);
    if (last.current !== null && newest && newest.event_id > last.current) {
      const others = trail.filter((e) => e.event_id > (last.current ?? '') && e.actor !== me.user);
      for (const e of others.slice(-3)) message.info(t('other_did', { who: e.actor, what: t(`action.${e.action}`) }));
    }
    last.current = newest?.event_id ?? '';
  }, [trail, me.user, message, t]);

  const act = useMutation<Review, ApiError, Action>({
    mutationFn: async (action) => {
      const seen = client.getQueryData<Review>(key)?.last_event ?? '';
      const { data } = await api.POST(path, { params, body: { ...action, ...(seen ? { seen } : {}) } as Schemas['ReviewAction'] });
      return data as Review;
    },
    // Explanations and neighbours stay: no decision changes them.
    onSuccess: () => void client.invalidateQueries({ predicate: (q) => changed.has(q.queryKey[0] as string) || String(q.queryKey[0]).startsWith('/api/v1/reviews') }),
  });

  const take = async (action: Action): Promise<boolean> => {
    await client.cancelQueries({ queryKey: key });
    const before = client.getQueryData<Review>(key);
    const state = leadsTo[action.action];
    if (before && action.hit_id && state) {
      client.setQueryData<Review>(key, { ...before, hits: before.hits.map((h) => (h.hit_id === action.hit_id ? { ...h, state, allowed: [] } : h)) });
    }
    try {
      const after = await act.mutateAsync(action);
      client.setQueryData<Review>(key, after);
      last.current = after.trail.at(-1)?.event_id ?? '';
      const hit = after.hits.find((h) => h.hit_id === action.hit_id);
      if (state && hit?.conflict) notification.warning({ title: t('conflict_title'), description: t('conflict_text', { who: othersOn(after, hit.hit_id, me.user) }), duration: 8 });
      return true;
    } catch (error) {
      if (before) client.setQueryData<Review>(key, before);
      notification.error({ title: t('not_taken'), description: error instanceof ApiError && error.status === 409 ? t('not_allowed_now', { why: error.message }) : why(error) });
      void review.refetch();
      return false;
    }
  };
  return { review: review.data, error: review.error, take, busy: act.isPending, takesPart };
}

function othersOn(review: Review, hit: string, me: string): string {
  return [...new Set(review.trail.filter((e) => e.hit_id === hit && e.actor !== me).map((e) => e.actor))].join('、') || me;
}

// judged joins what was found with what was decided.
export function judged(detail: Detail, review: Review | undefined, busy: boolean): Judged[] {
  const states = new Map(review?.hits.map((h) => [h.hit_id, h]));
  return detail.hits.map((h) => {
    const r = states.get(h.hit_id);
    return {
      ...h,
      state: r?.state ?? h.state,
      conflict: r?.conflict ?? h.conflict,
      final: r?.final ?? h.final,
      allowed: r?.allowed ?? [],
      by: r?.decided_by ?? '',
      decidedAt: r?.decided_at ?? null,
      appeals: r?.appeals ?? 0,
      until: r?.appeal_until ?? null,
      saving: busy && r !== undefined && r.state !== h.state,
    };
  });
}

export const isVoid = (state: string) => state === 'dismissed' || state === 'overturned';
