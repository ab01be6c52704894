import { Drawer, Flex, Grid, Skeleton, Table, Tag, Typography } from 'antd';
import { Link } from 'react-router';

import { type ItemOf, useList } from '../../api/list';
import { useTranslation } from '../../i18n';
import { type Filters } from '../../ui/filters';
import { count, dash, figure, type Unit } from '../../ui/format';
import { sessionsLink } from '../../ui/links';
import { Failed, More, Nothing } from '../../ui/states';
import { about, type Name } from './figures';

type Part = ItemOf<'/api/v1/kpi/sessions'>;

export interface DrillProps {
  // of says whose figure it is, value what it is, as the page shows it.
  of: string;
  name: Name;
  value: string;
  // query is what the API is asked for: filters, by and profile, narrowed to the row.
  query: Filters;
  close: () => void;
}

// orders and appeals are figures whose parts are orders and hits rather than sessions.
const orders = new Set<Name>(['sales', 'net_sales', 'basket', 'items_per_customer', 'item_price']);
const hits = new Set<Name>(['appeal_rate', 'appeal_won_rate']);

// counted are figures that only add up, so that their numerator says nothing.
const counted = new Set<Name>(['received', 'rounds', 'pre_order', 'sales', 'net_sales', 'basket', 'items_per_customer', 'item_price', 'score', 'avg_reply_ms', 'first_reply_ms']);

// unitOf is the unit of what one part adds: the wait behind a rate is a time.
function unitOf(name: Name): Unit {
  if (name.startsWith('within_')) return 'ms';
  if (name === 'items_per_customer') return 'count';
  return about(name).unit;
}

// Drill shows what a figure is made of, those that spoil it first.
export function Drill({ of, name, value, query, close }: DrillProps) {
  const { t } = useTranslation('agents');
  const wide = Grid.useBreakpoint().md;
  const list = useList('/api/v1/kpi/sessions', { query: { ...query, figure: name } }, { limit: 100 });
  const parts = list.items ?? [];
  const sum = (key: 'top' | 'bottom') => parts.reduce((n, p) => n + p[key], 0);
  const title = t(`figure.${name}`);
  const only = counted.has(name);
  const { from, to, agent, team, shop, channel, business } = query;
  return (
    <Drawer open onClose={close} size={wide ? 760 : '100%'} title={t('drill_of', { who: of, figure: title, value })} closable={{ 'aria-label': t('close') }}>
      <Typography.Paragraph type="secondary">
        {t(`help.${name}`)}
        <br />
        {t('drill_note')}
      </Typography.Paragraph>
      {list.error && !list.items ? (
        <Failed error={list.error} retry={() => void list.refetch()} />
      ) : list.isPending ? (
        <Skeleton active paragraph={{ rows: 8 }} />
      ) : parts.length === 0 ? (
        <Nothing text={t('drill_none')} />
      ) : (
        <>
          <Flex justify="space-between" align="center" wrap gap={8} style={{ marginBottom: 8 }}>
            <span className="muted num" data-testid="drill-sums">
              {t(only ? 'drill_sum' : 'drill_sums', { n: count(parts.length), top: count(sum('top')), bottom: count(sum('bottom')) })}
              {list.hasMore && ' …'}
            </span>
            <Link to={sessionsLink({ from, to, agent, team, shop, channel, business, ...(hits.has(name) || name === 'hit_rate' || name === 'score' ? { state: 'closed' } : {}) })}>{t('drill_queue')}</Link>
          </Flex>
          <Table<Part>
            size="small"
            rowKey={(p) => `${p.session_id} ${p.object} ${p.day} ${p.agent_id} ${p.team} ${p.shop}`}
            dataSource={parts}
            pagination={false}
            scroll={{ x: 'max-content' }}
            columns={[
              {
                title: t('drill_session'),
                render: (_, p) =>
                  p.session_id ? (
                    <Link className="num" to={`/sessions/${encodeURIComponent(p.session_id)}${hits.has(name) && p.object ? `?hit=${encodeURIComponent(p.object)}` : ''}`}>
                      {p.session_id}
                    </Link>
                  ) : (
                    <span className="muted">{t('drill_no_session')}</span>
                  ),
              },
              ...(orders.has(name) || hits.has(name) ? [{ title: t(hits.has(name) ? 'drill_hit' : 'drill_object'), dataIndex: 'object', className: 'num', render: (v: string) => v || dash }] : []),
              { title: t('day'), dataIndex: 'day', className: 'num' },
              ...(query.by === 'agent' && query.agent ? [] : [{ title: t('agent'), dataIndex: 'agent_id', render: (v: string) => (v ? <Link to={`/agents/${encodeURIComponent(v)}`}>{v}</Link> : dash) }]),
              { title: t('shop'), dataIndex: 'shop', render: (v: string) => v || dash },
              ...(parts.some((p) => p.value !== null) ? [{ title: t(`drill_value.${unitOf(name)}`), align: 'right' as const, className: 'num', render: (_: unknown, p: Part) => figure(p.value, unitOf(name)) }] : []),
              {
                title: t('drill_part'),
                align: 'right',
                className: 'num',
                render: (_, p) => (only ? count(p.bottom) : <Tag color={p.top < p.bottom ? 'volcano' : 'green'}>{`${count(p.top)} / ${count(p.bottom)}`}</Tag>),
              },
            ]}
          />
          <More list={list} />
        </>
      )}
    </Drawer>
  );
}
