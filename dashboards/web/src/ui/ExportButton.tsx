import { DownloadOutlined, DownOutlined } from '@ant-design/icons';
import { App, Button, Dropdown, type MenuProps, Space } from 'antd';
import { useRef, useState } from 'react';

import { useGet } from '../api/client';
import { useMe } from '../api/me';
import { language, useTranslation } from '../i18n';
import { fetchFile, save } from './download';
import { address } from '../api/address';
import { useWhy } from './states';

export type Dataset = 'opinions' | 'mentions' | 'sessions' | 'hits' | 'turns' | 'kpi';

// formats in the order of the menu: the first two are for people, the others for programs.
const formats = ['xlsx', 'csv', 'parquet', 'arrow', 'jsonl'];

// ofList belongs to a list on the screen, never to the rows that an export holds.
const ofList = ['sort', 'limit', 'cursor'];

export interface ExportButtonProps {
  what: Dataset;
  // query is what the page shows: its filters, and options of the export such as `by` of kpi.
  query?: Record<string, unknown>;
  // size of the button, as antd has it.
  size?: 'small' | 'middle' | 'large';
  disabled?: boolean;
}

// ExportButton downloads what a page shows as a file: Excel at a click, other formats from its menu. It is not there for
// roles that may not export the dataset. A filter that the dataset does not take is refused by the server, so that no
// file holds more than its page.
export function ExportButton({ what, query = {}, size, disabled }: ExportButtonProps) {
  const { t } = useTranslation();
  const { message } = App.useApp();
  const why = useWhy();
  const [busy, setBusy] = useState(false);
  const running = useRef(false);
  const { role } = useMe();
  const offered = useGet('/api/v1/exports', { query: { lang: language() } }, { staleTime: 300_000, enabled: role !== 'agent' });
  const info = offered.data?.find((d) => d.dataset === what);
  if (!info) return null;

  const download = async (format: string, split?: string) => {
    if (running.current) return;
    running.current = true;
    setBusy(true);
    try {
      const rows = Object.fromEntries(Object.entries(query).filter(([name]) => !ofList.includes(name)));
      save(await fetchFile(`/api/v1/exports/${what}${address({ ...rows, format, split, lang: language() })}`, `${what}.${format}`));
    } catch (error) {
      void message.error(`${t('export_failed')}: ${why(error)}`);
    } finally {
      running.current = false;
      setBusy(false);
    }
  };
  const items: MenuProps['items'] = formats.filter((f) => info.formats.includes(f)).map((f) => ({ key: f, label: t(`format.${f}`), onClick: () => void download(f) }));
  if (info.split) {
    const by = t(info.split).toLowerCase();
    items.splice(1, 0, { key: 'split', label: t('export_split', { by }), onClick: () => void download('xlsx', info.split) });
  }
  return (
    <Space.Compact size={size}>
      <Button icon={<DownloadOutlined />} loading={busy} disabled={disabled} onClick={() => void download('xlsx')}>
        {t('export')}
      </Button>
      <Dropdown trigger={['click']} placement="bottomRight" disabled={disabled || busy} menu={{ items }}>
        <Button icon={<DownOutlined />} aria-label={t('export_formats')} />
      </Dropdown>
    </Space.Compact>
  );
}
