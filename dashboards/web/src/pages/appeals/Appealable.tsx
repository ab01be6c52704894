import { App, Button, Input, Modal, Tag, Typography } from 'antd';
import { useState } from 'react';
import { Link } from 'react-router';

import { api, type Schemas, useAct, useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { decimal, time } from '../../ui/format';
import { Loaded, Nothing, useWhy } from '../../ui/states';
import { Severity, useRuleName } from '../../ui/tags';
import { hitAddress } from './AppealList';

type Row = Schemas['Appealable'];

// Appealable are the agent's own hits that may be appealed against, with until when.
export function Appealable() {
  const { t } = useTranslation('appeals');
  const ruleName = useRuleName();
  const hits = useGet('/api/v1/reviews/appealable');
  const [appealing, setAppealing] = useState<Row | null>(null);
  return (
    <>
      <Loaded query={hits}>
        {(data) =>
          data.items?.length ? (
            data.items.map((h) => (
              <article key={`${h.session_id} ${h.hit_id}`} className="appeal" aria-label={`${ruleName(h.rule_id)} ${h.session_id}`}>
                <div>
                  <div className="appeal-head">
                    <b>{ruleName(h.rule_id)}</b>
                    <Severity value={h.severity} />
                    {h.points !== 0 && <span className="num">{decimal(h.points)}</span>}
                    <Tag>{t(`state.${h.state}`)}</Tag>
                    <span className="muted num">{[h.session_id, h.day].filter(Boolean).join(' · ')}</span>
                  </div>
                  <div className="found">{h.found}</div>
                  {h.appeal_until && (
                    <div className="muted num">
                      {t('until', { at: time(h.appeal_until) })} · <Left until={h.appeal_until} />
                    </div>
                  )}
                </div>
                <div className="appeal-side">
                  <Link to={hitAddress(h.session_id, h.hit_id)}>{t('look')}</Link>
                  <Button onClick={() => setAppealing(h)}>{t('appeal')}</Button>
                </div>
              </article>
            ))
          ) : (
            <Nothing text={t('empty_mine')} />
          )
        }
      </Loaded>
      {appealing && <Appealing hit={appealing} close={() => setAppealing(null)} />}
    </>
  );
}

function Left({ until }: { until: string }) {
  const { t } = useTranslation('appeals');
  const hours = Math.max(0, Math.floor((Date.parse(until) - Date.now()) / 3_600_000));
  return hours < 48 ? <b style={{ color: '#d4380d' }}>{t('left_hours', { n: hours })}</b> : t('left_days', { n: Math.floor(hours / 24) });
}

function Appealing({ hit, close }: { hit: Row; close: () => void }) {
  const { t } = useTranslation('appeals');
  const { message, notification } = App.useApp();
  const why = useWhy();
  const ruleName = useRuleName();
  const [reason, setReason] = useState('');
  const act = useAct(
    async () => {
      await api.POST('/api/v1/sessions/{session_id}/review', {
        params: { path: { session_id: hit.session_id } },
        body: { action: 'appeal', hit_id: hit.hit_id, note: reason.trim(), ...(hit.last_event ? { seen: hit.last_event } : {}) } as Schemas['ReviewAction'],
      });
    },
    ['/api/v1/sessions', '/api/v1/reviews'],
  );
  const go = () =>
    act.mutate(undefined, {
      onSuccess: () => {
        void message.success(t('appealed'));
        close();
      },
      onError: (error) => notification.error({ title: t('failed'), description: why(error) }),
    });
  return (
    <Modal open title={t('appeal_title', { rule: ruleName(hit.rule_id) })} onCancel={close} onOk={go} okText={t('appeal')} cancelText={t('cancel')} okButtonProps={{ disabled: reason.trim() === '', loading: act.isPending }}>
      <Typography.Paragraph>{hit.found}</Typography.Paragraph>
      <Input.TextArea autoFocus aria-label={t('reason')} placeholder={t('reason_hint')} autoSize={{ minRows: 3, maxRows: 8 }} maxLength={1300} value={reason} onChange={(e) => setReason(e.target.value)} />
    </Modal>
  );
}
