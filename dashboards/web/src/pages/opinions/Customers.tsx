import { CopyOutlined, DownloadOutlined } from '@ant-design/icons';
import { App, Button, Table } from 'antd';
import { useState } from 'react';
import { Link } from 'react-router';

import { type ItemOf, readAll, useList } from '../../api/list';
import { useTranslation } from '../../i18n';
import { copyText, save } from '../../ui/download';
import type { Filters } from '../../ui/filters';
import { count } from '../../ui/format';
import { turnLink } from '../../ui/links';
import { Failed, More, Nothing, useWhy } from '../../ui/states';
import { csv } from '../../ui/csv';
import type { Detail } from './keep';

const path = '/api/v1/opinions/{opinion_id}/customers';
type Customer = ItemOf<typeof path>;

// Customers are those to call back, by pseudonym: the company's own system knows who they are.
export function Customers({ opinion: o, scope }: { opinion: Detail; scope: Filters }) {
  const { t } = useTranslation('opinions');
  const { message } = App.useApp();
  const why = useWhy();
  const [busy, setBusy] = useState(false);
  const params = { path: { opinion_id: o.opinion_id }, query: scope };
  const list = useList(path, params, { limit: 10 });
  const all = async (use: (customers: Customer[]) => Promise<void> | void) => {
    setBusy(true);
    try {
      await use(await readAll(path, params));
    } catch (error) {
      void message.error(why(error));
    } finally {
      setBusy(false);
    }
  };
  const copy = () =>
    all(async (customers) => {
      await copyText(customers.map((c) => c.customer_id).join('\n'));
      void message.success(t('callback_copied', { n: count(customers.length) }));
    });
  const download = () =>
    all((customers) => {
      const head = [t('customer'), t('times'), t('last_seen'), t('common:shop'), t('last_session')];
      const rows = customers.map((c) => [c.customer_id, String(c.mentions), c.last_day ?? '', c.shop, c.session_id]);
      save({ name: `${t('callback')} ${o.opinion_id}.csv`, body: new Blob([csv([head, ...rows])], { type: 'text/csv;charset=utf-8' }) });
    });
  const some = (list.items?.length ?? 0) > 0;
  return (
    <section id="customers" aria-label={t('callback')} style={{ scrollMarginTop: 72 }}>
      <header>
        <h2>{t('callback')}</h2>
        {some && (
          <span className="right">
            <Button size="small" icon={<CopyOutlined />} loading={busy} onClick={() => void copy()}>
              {t('callback_copy')}
            </Button>
            <Button size="small" icon={<DownloadOutlined />} aria-label={t('callback_csv')} title={t('callback_csv')} disabled={busy} onClick={() => void download()} />
          </span>
        )}
      </header>
      {list.error ? (
        <Failed error={list.error} retry={() => void list.refetch()} />
      ) : (
        <Table<Customer>
          size="small"
          rowKey="customer_id"
          dataSource={list.items}
          loading={list.isPending}
          pagination={false}
          locale={{ emptyText: list.isPending ? ' ' : <Nothing text={t('callback_none')} /> }}
          columns={[
            { title: t('customer'), dataIndex: 'customer_id', ellipsis: true, render: (id: string) => <code title={id}>{id.slice(0, 13)}</code> },
            { title: t('times'), dataIndex: 'mentions', align: 'right', className: 'num', width: 84 },
            { title: t('last_session'), key: 'last', width: 112, render: (_, c) => <Link to={turnLink(c.session_id)}>{c.last_day ?? c.session_id}</Link> },
          ]}
        />
      )}
      <More list={list} size="small" />
      {some && <div className="muted small" style={{ marginTop: 8 }}>{t('callback_note')}</div>}
    </section>
  );
}
