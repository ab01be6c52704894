import { DatePicker, Modal, Tag, Typography } from 'antd';
import dayjs from 'dayjs';
import { useState } from 'react';

import { useMe } from '../../api/me';
import { useTranslation } from '../../i18n';
import type { Row } from './keep';

const color: Record<string, string> = { new: 'default', accepted: 'blue', fixed: 'green', declined: 'default' };

// Status is what became of an opinion.
export function Status({ of }: { of: Pick<Row, 'status' | 'fixed_on'> }) {
  const { t } = useTranslation('opinions');
  return (
    <Tag color={color[of.status]}>
      {of.status === 'fixed' && of.fixed_on ? t('fixed_on', { day: of.fixed_on }) : t(`common:opinion_status.${of.status}`)}
    </Tag>
  );
}

// FixedOn asks since when something is fixed.
export function FixedOn({ close, fixed, initial, busy }: { close: () => void; fixed: (day: string) => void; initial?: string | null; busy: boolean }) {
  const { t } = useTranslation('opinions');
  const { today } = useMe();
  const [day, setDay] = useState(initial ?? today);
  return (
    <Modal open title={t('fixed_title')} onCancel={close} onOk={() => fixed(day)} okText={t('common:ok')} confirmLoading={busy} width={400}>
      <Typography.Paragraph>
        <DatePicker aria-label={t('fixed_when')} value={dayjs(day)} maxDate={dayjs(today)} allowClear={false} onChange={(d) => d && setDay(d.format('YYYY-MM-DD'))} style={{ width: '100%' }} />
      </Typography.Paragraph>
      <Typography.Text type="secondary">{t('fixed_note')}</Typography.Text>
    </Modal>
  );
}
