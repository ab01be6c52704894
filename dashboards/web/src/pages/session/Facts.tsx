import { Tag, Typography } from 'antd';
import type { ReactNode } from 'react';
import { Link } from 'react-router';

import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { useTranslation } from '../../i18n';
import { count, dash, decimal, duration, money, percent, time } from '../../ui/format';
import { useRuleName } from '../../ui/tags';
import type { Detail } from './review';
import { recording } from './spans';

function Pairs({ rows }: { rows: [string, ReactNode][] }) {
  const there = rows.filter(([, value]) => value !== '' && value !== null && value !== undefined && value !== false);
  return (
    <dl className="pair">
      {there.map(([name, value]) => (
        <div key={name} style={{ display: 'contents' }}>
          <dt>{name}</dt>
          <dd className="num">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section style={{ marginBottom: 20 }}>
      <Typography.Title level={5} style={{ margin: '0 0 8px' }}>
        {title}
      </Typography.Title>
      {children}
    </section>
  );
}

// Facts are what is known beside the words: times, orders, rating, what every rule said, mentions.
export function Facts({ detail, onTurn }: { detail: Detail; onTurn: (seq: number) => void }) {
  const { t } = useTranslation('session');
  const ruleName = useRuleName();
  const me = useMe();
  const { session: s, orders, rating, mentions, outcomes } = detail;
  const sound = recording(s.media_url, null);
  const staff = !is(me, 'agent');
  const titles = new Map(detail.opinions.map((o) => [o.opinion_id, o.title]));
  return (
    <>
      <Part title={t('facts')}>
        <Pairs
          rows={[
            [t('started'), time(s.started_at, 'YYYY-MM-DD HH:mm:ss')],
            [t('lasted'), duration(s.duration_ms)],
            [t('first_reply'), duration(s.first_reply_ms)],
            [t('avg_reply'), duration(s.avg_reply_ms)],
            [t('max_reply'), duration(s.max_reply_ms)],
            [t('rounds'), t('rounds_of', { n: s.rounds, open: s.unanswered })],
            [t('talk_share'), percent(s.talk_share)],
            [t('silence'), s.silence_ms === null ? '' : duration(s.silence_ms)],
            [t('overlap'), s.overlap_ms === null ? '' : duration(s.overlap_ms)],
            [t('customer'), s.customer_id ? staff ? <Link to={`/sessions?customer=${encodeURIComponent(s.customer_id)}`}>{s.customer_id.slice(0, 15)}…</Link> : `${s.customer_id.slice(0, 15)}…` : dash],
            [t('product'), s.product],
            [t('skill_group'), s.skill_group],
            [
              t('recording'),
              sound ? (
                <a href={sound} target="_blank" rel="noreferrer">
                  {t('open_recording')}
                </a>
              ) : (
                s.media_url
              ),
            ],
            ...Object.entries(s.attributes ?? {}).map(([k, v]): [string, ReactNode] => [k, v]),
          ]}
        />
      </Part>
      <Part title={t('rating')}>
        {rating ? (
          <>
            <b className="num">
              {decimal(rating.score)} / {decimal(rating.max)}
            </b>{' '}
            <span className="muted">{time(rating.at)}</span>
            {rating.comment && <div>「{rating.comment}」</div>}
          </>
        ) : (
          <span className="muted">{t('no_rating')}</span>
        )}
      </Part>
      <Part title={t('orders', { n: count(orders.length) })}>
        {orders.length === 0 && <span className="muted">{t('no_orders')}</span>}
        {orders.map((o) => (
          <div key={o.order_id} className="trail-line">
            <div style={{ display: 'flex', gap: 8, alignItems: 'center' }}>
              <span style={{ overflowWrap: 'anywhere' }}>{o.order_id}</span>
              <Tag style={{ margin: 0 }}>{t(`status.${o.status}`)}</Tag>
              <b className="num" style={{ marginInlineStart: 'auto' }}>
                {money(o.amount as unknown as string)}
              </b>
            </div>
            {o.items?.map((i) => (
              <div key={i}>{i}</div>
            ))}
            <div className="muted num">
              {t('ordered_at', { at: time(o.created_at) })}
              {o.paid_at && ` · ${t('paid_at', { at: time(o.paid_at) })}`}
              {o.refund_amount && Number(o.refund_amount) > 0 && ` · ${t('refunded', { n: money(o.refund_amount as unknown as string) })}`}
            </div>
          </div>
        ))}
      </Part>
      <Part title={t('mentions', { n: count(mentions.length) })}>
        {mentions.map((m) => (
          <div key={m.mention_id} className="trail-line">
            <button type="button" className="link" onClick={() => onTurn(m.seq)}>
              {t('turn_n', { n: m.seq })}「{m.text}」
            </button>
            <div className="muted">
              {[t(`kind.${m.kind}`), t(`aspect.${m.aspect}`), m.product, t(`polarity.${m.polarity}`, { defaultValue: m.polarity }), m.valuable ? '' : t('rant')].filter(Boolean).join(' · ')}
              {m.opinion_id ? (
                <>
                  {' · '}
                  {staff ? <Link to={`/opinions/${m.opinion_id}`}>{titles.get(m.opinion_id) ?? m.opinion_id}</Link> : titles.get(m.opinion_id)}
                </>
              ) : (
                ` · ${t('waiting')}`
              )}
            </div>
          </div>
        ))}
        {mentions.length === 0 && <span className="muted">{t('no_mentions')}</span>}
      </Part>
      <Part title={t('all_rules')}>
        <div style={{ display: 'flex', flexWrap: 'wrap', gap: 6 }}>
          {outcomes.map((o) => (
            <Tag key={o.rule_id} style={{ margin: 0 }} color={o.outcome === 'fail' ? 'volcano' : o.outcome === 'pass' ? 'green' : undefined}>
              {ruleName(o.rule_id, o.rule_name)} · {t(`outcome.${o.outcome}`)}
            </Tag>
          ))}
        </div>
      </Part>
    </>
  );
}

// Origin is where the session comes from, what it was analysed with, and what was left out.
export function Origin({ detail }: { detail: Detail }) {
  const { t } = useTranslation('session');
  const { session: s, coverage } = detail;
  return (
    <>
      <Part title={t('analysed_with')}>
        <Pairs
          rows={[
            [t('rules_version'), s.rules_version],
            [t('model_version'), s.model_version.split(',').map((m) => <div key={m}>{m}</div>)],
            [t('epoch'), String(s.epoch)],
            [t('run'), s.run_id === 0 ? t('run_live') : String(s.run_id)],
            [t('code_version'), s.code_version],
            [t('version'), String(s.version)],
          ]}
        />
      </Part>
      <Part title={t('comes_from')}>
        <Pairs
          rows={[
            [t('session_id'), <Typography.Text key="id" copyable={{ tooltips: [t('copy'), t('copied')] }}>{s.session_id}</Typography.Text>],
            [t('source'), s.source],
            [t('topic'), s.topic ? `${s.topic} / ${s.partition}` : t('from_file')],
            [t('offsets'), s.topic ? `${s.offset_min}–${s.offset_max}` : ''],
          ]}
        />
      </Part>
      <Part title={t('coverage')}>
        {coverage.length === 0 && <span className="muted">{t('coverage_full')}</span>}
        {coverage.map((c, i) => (
          <div key={i} className="trail-line">
            <b>{t(`covered.${c.what}`, { defaultValue: c.what })}</b> {t(`why.${c.why}`, { defaultValue: c.why })} {c.count > 0 && `× ${count(c.count)}`}
          </div>
        ))}
      </Part>
    </>
  );
}
