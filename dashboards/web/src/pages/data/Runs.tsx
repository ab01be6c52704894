import { Table, Tag, Typography } from 'antd';

import { useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { count, time } from '../../ui/format';
import { Loaded, Nothing } from '../../ui/states';

const color: Record<string, string> = { running: 'processing', done: 'blue', switched: 'green', failed: 'red', cancelled: 'default' };

// Runs lists the reruns over past periods. They are begun, compared and switched from the command line.
export function Runs() {
  const { t } = useTranslation('data');
  const query = useGet('/api/v1/data/runs', { query: { limit: 100 } }, { refetchInterval: 15_000 });
  return (
    <Loaded query={query}>
      {(page) => (
        <>
          <Typography.Paragraph type="secondary">{t('runs_note')}</Typography.Paragraph>
          {page.items.length === 0 ? (
            <Nothing text={t('no_runs')}>
              <code>tingke rerun --from 2026-11-01 --to 2026-11-07 --dry-run</code>
            </Nothing>
          ) : (
            <Table
              size="small"
              rowKey="run_id"
              pagination={false}
              scroll={{ x: 900 }}
              dataSource={page.items}
              columns={[
                { title: t('run_id'), dataIndex: 'run_id', align: 'right' },
                { title: t('state'), dataIndex: 'state', render: (s: string) => <Tag color={color[s]}>{t(`run_state.${s}`, { defaultValue: s })}</Tag> },
                { title: t('period'), render: (_, r) => `${time(r.from, 'YYYY-MM-DD')} … ${time(r.to, 'YYYY-MM-DD')}` },
                { title: t('h_sessions'), dataIndex: 'sessions', align: 'right', render: (n: number) => count(n) },
                { title: t('rules_version'), dataIndex: 'rules_version', ellipsis: true },
                { title: t('h_epoch'), dataIndex: 'epoch', align: 'right' },
                { title: t('actor'), dataIndex: 'actor' },
                { title: t('began'), dataIndex: 'created_at', render: (at: string) => time(at) },
                { title: t('run_note'), dataIndex: 'note' },
              ]}
            />
          )}
        </>
      )}
    </Loaded>
  );
}
