import { useMutation } from '@tanstack/react-query';
import { Alert, Button, Flex } from 'antd';

import { api, ApiError, type Schemas } from '../../api/client';
import { useTranslation } from '../../i18n';
import { Failed } from '../../ui/states';

// Tests runs the tests that stand in the text.
export function Tests({ yaml }: { yaml: string }) {
  const { t } = useTranslation('rules');
  const run = useMutation<Schemas['TestRun'], ApiError, string>({ mutationFn: async (text) => (await api.POST('/api/v1/rules/test', { body: { yaml: text } })).data as Schemas['TestRun'] });
  const failed = run.data?.results.filter((r) => !r.ok) ?? [];
  return (
    <Flex vertical gap={12}>
      <div>
        <Button type="primary" loading={run.isPending} disabled={yaml.trim() === ''} onClick={() => run.mutate(yaml)}>
          {t('run_tests')}
        </Button>
      </div>
      {run.error && <Failed error={run.error} />}
      {run.data && <Alert type={run.data.ok ? 'success' : 'error'} showIcon title={t('tests_result', { n: run.data.results.length, failed: failed.length })} />}
      {failed.map((r, i) => (
        <Alert key={i} type="error" title={`${r.rule}: ${r.name}`} description={<>{t('got_want', { got: outcome(t, r.got), want: outcome(t, r.want) })}{r.diff && <pre className="sql">{r.diff}</pre>}</>} />
      ))}
    </Flex>
  );
}

function outcome(t: (key: string, o: { defaultValue: string }) => string, value: string): string {
  return t(`outcome.${value}`, { defaultValue: value });
}
