import { UndoOutlined } from '@ant-design/icons';
import { App, Button, Popconfirm, Tooltip } from 'antd';
import { useNavigate } from 'react-router';

import { useMe } from '../../api/me';
import { useTranslation } from '../../i18n';
import { count, time } from '../../ui/format';
import { useWhy } from '../../ui/states';
import { type Detail, keeps, useUnmerge } from './keep';

// Parts are the opinions that were merged into this one; each merge can be taken back.
export function Parts({ opinion: o }: { opinion: Detail }) {
  const { t } = useTranslation('opinions');
  const me = useMe();
  const { message } = App.useApp();
  const why = useWhy();
  const go = useNavigate();
  const unmerge = useUnmerge(o.opinion_id);
  if (o.parts.length === 0) return null;
  const undo = (part: Detail['parts'][number]) =>
    unmerge.mutate([part.opinion_id], {
      onSuccess: () =>
        void message.success(
          <>
            {t('undo_done', { title: part.title })}{' '}
            <Button type="link" size="small" onClick={() => void go(`/opinions/${part.opinion_id}`)}>
              {t('split_open')}
            </Button>
          </>,
          6,
        ),
      onError: (error) => void message.error(why(error)),
    });
  return (
    <section id="parts" aria-label={t('parts')} style={{ scrollMarginTop: 72 }}>
      <header>
        <h2>{t('parts')}</h2>
        <span className="muted small">{t('parts_note')}</span>
      </header>
      <ul className="parts" aria-label={t('parts')}>
        {o.parts.map((p) => (
          <li key={p.opinion_id}>
            <div>
              <span>{p.title}</span>
              <div className="muted small">{t('part_about', { n: count(p.mentions), by: p.by, at: time(p.at, 'YYYY-MM-DD') })}</div>
            </div>
            {keeps(me) &&
              (p.undo ? (
                <Popconfirm
                  placement="topRight"
                  title={t('undo_ask', { title: p.title })}
                  description={<div style={{ maxWidth: 280 }}>{p.with.length > 0 ? t('undo_about_with', { n: p.with.length }) : t('undo_about')}</div>}
                  okText={t('undo')}
                  onConfirm={() => undo(p)}
                >
                  <Button size="small" icon={<UndoOutlined />} loading={unmerge.isPending && unmerge.variables.includes(p.opinion_id)}>
                    {t('undo')}
                  </Button>
                </Popconfirm>
              ) : (
                <Tooltip title={t('undo_not')}>
                  <Button size="small" icon={<UndoOutlined />} disabled>
                    {t('undo')}
                  </Button>
                </Tooltip>
              ))}
          </li>
        ))}
      </ul>
    </section>
  );
}
