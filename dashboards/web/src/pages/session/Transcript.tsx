import { ClockCircleOutlined, PlayCircleOutlined } from '@ant-design/icons';
import { Tag, Tooltip } from 'antd';
import { memo, useMemo } from 'react';
import { Link } from 'react-router';

import { useTranslation } from '../../i18n';
import { clock, duration, time } from '../../ui/format';
import { Emotion, severityColor, useRuleName } from '../../ui/tags';
import type { Detail, Judged } from './review';
import { isVoid } from './review';
import { masked, pieces, recording, type Span, toIndexes } from './spans';

type Turn = Detail['turns'][number];
type Mention = Detail['mentions'][number];

const ranks = ['info', 'minor', 'major', 'critical'];

// Slow is a wait of the customer that stands out, in milliseconds: the three minutes of the figures, half a minute on calls.
const slow = { chat: 180_000, call: 30_000 };
// A silence is told from here on.
const silence = { chat: 120_000, call: 3_000 };

export interface TranscriptProps {
  detail: Detail;
  hits: Judged[];
  active: string | null;
  // searched are turns in which the active rule looked for something that is not there.
  searched: Set<number>;
  there: number | null;
  onHit: (id: string) => void;
}

// Transcript is the conversation, customers on the left, agents on the right.
export function Transcript({ detail, hits, active, searched, there, onHit }: TranscriptProps) {
  const { t } = useTranslation('session');
  const { turns, mentions, session } = detail;
  const call = turns.some((x) => x.start_ms !== null);
  const kind = call ? 'call' : 'chat';
  const names = useMemo(() => new Map(detail.agents.map((a) => [a.agent_id, a.name])), [detail.agents]);
  const titles = useMemo(() => new Map(detail.opinions.map((o) => [o.opinion_id, o.title])), [detail.opinions]);
  const evidence = useMemo(() => {
    const by = new Map<number, Span<Judged>[]>();
    for (const h of hits) for (const e of h.evidence) by.set(e.seq, [...(by.get(e.seq) ?? []), { start: e.start, end: e.end, what: h }]);
    return by;
  }, [hits]);
  const said = useMemo(() => {
    const by = new Map<number, Mention[]>();
    for (const m of mentions) by.set(m.seq, [...(by.get(m.seq) ?? []), m]);
    return by;
  }, [mentions]);
  const replies = useMemo(() => new Map(detail.rounds.filter((r) => r.reply_seq !== null).map((r) => [r.reply_seq as number, r])), [detail.rounds]);
  const unanswered = useMemo(() => new Set(detail.rounds.filter((r) => r.reply_seq === null).map((r) => r.seq)), [detail.rounds]);

  return (
    <div role="log" aria-label={t('transcript')} aria-live={session.state === 'open' ? 'polite' : 'off'}>
      {turns.map((turn, i) => {
        const reply = replies.get(turn.seq);
        const gap = reply ? null : between(turns[i - 1], turn);
        return (
          <div key={turn.seq}>
            {reply && reply.reply_ms !== null && (
              <div className={`between num ${reply.reply_ms > slow[kind] ? 'slow' : ''}`}>
                <ClockCircleOutlined /> {t('replied_after', { d: duration(reply.reply_ms) })}
              </div>
            )}
            {gap !== null && gap >= silence[kind] && <div className="between num">{t('silence_of', { d: duration(gap) })}</div>}
            <TurnView
              turn={turn}
              name={turn.role === 'agent' ? names.get(turn.agent_id) || session.agent_name || turn.agent_id : ''}
              media={session.media_url}
              evidence={evidence.get(turn.seq)}
              mentions={said.get(turn.seq)}
              titles={titles}
              active={active}
              searched={searched.has(turn.seq)}
              there={there === turn.seq}
              open={unanswered.has(turn.seq) && session.state === 'closed'}
              onHit={onHit}
            />
          </div>
        );
      })}
    </div>
  );
}

// between is the silence before a turn in milliseconds, null where times are missing.
function between(before: Turn | undefined, turn: Turn): number | null {
  if (!before) return null;
  if (turn.start_ms !== null && (before.end_ms ?? before.start_ms) !== null) return turn.start_ms - ((before.end_ms ?? before.start_ms) as number);
  if (turn.at && before.at) return Date.parse(turn.at) - Date.parse(before.at);
  return null;
}

interface TurnViewProps {
  turn: Turn;
  name: string;
  media: string;
  evidence?: Span<Judged>[];
  mentions?: Mention[];
  titles: Map<string, string>;
  active: string | null;
  searched: boolean;
  there: boolean;
  open: boolean;
  onHit: (id: string) => void;
}

