import { App, Button, Checkbox, Input, Modal, Tag, Typography } from 'antd';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { useMe } from '../../api/me';
import { useTranslation } from '../../i18n';
import { useWhy } from '../../ui/states';
import { type Detail, keeps, useSplit } from './keep';

// Members are the ways to say it; those that are another matter are split off.
export function Members({ opinion: o }: { opinion: Detail }) {
  const { t } = useTranslation('opinions');
  const me = useMe();
  const [find, setFind] = useState('');
  const [picked, setPicked] = useState<string[]>([]);
  const [asked, setAsked] = useState(false);
  const split = keeps(me) && o.members.length > 1;
  const chosen = picked.filter((m) => o.members.includes(m));
  const shown = o.members.filter((m) => m.includes(find.trim().toLowerCase()));
  return (
    <section aria-label={t('members')}>
      <header>
        <h2>{t('members')}</h2>
        <span className="muted small">{t('members_note', { n: o.members.length })}</span>
        {split && (
          <span className="right">
            <Button size="small" disabled={chosen.length === 0 || chosen.length === o.members.length} title={chosen.length === o.members.length ? t('split_all') : undefined} onClick={() => setAsked(true)}>
              {t('split')}
              {chosen.length > 0 ? ` (${chosen.length})` : ''}
            </Button>
          </span>
        )}
      </header>
      {split && <div className="muted small" style={{ marginBottom: 8 }}>{t('split_pick')}</div>}
      {o.members.length > 12 && <Input size="small" allowClear placeholder={t('find_member')} aria-label={t('find_member')} value={find} onChange={(e) => setFind(e.target.value)} style={{ marginBottom: 8 }} />}
      <div className="members">
        {shown.map((m) =>
          split ? (
            <Checkbox key={m} checked={chosen.includes(m)} onChange={(e) => setPicked(e.target.checked ? [...chosen, m] : chosen.filter((x) => x !== m))}>
              {m}
            </Checkbox>
          ) : (
            <Tag key={m} style={{ marginBottom: 4, whiteSpace: 'normal' }}>
              {m}
            </Tag>
          ),
        )}
      </div>
      {o.merged.length > 0 && <div className="muted small" style={{ marginTop: 8 }}>{t('members_merged', { n: o.merged.length })}</div>}
      {asked && <Split opinion={o} members={chosen} close={() => setAsked(false)} done={() => (setAsked(false), setPicked([]))} />}
    </section>
  );
}

function Split({ opinion: o, members, close, done }: { opinion: Detail; members: string[]; close: () => void; done: () => void }) {
  const { t } = useTranslation('opinions');
  const { message } = App.useApp();
  const why = useWhy();
  const go = useNavigate();
  const split = useSplit(o.opinion_id);
  const [title, setTitle] = useState('');
  const run = () =>
    split.mutate(
      { members, title: title.trim() || undefined },
      {
        onSuccess: (row) => {
          done();
          void message.success(
            <>
              {t('split_done', { title: row.title })}{' '}
              <Button type="link" size="small" onClick={() => void go(`/opinions/${row.opinion_id}`)}>
                {t('split_open')}
              </Button>
            </>,
            6,
          );
        },
        onError: (error) => void message.error(why(error)),
      },
    );
  return (
    <Modal open title={t('split_title', { n: members.length })} onCancel={close} onOk={run} okText={t('split')} confirmLoading={split.isPending} width={480}>
      <div style={{ maxHeight: 200, overflowY: 'auto', marginBottom: 12 }}>
        {members.map((m) => (
          <Tag key={m} style={{ marginBottom: 4 }}>
            {m}
          </Tag>
        ))}
      </div>
      <Typography.Text>{t('split_name')}</Typography.Text>
      <Input aria-label={t('split_name')} placeholder={t('split_name_hint')} value={title} maxLength={60} onChange={(e) => setTitle(e.target.value)} onPressEnter={run} />
    </Modal>
  );
}
