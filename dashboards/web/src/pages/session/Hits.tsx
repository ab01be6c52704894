import { CheckOutlined, CloseOutlined, ExperimentOutlined, FlagOutlined, LoadingOutlined, QuestionCircleOutlined, WarningOutlined } from '@ant-design/icons';
import { Button, Input, Tag, Tooltip } from 'antd';
import { useEffect, useRef, useState } from 'react';

import { useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { useTranslation } from '../../i18n';
import { clock, decimal, time } from '../../ui/format';
import { Loaded } from '../../ui/states';
import { Severity, useRuleName } from '../../ui/tags';
import { Explain } from './Explain';
import { reveal } from './reveal';
import { type Action, type Detail, isVoid, type Judged } from './review';
import { indexes, recording } from './spans';

export type Writing = { hit: string; action: 'dismiss' | 'appeal' | 'uphold' | 'overturn' } | null;

export interface HitsProps {
  detail: Detail;
  hits: Judged[];
  active: string | null;
  explained: string | null;
  writing: Writing;
  busy: boolean;
  onHit: (id: string) => void;
  onExplain: (id: string | null) => void;
  onWrite: (w: Writing) => void;
  onTurn: (seq: number) => void;
  onCase: (hit: Judged) => void;
  take: (action: Action) => Promise<boolean>;
}

// Hits are the findings of a session, the severest first, each with what may be done about it.
export function Hits(props: HitsProps) {
  return props.hits.map((h) => <HitView key={h.hit_id} hit={h} {...props} />);
}

const stateColor: Record<string, string> = { undecided: 'default', confirmed: 'green', dismissed: 'default', appealed: 'purple', upheld: 'geekblue', overturned: 'cyan' };

function HitView({ hit: h, detail, active, explained, writing, busy, onHit, onExplain, onWrite, onTurn, onCase, take }: HitsProps & { hit: Judged }) {
  const { t } = useTranslation('session');
  const ruleName = useRuleName();
  const me = useMe();
  const on = active === h.hit_id;
  const place = useRef<HTMLElement>(null);
  useEffect(() => {
    if (on) reveal(place.current, 'nearest');
  }, [on, explained]);
  const may = (action: string) => h.allowed.includes(action);
  const name = ruleName(h.rule_id, h.rule_name);
  // Until when it may be appealed matters to the agent, and to others while it may.
  const over = h.until !== null && Date.parse(h.until) <= Date.now();
  const appeal = h.until === null || (over && !is(me, 'agent')) ? '' : t(over ? 'appeal_over' : 'appeal_until', { at: time(h.until, 'MM-DD HH:mm') });
  const form = writing?.hit === h.hit_id ? writing : null;
  return (
    <section ref={place} className={`hit ${h.severity}${on ? ' on' : ''}${isVoid(h.state) ? ' void' : ''}`} aria-label={name} aria-current={on || undefined} aria-busy={h.saving} data-hit={h.hit_id}>
      <div className="hit-head" onClick={() => onHit(h.hit_id)}>
        <button type="button" className="hit-name">
          {name}
        </button>
        <Severity value={h.severity} />
        <Tag color={stateColor[h.state]} icon={h.saving ? <LoadingOutlined aria-hidden /> : undefined}>
          {t(`hit_state.${h.state}`)}
        </Tag>
        {h.conflict && (
          <Tooltip title={t('conflict_text', { who: h.by })}>
            <Tag color="orange" icon={<WarningOutlined aria-hidden />}>
              {t('in_conflict')}
            </Tag>
          </Tooltip>
        )}
        {h.points !== 0 && <span className="hit-points">{decimal(h.points)}</span>}
      </div>
      <div className="hit-reason">{h.reason}</div>
      <Quotes hit={h} detail={detail} onTurn={(seq) => (onHit(h.hit_id), onTurn(seq))} />
      <div className="muted" style={{ fontSize: 12 }}>
        {h.by && t('decided_by', { who: h.by, at: time(h.decidedAt, 'MM-DD HH:mm') })}
        {appeal && ` ${appeal}`}
        {h.state === 'appealed' && h.allowed.length === 0 && !is(me, 'agent') ? ` ${t('not_yours_to_judge')}` : ''}
      </div>
      <div className="hit-acts">
        {may('confirm') && (
          <Button size="small" type="primary" icon={<CheckOutlined aria-hidden />} disabled={busy} onClick={() => void take({ action: 'confirm', hit_id: h.hit_id })}>
            {t('act.confirm')}
          </Button>
        )}
        {may('dismiss') && (
          <Button size="small" icon={<CloseOutlined aria-hidden />} disabled={busy} onClick={() => onWrite({ hit: h.hit_id, action: 'dismiss' })}>
            {t('act.dismiss')}
          </Button>
        )}
        {may('appeal') && (
          <Button size="small" type="primary" icon={<FlagOutlined aria-hidden />} disabled={busy} onClick={() => onWrite({ hit: h.hit_id, action: 'appeal' })}>
            {t('act.appeal')}
          </Button>
        )}
        {may('uphold') && (
          <Button size="small" type="primary" disabled={busy} onClick={() => onWrite({ hit: h.hit_id, action: 'uphold' })}>
            {t('act.uphold')}
          </Button>
        )}
        {may('overturn') && (
          <Button size="small" disabled={busy} onClick={() => onWrite({ hit: h.hit_id, action: 'overturn' })}>
            {t('act.overturn')}
          </Button>
        )}
        <Button size="small" type="text" icon={<QuestionCircleOutlined aria-hidden />} aria-expanded={explained === h.hit_id} onClick={() => (onHit(h.hit_id), onExplain(explained === h.hit_id ? null : h.hit_id))}>
          {t('why')}
        </Button>
        {isVoid(h.state) && is(me, 'admin', 'supervisor') && (
          <Button size="small" type="link" icon={<ExperimentOutlined aria-hidden />} onClick={() => onCase(h)}>
            {t('make_case')}
          </Button>
        )}
      </div>
      {form && <NoteForm key={form.action} action={form.action} busy={busy} close={() => onWrite(null)} take={(note) => take({ action: form.action, hit_id: h.hit_id, ...(note ? { note } : {}) })} />}
      {explained === h.hit_id && <Explained session={detail.session.session_id} rule={h.rule_id} onTurn={onTurn} />}
    </section>
  );
}

// Quotes are the places a hit rests on, in their words, with the place in the recording.
function Quotes({ hit, detail, onTurn }: { hit: Judged; detail: Detail; onTurn: (seq: number) => void }) {
  const { t } = useTranslation('session');
  if (hit.evidence.length === 0) return null;
  const turns = new Map(detail.turns.map((x) => [x.seq, x]));
  return (
    <div className="hit-quotes">
      {hit.evidence.slice(0, 6).map((e) => {
        const turn = turns.get(e.seq);
        if (!turn) return null;
        const at = indexes(turn.text, [e.start, e.end]);
        const words = turn.text.slice(at.get(e.start), at.get(e.end));
        const sound = turn.start_ms === null ? undefined : recording(detail.session.media_url, turn.start_ms);
        return (
          <span key={`${e.seq}-${e.start}-${e.end}`}>
            <button type="button" onClick={() => onTurn(e.seq)}>
              {t('turn_n', { n: e.seq })}「{words.length > 60 ? `${words.slice(0, 60)}…` : words || t('no_text')}」
            </button>
            {sound && (
              <a href={sound} target="_blank" rel="noreferrer" className="num" aria-label={t('listen_at', { at: clock(turn.start_ms as number) })}>
                {' '}
                ▶ {clock(turn.start_ms as number)}
              </a>
            )}
          </span>
        );
      })}
      {hit.evidence.length > 6 && <span className="muted">{t('n_more', { n: hit.evidence.length - 6 })}</span>}
    </div>
  );
}

function Explained({ session, rule, onTurn }: { session: string; rule: string; onTurn: (seq: number) => void }) {
  const x = useGet('/api/v1/sessions/{session_id}/explain', { path: { session_id: session }, query: { rule } }, { staleTime: 600_000 });
  return (
    <Loaded query={x} rows={3}>
      {(data) => <Explain explanation={data} onTurn={onTurn} />}
    </Loaded>
  );
}

const reasons = ['context', 'too_wide', 'asr', 'customer', 'exception'];

// NoteForm takes the words to an action: of an appeal they are needed.
function NoteForm({ action, busy, close, take }: { action: NonNullable<Writing>['action']; busy: boolean; close: () => void; take: (note: string) => Promise<boolean> }) {
  const { t } = useTranslation('session');
  const [note, setNote] = useState('');
  const needed = action === 'appeal';
  const send = async () => {
    if (busy || (needed && note.trim() === '')) return;
    if (await take(note.trim())) close();
  };
  return (
    <div className="hit-form">
      {action === 'dismiss' && (
        <div style={{ display: 'flex', flexWrap: 'wrap', gap: 4 }}>
          {reasons.map((r) => (
            <Button key={r} size="small" onClick={() => setNote((n) => (n ? `${n}；${t(`reason.${r}`)}` : t(`reason.${r}`)))}>
              {t(`reason.${r}`)}
            </Button>
          ))}
        </div>
      )}
      <Input.TextArea
        autoFocus
        autoSize={{ minRows: 2, maxRows: 6 }}
        maxLength={1300}
        value={note}
        aria-label={t(needed ? 'appeal_reason' : 'note')}
        placeholder={t(needed ? 'appeal_reason_hint' : 'note_hint')}
        onChange={(e) => setNote(e.target.value)}
        onKeyDown={(e) => {
          if (e.key === 'Escape') close();
          if (e.key === 'Enter' && !e.shiftKey && !e.nativeEvent.isComposing) {
            e.preventDefault();
            void send();
          }
        }}
      />
      <div style={{ display: 'flex', gap: 8, alignItems: 'center' }}>
        <Button size="small" type="primary" loading={busy} disabled={needed && note.trim() === ''} onClick={() => void send()}>
          {t(`do.${action}`)}
        </Button>
        <Button size="small" onClick={close}>
          {t('cancel')}
        </Button>
        <span className="muted" style={{ fontSize: 12 }}>
          {t('enter_sends')}
        </span>
      </div>
    </div>
  );
}
