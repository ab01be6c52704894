import { Alert, App, Button, Modal, Skeleton, Typography } from 'antd';
import { useEffect, useState } from 'react';

import { api, type Schemas, useAct } from '../../api/client';
import { useTranslation } from '../../i18n';
import { Failed, useWhy } from '../../ui/states';
import { useRuleName } from '../../ui/tags';
import type { Judged } from './review';

const path = '/api/v1/sessions/{session_id}/hits/{hit_id}/case';

// Case makes a wrong hit into a test of its rule: shown first, then put into the pack where that is wanted.
export function Case({ session, hit, close }: { session: string; hit: Judged; close: () => void }) {
  const { t } = useTranslation('session');
  const { message } = App.useApp();
  const why = useWhy();
  const ruleName = useRuleName();
  const [made, setMade] = useState<Schemas['RuleCase'] | null>(null);
  const params = { path: { session_id: session, hit_id: hit.hit_id } };
  const make = useAct(async (publish: boolean) => (await api.POST(path, { params, body: { publish } })).data as Schemas['RuleCase'], ['/api/v1/rules']);
  const { mutate } = make;
  useEffect(() => mutate(false, { onSuccess: setMade }), [mutate]);
  const publish = () =>
    mutate(true, {
      onSuccess: (c) => {
        void message.success(t('case_published', { pack: c.pack, version: c.published?.version ?? '' }));
        close();
      },
      onError: (error) => void message.error(why(error)),
    });
  return (
    <Modal
      open
      width={680}
      title={t('case_title', { rule: ruleName(hit.rule_id, hit.rule_name) })}
      onCancel={close}
      footer={[
        <Button key="close" onClick={close}>
          {t('close')}
        </Button>,
        <Button key="publish" type="primary" disabled={!made} loading={make.isPending && made !== null} onClick={publish}>
          {t('case_publish')}
        </Button>,
      ]}
    >
      {!made && !make.error && <Skeleton active />}
      {!made && make.error && <Failed error={make.error} retry={() => mutate(false, { onSuccess: setMade })} />}
      {made && (
        <>
          <Typography.Paragraph>{t('case_text', { want: t(`outcome.${made.want}`), got: t(`outcome.${made.got}`), turns: made.turns, of: made.of_turns, pack: made.pack, version: made.pack_version })}</Typography.Paragraph>
          {made.want !== made.got && <Alert type="info" showIcon title={t('case_fails')} style={{ marginBottom: 12 }} />}
          <Typography.Text copyable={{ text: made.yaml, tooltips: [t('copy'), t('copied')] }}>{t('case_yaml')}</Typography.Text>
          <pre style={{ background: '#fafbfd', padding: 12, borderRadius: 6, overflow: 'auto', maxHeight: 320, fontSize: 12 }}>{made.yaml}</pre>
        </>
      )}
    </Modal>
  );
}
