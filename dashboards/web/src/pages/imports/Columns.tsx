import { DeleteOutlined, PlusOutlined } from '@ant-design/icons';
import { Alert, Button, Card, Col, Flex, Form, Input, InputNumber, Row, Segmented, Select, Table, Typography } from 'antd';

import type { Schemas } from '../../api/client';
import { useTranslation } from '../../i18n';
import type { Defaults } from '.';
import { attribute, columnOf, ignored, lacks, type Mapping, type Role, seen, sessionFields, turnFields } from './mapping';

const roles: Role[] = ['customer', 'agent', 'bot', 'system'];

interface Props {
  file: Schemas['File'];
  mapping: Mapping;
  change: (m: Mapping) => void;
  defaults: Defaults;
  setDefaults: (d: Defaults) => void;
  next: () => void;
}

// Columns asks what every column means, over the first rows of the table.
export function Columns({ file, mapping: m, change, defaults, setDefaults, next }: Props) {
  const { t } = useTranslation('imports');
  const missing = lacks(m);
  const option = (field: string) => ({ value: field, label: t(`field.${field}`) });
  const options = [
    { value: ignored, label: t('leave_out') },
    { value: attribute, label: t('as_attribute') },
    { label: t('turn'), options: turnFields.map(option) },
    { label: t('session'), options: sessionFields.map(option) },
  ];
  const set = (column: string, field: string) => {
    const fields = { ...m.fields };
    // A field comes from one column: the column that had it before is left out.
    for (const c of Object.keys(fields)) if (field !== ignored && field !== attribute && fields[c] === field) fields[c] = ignored;
    fields[column] = field;
    change({ ...m, fields });
  };
  const header = file.header ?? [];
  return (
    <Flex vertical gap={16}>
      <Card size="small" title={t('what_columns')} extra={<Segmented value={m.layout} onChange={(layout) => change({ ...m, layout: layout as Mapping['layout'] })} options={[{ value: 'turns', label: t('layout.turns') }, { value: 'sessions', label: t('layout.sessions') }]} />}>
        <Table
          size="small"
          pagination={false}
          rowKey={(row) => row.key}
          className="wide-table"
          dataSource={(file.rows ?? []).slice(0, 6).map((row, key) => ({ key, row }))}
          columns={header.map((column, i) => ({
            key: `${i}`,
            title: (
              <Flex vertical gap={4}>
                <span>{column}</span>
                <Select size="small" aria-label={t('means', { column })} status={m.fields[column] === ignored ? undefined : ''} value={m.fields[column]} options={options} onChange={(field: string) => set(column, field)} style={{ minWidth: 130 }} popupMatchSelectWidth={false} showSearch={{ optionFilterProp: 'label' }} />
              </Flex>
            ),
            render: (_: unknown, { row }: { row: string[] }) => <span className={m.fields[column] === ignored ? 'muted cell' : 'cell'}>{row[i]}</span>,
          }))}
        />
      </Card>
      <Row gutter={16}>
        <Col xs={24} lg={14}>
          <Roles file={file} m={m} change={change} />
        </Col>
        <Col xs={24} lg={10}>
          <Card size="small" title={t('unsaid')}>
            <Form layout="vertical" size="small">
              <Flex gap={12}>
                {(['shop', 'channel', 'source'] as const).map((name) => (
                  <Form.Item key={name} label={t(name)} style={{ flex: 1, marginBottom: 8 }}>
                    <Input aria-label={t(name)} value={defaults[name]} maxLength={64} onChange={(e) => setDefaults({ ...defaults, [name]: e.target.value })} />
                  </Form.Item>
                ))}
              </Flex>
              {!columnOf(m, 'session_id') && (
                <Flex gap={12}>
                  <Form.Item label={t('cut_by')} style={{ flex: 2, marginBottom: 8 }}>
                    <Select mode="multiple" aria-label={t('cut_by')} value={m.by} options={header.map((h) => ({ value: h }))} onChange={(by: string[]) => change({ ...m, by })} />
                  </Form.Item>
                  <Form.Item label={t('cut_gap')} style={{ flex: 1, marginBottom: 8 }}>
                    <InputNumber aria-label={t('cut_gap')} min={1} max={1440} value={m.gapMinutes} onChange={(v) => change({ ...m, gapMinutes: v ?? 30 })} style={{ width: '100%' }} />
                  </Form.Item>
                </Flex>
              )}
            </Form>
          </Card>
        </Col>
      </Row>
      {missing.length > 0 && <Alert type="warning" showIcon title={t('lacking')} description={missing.map((f) => t(`lacks.${f}`)).join(' ')} />}
      <div>
        <Button type="primary" disabled={missing.length > 0} onClick={next}>
          {t('to_preview')}
        </Button>
      </div>
    </Flex>
  );
}

// Roles says who speaks: by the values of the role column, else by patterns of senders, else by one role for the rest.
function Roles({ file, m, change }: { file: Schemas['File']; m: Mapping; change: (m: Mapping) => void }) {
  const { t } = useTranslation('imports');
  const roleOptions = roles.map((r) => ({ value: r, label: t(`role.${r}`) }));
  const roleColumn = columnOf(m, 'role');
  const senderColumn = columnOf(m, 'sender');
  const list = roleColumn ? m.values.map((v) => ({ text: v.from, role: v.role })) : m.senders.map((s) => ({ text: s.match, role: s.role }));
  const put = (rows: { text: string; role: Role }[]) => change(roleColumn ? { ...m, values: rows.map((r) => ({ from: r.text, role: r.role })) } : { ...m, senders: rows.map((r) => ({ match: r.text, role: r.role })) });
  const examples = seen(file, roleColumn ?? senderColumn).slice(0, 6);
  return (
    <Card size="small" title={t('who_speaks')}>
      <Typography.Paragraph type="secondary">{roleColumn ? t('by_value') : t('by_sender')}</Typography.Paragraph>
      {examples.length > 0 && (
        <Typography.Paragraph>
          {t('seen')} {examples.map((x) => <code key={x} style={{ marginInlineEnd: 8 }}>{x}</code>)}
        </Typography.Paragraph>
      )}
      <Flex vertical gap={8}>
        {list.map((row, i) => (
          <Flex key={i} gap={8}>
            <Input aria-label={t('pattern')} value={row.text} onChange={(e) => put(list.with(i, { ...row, text: e.target.value }))} style={{ maxWidth: 320 }} />
            <Select aria-label={t('is')} value={row.role} options={roleOptions} onChange={(role: Role) => put(list.with(i, { ...row, role }))} style={{ width: 110 }} />
            <Button type="text" icon={<DeleteOutlined />} aria-label={t('delete')} onClick={() => put(list.toSpliced(i, 1))} />
          </Flex>
        ))}
        <Flex gap={12} align="center" wrap>
          <Button icon={<PlusOutlined />} onClick={() => put([...list, { text: '', role: 'agent' }])}>
            {t('add')}
          </Button>
          <span className="muted">{t('all_others')}</span>
          <Select aria-label={t('all_others')} value={m.otherwise} options={[{ value: '', label: t('is_error') }, ...roleOptions]} onChange={(otherwise: Role | '') => change({ ...m, otherwise })} style={{ width: 190 }} />
        </Flex>
      </Flex>
    </Card>
  );
}
