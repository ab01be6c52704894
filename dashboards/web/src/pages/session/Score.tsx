import { Button, InputNumber, Tag, Typography } from 'antd';
import { useState } from 'react';

import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { useTranslation } from '../../i18n';
import { dash, decimal, time } from '../../ui/format';
import { Emotion, Score as ScoreNumber, useRuleName } from '../../ui/tags';
import { type Action, type Detail, isVoid, type Judged, type Review } from './review';
import { useSay } from './say';

// Stand is where the session stands in four figures.
export function Stand({ detail }: { detail: Detail }) {
  const { t } = useTranslation('session');
  const { session: s, flagged_by } = detail;
  const say = useSay();
  return (
    <>
      <div className="stand">
        <div>
          <span>{t('machine_score')}</span>
          <ScoreNumber value={s.score} />
        </div>
        <div>
          <span>{t('final_score')}</span>
          <ScoreNumber value={s.final_score} was={s.score} />
        </div>
        <div>
          <span>{t('experience')}</span>
          <b className={`score num ${s.experience < -0.3 ? 'bad' : s.experience > 0.3 ? 'good' : ''}`}>{decimal(s.experience, 2)}</b>
        </div>
        <div>
          <span>{t('emotion_way')}</span>
          <span style={{ fontSize: 14, color: 'inherit' }}>
            {s.emotion_start || s.emotion_end ? (
              <>
                <Emotion value={s.emotion_start} /> → <Emotion value={s.emotion_end} />
              </>
            ) : (
              dash
            )}
          </span>
        </div>
      </div>
      {s.state === 'open' && <Typography.Paragraph type="secondary">{t('provisional')}</Typography.Paragraph>}
      {s.flagged && flagged_by?.length > 0 && (
        <Typography.Paragraph type="secondary" style={{ marginBottom: 10 }}>
          {t('flagged_by', { why: flagged_by.map(say).join(t('list_comma')) })}
        </Typography.Paragraph>
      )}
    </>
  );
}

// Lines is the way from 100 to the score, with what reviewers took back.
export function Lines({ detail, hits, onHit, onTurn }: { detail: Detail; hits: Judged[]; onHit: (id: string) => void; onTurn: (seq: number) => void }) {
  const { t } = useTranslation('session');
  const ruleName = useRuleName();
  const say = useSay();
  const { session: s, trail } = detail;
  const byID = new Map(hits.map((h) => [h.hit_id, h]));
  if (s.score === null) return <Typography.Paragraph type="secondary">{t('no_score')}</Typography.Paragraph>;
  return (
    <table className="lines">
      <tbody>
        {trail.map((l, i) => {
          const hit = l.hit_id ? byID.get(l.hit_id) : undefined;
          const gone = hit !== undefined && isVoid(hit.state);
          return (
            <tr key={i} className={gone ? 'void' : undefined}>
              <td>
                {l.rule_id ? (
                  <button type="button" className="link" onClick={() => l.hit_id && onHit(l.hit_id)}>
                    {ruleName(l.rule_id, l.rule_name)}
                  </button>
                ) : null}{' '}
                {l.note && say(l.note)}
                {hit && <div className="muted">{hit.reason}</div>}
                {l.seqs?.map((seq) => (
                  <button key={seq} type="button" className="link" style={{ marginInlineEnd: 8, fontSize: 12 }} onClick={() => onTurn(seq)}>
                    {t('turn_n', { n: seq })}
                  </button>
                ))}
                {gone && <span style={{ fontSize: 12 }}> {t(`hit_state.${hit.state}`)}</span>}
              </td>
              <td className="n">{l.points > 0 && i > 0 ? `+${decimal(l.points)}` : decimal(l.points)}</td>
              <td className="n muted">{decimal(l.total)}</td>
            </tr>
          );
        })}
        <tr className="sum">
          <td>{t('machine_score')}</td>
          <td />
          <td className="n">
            <ScoreNumber value={s.score} />
          </td>
        </tr>
        <tr className="sum">
          <td>
            {t('final_score')} <span className="muted">{t('final_score_is')}</span>
          </td>
          <td />
          <td className="n">
            <ScoreNumber value={s.final_score} />
          </td>
        </tr>
      </tbody>
    </table>
  );
}

// Cards are the scorecards, with the items that people score.
export function Cards({ detail, review, take, busy }: { detail: Detail; review: Review | undefined; take: (a: Action) => Promise<boolean>; busy: boolean }) {
  const { t } = useTranslation('session');
  const ruleName = useRuleName();
  if (detail.scorecards.length === 0 && detail.scorecard_items.length === 0) return null;
  const human = new Map(review?.items.map((i) => [i.item, i]));
  return detail.scorecards.map((card) => (
    <section key={card.scorecard} style={{ marginTop: 16 }}>
      <Typography.Title level={5} style={{ margin: '0 0 6px' }}>
        {card.name || card.scorecard} <ScoreNumber value={card.final_score} was={card.score} />
        {card.unscored > 0 && (
          <Tag color="gold" style={{ marginInlineStart: 8 }}>
            {t('unscored', { n: card.unscored })}
          </Tag>
        )}
      </Typography.Title>
      <table className="lines">
        <tbody>
          {detail.scorecard_items
            .filter((i) => i.scorecard === card.scorecard)
            .map((i) => {
              const mine = human.get(`${i.scorecard}.${i.item}`);
              return (
                <tr key={i.item}>
                  <td>
                    {ruleName(i.item)} {i.human && <Tag>{t('by_people')}</Tag>}
                    {mine?.by && <div className="muted">{t('scored_by', { who: mine.by, at: time(mine.at, 'MM-DD HH:mm') })}</div>}
                    {mine?.conflict && <Tag color="orange">{t('in_conflict')}</Tag>}
                  </td>
                  <td className="n">{i.human && mine ? <Points key={String(mine.points)} item={mine} busy={busy} take={take} /> : i.outcome === 'na' ? <span className="muted">{t('outcome.na')}</span> : `${decimal(i.final_points ?? i.points)} / ${decimal(i.max)}`}</td>
                </tr>
              );
            })}
        </tbody>
      </table>
    </section>
  ));
}

function Points({ item, busy, take }: { item: Review['items'][number]; busy: boolean; take: (a: Action) => Promise<boolean> }) {
  const { t } = useTranslation('session');
  const me = useMe();
  const [points, setPoints] = useState<number | null>(item.points);
  if (!is(me, 'admin', 'supervisor')) return `${decimal(item.points)} / ${decimal(item.max)}`;
  return (
    <span style={{ display: 'inline-flex', gap: 6, alignItems: 'center' }}>
      <InputNumber size="small" min={0} max={item.max} value={points} onChange={setPoints} aria-label={t('points_of', { item: item.item })} style={{ width: 72 }} />/ {decimal(item.max)}
      <Button size="small" disabled={busy || points === item.points} onClick={() => void take({ action: 'score', item: item.item, points })}>
        {t('save')}
      </Button>
    </span>
  );
}
