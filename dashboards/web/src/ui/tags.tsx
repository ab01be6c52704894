// Labels of values of the data, with one colour each everywhere.
import { Tag, Tooltip } from 'antd';

import { useGet } from '../api/client';
import { useTranslation } from '../i18n';

export const severityColor: Record<string, string> = { critical: 'red', major: 'volcano', minor: 'gold', info: 'blue' };

// emotionColor: pleasant ones green to blue, asking ones grey-blue, bad ones amber to red.
export const emotionColor: Record<string, string> = {
  satisfied: '#389e0d', grateful: '#52c41a', hopeful: '#13a8a8', apologetic: '#8c8c8c', surprised: '#2f54eb', confused: '#597ef7',
  urgent: '#d48806', worried: '#d4b106', disappointed: '#d46b08', aggrieved: '#c41d7f', angry: '#cf1322', annoyed: '#ad4e00', neutral: '#bfbfbf',
};

export function Severity({ value }: { value: string }) {
  const { t } = useTranslation();
  return value ? <Tag color={severityColor[value]}>{t(`severity.${value}`, { defaultValue: value })}</Tag> : null;
}

export function Emotion({ value }: { value: string }) {
  const { t } = useTranslation();
  if (!value) return null;
  return (
    <span className="emotion">
      <i style={{ background: emotionColor[value] }} />
      {t(`emotion.${value}`, { defaultValue: value })}
    </span>
  );
}

export function Decision({ value }: { value: string }) {
  const { t } = useTranslation();
  const color: Record<string, string> = { confirm: 'green', dismiss: 'default', appeal: 'purple', uphold: 'geekblue', overturn: 'default' };
  return value ? <Tag color={color[value]}>{t(`decision.${value}`, { defaultValue: value })}</Tag> : null;
}

export function Trend({ value }: { value: string }) {
  const { t } = useTranslation();
  const color: Record<string, string> = { new: 'blue', rising: 'red', fading: 'green', steady: 'default' };
  return value && value !== 'steady' ? <Tag color={color[value]}>{t(`trend.${value}`)}</Tag> : null;
}

// Score colours a score (0..100): below 60 is bad, below 80 is not good.
export function Score({ value, was }: { value: number | null | undefined; was?: number | null }) {
  if (value === null || value === undefined) return <span className="muted">–</span>;
  const kind = value < 60 ? 'bad' : value < 80 ? 'middling' : 'good';
  const s = <b className={`score ${kind}`}>{Math.round(value * 10) / 10}</b>;
  return was !== undefined && was !== null && was !== value ? <Tooltip title={`${was} → ${value}`}>{s}</Tooltip> : s;
}

// useRuleName gives the name of a rule: the one its pack gives it, or in another language our word for a built-in rule that
// nobody has renamed; without either its id.
export function useRuleName() {
  const { t, i18n } = useTranslation();
  const names = useGet('/api/v1/filters', {}, { staleTime: 300_000 }).data?.rule_names;
  const packs = i18n.getFixedT('zh');
  return (id: string, given?: string) => {
    const name = given || names?.[id];
    return name && name !== packs(`rule.${id}`) ? name : t(`rule.${id}`, { defaultValue: id });
  };
}
