import { Button, Card, Grid, Table } from 'antd';
import { Link } from 'react-router';

import { useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { type Filters } from '../../ui/filters';
import { count } from '../../ui/format';
import { sessionsLink, turnLink } from '../../ui/links';
import { Loaded, Nothing } from '../../ui/states';
import { Decision, Severity, useRuleName } from '../../ui/tags';

// Broken are the rules that an agent breaks most often, each with its latest hits.
export function Broken({ agent, filters, mark }: { agent: string; filters: Filters; mark: (rule: string) => void }) {
  const { t } = useTranslation('agents');
  const ruleName = useRuleName();
  const wide = Grid.useBreakpoint().md;
  const { profile: _, ...plain } = filters;
  const query = { ...plain, agent: [agent] };
  const broken = useGet('/api/v1/kpi/broken', { query });
  return (
    <Card size="small" title={t('broken_title')}>
      <Loaded query={broken}>
        {(data) =>
          data.items.length === 0 ? (
            <Nothing text={t('broken_none')} />
          ) : (
            <Table
              size="small"
              rowKey="rule_id"
              dataSource={data.items}
              pagination={data.items.length > 6 ? { pageSize: 6, showSizeChanger: false, size: 'small' } : false}
              scroll={wide ? undefined : { x: 640 }}
              columns={[
                {
                  title: t('rule'),
                  render: (_, b) => (
                    <>
                      <Severity value={b.severity} />
                      {ruleName(b.rule_id)}
                      <div>
                        <Button type="link" size="small" style={{ padding: 0 }} onClick={() => mark(b.rule_id)}>
                          {t('broken_mark')}
                        </Button>
                      </div>
                    </>
                  ),
                },
                {
                  title: t('broken_hits'),
                  width: 76,
                  align: 'right',
                  className: 'num',
                  render: (_, b) => (
                    <Link to={sessionsLink({ ...query, rule: [b.rule_id], state: 'closed' })} aria-label={`${ruleName(b.rule_id)} ${count(b.hits)}`}>
                      {count(b.hits)}
                    </Link>
                  ),
                },
                { title: t('broken_dismissed'), width: 88, align: 'right', className: 'num', dataIndex: 'dismissed', render: (n: number) => count(n) },
                {
                  title: t('broken_examples'),
                  render: (_, b) => (
                    <ul className="examples">
                      {b.latest.map((x) => (
                        <li key={x.hit_id}>
                          <Link to={turnLink(x.session_id, x.evidence_seqs[0])}>{x.reason || x.session_id}</Link> <span className="muted num">{x.day}</span> <Decision value={x.decision} />
                        </li>
                      ))}
                    </ul>
                  ),
                },
              ]}
            />
          )
        }
      </Loaded>
    </Card>
  );
}
