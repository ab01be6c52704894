import { Button, Card, Flex, Grid, Input, Menu, Select, Table, Tag, Typography } from 'antd';
import { useState } from 'react';
import { useSearchParams } from 'react-router';

import { type Schemas, useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { Loaded, Nothing } from '../../ui/states';

type View = Schemas['DataView'];

// Views lists the public views with their columns.
export function Views({ ask }: { ask?: (sql: string) => void }) {
  const query = useGet('/api/v1/data/views', {}, { staleTime: 300_000 });
  return <Loaded query={query}>{(data) => <List views={data.views} ask={ask} />}</Loaded>;
}

// found are the views that name a word anywhere.
export function found(views: View[], word: string): View[] {
  const w = word.trim().toLowerCase();
  if (!w) return views;
  return views.filter((v) => [v.name, v.comment, ...v.columns.flatMap((c) => [c.name, c.comment])].some((s) => s.toLowerCase().includes(w)));
}

function List({ views, ask }: { views: View[]; ask?: (sql: string) => void }) {
  const { t } = useTranslation('data');
  const wide = Grid.useBreakpoint().lg;
  const [params, setParams] = useSearchParams();
  const [word, setWord] = useState('');
  const shown = found(views, word);
  const view = shown.find((v) => v.name === params.get('view')) ?? shown[0];
  const choose = (name: string) => setParams({ tab: 'views', view: name }, { replace: true });
  return (
    <Flex gap={16} align="start" vertical={!wide}>
      <div style={{ width: wide ? 240 : '100%', flexShrink: 0 }}>
        <Input.Search allowClear placeholder={t('find')} aria-label={t('find')} onChange={(e) => setWord(e.target.value)} style={{ marginBottom: 8 }} />
        {wide ? (
          <Menu selectedKeys={view ? [view.name] : []} onClick={({ key }) => choose(key)} items={shown.map((v) => ({ key: v.name, label: v.name }))} style={{ maxHeight: 'calc(100vh - 250px)', overflow: 'auto', borderInlineEnd: 'none' }} />
        ) : (
          <Select aria-label={t('views')} value={view?.name} onChange={choose} options={shown.map((v) => ({ value: v.name }))} style={{ width: '100%' }} />
        )}
      </div>
      <div style={{ flex: 1, minWidth: 0, width: '100%' }}>{view ? <One view={view} word={word} ask={ask} /> : <Nothing />}</div>
    </Flex>
  );
}

function One({ view, word, ask }: { view: View; word: string; ask?: (sql: string) => void }) {
  const { t } = useTranslation('data');
  const w = word.trim().toLowerCase();
  return (
    <Card
      size="small"
      title={
        <>
          <code>{view.name}</code>
          {view.parameters.length > 0 && <span className="muted"> ({view.parameters.join(', ')})</span>} {view.admin_only && <Tag>{t('admin_only')}</Tag>}
        </>
      }
      extra={ask && <Button onClick={() => ask(view.sample)}>{t('ask')}</Button>}
    >
      {view.comment && <Typography.Paragraph>{view.comment}</Typography.Paragraph>}
      <pre className="sql">{view.sample}</pre>
      <Table
        size="small"
        rowKey="name"
        pagination={false}
        dataSource={view.columns}
        scroll={{ x: 560 }}
        columns={[
          { title: t('column'), dataIndex: 'name', width: 190, render: (name: string) => <code style={w && name.toLowerCase().includes(w) ? { background: '#fff1a8' } : undefined}>{name}</code> },
          { title: t('type'), dataIndex: 'type', width: 190, render: (type: string) => <span className="muted">{type}</span> },
          { title: t('meaning'), dataIndex: 'comment' },
        ]}
      />
    </Card>
  );
}
