import { BellOutlined, SoundOutlined } from '@ant-design/icons';
import { App, Flex, Input, Modal, Segmented, Skeleton, Switch, Tooltip } from 'antd';
import { useEffect, useMemo, useState } from 'react';

import { api, ApiError, useAct, useGet } from '../../api/client';
import { useList } from '../../api/list';
import { useMe } from '../../api/me';
import { is } from '../../api/roles';
import { useTranslation } from '../../i18n';
import { type AlertRow, put, useLive } from '../../ui/alerts';
import { FilterBar } from '../../ui/FilterBar';
import { useFilters } from '../../ui/useFilters';
import { setDesktop, setSound, useHeralds } from '../../ui/heralds';
import { Page } from '../../ui/Page';
import { Failed, More, Nothing, useWhy } from '../../ui/states';
import { Alert } from './Alert';
import { merge } from './match';
import './alerts.css';

// newFor is how long an alert that came live is called new, in ms.
const newFor = 180_000;

export default function Alerts() {
  const { t } = useTranslation('alerts');
  const me = useMe();
  const live = useLive();
  const { message } = App.useApp();
  const why = useWhy();
  const { filters, set, params } = useFilters({ open: '1' });
  const list = useList('/api/v1/alerts', { query: filters }, { limit: 50 });
  const offered = useGet('/api/v1/filters', {}, { staleTime: 300_000 });
  const now = useNow();
  const [noting, setNoting] = useState<AlertRow | null>(null);
  const [kept, setKept] = useState<ReadonlySet<string>>(new Set());
  const key = params.toString();
  useEffect(() => setKept(new Set()), [key]);

  const take = useAct(async ({ alert, note }: { alert: AlertRow; note?: string }) => {
    const { data } = await api.POST('/api/v1/alerts/{alert_id}/acknowledge', { params: { path: { alert_id: alert.alert_id } }, body: note ? { note } : {} });
    return data as AlertRow;
  }, ['/api/v1/alerts/counts']);
  const acknowledge = (alert: AlertRow, note?: string) => {
    setKept((k) => new Set(k).add(alert.alert_id));
    take.mutate(
      { alert, note },
      {
        onSuccess: (row) => {
          put(row);
          void message.success(t('taken'));
          setNoting(null);
        },
        onError: (error) => {
          void message.error(why(error));
          if (error instanceof ApiError && error.status === 409) void list.refetch();
        },
      },
    );
  };

  const rows = useMemo(() => (list.items ? merge(list.items, live.alerts.values(), filters, kept, !list.hasMore) : undefined), [list.items, list.hasMore, live.alerts, filters, kept]);
  const names = useMemo(() => new Map(offered.data?.agents.map((a) => [a.agent_id, a.name])), [offered.data]);
  const fresh = useMemo(() => new Set(live.fresh), [live.fresh]);
  const { open, ...chosen } = filters;

  return (
    <Page title={t('title')} note={<Connection state={live.state} />} extra={<Told />}>
      <Flex wrap gap={8} align="start" className="alerts-bar">
        <Segmented
          aria-label={t('alert_state')}
          value={open === '1' ? 'open' : 'all'}
          options={[
            { value: 'open', label: t('tab_open') },
            { value: 'all', label: t('tab_all') },
          ]}
          onChange={(v) => set({ open: v === 'open' ? '1' : undefined })}
        />
        <FilterBar filters={chosen} set={set} reset={() => set(Object.fromEntries(Object.keys(chosen).map((name) => [name, undefined])))} fields={['severity', 'rule', 'agent']} more={['period', 'shop', 'team', 'alert_kind', 'alert_state']} />
      </Flex>
      {list.error && !rows ? (
        <Failed error={list.error} retry={() => void list.refetch()} />
      ) : !rows ? (
        <Skeleton active paragraph={{ rows: 8 }} />
      ) : rows.length === 0 ? (
        <Nothing text={open === '1' && Object.keys(chosen).length === 0 ? t('nothing_open') : t('nothing')}>{open === '1' && Object.keys(chosen).length === 0 && <span className="muted">{t('nothing_open_do')}</span>}</Nothing>
      ) : (
        <section className="alerts" aria-label={t('list')} aria-live="polite" style={{ opacity: list.stale ? 0.6 : 1 }}>
          {rows.map((a) => (
            <Alert
              key={a.alert_id}
              alert={a}
              name={names.get(a.agent_id)}
              now={now}
              fresh={fresh.has(a.alert_id) && now - Date.parse(a.stored_at) < newFor}
              mayTake={is(me, 'admin', 'supervisor')}
              taking={take.isPending && take.variables?.alert.alert_id === a.alert_id}
              take={(withNote) => (withNote ? setNoting(a) : acknowledge(a))}
            />
          ))}
        </section>
      )}
      <More list={list} />
      <Note alert={noting} busy={take.isPending} close={() => setNoting(null)} done={(note) => noting && acknowledge(noting, note)} />
    </Page>
  );
}

function Note({ alert, busy, close, done }: { alert: AlertRow | null; busy: boolean; close: () => void; done: (note: string) => void }) {
  const { t } = useTranslation('alerts');
  const [text, setText] = useState('');
  useEffect(() => setText(''), [alert]);
  return (
    <Modal title={t('take_note')} open={alert !== null} onCancel={close} onOk={() => done(text.trim())} okText={t('take')} cancelText={t('cancel')} confirmLoading={busy}>
      <Input.TextArea aria-label={t('note')} placeholder={t('note_hint')} value={text} maxLength={1000} rows={3} autoFocus onChange={(e) => setText(e.target.value)} />
    </Modal>
  );
}

function Connection({ state }: { state: 'off' | 'connecting' | 'live' }) {
  const { t } = useTranslation('alerts');
  return (
    <Tooltip title={t(`${state}_help`)}>
      <span className={`live-dot ${state}`} role="status">
        <i />
        {t(state)}
      </span>
    </Tooltip>
  );
}

// Told are the ways in which somebody is told of alerts while looking elsewhere.
function Told() {
  const { t } = useTranslation('alerts');
  const { message } = App.useApp();
  const told = useHeralds();
  return (
    <Flex gap={16} align="center">
      <label>
        <SoundOutlined /> {t('sound')} <Switch size="small" aria-label={t('sound')} checked={told.sound} onChange={setSound} />
      </label>
      {typeof Notification !== 'undefined' && (
        <label>
          <BellOutlined /> {t('desktop')}{' '}
          <Switch
            size="small"
            aria-label={t('desktop')}
            checked={told.desktop}
            onChange={(on) =>
              void setDesktop(on).then((may) => {
                if (!may) void message.warning(t('desktop_refused'));
              })
            }
          />
        </label>
      )}
    </Flex>
  );
}

// useNow is the time, anew every half minute.
function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 30_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
