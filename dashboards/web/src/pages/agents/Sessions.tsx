import { Card, Table } from 'antd';
import { Link } from 'react-router';

import { type ItemOf, useList } from '../../api/list';
import { useTranslation } from '../../i18n';
import { type Filters } from '../../ui/filters';
import { time } from '../../ui/format';
import { sessionsLink, turnLink } from '../../ui/links';
import { Failed, Nothing } from '../../ui/states';
import { Emotion, Score, Severity } from '../../ui/tags';

type Row = ItemOf<'/api/v1/sessions'>;

// Sessions are the latest sessions of an agent.
export function Sessions({ agent, filters }: { agent: string; filters: Filters }) {
  const { t } = useTranslation('agents');
  const { profile: _, ...plain } = filters;
  const query = { ...plain, agent: [agent] };
  const list = useList('/api/v1/sessions', { query: { ...query, sort: 'newest' } }, { limit: 10 });
  return (
    <Card size="small" style={{ marginTop: 16 }} title={t('sessions_title')} extra={<Link to={sessionsLink({ ...query, sort: 'newest' })}>{`${t('sessions_all')}${list.total === undefined ? '' : ` (${list.total})`}`}</Link>}>
      {list.error && !list.items ? (
        <Failed error={list.error} retry={() => void list.refetch()} />
      ) : (
        <Table<Row>
          size="small"
          rowKey="session_id"
          loading={list.isPending}
          dataSource={list.items ?? []}
          pagination={false}
          scroll={{ x: 'max-content' }}
          locale={{ emptyText: <Nothing text={t('sessions_none')} /> }}
          columns={[
            {
              title: t('session'),
              render: (_, s) => (
                <Link className="num" to={turnLink(s.session_id)}>
                  {s.session_id}
                </Link>
              ),
            },
            { title: t('started'), className: 'num', render: (_, s) => time(s.started_at) },
            { title: t('shop'), dataIndex: 'shop' },
            { title: t('summary'), render: (_, s) => <span style={{ display: 'inline-block', maxWidth: 360, overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' }}>{s.text}</span> },
            { title: t('severity'), render: (_, s) => <Severity value={s.severity} /> },
            { title: t('emotion'), render: (_, s) => <Emotion value={s.emotion_end} /> },
            { title: t('score'), align: 'right', render: (_, s) => <Score value={s.final_score} was={s.score} /> },
          ]}
        />
      )}
    </Card>
  );
}
