import { FilterOutlined } from '@ant-design/icons';
import { Button, Drawer, Flex, Grid, Select, Table, type TableColumnsType, Tooltip } from 'antd';
import { useState } from 'react';
import { Link, useLocation } from 'react-router';

import { useGet } from '../../api/client';
import { useList } from '../../api/list';
import { useMe } from '../../api/me';
import { language, useTranslation } from '../../i18n';
import { ExportButton } from '../../ui/ExportButton';
import { FilterBar } from '../../ui/FilterBar';
import { address } from '../../api/address';
import { type Filters } from '../../ui/filters';
import { count } from '../../ui/format';
import { sessionsLink } from '../../ui/links';
import { Page } from '../../ui/Page';
import { Sparkline } from '../../ui/Sparkline';
import { Failed, Nothing } from '../../ui/states';
import { Trend } from '../../ui/tags';
import { useFilters } from '../../ui/useFilters';
import { useSoon } from '../../ui/useSoon';
import { Bulk } from './Bulk';
import { Facets } from './Facets';
import { keeps, type Row, scopeOf } from './keep';
import './opinions.css';
import { Status } from './Status';

const sorts = ['mentions', 'sessions', 'customers', 'week', 'first_seen', 'last_seen', 'title'];

// Opinions is what customers keep saying.
export default function Opinions() {
  const { t } = useTranslation('opinions');
  const me = useMe();
  const wide = Grid.useBreakpoint().lg ?? true;
  const { filters, set, reset } = useFilters();
  const [folded, setFolded] = useState(false);
  const [selected, setSelected] = useState<Row[]>([]);
  const sort = (filters.sort as string | undefined) ?? 'mentions';
  const { sort: _, ...narrowed } = filters;
  const list = useList('/api/v1/opinions', { query: filters });
  const counts = useGet('/api/v1/opinions/counts', { query: narrowed }, { placeholderData: (old) => old });
  const scope = scopeOf(filters);
  const columns = useColumns(scope, sort);
  const empty = list.items?.length === 0 && Object.keys(narrowed).length === 0;
  // what is selected follows changes of the rows, and stays selected while filters hide it
  const current = selected.map((s) => list.items?.find((r) => r.opinion_id === s.opinion_id) ?? s);
  const facets = <Facets filters={filters} set={set} />;
  return (
    <Page
      title={t('title')}
      note={counts.data && t('note', { opinions: count(counts.data.opinions), mentions: count(counts.data.mentions) })}
      extra={
        <>
          <Select aria-label={t('common:sort')} value={sort} onChange={(v) => set({ sort: v })} options={sorts.map((s) => ({ value: s, label: t(`sort.${s}`) }))} style={{ width: 150 }} />
          <ExportButton what="opinions" query={narrowed} disabled={list.items?.length === 0} />
        </>
      }
    >
      <FilterBar filters={narrowed} set={set} reset={reset} fields={['q', 'period', 'shop', 'team', 'channel']} more={['business', 'polarity']}>
        {!wide && (
          <Button icon={<FilterOutlined />} onClick={() => setFolded(true)}>
            {t('facets')}
          </Button>
        )}
      </FilterBar>
      {list.error && <Failed error={list.error} retry={() => void list.refetch()} />}
      {!list.error && empty && (
        <Nothing text={t('empty_title')}>
          <span className="muted">{t('empty_text')}</span>
        </Nothing>
      )}
      {!list.error && !empty && (
        <div className="opinions">
          {wide ? (
            facets
          ) : (
            <Drawer open={folded} onClose={() => setFolded(false)} title={t('facets')} size={280}>
              {facets}
            </Drawer>
          )}
          <div className="list">
            {keeps(me) && selected.length > 0 && <Bulk rows={current} owners={(counts.data?.by.owner ?? []).map((o) => o.value).filter((o) => o !== '')} clear={() => setSelected([])} />}
            <OpinionTable
              columns={columns}
              rows={list.items ?? none}
              loading={list.isPending || list.stale}
              empty={list.isPending ? ' ' : <Nothing />}
              wide={wide}
              selected={keeps(me) ? selected : undefined}
              select={setSelected}
              sort={(by) => set({ sort: by })}
              key={list.items ? 'read' : ''}
            />
            {list.items && list.items.length > 0 && (
              <Flex justify="center" align="center" gap={12} style={{ padding: 12 }}>
                <span className="muted">{t('common:total_n', { n: count(list.total ?? list.items.length) })}</span>
                {list.hasMore && (
                  <Button onClick={list.more} loading={list.loadingMore}>
                    {t('common:load_more')}
                  </Button>
                )}
              </Flex>
            )}
          </div>
        </div>
      )}
    </Page>
  );
}

