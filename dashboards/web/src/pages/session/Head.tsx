import { LeftOutlined, LinkOutlined, QuestionCircleOutlined, RightOutlined, UserSwitchOutlined } from '@ant-design/icons';
import { App, Button, Space, Tag, Tooltip } from 'antd';
import { Link } from 'react-router';

import { api, type Schemas, useAct } from '../../api/client';
import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { useTranslation } from '../../i18n';
import { duration, time } from '../../ui/format';
import { useWhy } from '../../ui/states';
import { Severity } from '../../ui/tags';
import type { Detail, Review } from './review';

// Head says in a line whose conversation this is.
export function Head({ detail, review }: { detail: Detail; review: Review | undefined }) {
  const { t } = useTranslation('session');
  const me = useMe();
  const { session: s } = detail;
  const names = new Map(detail.agents.map((a) => [a.agent_id, a.name]));
  const agents = s.agent_ids.map((id) => (names.get(id) ? `${names.get(id)} (${id})` : id));
  return (
    <div className="session-head">
      {s.state === 'open' ? (
        <Tag color="green" style={{ margin: 0 }}>
          <i className="live-dot" />
          {t('live')}
        </Tag>
      ) : null}
      <Severity value={s.severity} />
      {s.reviewed && <Tag style={{ margin: 0 }}>{t('reviewed.1')}</Tag>}
      <span className="num">{time(s.started_at)}</span>
      <span>{[t(`channel.${s.channel}`, { defaultValue: s.channel }), s.business && t(`business.${s.business}`), s.shop].filter(Boolean).join(' · ')}</span>
      <span>
        {t('agent')}{' '}
        {s.agent_ids.map((id, i) => (
          <span key={id}>
            {i > 0 && '、'}
            {is(me, 'admin', 'supervisor', 'analyst') ? <Link to={`/agents/${encodeURIComponent(id)}`}>{agents[i]}</Link> : <b>{agents[i]}</b>}
          </span>
        ))}
        {s.team && ` · ${s.team}`}
      </span>
      {s.product && <span>{s.product}</span>}
      <span className="num">
        {t('n_turns', { n: s.turns })}
        {s.duration_ms !== null && ` · ${duration(s.duration_ms)}`}
      </span>
      {review && is(me, 'admin', 'supervisor') && <Assignee session={s.session_id} review={review} />}
    </div>
  );
}

function Assignee({ session, review }: { session: string; review: Review }) {
  const { t } = useTranslation('session');
  const { message } = App.useApp();
  const why = useWhy();
  const me = useMe();
  const give = useAct(
    async (user: string) => (await api.POST('/api/v1/reviews/assign', { body: { method: 'hand', sessions: [session], reviewers: [{ user }], again: true } as Schemas['ReviewBatch'] })).data,
    ['/api/v1/sessions', '/api/v1/reviews'],
  );
  const to = (user: string) => give.mutate(user, { onError: (error) => void message.error(why(error)) });
  const mine = review.assignee === me.user;
  return (
    <span>
      {t('assignee')} <b>{review.assignee || t('nobody')}</b>{' '}
      <Button size="small" type="link" icon={<UserSwitchOutlined aria-hidden />} loading={give.isPending} onClick={() => to(mine ? '' : me.user)} style={{ paddingInline: 4 }}>
        {t(mine ? 'give_back' : 'take_it')}
      </Button>
    </span>
  );
}

// Steps are the ways from this session to those beside it in the list.
export function Steps({ neighbours, go, help }: { neighbours: Schemas['Neighbours'] | undefined; go: (id: string | undefined) => void; help: () => void }) {
  const { t } = useTranslation('session');
  const { message } = App.useApp();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      void message.success(t('copied'));
    } catch {
      void message.warning(location.href, 8);
    }
  };
  return (
    <Space wrap>
      <Space.Compact>
        <Tooltip title="p">
          <Button icon={<LeftOutlined aria-hidden />} disabled={!neighbours?.previous} onClick={() => go(neighbours?.previous)} aria-label={t('previous')} />
        </Tooltip>
        <Tooltip title="n">
          <Button disabled={!neighbours?.next} onClick={() => go(neighbours?.next)} aria-label={t('next')}>
            {t('next')} <RightOutlined aria-hidden />
          </Button>
        </Tooltip>
      </Space.Compact>
      <Tooltip title={t('copy_link')}>
        <Button icon={<LinkOutlined aria-hidden />} aria-label={t('copy_link')} onClick={() => void copy()} />
      </Tooltip>
      <Tooltip title="?">
        <Button icon={<QuestionCircleOutlined aria-hidden />} aria-label={t('keys')} onClick={help} />
      </Tooltip>
    </Space>
  );
}
