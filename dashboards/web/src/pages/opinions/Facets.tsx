import { Button, Checkbox, Flex } from 'antd';
import { useState } from 'react';

import { useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { type Filters } from '../../ui/filters';
import { count } from '../../ui/format';
import { statuses } from './keep';

// facets are the filters of the list whose values stand beside it, with the words of a value and of an empty one.
const facets: { name: string; words?: string; none?: string; order?: string[] }[] = [
  { name: 'trend', words: 'trend', order: ['new', 'rising', 'steady', 'fading'] },
  { name: 'status', words: 'opinion_status', order: statuses },
  { name: 'kind', words: 'kind' },
  { name: 'aspect', words: 'aspect' },
  { name: 'department', none: 'no_department' },
  { name: 'product', none: 'no_product' },
  { name: 'owner', none: 'nobody' },
];

const few = 7;

// useFacet counts the values of a facet under all other filters, so that one can see what a further value would add.
// Facets without a choice of their own share one question.
function useFacet(name: string, filters: Filters) {
  const { sort: _, [name]: __, ...others } = filters;
  return useGet('/api/v1/opinions/counts', { query: others }, { placeholderData: (old) => old }).data?.by[name];
}

export function Facets({ filters, set }: { filters: Filters; set: (changes: Record<string, string[]>) => void }) {
  return (
    <div className="facets">
      {facets.map((f) => (
        <Facet key={f.name} {...f} filters={filters} set={set} />
      ))}
    </div>
  );
}

function Facet({ name, words, none, order, filters, set }: (typeof facets)[number] & { filters: Filters; set: (changes: Record<string, string[]>) => void }) {
  const { t } = useTranslation('opinions');
  const [all, setAll] = useState(false);
  const counted = useFacet(name, filters) ?? [];
  const chosen = (filters[name] as string[] | undefined) ?? [];
  const values = counted.map((x) => ({ value: x.value === '' ? '-' : x.value, n: x.opinions })).filter((x) => x.value !== '-' || none);
  if (order) values.sort((a, b) => order.indexOf(a.value) - order.indexOf(b.value));
  for (const v of chosen) if (!values.some((x) => x.value === v)) values.push({ value: v, n: 0 });
  if (values.length === 0) return null;
  const shown = all ? values : values.filter((x, i) => i < few || chosen.includes(x.value));
  const label = (v: string) => (v === '-' ? t(none ?? 'common:none') : words ? t(`common:${words}.${v}`, { defaultValue: v }) : v);
  return (
    <fieldset>
      <legend>
        {t(`common:${name}`)}
        {chosen.length > 0 && (
          <Button type="link" size="small" onClick={() => set({ [name]: [] })}>
            {t('reset')}
          </Button>
        )}
      </legend>
      {shown.map((x) => (
        <Flex key={x.value} justify="space-between" gap={8}>
          <Checkbox checked={chosen.includes(x.value)} onChange={(e) => set({ [name]: e.target.checked ? [...chosen, x.value] : chosen.filter((v) => v !== x.value) })}>
            {label(x.value)}
          </Checkbox>
          <span className="muted num">{count(x.n)}</span>
        </Flex>
      ))}
      {values.length > shown.length && (
        <Button type="link" size="small" style={{ padding: 0 }} onClick={() => setAll(true)}>
          {t('common:more')} ({values.length - shown.length})
        </Button>
      )}
    </fieldset>
  );
}