const none: Row[] = [];

interface OpinionTableProps {
  columns: TableColumnsType<Row>;
  rows: Row[];
  loading: boolean;
  empty: React.ReactNode;
  wide: boolean;
  // selected are the rows that are, where rows may be selected.
  selected?: Row[];
  select: (rows: Row[]) => void;
  sort: (by: string) => void;
}

function OpinionTable({ columns, rows, loading, empty, wide, selected, select, sort }: OpinionTableProps) {
  const { t } = useTranslation('opinions');
  return (
    <Table<Row>
      size="small"
      rowKey="opinion_id"
      columns={columns}
      dataSource={useSoon(rows)}
      loading={loading}
      pagination={false}
      className={wide ? 'head-stays' : undefined} // the table's own `sticky` measures all columns and draws everything twice
      scroll={wide ? undefined : { x: 760 }}
      showSorterTooltip={false}
      locale={{ emptyText: empty }}
      rowSelection={selected ? { selectedRowKeys: selected.map((s) => s.opinion_id), preserveSelectedRowKeys: true, onChange: (_keys, chosen) => select(chosen.filter(Boolean)), getTitleCheckboxProps: () => ({ 'aria-label': t('common:all') }), getCheckboxProps: (r) => ({ 'aria-label': r.title }) as object } : undefined}
      onChange={(_p, _f, sorter) => !Array.isArray(sorter) && sorter.columnKey && sort(String(sorter.columnKey))}
    />
  );
}

function useColumns(scope: Filters, sort: string): TableColumnsType<Row> {
  const { t } = useTranslation('opinions');
  const { search } = useLocation();
  const numberWidth = language() === 'zh' ? 74 : 112;
  const place = (r: Row) => `/opinions/${r.opinion_id}${address(scope)}`;
  const number = (name: 'mentions' | 'sessions' | 'customers') => ({ title: t(name), key: name, dataIndex: name, align: 'right' as const, className: 'num', width: numberWidth, sorter: true, sortDirections: ['descend' as const, 'descend' as const], sortOrder: sort === name ? ('descend' as const) : null });
  const behind = (r: Row, n: number, name: string) =>
    n > 0 ? (
      <Link to={sessionsLink({ ...scope, opinion: r.opinion_id })} aria-label={`${r.title} ${t(name)} ${count(n)}`}>
        {count(n)}
      </Link>
    ) : (
      count(n)
    );
  return [
    {
      title: t('title_column'),
      key: 'title',
      render: (_, r) => (
        <>
          <Link to={place(r)} state={{ list: search }} className="title">
            {r.title}
          </Link>{' '}
          <Trend value={r.trend} />
          <div className="muted small">{[t(`common:aspect.${r.aspect}`, { defaultValue: r.aspect }), t(`common:kind.${r.kind}`, { defaultValue: r.kind }), r.department, r.product].filter(Boolean).join(' · ')}</div>
        </>
      ),
    },
    { title: t('course'), key: 'course', width: 100, responsive: ['lg'], render: (_, r) => <Sparkline values={r.spark} width={84} label={t('course_about', { days: r.spark.join(' ') })} color={r.trend === 'rising' ? '#d4380d' : undefined} /> },
    {
      title: t('week'), key: 'week', align: 'right', className: 'num', width: numberWidth + 14, sorter: true, sortDirections: ['descend', 'descend'], sortOrder: sort === 'week' ? 'descend' : null,
      render: (_, r) => (
        <Tooltip title={t('week_about', { week: r.week, before: r.week_before })}>
          <span>
            {count(r.week)} <span className="muted small">/ {count(r.week_before)}</span>
          </span>
        </Tooltip>
      ),
    },
    { ...number('mentions'), render: (_, r) => behind(r, r.mentions, 'mentions') },
    { ...number('sessions'), render: (_, r) => behind(r, r.sessions, 'sessions') },
    {
      ...number('customers'),
      render: (_, r) =>
        r.customers > 0 ? (
          <Link to={`${place(r)}#customers`} state={{ list: search }} aria-label={`${r.title} ${t('customers')} ${count(r.customers)}`}>
            {count(r.customers)}
          </Link>
        ) : (
          count(r.customers)
        ),
    },
    {
      title: t('handling'), key: 'status', width: 116,
      render: (_, r) => (
        <>
          <Status of={r} />
          {r.owner && <div className="muted small">{r.owner}</div>}
        </>
      ),
    },
    { title: t('last_seen'), key: 'last_seen', dataIndex: 'last_seen', width: 104, className: 'num', responsive: ['xxl'], sorter: true, sortDirections: ['descend', 'descend'], sortOrder: sort === 'last_seen' ? 'descend' : null },
  ];
}
