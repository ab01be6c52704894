import { App, Button, Flex, Input, Modal, Select, Table, Tag } from 'antd';
import { useState } from 'react';
import { Link } from 'react-router';

import { api, type Schemas, useAct, useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { useTranslation } from '../../i18n';
import { time } from '../../ui/format';
import { packLink } from '../../ui/links';
import { Loaded, Nothing, useWhy } from '../../ui/states';
import { Lines } from './Lines';

type Publication = Schemas['Publication'];

// History lists what was published: who, when, why, and which of it is in use. Of one pack, or of all.
export function History({ pack }: { pack?: string }) {
  const { t } = useTranslation('rules');
  const me = useMe();
  const query = useGet('/api/v1/rules/history', { query: { pack, limit: 200 } });
  const [back, setBack] = useState<Publication | null>(null);
  const [compare, setCompare] = useState<Publication | null>(null);
  const writes = is(me, 'admin', 'supervisor');
  return (
    <Loaded query={query}>
      {(page) =>
        page.items.length === 0 ? (
          <Nothing text={t('no_history')} />
        ) : (
          <>
            <Table
              size="small"
              rowKey={(p) => `${p.pack}@${p.version}/${p.at}`}
              pagination={{ pageSize: 20, hideOnSinglePage: true, showSizeChanger: false }}
              dataSource={page.items}
              scroll={{ x: 760 }}
              columns={[
                { title: t('at'), dataIndex: 'at', width: 150, render: (at: string) => time(at) },
                ...(pack ? [] : [{ title: t('pack'), render: (_: unknown, p: Publication) => <Link to={packLink(p.pack)}>{p.pack}</Link> }]),
                { title: t('its_version'), dataIndex: 'version' },
                { title: t('author'), dataIndex: 'author' },
                { title: t('what_changed'), dataIndex: 'note' },
                { title: t('state'), render: (_, p) => (p.problem ? <Tag color="red">{p.problem}</Tag> : p.in_use ? <Tag color="green">{t('in_use')}</Tag> : p.active ? null : <Tag>{t('withdrawn')}</Tag>) },
                {
                  align: 'right',
                  render: (_, p) => (
                    <Flex gap={8} justify="end">
                      {p.active && (
                        <Button size="small" onClick={() => setCompare(p)}>
                          {t('diff')}
                        </Button>
                      )}
                      {writes && p.active && !p.in_use && (
                        <Button size="small" onClick={() => setBack(p)}>
                          {t('roll_back')}
                        </Button>
                      )}
                    </Flex>
                  ),
                },
              ]}
            />
            {back && <RollBack publication={back} close={() => setBack(null)} />}
            {compare && <Compare publication={compare} others={page.items.filter((p) => p.pack === compare.pack && p.active)} close={() => setCompare(null)} />}
          </>
        )
      }
    </Loaded>
  );
}

function RollBack({ publication: p, close }: { publication: Publication; close: () => void }) {
  const { t } = useTranslation('rules');
  const { message } = App.useApp();
  const why = useWhy();
  const [note, setNote] = useState('');
  const act = useAct(async () => api.POST('/api/v1/rules/packs/{pack}/rollback', { params: { path: { pack: p.pack } }, body: { version: p.version, note } }), ['/api/v1/rules']);
  const go = async () => {
    try {
      await act.mutateAsync(undefined);
      void message.success(t('rolled_back'));
      close();
    } catch (error) {
      void message.error(why(error), 8);
    }
  };
  return (
    <Modal open title={t('roll_back_to', { version: `${p.pack}@${p.version}` })} onCancel={close} onOk={() => void go()} okText={t('roll_back')} okButtonProps={{ disabled: note.trim() === '', loading: act.isPending }}>
      <p>{t('roll_back_note')}</p>
      <Input.TextArea aria-label={t('why')} placeholder={t('why')} rows={2} maxLength={500} value={note} onChange={(e) => setNote(e.target.value)} />
    </Modal>
  );
}

function Compare({ publication: p, others, close }: { publication: Publication; others: Publication[]; close: () => void }) {
  const { t } = useTranslation('rules');
  const before = others.find((o) => o.at < p.at) ?? others.find((o) => o.version !== p.version);
  const [from, setFrom] = useState(before?.version);
  const query = useGet('/api/v1/rules/packs/{pack}/diff', { path: { pack: p.pack }, query: { from, to: p.version } }, { enabled: from !== undefined });
  const versions = [...new Set(others.map((o) => o.version))].filter((v) => v !== p.version);
  return (
    <Modal open width={960} title={t('diff_of', { version: `${p.pack}@${p.version}` })} onCancel={close} footer={null}>
      <Select aria-label={t('against')} style={{ minWidth: 240, marginBottom: 12 }} placeholder={t('against')} value={from} options={versions.map((v) => ({ value: v, label: `${t('against')} ${v}` }))} onChange={setFrom} />
      {from === undefined ? <WholeText publication={p} /> : <Loaded query={query}>{(d) => <Lines lines={d.lines} />}</Loaded>}
    </Modal>
  );
}

// WholeText is the text of the only version there is.
function WholeText({ publication: p }: { publication: Publication }) {
  const query = useGet('/api/v1/rules/packs/{pack}', { path: { pack: p.pack }, query: { version: p.version } });
  return <Loaded query={query}>{(text) => <Lines lines={text.yaml.split('\n').map((line) => ({ change: 'added' as const, text: line }))} />}</Loaded>;
}

