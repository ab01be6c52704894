import { Alert, Button, Card, Col, Flex, Progress, Row, Statistic } from 'antd';
import { useEffect } from 'react';
import { Link } from 'react-router';

import { api, queryClient, type Schemas, useAct, useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { count } from '../../ui/format';
import { sessionsLink } from '../../ui/links';
import { Loaded } from '../../ui/states';
import { RejectedRows } from './Preview';

interface Result {
  messages: number;
  sessions_written: number;
  sessions_unchanged: number;
  orders: number;
  ratings: number;
  rejected: Schemas['Rejected'][] | null;
  rejected_count: number;
  broken: string[] | null;
}

// RunStep follows an import to its end.
export function RunStep({ id }: { id: string }) {
  const query = useGet('/api/v1/jobs/{job_id}', { path: { job_id: id } }, { refetchInterval: (q) => (q.state.data && q.state.data.state !== 'running' ? false : 1000), staleTime: 0 });
  const over = query.data !== undefined && query.data.state !== 'running';
  useEffect(() => {
    // What was imported shows on every page.
    if (over) void queryClient.invalidateQueries({ predicate: (q) => q.queryKey[0] !== '/api/v1/jobs/{job_id}' });
  }, [over]);
  return <Loaded query={query}>{(job) => <Followed job={job} />}</Loaded>;
}

function Followed({ job }: { job: Schemas['Job'] }) {
  const { t } = useTranslation('imports');
  const cancel = useAct(async () => api.DELETE('/api/v1/jobs/{job_id}', { params: { path: { job_id: job.job_id } } }), ['/api/v1/jobs']);
  const result = job.result as Result | undefined;
  const percent = job.state === 'done' ? 100 : job.total > 0 ? Math.floor((100 * job.done) / job.total) : 0;
  return (
    <Flex vertical gap={16} style={{ maxWidth: 960 }}>
      <Card size="small" title={job.title} extra={job.state === 'running' && <Button onClick={() => cancel.mutate(undefined)}>{t('cancel')}</Button>}>
        <Progress percent={percent} status={job.state === 'failed' ? 'exception' : job.state === 'done' ? 'success' : 'active'} />
        {job.state === 'failed' && <Alert type="error" showIcon title={t('run_failed')} description={job.error} />}
        {job.state === 'cancelled' && <Alert type="warning" showIcon title={t('run_cancelled')} />}
      </Card>
      {result && (
        <>
          <Row gutter={[16, 16]}>
            {(
              [
                ['r_messages', result.messages],
                ['r_written', result.sessions_written],
                ['r_unchanged', result.sessions_unchanged],
                ['r_rejected', result.rejected_count],
              ] as const
            ).map(([word, n]) => (
              <Col key={word} xs={12} md={6}>
                <Card size="small">
                  <Statistic title={t(word)} value={count(n)} />
                </Card>
              </Col>
            ))}
          </Row>
          {(result.broken ?? []).map((b) => (
            <Alert key={b} type="error" showIcon title={b} />
          ))}
          {(result.rejected ?? []).length > 0 && <RejectedRows rows={result.rejected ?? []} />}
        </>
      )}
      {job.state === 'done' && (
        <Flex gap={8}>
          <Link to={sessionsLink({ sort: 'newest' })}>
            <Button type="primary">{t('see_sessions')}</Button>
          </Link>
          <Link to="/">
            <Button>{t('see_overview')}</Button>
          </Link>
        </Flex>
      )}
    </Flex>
  );
}
