import { Flex } from 'antd';
import { Link } from 'react-router';

import { useGet } from '../../api/client';
import { useList } from '../../api/list';
import { useTranslation } from '../../i18n';
import { ExportButton } from '../../ui/ExportButton';
import type { Filters } from '../../ui/filters';
import { turnLink } from '../../ui/links';
import { Failed, More, Nothing } from '../../ui/states';
import type { Detail } from './keep';

// Quotes are the customers' own words with what the agent said to them.
export function Quotes({ opinion: o, scope }: { opinion: Detail; scope: Filters }) {
  const { t } = useTranslation('opinions');
  const list = useList('/api/v1/opinions/{opinion_id}/quotes', { path: { opinion_id: o.opinion_id }, query: scope }, { limit: 20 });
  const agents = useGet('/api/v1/filters', {}, { staleTime: 300_000 }).data?.agents;
  // the first ones stand in the opinion itself, so there is something to read at once
  const quotes = list.items ?? o.quotes.slice(0, 20);
  return (
    <section aria-label={t('quotes')}>
      <header>
        <h2>{t('quotes')}</h2>
        <span className="muted">{t('quotes_note')}</span>
        <span className="right">
          <ExportButton what="mentions" query={{ ...scope, opinion: o.opinion_id }} size="small" />
        </span>
      </header>
      {list.error && <Failed error={list.error} retry={() => void list.refetch()} />}
      {quotes.length === 0 && <Nothing text={t('no_quotes')} />}
      {quotes.map((q, i) => (
        <article key={`${q.session_id} ${q.seq} ${i}`} className="quote">
          <Flex justify="space-between" gap={16}>
            <blockquote>{q.text}</blockquote>
            <Link to={turnLink(q.session_id, q.seq)} className="small" style={{ whiteSpace: 'nowrap' }} aria-label={`${t('open_turn')} ${q.session_id}`}>
              {t('open_turn')}
            </Link>
          </Flex>
          {q.reply ? <div className="replied">{q.reply}</div> : <div className="muted small">{t('no_reply')}</div>}
          <div className="muted small">
            {[q.day, q.shop, q.agent_id && (agents?.find((a) => a.agent_id === q.agent_id)?.name || q.agent_id)].filter(Boolean).join(' · ')}
          </div>
        </article>
      ))}
      <More list={list} />
    </section>
  );
}
