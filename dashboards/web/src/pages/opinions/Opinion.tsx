import { ArrowLeftOutlined } from '@ant-design/icons';
import { App, Flex, Tag, Tooltip, Typography } from 'antd';
import { useEffect } from 'react';
import { Link, useLocation, useNavigate, useParams } from 'react-router';

import { useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { useTranslation } from '../../i18n';
import { FilterBar } from '../../ui/FilterBar';
import { address } from '../../api/address';
import { type Filters } from '../../ui/filters';
import { useFilters } from '../../ui/useFilters';
import { count } from '../../ui/format';
import { sessionsLink } from '../../ui/links';
import { Page } from '../../ui/Page';
import { Loaded, useWhy } from '../../ui/states';
import { Trend } from '../../ui/tags';
import { Answer } from './Answer';
import { Customers } from './Customers';
import { Handling } from './Handling';
import { type Detail, keeps, useChange } from './keep';
import { Members } from './Members';
import './opinions.css';
import { Parts } from './Parts';
import { Quotes } from './Quotes';
import { Course } from './Course';

// Opinion is all that is known of one opinion. The address of one that was merged leads to the one it counts for.
export default function Opinion() {
  const { t } = useTranslation('opinions');
  const { id = '' } = useParams();
  const { filters, set, reset } = useFilters();
  const place = useLocation();
  const go = useNavigate();
  const { message } = App.useApp();
  const opinion = useGet('/api/v1/opinions/{opinion_id}', { path: { opinion_id: id }, query: filters }, { placeholderData: (old) => (old?.opinion_id === id ? old : undefined) });
  const found = opinion.data;
  // What was read before a merge was undone still says that it has gone elsewhere: only a fresh answer leads there.
  const other = found !== undefined && found.opinion_id !== id;
  const moved = other && !opinion.isFetching;
  useEffect(() => {
    if (!moved || !found) return;
    void message.info(t('moved', { title: found.title }));
    void go(`/opinions/${found.opinion_id}${place.search}${place.hash}`, { replace: true, state: place.state as unknown });
  }, [moved, found, go, message, t, place]);
  useEffect(() => {
    if (found && place.hash) document.getElementById(place.hash.slice(1))?.scrollIntoView();
  }, [found, place.hash]);
  const list = (place.state as { list?: string } | null)?.list ?? address(filters);
  return (
    <Page
      title={
        <Flex align="center" gap={10}>
          <Tooltip title={t('back')}>
            <Link to={`/opinions${list}`} aria-label={t('back')}>
              <ArrowLeftOutlined />
            </Link>
          </Tooltip>
          {found && !other ? <Title opinion={found} /> : t('title')}
        </Flex>
      }
      note={found && !other && <Facts opinion={found} />}
    >
      <FilterBar filters={filters} set={set} reset={reset} fields={['period', 'shop', 'team', 'channel']} more={['business']} />
      <Loaded query={{ ...opinion, data: other ? undefined : opinion.data }} rows={12}>
        {(o) => <Body opinion={o} scope={filters} />}
      </Loaded>
    </Page>
  );
}

function Body({ opinion: o, scope }: { opinion: Detail; scope: Filters }) {
  const { t } = useTranslation('opinions');
  const figure = (name: string, n: number, to?: string) => (
    <div>
      <span className="muted">{t(name)}</span>
      <b>{to && n > 0 ? <Link to={to}>{count(n)}</Link> : count(n)}</b>
    </div>
  );
  const behind = sessionsLink({ ...scope, opinion: o.opinion_id });
  return (
    <div className="opinion">
      <div>
        <section className="figures">
          {figure('mentions', o.mentions, behind)}
          {figure('sessions', o.sessions, behind)}
          {figure('customers', o.customers, '#customers')}
          <div>
            <span className="muted">{t('week')}</span>
            <Tooltip title={t('week_about', { week: o.week, before: o.week_before })}>
              <b>
                {count(o.week)} <span className="muted small">/ {count(o.week_before)}</span>
              </b>
            </Tooltip>
          </div>
        </section>
        <Course opinion={o} scope={scope} />
        <Quotes opinion={o} scope={scope} />
      </div>
      <div>
        <Handling key={`h${o.opinion_id}`} opinion={o} />
        <Answer key={`a${o.opinion_id}`} opinion={o} />
        <Members key={`m${o.opinion_id}`} opinion={o} />
        <Parts opinion={o} />
        <Customers opinion={o} scope={scope} />
      </div>
    </div>
  );
}

// Title is the title, renamed in its place by who keeps opinions.
function Title({ opinion: o }: { opinion: Detail }) {
  const { t } = useTranslation('opinions');
  const me = useMe();
  const { message } = App.useApp();
  const why = useWhy();
  const change = useChange(o.opinion_id);
  useEffect(() => {
    document.title = `${o.title} · ${t('common:brand')}`;
  }, [o.title, t]);
  const rename = (title: string) => {
    if (title.trim() === '' || title.trim() === o.title) return;
    change.mutate({ title: title.trim() }, { onSuccess: () => void message.success(t('saved')), onError: (error) => void message.error(why(error)) });
  };
  return (
    <Typography.Text
      style={{ fontSize: 20, fontWeight: 600, minWidth: 200 }}
      editable={keeps(me) ? { text: o.title, onChange: rename, tooltip: `${t('rename')}: ${t('rename_hint')}`, maxLength: 60, enterIcon: null } : false}
    >
      {change.isPending ? (change.variables.title ?? o.title) : o.title}
    </Typography.Text>
  );
}

function Facts({ opinion: o }: { opinion: Detail }) {
  const { t } = useTranslation('opinions');
  const merged = o.merged.length;
  return (
    <Flex gap={8} align="center" wrap>
      <Trend value={o.trend} />
      <span>
        {[t(`common:aspect.${o.aspect}`, { defaultValue: o.aspect }), t(`common:kind.${o.kind}`, { defaultValue: o.kind }), o.product].filter(Boolean).join(' · ')}
      </span>
      <span>
        {t('first_seen')} {o.first_seen ?? '–'} · {t('last_seen')} {o.last_seen ?? '–'}
      </span>
      {merged > 0 && (
        <a href="#parts">
          <Tag style={{ cursor: 'pointer' }}>{t('merged_ids', { n: merged })}</Tag>
        </a>
      )}
    </Flex>
  );
}
