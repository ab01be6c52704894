import { App, Progress, Typography } from 'antd';

import { useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { useTranslation } from '../../i18n';
import { count, percent } from '../../ui/format';
import { useWhy } from '../../ui/states';
import { Note } from './Handling';
import { answers, type Detail, useChange } from './keep';

// Answer is what agents should say, and how consistently they say it.
export function Answer({ opinion: o }: { opinion: Detail }) {
  const { t } = useTranslation('opinions');
  const me = useMe();
  const { message } = App.useApp();
  const why = useWhy();
  const change = useChange(o.opinion_id);
  const agents = useGet('/api/v1/filters', {}, { staleTime: 300_000 }).data?.agents;
  const a = o.answers;
  const save = (answer: string) => change.mutate({ answer }, { onSuccess: () => void message.success(t('saved')), onError: (error) => void message.error(why(error)) });
  return (
    <section aria-label={t('answer')}>
      <header>
        <h2>{t('answer')}</h2>
        {answers(me) && <span className="muted small">{t('answer_hint')}</span>}
      </header>
      {answers(me) ? <Note key={o.answer} label={undefined} value={o.answer} placeholder={t('answer')} save={save} busy={change.isPending} /> : <Typography.Paragraph>{o.answer || <span className="muted">{t('answer_none')}</span>}</Typography.Paragraph>}
      <header style={{ marginTop: 8, marginBottom: 4 }}>
        <h2>{t('consistency')}</h2>
      </header>
      {a.replies < 2 ? (
        <span className="muted">{t('consistency_few')}</span>
      ) : (
        <>
          <span className="muted">{t(o.answer ? 'consistency_approved' : a.against ? 'consistency_common' : 'consistency_none', { n: a.replies })}</span>
          <Progress percent={Math.round(a.consistent * 100)} format={() => percent(a.consistent, 0)} />
          {!o.answer && a.against && (
            <Typography.Paragraph className="small" type="secondary" ellipsis={{ rows: 2, expandable: true }} style={{ margin: '4px 0 8px' }}>
              {t('against')}: {a.against}
            </Typography.Paragraph>
          )}
          {a.agents && a.agents.length > 0 && (
            <table className="agents-answers" aria-label={t('consistency')}>
              <thead>
                <tr>
                  <th>{t('agent')}</th>
                  <th>{t('replies')}</th>
                  <th>{t('consistent')}</th>
                </tr>
              </thead>
              <tbody>
                {a.agents.map((x) => (
                  <tr key={x.agent_id}>
                    <td>{agents?.find((g) => g.agent_id === x.agent_id)?.name || x.agent_id}</td>
                    <td className="num">{count(x.replies)}</td>
                    <td className="num">{percent(x.consistent, 0)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </>
      )}
    </section>
  );
}
