import { CloseCircleOutlined, FilterOutlined } from '@ant-design/icons';
import { Badge, Button, DatePicker, Flex, Grid, Input, InputNumber, Popover, Select, Space, Typography } from 'antd';
import dayjs from 'dayjs';
import { useState } from 'react';

import { useGet } from '../api/client';
import { useMe } from '../api/me';
import { useTranslation } from '../i18n';
import { type Filters } from './filters';
import { addDays } from './days';
import { count } from './format';
import { useRuleName } from './tags';

// Filters whose values are fixed; their words are `name.value` in common.ts, unless another prefix is said.
const fixed: Record<string, { values: string[]; words?: string; single?: boolean }> = {
  severity: { values: ['critical', 'major', 'minor', 'info'] },
  business: { values: ['presales', 'insales', 'aftersales', 'followup'] },
  emotion: { values: ['satisfied', 'grateful', 'hopeful', 'apologetic', 'surprised', 'confused', 'urgent', 'worried', 'disappointed', 'aggrieved', 'angry', 'annoyed', 'neutral'] },
  kind: { values: ['question', 'complaint', 'praise', 'suggestion', 'request', 'bug'] },
  aspect: { values: ['quality', 'spec', 'price', 'stock', 'logistics', 'aftersales', 'order', 'function', 'account', 'service', 'packaging', 'other'] },
  decision: { values: ['-', 'confirm', 'dismiss', 'appeal', 'uphold', 'overturn'] },
  state: { values: ['open', 'closed'], single: true },
  flagged: { values: ['1', '0'], single: true },
  reviewed: { values: ['0', '1'], single: true },
  appeal: { values: ['1', '0'], single: true },
  conflict: { values: ['1', '0'], single: true },
  role: { values: ['customer', 'agent', 'bot', 'system'] },
  status: { values: ['new', 'accepted', 'fixed', 'declined'], words: 'opinion_status' },
  trend: { values: ['new', 'rising', 'steady', 'fading'] },
  polarity: { values: ['negative', 'positive'], single: true },
  profile: { values: ['generic', 'taobao', 'jd', 'douyin'], single: true },
  alert_state: { values: ['stored', 'sent', 'failed', 'acknowledged', 'superseded'] },
  alert_kind: { values: ['hit', 'waiting', 'correlation'] },
};

export interface FilterBarProps {
  filters: Filters;
  set: (changes: Record<string, string | string[] | number | undefined | null>) => void;
  reset?: () => void;
  // fields are shown in this order; 'period' is from and to, 'score' both ends. What is behind `more` folds away.
  fields: string[];
  more?: string[];
  // extra values of filters that the page knows better, such as owners or departments.
  values?: Record<string, string[]>;
  // counts say beside a value how much there is of it, by field and value; a field that is filtered by already shows none.
  counts?: Record<string, Map<string, number>>;
  children?: React.ReactNode;
}

// FilterBar shows the filters of a page over its content. What may be chosen comes from the API.
export function FilterBar({ filters, set, reset, fields, more = [], values, counts, children }: FilterBarProps) {
  const { t } = useTranslation();
  const wide = Grid.useBreakpoint().md ?? true;
  const folded = wide ? more : [...fields.filter((f) => f !== 'q'), ...more];
  const shown = wide ? fields : fields.filter((f) => f === 'q');
  const hidden = folded.flatMap((f) => (f === 'period' ? ['from', 'to'] : f === 'score' ? ['score_min', 'score_max'] : [f])).filter((f) => f in filters).length;
  const any = Object.keys(filters).length > 0;
  const one = (name: string, block = false) => <Field key={name} name={name} filters={filters} set={set} values={values} counts={filters[name] === undefined ? counts?.[name] : undefined} block={block} />;
  return (
    <Flex wrap gap={8} align="center" className="filters" role="search">
      {shown.map((f) => one(f))}
      {folded.length > 0 && (
        <Popover
          trigger="click"
          placement="bottomLeft"
          content={
            <Space orientation="vertical" style={{ width: 280, maxHeight: '60vh', overflowY: 'auto' }}>
              {folded.map((f) => one(f, true))}
            </Space>
          }
        >
          <Badge count={hidden} size="small" color="blue">
            <Button icon={<FilterOutlined />}>{t(shown.length > 0 ? 'more' : 'filters')}</Button>
          </Badge>
        </Popover>
      )}
      {reset && any && (
        <Button type="text" icon={<CloseCircleOutlined />} onClick={reset}>
          {t('reset')}
        </Button>
      )}
      {children && <div style={{ marginInlineStart: 'auto' }}>{children}</div>}
    </Flex>
  );
}

interface FieldProps extends Pick<FilterBarProps, 'filters' | 'set' | 'values'> {
  name: string;
  counts?: Map<string, number>;
}

// counted adds how much there is of each value.
function counted(options: { value: string; label: string }[], counts?: Map<string, number>) {
  return counts ? options.map((o) => ({ ...o, label: `${o.label} · ${count(counts.get(o.value === '-' ? '' : o.value) ?? 0)}` })) : options;
}

