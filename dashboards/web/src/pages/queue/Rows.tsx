import { WarningOutlined } from '@ant-design/icons';
import { Checkbox, Tag, Tooltip } from 'antd';
import { memo, useEffect, useRef } from 'react';
import { Link } from 'react-router';

import { useTranslation } from '../../i18n';
import { decimal, time } from '../../ui/format';
import { Emotion, Score, Severity, useRuleName } from '../../ui/tags';
import { useSoon } from '../../ui/useSoon';
import type { Row } from './useSessions';

export interface RowsProps {
  rows: Row[];
  names: Map<string, string>;
  at: number;
  selected: Set<string>;
  selectable: boolean;
  wide: boolean;
  // list is the part of an address that names the list.
  list: string;
  q: string;
  onSelect: (ids: string[], on: boolean) => void;
  onAt: (i: number) => void;
}

// Rows are sessions with what the machine saw, one a row.
export function Rows(props: RowsProps) {
  const { t } = useTranslation('queue');
  const { rows, names, selected, selectable, wide, at, list, q, onSelect, onAt } = props;
  const shown = useSoon(rows, Math.max(14, at + 1));
  const one = (row: Row, i: number) => ({ row, name: row.agent_name || names.get(row.agent_ids[0] ?? '') || '', on: i === at, selected: selected.has(row.session_id), selectable, list, q, onSelect, onAt: () => onAt(i) });
  if (!wide) {
    return (
      <ul className="queue-cards" aria-label={t('title')}>
        {shown.map((row, i) => (
          <CardRow key={row.session_id} {...one(row, i)} />
        ))}
      </ul>
    );
  }
  const all = rows.length > 0 && rows.every((r) => selected.has(r.session_id));
  return (
    <table className="queue" aria-label={t('title')}>
      <thead>
        <tr>
          {selectable && (
            <th className="pick">
              <Checkbox checked={all} indeterminate={!all && selected.size > 0} aria-label={t('select_page')} onChange={(e) => onSelect(rows.map((r) => r.session_id), e.target.checked)} />
            </th>
          )}
          <th>{t('col.opening')}</th>
          <th className="c-found">{t('col.found')}</th>
          <th className="n c-score">{t('col.score')}</th>
          <th className="c-emotion">{t('col.emotion')}</th>
          <th className="n c-experience">
            <Tooltip title={t('experience_is')}>{t('col.experience')}</Tooltip>
          </th>
          <th className="c-agent">{t('col.agent')}</th>
          <th className="c-review">{t('col.review')}</th>
          <th className="c-time">{t('col.time')}</th>
        </tr>
      </thead>
      <tbody>
        {shown.map((row, i) => (
          <TableRow key={row.session_id} {...one(row, i)} />
        ))}
      </tbody>
    </table>
  );
}

interface OneProps {
  row: Row;
  name: string;
  on: boolean;
  selected: boolean;
  selectable: boolean;
  list: string;
  q: string;
  onSelect: (ids: string[], on: boolean) => void;
  onAt: () => void;
}

const sameRow = (a: OneProps, b: OneProps) => a.row === b.row && a.name === b.name && a.on === b.on && a.selected === b.selected && a.selectable === b.selectable && a.list === b.list && a.q === b.q;

function useSeen<E extends HTMLElement>(on: boolean) {
  const place = useRef<E>(null);
  useEffect(() => {
    if (on) place.current?.scrollIntoView({ block: 'nearest' });
  }, [on]);
  return place;
}

const opened = ({ row, list, q }: OneProps) => `/sessions/${encodeURIComponent(row.session_id)}${list}${q ? `#t${row.text_seq}` : ''}`;

