import { Alert, Card, Col, Descriptions, Flex, Row, Statistic, Table, Tag, Tooltip } from 'antd';

import { type Schemas, useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { count, dash, time } from '../../ui/format';
import { Loaded, Nothing } from '../../ui/states';

// Health says how the pipeline stands, for whoever asks whether figures are complete.
export function Health() {
  const { t } = useTranslation('data');
  const query = useGet('/api/v1/data/health', {}, { refetchInterval: 30_000 });
  const letters = useGet('/api/v1/data/dead-letters', { query: { limit: 50 } });
  return (
    <Loaded query={query}>
      {(h) => {
        const lost = h.lost_ranges.filter((l) => !l.acknowledged).length;
        return (
          <Flex vertical gap={16}>
            {lost > 0 && <Alert type="error" showIcon title={t('lost_title', { n: lost })} description={t('lost_do')} />}
            <Row gutter={[16, 16]}>
              {(
                [
                  ['h_sessions', count(h.sessions)],
                  ['h_open', count(h.open)],
                  ['h_latest', time(h.latest_turn)],
                  ['h_epoch', String(h.epoch)],
                ] as const
              ).map(([word, value]) => (
                <Col key={word} xs={12} lg={6}>
                  <Card size="small">
                    <Statistic title={t(word)} value={value} formatter={(v) => v} />
                  </Card>
                </Col>
              ))}
            </Row>
            <Card size="small" title={t('in_use')}>
              <Descriptions
                size="small"
                column={1}
                items={[
                  { key: 'r', label: t('rules_version'), children: h.rules_version },
                  { key: 'm', label: t('model_version'), children: h.model_version },
                  ...h.sources.map((s, i) => ({ key: `s${i}`, label: t(`source.${s.source}`, { defaultValue: s.source }), children: <Source status={s} /> })),
                ]}
              />
            </Card>
            <Card size="small" title={t('dead_letters')}>
              <p className="muted" style={{ marginTop: 0 }}>{t('dead_letters_note')}</p>
              <DeadLetters sums={h.dead_letters} />
              <Loaded query={letters} rows={2}>
                {(page) =>
                  page.items.length > 0 ? (
                    <Table
                      size="small"
                      rowKey={(d) => `${d.topic}/${d.partition}/${d.offset}/${d.sha256}`}
                      pagination={false}
                      scroll={{ x: 800 }}
                      dataSource={page.items}
                      columns={[
                        { title: t('at'), dataIndex: 'at', width: 150, render: (at: string) => time(at) },
                        { title: t('place'), width: 220, render: (_, d) => `${d.topic} / ${d.partition} / ${d.offset}` },
                        { title: t('reason'), dataIndex: 'error' },
                        { title: t('message'), dataIndex: 'raw_masked', ellipsis: true, render: (raw: string) => <Tooltip title={raw.slice(0, 1000)}><code>{raw.slice(0, 200)}</code></Tooltip> },
                      ]}
                    />
                  ) : (
                    <Nothing text={t('no_dead_letters')} />
                  )
                }
              </Loaded>
            </Card>
            {h.lost_ranges.length > 0 && <Lost ranges={h.lost_ranges} />}
          </Flex>
        );
      }}
    </Loaded>
  );
}

function Source({ status }: { status: Schemas['Status'] }) {
  const { t } = useTranslation('data');
  return (
    <Tooltip title={status.error || undefined}>
      <Tag color={status.error ? 'red' : 'green'}>{status.error ? t('failing') : t('fine')}</Tag>
      <span className="muted">{status.error}</span>
    </Tooltip>
  );
}

function DeadLetters({ sums }: { sums: Schemas['DeadLetterSum'][] }) {
  const { t } = useTranslation('data');
  if (sums.length === 0) return null;
  return (
    <Table
      size="small"
      rowKey={(d) => d.topic + d.error}
      pagination={false}
      dataSource={sums}
      scroll={{ x: 520 }}
      style={{ marginBottom: 16 }}
      columns={[
        { title: t('topic'), dataIndex: 'topic' },
        { title: t('reason'), dataIndex: 'error' },
        { title: t('number'), dataIndex: 'count', align: 'right', render: (n: number) => count(n) },
        { title: t('last'), dataIndex: 'last_at', render: (at: string) => time(at) },
      ]}
    />
  );
}

function Lost({ ranges }: { ranges: Schemas['LostRange'][] }) {
  const { t } = useTranslation('data');
  return (
    <Card size="small" title={t('lost')}>
      <Table
        size="small"
        rowKey={(l) => `${l.topic}/${l.topic_id}/${l.partition}/${l.offset_from}`}
        pagination={false}
        dataSource={ranges}
        columns={[
          { title: t('topic'), dataIndex: 'topic' },
          { title: <span title={t('topic_id_about')}>{t('topic_id')}</span>, dataIndex: 'topic_id', render: (id: string) => (id === '' ? dash : <code title={id}>{id.slice(0, 8)}</code>) },
          { title: t('partition'), dataIndex: 'partition', align: 'right' },
          { title: t('offsets'), render: (_, l) => `${l.offset_from} … ${l.offset_to}` },
          { title: t('at'), dataIndex: 'at', render: (at: string) => time(at) },
          { title: t('acknowledged'), render: (_, l) => (l.acknowledged ? l.acknowledged_by || t('yes') : <Tag color="red">{t('no')}</Tag>) },
        ]}
      />
    </Card>
  );
}
