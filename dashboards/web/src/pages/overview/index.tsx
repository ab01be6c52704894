import { LeftOutlined, RightOutlined } from '@ant-design/icons';
import { Alert, Button, DatePicker, Space, Tooltip } from 'antd';
import dayjs from 'dayjs';
import { useMemo } from 'react';
import { useSearchParams } from 'react-router';

import { useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { useTranslation } from '../../i18n';
import { FilterBar } from '../../ui/FilterBar';
import { useFilters } from '../../ui/useFilters';
import { addDays, latest } from '../../ui/days';
import { Page } from '../../ui/Page';
import { Loaded, Nothing } from '../../ui/states';
import { Behind } from './Behind';
import { FigureTable, Headline } from './Figures';
import './overview.css';
import { DaysPanel, EmotionsPanel, fortnight, HoursPanel, OpinionsPanel, Panel, RulesPanel, TodoPanel } from './Panels';
import { Start } from './Start';

// Overview is one day beside the day before and a week before. Without a day in the address it is today, or where today
// has nothing yet the latest day that has something.
export default function Overview() {
  const { t } = useTranslation('overview');
  const { today } = useMe();
  const { filters, set, params } = useFilters({}, ['figure', 'on']);
  const [, setParams] = useSearchParams();
  const offered = useGet('/api/v1/filters', {}, { staleTime: 60_000 });
  const last = offered.data?.last_day;
  const day = (filters.day as string | undefined) ?? latest(today, last);
  const { day: _, ...scope } = filters;
  const known = filters.day !== undefined || offered.isFetched;
  const overview = useGet('/api/v1/overview', { query: { ...filters, day } }, { enabled: known, placeholderData: (old) => old, refetchInterval: day === today ? 60_000 : false });
  const empty = offered.data !== undefined && !last;

  // Days and what stands behind a figure are places one comes back from, so they go into the history; filters do not.
  const go = (changes: Record<string, string>) =>
    setParams((now) => {
      const next = new URLSearchParams(now);
      for (const [name, value] of Object.entries(changes)) next.set(name, value);
      return next;
    });
  const pick = (d: string) => go({ day: d });
  const open = (figure: string, on: string) => go({ figure, on });
  return (
    <Page title={t('title')} note={empty || !known ? undefined : [t('beside', { day, weekday: dayjs(day).format('ddd') }), day === today && t('running')].filter(Boolean).join(' · ')} extra={empty || !known ? undefined : <DayPicker day={day} today={today} pick={pick} />}>
      {empty ? (
        <Start />
      ) : (
        <>
          <FilterBar filters={scope} set={set} reset={() => set(Object.fromEntries(Object.keys(scope).map((name) => [name, undefined])))} fields={['shop', 'team', 'channel']} more={['business', 'profile']} />
          {!filters.day && last && last < today && <Alert type="info" showIcon style={{ marginBottom: 12 }} title={t('no_today', { today })} />}
          {filters.day && overview.data && !overview.isPlaceholderData && overview.data.latest_day && overview.data.latest_day !== day && !overview.data.figures.some((f) => f.name === 'sessions' && f.day) && (
            <Alert
              type="info"
              showIcon
              style={{ marginBottom: 12 }}
              title={t('no_day', { day: overview.data.latest_day })}
              action={
                <Button size="small" onClick={() => pick(overview.data.latest_day as string)}>
                  {t('show_latest', { day: overview.data.latest_day })}
                </Button>
              }
            />
          )}
          <Loaded query={overview} rows={12}>
            {(o) =>
              o.latest_day === null ? (
                <Nothing text={t('nothing')} />
              ) : (
                <Board overview={o} scope={scope} open={open} pick={pick} />
              )
            }
          </Loaded>
        </>
      )}
      {params.get('figure') && params.get('on') && (
        <Behind figure={params.get('figure') as string} day={params.get('on') as string} filters={scope} close={() => set({ figure: null, on: null })} />
      )}
    </Page>
  );
}

function Board({ overview, scope, open, pick }: { overview: Parameters<typeof fortnight>[0]; scope: ReturnType<typeof useFilters>['filters']; open: (figure: string, day: string) => void; pick: (day: string) => void }) {
  const { t } = useTranslation('overview');
  const days = { day: overview.day, yesterday: overview.yesterday, lastWeek: overview.last_week };
  const courses = useMemo(() => {
    const list = fortnight(overview);
    return { sessions: list.map((d) => d.sessions), flagged: list.map((d) => d.flagged), score: list.map((d) => d.score) };
  }, [overview]);
  const { profile: _, ...sessions } = scope;
  return (
    <div className="board">
      <Headline figures={overview.figures} days={days} courses={courses} open={open} />
      <div className="board-row">
        <DaysPanel overview={overview} pick={pick} />
        <TodoPanel overview={overview} scope={sessions} />
      </div>
      <div className="board-row">
        <div>
          <Panel title={t('figures')}>
            <FigureTable figures={overview.figures} days={days} open={open} />
          </Panel>
          <HoursPanel overview={overview} />
        </div>
        <div>
          <RulesPanel overview={overview} scope={sessions} />
          <EmotionsPanel overview={overview} />
        </div>
      </div>
      <div className="board-row even">
        <OpinionsPanel rows={overview.rising_opinions} trend="rising" scope={sessions} />
        <OpinionsPanel rows={overview.new_opinions} trend="new" scope={sessions} />
      </div>
    </div>
  );
}

function DayPicker({ day, today, pick }: { day: string; today: string; pick: (day: string) => void }) {
  const { t } = useTranslation('overview');
  return (
    <Space.Compact>
      <Tooltip title={t('day_before')}>
        <Button icon={<LeftOutlined />} aria-label={t('day_before')} onClick={() => pick(addDays(day, -1))} />
      </Tooltip>
      <DatePicker aria-label={t('pick_day')} value={dayjs(day)} allowClear={false} maxDate={dayjs(today)} onChange={(d) => d && pick(d.format('YYYY-MM-DD'))} style={{ width: 136 }} />
      <Tooltip title={t('day_after')}>
        <Button icon={<RightOutlined />} aria-label={t('day_after')} disabled={day >= today} onClick={() => pick(addDays(day, 1))} />
      </Tooltip>
    </Space.Compact>
  );
}
