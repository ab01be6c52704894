import { keepPreviousData } from '@tanstack/react-query';
import { Alert, Card, Segmented, Select, Skeleton, Tooltip } from 'antd';
import { Link, useParams } from 'react-router';

import { type Schemas, useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { useTranslation } from '../../i18n';
import { FilterBar } from '../../ui/FilterBar';
import { type Filters } from '../../ui/filters';
import { useFilters } from '../../ui/useFilters';
import { figure, percent } from '../../ui/format';
import { Page } from '../../ui/Page';
import { Loaded, Nothing } from '../../ui/states';
import { Broken } from './Broken';
import { Days } from './Days';
import { Drill } from './Drill';
import { FigureTitle, FigureValue } from './Figure';
import { about, beside, groups, isName, leastTeam, type Line, type Name, names, value } from './figures';
import { usePeriod } from './period';
import { besideOf, type Comparison, comparisonOf, ownOfOne } from './query';
import { Sessions } from './Sessions';
import { Training } from './Training';
import './agents.css';

// Agent is the page of one agent: by its address for those who look after agents, under /me for the agent.
export default function Agent() {
  const { t } = useTranslation('agents');
  const me = useMe();
  const { id } = useParams();
  const agent = id ?? me.agent_id ?? '';
  const period = usePeriod();
  if (agent === '') {
    return (
      <Page title={t('my_title')}>
        <Nothing text={t('my_no_id')} />
      </Page>
    );
  }
  return period ? <Body key={agent} agent={agent} mine={!id} period={period} /> : <Page title={id ? agent : t('my_title')}>{<Skeleton active />}</Page>;
}

function Body({ agent, mine, period }: { agent: string; mine: boolean; period: Filters }) {
  const { t } = useTranslation('agents');
  const me = useMe();
  const { filters: all, set, params, reset } = useFilters(period, ownOfOne);
  const { agent: _, ...filters } = all;
  const profile = String(filters.profile ?? 'generic');
  const compare = comparisonOf(params);
  const table = useGet('/api/v1/kpi', { query: besideOf(filters, compare) }, { placeholderData: keepPreviousData });
  const line = table.data?.rows.find((r) => r.agent_id === agent);
  const drilled = params.get('figure');
  const day = params.get('day');
  const name = line?.name || (mine ? me.name : '') || agent;
  const open = (figureName: Name, of?: string) => set({ figure: figureName, day: of });
  const noTeam = mine && is(me, 'agent') && me.agents_see !== 'own+team';
  return (
    <Page
      title={mine ? t('my_title') : name}
      note={[mine ? name : null, name === agent ? null : agent, line?.main_team].filter(Boolean).join(' · ')}
      extra={
        noTeam ? undefined : (
          <Tooltip title={compare === 'none' ? undefined : t(`compare_${compare}_help`, { n: leastTeam })}>
            <Segmented<Comparison> aria-label={t('compare')} value={compare} options={(['team', 'like', 'none'] as const).map((v) => ({ value: v, label: t(`compare.${v}`) }))} onChange={(v) => set({ beside: v === 'team' ? undefined : v })} />
          </Tooltip>
        )
      }
    >
      <FilterBar filters={filters} set={set} reset={reset} fields={['period', 'shop']} more={['channel', 'business']}>
        <Tooltip title={t('help_profile')}>
          <Select
            aria-label={t('profile')}
            value={profile}
            onChange={(v) => set({ profile: v === 'generic' ? undefined : v })}
            options={['generic', 'taobao', 'jd', 'douyin'].map((p) => ({ value: p, label: t('profile_is', { name: t(`profile.${p}`) }) }))}
            popupMatchSelectWidth={false}
          />
        </Tooltip>
      </FilterBar>
      {profile !== 'generic' && <Alert type="info" showIcon style={{ marginBottom: 12 }} title={t('unverified', { name: t(`profile.${profile}`) })} />}
      {noTeam && line && <Alert type="info" showIcon style={{ marginBottom: 12 }} title={t('my_own_only')} />}
      <Loaded query={table} rows={10}>
        {(data) =>
          line ? (
            <>
              <Tiles data={data} line={line} compare={noTeam ? 'none' : compare} profile={profile} open={open} />
              <div className="two">
                <Days agent={agent} name={name} line={line} filters={filters} params={params} set={set} open={open} />
                <Broken agent={agent} filters={filters} mark={(rule) => set({ rule: [rule] })} />
              </div>
              <div style={{ marginTop: 16 }}>
                <Training filters={filters} params={params} set={set} period={period} agent={agent} />
              </div>
              <Sessions agent={agent} filters={filters} />
            </>
          ) : (
            <Nothing text={t(mine ? 'my_none' : 'no_agent')}>{!mine && <Link to="/agents">{t('agents')}</Link>}</Nothing>
          )
        }
      </Loaded>
      {isName(drilled) && line && (
        <Drill
          of={day ? `${name} ${day}` : name}
          name={drilled}
          value={day ? '' : figure(value(line, drilled), about(drilled).unit)}
          query={{ ...filters, by: 'agent', agent: [agent], ...(day ? { from: day, to: day } : {}) }}
          close={() => set({ figure: undefined, day: undefined })}
        />
      )}
    </Page>
  );
}

function Tiles({ data, line, compare, profile, open }: { data: Schemas['KPITable']; line: Line; compare: Comparison; profile: string; open: (name: Name) => void }) {
  const { t } = useTranslation('agents');
  return (
    <Card size="small">
      {groups.map((group) => (
        <section key={group} aria-label={t(`group.${group}`)}>
          <h2 className="tiles-head" style={{ fontSize: 14 }}>
            {t(`group.${group}`)}
          </h2>
          <div className="tiles">
            {names
              .filter((n) => about(n).group === group)
              .map((n) => {
                const like = compare === 'like' && n in line.like_for_like ? { of: 'like' as const, value: line.like_for_like[n] ?? null } : undefined;
                const covered = like ? line.covered[n] : undefined;
                return (
                  <div className="tile" key={n} data-figure={n}>
                    <div className="tile-title">
                      <FigureTitle name={n} />
                    </div>
                    <div className="tile-value">
                      <FigureValue name={n} value={value(line, n)} final={line.is_final} profile={profile} open={() => open(n)} other={like ?? (compare === 'team' ? beside(data, line, n) : undefined)} />
                    </div>
                    {covered !== undefined && <div className="beside">{t('covered', { p: percent(covered, 0) })}</div>}
                  </div>
                );
              })}
          </div>
        </section>
      ))}
    </Card>
  );
}
