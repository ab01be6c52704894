import { Alert, App, Checkbox, Input, Modal } from 'antd';
import { useState } from 'react';

import { api, ApiError, type Schemas, useAct } from '../../api/client';
import { useTranslation } from '../../i18n';
import { useWhy } from '../../ui/states';
import { differences } from './diff';
import { Lines } from './Lines';

interface Props {
  pack: string;
  yaml: string;
  base?: string;
  before: string;
  close: () => void;
}

// Publish puts the text into use as a new version, after a look at what changes and a word on why.
export function Publish({ pack, yaml, base, before, close }: Props) {
  const { t } = useTranslation('rules');
  const { message } = App.useApp();
  const why = useWhy();
  const [note, setNote] = useState('');
  const [force, setForce] = useState(false);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const act = useAct(async () => (await api.POST('/api/v1/rules/packs', { body: { yaml, note: note.trim(), base, force: force || undefined } })).data as Schemas['Published'], ['/api/v1/rules']);
  const go = async () => {
    setProblem(null);
    try {
      const done = await act.mutateAsync(undefined);
      void message.success(t('published', { version: `${done.pack}@${done.version}` }));
      close();
    } catch (error) {
      setProblem(error as ApiError);
    }
  };
  return (
    <Modal open width={860} title={t('publish_title', { pack })} onCancel={close} onOk={() => void go()} okText={t('publish')} okButtonProps={{ disabled: note.trim() === '', loading: act.isPending }}>
      <p className="muted">{t('publish_note')}</p>
      <Input.TextArea aria-label={t('what_changed')} placeholder={t('what_changed_hint')} rows={2} maxLength={500} value={note} onChange={(e) => setNote(e.target.value)} style={{ marginBottom: 12 }} autoFocus />
      {problem && (
        <Alert
          type="error"
          showIcon
          style={{ marginBottom: 12 }}
          title={problem.status === 409 ? t('publish_conflict') : t('publish_refused')}
          description={
            <>
              <pre className="sql">{why(problem)}</pre>
              {problem.code === 'not_valid' && (
                <Checkbox checked={force} onChange={(e) => setForce(e.target.checked)}>
                  {t('force')}
                </Checkbox>
              )}
            </>
          }
        />
      )}
      <Lines lines={differences(before, yaml)} />
    </Modal>
  );
}
