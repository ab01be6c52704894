import { App, Flex, Modal, Radio, Skeleton, Tag, Typography } from 'antd';
import { useQueries } from '@tanstack/react-query';
import { useState } from 'react';

import { get, useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { count } from '../../ui/format';
import { useWhy } from '../../ui/states';
import { Trend } from '../../ui/tags';
import { type Row, useMerge } from './keep';
import { Status } from './Status';

// Merge asks which of several opinions stays and shows what comes together.
export function Merge({ rows, close, done }: { rows: Row[]; close: () => void; done: () => void }) {
  const { t } = useTranslation('opinions');
  const { message } = App.useApp();
  const why = useWhy();
  const merge = useMerge();
  const [stays, setStays] = useState(() => rows.toSorted((a, b) => b.mentions - a.mentions)[0].opinion_id);
  const into = rows.find((r) => r.opinion_id === stays) as Row;
  // Sessions that say several of them count once, so their number is asked for rather than added up.
  const together = useGet('/api/v1/sessions/counts', { query: { opinion: rows.map((r) => r.opinion_id) } }, { enabled: rows.length <= 50 });
  const details = useQueries({
    queries: rows.map((r) => ({ queryKey: ['/api/v1/opinions/{opinion_id}', { path: { opinion_id: r.opinion_id } }], queryFn: () => get('/api/v1/opinions/{opinion_id}', { path: { opinion_id: r.opinion_id } }), staleTime: 60_000 })),
  });
  const mentions = details.every((d) => d.data) ? details.reduce((n, d) => n + (d.data?.mentions ?? 0), 0) : null;
  const members = details.flatMap((d) => d.data?.members ?? []);
  const go = () =>
    merge.mutate(
      { into: stays, ids: rows.map((r) => r.opinion_id).filter((id) => id !== stays) },
      {
        onSuccess: (row) => {
          void message.success(t('merge_done', { title: row.title }));
          done();
        },
        onError: (error) => void message.error(why(error)),
      },
    );
  return (
    <Modal open width={680} title={t('merge_title', { n: rows.length })} onCancel={close} onOk={go} okText={t('merge_go')} confirmLoading={merge.isPending}>
      <Typography.Paragraph type="secondary">{t('merge_stays')}</Typography.Paragraph>
      <Radio.Group value={stays} onChange={(e) => setStays(e.target.value as string)} style={{ width: '100%', maxHeight: 260, overflowY: 'auto' }}>
        {rows.map((r) => (
          <Flex key={r.opinion_id} justify="space-between" align="center" gap={12} style={{ padding: '6px 0', borderTop: '1px solid #f3f4f7', fontSize: 14 }}>
            <Radio value={r.opinion_id}>{r.title}</Radio>
            <Flex gap={8} align="center" style={{ whiteSpace: 'nowrap' }}>
              <span className="muted">
                {t(`common:aspect.${r.aspect}`, { defaultValue: r.aspect })} · {t(`common:kind.${r.kind}`, { defaultValue: r.kind })}
              </span>
              <Trend value={r.trend} />
              <Status of={r} />
              <b className="num">{count(r.mentions)}</b>
            </Flex>
          </Flex>
        ))}
      </Radio.Group>
      <div className="preview" aria-label={t('merge_result')} role="group">
        <div className="muted">{t('merge_result')}</div>
        <Typography.Title level={5} style={{ margin: '4px 0 8px' }}>
          {into.title}
        </Typography.Title>
        <Flex gap={16}>
          <span>
            {t('mentions')} <b className="num">{count(mentions)}</b>
          </span>
          <span>
            {t('sessions')} <b className="num">{count(together.data?.sessions)}</b>
          </span>
          <span>{t('merge_members', { n: members.length })}</span>
        </Flex>
        {mentions === null ? (
          <Skeleton active title={false} paragraph={{ rows: 2 }} style={{ marginTop: 8 }} />
        ) : (
          <div style={{ marginTop: 8, maxHeight: 120, overflowY: 'auto' }}>
            {members.slice(0, 60).map((m) => (
              <Tag key={m} style={{ marginBottom: 4 }}>
                {m}
              </Tag>
            ))}
          </div>
        )}
      </div>
      <Typography.Text type="secondary">{t('merge_undo')}</Typography.Text>
    </Modal>
  );
}
