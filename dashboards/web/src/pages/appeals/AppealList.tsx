import { App, Button, Checkbox, Input, Modal, Space, Tag, Typography } from 'antd';
import { useMemo, useState } from 'react';
import { Link } from 'react-router';

import { api, ApiError, get, type Schemas, useAct, useGet } from '../../api/client';
import { useList } from '../../api/list';
import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { useTranslation } from '../../i18n';
import { decimal, time } from '../../ui/format';
import { Loaded, More, Nothing, useWhy } from '../../ui/states';
import { Severity, useRuleName } from '../../ui/tags';

export type Appeal = Schemas['AppealRow'];
type Verdict = 'uphold' | 'overturn';

// hitAddress opens a session at a hit.
export const hitAddress = (session: string, hit: string) => `/sessions/${encodeURIComponent(session)}?hit=${encodeURIComponent(hit)}`;

export function AppealList({ judged }: { judged: 'open' | 'judged' }) {
  const { t } = useTranslation('appeals');
  const me = useMe();
  const list = useList('/api/v1/reviews/appeals', { query: { judged } });
  const offered = useGet('/api/v1/filters', {}, { staleTime: 300_000 });
  const names = useMemo(() => new Map(offered.data?.agents.map((a) => [a.agent_id, a.name])), [offered.data]);
  const [judging, setJudging] = useState<{ appeal: Appeal; verdict: Verdict } | null>(null);
  const agent = is(me, 'agent');
  return (
    <>
      <Loaded query={{ ...list, data: list.items }}>
        {(items) => {
          if (items.length === 0) return <Nothing text={t(judged === 'judged' ? 'empty_judged' : agent ? 'empty_agent_open' : 'empty_open')} />;
          return items.map((a) => <AppealCard key={`${a.session_id} ${a.hit_id}`} appeal={a} agent={agent} name={names.get(a.agent_id) ?? ''} judge={(verdict) => setJudging({ appeal: a, verdict })} />);
        }}
      </Loaded>
      <More list={list} />
      {judging && <Judge {...judging} close={() => setJudging(null)} />}
    </>
  );
}

const stateColor: Record<string, string> = { appealed: 'purple', upheld: 'geekblue', overturned: 'cyan' };

function AppealCard({ appeal: a, agent, name, judge }: { appeal: Appeal; agent: boolean; name: string; judge: (v: Verdict) => void }) {
  const { t } = useTranslation('appeals');
  const ruleName = useRuleName();
  const rule = ruleName(a.rule_id);
  return (
    <article className="appeal" aria-label={`${rule} ${a.session_id}`}>
      <div>
        <div className="appeal-head">
          <b>{rule}</b>
          <Severity value={a.severity} />
          {a.points !== 0 && <span className="num">{decimal(a.points)}</span>}
          <Tag color={stateColor[a.state]}>{t(`state.${a.state}`)}</Tag>
          {a.final && <Tag>{t('for_good')}</Tag>}
          {a.conflict && <Tag color="orange">{t('conflict')}</Tag>}
          {a.appeals > 1 && <Tag>{t('nth', { n: a.appeals })}</Tag>}
          <span className="muted">{[name ? `${name} (${a.agent_id})` : a.agent_id, a.team, a.shop].filter(Boolean).join(' · ')}</span>
        </div>
        <div className="found">{a.found}</div>
        <blockquote>
          <small>
            {t('col.reason')} · {time(a.appealed_at)}
          </small>
          {a.reason}
        </blockquote>
        {a.judged_at && (
          <blockquote className="judged">
            <small>
              {t('col.judgement')} · {time(a.judged_at)}
            </small>
            {t(`state.${a.state}`)}
            {a.judgement && `：${a.judgement}`}
          </blockquote>
        )}
      </div>
      <div className="appeal-side">
        <Link to={hitAddress(a.session_id, a.hit_id)}>{t('look')}</Link>
        {a.allowed?.length > 0 && !agent ? (
          <Space>
            {a.allowed.includes('uphold') && <Button onClick={() => judge('uphold')}>{t('uphold')}</Button>}
            {a.allowed.includes('overturn') && (
              <Button type="primary" onClick={() => judge('overturn')}>
                {t('overturn')}
              </Button>
            )}
          </Space>
        ) : (
          a.state === 'appealed' && !agent && <span className="muted">{t('not_yours')}</span>
        )}
      </div>
    </article>
  );
}

// Judge takes the judgement with its reason. What the session shows now is read first, so that a judgement made meanwhile
// is noticed.
function Judge({ appeal: a, verdict, close }: { appeal: Appeal; verdict: Verdict; close: () => void }) {
  const { t } = useTranslation('appeals');
  const { message, notification } = App.useApp();
  const why = useWhy();
  const ruleName = useRuleName();
  const [note, setNote] = useState('');
  const [final, setFinal] = useState(false);
  const act = useAct(
    async () => {
      const params = { path: { session_id: a.session_id } };
      const { last_event: seen, hits } = await get('/api/v1/sessions/{session_id}/review', params);
      const now = hits.find((h) => h.hit_id === a.hit_id);
      if (!now?.allowed.includes(verdict)) throw new ApiError(409, 'not_allowed', t('not_now'));
      await api.POST('/api/v1/sessions/{session_id}/review', { params, body: { action: verdict, hit_id: a.hit_id, seen, ...(note.trim() ? { note: note.trim() } : {}), ...(verdict === 'uphold' && final ? { final } : {}) } as Schemas['ReviewAction'] });
    },
    ['/api/v1/sessions', '/api/v1/reviews'],
  );
  const go = () =>
    act.mutate(undefined, {
      onSuccess: () => {
        void message.success(t(`done_${verdict}`));
        close();
      },
      onError: (error) => notification.error({ title: t('failed'), description: why(error) }),
    });
  return (
    <Modal open title={t(`${verdict}_title`)} onCancel={close} onOk={go} okText={t(verdict)} cancelText={t('cancel')} okButtonProps={{ loading: act.isPending }}>
      <Typography.Paragraph>
        <b>{ruleName(a.rule_id)}</b>：{a.found}
      </Typography.Paragraph>
      <Typography.Paragraph type="secondary">「{a.reason}」</Typography.Paragraph>
      <Input.TextArea autoFocus aria-label={t('judgement')} placeholder={t('judgement_hint')} autoSize={{ minRows: 3, maxRows: 8 }} maxLength={1300} value={note} onChange={(e) => setNote(e.target.value)} />
      {verdict === 'uphold' && (
        <Checkbox style={{ marginTop: 10 }} checked={final} onChange={(e) => setFinal(e.target.checked)}>
          {t('final')}
        </Checkbox>
      )}
    </Modal>
  );
}
