import { useMutation } from '@tanstack/react-query';
import { Button, Collapse, Flex, Input, Tag } from 'antd';
import { useState } from 'react';

import { api, ApiError, type Schemas } from '../../api/client';
import { useTranslation } from '../../i18n';
import { Failed } from '../../ui/states';
import { Emotion, Score } from '../../ui/tags';
import { Explain } from '../session/Explain';

// TryIt judges a pasted conversation by the draft and explains it.
export function TryIt({ yaml, rule }: { yaml: string; rule?: string }) {
  const { t } = useTranslation('rules');
  const [text, setText] = useState('');
  const run = useMutation<Schemas['Tried'], ApiError, void>({
    mutationFn: async () => (await api.POST('/api/v1/rules/try', { body: { text, yaml: yaml || undefined, rule } })).data as Schemas['Tried'],
  });
  return (
    <Flex vertical gap={12}>
      <Input.TextArea aria-label={t('conversation')} placeholder={t('conversation_hint')} rows={6} maxLength={20_000} value={text} onChange={(e) => setText(e.target.value)} />
      <div>
        <Button type="primary" loading={run.isPending} disabled={text.trim() === ''} onClick={() => run.mutate()}>
          {rule ? t('try_rule', { rule }) : t('try_all')}
        </Button>
      </div>
      {run.error && <Failed error={run.error} />}
      {run.data && <Found tried={run.data} />}
    </Flex>
  );
}

function Found({ tried }: { tried: Schemas['Tried'] }) {
  const { t } = useTranslation('rules');
  const fired = new Set(tried.hits.map((h) => h.rule_id));
  return (
    <Flex vertical gap={12}>
      <div>
        {t('score')} <Score value={tried.score} /> {tried.flagged && <Tag color="volcano">{t('flagged')}</Tag>}
      </div>
      <table className="plain-turns">
        <tbody>
          {tried.turns.map((turn) => (
            <tr key={turn.seq}>
              <td className="muted">{turn.seq}</td>
              <td>{t(`role.${turn.role}`)}</td>
              <td>
                <Emotion value={turn.emotion} />
              </td>
              <td>{turn.text}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Collapse
        size="small"
        defaultActiveKey={tried.explanations.filter((x) => fired.has(x.rule_id)).map((x) => x.rule_id)}
        items={tried.explanations.map((x) => ({
          key: x.rule_id,
          label: (
            <>
              {x.name} <Tag color={fired.has(x.rule_id) ? 'volcano' : undefined}>{t(`outcome.${x.outcome}`)}</Tag>
            </>
          ),
          children: <Explain explanation={x} />,
        }))}
      />
    </Flex>
  );
}
