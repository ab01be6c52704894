import { EllipsisOutlined } from '@ant-design/icons';
import { App, Button, Card, Dropdown, Form, Input, Modal, Switch, Tag } from 'antd';
import { useEffect, useState } from 'react';
import { Link } from 'react-router';

import { api, type Schemas, useAct, useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { Loaded, useWhy } from '../../ui/states';

type Search = Schemas['SearchRow'];
export type SearchBody = Schemas['SearchBody'];

// addressOf is where a saved search is looked at: one of utterances here, one of sessions in the list of sessions.
export function addressOf(search: Pick<Search, 'target' | 'query'>): string {
  return `${search.target === 'sessions' ? '/sessions' : '/search'}${search.query ? `?${search.query}` : ''}`;
}

// useSaving saves a search: a new one, or a change of one's own.
export function useSaving() {
  const { t } = useTranslation('search');
  const { message } = App.useApp();
  const why = useWhy();
  const save = useAct(
    async ({ id, body }: { id?: string; body: SearchBody }) => {
      if (id) await api.PUT('/api/v1/searches/{search_id}', { params: { path: { search_id: id } }, body });
      else await api.POST('/api/v1/searches', { body });
    },
    ['/api/v1/searches'],
  );
  return {
    busy: save.isPending,
    run: (input: { id?: string; body: SearchBody }, done?: () => void) =>
      save.mutate(input, {
        onSuccess: () => {
          void message.success(t('saved_done'));
          done?.();
        },
        onError: (error) => void message.error(why(error)),
      }),
  };
}

// Saved lists the saved searches; `current` is the query of the page now.
export function Saved({ current }: { current: string }) {
  const { t } = useTranslation('search');
  const { message, modal } = App.useApp();
  const why = useWhy();
  const list = useGet('/api/v1/searches');
  const saving = useSaving();
  const [naming, setNaming] = useState<Search | null>(null);
  const remove = useAct(async (id: string) => {
    await api.DELETE('/api/v1/searches/{search_id}', { params: { path: { search_id: id } } });
  }, ['/api/v1/searches']);
  const body = (s: Search, change: Partial<SearchBody> = {}): SearchBody => ({ name: s.name, target: s.target, query: s.query, shared: s.shared, ...change });
  const items = (s: Search) => [
    { key: 'rename', label: t('rename'), onClick: () => setNaming(s) },
    ...(s.target === 'turns' ? [{ key: 'update', label: t('update'), onClick: () => saving.run({ id: s.search_id, body: body(s, { query: current }) }) }] : []),
    { key: 'share', label: t(s.shared ? 'unshare' : 'share'), onClick: () => saving.run({ id: s.search_id, body: body(s, { shared: !s.shared }) }) },
    {
      key: 'delete',
      danger: true,
      label: t('delete'),
      onClick: () =>
        void modal.confirm({
          title: t('delete_ask', { name: s.name }),
          okText: t('delete'),
          cancelText: t('cancel'),
          okButtonProps: { danger: true },
          onOk: () =>
            remove.mutateAsync(s.search_id).then(
              () => void message.success(t('deleted')),
              (error: unknown) => void message.error(why(error)),
            ),
        }),
    },
  ];
  return (
    <Card size="small" title={t('saved')}>
      <Loaded query={list} rows={3}>
        {(data) =>
          data.items.length === 0 ? (
            <span className="muted">{t('saved_none')}</span>
          ) : (
            <ul className="saved" aria-label={t('saved')}>
              {data.items.map((s) => (
                <li key={s.search_id}>
                  <span className="saved-name">
                    <Link to={addressOf(s)}>{s.name}</Link> {s.shared && s.mine && <Tag>{t('shared')}</Tag>}
                    {(!s.mine || s.target === 'sessions') && <span className="muted">{[s.mine ? '' : t('saved_by', { who: s.owner }), s.target === 'sessions' ? t('of_sessions') : ''].filter(Boolean).join(' · ')}</span>}
                  </span>
                  {s.mine && (
                    <Dropdown trigger={['click']} menu={{ items: items(s) }}>
                      <Button type="text" size="small" icon={<EllipsisOutlined />} aria-label={t('actions', { name: s.name })} />
                    </Dropdown>
                  )}
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      <Naming
        id="rename"
        title={t('rename')}
        open={naming !== null}
        name={naming?.name ?? ''}
        shared={naming?.shared ?? false}
        busy={saving.busy}
        close={() => setNaming(null)}
        done={(name, shared) => naming && saving.run({ id: naming.search_id, body: body(naming, { name, shared }) }, () => setNaming(null))}
      />
    </Card>
  );
}

interface NamingProps {
  // id tells the forms of a page apart.
  id: string;
  title: string;
  open: boolean;
  name: string;
  shared: boolean;
  busy: boolean;
  close: () => void;
  done: (name: string, shared: boolean) => void;
}

// Naming asks for the name of a search and whether colleagues see it.
export function Naming({ id, title, open, name, shared, busy, close, done }: NamingProps) {
  const { t } = useTranslation('search');
  const [form] = Form.useForm<{ name: string; shared: boolean }>();
  useEffect(() => {
    if (open) form.setFieldsValue({ name, shared });
  }, [open, name, shared, form]);
  return (
    <Modal title={title} open={open} onCancel={close} onOk={() => form.submit()} okText={t('save')} cancelText={t('cancel')} confirmLoading={busy} width={420} forceRender>
      <Form name={id} form={form} layout="vertical" requiredMark={false} onFinish={(v) => done(v.name.trim(), v.shared)}>
        <Form.Item name="name" label={t('search_name')} rules={[{ required: true, whitespace: true, message: t('name_needed') }]}>
          <Input maxLength={80} />
        </Form.Item>
        <Form.Item name="shared" label={t('shared')} valuePropName="checked" extra={t('shared_help')}>
          <Switch />
        </Form.Item>
      </Form>
    </Modal>
  );
}
