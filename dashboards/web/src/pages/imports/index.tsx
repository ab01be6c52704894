import { InboxOutlined } from '@ant-design/icons';
import { App, Button, Card, Flex, Popconfirm, Progress, Steps, Table, Tag, Upload as AntUpload } from 'antd';
import { useState } from 'react';
import { useSearchParams } from 'react-router';

import { api, ApiError, queryClient, type Schemas, useAct, useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { decimal, time } from '../../ui/format';
import { Page } from '../../ui/Page';
import { Loaded, useWhy } from '../../ui/states';
import { Columns } from './Columns';
import { columnMap, type Mapping, proposed } from './mapping';
import { PreviewStep } from './Preview';
import { RunStep } from './Run';
import { send } from './send';

type Upload = Schemas['Upload'];

// Imports takes files of conversations into the store, as `tingke batch` does: upload, say what the columns mean, look at
// ten sessions, run. Where somebody stands is in the address.
export default function Imports() {
  const { t } = useTranslation('imports');
  const [params, setParams] = useSearchParams();
  const upload = params.get('upload');
  const job = params.get('job');
  const start = () => setParams({});
  return (
    <Page title={t('title')} note={t('note')} extra={(upload || job) && <Button onClick={start}>{t('another')}</Button>}>
      {job ? (
        <>
          <Way current={3} />
          <RunStep id={job} />
        </>
      ) : upload ? (
        <Prepare key={upload} id={upload} began={(id) => setParams({ job: id })} />
      ) : (
        <>
          <Way current={0} />
          <Receive received={(id) => setParams({ upload: id })} />
        </>
      )}
    </Page>
  );
}

function Way({ current, table = true }: { current: number; table?: boolean }) {
  const { t } = useTranslation('imports');
  return <Steps size="small" current={current} style={{ maxWidth: 860, marginBottom: 20 }} items={['upload', table ? 'columns' : 'no_columns', 'preview', 'run'].map((word) => ({ title: t(`step.${word}`) }))} />;
}

// Receive takes files, and lists those that were sent and not run yet.
function Receive({ received }: { received: (id: string) => void }) {
  const { t } = useTranslation('imports');
  const { message } = App.useApp();
  const why = useWhy();
  const [share, setShare] = useState<number | null>(null);
  const waiting = useGet('/api/v1/imports');
  const remove = useAct(async (id: string) => api.DELETE('/api/v1/imports/{upload_id}', { params: { path: { upload_id: id } } }), ['/api/v1/imports']);
  const take = async (files: File[]) => {
    setShare(0);
    try {
      const upload = await send(files, setShare);
      void queryClient.invalidateQueries({ queryKey: ['/api/v1/imports'] });
      received(upload.upload_id);
    } catch (error) {
      void message.error(why(error instanceof ApiError ? error : String(error)), 8);
    } finally {
      setShare(null);
    }
  };
  return (
    <Flex vertical gap={16}>
      <AntUpload.Dragger
        multiple
        disabled={share !== null}
        showUploadList={false}
        beforeUpload={(file, all) => {
          if (file === all[all.length - 1]) void take(all);
          return false;
        }}
      >
        <p className="ant-upload-drag-icon">
          <InboxOutlined />
        </p>
        <p className="ant-upload-text">{t('drop')}</p>
        <p className="ant-upload-hint">{t('formats')}</p>
        {share !== null && <Progress percent={Math.round(share * 100)} style={{ maxWidth: 420 }} />}
      </AntUpload.Dragger>
      <Loaded query={waiting} rows={2}>
        {(page) =>
          page.items.length > 0 && (
            <Card size="small" title={t('waiting')}>
              <Table
                size="small"
                rowKey="upload_id"
                pagination={false}
                dataSource={page.items}
                scroll={{ x: 640 }}
                columns={[
                  { title: t('at'), dataIndex: 'at', width: 150, render: (at: string) => time(at) },
                  { title: t('files'), render: (_, u) => u.files.map((f) => <Tag key={f.name}>{f.name}</Tag>) },
                  { title: t('by'), dataIndex: 'actor', width: 140 },
                  {
                    width: 180,
                    align: 'right',
                    render: (_, u) => (
                      <Flex gap={8} justify="end">
                        <Button size="small" type="primary" onClick={() => received(u.upload_id)}>
                          {t('go_on')}
                        </Button>
                        <Popconfirm title={t('remove_sure')} onConfirm={() => remove.mutate(u.upload_id)}>
                          <Button size="small">{t('delete')}</Button>
                        </Popconfirm>
                      </Flex>
                    ),
                  },
                ]}
              />
            </Card>
          )
        }
      </Loaded>
    </Flex>
  );
}

// Prepare leads from an upload to its run.
function Prepare({ id, began }: { id: string; began: (job: string) => void }) {
  const query = useGet('/api/v1/imports/{upload_id}', { path: { upload_id: id } }, { staleTime: Infinity });
  return <Loaded query={query}>{(upload) => <Prepared upload={upload} began={began} />}</Loaded>;
}

// tableOf is the first file that is a table; one column map goes for all tables of an upload.
export function tableOf(upload: Upload): Schemas['File'] | undefined {
  return upload.files.find((f) => (f.header ?? []).length > 0);
}

function Prepared({ upload, began }: { upload: Upload; began: (job: string) => void }) {
  const { t } = useTranslation('imports');
  const table = tableOf(upload);
  const readable = upload.files.some((f) => !f.problem);
  const [mapping, setMapping] = useState<Mapping | null>(table ? proposed(table) : null);
  const [defaults, setDefaults] = useState<Defaults>({ shop: '', channel: '', source: '' });
  const [step, setStep] = useState(table ? 1 : 2);
  const how: Schemas['How'] = { ...(mapping ? { map: columnMap(mapping) } : {}), ...Object.fromEntries(Object.entries(defaults).filter(([, v]) => v !== '')) };
  return (
    <>
      <Way current={step} table={table !== undefined} />
      <Files files={upload.files} />
      {step === 1 && table && mapping && <Columns file={table} mapping={mapping} change={setMapping} defaults={defaults} setDefaults={setDefaults} next={() => setStep(2)} />}
      {step === 2 && readable && <PreviewStep upload={upload.upload_id} how={how} back={table ? () => setStep(1) : undefined} began={began} />}
      {!readable && <p className="muted">{t('nothing_readable')}</p>}
    </>
  );
}

export interface Defaults {
  shop: string;
  channel: string;
  source: string;
}

function Files({ files }: { files: Schemas['File'][] }) {
  const { t } = useTranslation('imports');
  return (
    <Flex wrap gap={8} style={{ marginBottom: 16 }}>
      {files.map((f) => (
        <Tag key={f.name} color={f.problem ? 'red' : 'default'}>
          {f.name} · {f.problem || `${f.format} · ${decimal(f.bytes / 1024, 1)} KiB`}
        </Tag>
      ))}
      {files.length > 1 && <span className="muted">{t('one_map')}</span>}
    </Flex>
  );
}
