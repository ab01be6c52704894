import { Alert, App, Form, Input, Modal, Segmented, Select } from 'antd';
import { useEffect } from 'react';
import { useNavigate } from 'react-router';

import { api, type Schemas, useAct } from '../../api/client';
import { useTranslation } from '../../i18n';
import { ownPack, packLink } from '../../ui/links';
import { useWhy } from '../../ui/states';

interface Values {
  name: string;
  id: string;
  words: string[];
  role: 'agent' | 'customer';
}

// MakeRule turns the words of a search into the draft of a rule and hands it to the rule editor.
export function MakeRule({ open, words, role, close }: { open: boolean; words: string; role: 'agent' | 'customer'; close: () => void }) {
  const { t } = useTranslation('search');
  const { message } = App.useApp();
  const why = useWhy();
  const go = useNavigate();
  const [form] = Form.useForm<Values>();
  useEffect(() => {
    if (open) form.setFieldsValue({ name: words, id: 'searched', words: words ? [words] : [], role });
  }, [open, words, role, form]);
  const draft = useAct(async (body: Schemas['SearchDraft']) => {
    const { data } = await api.POST('/api/v1/searches/draft', { body });
    return data as Schemas['FormApplied'];
  });
  const make = (values: Values) => {
    const body = { name: values.name.trim(), id: values.id.trim(), words: values.words, role: values.role };
    draft.mutate(body, {
      onSuccess: (made) => void go(packLink(ownPack), { state: { draft: { ...body, ...made } } }),
      onError: (error) => void message.error(why(error)),
    });
  };
  return (
    <Modal title={t('make_rule_title')} open={open} onCancel={close} onOk={() => form.submit()} okText={t('rule_go')} cancelText={t('cancel')} confirmLoading={draft.isPending} forceRender>
      <Alert type="info" showIcon title={t('make_rule_help')} style={{ marginBottom: 16 }} />
      <Form name="draft" form={form} layout="vertical" requiredMark={false} onFinish={make}>
        <Form.Item name="name" label={t('rule_name')} rules={[{ required: true, whitespace: true, message: t('name_needed') }]}>
          <Input maxLength={80} />
        </Form.Item>
        <Form.Item name="id" label={t('rule_id')} rules={[{ required: true, pattern: /^[a-z][a-z0-9_]{0,63}$/, message: t('rule_id_help') }]} extra={t('rule_id_help')}>
          <Input maxLength={64} />
        </Form.Item>
        <Form.Item name="words" label={t('rule_words')} rules={[{ required: true, type: 'array', min: 1, message: t('rule_words_needed') }]}>
          <Select mode="tags" open={false} suffixIcon={null} maxCount={20} tokenSeparators={['\n', '，', ',']} />
        </Form.Item>
        <Form.Item name="role" label={t('rule_role')}>
          <Segmented
            options={[
              { value: 'agent', label: t('role.agent') },
              { value: 'customer', label: t('role.customer') },
            ]}
          />
        </Form.Item>
      </Form>
    </Modal>
  );
}
