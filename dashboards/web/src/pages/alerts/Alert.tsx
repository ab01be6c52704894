import { CheckOutlined, DownOutlined, EyeOutlined, SwapOutlined } from '@ant-design/icons';
import { Button, Dropdown, Flex, Space, Tag, Tooltip } from 'antd';
import dayjs from 'dayjs';
import { Link } from 'react-router';

import { useTranslation } from '../../i18n';
import { type AlertRow, isOpen } from '../../ui/alerts';
import { time } from '../../ui/format';
import { sessionsLink, turnLink } from '../../ui/links';
import { Severity, useRuleName } from '../../ui/tags';

export interface AlertProps {
  alert: AlertRow;
  name?: string; // of the agent
  now: number;
  fresh: boolean;
  mayTake: boolean;
  taking: boolean;
  take: (withNote: boolean) => void;
}

// Alert is one alert of the list, with what can be done about it.
export function Alert({ alert, name, now, fresh, mayTake, taking, take }: AlertProps) {
  const { t } = useTranslation('alerts');
  const rule = useRuleName();
  const open = isOpen(alert);
  const where = [alert.shop, alert.channel && t(`channel.${alert.channel}`, { defaultValue: alert.channel }), alert.team].filter(Boolean).join(' · ');
  return (
    <article className={`alert ${alert.severity} ${open ? '' : 'done'} ${fresh ? 'fresh' : ''}`} aria-label={`${alert.title || alert.rule_id} ${alert.session_id}`}>
      <Flex wrap align="center" gap={8} className="alert-head">
        <Severity value={alert.severity} />
        <b>{rule(alert.rule_id, alert.title)}</b>
        {alert.kind !== 'hit' && <Tag color={alert.kind === 'waiting' ? 'gold' : 'purple'}>{t(`alert_kind.${alert.kind}`)}</Tag>}
        {fresh && <Tag color="red">{t('new')}</Tag>}
        <Tooltip title={time(alert.at, 'YYYY-MM-DD HH:mm:ss')}>
          <time className="muted num" dateTime={alert.at}>
            <Ago at={alert.at} now={now} />
          </time>
        </Tooltip>
      </Flex>
      {alert.evidence && <blockquote>{alert.evidence}</blockquote>}
      {alert.reason && <div className="muted alert-reason">{alert.reason}</div>}
      <Flex wrap align="center" gap={12} className="alert-foot">
        <span className="muted">
          {alert.agent_id && <Link to={`/agents/${encodeURIComponent(alert.agent_id)}`}>{name ? `${name} (${alert.agent_id})` : alert.agent_id}</Link>}
          {alert.agent_id && where && ' · '}
          {where}
          {' · '}
          {alert.session_id ? (
            <Link className="num" to={turnLink(alert.session_id, alert.evidence_seqs[0])}>
              {alert.session_id}
            </Link>
          ) : (
            t('no_session')
          )}
        </span>
        <State alert={alert} />
        <Space wrap className="alert-do">
          {open && mayTake && (
            <Space.Compact>
              <Button type="primary" icon={<CheckOutlined />} loading={taking} onClick={() => take(false)}>
                {t('take')}
              </Button>
              <Dropdown trigger={['click']} menu={{ items: [{ key: 'note', label: t('take_note'), onClick: () => take(true) }] }}>
                <Button type="primary" icon={<DownOutlined />} aria-label={t('take_note')} />
              </Dropdown>
            </Space.Compact>
          )}
          {alert.session_id ? (
            <Link to={turnLink(alert.session_id, alert.evidence_seqs[0])}>
              <Button icon={<EyeOutlined />} tabIndex={-1}>
                {t('open_session')}
              </Button>
            </Link>
          ) : (
            alert.agent_id && (
              <Link to={sessionsLink({ agent: alert.agent_id })}>
                <Button icon={<EyeOutlined />} tabIndex={-1}>
                  {t('sessions_of_rule')}
                </Button>
              </Link>
            )
          )}
          {alert.takeover_url && alert.session_id && (
            <Tooltip title={t('take_over_help')}>
              <Button icon={<SwapOutlined />} href={alert.takeover_url} target="_blank" rel="noreferrer">
                {t('take_over')}
              </Button>
            </Tooltip>
          )}
        </Space>
      </Flex>
    </article>
  );
}

// State says what became of an alert.
function State({ alert }: { alert: AlertRow }) {
  const { t } = useTranslation('alerts');
  if (alert.acknowledged_at) {
    return (
      <Tooltip title={alert.note || undefined}>
        <Tag color="green">
          {t('taken_by', { who: alert.acknowledged_by, at: time(alert.acknowledged_at, 'MM-DD HH:mm') })}
          {alert.note && ` · ${alert.note}`}
        </Tag>
      </Tooltip>
    );
  }
  if (alert.state === 'superseded') return <Tag>{t('alert_state.superseded')}</Tag>;
  if (alert.withheld) return <Tag>{t(`withheld.${alert.withheld}`, { defaultValue: alert.withheld })}</Tag>;
  if (alert.state === 'failed') return <Tag color="red">{t('send_error', { why: alert.error })}</Tag>;
  if (alert.sent_to) return <Tag color="blue">{t('sent_to', { who: alert.sent_to })}</Tag>;
  return null;
}

function Ago({ at, now }: { at: string; now: number }) {
  const { t } = useTranslation('alerts');
  const minutes = Math.floor((now - dayjs(at).valueOf()) / 60_000);
  if (minutes < 1) return t('just_now');
  if (minutes < 60) return t('minutes_ago', { n: minutes });
  if (minutes < 24 * 60) return t('hours_ago', { n: Math.floor(minutes / 60) });
  return t('days_ago', { n: Math.floor(minutes / 1440) });
}