const TurnView = memo(function TurnView({ turn, name, media, evidence, mentions, titles, active, searched, there, open, onHit }: TurnViewProps) {
  const { t } = useTranslation('session');
  const ruleName = useRuleName();
  const place = turn.start_ms !== null ? recording(media, turn.start_ms) : undefined;
  const when = turn.start_ms !== null ? clock(turn.start_ms) : turn.at ? time(turn.at, 'HH:mm:ss') : '';
  const hits = [...new Map(evidence?.map((e) => [e.what.hit_id, e.what])).values()];
  return (
    <div id={`turn-${turn.seq}`} className={`turn ${turn.role}${searched ? ' searched' : ''}${there ? ' there' : ''}`}>
      <div className="turn-head">
        <span>
          {turn.seq} {t(`role.${turn.role}`)}
          {name ? ` ${name}` : ''}
        </span>
        {place ? (
          <a href={place} target="_blank" rel="noreferrer" aria-label={t('listen_at', { at: when })} className="num">
            <PlayCircleOutlined /> {when}
          </a>
        ) : (
          <time className="num" title={turn.at ? time(turn.at, 'YYYY-MM-DD HH:mm:ss') : undefined}>
            {when}
          </time>
        )}
        {turn.role === 'customer' || turn.role === 'agent' ? turn.emotion !== 'neutral' && <Emotion value={turn.emotion} /> : null}
        {turn.auto && <span>{t('auto')}</span>}
        {turn.confidence !== null && turn.confidence < 0.7 && <Tooltip title={t('confidence', { p: Math.round(turn.confidence * 100) })}>{t('unsure')}</Tooltip>}
        {open && <span style={{ color: '#d4380d' }}>{t('no_reply')}</span>}
      </div>
      <div className="bubble">{turn.text === '' ? <span className="muted">{t('no_text')}</span> : <Marked text={turn.text} evidence={evidence ?? []} active={active} onHit={onHit} />}</div>
      {(hits.length > 0 || (mentions?.length ?? 0) > 0) && (
        <div className="turn-tags">
          {hits.map((h) => (
            <button key={h.hit_id} type="button" onClick={() => onHit(h.hit_id)}>
              <Tag color={isVoid(h.state) ? 'default' : severityColor[h.severity]} variant={h.hit_id === active ? 'solid' : 'filled'}>
                {ruleName(h.rule_id, h.rule_name)}
              </Tag>
            </button>
          ))}
          {mentions?.map((m) => (
            <MentionTag key={m.mention_id} mention={m} title={titles.get(m.opinion_id)} />
          ))}
        </div>
      )}
    </div>
  );
});

function MentionTag({ mention: m, title }: { mention: Mention; title?: string }) {
  const { t } = useTranslation('session');
  const text = `${t(`kind.${m.kind}`, { defaultValue: m.kind })} · ${t(`aspect.${m.aspect}`, { defaultValue: m.aspect })}`;
  const more = [`「${m.text}」`, m.product, m.department && `${t('department')} ${m.department}`, m.valuable ? '' : t('rant'), m.opinion_id ? '' : t('waiting')].filter(Boolean).join(' · ');
  return (
    <Tooltip title={more}>
      <Tag variant="outlined" color={m.valuable ? undefined : 'default'} style={m.valuable ? undefined : { opacity: 0.65 }}>
        {m.opinion_id && title ? (
          <>
            {text} <Link to={`/opinions/${m.opinion_id}`}>{title}</Link>
          </>
        ) : (
          text
        )}
      </Tag>
    </Tooltip>
  );
}

// Marked is a text with its evidence, drawn over each other where it overlaps, and with what was masked.
function Marked({ text, evidence, active, onHit }: { text: string; evidence: Span<Judged>[]; active: string | null; onHit: (id: string) => void }) {
  const { t } = useTranslation('session');
  const ruleName = useRuleName();
  const spans: Span<Judged | 'masked'>[] = [...toIndexes<Judged | 'masked'>(text, evidence), ...masked(text)];
  return pieces(text, spans).map((p) => {
    const hits = p.what.filter((w): w is Judged => w !== 'masked');
    const inner = p.what.includes('masked') ? (
      <span className="masked" title={t('masked')}>
        {p.text}
      </span>
    ) : (
      p.text
    );
    if (hits.length === 0) return <span key={p.start}>{inner}</span>;
    const standing = hits.filter((h) => !isVoid(h.state));
    const worst = standing.reduce((a, h) => Math.max(a, ranks.indexOf(h.severity)), -1);
    const on = active !== null && hits.some((h) => h.hit_id === active);
    const rules = new Set(standing.map((h) => h.rule_id));
    return (
      <mark
        key={p.start}
        className={`ev ${worst < 0 ? 'void' : ranks[worst]}${rules.size > 1 ? ' many' : ''}${on ? ' on' : ''}`}
        title={hits.map((h) => ruleName(h.rule_id, h.rule_name)).join('、')}
        onClick={() => onHit((hits.find((h) => h.hit_id !== active) ?? hits[0]).hit_id)}
      >
        {inner}
      </mark>
    );
  });
}
