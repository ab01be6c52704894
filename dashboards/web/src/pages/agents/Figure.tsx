import { QuestionCircleOutlined } from '@ant-design/icons';
import { Tag, Tooltip } from 'antd';

import { useTranslation } from '../../i18n';
import { dash, figure } from '../../ui/format';
import { about, type Beside, gap, type Name } from './figures';


// finalAfter is how many days the profile waits before conversion counts as final; `jd` does not wait for the payment.
export const finalAfter: Record<string, number> = { generic: 4, taobao: 4, jd: 1, douyin: 4 };

// FigureTitle is the name of a figure with its definition.
export function FigureTitle({ name }: { name: Name }) {
  const { t } = useTranslation('agents');
  return (
    <Tooltip title={t(`help.${name}`)}>
      <span style={{ whiteSpace: 'nowrap' }}>
        {t(`figure.${name}`)} <QuestionCircleOutlined className="muted" style={{ fontSize: 12 }} aria-label={t(`help.${name}`)} />
      </span>
    </Tooltip>
  );
}

export interface FigureValueProps {
  name: Name;
  value: number | null;
  // other is what it stands beside, with the word for it.
  other?: Pick<Beside, 'value'> & { of: 'team' | 'all' | 'like' };
  final?: boolean;
  profile: string;
  open?: () => void;
}

// FigureValue is a figure that opens what it is made of, over what it stands beside.
export function FigureValue({ name, value, other, final = true, profile, open }: FigureValueProps) {
  const { t } = useTranslation('agents');
  const { unit } = about(name);
  const text = figure(value, unit);
  const how = gap(name, value, other?.value ?? null);
  return (
    <>
      {open && value !== null ? (
        <button type="button" className="figure-link num" aria-label={t('drill_open', { figure: t(`figure.${name}`), value: text })} onClick={open}>
          {text}
        </button>
      ) : (
        <span className="num">{value === null ? <span className="muted">{dash}</span> : text}</span>
      )}
      {name === 'conversion' && !final && value !== null && (
        <Tooltip title={t('provisional_help', { n: finalAfter[profile] ?? finalAfter.generic })}>
          <Tag className="provisional">{t('provisional')}</Tag>
        </Tooltip>
      )}
      {other && (
        <div className={`beside num ${how}`}>
          {how !== 'same' && <i aria-hidden="true">{(value ?? 0) > (other.value ?? 0) ? '▲' : '▼'}</i>}
          {t(`of_${other.of}`, { v: figure(other.value, other.of === 'like' || !about(name).adds ? unit : unit === 'money' ? 'money' : 'points') })}
        </div>
      )}
    </>
  );
}
