import { ExperimentOutlined, SaveOutlined } from '@ant-design/icons';
import { Button, Input, Skeleton, Switch } from 'antd';
import { useMemo, useState } from 'react';

import { useGet } from '../../api/client';
import { useList } from '../../api/list';
import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { useTranslation } from '../../i18n';
import { ExportButton } from '../../ui/ExportButton';
import { FilterBar } from '../../ui/FilterBar';
import { address } from '../../api/address';
import { useFilters } from '../../ui/useFilters';
import { count } from '../../ui/format';
import { Page } from '../../ui/Page';
import { Failed, More, Nothing } from '../../ui/states';
import { Hits } from './Hits';
import { MakeRule } from './MakeRule';
import { Naming, Saved, useSaving } from './Saved';
import './search.css';

const own = ['group'];

// Search looks for words in all that was said.
export default function Search() {
  const { t } = useTranslation('search');
  const me = useMe();
  const { filters, set, params, reset } = useFilters({}, own);
  const grouped = params.get('group') === '1';
  const asked = Object.keys(filters).length > 0;
  const found = useList('/api/v1/turns', { query: filters }, { limit: 50, enabled: asked });
  const offered = useGet('/api/v1/filters', {}, { staleTime: 300_000 });
  const agents = useMemo(() => new Map(offered.data?.agents.map((a) => [a.agent_id, a.name])), [offered.data]);
  const [naming, setNaming] = useState(false);
  const [making, setMaking] = useState(false);
  const saving = useSaving();
  const query = address(filters).slice(1);
  const words = String(filters.q ?? '');
  const roles = (filters.role ?? []) as string[];

  return (
    <Page title={t('title')}>
      <div className="search-layout">
        <div>
          <Box key={words} words={words} search={(q) => set({ q })} />
          <FilterBar filters={filters} set={set} reset={reset} fields={['role', 'period', 'shop', 'agent']} more={['team', 'channel', 'business', 'emotion', 'rule', 'severity', 'decision', 'kind', 'aspect', 'product', 'score', 'flagged', 'state', 'customer']} />
          {asked && (
            <div className="search-bar">
              {found.first && !found.stale && (
                <span role="status" className="num">
                  {t('result', { turns: count(found.first.total), sessions: count(found.first.sessions) })}
                </span>
              )}
              <label>
                <Switch size="small" aria-label={t('group')} checked={grouped} onChange={(v) => set({ group: v ? '1' : undefined })} /> {t('group')}
              </label>
              <span className="search-do">
                <Button icon={<SaveOutlined />} onClick={() => setNaming(true)}>
                  {t('save_search')}
                </Button>
                {words && is(me, 'admin', 'supervisor') && (
                  <Button icon={<ExperimentOutlined />} onClick={() => setMaking(true)}>
                    {t('make_rule')}
                  </Button>
                )}
                <ExportButton what="turns" query={filters} />
              </span>
            </div>
          )}
          {!asked ? (
            <Nothing text={t('start')}>
              <span className="muted">{t('start_help')}</span>
            </Nothing>
          ) : found.error && !found.items ? (
            <Failed error={found.error} retry={() => void found.refetch()} />
          ) : !found.items ? (
            <Skeleton active paragraph={{ rows: 8 }} />
          ) : found.items.length === 0 ? (
            <Nothing text={t('nothing')}>
              <span className="muted">{t('start_help')}</span>
            </Nothing>
          ) : (
            <div style={{ opacity: found.stale ? 0.6 : 1 }}>
              <Hits turns={found.items} grouped={grouped} agents={agents} />
            </div>
          )}
          {asked && <More list={found} />}
        </div>
        <Saved current={query} />
      </div>
      <Naming id="save" title={t('save_search')} open={naming} name={words} shared={false} busy={saving.busy} close={() => setNaming(false)} done={(name, shared) => saving.run({ body: { name, target: 'turns', query, shared } }, () => setNaming(false))} />
      <MakeRule open={making} words={words} role={roles.length === 1 && roles[0] === 'customer' ? 'customer' : 'agent'} close={() => setMaking(false)} />
    </Page>
  );
}

function Box({ words, search }: { words: string; search: (q: string) => void }) {
  const { t } = useTranslation('search');
  const [text, setText] = useState(words);
  return (
    <Input.Search
      className="search-box"
      size="large"
      aria-label={t('box')}
      placeholder={t('box')}
      enterButton={t('go')}
      allowClear
      autoFocus={words === ''}
      maxLength={200}
      value={text}
      onChange={(e) => {
        setText(e.target.value);
        if (e.target.value === '' && words) search('');
      }}
      onSearch={(v) => search(v.trim())}
    />
  );
}
