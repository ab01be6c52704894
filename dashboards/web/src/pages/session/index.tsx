import { ArrowLeftOutlined, CheckOutlined, RightOutlined, RollbackOutlined } from '@ant-design/icons';
import { App, Badge, Button, Grid, Tabs } from 'antd';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Link, useLocation, useNavigate, useParams, useSearchParams } from 'react-router';

import { useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { useTranslation } from '../../i18n';
import { type Key, KeyHelp, useKeys } from '../../ui/keys';
import { Page } from '../../ui/Page';
import { Loaded, Nothing } from '../../ui/states';
import { listAddress, queryOf, tabOf } from '../queue/list';
import { Case } from './Case';
import { EmotionChart } from './EmotionChart';
import { searchedTurns } from './Explain';
import { Facts, Origin } from './Facts';
import { Head, Steps } from './Head';
import { Hits, type Writing } from './Hits';
import { reveal } from './reveal';
import { type Detail, type Judged, judged, useReview } from './review';
import { Cards, Lines, Stand } from './Score';
import { Trail } from './Trail';
import { Transcript } from './Transcript';
import './session.css';

// livePoll is how often a live session is read again, in milliseconds.
const livePoll = 5_000;

export default function Session() {
  const { id = '' } = useParams();
  const { t } = useTranslation('session');
  const detail = useGet('/api/v1/sessions/{session_id}', { path: { session_id: id } }, { refetchInterval: (q) => (q.state.data?.session.state === 'open' ? livePoll : false) });
  if (!detail.data) return <Page title={t('title_of', { id })}>{<Loaded query={detail}>{() => null}</Loaded>}</Page>;
  return <Opened key={id} detail={detail.data} />;
}

function Opened({ detail }: { detail: Detail }) {
  const { t } = useTranslation('session');
  const me = useMe();
  const { message } = App.useApp();
  const { session } = detail;
  const id = session.session_id;
  const go = useNavigate();
  const place = useLocation();
  const [params] = useSearchParams();
  const wide = Grid.useBreakpoint().lg ?? true;
  const tab = tabOf(params, me);
  const list = listAddress(params, tab);
  const query = useMemo(() => queryOf(params, me), [params, me]);
  const neighbours = useGet('/api/v1/sessions/{session_id}/neighbours', { path: { session_id: id }, query }, { staleTime: 30_000 });

  const { review, take, busy, takesPart } = useReview(id);
  const hits = useMemo(() => judged(detail, review, busy), [detail, review, busy]);
  const [active, setActive] = useState<string | null>(params.get('hit'));
  const [explained, setExplained] = useState<string | null>(null);
  const [writing, setWriting] = useState<Writing>(null);
  const [testing, setTesting] = useState<Judged | null>(null);
  const [help, setHelp] = useState(false);
  const [pane, setPane] = useState('hits');
  const [there, setThere] = useState<number | null>(null);
  const hit = hits.find((h) => h.hit_id === active);
  const absent = hit !== undefined && (hit.evidence.length === 0 || explained === hit.hit_id);
  const why = useGet('/api/v1/sessions/{session_id}/explain', { path: { session_id: id }, query: { rule: hit?.rule_id ?? '' } }, { enabled: absent, staleTime: 600_000 });
  const searched = useMemo(() => (absent && why.data ? searchedTurns(why.data) : new Set<number>()), [absent, why.data]);

  // toTurn shows a turn; on a phone the conversation is a tab of its own.
  const toTurn = (seq: number) => {
    if (!wide) setPane('talk');
    setThere(seq);
    // The tab of the conversation may have to be drawn first.
    requestAnimationFrame(() => requestAnimationFrame(() => reveal(document.getElementById(`turn-${seq}`), 'center')));
  };
  const toHit = (h: string, scroll = true) => {
    setActive(h);
    if (wide) setPane((p) => (p === 'score' ? p : 'hits'));
    const first = hits.find((x) => x.hit_id === h)?.evidence[0];
    if (first && scroll && wide) toTurn(first.seq);
  };
  // Evidence was clicked: on a phone the finding is behind the other tab.
  const fromText = (h: string) => {
    setActive(h);
    setPane('hits');
  };
  // Of an absence the first turn that was searched is shown.
  const firstSearched = searched.size > 0 && hit?.evidence.length === 0 ? Math.min(...searched) : null;
  useEffect(() => {
    if (firstSearched !== null && wide) reveal(document.getElementById(`turn-${firstSearched}`), 'center');
  }, [firstSearched, wide]);

  // The address may name a turn (#t12) or a hit.
  const named = Number(/^#t(\d+)$/.exec(place.hash)?.[1] ?? params.get('turn') ?? params.get('seq') ?? NaN);
  const opened = useRef(false);
  useEffect(() => {
    if (opened.current) return;
    opened.current = true;
    if (Number.isFinite(named)) toTurn(named);
    else if (active) toHit(active);
    else if (hits.length > 0 && wide) toHit(hits[0].hit_id);
  });
  useFollow(session.state === 'open', detail.turns.length);

  const to = (next: string | undefined) => {
    if (next) void go(`/sessions/${encodeURIComponent(next)}${list}`);
    else void message.info(t('no_further'));
  };
  const move = (step: number) => {
    if (hits.length === 0) return;
    const at = hits.findIndex((h) => h.hit_id === active);
    toHit(hits[at < 0 ? 0 : Math.min(hits.length - 1, Math.max(0, at + step))].hit_id);
  };
  const decide = (action: 'confirm' | 'dismiss' | 'appeal' | 'uphold' | 'overturn') => {
    if (!hit || busy) return;
    if (!hit.allowed.includes(action)) return void message.info(t('not_now'));
    setPane('hits');
    if (action === 'confirm') void take({ action, hit_id: hit.hit_id }).then((ok) => ok && nextUndecided());
    else setWriting({ hit: hit.hit_id, action });
  };
  const nextUndecided = () => {
    const at = hits.findIndex((h) => h.hit_id === active);
    const next = [...hits.slice(at + 1), ...hits.slice(0, at)].find((h) => h.state === 'undecided');
    if (next) toHit(next.hit_id);
  };
  const decides = is(me, 'admin', 'supervisor');
  const done = review?.done ?? false;
  const finish = () => void take({ action: done ? 'reopen' : 'done' });
  const keys: Key[] = [
    { keys: ['j', 'ArrowDown'], word: 'key.next_hit', act: () => move(1) },
    { keys: ['k', 'ArrowUp'], word: 'key.previous_hit', act: () => move(-1) },
    ...(decides
      ? ([
          { keys: ['c'], word: 'key.confirm', act: () => decide('confirm') },
          { keys: ['d'], word: 'key.dismiss', act: () => decide('dismiss') },
          { keys: ['u'], word: 'key.uphold', act: () => decide('uphold') },
          { keys: ['o'], word: 'key.overturn', act: () => decide('overturn') },
          { keys: ['f'], word: 'key.done', act: () => session.state === 'closed' && finish() },
        ] as Key[])
      : []),
    ...(is(me, 'agent') ? [{ keys: ['a'], word: 'key.appeal', act: () => decide('appeal') }] : []),
    { keys: ['w', 'e'], word: 'key.why', act: () => setExplained((x) => (x === active ? null : active)) },
    { keys: ['n', 'ArrowRight'], word: 'key.next', act: () => to(neighbours.data?.next) },
    { keys: ['p', 'ArrowLeft'], word: 'key.previous', act: () => to(neighbours.data?.previous) },
    { keys: ['Escape', 'b'], word: 'key.back', act: () => (writing ? setWriting(null) : explained ? setExplained(null) : void go(`/sessions${list}`)) },
    { keys: ['?'], word: 'key.help', act: () => setHelp(true) },
  ];
  useKeys(keys);

  const undecided = hits.filter((h) => h.state === 'undecided' && h.severity !== 'info').length;
  const talk = (
    <>
      <div className="talk-chart">
        <EmotionChart turns={detail.turns} onTurn={toTurn} />
      </div>
      <div className="talk" data-scrolls>
        {detail.turns.length === 0 ? <Nothing text={t('no_turns')} /> : <Transcript detail={detail} hits={hits} active={active} searched={searched} there={there} onHit={fromText} />}
      </div>
    </>
  );
  const panes = [
    {
      key: 'hits',
      label: (
        <Badge count={undecided} size="small" offset={[8, 0]} color="#fa541c">
          {t('pane_hits')}
        </Badge>
      ),
      children: (
        <div className="session-pane" data-scrolls>
          <Stand detail={detail} />
          {hits.length === 0 && <Nothing text={t('no_hits')} />}
          <Hits detail={detail} hits={hits} active={active} explained={explained} writing={writing} busy={busy} onHit={toHit} onExplain={setExplained} onWrite={setWriting} onTurn={toTurn} onCase={setTesting} take={take} />
        </div>
      ),
    },
    {
      key: 'score',
      label: t('pane_score'),
      children: (
        <div className="session-pane" data-scrolls>
          <Lines detail={detail} hits={hits} onHit={toHit} onTurn={toTurn} />
          <Cards detail={detail} review={review} take={take} busy={busy} />
        </div>
      ),
    },
    { key: 'facts', label: t('pane_facts'), children: <div className="session-pane" data-scrolls>{<Facts detail={detail} onTurn={toTurn} />}</div> },
    ...(takesPart
      ? [
          {
            key: 'trail',
            label: review?.trail.length ? t('pane_trail_n', { n: review.trail.length }) : t('pane_trail'),
            children: <div className="session-pane" data-scrolls>{review && <Trail review={review} hits={hits} take={take} busy={busy} onHit={(h) => (setPane('hits'), toHit(h))} />}</div>,
          },
        ]
      : []),
    { key: 'origin', label: t('pane_origin'), children: <div className="session-pane" data-scrolls>{<Origin detail={detail} />}</div> },
  ];
  const next = decides && session.state === 'closed' && (
    <div className="session-next">
      <span className="muted">{undecided > 0 ? t('left', { n: undecided }) : session.reviewed || done ? t('all_done') : t('none_left')}</span>
      <Button size="small" style={{ marginInlineStart: 'auto' }} icon={done ? <RollbackOutlined aria-hidden /> : <CheckOutlined aria-hidden />} disabled={busy} onClick={finish}>
        {t(done ? 'act.reopen' : 'act.done')}
      </Button>
      <Button size="small" type={undecided === 0 ? 'primary' : 'default'} disabled={!neighbours.data?.next} onClick={() => to(neighbours.data?.next)}>
        {t('next')} <RightOutlined aria-hidden />
      </Button>
    </div>
  );
  return (
    <>
    <Page
      title={
        <>
          <Link to={`/sessions${list}`} aria-label={t('back')} style={{ marginInlineEnd: 10, color: 'inherit' }}>
            <ArrowLeftOutlined />
          </Link>
          {t('title_of', { id })}
        </>
      }
      extra={<Steps neighbours={neighbours.data} go={to} help={() => setHelp(true)} />}
    >
      <div style={{ margin: '-8px 0 12px' }}>
        <Head detail={detail} review={review} />
      </div>
      {wide ? (
        <div className="session">
          <section className="session-talk" aria-label={t('transcript')}>
            {talk}
          </section>
          <section className="session-side" aria-label={t('pane_hits')}>
            <Tabs activeKey={pane === 'talk' ? 'hits' : pane} onChange={setPane} items={panes} size="middle" className="session-tabs" />
            {next}
          </section>
        </div>
      ) : (
        <div className="session-narrow">
          <Tabs activeKey={pane} onChange={setPane} items={[{ key: 'talk', label: t('pane_talk'), children: talk }, ...panes]} />
          {next}
        </div>
      )}
      <KeyHelp keys={keys} open={help} close={() => setHelp(false)} title={t('keys')} t={t} />
      {testing && <Case session={id} hit={testing} close={() => setTesting(null)} />}
    </Page>
    <Title id={id} />
    </>
  );
}

// Title names the browser's tab, as the heading holds more than words. It stands behind the page, which names it after its heading.
function Title({ id }: { id: string }) {
  const { t } = useTranslation('session');
  useEffect(() => {
    document.title = `${t('title_of', { id })} · ${t('brand')}`;
  }, [id, t]);
  return null;
}

// useFollow keeps the end of a live conversation in sight for who is looking at its end.
function useFollow(live: boolean, turns: number) {
  const before = useRef(turns);
  useEffect(() => {
    if (live && turns > before.current) {
      const talk = document.querySelector('.talk');
      if (talk && talk.scrollHeight - talk.scrollTop - talk.clientHeight < 400) talk.scrollTo({ top: talk.scrollHeight, behavior: 'smooth' });
    }
    before.current = turns;
  }, [live, turns]);
}
