// Give sessions to reviewers: the selected ones to one person, or those of a period in turn or by ratio.
import { Alert, App, Checkbox, DatePicker, Flex, Form, InputNumber, Modal, Radio, Select, Slider } from 'antd';
import dayjs from 'dayjs';
import { useEffect, useState } from 'react';

import { api, type Schemas, useAct, useGet } from '../../api/client';
import { useMe } from '../../api/me';
import { useTranslation } from '../../i18n';
import { Loaded, useWhy } from '../../ui/states';

type Method = 'hand' | 'round_robin' | 'ratio';
type Given = Schemas['ReviewAssignments'];

export interface AssignProps {
  selected: string[];
  from?: string;
  to?: string;
  close: () => void;
  done: () => void;
}

export function Assign(props: AssignProps) {
  const { t } = useTranslation('queue');
  const reviewers = useGet('/api/v1/reviews/reviewers');
  return (
    <Loaded query={reviewers}>
      {(data) =>
        data.items?.length ? (
          <Dialogue {...props} people={data.items} />
        ) : (
          <Modal open title={t('assign.title')} onCancel={props.close} footer={null}>
            <Alert type="info" showIcon title={t('assign.no_one')} />
          </Modal>
        )
      }
    </Loaded>
  );
}

function Dialogue({ selected, from, to, close, done, people }: AssignProps & { people: Schemas['Reviewer'][] }) {
  const { t } = useTranslation('queue');
  const { message } = App.useApp();
  const why = useWhy();
  const me = useMe();
  const [method, setMethod] = useState<Method>(selected.length > 0 ? 'hand' : 'round_robin');
  const [one, setOne] = useState<string>(people.find((p) => p.user === me.user)?.user ?? people[0].user);
  const [some, setSome] = useState<string[]>(people.map((p) => p.user));
  const [weights, setWeights] = useState<Record<string, number>>({});
  const [days, setDays] = useState<[string | undefined, string | undefined]>([from, to]);
  const [flagged, setFlagged] = useState(true);
  const [sample, setSample] = useState(100);
  const [again, setAgain] = useState(false);
  const hand = method === 'hand';
  const body = (dry: boolean): Schemas['ReviewBatch'] =>
    ({
      method,
      dry_run: dry,
      again: hand || again,
      ...(hand
        ? { sessions: selected, reviewers: [{ user: one }] }
        : {
            from: days[0],
            to: days[1],
            flagged_only: flagged,
            // A hundredth is the finest share that can be asked for.
            sample: sample === 100 ? undefined : sample / 100,
            reviewers: some.map((user) => ({ user, ...(method === 'ratio' ? { weight: weights[user] ?? 1 } : {}) })),
          }),
    }) as Schemas['ReviewBatch'];
  const ask = async (dry: boolean) => (await api.POST('/api/v1/reviews/assign', { body: body(dry) })).data as Given;
  const preview = useAct(ask);
  const give = useAct(ask, ['/api/v1/sessions', '/api/v1/reviews']);
  // What would be given is shown again after every change.
  const { mutate, reset } = preview;
  const asked = JSON.stringify(body(true));
  const ready = hand ? selected.length > 0 : some.length > 0;
  useEffect(() => {
    reset();
    if (!ready) return undefined;
    const soon = setTimeout(() => mutate(true), 300);
    return () => clearTimeout(soon);
  }, [asked, ready, mutate, reset]);
  const would = preview.data?.sessions?.length ?? 0;
  const name = (user: string) => people.find((p) => p.user === user)?.name || user;
  const options = people.map((p) => ({ value: p.user, label: `${p.name} (${p.user}) · ${t('assign.left', { n: p.assigned })}` }));
  const go = () =>
    give.mutate(false, {
      onSuccess: (g) => {
        void message.success(t('assign.done', { n: g.sessions?.length ?? 0 }));
        done();
        close();
      },
      onError: (error) => void message.error(why(error)),
    });
  return (
    <Modal open width={560} title={t('assign.title')} onCancel={close} onOk={go} okText={t('assign.go', { n: would })} cancelText={t('cancel')} okButtonProps={{ disabled: would === 0 || preview.isPending, loading: give.isPending }}>
      <Form layout="vertical">
        <Form.Item label={t('assign.method')}>
          <Radio.Group
            value={method}
            onChange={(e) => setMethod(e.target.value as Method)}
            orientation="vertical"
            options={[
              { value: 'hand', label: t('assign.hand', { n: selected.length }), disabled: selected.length === 0 },
              { value: 'round_robin', label: t('assign.round_robin') },
              { value: 'ratio', label: t('assign.ratio') },
            ]}
          />
        </Form.Item>
        {hand ? (
          <Form.Item label={t('assign.to')}>
            <Select aria-label={t('assign.to')} value={one} onChange={setOne} options={[...options, { value: '', label: t('assign.nobody') }]} />
          </Form.Item>
        ) : (
          <>
            <Form.Item label={t('assign.reviewers')} help={t('assign.explain')} style={{ marginBottom: 20 }}>
              <Select aria-label={t('assign.reviewers')} mode="multiple" value={some} onChange={setSome} options={options} />
            </Form.Item>
            {method === 'ratio' && (
              <Flex wrap gap={12} style={{ marginBottom: 16 }}>
                {some.map((user) => (
                  <span key={user}>
                    {name(user)}{' '}
                    <InputNumber aria-label={t('assign.weight', { user: name(user) })} min={0.1} max={100} step={1} value={weights[user] ?? 1} onChange={(v) => setWeights((w) => ({ ...w, [user]: v ?? 1 }))} style={{ width: 80 }} />
                  </span>
                ))}
              </Flex>
            )}
            <Form.Item label={t('assign.period')}>
              <DatePicker.RangePicker
                aria-label={t('assign.period')}
                allowEmpty={[true, true]}
                value={[days[0] ? dayjs(days[0]) : null, days[1] ? dayjs(days[1]) : null]}
                onChange={(d) => setDays([d?.[0]?.format('YYYY-MM-DD'), d?.[1]?.format('YYYY-MM-DD')])}
              />
            </Form.Item>
            <Form.Item label={`${t('assign.sample')} ${sample}%`} style={{ marginBottom: 8 }}>
              <Slider min={1} max={100} value={sample} onChange={setSample} ariaLabelForHandle={t('assign.sample')} />
            </Form.Item>
            <Flex vertical gap={6} style={{ marginBottom: 16 }}>
              <Checkbox checked={flagged} onChange={(e) => setFlagged(e.target.checked)}>
                {t('assign.flagged')}
              </Checkbox>
              <Checkbox checked={again} onChange={(e) => setAgain(e.target.checked)}>
                {t('assign.again')}
              </Checkbox>
            </Flex>
          </>
        )}
        {preview.error ? (
          <Alert type="error" showIcon title={why(preview.error)} />
        ) : preview.data ? (
          <Alert type={would > 0 ? 'success' : 'info'} title={would > 0 ? t('assign.would', { n: would }) : t('assign.none')} description={Object.entries(preview.data.counts ?? {}).map(([user, n]) => <div key={user}>{t('assign.each', { user: user ? name(user) : t('assign.nobody'), n })}</div>)} />
        ) : null}
      </Form>
    </Modal>
  );
}
