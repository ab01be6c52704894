// Confirm or dismiss findings of many sessions at once: what each session holds is read first, so that nothing is decided
// on unseen.
import { Alert, App, Checkbox, Input, Modal, Progress, Space } from 'antd';
import { useEffect, useMemo, useState } from 'react';

import { api, get, type Schemas, useAct } from '../../api/client';
import { useTranslation } from '../../i18n';
import { Failed, useWhy } from '../../ui/states';
import { useRuleName } from '../../ui/tags';

// most bounds the sessions of one step, atOnce the requests that run side by side; perCall is the server's bound.
export const most = 200;
const atOnce = 4;
const perCall = 500;

interface Open {
  session: string;
  hit: string;
  rule: string;
  seen: string;
}

async function openHits(sessions: string[], action: string, tell: (done: number) => void, gone: AbortSignal): Promise<Open[]> {
  const found: Open[] = [];
  const waiting = [...sessions];
  let done = 0;
  const work = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      const review = await get('/api/v1/sessions/{session_id}/review', { path: { session_id: id } }, gone);
      for (const h of review.hits) if (h.state === 'undecided' && h.allowed.includes(action)) found.push({ session: id, hit: h.hit_id, rule: h.rule_id, seen: review.last_event });
      tell(++done);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return found;
}

export function Bulk({ sessions, action, close, done }: { sessions: string[]; action: 'confirm' | 'dismiss'; close: () => void; done: () => void }) {
  const { t } = useTranslation('queue');
  const { notification } = App.useApp();
  const why = useWhy();
  const ruleName = useRuleName();
  const [read, setRead] = useState(0);
  const [open, setOpen] = useState<Open[] | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const [without, setWithout] = useState<Set<string>>(new Set());
  const [note, setNote] = useState('');
  useEffect(() => {
    const stop = new AbortController();
    openHits(sessions, action, setRead, stop.signal).then(setOpen, (error: unknown) => !stop.signal.aborted && setProblem(error));
    return () => stop.abort();
  }, [sessions, action]);
  const rules = useMemo(() => {
    const by = new Map<string, { hits: number; sessions: Set<string> }>();
    for (const o of open ?? []) {
      const x = by.get(o.rule) ?? { hits: 0, sessions: new Set<string>() };
      x.hits++;
      x.sessions.add(o.session);
      by.set(o.rule, x);
    }
    return [...by].sort((a, b) => b[1].hits - a[1].hits);
  }, [open]);
  const chosen = (open ?? []).filter((o) => !without.has(o.rule));
  const send = useAct(
    async (list: Open[]) => {
      const out = { taken: 0, refused: [] as string[], conflicts: 0 };
      for (let i = 0; i < list.length; i += perCall) {
        const actions = list.slice(i, i + perCall).map((o) => ({ session_id: o.session, hit_id: o.hit, action, ...(note.trim() ? { note: note.trim() } : {}), ...(o.seen ? { seen: o.seen } : {}) }));
        const { data } = await api.POST('/api/v1/reviews/bulk', { body: { actions } as Schemas['ReviewBulk'] });
        const answer = data as Schemas['ReviewResults'];
        out.taken += answer.taken;
        out.conflicts += answer.results.filter((r) => r.conflict).length;
        out.refused.push(...answer.results.flatMap((r) => (r.error ? [r.error.message] : [])));
      }
      return out;
    },
    ['/api/v1/sessions', '/api/v1/reviews', '/api/v1/overview'],
  );
  const go = () =>
    send.mutate(chosen, {
      onSuccess: (r) => {
        const more = [r.refused.length > 0 && t('bulk.refused', { n: r.refused.length, why: r.refused[0] }), r.conflicts > 0 && t('bulk.conflicts', { n: r.conflicts })].filter(Boolean).join(' ');
        notification[more ? 'warning' : 'success']({ title: t('bulk.done', { n: r.taken }), description: more || undefined });
        done();
        close();
      },
      onError: (error) => notification.error({ title: t('failed'), description: why(error) }),
    });
  return (
    <Modal open title={t(`bulk.${action}`)} onCancel={close} onOk={go} okText={t('bulk.go', { action: t(action), n: chosen.length })} cancelText={t('cancel')} okButtonProps={{ disabled: chosen.length === 0, loading: send.isPending, danger: false }}>
      {problem ? (
        <Failed error={problem} />
      ) : open === null ? (
        <div role="status">
          {t('bulk.reading', { done: read, all: sessions.length })}
          <Progress percent={Math.round((read / sessions.length) * 100)} size="small" />
        </div>
      ) : rules.length === 0 ? (
        <Alert type="info" showIcon title={t('bulk.none')} />
      ) : (
        <Space orientation="vertical" style={{ width: '100%' }}>
          <b>{t('bulk.which')}</b>
          {rules.map(([rule, x]) => (
            <Checkbox
              key={rule}
              checked={!without.has(rule)}
              onChange={(e) =>
                setWithout((w) => {
                  const next = new Set(w);
                  if (e.target.checked) next.delete(rule);
                  else next.add(rule);
                  return next;
                })
              }
            >
              {t('bulk.rule', { rule: ruleName(rule), hits: x.hits, sessions: x.sessions.size })}
            </Checkbox>
          ))}
          <Input.TextArea aria-label={t('bulk.note')} placeholder={t('bulk.note')} autoSize={{ minRows: 2, maxRows: 5 }} maxLength={1300} value={note} onChange={(e) => setNote(e.target.value)} />
        </Space>
      )}
    </Modal>
  );
}
