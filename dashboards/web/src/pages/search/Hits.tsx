import { Tag } from 'antd';
import { memo } from 'react';
import { Link } from 'react-router';

import { type ItemOf } from '../../api/list';
import { useTranslation } from '../../i18n';
import { time } from '../../ui/format';
import { turnLink } from '../../ui/links';
import { Emotion } from '../../ui/tags';
import { pieces, toIndexes } from '../session/spans';
import { useSoon } from '../../ui/useSoon';

export type Turn = ItemOf<'/api/v1/turns'>;

const roleColor: Record<string, string> = { customer: 'blue', agent: 'default', bot: 'purple', system: 'default' };

// Marked is a text with the words that were found in it.
export function Marked({ text, spans }: { text: string; spans: { start: number; end: number }[] | null }) {
  const found = toIndexes(
    text,
    (spans ?? []).map((s) => ({ start: s.start, end: s.end, what: true })),
  );
  return (
    <>
      {pieces(text, found).map((p) =>
        p.what.length > 0 ? <mark key={p.start}>{p.text}</mark> : <span key={p.start}>{p.text}</span>,
      )}
    </>
  );
}

interface HitsProps {
  turns: Turn[];
  grouped: boolean;
  agents: Map<string, string>;
}

// Hits are the utterances that were found, each a way into its session. Utterances of one session stand together, so that
// a group is never torn apart by a page.
export function Hits({ turns: all, grouped, agents }: HitsProps) {
  const { t } = useTranslation('search');
  const turns = useSoon(all);
  if (!grouped) {
    return (
      <ol className="found" aria-label={t('results')}>
        {turns.map((x) => (
          <Hit key={`${x.session_id} ${x.position}`} turn={x} agent={agents.get(x.agent_id)} alone />
        ))}
      </ol>
    );
  }
  const groups = new Map<string, Turn[]>();
  for (const x of turns) groups.set(x.session_id, [...(groups.get(x.session_id) ?? []), x]);
  return (
    <ol className="found" aria-label={t('results')}>
      {[...groups].map(([id, list]) => (
        <li key={id} className="found-session">
          <div className="found-head">
            <Link className="num" to={turnLink(id, list[0].seq)}>
              {id}
            </Link>
            <span className="muted">{[list[0].shop, list[0].day].filter(Boolean).join(' · ')}</span>
            <span className="muted">{t('turns_n', { n: list.length })}</span>
          </div>
          <ol className="found-inner" aria-label={t('hits_in', { id })}>
            {list.map((x) => (
              <Hit key={x.position} turn={x} agent={agents.get(x.agent_id)} />
            ))}
          </ol>
        </li>
      ))}
    </ol>
  );
}

const Hit = memo(function Hit({ turn, agent, alone = false }: { turn: Turn; agent?: string; alone?: boolean }) {
  const { t } = useTranslation('search');
  const who = turn.role === 'agent' && turn.agent_id ? `${t('role.agent')} ${agent ?? turn.agent_id}` : t(`role.${turn.role}`, { defaultValue: turn.role });
  return (
    <li className="found-hit">
      <Link to={turnLink(turn.session_id, turn.seq)} className="found-text" aria-label={`${t('open_turn')}: ${turn.text}`}>
        <Tag color={roleColor[turn.role]}>{who}</Tag>
        <span className="found-words">
          <Marked text={turn.text} spans={turn.spans} />
        </span>
      </Link>
      <div className="found-meta muted">
        {turn.role === 'customer' && turn.emotion !== 'neutral' && <Emotion value={turn.emotion} />}
        {alone && <span className="num">{turn.session_id}</span>}
        {alone && turn.shop && <span>{turn.shop}</span>}
        <span className="num">{turn.at ? time(turn.at) : (turn.day ?? t('no_time'))}</span>
      </div>
    </li>
  );
});
