import { InfoCircleOutlined } from '@ant-design/icons';
import { Alert, Button, Checkbox, Flex, Popover, Segmented, Select, Skeleton, Space, Switch, Tabs, Tooltip } from 'antd';

import { useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { ExportButton } from '../../ui/ExportButton';
import { FilterBar } from '../../ui/FilterBar';
import { type Filters } from '../../ui/filters';
import { useFilters } from '../../ui/useFilters';
import { figure } from '../../ui/format';
import { Page } from '../../ui/Page';
import { Failed } from '../../ui/states';
import { about, groups, isName, leastTeam, type Name, names, shown, value } from './figures';
import { Drill } from './Drill';
import { AgentsTable, keyOf, narrowed } from './Table';
import { Training } from './Training';
import { usePeriod } from './period';
import { type By, type Comparison, figuresOf, own, viewOf } from './query';
import './agents.css';

export default function Agents() {
  const { t } = useTranslation('agents');
  const period = usePeriod();
  return <Page title={t('title')}>{period ? <Body period={period} /> : <Skeleton active />}</Page>;
}

function Body({ period }: { period: Filters }) {
  const { t } = useTranslation('agents');
  const { filters, set, params, reset } = useFilters(period, own);
  const tab = params.get('tab') ?? 'table';
  const profile = String(filters.profile ?? 'generic');
  return (
    <>
      <FilterBar filters={filters} set={set} reset={reset} fields={['period', 'team', 'shop']} more={['channel', 'business', 'agent']}>
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
      <Tabs
        activeKey={tab}
        onChange={(key) => set({ tab: key === 'table' ? undefined : key })}
        items={[
          { key: 'table', label: t('tab_table') },
          { key: 'training', label: t('tab_training') },
        ]}
      />
      {tab === 'training' ? <Training filters={filters} params={params} set={set} period={period} /> : <Figures filters={filters} params={params} set={set} profile={profile} />}
    </>
  );
}

type Set = ReturnType<typeof useFilters>['set'];

function Figures({ filters, params, set, profile }: { filters: Filters; params: URLSearchParams; set: Set; profile: string }) {
  const { t } = useTranslation('agents');
  const view = viewOf(params);
  const { by, split, compare } = view;
  const columns = (params.get('cols')?.split(',').filter(isName) as Name[] | undefined) ?? shown;
  const query = figuresOf(filters, view);
  const table = useGet('/api/v1/kpi', { query });

  const drilled = params.get('figure');
  const row = table.data?.rows.find((r) => keyOf(r) === params.get('row'));
  const open = (name: Name, key: string) => set({ figure: name, row: key });
  return (
    <>
      <div className="agents-bar">
        <Segmented<By> aria-label={t('by')} value={by} options={(['agent', 'team', 'shop', 'channel'] as const).map((v) => ({ value: v, label: t(`by.${v}`) }))} onChange={(v) => set({ by: v === 'agent' ? undefined : v, sort: undefined })} />
        {by === 'agent' && (
          <>
            <Space>
              <span className="muted">{t('compare')}</span>
              <Segmented<Comparison> aria-label={t('compare')} value={compare} options={(['team', 'like', 'none'] as const).map((v) => ({ value: v, label: t(`compare.${v}`) }))} onChange={(v) => set({ beside: v === 'team' ? undefined : v })} />
              {compare !== 'none' && (
                <Tooltip title={t(`compare_${compare}_help`, { n: leastTeam })}>
                  <InfoCircleOutlined className="muted" aria-label={t(`compare_${compare}_help`, { n: leastTeam })} />
                </Tooltip>
              )}
            </Space>
            <label>
              <Switch size="small" checked={split} onChange={(v) => set({ split: v ? '1' : undefined })} aria-label={t('split')} /> {t('split')}
            </label>
          </>
        )}
        <Flex gap={8} style={{ marginInlineStart: 'auto' }}>
          <Columns columns={columns} choose={(list) => set({ cols: list && list.join() })} />
          <ExportButton what="kpi" query={{ ...filters, level: `${by}s` }} />
        </Flex>
      </div>
      {table.error && !table.data ? (
        <Failed error={table.error} retry={() => void table.refetch()} />
      ) : (
        <AgentsTable data={table.data} by={by} split={split} compare={compare} columns={columns} profile={profile} sort={params.get('sort')} setSort={(sort) => set({ sort })} open={open} filters={filters} />
      )}
      {isName(drilled) && row && (
        <Drill
          of={row.name || row.agent_id || (by === 'channel' ? row.channel && t(`channel.${row.channel}`, { defaultValue: row.channel }) : row.team || row.shop) || t('none')}
          name={drilled}
          value={figure(value(row, drilled), about(drilled).unit)}
          query={{ ...filters, by, ...narrowed(row, by, split) }}
          close={() => set({ figure: undefined, row: undefined })}
        />
      )}
    </>
  );
}

// Columns lets somebody choose the figures of the table.
function Columns({ columns, choose }: { columns: Name[]; choose: (list: Name[] | undefined) => void }) {
  const { t } = useTranslation('agents');
  return (
    <Popover
      trigger="click"
      placement="bottomRight"
      content={
        <div style={{ maxWidth: 420, maxHeight: '60vh', overflowY: 'auto' }}>
          {groups.map((g) => (
            <div key={g} style={{ marginBottom: 8 }}>
              <div className="muted">{t(`group.${g}`)}</div>
              <Flex wrap gap="4px 12px">
                {names
                  .filter((n) => about(n).group === g)
                  .map((n) => (
                    <Checkbox key={n} checked={columns.includes(n)} onChange={(e) => choose(names.filter((x) => (x === n ? e.target.checked : columns.includes(x))))}>
                      {t(`figure.${n}`)}
                    </Checkbox>
                  ))}
              </Flex>
            </div>
          ))}
          <Button size="small" onClick={() => choose(undefined)}>
            {t('columns_default')}
          </Button>
        </div>
      }
    >
      <Button>{t('columns')}</Button>
    </Popover>
  );
}
