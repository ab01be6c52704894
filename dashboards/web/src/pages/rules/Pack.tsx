import { useQuery } from '@tanstack/react-query';
import { Alert, App, Badge, Button, Card, Flex, Grid, Menu, Segmented, Skeleton, Tabs, Tag, Tooltip } from 'antd';
import { lazy, Suspense, useDeferredValue, useEffect, useState } from 'react';
import { useBlocker, useLocation, useParams, useSearchParams } from 'react-router';

import { api, ApiError, type Schemas, useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { language, useTranslation } from '../../i18n';
import { Page } from '../../ui/Page';
import { Loaded, Nothing } from '../../ui/states';
import { useRuleName } from '../../ui/tags';
import { Backtest } from './Backtest';
import { FormPanel, type Filling } from './FormPanel';
import { History } from './History';
import { Publish } from './Publish';
import { Tests } from './Tests';
import { TryIt } from './TryIt';
import { differences } from './diff';
import { Lines } from './Lines';

const Editor = lazy(() => import('./Editor'));

// Pack edits the rules of a pack: by form or as text, with what is wrong as it is typed, tests, a trial, a backtest, and
// publishing. Nothing changes for anybody before it is published.
export default function Pack() {
  const { pack = '' } = useParams();
  const query = useGet('/api/v1/rules/packs/{pack}', { path: { pack } }, { staleTime: Infinity, refetchOnMount: 'always' });
  if (query.error instanceof ApiError && query.error.status === 404) return <Editing key={`${pack}/new`} pack={pack} saved={null} />;
  return <Loaded query={query}>{(text) => <Editing key={`${pack}@${text.version}`} pack={pack} saved={text} />}</Loaded>;
}

// useSettled gives a value once it has not changed for a moment, so that not every key asks the server.
function useSettled(value: string, ms: number): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}

function Editing({ pack, saved }: { pack: string; saved: Schemas['PackText'] | null }) {
  const { t } = useTranslation('rules');
  const me = useMe();
  const { modal } = App.useApp();
  const wide = Grid.useBreakpoint().xl;
  const place = useLocation();
  const [params, setParams] = useSearchParams();
  const before = saved?.yaml ?? '';
  const [text, setText] = useState(before);
  const draft = (place.state as { draft?: Filling } | null)?.draft;
  const [filling, setFilling] = useState<Filling | null>(draft ? { form: draft.form, values: draft.values } : params.get('form') ? { form: params.get('form') as string, values: {} } : null);
  const [way, setWay] = useState<'form' | 'text'>('form');
  const [at, setAt] = useState<number>();
  const [publishing, setPublishing] = useState(false);
  const settled = useSettled(text, 350);
  const changed = text !== before;
  const lint = useQuery<Schemas['Lint'], ApiError>({
    queryKey: ['lint', settled],
    queryFn: async ({ signal }) => (await api.POST('/api/v1/rules/lint', { body: { yaml: settled }, signal })).data as Schemas['Lint'],
    enabled: settled.trim() !== '',
    placeholderData: (last) => last,
    staleTime: Infinity,
  });
  const rules = settled.trim() === '' ? [] : (lint.data?.rules ?? []);
  const problems = useDeferredValue(settled.trim() === '' ? [] : (lint.data?.problems ?? []));
  const errors = problems.filter((p) => p.severity === 'error').length;
  const waiting = settled.trim() !== '' && lint.isPending;
  const chosen = rules.find((r) => r.id === params.get('rule'));

  useLeaving(changed, (go) => void modal.confirm({ title: t('leave_title'), content: t('leave_text'), okText: t('leave'), okButtonProps: { danger: true }, cancelText: t('stay'), onOk: go }));

  const choose = (id: string) => {
    setFilling(null);
    setParams({ rule: id }, { replace: true });
    setAt(rules.find((r) => r.id === id)?.line);
  };
  const writes = is(me, 'admin', 'supervisor');
  const runs = is(me, 'admin', 'supervisor', 'analyst');
  const own = saved?.origin !== 'built in';

  const side = (
    <Tabs
      defaultActiveKey="problems"
      destroyOnHidden={false}
      items={[
        {
          key: 'problems',
          label: (
            <Badge count={problems.length} size="small" color={errors > 0 ? 'red' : 'orange'} offset={[10, 0]}>
              {t('problems')}
            </Badge>
          ),
          children: <Problems problems={problems} waiting={waiting} go={(line) => { setWay('text'); setAt(line); }} />,
        },
        { key: 'tests', label: t('tests'), children: <Tests yaml={text} /> },
        { key: 'try', label: t('try'), children: <TryIt yaml={text} rule={chosen?.id} /> },
        ...(runs ? [{ key: 'backtest', label: t('backtest'), children: <Backtest yaml={text} errors={errors > 0} /> }] : []),
        { key: 'changes', label: t('changes'), children: <Lines lines={differences(before, text)} /> },
        { key: 'history', label: t('history'), children: <History pack={pack} /> },
      ]}
    />
  );
  return (
    <Page
      title={pack}
      note={
        <>
          {saved ? `${saved.version} · ${t(`origin.${saved.origin}`, { defaultValue: saved.origin })}` : t('new_pack')} {changed && <Tag color="orange">{t('unpublished')}</Tag>}
        </>
      }
      extra={
        <>
          <Segmented value={way} onChange={(v) => setWay(v as 'form' | 'text')} options={[{ value: 'form', label: t('by_form') }, { value: 'text', label: 'YAML' }]} />
          {changed && <Button onClick={() => setText(before)}>{t('revert')}</Button>}
          {writes && (
            <Tooltip title={errors > 0 ? t('mend_first') : undefined}>
              <Button type="primary" disabled={!changed || errors > 0} onClick={() => setPublishing(true)}>
                {t('publish')}
              </Button>
            </Tooltip>
          )}
        </>
      }
    >
      {!own && writes && <Alert type="info" showIcon style={{ marginBottom: 12 }} title={t('built_in_note')} />}
      <Flex gap={16} align="start" vertical={!wide}>
        <Flex gap={12} style={{ flex: 3, minWidth: 0, width: '100%' }} align="start" vertical={!wide}>
          <RuleMenu waiting={waiting} rules={rules} chosen={filling ? undefined : chosen?.id} choose={choose} add={writes ? (form) => { setFilling({ form, values: {} }); setWay('form'); } : undefined} />
          <div style={{ flex: 1, minWidth: 0, width: '100%' }}>
            {way === 'text' ? (
              <Card size="small" styles={{ body: { padding: 0 } }}>
                <Suspense>
                  <Editor value={text} onChange={writes ? setText : undefined} problems={problems} at={at} height="calc(100vh - 210px)" label={t('text_of', { pack })} />
                </Suspense>
              </Card>
            ) : filling ? (
              <FormPanel key={`new-${filling.form}`} pack={pack} yaml={text} filling={filling} readOnly={!writes} applied={(yaml, id) => { setText(yaml); setFilling(null); setParams({ rule: id }, { replace: true }); }} />
            ) : chosen?.form ? (
              <FormPanel key={chosen.id} pack={pack} yaml={text} rule={chosen.id} readOnly={!writes} applied={(yaml) => setText(yaml)} />
            ) : chosen ? (
              <Card size="small" title={chosen.name}>
                <p>{t('no_form')}</p>
                <Button onClick={() => { setWay('text'); setAt(chosen.line); }}>{t('open_text')}</Button>
              </Card>
            ) : (
              <Card size="small" loading={waiting}>
                <Nothing text={t('choose_rule')} />
              </Card>
            )}
          </div>
        </Flex>
        <Card size="small" style={{ flex: 2, minWidth: 0, width: '100%' }}>
          {side}
        </Card>
      </Flex>
      {publishing && <Publish pack={pack} yaml={text} base={saved?.version} before={before} close={() => setPublishing(false)} />}
    </Page>
  );
}

