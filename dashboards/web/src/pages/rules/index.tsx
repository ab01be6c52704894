import { PlusOutlined } from '@ant-design/icons';
import { Alert, Button, Dropdown, Flex, Table, Tabs, Tag, Tooltip } from 'antd';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';

import { type Schemas, useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { language, useTranslation } from '../../i18n';
import { FilterBar } from '../../ui/FilterBar';
import { useFilters } from '../../ui/useFilters';
import { count, decimal, percent, time } from '../../ui/format';
import { ownPack, packLink, sessionsLink } from '../../ui/links';
import { Page } from '../../ui/Page';
import { Loaded, Nothing } from '../../ui/states';
import { Severity, useRuleName } from '../../ui/tags';
import { useSoon } from '../../ui/useSoon';
import { History } from './History';

// Rules lists the rules in use with what they found and how right people say they are.
export default function Rules() {
  const { t } = useTranslation('rules');
  const me = useMe();
  const { filters, set, reset, params } = useFilters({}, ['tab']);
  const query = useGet('/api/v1/rules', { query: filters });
  const tab = params.get('tab') ?? 'rules';
  return (
    <Page title={t('title')} note={query.data && t('version', { version: query.data.version })} extra={is(me, 'admin', 'supervisor') && <NewRule packs={query.data?.packs ?? []} />}>
      {query.data?.problems.map((p) => (
        <Alert key={p.pack + p.version} type="error" showIcon style={{ marginBottom: 12 }} title={t('not_in_use', { pack: `${p.pack}@${p.version}`, author: p.author })} description={p.reason} />
      ))}
      <Tabs
        activeKey={tab}
        onChange={(key) => set({ tab: key === 'rules' ? undefined : key })}
        items={[
          {
            key: 'rules',
            label: t('rules'),
            children: (
              <>
                <FilterBar filters={filters} set={set} reset={reset} fields={['period', 'shop', 'channel']} more={['business', 'team']} />
                <Loaded query={query}>{(data) => <RuleTable rules={data.rules} filters={filters} />}</Loaded>
              </>
            ),
          },
          { key: 'packs', label: t('packs'), children: <Loaded query={query}>{(data) => <Packs packs={data.packs} rules={data.rules} />}</Loaded> },
          { key: 'history', label: t('history'), children: <History /> },
        ]}
      />
    </Page>
  );
}

function NewRule({ packs }: { packs: Schemas['Pack'][] }) {
  const { t } = useTranslation('rules');
  const go = useNavigate();
  const forms = useGet('/api/v1/rules/forms', {}, { staleTime: Infinity });
  // Rules of the browser go into the pack that was published last, else into a pack of their own: the built-in ones
  // come new with every version of the program.
  const into = packs.find((p) => p.origin === 'published')?.id ?? ownPack;
  return (
    <Dropdown
      trigger={['click']}
      menu={{
        items: (forms.data?.items ?? []).map((f) => ({
          key: f.id,
          label: (
            <div style={{ maxWidth: 340 }}>
              <b>{f.label[language()]}</b>
              <div className="muted" style={{ whiteSpace: 'normal' }}>
                {f.help[language()]}
              </div>
            </div>
          ),
          onClick: () => void go(packLink(into, { form: f.id })),
        })),
      }}
    >
      <Button type="primary" icon={<PlusOutlined />}>
        {t('new_rule')}
      </Button>
    </Dropdown>
  );
}

function RuleTable({ rules, filters }: { rules: Schemas['RuleRow'][]; filters: Record<string, unknown> }) {
  const { t } = useTranslation('rules');
  const [dimension, setDimension] = useState<string[]>();
  const ruleName = useRuleName();
  const soon = useSoon(rules, 20);
  if (rules.length === 0) return <Nothing text={t('no_rules')} />;
  const number = { align: 'right' as const };
  const dimensions = [...new Set(rules.map((r) => r.dimension ?? ''))];
  const rank = ['info', 'minor', 'major', 'critical'];
  return (
    <Table
      size="small"
      rowKey={(r) => `${r.pack}/${r.id}`}
      pagination={false}
      dataSource={soon.filter((r) => !dimension?.length || dimension.includes(r.dimension ?? ''))}
      scroll={{ x: 1080 }}
      onChange={(_, chosen) => setDimension(chosen.dimension as string[] | undefined)}
      columns={[
        {
          title: t('rule'),
          render: (_, r) => (
            <>
              <Link to={packLink(r.pack, { rule: r.id })}>{ruleName(r.id, r.name)}</Link> <span className="muted">{r.id}</span>
            </>
          ),
          sorter: (a, b) => a.name.localeCompare(b.name),
        },
        { title: t('dimension'), dataIndex: 'dimension', key: 'dimension', render: (d?: string) => d && t(`common:dimension.${d}`, { defaultValue: d }), filters: dimensions.map((d) => ({ value: d, text: d ? t(`common:dimension.${d}`, { defaultValue: d }) : t('none') })), filterMultiple: true },
        { title: t('severity'), dataIndex: 'severity', render: (s: string) => <Severity value={s} />, sorter: (a, b) => rank.indexOf(a.severity) - rank.indexOf(b.severity) },
        { title: t('points'), dataIndex: 'points', ...number, render: (p: number) => decimal(p), sorter: (a, b) => a.points - b.points },
        { title: t('hits'), dataIndex: 'hits', ...number, render: (n: number, r) => (n > 0 ? <Link to={sessionsLink({ ...filters, rule: r.id })}>{count(n)}</Link> : '0'), sorter: (a, b) => a.hits - b.hits, defaultSortOrder: 'descend' },
        { title: t('fail_rate'), ...number, render: (_, r) => <FailRate outcomes={r.outcomes as Record<string, number>} />, sorter: (a, b) => (failRate(a.outcomes as Record<string, number>) ?? -1) - (failRate(b.outcomes as Record<string, number>) ?? -1) },
        {
          title: <Tooltip title={t('precision_help')}>{t('precision')}</Tooltip>,
          ...number,
          render: (_, r) => (
            <Tooltip title={t('decisions', { confirmed: r.confirmed, dismissed: r.dismissed })}>
              <span>{percent(r.precision, 0)}</span>
            </Tooltip>
          ),
          sorter: (a, b) => (a.precision ?? 2) - (b.precision ?? 2),
        },
        { title: t('tests'), dataIndex: 'tests', ...number },
        { title: t('last_day'), dataIndex: 'last_day', ...number, render: (d: string | null) => d ?? '–' },
        { title: t('pack'), render: (_, r) => <Link to={packLink(r.pack)}>{r.pack}</Link> },
      ]}
    />
  );
}

// failRate is the share of the sessions that a rule speaks of in which it found something (0..1), null for none.
export function failRate(o: Record<string, number>): number | null {
  const fired = (o.fail ?? 0) + (o.present ?? 0);
  const of = fired + (o.pass ?? 0) + (o.absent ?? 0);
  return of === 0 ? null : fired / of;
}

function FailRate({ outcomes }: { outcomes: Record<string, number> }) {
  const { t } = useTranslation('rules');
  const text = Object.entries(outcomes)
    .filter(([, n]) => n > 0)
    .map(([o, n]) => `${t(`outcome.${o}`)} ${n}`)
    .join(' · ');
  return (
    <Tooltip title={text}>
      <span>{percent(failRate(outcomes), 0)}</span>
    </Tooltip>
  );
}

function Packs({ packs, rules }: { packs: Schemas['Pack'][]; rules: Schemas['RuleRow'][] }) {
  const { t } = useTranslation('rules');
  return (
    <Flex vertical gap={12}>
      <span className="muted">{t('packs_note')}</span>
      <Table
        size="small"
        rowKey="id"
        pagination={false}
        dataSource={packs}
        scroll={{ x: 760 }}
        columns={[
          { title: t('pack'), render: (_, p) => <Link to={packLink(p.id)}>{p.id}</Link> },
          { title: t('its_version'), dataIndex: 'version' },
          { title: t('origin'), dataIndex: 'origin', render: (o: string) => <Tag color={o === 'published' ? 'green' : 'default'}>{t(`origin.${o}`, { defaultValue: o })}</Tag> },
          { title: t('rules'), align: 'right', render: (_, p) => rules.filter((r) => r.pack === p.id).length },
          { title: t('author'), dataIndex: 'author', render: (a?: string) => a || '–' },
          { title: t('at'), dataIndex: 'at', render: (at?: string) => time(at) },
          { title: t('what_changed'), dataIndex: 'note' },
        ]}
      />
    </Flex>
  );
}
