import { Tooltip } from 'antd';
import { type ReactNode, useMemo } from 'react';
import { Link } from 'react-router';

import { type Schemas, useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { address } from '../../api/address';
import { useTranslation } from '../../i18n';
import { Chart } from '../../ui/Chart';
import { type Filters } from '../../ui/filters';
import { addDays } from '../../ui/days';
import { count, decimal } from '../../ui/format';
import { sessionsLink } from '../../ui/links';
import { Sparkline } from '../../ui/Sparkline';
import { Emotion, Severity, useRuleName } from '../../ui/tags';
import { behind } from './figures';

// colours of the two bars that make up all sessions, and of the score over them
const passed = '#9ccbc5';
const flagged = '#f0795a';
const score = '#0f766e';

type Overview = Schemas['Overview'];

export function Panel({ title, note, extra, children }: { title: string; note?: string; extra?: ReactNode; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <header>
        <h2>{title}</h2>
        {note && <span className="muted">{note}</span>}
        {extra}
      </header>
      {children}
    </section>
  );
}

const None = ({ text }: { text: string }) => <div className="muted">{text}</div>;

// fortnight is the 14 days up to a day, those without a session too.
export function fortnight(o: Overview): { day: string; sessions: number; flagged: number; score: number | null }[] {
  return Array.from({ length: 14 }, (_, i) => {
    const day = addDays(o.day, i - 13);
    const d = o.days.find((x) => x.day === day);
    return { day, sessions: d?.sessions ?? 0, flagged: d?.flagged ?? 0, score: d?.score ?? null };
  });
}

export function DaysPanel({ overview, pick }: { overview: Overview; pick: (day: string) => void }) {
  const { t } = useTranslation('overview');
  const days = useMemo(() => fortnight(overview), [overview]);
  const option = useMemo(
    () => ({
      grid: { left: 4, right: 4, top: 36, bottom: 4, containLabel: true },
      legend: { top: 0, right: 0, itemWidth: 12, itemHeight: 8 },
      xAxis: { type: 'category', data: days.map((d) => d.day.slice(5)), axisTick: { show: false }, axisLine: { lineStyle: { color: '#d9dde5' } }, axisLabel: { color: '#5c6370' } },
      yAxis: [
        { type: 'value', minInterval: 1, splitLine: { lineStyle: { color: '#f0f2f5' } }, axisLabel: { color: '#5c6370' } },
        { type: 'value', min: 0, max: 100, interval: 50, splitLine: { show: false }, axisLabel: { color: '#5c6370' } },
      ],
      series: [
        { name: t('passed'), type: 'bar', stack: 'n', data: days.map((d) => d.sessions - d.flagged), itemStyle: { color: passed }, barMaxWidth: 28 },
        { name: t('figure.flagged'), type: 'bar', stack: 'n', data: days.map((d) => d.flagged), itemStyle: { color: flagged }, barMaxWidth: 28 },
        { name: t('figure.score'), type: 'line', yAxisIndex: 1, data: days.map((d) => (d.score === null ? null : Math.round(d.score * 10) / 10)), itemStyle: { color: score }, symbolSize: 5, connectNulls: false },
      ],
    }),
    [days, t],
  );
  return (
    <Panel title={t('days')} note={t('days_note')}>
      <Chart option={option} height={230} label={t('days_label')} onClick={(p) => days[p.dataIndex] && pick(days[p.dataIndex].day)} />
    </Panel>
  );
}

export function HoursPanel({ overview }: { overview: Overview }) {
  const { t } = useTranslation('overview');
  const option = useMemo(() => {
    const at = (h: number) => overview.hours.find((x) => x.hour === h);
    const hours = Array.from({ length: 24 }, (_, h) => h);
    return {
      grid: { left: 4, right: 4, top: 32, bottom: 4, containLabel: true },
      legend: { top: 0, right: 0, itemWidth: 12, itemHeight: 8 },
      xAxis: { type: 'category', data: hours.map((h) => t('hour', { h })), axisTick: { show: false }, axisLine: { lineStyle: { color: '#d9dde5' } }, axisLabel: { color: '#5c6370', interval: 2 } },
      yAxis: { type: 'value', minInterval: 1, splitLine: { lineStyle: { color: '#f0f2f5' } }, axisLabel: { color: '#5c6370' } },
      series: [
        { name: t('passed'), type: 'bar', stack: 'n', data: hours.map((h) => (at(h)?.sessions ?? 0) - (at(h)?.flagged ?? 0)), itemStyle: { color: passed }, barMaxWidth: 28 },
        { name: t('figure.flagged'), type: 'bar', stack: 'n', data: hours.map((h) => at(h)?.flagged ?? 0), itemStyle: { color: flagged }, barMaxWidth: 28 },
      ],
    };
  }, [overview, t]);
  return (
    <Panel title={t('hours')}>
      <Chart option={option} height={170} label={t('hours_label')} />
    </Panel>
  );
}

// TodoPanel is what waits for somebody: of the day, and in all.
export function TodoPanel({ overview, scope }: { overview: Overview; scope: Filters }) {
  const { t } = useTranslation('overview');
  const me = useMe();
  const all = useGet('/api/v1/sessions/counts', { query: { ...scope, flagged: '1', state: 'closed', reviewed: '0' } });
  const judge = is(me, 'admin', 'supervisor');
  const appeals = useGet('/api/v1/sessions/counts', { query: { ...scope, appeal: '1' } }, { enabled: judge });
  const f = overview.figures.find((x) => x.name === 'unreviewed');
  const place = f && behind(f.link, overview.day);
  const line = (word: string, n: number | undefined, to: string) => (
    <li>
      <span>{t(word)}</span>
      <b>{n ? <Link to={to}>{count(n)}</Link> : <span className="muted">{count(n ?? null)}</span>}</b>
    </li>
  );
  const alerts = is(me, 'admin', 'supervisor', 'analyst');
  return (
    <>
      <Panel title={t('todo')}>
        <ul className="todo">
          {place && 'to' in place && line('todo_day', f.day ?? undefined, place.to)}
          {line('todo_all', all.data?.sessions, sessionsLink({ ...scope, flagged: '1', state: 'closed', reviewed: '0' }))}
          {judge && line('todo_appeals', appeals.data?.sessions, sessionsLink({ ...scope, appeal: '1' }))}
        </ul>
        <header style={{ marginTop: 16 }}>
          <h2>{t('alerts')}</h2>
        </header>
        {overview.alerts.length === 0 ? (
          <None text={t('alerts_none')} />
        ) : (
          <ul className="todo">
            {overview.alerts.map((a) => (
              <li key={a.severity}>
                <span>
                  <Severity value={a.severity} /> {a.waiting > 0 && <span className="muted">{t('alerts_waiting', { n: a.waiting })}</span>}
                </span>
                <b>{alerts ? <Link to={`/alerts${address({ ...scope, severity: a.severity, from: overview.day, to: overview.day, open: '*' })}`}>{count(a.alerts)}</Link> : count(a.alerts)}</b>
              </li>
            ))}
          </ul>
        )}
      </Panel>
    </>
  );
}

export function RulesPanel({ overview, scope }: { overview: Overview; scope: Filters }) {
  const { t } = useTranslation('overview');
  const name = useRuleName();
  const most = Math.max(1, ...overview.rules.map((r) => r.sessions));
  return (
    <Panel title={t('rules')}>
      {overview.rules.length === 0 ? (
        <None text={t('rules_none')} />
      ) : (
        <table className="facts" aria-label={t('rules')}>
          <tbody>
            {overview.rules.map((r) => (
              <tr key={r.rule_id}>
                <td>{name(r.rule_id)}</td>
                <td>
                  <Severity value={r.severity} />
                </td>
                <td style={{ width: '34%' }}>
                  <i className="bar" style={{ width: `${(100 * r.sessions) / most}%` }} />
                </td>
                <td className="n">
                  <Link to={sessionsLink({ ...scope, from: overview.day, to: overview.day, state: 'closed', rule: r.rule_id })} aria-label={`${name(r.rule_id)} ${count(r.sessions)}`}>
                    {count(r.sessions)}
                  </Link>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

export function EmotionsPanel({ overview }: { overview: Overview }) {
  const { t } = useTranslation('overview');
  const rows = overview.emotions.filter((e) => e.day + e.yesterday + e.last_week > 0).toSorted((a, b) => Number(a.emotion === 'neutral') - Number(b.emotion === 'neutral'));
  const total = rows.reduce((n, e) => n + e.day, 0);
  const cell = (e: (typeof rows)[number], n: number, day: string) => {
    const place = n > 0 ? behind(e.link, day) : null;
    return place && 'to' in place ? (
      <Link to={place.to} aria-label={`${t(`common:emotion.${e.emotion}`)} ${day} ${count(n)}`}>
        {count(n)}
      </Link>
    ) : (
      <span className="muted">{count(n)}</span>
    );
  };
  return (
    <Panel title={t('emotions')} note={t('emotions_note')}>
      {rows.length === 0 ? (
        <None text={t('emotions_none')} />
      ) : (
        <table className="facts" aria-label={t('emotions')}>
          <thead>
            <tr>
              <th />
              <th />
              <th className="n">{t('that_day')}</th>
              <th className="n">{t('yesterday')}</th>
              <th className="n">{t('last_week')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((e) => (
              <tr key={e.emotion} data-emotion={e.emotion}>
                <td>
                  <Emotion value={e.emotion} />
                </td>
                <td style={{ width: '34%' }}>
                  <Tooltip title={total > 0 ? `${decimal((100 * e.day) / total)}%` : undefined}>
                    <i className="bar" style={{ width: `${total > 0 ? (100 * e.day) / total : 0}%`, background: e.emotion === 'neutral' ? '#e4e7ed' : undefined }} />
                  </Tooltip>
                </td>
                <td className="n">
                  <b>{cell(e, e.day, overview.day)}</b>
                </td>
                <td className="n">{cell(e, e.yesterday, overview.yesterday)}</td>
                <td className="n">{cell(e, e.last_week, overview.last_week)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

// OpinionsPanel lists new or rising opinions of the last days.
export function OpinionsPanel({ rows, trend, scope }: { rows: Schemas['OpinionRow'][]; trend: 'new' | 'rising'; scope: Filters }) {
  const { t } = useTranslation('overview');
  const { profile: _, day: __, ...list } = scope;
  return (
    <Panel title={t(trend)} extra={<Link to={`/opinions${address({ ...list, trend })}`}>{t('all_opinions')}</Link>}>
      {rows.length === 0 ? (
        <None text={t(`${trend}_none`)} />
      ) : (
        <table className="facts" aria-label={t(trend)}>
          <thead>
            <tr>
              <th />
              <th />
              <th>{t('four_weeks')}</th>
              <th className="n">{t('last_7')}</th>
              <th className="n">{t('mentions')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((o) => (
              <tr key={o.opinion_id}>
                <td>
                  <Link to={`/opinions/${o.opinion_id}`}>{o.title}</Link>
                </td>
                <td className="muted">
                  {t(`common:aspect.${o.aspect}`, { defaultValue: o.aspect })} · {t(`common:kind.${o.kind}`, { defaultValue: o.kind })}
                </td>
                <td>
                  <Sparkline values={o.spark} width={84} height={18} color={trend === 'rising' ? '#d4380d' : undefined} />
                </td>
                <td className="n">
                  <Tooltip title={t('week', { n: o.week, before: o.week_before })}>
                    <span>{count(o.week)}</span>
                  </Tooltip>
                </td>
                <td className="n">
                  <Link to={sessionsLink({ ...list, opinion: o.opinion_id })} aria-label={`${o.title} ${count(o.mentions)}`}>
                    {count(o.mentions)}
                  </Link>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}
