import { Card, DatePicker, Flex, Grid, Select, Table, Tag, theme } from 'antd';
import dayjs from 'dayjs';
import { useMemo } from 'react';
import { Link } from 'react-router';

import { type Schemas, useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { Chart } from '../../ui/Chart';
import { type Filters } from '../../ui/filters';
import { type useFilters } from '../../ui/useFilters';
import { count, dash, decimal, percent } from '../../ui/format';
import { sessionsLink } from '../../ui/links';
import { Loaded, Nothing } from '../../ui/states';
import { useRuleName } from '../../ui/tags';

interface TrainingProps {
  filters: Filters;
  params: URLSearchParams;
  set: ReturnType<typeof useFilters>['set'];
  period: Filters;
  // agent is whose hits are counted; without one those of all agents, each in a table below.
  agent?: string;
}

// Training shows how often rules are broken before and after a day that somebody marks.
export function Training({ filters, params, set, period, agent }: TrainingProps) {
  const { t } = useTranslation('agents');
  const ruleName = useRuleName();
  const wide = Grid.useBreakpoint().md;
  const { profile: _, ...plain } = filters;
  const query = agent ? { ...plain, agent: [agent] } : plain;
  const broken = useGet('/api/v1/kpi/broken', { query });
  const asked = params.getAll('rule');
  const rules = asked.length > 0 ? asked : broken.data?.items.slice(0, 1).map((b) => b.rule_id) ?? [];
  const from = String(filters.from ?? period.from);
  const to = String(filters.to ?? period.to);
  const middle = dayjs(from).add(Math.floor(dayjs(to).diff(from, 'day') / 2) + 1, 'day').format('YYYY-MM-DD');
  const date = params.get('date') ?? middle;
  const options = useMemo(() => {
    const known = broken.data?.items ?? [];
    return [...new Set([...known.map((b) => b.rule_id), ...asked])].map((id) => ({ value: id, label: `${ruleName(id)} (${count(known.find((b) => b.rule_id === id)?.hits ?? 0)})` }));
  }, [broken.data, asked, ruleName]);
  const compared = useGet('/api/v1/kpi/rules', { query: { ...query, rule: rules, date } }, { enabled: rules.length > 0 });
  return (
    <Card size="small" title={t('training_title')} extra={wide && <span className="muted">{t('training_note')}</span>}>
      <Flex wrap gap={8} align="center">
        <Select mode="multiple" aria-label={t('training_rules')} placeholder={t('training_rules')} value={rules} options={options} onChange={(v) => set({ rule: v })} style={{ minWidth: 260 }} maxTagCount="responsive" popupMatchSelectWidth={false} showSearch={{ optionFilterProp: 'label' }} />
        <span>{t('training_date')}</span>
        <DatePicker aria-label={t('training_date')} allowClear={false} value={dayjs(date)} minDate={dayjs(from)} maxDate={dayjs(to)} onChange={(d) => set({ date: d?.format('YYYY-MM-DD') })} />
      </Flex>
      {rules.length === 0 ? <Nothing text={broken.data ? t('broken_none') : t('training_pick')} /> : <Loaded query={compared}>{(data) => <Compared data={data} rules={rules} filters={query} whole={!agent} />}</Loaded>}
    </Card>
  );
}

function Compared({ data, rules, filters, whole }: { data: Schemas['Recurrence']; rules: string[]; filters: Filters; whole: boolean }) {
  const { t } = useTranslation('agents');
  const { before, after } = data;
  const change = before.rate === null || after.rate === null ? null : (after.rate - before.rate) * 100;
  const offered = useGet('/api/v1/filters', {}, { staleTime: 300_000 });
  const names = new Map(offered.data?.agents.map((a) => [a.agent_id, a.name]));
  const colour = theme.useToken().token.colorPrimary;
  const option = useMemo(() => {
    const days = data.days.map((d) => d.day);
    const mark = days.find((d) => (d ?? '') >= data.date);
    return {
      legend: { top: 0, left: 8, itemHeight: 8 },
      xAxis: { type: 'category', data: days.map((d) => (d ?? '').slice(5)) },
      yAxis: [
        { type: 'value', minInterval: 1, splitLine: { show: false } },
        { type: 'value', min: 0, max: 1, axisLabel: { formatter: (v: number) => `${Math.round(v * 100)}%` } },
      ],
      series: [
        { name: t('training_chart_with'), type: 'bar', barMaxWidth: 18, itemStyle: { color: '#ffbb96' }, data: data.days.map((d) => d.sessions_with) },
        {
          name: t('training_chart_rate'),
          type: 'line',
          yAxisIndex: 1,
          symbolSize: 5,
          itemStyle: { color: colour },
          tooltip: { valueFormatter: (v: number) => percent(v) },
          data: data.days.map((d) => (d.sessions ? d.sessions_with / d.sessions : null)),
          markLine: mark ? { symbol: 'none', label: { formatter: `${t('training_mark')} ${data.date.slice(5)}`, position: 'end', rotate: 0 }, lineStyle: { color: '#389e0d', width: 2 }, data: [{ xAxis: mark.slice(5) }] } : undefined,
        },
      ],
    };
  }, [data, t, colour]);
  const day = (d: string, n: number) => dayjs(d).add(n, 'day').format('YYYY-MM-DD');
  const side = (title: string, part: Schemas['RecurrencePart'], from: string, to: string) => (
    <div>
      <div className="muted">{title}</div>
      <Link className="big num" to={sessionsLink({ ...filters, rule: rules, state: 'closed', from, to })} aria-label={`${title} ${percent(part.rate)}`}>
        {percent(part.rate)}
      </Link>
      <div className="muted num">{t('training_hits', { hits: count(part.hits), with: count(part.sessions_with), sessions: count(part.sessions), days: part.days })}</div>
    </div>
  );
  return (
    <>
      <div className="training-sides">
        {side(t('training_before'), before, data.from, day(data.date, -1))}
        {side(t('training_after'), after, data.date, data.to)}
        <div>
          <div className="muted">{t('training_change')}</div>
          <span className="big num" style={{ color: change === null || change === 0 ? undefined : change < 0 ? '#389e0d' : '#cf1322' }}>
            {change === null ? dash : t('points_n', { n: `${change > 0 ? '+' : ''}${decimal(change)}` })}
          </span>
        </div>
      </div>
      {data.days.length > 0 && (
        <Chart option={option} height={240} label={t('training_label', { date: data.date, before: percent(before.rate), after: percent(after.rate) })} />
      )}
      {whole && data.agents.length > 0 && (
        <Table
          size="small"
          rowKey="agent_id"
          style={{ marginTop: 12 }}
          dataSource={data.agents}
          pagination={data.agents.length > 20 ? { pageSize: 20, showSizeChanger: false } : false}
          columns={[
            { title: t('agent'), render: (_, a) => <Link to={`/agents/${encodeURIComponent(a.agent_id)}`}>{names.get(a.agent_id) ? `${names.get(a.agent_id)} (${a.agent_id})` : a.agent_id}</Link> },
            { title: t('training_hits_before'), dataIndex: 'hits_before', align: 'right', className: 'num', sorter: (a, b) => a.hits_before - b.hits_before },
            { title: t('training_hits_after'), dataIndex: 'hits_after', align: 'right', className: 'num', sorter: (a, b) => a.hits_after - b.hits_after },
            {
              title: t('training_change'),
              align: 'right',
              sorter: (a, b) => a.hits_after - a.hits_before - (b.hits_after - b.hits_before),
              render: (_, a) => {
                const d = a.hits_after - a.hits_before;
                return <Tag color={d < 0 ? 'green' : d > 0 ? 'volcano' : undefined}>{d > 0 ? `+${d}` : d}</Tag>;
              },
            },
          ]}
        />
      )}
    </>
  );
}
