import { QuestionCircleOutlined, TeamOutlined } from '@ant-design/icons';
import { App, Button, Flex, Grid, Select, Skeleton, Spin, Tabs, Tooltip } from 'antd';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Link, useNavigate } from 'react-router';

import { useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { useTranslation } from '../../i18n';
import { ExportButton } from '../../ui/ExportButton';
import { FilterBar } from '../../ui/FilterBar';
import { useFilters } from '../../ui/useFilters';
import { count } from '../../ui/format';
import { type Key, KeyHelp, useKeys } from '../../ui/keys';
import { Page } from '../../ui/Page';
import { Failed, Nothing } from '../../ui/states';
import { Assign } from './Assign';
import { Bulk, most } from './Bulk';
import { listAddress, own, queryOf, sorts, type Tab, tabFilters, tabOf, tabsOf } from './list';
import { Rows } from './Rows';
import { useSessions } from './useSessions';
import './queue.css';
import '../session/session.css';

// lastOpened remembers the row that was opened, so that the way back leads to it.
const lastOpened = 'tingke.queue.at';

export default function Queue() {
  const { t } = useTranslation('queue');
  const me = useMe();
  const go = useNavigate();
  const { message } = App.useApp();
  const wide = Grid.useBreakpoint().lg ?? true;
  const { filters: all, set, params } = useFilters({}, own);
  const { sort: _, ...filters } = all;
  const tab = tabOf(params, me);
  const query = useMemo(() => queryOf(params, me), [params, me]);
  const list = listAddress(params, tab);
  const fixed = tabFilters(tab, me);
  const { sort = 'queue', ...where } = query;

  const sessions = useSessions(query, tab === 'live');
  const rows = useMemo(() => sessions.data?.pages.flatMap((p) => p.items) ?? [], [sessions.data]);
  const total = sessions.data?.pages[0]?.total;
  const counts = useGet('/api/v1/sessions/counts', { query: where }, { placeholderData: (before) => before });
  const offered = useGet('/api/v1/filters', {}, { staleTime: 300_000 });
  const names = useMemo(() => new Map(offered.data?.agents.map((a) => [a.agent_id, a.name])), [offered.data]);
  const beside = useMemo(() => Object.fromEntries(Object.entries(counts.data?.by ?? {}).map(([name, values]) => [name, new Map((values ?? []).map((v) => [v.value, v.sessions]))])), [counts.data]);

  const decides = is(me, 'admin', 'supervisor');
  const [selected, setSelected] = useState<Set<string>>(new Set());
  const [at, setAt] = useState(-1);
  // bulk keeps the sessions it began with, whatever happens to the selection meanwhile.
  const [bulk, setBulk] = useState<{ action: 'confirm' | 'dismiss'; sessions: string[] } | null>(null);
  const [assigning, setAssigning] = useState(false);
  const [help, setHelp] = useState(false);
  const asked = JSON.stringify(query);
  const before = useRef(asked);
  useEffect(() => {
    if (before.current !== asked) {
      before.current = asked;
      setSelected(new Set());
      setAt(-1);
    }
  }, [asked]);
  // Back from a session, the row it was opened from is the current one.
  const back = useRef(sessionStorage.getItem(lastOpened));
  useEffect(() => {
    if (back.current === null || rows.length === 0) return;
    const i = rows.findIndex((r) => r.session_id === back.current);
    back.current = null;
    if (i >= 0) setAt(i);
  }, [rows]);
  const current = rows[at];
  useEffect(() => {
    if (current) sessionStorage.setItem(lastOpened, current.session_id);
  }, [current]);
  // The page goes on by itself where it is scrolled to its end.
  const end = useRef<HTMLDivElement>(null);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = sessions;
  useEffect(() => {
    const place = end.current;
    if (!place || !hasNextPage) return undefined;
    const watch = new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && !isFetchingNextPage && void fetchNextPage(), { rootMargin: '300px' });
    watch.observe(place);
    return () => watch.disconnect();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  const select = (ids: string[], on: boolean) =>
    setSelected((s) => {
      const next = new Set(s);
      for (const id of ids) {
        if (on) next.add(id);
        else next.delete(id);
      }
      return next;
    });
  const change: typeof set = (changes) => set({ tab, ...changes });
  const toTab = (next: string) => {
    const changes: Record<string, undefined | string> = { tab: next, sort: undefined };
    // What a tab fixes is no filter any more, or the tab would show something else than it says.
    for (const name of Object.keys(tabFilters(next as Tab, me))) changes[name] = undefined;
    set(changes);
  };
  const start = (what: 'confirm' | 'dismiss') => {
    if (selected.size > most) void message.warning(t('bulk.many'));
    else if (selected.size > 0) setBulk({ action: what, sessions: [...selected] });
  };
  const move = (step: number) => setAt((i) => Math.max(0, Math.min(rows.length - 1, i + step)));
  const keys: Key[] = [
    { keys: ['j', 'ArrowDown'], word: 'key.down', act: () => move(1) },
    { keys: ['k', 'ArrowUp'], word: 'key.up', act: () => move(-1) },
    { keys: ['Enter', 'o'], word: 'key.open', act: () => current && void go(`/sessions/${encodeURIComponent(current.session_id)}${list}`) },
    ...(decides
      ? ([
          { keys: ['x'], word: 'key.select', act: () => current && select([current.session_id], !selected.has(current.session_id)) },
          { keys: ['c'], word: 'key.confirm', act: () => start('confirm') },
          { keys: ['d'], word: 'key.dismiss', act: () => start('dismiss') },
          { keys: ['a'], word: 'key.assign', act: () => setAssigning(true) },
          { keys: ['Escape'], word: 'key.clear', act: () => setSelected(new Set()) },
        ] as Key[])
      : []),
    { keys: ['/'], word: 'key.search', act: () => document.querySelector<HTMLInputElement>('[role=search] input[type=search], [role=search] .ant-input')?.focus() },
    { keys: ['?'], word: 'key.help', act: () => setHelp(true) },
  ];
  useKeys(keys);

  const fields = ['period', 'severity', 'rule', 'shop', 'agent'];
  const more = ['team', 'channel', 'business', 'emotion', 'score', 'decision', ...(decides ? ['assignee', 'state', 'flagged', 'reviewed', 'appeal', 'conflict'] : ['state', 'flagged', 'reviewed', 'appeal']), 'kind', 'aspect', 'product', 'customer'].filter((f) => !(f in fixed));
  const assignees = useMemo(() => ['-', ...(counts.data?.by.assignee ?? []).map((a) => a.value).filter(Boolean)], [counts.data]);
  const ids = useMemo(() => [...selected], [selected]);
  const empty = tab !== 'all' && Object.keys(filters).length === 0;
  return (
    <Page
      title={t('title')}
      extra={
        <>
          {decides && (
            <Button icon={<TeamOutlined aria-hidden />} onClick={() => setAssigning(true)}>
              {t('assign_many')}
            </Button>
          )}
          <ExportButton what="sessions" query={where} />
          <Tooltip title="?">
            <Button icon={<QuestionCircleOutlined aria-hidden />} aria-label={t('keys')} onClick={() => setHelp(true)} />
          </Tooltip>
        </>
      }
    >
      <Tabs activeKey={tab} onChange={toTab} items={tabsOf(me).map((key) => ({ key, label: key === tab && total !== undefined && total !== null ? `${t(`tab.${key}`)} ${count(total)}` : t(`tab.${key}`) }))} style={{ marginBottom: 4 }} />
      <FilterBar filters={filters} set={change} reset={() => toTabOnly(set, filters, tab)} fields={[...fields, 'q']} more={more} values={{ assignee: assignees }} counts={beside} />
      <div className="queue-counts">
        {counts.data && (
          <>
            <span>{t('count.sessions', { n: count(counts.data.sessions) })}</span>
            {!('flagged' in fixed) && <span>{t('count.flagged', { n: count(counts.data.flagged) })}</span>}
            <span>{t('count.undecided', { n: count(counts.data.undecided) })}</span>
            {!('state' in fixed) && <span>{t('count.open', { n: count(counts.data.open) })}</span>}
          </>
        )}
        <Select aria-label={t('sort')} value={sort as string} onChange={(v: string) => change({ sort: v === (tab === 'live' ? 'newest' : 'queue') ? undefined : v })} options={sorts.map((s) => ({ value: s, label: t(`sort.${s}`) }))} popupMatchSelectWidth={false} />
      </div>
      {sessions.error && !sessions.data ? (
        <Failed error={sessions.error} retry={() => void sessions.refetch()} />
      ) : !sessions.data ? (
        <Skeleton active paragraph={{ rows: 10 }} />
      ) : rows.length === 0 ? (
        <Nothing text={empty ? t(`empty.${tab}`) : tab === 'all' && Object.keys(filters).length === 0 ? t('no_sessions') : undefined}>
          {empty ? <Link to="/sessions?tab=all">{t('see_all')}</Link> : tab === 'all' && Object.keys(filters).length === 0 ? t('no_sessions_do') : null}
        </Nothing>
      ) : (
        <Spin spinning={sessions.isPlaceholderData}>
          <Rows rows={rows} names={names} at={at} selected={selected} selectable={decides} wide={wide} list={list} q={String(filters.q ?? '')} onSelect={select} onAt={setAt} />
        </Spin>
      )}
      <div ref={end} style={{ textAlign: 'center', padding: 12 }}>
        {hasNextPage && (
          <Button onClick={() => void fetchNextPage()} loading={isFetchingNextPage}>
            {t('load_more')}
          </Button>
        )}
      </div>
      {selected.size > 0 && (
        <Flex className="queue-bar" role="toolbar" aria-label={t('selected', { n: selected.size })}>
          <b className="num">{t('selected', { n: count(selected.size) })}</b>
          <Button type="primary" onClick={() => start('confirm')}>
            {t('confirm')}
          </Button>
          <Button onClick={() => start('dismiss')}>{t('dismiss')}</Button>
          <Button onClick={() => setAssigning(true)}>{t('assign')}</Button>
          <Button type="text" onClick={() => setSelected(new Set())}>
            {t('clear')}
          </Button>
        </Flex>
      )}
      {bulk && <Bulk {...bulk} close={() => setBulk(null)} done={() => setSelected(new Set())} />}
      {assigning && <Assign selected={ids} from={filters.from as string | undefined} to={filters.to as string | undefined} close={() => setAssigning(false)} done={() => setSelected(new Set())} />}
      <KeyHelp keys={keys} open={help} close={() => setHelp(false)} title={t('keys')} t={t} />
    </Page>
  );
}

// toTabOnly takes the filters away and stays on the tab.
function toTabOnly(set: (changes: Record<string, undefined | string>) => void, filters: Record<string, unknown>, tab: Tab) {
  set({ ...Object.fromEntries(Object.keys(filters).map((name) => [name, undefined])), tab });
}
