import { Button, Input, Tag } from 'antd';
import { useState } from 'react';

import { useTranslation } from '../../i18n';
import { decimal, time } from '../../ui/format';
import { useRuleName } from '../../ui/tags';
import type { Action, Judged, Review } from './review';

// Trail is who did what when, newest first, and a place to remark.
export function Trail({ review, hits, take, busy, onHit }: { review: Review; hits: Judged[]; take: (a: Action) => Promise<boolean>; busy: boolean; onHit: (id: string) => void }) {
  const { t } = useTranslation('session');
  const ruleName = useRuleName();
  const [note, setNote] = useState('');
  const byID = new Map(hits.map((h) => [h.hit_id, h]));
  const send = async () => {
    if (note.trim() && (await take({ action: 'note', note: note.trim() }))) setNote('');
  };
  return (
    <>
      <Input.TextArea autoSize={{ minRows: 2, maxRows: 8 }} maxLength={1300} value={note} onChange={(e) => setNote(e.target.value)} aria-label={t('comment')} placeholder={t('comment_hint')} />
      <Button size="small" style={{ margin: '8px 0 12px' }} disabled={note.trim() === '' || busy} onClick={() => void send()}>
        {t('comment_send')}
      </Button>
      {review.trail.length === 0 && <div className="muted">{t('no_trail')}</div>}
      <ol style={{ listStyle: 'none', margin: 0, padding: 0 }} aria-label={t('trail')}>
        {review.trail.toReversed().map((e) => {
          const hit = e.hit_id ? byID.get(e.hit_id) : undefined;
          return (
            <li key={e.event_id} className="trail-line">
              <div style={{ display: 'flex', flexWrap: 'wrap', gap: 6, alignItems: 'center' }}>
                <b>{e.actor}</b>
                <span>{t(`action.${e.action}`)}</span>
                {e.hit_id && (
                  <button type="button" className="link" onClick={() => onHit(e.hit_id as string)}>
                    {hit ? ruleName(hit.rule_id, hit.rule_name) : t('hit_gone')}
                  </button>
                )}
                {e.action === 'assign' && <b>{e.assignee || t('nobody')}</b>}
                {e.item && `${e.item} ${decimal(e.points)}`}
                {e.final && <Tag>{t('for_good')}</Tag>}
                {e.conflict && <Tag color="orange">{t('in_conflict')}</Tag>}
                {!e.effective && <Tag>{t('no_effect')}</Tag>}
                <time className="muted num" style={{ marginInlineStart: 'auto', fontSize: 12 }}>
                  {time(e.at, 'MM-DD HH:mm:ss')}
                </time>
              </div>
              {e.note && <blockquote>{e.note}</blockquote>}
            </li>
          );
        })}
      </ol>
    </>
  );
}