// useLeaving asks before a change that is not published is thrown away, by another page or by closing the tab.
function useLeaving(changed: boolean, ask: (go: () => void) => void) {
  const blocker = useBlocker(({ currentLocation, nextLocation }) => changed && currentLocation.pathname !== nextLocation.pathname && nextLocation.pathname !== '/login');
  useEffect(() => {
    if (blocker.state === 'blocked') {
      ask(() => blocker.proceed());
      blocker.reset();
    }
  }, [blocker, ask]);
  useEffect(() => {
    if (!changed) return undefined;
    const stop = (e: BeforeUnloadEvent) => e.preventDefault();
    window.addEventListener('beforeunload', stop);
    return () => window.removeEventListener('beforeunload', stop);
  }, [changed]);
}

function RuleMenu({ waiting, rules, chosen, choose, add }: { waiting: boolean; rules: Schemas['DraftRule'][]; chosen?: string; choose: (id: string) => void; add?: (form: string) => void }) {
  const { t } = useTranslation('rules');
  const ruleName = useRuleName();
  const forms = useGet('/api/v1/rules/forms', {}, { staleTime: Infinity }).data?.items ?? [];
  return (
    <Card size="small" className="rule-menu" styles={{ body: { padding: waiting ? 12 : 0 } }} loading={waiting}>
      <Menu
        mode="inline"
        selectedKeys={chosen ? [chosen] : []}
        onClick={({ key }) => (key.startsWith('+') ? add?.(key.slice(1)) : choose(key))}
        style={{ borderInlineEnd: 'none' }}
        items={[
          ...rules.map((r) => ({ key: r.id, label: ruleName(r.id, r.name), title: r.id })),
          ...(add ? [{ type: 'divider' as const }, { key: 'new', label: t('add_rule'), children: forms.map((f) => ({ key: `+${f.id}`, label: f.label[language()], title: f.help[language()] })) }] : []),
        ]}
      />
    </Card>
  );
}

function Problems({ problems, waiting, go }: { problems: Schemas['LintProblem'][]; waiting: boolean; go: (line: number) => void }) {
  const { t } = useTranslation('rules');
  if (waiting) return <Skeleton active paragraph={{ rows: 2 }} title={false} />;
  if (problems.length === 0) return <Alert type="success" showIcon title={t('no_problems')} />;
  return (
    <Flex vertical gap={8}>
      {problems.map((p, i) => (
        <Alert
          key={i}
          type={p.severity === 'error' ? 'error' : 'warning'}
          showIcon
          title={p.message}
          description={p.hint}
          action={
            p.line > 0 && (
              <Button size="small" onClick={() => go(p.line)}>
                {t('line', { n: p.line })}
              </Button>
            )
          }
        />
      ))}
    </Flex>
  );
}
