import { useMutation } from '@tanstack/react-query';
import { Alert, Button, Card, Collapse, DatePicker, Flex, Progress, Statistic, Table, Tag } from 'antd';
import dayjs from 'dayjs';
import { useState } from 'react';
import { Link } from 'react-router';

import { api, ApiError, type Schemas, useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { useTranslation } from '../../i18n';
import { addDays } from '../../ui/days';
import { count, decimal, percent } from '../../ui/format';
import { turnLink } from '../../ui/links';
import { Failed } from '../../ui/states';

// What a backtest answers (pipeline/backtest).
interface Change {
  live: number;
  draft: number;
  new: number;
  gone: number;
}
interface Sample {
  session_id: string;
  reason: string;
  quotes: { turn: number; role: string; text: string }[] | null;
}
interface Report {
  sessions: number;
  turns: number;
  flagged: Change;
  score: { live_mean?: number; draft_mean?: number; lower: number; higher: number };
  rules: { id: string; name: string; state: string; fires: Change; new_samples: Sample[] | null; gone_samples: Sample[] | null; reviews: { confirmed: number; dismissed: number; draft: { precision?: number } } }[];
  agents: { agent_id: string; sessions: number; live_mean: number; draft_mean: number; change: number }[] | null;
}

// Backtest runs the draft beside the rules in use over conversations of the past; nothing is written.
export function Backtest({ yaml, errors }: { yaml: string; errors: boolean }) {
  const { t } = useTranslation('rules');
  const { today } = useMe();
  const last = useGet('/api/v1/filters', {}, { staleTime: 300_000 }).data?.last_day ?? today;
  const end = last < today ? last : today;
  const [period, setPeriod] = useState<[string, string]>();
  const [from, to] = period ?? [addDays(end, -29), end];
  const start = useMutation<Schemas['Job'], ApiError, void>({ mutationFn: async () => (await api.POST('/api/v1/rules/backtest', { body: { yaml, from, to, samples: 5 } })).data as Schemas['Job'] });
  const id = start.data?.job_id ?? '';
  const job = useGet('/api/v1/jobs/{job_id}', { path: { job_id: id } }, { enabled: id !== '', refetchInterval: (q) => (q.state.data && q.state.data.state !== 'running' ? false : 700), staleTime: 0 });
  const j = job.data;
  return (
    <Flex vertical gap={12}>
      <Flex gap={8} wrap>
        <DatePicker.RangePicker aria-label={t('period')} allowClear={false} value={[dayjs(from), dayjs(to)]} onChange={(r) => r?.[0] && r[1] && setPeriod([r[0].format('YYYY-MM-DD'), r[1].format('YYYY-MM-DD')])} />
        <Button type="primary" disabled={errors || yaml.trim() === ''} loading={start.isPending || j?.state === 'running'} onClick={() => start.mutate()}>
          {t('run_backtest')}
        </Button>
      </Flex>
      <span className="muted">{t('backtest_note')}</span>
      {start.error && <Failed error={start.error} />}
      {job.error && <Failed error={job.error} />}
      {j?.state === 'running' && <Progress percent={j.total > 0 ? Math.floor((100 * j.done) / j.total) : 0} />}
      {j?.state === 'failed' && <Alert type="error" showIcon title={t('backtest_failed')} description={j.error} />}
      {j?.state === 'done' && <Shown report={j.result as unknown as Report} />}
    </Flex>
  );
}

function Shown({ report: r }: { report: Report }) {
  const { t } = useTranslation('rules');
  const moved = r.rules.filter((x) => x.state !== 'both' || x.fires.new > 0 || x.fires.gone > 0);
  return (
    <Flex vertical gap={12}>
      <Flex gap={24} wrap>
        <Statistic title={t('bt_sessions')} value={count(r.sessions)} />
        <Statistic title={t('bt_flagged')} value={`${count(r.flagged.live)} → ${count(r.flagged.draft)}`} />
        <Statistic title={t('bt_score')} value={`${decimal(r.score.live_mean)} → ${decimal(r.score.draft_mean)}`} />
        <Statistic title={t('bt_moved')} value={`↓ ${count(r.score.lower)} · ↑ ${count(r.score.higher)}`} />
      </Flex>
      {moved.length === 0 ? (
        <Alert type="info" showIcon title={t('bt_same')} />
      ) : (
        <Collapse
          size="small"
          defaultActiveKey={moved.slice(0, 1).map((x) => x.id)}
          items={moved.map((x) => ({
            key: x.id,
            label: (
              <Flex gap={8} wrap>
                <b>{x.name || x.id}</b>
                {x.state !== 'both' && <Tag>{t(`bt_state.${x.state}`, { defaultValue: x.state })}</Tag>}
                <span>{t('bt_fires', { live: x.fires.live, draft: x.fires.draft })}</span>
                {x.reviews.confirmed + x.reviews.dismissed > 0 && <span className="muted">{t('bt_precision', { p: percent(x.reviews.draft.precision) })}</span>}
              </Flex>
            ),
            children: (
              <>
                <Samples title={t('bt_new', { n: x.fires.new })} samples={x.new_samples ?? []} />
                <Samples title={t('bt_gone', { n: x.fires.gone })} samples={x.gone_samples ?? []} />
              </>
            ),
          }))}
        />
      )}
      {(r.agents ?? []).some((a) => a.change !== 0) && (
        <Card size="small" title={t('bt_agents')}>
          <Table
            size="small"
            rowKey="agent_id"
            pagination={{ pageSize: 8, hideOnSinglePage: true, showSizeChanger: false }}
            dataSource={(r.agents ?? []).filter((a) => a.change !== 0)}
            columns={[
              { title: t('agent'), dataIndex: 'agent_id' },
              { title: t('bt_sessions'), dataIndex: 'sessions', align: 'right' },
              { title: t('score'), align: 'right', render: (_, a) => `${decimal(a.live_mean)} → ${decimal(a.draft_mean)}` },
            ]}
          />
        </Card>
      )}
    </Flex>
  );
}

function Samples({ title, samples }: { title: string; samples: Sample[] }) {
  if (samples.length === 0) return null;
  return (
    <div style={{ marginBottom: 8 }}>
      <b>{title}</b>
      {samples.map((s) => (
        <div key={s.session_id} className="bt-sample">
          <Link to={turnLink(s.session_id, s.quotes?.[0]?.turn)} target="_blank">
            {s.session_id}
          </Link>{' '}
          <span className="muted">{s.reason}</span>
          {(s.quotes ?? []).slice(0, 3).map((q, i) => (
            <div key={i}>「{q.text}」</div>
          ))}
        </div>
      ))}
    </div>
  );
}
