import { useQuery } from '@tanstack/react-query';
import { Alert, Button, Card, Collapse, Flex, Table, Tag } from 'antd';

import { api, ApiError, queryClient, type Schemas, useAct } from '../../api/client';
import { useTranslation } from '../../i18n';
import { count, time } from '../../ui/format';
import { Failed, Loaded, Nothing } from '../../ui/states';

// PreviewStep shows what an import would make of the beginning of the files; nothing is written yet.
export function PreviewStep({ upload, how, back, began }: { upload: string; how: Schemas['How']; back?: () => void; began: (job: string) => void }) {
  const { t } = useTranslation('imports');
  const params = { path: { upload_id: upload } };
  const query = useQuery<Schemas['Preview'], ApiError>({
    queryKey: ['preview', upload, how],
    queryFn: async ({ signal }) => (await api.POST('/api/v1/imports/{upload_id}/preview', { params, body: how, signal })).data as Schemas['Preview'],
    staleTime: 0,
  });
  const run = useAct(async () => (await api.POST('/api/v1/imports/{upload_id}/run', { params, body: how })).data as Schemas['Job']);
  const start = async () => {
    const job = await run.mutateAsync(undefined);
    began(job.job_id);
    // The upload is gone with its run; its own query is not asked again.
    void queryClient.invalidateQueries({ queryKey: ['/api/v1/imports'] });
  };
  return (
    <Loaded query={query}>
      {(p) => (
        <Flex vertical gap={16}>
          <Alert
            type={p.rejected_count > 0 ? 'warning' : 'success'}
            showIcon
            title={t(p.complete ? 'preview_all' : 'preview_begin', { messages: count(p.messages), orders: count(p.orders), ratings: count(p.ratings), rejected: count(p.rejected_count) })}
            description={p.rejected_count > 0 ? t('rejected_do') : undefined}
          />
          {p.rejected.length > 0 && <RejectedRows rows={p.rejected} />}
          <Card size="small" title={t('sessions_n', { n: p.sessions.length })} styles={{ body: { padding: 0 } }}>
            {p.sessions.length === 0 ? <Nothing text={t('no_preview')} /> : <Collapse bordered={false} defaultActiveKey={[p.sessions[0]?.session_id ?? '']} items={p.sessions.map((s) => ({ key: s.session_id, label: <Head session={s} />, children: <Turns session={s} /> }))} />}
          </Card>
          {run.error && <Failed error={run.error} />}
          <Flex gap={8}>
            {back && <Button onClick={back}>{t('back')}</Button>}
            <Button type="primary" loading={run.isPending} disabled={p.sessions.length + p.orders + p.ratings === 0} onClick={() => void start().catch(() => undefined)}>
              {t('start')}
            </Button>
          </Flex>
        </Flex>
      )}
    </Loaded>
  );
}

function Head({ session: s }: { session: Schemas['PreviewSession'] }) {
  const { t } = useTranslation('imports');
  return (
    <Flex gap={12} wrap>
      <b>{s.session_id}</b>
      <span>{s.started_at ? time(s.started_at) : time(s.turns.find((x) => x.at)?.at)}</span>
      {[s.shop, s.team, s.channel && t(`channel.${s.channel}`, { defaultValue: s.channel }), s.agent_id].filter(Boolean).map((x) => (
        <Tag key={x}>{x}</Tag>
      ))}
      <span className="muted">{t('turns_n', { n: s.turn_count })}</span>
    </Flex>
  );
}

function Turns({ session }: { session: Schemas['PreviewSession'] }) {
  const { t } = useTranslation('imports');
  return (
    <table className="plain-turns">
      <tbody>
        {session.turns.map((turn, i) => (
          <tr key={i}>
            <td className="muted">{turn.at ? time(turn.at, 'HH:mm:ss') : ''}</td>
            <td>{t(`role.${turn.role}`)}</td>
            <td>{turn.text}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function RejectedRows({ rows }: { rows: Schemas['Rejected'][] }) {
  const { t } = useTranslation('imports');
  return (
    <Table
      size="small"
      rowKey={(r) => `${r.file}:${r.line}:${r.reason}`}
      pagination={{ pageSize: 8, hideOnSinglePage: true, showSizeChanger: false }}
      dataSource={rows}
      scroll={{ x: 560 }}
      columns={[
        { title: t('file'), dataIndex: 'file', width: 180 },
        { title: t('line'), dataIndex: 'line', width: 80, align: 'right' },
        { title: t('reason'), dataIndex: 'reason' },
      ]}
    />
  );
}