const TableRow = memo(function TableRow(props: OneProps) {
  const { t } = useTranslation('queue');
  const { row, name, on, selected, selectable, onSelect, onAt } = props;
  const place = useSeen<HTMLTableRowElement>(on);
  return (
    <tr ref={place} className={on ? 'on' : undefined} aria-current={on || undefined} data-session={row.session_id} onClick={onAt}>
      {selectable && (
        <td className="pick">
          <Checkbox checked={selected} aria-label={t('select', { id: row.session_id })} onChange={(e) => onSelect([row.session_id], e.target.checked)} />
        </td>
      )}
      <td className="opening">
        <Link to={opened(props)} className="queue-open">
          {row.text || t('no_text')}
        </Link>
        <div className="muted one-line">
          {[row.session_id, t(`channel.${row.channel}`, { defaultValue: row.channel }), row.business && t(`business.${row.business}`), row.shop, row.product, t('n_turns', { n: row.turns })].filter(Boolean).join(' · ')}
        </div>
      </td>
      <td className="found">
        <Found row={row} />
      </td>
      <td className="n">
        <Score value={row.final_score} was={row.score} />
      </td>
      <td>
        <Way row={row} />
      </td>
      <td className="n">
        <Experience value={row.experience} />
      </td>
      <td>
        <div className="one-line name">{name || row.agent_ids.join('、')}</div>
        <div className="muted one-line">{[name ? row.agent_ids.join('、') : '', row.team].filter(Boolean).join(' · ')}</div>
      </td>
      <td>
        <Where row={row} />
      </td>
      <td className="num nowrap">{time(row.started_at, 'MM-DD HH:mm')}</td>
    </tr>
  );
}, sameRow);

const CardRow = memo(function CardRow(props: OneProps) {
  const { t } = useTranslation('queue');
  const { row, name, on, selected, selectable, onSelect, onAt } = props;
  const place = useSeen<HTMLLIElement>(on);
  return (
    <li ref={place} className={on ? 'on' : undefined} aria-current={on || undefined} data-session={row.session_id} onClick={onAt}>
      <div className="queue-card-head">
        {selectable && <Checkbox checked={selected} aria-label={t('select', { id: row.session_id })} onChange={(e) => onSelect([row.session_id], e.target.checked)} />}
        <span className="num muted">{time(row.started_at, 'MM-DD HH:mm')}</span>
        <span className="muted">{name || row.agent_ids.join('、')}</span>
        <span style={{ marginInlineStart: 'auto' }}>
          <Score value={row.final_score} was={row.score} />
        </span>
      </div>
      <Link to={opened(props)} className="queue-open">
        {row.text || t('no_text')}
      </Link>
      <div className="queue-card-tags">
        <Found row={row} />
      </div>
      <div className="queue-card-tags muted">
        <Way row={row} />
        <Where row={row} />
      </div>
    </li>
  );
}, sameRow);

function Found({ row }: { row: Row }) {
  const { t } = useTranslation('queue');
  const ruleName = useRuleName();
  if (!row.severity && !row.rules?.length) return <span className="muted">{t('nothing')}</span>;
  return (
    <span className="queue-tags">
      <Severity value={row.severity} />
      {row.rules?.map((r) => (
        <span key={r} className="queue-rule">
          {ruleName(r)}
        </span>
      ))}
    </span>
  );
}

function Way({ row }: { row: Row }) {
  if (!row.emotion_start && !row.emotion_end) return null;
  if (row.emotion_start === row.emotion_end) return <Emotion value={row.emotion_end} />;
  return (
    <span className="queue-tags">
      <Emotion value={row.emotion_start} /> <span className="muted">→</span> <Emotion value={row.emotion_end} />
    </span>
  );
}

function Experience({ value }: { value: number }) {
  return <span className={`num score ${value < -0.3 ? 'bad' : value > 0.3 ? 'good' : ''}`}>{decimal(value, 2)}</span>;
}

function Where({ row }: { row: Row }) {
  const { t } = useTranslation('queue');
  return (
    <span className="queue-tags">
      {row.state === 'open' && <Tag color="green">{t('state.open')}</Tag>}
      {row.conflicts > 0 && (
        <Tag color="orange" icon={<WarningOutlined aria-hidden />}>
          {t('conflicts_n', { n: row.conflicts })}
        </Tag>
      )}
      {row.open_appeals > 0 && <Tag color="purple">{t('appeals_n', { n: row.open_appeals })}</Tag>}
      {row.reviewed ? <Tag>{t('reviewed.1')}</Tag> : row.undecided > 0 ? <span className="num">{t('undecided_of', { n: row.undecided })}</span> : row.hits > 0 ? <span className="muted num">{t('n_hits', { n: row.hits })}</span> : null}
      {row.assignee && <span className="muted">@{row.assignee}</span>}
    </span>
  );
}
