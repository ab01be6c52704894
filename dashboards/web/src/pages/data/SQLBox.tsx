import { CaretRightOutlined, DownloadOutlined } from '@ant-design/icons';
import { sql as sqlLanguage } from '@codemirror/lang-sql';
import { useMutation } from '@tanstack/react-query';
import CodeMirror, { EditorView, keymap, Prec } from '@uiw/react-codemirror';
import { Alert, Button, Card, Flex, Select, Table, Typography } from 'antd';
import { useMemo, useRef, useState } from 'react';

import { api, ApiError, type Schemas, useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { csv } from '../../ui/csv';
import { save } from '../../ui/download';
import { count } from '../../ui/format';
import { useWhy } from '../../ui/states';
import { cell, field } from './table';

type Result = Schemas['SQLResult'];

// SQLBox runs one read-only statement on the public views.
export function SQLBox({ initial, keep }: { initial: string; keep: (sql: string) => void }) {
  const { t } = useTranslation('data');
  const why = useWhy();
  const views = useGet('/api/v1/data/views', {}, { staleTime: 300_000 }).data;
  const [text, setText] = useState(initial || 'SELECT *\nFROM sessions\nORDER BY started_at DESC\nLIMIT 20');
  const run = useMutation<Result, ApiError, string>({
    mutationFn: async (sql) => (await api.POST('/api/v1/data/sql', { body: { sql, limit: 1000 } })).data as Result,
  });
  const now = useRef({ text, run: run.mutate });
  now.current = { text, run: run.mutate };
  const extensions = useMemo(() => {
    const schema = Object.fromEntries((views?.views ?? []).map((v) => [v.name, v.columns.map((c) => c.name)]));
    const start = () => {
      now.current.run(now.current.text);
      return true;
    };
    return [sqlLanguage({ schema, upperCaseKeywords: true }), EditorView.lineWrapping, EditorView.contentAttributes.of({ 'aria-label': 'SQL' }), Prec.highest(keymap.of([{ key: 'Mod-Enter', run: start }]))];
  }, [views]);
  return (
    <Flex vertical gap={12}>
      <Card size="small" styles={{ body: { padding: 0 } }}>
        <CodeMirror value={text} onChange={setText} extensions={extensions} minHeight="140px" maxHeight="360px" basicSetup={{ foldGutter: false }} />
      </Card>
      <Flex gap={8} wrap align="center">
        <Button type="primary" icon={<CaretRightOutlined />} loading={run.isPending} onClick={() => run.mutate(text)}>
          {t('run')}
        </Button>
        <Typography.Text type="secondary">{t('run_key')}</Typography.Text>
        <Select
          aria-label={t('samples')}
          placeholder={t('samples')}
          value={null}
          style={{ minWidth: 200, marginInlineStart: 'auto' }}
          options={(views?.samples ?? []).map((s) => ({ value: s.sql, label: t(`sample.${s.id}`, { defaultValue: s.id }) }))}
          onChange={(sql: string | null) => sql && setText(sql)}
        />
        <Button onClick={() => keep(text)}>{t('keep')}</Button>
      </Flex>
      {run.error && <Alert type="error" showIcon title={t('refused')} description={<pre className="sql">{why(run.error)}</pre>} />}
      {run.data && <Rows result={run.data} />}
      {!run.data && !run.error && <Typography.Text type="secondary">{t('limits')}</Typography.Text>}
    </Flex>
  );
}

function Rows({ result }: { result: Result }) {
  const { t } = useTranslation('data');
  const rows = result.rows.map((values, i) => ({ key: i, values }));
  const download = () => save({ name: 'tingke.csv', body: new Blob([csv([result.columns.map((c) => c.name), ...result.rows.map((row) => row.map(field))], true)], { type: 'text/csv' }) });
  return (
    <Card
      size="small"
      title={t('rows', { n: count(result.rows.length), ms: count(result.ms) })}
      extra={
        <Button icon={<DownloadOutlined />} disabled={rows.length === 0} onClick={download}>
          CSV
        </Button>
      }
    >
      {result.truncated && <Alert type="warning" showIcon title={t('truncated')} style={{ marginBottom: 8 }} />}
      <Table
        size="small"
        dataSource={rows}
        scroll={{ x: 'max-content' }}
        pagination={{ pageSize: 50, showSizeChanger: false, hideOnSinglePage: true }}
        columns={result.columns.map((c, i) => ({
          key: `${i}`,
          title: (
            <>
              {c.name} <span className="muted">{c.type}</span>
            </>
          ),
          align: /^(Nullable\()?(U?Int|Float|Decimal)/.test(c.type) ? ('right' as const) : undefined,
          render: (_: unknown, row: { values: unknown[] }) => <span className="num cell">{cell(row.values[i])}</span>,
        }))}
      />
    </Card>
  );
}
