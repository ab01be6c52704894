import { DeleteOutlined, PlusOutlined } from '@ant-design/icons';
import { useQuery } from '@tanstack/react-query';
import { Alert, Button, Card, Checkbox, Flex, Form, Input, InputNumber, Select } from 'antd';
import { useEffect, useState } from 'react';

import { api, ApiError, type Schemas, useGet } from '../../api/client';
import { language, useTranslation } from '../../i18n';
import { Loaded, useWhy } from '../../ui/states';

type Field = Schemas['Field'];

export interface Filling {
  form: string;
  values: Record<string, unknown>;
}

interface Props {
  pack: string;
  yaml: string;
  // rule is one of the text; filling is a new one.
  rule?: string;
  filling?: Filling;
  readOnly: boolean;
  applied: (yaml: string, rule: string) => void;
}

// FormPanel shows a rule as the fields of its form, and writes them into the text of the pack; what the form does not
// speak of, comments too, stays as it is.
export function FormPanel(props: Props) {
  const { yaml, rule, filling } = props;
  const forms = useGet('/api/v1/rules/forms', {}, { staleTime: Infinity });
  const read = useQuery<Schemas['FormValues'], ApiError>({
    queryKey: ['form', rule, yaml],
    queryFn: async () => (await api.POST('/api/v1/rules/forms/read', { body: { yaml, rule: rule ?? '' } })).data as Schemas['FormValues'],
    enabled: filling === undefined,
    staleTime: Infinity,
    placeholderData: (last) => last,
  });
  return (
    <Loaded query={forms}>
      {(page) => {
        const make = (f: Filling) => {
          const form = page.items.find((x) => x.id === f.form);
          return form ? <FormFields key={JSON.stringify(f.values)} {...props} form={form} values={f.values} /> : null;
        };
        return filling ? make(filling) : <Loaded query={read}>{(values) => make({ form: values.form, values: values.values as Record<string, unknown> })}</Loaded>;
      }}
    </Loaded>
  );
}

// initial are the values a form begins with: those of the rule, and defaults where there is none yet.
export function initial(form: Schemas['Form'], values: Record<string, unknown>): Record<string, unknown> {
  const fresh = Object.keys(values).length === 0;
  return Object.fromEntries(form.fields.map((f) => [f.name, values[f.name] ?? (fresh ? f.default : undefined)]));
}

