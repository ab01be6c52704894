import { DownOutlined, MergeCellsOutlined } from '@ant-design/icons';
import { App, AutoComplete, Button, Dropdown, Flex, Modal, Space, Tooltip } from 'antd';
import { useState } from 'react';

import { useMe } from '../../api/me';
import { useTranslation } from '../../i18n';
import { useWhy } from '../../ui/states';
import { type Change, type Row, statuses, useBulk } from './keep';
import { Merge } from './Merge';
import { FixedOn } from './Status';

// Bulk is what can be done to the selected opinions at once.
export function Bulk({ rows, owners, clear }: { rows: Row[]; owners: string[]; clear: () => void }) {
  const { t } = useTranslation('opinions');
  const { message } = App.useApp();
  const why = useWhy();
  const bulk = useBulk();
  const [asked, setAsked] = useState<'fixed' | 'owner' | 'merge' | null>(null);
  const change = (c: Change) =>
    bulk.mutate(
      { ids: rows.map((r) => r.opinion_id), change: c },
      {
        onSuccess: ({ done, failed }) => {
          if (failed.length > 0) void message.error(t('bulk_partly', { n: done, failed: failed.length, why: why(failed[0].error) }));
          else void message.success(t('bulk_done', { n: done }));
          setAsked(null);
          if (failed.length === 0) clear();
        },
        onError: (error) => void message.error(why(error)),
      },
    );
  return (
    <Flex gap={8} align="center" wrap className="bulk" role="toolbar" aria-label={t('selected', { n: rows.length })}>
      <b>{t('selected', { n: rows.length })}</b>
      <Dropdown
        trigger={['click']}
        menu={{ items: statuses.map((s) => ({ key: s, label: t(`common:opinion_status.${s}`), onClick: () => (s === 'fixed' ? setAsked('fixed') : change({ status: s })) })) }}
      >
        <Button loading={bulk.isPending && asked === null}>
          <Space>
            {t('set_status')}
            <DownOutlined />
          </Space>
        </Button>
      </Dropdown>
      <Button onClick={() => setAsked('owner')}>{t('set_owner')}</Button>
      <Tooltip title={rows.length < 2 ? t('merge_needs_two') : undefined}>
        <Button icon={<MergeCellsOutlined />} disabled={rows.length < 2} onClick={() => setAsked('merge')}>
          {t('merge')}
        </Button>
      </Tooltip>
      <Button type="text" onClick={clear}>
        {t('clear_selection')}
      </Button>
      {asked === 'fixed' && <FixedOn busy={bulk.isPending} close={() => setAsked(null)} fixed={(day) => change({ status: 'fixed', fixed_on: day })} />}
      {asked === 'owner' && <Owner owners={owners} busy={bulk.isPending} close={() => setAsked(null)} owned={(owner) => change({ owner })} />}
      {asked === 'merge' && (
        <Merge
          rows={rows}
          close={() => setAsked(null)}
          done={() => {
            setAsked(null);
            clear();
          }}
        />
      )}
    </Flex>
  );
}

function Owner({ owners, busy, close, owned }: { owners: string[]; busy: boolean; close: () => void; owned: (owner: string) => void }) {
  const { t } = useTranslation('opinions');
  const me = useMe();
  const [owner, setOwner] = useState(me.name || me.user);
  return (
    <Modal open title={t('owner_title')} onCancel={close} onOk={() => owned(owner.trim())} okButtonProps={{ disabled: owner.trim() === '' }} confirmLoading={busy} width={400}>
      <AutoComplete aria-label={t('owner_name')} value={owner} onChange={setOwner} options={[...new Set([me.name || me.user, ...owners])].map((value) => ({ value }))} style={{ width: '100%' }} maxLength={100} />
    </Modal>
  );
}
