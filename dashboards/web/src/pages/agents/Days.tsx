import { Card, Select, theme } from 'antd';
import { useMemo } from 'react';

import { useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { Chart } from '../../ui/Chart';
import { type Filters } from '../../ui/filters';
import { type useFilters } from '../../ui/useFilters';
import { figure } from '../../ui/format';
import { Loaded, Nothing } from '../../ui/states';
import { about, groups, isName, leastTeam, type Line, type Name, names, type Row, value } from './figures';

interface DaysProps {
  agent: string;
  name: string;
  line: Line;
  filters: Filters;
  params: URLSearchParams;
  set: ReturnType<typeof useFilters>['set'];
  open: (name: Name, day: string) => void;
}

// Days is a figure of an agent day by day beside the team's.
export function Days({ agent, name, line, filters, params, set, open }: DaysProps) {
  const { t } = useTranslation('agents');
  const asked = params.get('trend');
  const chosen: Name = isName(asked) ? asked : 'score';
  const trend = useGet('/api/v1/kpi/trend', { query: { ...filters, by: 'agent', whole: '1', agent: [agent] } });
  return (
    <Card
      size="small"
      title={t('trend_title')}
      extra={
        <Select
          size="small"
          aria-label={t('trend_figure')}
          value={chosen}
          onChange={(v) => set({ trend: v })}
          options={groups.map((g) => ({ label: t(`group.${g}`), options: names.filter((n) => about(n).group === g).map((n) => ({ value: n, label: t(`figure.${n}`) })) }))}
          popupMatchSelectWidth={false}
          style={{ minWidth: 140 }}
        />
      }
    >
      <Loaded query={trend}>{(data) => <Lines days={data.days} team={data.team_days.filter((d) => d.team === line.main_team && line.main_team !== '')} size={line.team_size} name={chosen} who={name} line={line} open={(day) => open(chosen, day)} />}</Loaded>
    </Card>
  );
}

function Lines({ days, team, size, name, who, line, open }: { days: Row[]; team: Row[]; size: number; name: Name; who: string; line: Line; open: (day: string) => void }) {
  const { t } = useTranslation('agents');
  const { unit, adds } = about(name);
  const beside = size >= leastTeam && team.length > 0;
  const dates = useMemo(() => [...new Set([...days, ...(beside ? team : [])].map((d) => d.day ?? ''))].sort(), [days, team, beside]);
  const teamTitle = t('mean_team', { team: line.main_team, n: size });
  const colour = theme.useToken().token.colorPrimary;
  const option = useMemo(() => {
    const by = (rows: Row[], share = 1) => {
      const at = new Map(rows.map((d) => [d.day, value(d, name)]));
      return dates.map((d) => {
        const v = at.get(d) ?? null;
        return v === null ? null : v / share;
      });
    };
    const tooltip = { valueFormatter: (v: number | null) => figure(v, adds && unit === 'count' ? 'points' : unit) };
    return {
      legend: { top: 0, right: 8, itemHeight: 8 },
      xAxis: { type: 'category', data: dates.map((d) => d.slice(5)) },
      yAxis: { type: 'value', scale: unit === 'points', axisLabel: { formatter: (v: number) => figure(v, unit === 'mean' ? 'mean' : unit) } },
      series: [
        { name: t('trend_own'), type: 'line', data: by(days), symbolSize: 7, connectNulls: true, cursor: 'pointer', itemStyle: { color: colour }, tooltip },
        ...(beside ? [{ name: teamTitle, type: 'line', data: by(team, adds ? size : 1), symbol: 'none', connectNulls: true, lineStyle: { type: 'dashed' }, itemStyle: { color: '#8c93a3' }, tooltip }] : []),
      ],
    };
  }, [dates, days, team, beside, size, name, unit, adds, t, teamTitle, colour]);
  if (!days.some((d) => value(d, name) !== null)) return <Nothing text={t('trend_none')} />;
  return (
    <>
      <Chart option={option} height={260} label={t('trend_label', { who, figure: t(`figure.${name}`), other: beside ? teamTitle : '–' })} onClick={(p) => open(dates[p.dataIndex])} />
      <div className="muted" style={{ textAlign: 'end', fontSize: 12 }}>
        {t('trend_click')}
      </div>
    </>
  );
}