function FormFields({ pack, yaml, form: f, values, readOnly, applied, filling }: Props & { form: Schemas['Form']; values: Record<string, unknown> }) {
  const { t } = useTranslation('rules');
  const why = useWhy();
  const [form] = Form.useForm<Record<string, unknown>>();
  const [problem, setProblem] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => form.setFieldsValue(initial(f, values)), [form, f, values]);
  const apply = async (filled: Record<string, unknown>) => {
    setBusy(true);
    setProblem(null);
    const given = Object.fromEntries(Object.entries(filled).filter(([, v]) => v !== undefined && v !== null && v !== '' && !(Array.isArray(v) && v.length === 0)));
    try {
      const { data } = await api.POST('/api/v1/rules/forms/apply', { body: { form: f.id, values: given as never, yaml: yaml || undefined, pack: yaml ? undefined : pack } });
      if (data) applied(data.yaml, String(given.id));
    } catch (error) {
      const e = error as ApiError;
      const field = f.fields.find((x) => e.field === x.name || e.field?.startsWith(`values.${x.name}`));
      if (field) form.setFields([{ name: field.name, errors: [e.message] }]);
      setProblem(e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card size="small" title={f.label[language()]} extra={filling && <Button onClick={() => form.setFieldsValue(f.example as Record<string, unknown>)}>{t('fill_example')}</Button>}>
      <p className="muted" style={{ marginTop: 0 }}>
        {f.help[language()]}
      </p>
      <Form form={form} layout="vertical" disabled={readOnly} onFinish={(v) => void apply(v)} scrollToFirstError>
        <div className="rule-form">
          {f.fields.map((field) => (
            <Form.Item key={field.name} name={field.name} label={field.label[language()]} extra={field.help?.[language()]} rules={field.required ? [{ required: true, message: t('needed') }] : []} className={['tests', 'steps'].includes(field.type) || (field.type === 'words' && field.required) ? 'wide' : undefined}>
              <FieldInput field={field} fixed={field.name === 'id' && !filling} />
            </Form.Item>
          ))}
        </div>
        {problem && <Alert type="error" showIcon style={{ marginBottom: 12 }} title={why(problem)} />}
        {!readOnly && (
          <Button type="primary" htmlType="submit" loading={busy}>
            {t('put_in')}
          </Button>
        )}
      </Form>
    </Card>
  );
}

interface Bound<T> {
  value?: T;
  onChange?: (value: T) => void;
  id?: string;
}

function FieldInput({ field, fixed, ...bound }: { field: Field; fixed: boolean } & Bound<never>) {
  const { t } = useTranslation('rules');
  const options = (field.enum ?? []).map((v) => ({ value: v, label: word(t, field.name, v) }));
  switch (field.type) {
    case 'words':
      return <Select {...bound} mode="tags" open={false} suffixIcon={null} tokenSeparators={['\n', '，', ',', '、']} placeholder={t('words_hint')} />;
    case 'int':
    case 'number':
    case 'seconds':
      return <InputNumber<number> {...(bound as Bound<number | null>)} min={field.min} max={field.max} precision={field.type === 'int' ? 0 : undefined} suffix={field.type === 'seconds' ? t('s') : undefined} style={{ width: '100%' }} />;
    case 'choice':
      return <Select {...bound} options={options} allowClear={!field.required} />;
    case 'choices':
      return <Select {...bound} mode="multiple" options={options} />;
    case 'steps':
      return <Steps {...(bound as Bound<Step[]>)} />;
    case 'tests':
      return <Examples {...(bound as Bound<Example[]>)} />;
    default:
      return <Input {...bound} disabled={fixed || undefined} maxLength={500} />;
  }
}

// word is the name of a choice; what has none in common.ts is shown as it is.
function word(t: (key: string, o: { defaultValue: string }) => string, field: string, value: string): string {
  for (const kind of [field, 'severity', 'business', 'role', 'emotion', 'aspect', 'kind', 'outcome']) {
    const w = t(`${kind}.${value}`, { defaultValue: '' });
    if (w) return w;
  }
  return value;
}

interface Step {
  name: string;
  words: string[];
  optional?: boolean;
}

function Steps({ value = [], onChange }: Bound<Step[]>) {
  const { t } = useTranslation('rules');
  const put = (steps: Step[]) => onChange?.(steps);
  return (
    <Flex vertical gap={8}>
      {value.map((s, i) => (
        <Flex key={i} gap={8} align="center">
          <Input aria-label={t('step_name')} placeholder={t('step_name')} value={s.name} onChange={(e) => put(value.with(i, { ...s, name: e.target.value }))} style={{ width: 150 }} />
          <Select aria-label={t('step_words')} mode="tags" open={false} suffixIcon={null} placeholder={t('step_words')} value={s.words} onChange={(words: string[]) => put(value.with(i, { ...s, words }))} style={{ flex: 1, minWidth: 120 }} />
          <Checkbox checked={s.optional} onChange={(e) => put(value.with(i, { ...s, optional: e.target.checked }))}>
            {t('optional')}
          </Checkbox>
          <Button type="text" icon={<DeleteOutlined />} aria-label={t('delete')} onClick={() => put(value.toSpliced(i, 1))} />
        </Flex>
      ))}
      <Button icon={<PlusOutlined />} onClick={() => put([...value, { name: '', words: [] }])} style={{ alignSelf: 'start' }}>
        {t('add_step')}
      </Button>
    </Flex>
  );
}

interface Example {
  want: string;
  name?: string;
  turns: { role: string; text: string; at?: string; emotion?: string }[];
}

const wants = ['pass', 'fail', 'na', 'present', 'absent'];

function Examples({ value = [], onChange }: Bound<Example[]>) {
  const { t } = useTranslation('rules');
  const put = (examples: Example[]) => onChange?.(examples);
  return (
    <Flex vertical gap={12}>
      {value.map((e, i) => {
        const set = (turns: Example['turns']) => put(value.with(i, { ...e, turns }));
        return (
          <Card key={i} size="small" className="rule-example">
            <Flex vertical gap={6}>
              <Flex gap={8} align="center">
                <span>{t('must_be')}</span>
                <Select aria-label={t('must_be')} value={e.want} style={{ width: 120 }} options={wants.map((w) => ({ value: w, label: t(`outcome.${w}`) }))} onChange={(want: string) => put(value.with(i, { ...e, want }))} />
                <Button type="text" icon={<DeleteOutlined />} aria-label={t('delete')} onClick={() => put(value.toSpliced(i, 1))} style={{ marginInlineStart: 'auto' }} />
              </Flex>
              {e.turns.map((turn, j) => (
                <Flex key={j} gap={8}>
                  <Select aria-label={t('role')} value={turn.role} style={{ width: 96 }} options={['customer', 'agent', 'bot'].map((r) => ({ value: r, label: t(`role.${r}`) }))} onChange={(role: string) => set(e.turns.with(j, { ...turn, role }))} />
                  <Input aria-label={t('text')} value={turn.text} maxLength={2000} onChange={(x) => set(e.turns.with(j, { ...turn, text: x.target.value }))} />
                  <Button type="text" icon={<DeleteOutlined />} aria-label={t('delete')} onClick={() => set(e.turns.toSpliced(j, 1))} />
                </Flex>
              ))}
              <Button size="small" icon={<PlusOutlined />} style={{ alignSelf: 'start' }} onClick={() => set([...e.turns, { role: e.turns.at(-1)?.role === 'customer' ? 'agent' : 'customer', text: '' }])}>
                {t('add_turn')}
              </Button>
            </Flex>
          </Card>
        );
      })}
      <Button icon={<PlusOutlined />} style={{ alignSelf: 'start' }} onClick={() => put([...value, { want: 'present', turns: [{ role: 'customer', text: '' }, { role: 'agent', text: '' }] }])}>
        {t('add_example')}
      </Button>
    </Flex>
  );
}
