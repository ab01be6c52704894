// Why a rule says what it says of a session: every condition with its value, and what was searched for what is absent.
import { CheckCircleFilled, CloseCircleOutlined, MinusCircleOutlined } from '@ant-design/icons';
import { Alert, Tag, Typography } from 'antd';

import type { Schemas } from '../../api/client';
import { useTranslation } from '../../i18n';
import { useSay } from './say';

type Step = Schemas['Step'];
export type Explanation = Schemas['Explanation'] | Schemas['SessionExplanation'];

// searchedTurns are the turns that a rule looked at without finding what it expects; none where it found something.
export function searchedTurns(x: Explanation): Set<number> {
  const turns = new Set<number>();
  for (const c of x.conditions) if (c.truth !== 'yes') for (const r of c.searched ?? []) for (let s = r.from; s <= r.to && turns.size < 2000; s++) turns.add(s);
  return turns;
}

export function Explain({ explanation: x, onTurn }: { explanation: Explanation; onTurn?: (seq: number) => void }) {
  const { t } = useTranslation('session');
  const say = useSay();
  const old = 'same_rules' in x && !x.same_rules;
  return (
    <div className="explain">
      <div>
        <b>{t('why_outcome', { outcome: t(`outcome.${x.outcome}`, { defaultValue: x.outcome }) })}</b> {say(x.summary)}
      </div>
      {old && <Alert type="info" showIcon style={{ margin: '6px 0' }} title={t('other_rules', { stored: (x as Schemas['SessionExplanation']).stored_version, now: (x as Schemas['SessionExplanation']).in_use_version })} />}
      {x.applies?.map((a) => (
        <div key={a.field}>
          <Truth value={a.holds ? 'yes' : 'no'} /> {t('applies_to', { field: t(a.field), want: a.want.join('、'), got: a.got || t('none') })}
        </div>
      ))}
      {x.conditions.map((c, i) => (
        <StepView key={i} step={c} depth={0} onTurn={onTurn} />
      ))}
      {x.trigger_hits?.map((h, i) => (
        <div key={i} className={`explain-step ${h.became === 'broken' ? 'na' : h.became === 'met' ? 'yes' : ''}`}>
          <header>
            <Tag color={h.became === 'broken' ? 'volcano' : h.became === 'met' ? 'green' : 'default'}>{t(`became.${h.became}`, { defaultValue: h.became })}</Tag>
            <Place seq={h.turn} text={h.text} onTurn={onTurn} />
            {h.why && <span className="muted">{say(h.why)}</span>}
          </header>
          {h.steps?.map((s, j) => (
            <StepView key={j} step={s} depth={1} onTurn={onTurn} />
          ))}
        </div>
      ))}
      {x.more_trigger_hits ? <div className="muted">{t('n_more', { n: x.more_trigger_hits })}</div> : null}
    </div>
  );
}

function Truth({ value }: { value: string }) {
  const { t } = useTranslation('session');
  const label = t(`truth.${value}`, { defaultValue: value });
  if (value === 'yes') return <CheckCircleFilled style={{ color: '#52c41a' }} aria-label={label} />;
  if (value === 'no') return <CloseCircleOutlined style={{ color: '#8c8c8c' }} aria-label={label} />;
  return <MinusCircleOutlined style={{ color: '#faad14' }} aria-label={label} />;
}

function Place({ seq, text, onTurn }: { seq: number; text: string; onTurn?: (seq: number) => void }) {
  const { t } = useTranslation('session');
  const label = `${t('turn_n', { n: seq })}「${text.length > 40 ? `${text.slice(0, 40)}…` : text}」`;
  return onTurn ? (
    <button type="button" className="link" onClick={() => onTurn(seq)}>
      {label}
    </button>
  ) : (
    <span>{label}</span>
  );
}

// ranges joins runs of turns that follow each other or leave out only turns of the other side.
function turnsOf(step: Step): string {
  const all = (step.searched ?? []).map((r) => (r.from === r.to ? `${r.from}` : `${r.from}–${r.to}`));
  return all.length > 12 ? `${all.slice(0, 10).join('、')} … ${all.at(-1)}` : all.join('、');
}

function StepView({ step, depth, onTurn }: { step: Step; depth: number; onTurn?: (seq: number) => void }) {
  const { t } = useTranslation('session');
  const say = useSay();
  const kids = step.steps ?? [];
  // Of a condition that holds, the parts that hold are the reason; the rest folds away, as does what does not hold deep down.
  const shown = step.truth === 'yes' ? kids.filter((k) => k.truth === 'yes') : depth >= 2 ? [] : kids;
  const folded = kids.filter((k) => !shown.includes(k));
  const searched = turnsOf(step);
  return (
    <div className={`explain-step ${step.truth}`}>
      <header>
        <Truth value={step.truth} />
        <span>
          {t(`as.${step.as}`, { defaultValue: step.as })}
          {step.operator ? `：${t(`op.${step.operator}`, { defaultValue: step.operator })}` : ''}
        </span>
        {step.part && <Place seq={step.part.turn} text={step.part.text} onTurn={onTurn} />}
        {step.value && <span className="muted">{say(step.value)}</span>}
        {step.why && <span className="muted">{say(step.why)}</span>}
      </header>
      {depth === 0 && searched && (
        <div className="muted">
          {t('searched', { turns: searched })}
          {step.growing ? ` · ${t('growing')}` : ''}
        </div>
      )}
      {(step.evidence?.length ?? 0) > 0 && !step.part && kids.length === 0 && (
        <div>
          {unique(step.evidence ?? []).map((q) => (
            <div key={`${q.turn}-${q.start}-${q.end}`}>
              <Place seq={q.turn} text={q.text} onTurn={onTurn} />
            </div>
          ))}
          {step.more_evidence ? <span className="muted">{t('n_more', { n: step.more_evidence })}</span> : null}
        </div>
      )}
      {step.lists?.map((l) => (
        <div key={l.name} className="explain-words">
          <b>{l.name}</b> {l.words.slice(0, 12).join('、')}
          {l.total > 12 ? ` … ${t('words_in_all', { n: l.total })}` : ''}
        </div>
      ))}
      {shown.map((s, i) => (
        <StepView key={i} step={s} depth={depth + 1} onTurn={onTurn} />
      ))}
      {(folded.length > 0 || (step.yaml && depth < 2)) && (
        <details>
          <summary className="muted">{folded.length > 0 ? t('parts_folded', { n: folded.length }) : t('as_written')}</summary>
          {step.yaml && depth < 2 && (
            <Typography.Text>
              <pre>{step.yaml}</pre>
            </Typography.Text>
          )}
          {folded.map((s, i) => (
            <StepView key={i} step={s} depth={depth + 1} onTurn={onTurn} />
          ))}
        </details>
      )}
      {step.more_parts ? <div className="muted">{t('parts_more', { n: step.more_parts })}</div> : null}
    </div>
  );
}

function unique(quotes: Schemas['Quote'][]): Schemas['Quote'][] {
  return [...new Map(quotes.map((q) => [`${q.turn}-${q.start}-${q.end}`, q])).values()];
}