function Field({ name, filters, set, values, counts, block }: FieldProps & { block: boolean }) {
  const { t } = useTranslation();
  const width = block ? { width: '100%' } : { minWidth: 132 };
  switch (name) {
    case 'period':
      return <Period filters={filters} set={set} block={block} />;
    case 'q':
      return <Words key={String(filters.q ?? '')} value={filters.q as string} onChange={(q) => set({ q })} width={block ? '100%' : 220} />;
    case 'score':
      return (
        <Space.Compact style={block ? { width: '100%' } : undefined}>
          <InputNumber aria-label={t('score_min')} placeholder={t('score_min')} min={0} max={100} value={filters.score_min === undefined ? null : Number(filters.score_min)} onChange={(v) => set({ score_min: v })} style={{ width: block ? '50%' : 116 }} />
          <InputNumber aria-label={t('score_max')} placeholder={t('score_max')} min={0} max={100} value={filters.score_max === undefined ? null : Number(filters.score_max)} onChange={(v) => set({ score_max: v })} style={{ width: block ? '50%' : 116 }} />
        </Space.Compact>
      );
    case 'customer':
      return <Words key={String(filters.customer ?? '')} label={t('customer')} value={filters.customer as string} onChange={(customer) => set({ customer })} width={block ? '100%' : 180} />;
    default: {
      const f = fixed[name];
      if (f) {
        const options = counted(
          f.values.map((v) => ({ value: v, label: t(`${f.words ?? name}.${v}`, { defaultValue: v }) })),
          counts,
        );
        return (
          <Select
            aria-label={t(name)}
            placeholder={t(name)}
            mode={f.single ? undefined : 'multiple'}
            maxTagCount="responsive"
            allowClear
            options={options}
            value={filters[name]}
            onChange={(v: string | string[] | undefined) => set({ [name]: v })}
            style={width}
            popupMatchSelectWidth={false}
          />
        );
      }
      return <OfferedField name={name} filters={filters} set={set} values={values} counts={counts} width={width} />;
    }
  }
}

// OfferedField takes values that stand in the data: shops, teams, agents and so on.
function OfferedField({ name, filters, set, values, counts, width }: FieldProps & { width: object }) {
  const { t } = useTranslation();
  const ruleName = useRuleName();
  const offered = useGet('/api/v1/filters', {}, { staleTime: 300_000 });
  const o = offered.data;
  const own = values?.[name];
  let options: { value: string; label: string }[] = [];
  if (own) options = own.map((v) => ({ value: v, label: v === '-' ? t('none') : v }));
  else if (o) {
    switch (name) {
      case 'agent':
        options = o.agents.map((a) => ({ value: a.agent_id, label: a.name ? `${a.name} (${a.agent_id})` : a.agent_id }));
        break;
      case 'rule':
        options = o.rules.map((r) => ({ value: r, label: ruleName(r) }));
        break;
      case 'channel':
        options = o.channels.map((c) => ({ value: c || '-', label: c ? t(`channel.${c}`, { defaultValue: c }) : t('none') }));
        break;
      default:
        options = ((o as unknown as Record<string, string[]>)[`${name}s`] ?? []).map((v) => ({ value: v || '-', label: v || t('none') }));
    }
  }
  return (
    <Select
      aria-label={t(name)}
      placeholder={t(name)}
      mode="multiple"
      maxTagCount="responsive"
      allowClear
      showSearch={{ optionFilterProp: 'label' }}
      loading={offered.isLoading && !own}
      options={counted(options, counts)}
      value={filters[name] as string[] | undefined}
      onChange={(v: string[]) => set({ [name]: v })}
      style={width}
      popupMatchSelectWidth={false}
    />
  );
}

// Words is a text that counts once it is confirmed, so that not every letter asks the server.
function Words({ value, onChange, width, label }: { value?: string; onChange: (v: string) => void; width: number | string; label?: string }) {
  const { t } = useTranslation();
  const [text, setText] = useState(value ?? '');
  return (
    <Input.Search
      aria-label={label ?? t('q')}
      placeholder={label ?? t('q')}
      allowClear
      maxLength={200}
      value={text}
      onChange={(e) => {
        setText(e.target.value);
        if (e.target.value === '' && value) onChange('');
      }}
      onSearch={(v) => onChange(v.trim())}
      style={{ width }}
    />
  );
}

function Period({ filters, set, block }: Pick<FilterBarProps, 'filters' | 'set'> & { block: boolean }) {
  const { t } = useTranslation();
  const { today } = useMe();
  const last = useGet('/api/v1/filters', {}, { staleTime: 300_000 }).data?.last_day ?? today;
  // Data of the past (an import, the demo) have no today: periods count back from the last day there is.
  const end = last < today ? last : today;
  const d = (day: string) => dayjs(day);
  const value: [dayjs.Dayjs | null, dayjs.Dayjs | null] = [filters.from ? d(filters.from as string) : null, filters.to ? d(filters.to as string) : null];
  return (
    <DatePicker.RangePicker
      aria-label={t('period')}
      allowEmpty={[true, true]}
      value={value}
      style={block ? { width: '100%' } : { width: 250 }}
      presets={[
        { label: t('today'), value: [d(today), d(today)] },
        { label: t('last_7_days'), value: [d(addDays(end, -6)), d(end)] },
        { label: t('last_30_days'), value: [d(addDays(end, -29)), d(end)] },
        { label: t('last_90_days'), value: [d(addDays(end, -89)), d(end)] },
      ]}
      onChange={(range) => set({ from: range?.[0]?.format('YYYY-MM-DD'), to: range?.[1]?.format('YYYY-MM-DD') })}
      renderExtraFooter={() => (end < today ? <Typography.Text type="secondary">{t('data_until', { day: end })}</Typography.Text> : null)}
    />
  );
}
