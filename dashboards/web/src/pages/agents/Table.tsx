import { Skeleton, Table as AntTable } from 'antd';
import { type ColumnType } from 'antd/es/table';
import { Link } from 'react-router';

import { type Schemas } from '../../api/client';
import { address } from '../../api/address';
import { useTranslation } from '../../i18n';
import { type Filters } from '../../ui/filters';
import { dash, figure } from '../../ui/format';
import { Nothing } from '../../ui/states';
import { FigureTitle, FigureValue } from './Figure';
import { about, beside, compare as comparing, isName, type Line, meanOf, type Name, type Row, value } from './figures';
import type { By, Comparison } from './query';


// keyOf tells rows of one table apart.
export function keyOf(row: Row): string {
  return JSON.stringify([row.agent_id, row.team, row.shop, row.channel, row.source]);
}

// narrowed are the filters that leave of the facts those of one row. What is empty is asked for by '-'.
export function narrowed(row: Row, by: By, split: boolean): Filters {
  const one = (v: string) => [v === '' ? '-' : v];
  switch (by) {
    case 'agent':
      return { agent: one(row.agent_id), ...(split ? { team: one(row.team), shop: one(row.shop) } : {}) };
    case 'team':
      return { team: one(row.team) };
    case 'shop':
      return { shop: one(row.shop) };
    default:
      return { channel: one(row.channel) };
  }
}

export interface TableProps {
  data: Schemas['KPITable'] | undefined;
  by: By;
  split: boolean;
  compare: Comparison;
  columns: Name[];
  profile: string;
  // sort is the figure, with a minus before it for the greatest first.
  sort: string | null;
  setSort: (sort: string | undefined) => void;
  open: (name: Name, key: string) => void;
  filters: Filters;
}

export function AgentsTable({ data, by, split, compare, columns, profile, sort, setSort, open, filters }: TableProps) {
  const { t } = useTranslation('agents');
  if (!data) return <Skeleton active paragraph={{ rows: 10 }} />;
  if (data.rows.length === 0) return <Nothing text={t('no_rows')} />;
  const descending = sort?.startsWith('-') ?? false;
  const sorted = sort?.replace(/^-/, '');
  const text = (title: string, show: (r: Line) => React.ReactNode, fixed = false): ColumnType<Line> => ({ title, render: (_, r) => show(r), fixed: fixed ? 'start' : undefined, key: title });
  const keep = address({ from: filters.from, to: filters.to, profile: filters.profile });
  const head: ColumnType<Line>[] = {
    agent: [
      text(t('agent'), (r) => (r.agent_id ? <Link to={`/agents/${encodeURIComponent(r.agent_id)}${keep}`}>{r.name ? `${r.name} (${r.agent_id})` : r.agent_id}</Link> : t('none')), true),
      text(t('team'), (r) => (split ? r.team : r.main_team) || <span className="muted">{dash}</span>),
      ...(split ? [text(t('shop'), (r) => r.shop || <span className="muted">{dash}</span>)] : []),
    ],
    team: [text(t('team'), (r) => r.team || t('none'), true)],
    shop: [text(t('shop'), (r) => r.shop || t('none'), true)],
    channel: [text(t('channel'), (r) => (r.channel ? t(`channel.${r.channel}`, { defaultValue: r.channel }) : t('none')), true), text(t('source'), (r) => r.source || dash)],
  }[by];
  const other = (r: Line, name: Name) => {
    if (compare === 'like') return name in r.like_for_like ? { of: 'like' as const, value: r.like_for_like[name] ?? null } : undefined;
    return compare === 'team' ? beside(data, r, name) : undefined;
  };
  const numbers = columns.map<ColumnType<Line>>((name) => ({
    key: name,
    title: <FigureTitle name={name} />,
    align: 'right',
    render: (_, r) => <FigureValue name={name} value={value(r, name)} other={other(r, name)} final={r.is_final} profile={profile} open={() => open(name, keyOf(r))} />,
    sorter: comparing(name, sorted === name && descending),
    sortOrder: sorted === name ? (descending ? 'descend' : 'ascend') : null,
    sortDirections: ['descend', 'ascend'],
  }));
  return (
    <AntTable<Line>
      className="agents-table"
      size="small"
      rowKey={keyOf}
      dataSource={data.rows}
      columns={[...head, ...numbers]}
      pagination={data.rows.length > 100 ? { pageSize: 100, showSizeChanger: false } : false}
      scroll={{ x: 'max-content' }}
      sticky={{ offsetHeader: 56 }}
      showSorterTooltip={false}
      onChange={(_, __, s) => {
        const chosen = Array.isArray(s) ? s[0] : s;
        const name = String(chosen?.columnKey ?? '');
        setSort(chosen?.order && isName(name) ? (chosen.order === 'descend' ? `-${name}` : name) : undefined);
      }}
      summary={() => (by === 'agent' ? <Means data={data} lead={head.length} columns={columns} /> : null)}
    />
  );
}

// Means are the teams that have agents enough, and everybody, below the agents.
function Means({ data, lead, columns }: { data: Schemas['KPITable']; lead: number; columns: Name[] }) {
  const { t } = useTranslation('agents');
  const teams = data.teams.map((x) => x.team).filter((x) => x !== '');
  const lines = [...teams, undefined].map((team) => ({ team, agents: meanOf(data, team, 'score')?.agents ?? 0 })).filter((l) => l.agents > 0);
  if (lines.length === 0) return null;
  const each = (team: string | undefined, name: Name) => {
    const { unit, adds } = about(name);
    return figure(meanOf(data, team, name)?.value, adds && unit === 'count' ? 'points' : unit);
  };
  return (
    <AntTable.Summary fixed>
      {lines.map((l) => (
        <AntTable.Summary.Row key={l.team ?? ''}>
          <AntTable.Summary.Cell index={0} colSpan={lead}>
            <span className="muted">{l.team === undefined ? t('mean_all', { n: l.agents }) : t('mean_team', { team: l.team, n: l.agents })}</span>
          </AntTable.Summary.Cell>
          {columns.map((name, i) => (
            <AntTable.Summary.Cell key={name} index={lead + i} align="right">
              <span className="num muted">{each(l.team, name)}</span>
            </AntTable.Summary.Cell>
          ))}
        </AntTable.Summary.Row>
      ))}
    </AntTable.Summary>
  );
}
