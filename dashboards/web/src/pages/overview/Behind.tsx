import { Drawer, Table } from 'antd';
import { Link } from 'react-router';

import { useGet } from '../../api/client';
import { type ItemOf, useList } from '../../api/list';
import { useTranslation } from '../../i18n';
import { count, dash, duration, money } from '../../ui/format';
import { turnLink } from '../../ui/links';
import { Failed, More, Nothing } from '../../ui/states';

type Part = ItemOf<'/api/v1/kpi/sessions'>;

// Behind lists what a figure of the KPI views is made of on a day: sessions, and orders where it counts these.
export function Behind({ figure, day, filters, close }: { figure: string; day: string; filters: Record<string, unknown>; close: () => void }) {
  const { t } = useTranslation('overview');
  const parts = useList('/api/v1/kpi/sessions', { query: { ...filters, figure, from: day, to: day, by: 'shop' } }, { limit: 100 });
  const agents = useGet('/api/v1/filters', {}, { staleTime: 300_000 }).data?.agents;
  const value = (v: number | null) => (v === null ? dash : figure.endsWith('_ms') || figure.startsWith('within_') ? duration(v) : money(v));
  const orders = parts.items?.some((p) => p.object !== '') ?? false;
  return (
    <Drawer open onClose={close} size={640} title={t('behind', { figure: t(`figure.${figure}`, { defaultValue: figure }), day })}>
      {parts.error && <Failed error={parts.error} retry={() => void parts.refetch()} />}
      {!parts.error && (
        <Table<Part>
          size="small"
          rowKey={(p) => `${p.session_id} ${p.object} ${p.agent_id} ${p.shop}`}
          loading={parts.isPending || parts.stale}
          dataSource={parts.items}
          pagination={false}
          locale={{ emptyText: parts.isPending ? ' ' : <Nothing text={t('behind_none')} /> }}
          columns={[
            { title: t('behind_session'), render: (_, p) => (p.session_id ? <Link to={turnLink(p.session_id)}>{p.session_id}</Link> : dash) },
            ...(orders ? [{ title: t('behind_order'), dataIndex: 'object' }] : []),
            { title: t('behind_agent'), render: (_, p) => agents?.find((a) => a.agent_id === p.agent_id)?.name || p.agent_id || dash },
            { title: t('common:shop'), dataIndex: 'shop', render: (s: string) => s || dash },
            { title: t('behind_counts'), align: 'right', className: 'num', render: (_, p) => `${count(p.top)} / ${count(p.bottom)}` },
            { title: t('behind_value'), align: 'right', className: 'num', render: (_, p) => value(p.value) },
          ]}
        />
      )}
      <More list={parts} />
    </Drawer>
  );
}
