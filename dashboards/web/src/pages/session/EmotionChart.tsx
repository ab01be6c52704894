import { useMemo } from 'react';

import { useTranslation } from '../../i18n';
import { Chart } from '../../ui/Chart';
import { emotionColor } from '../../ui/tags';
import type { Detail } from './review';

// EmotionChart shows how both sides feel from turn to turn; a click goes to the turn.
export function EmotionChart({ turns, onTurn }: { turns: Detail['turns']; onTurn: (seq: number) => void }) {
  const { t } = useTranslation('session');
  const option = useMemo(() => {
    const spoken = turns.filter((x) => x.role === 'customer' || x.role === 'agent');
    const side = (role: string) =>
      spoken.map((x) =>
        x.role === role ? { value: Math.round(x.polarity * 100) / 100, seq: x.seq, itemStyle: { color: role === 'customer' ? emotionColor[x.emotion] : '#a3b6d9' }, symbolSize: role === 'customer' ? 9 : 5 } : null,
      );
    return {
      grid: { left: 4, right: 10, top: 8, bottom: 2, containLabel: true },
      xAxis: { type: 'category', data: spoken.map((x) => String(x.seq)), axisTick: { show: false }, axisLine: { lineStyle: { color: '#e5e8ef' } }, axisLabel: { color: '#8c8c8c', fontSize: 10 }, triggerEvent: true },
      yAxis: { type: 'value', min: -1, max: 1, interval: 1, axisLabel: { color: '#8c8c8c', fontSize: 10, formatter: (v: number) => (v === 1 ? '+' : v === -1 ? '−' : '0') }, splitLine: { lineStyle: { color: '#f0f2f5' } } },
      tooltip: {
        trigger: 'axis',
        confine: true,
        formatter: (points: { axisValue: string }[]) => {
          const x = spoken.find((s) => String(s.seq) === points[0]?.axisValue);
          if (!x) return '';
          const box = document.createElement('div');
          box.style.maxWidth = '320px';
          box.style.whiteSpace = 'normal';
          box.textContent = `${x.seq} ${t(`role.${x.role}`)} · ${t(`emotion.${x.emotion}`)} ${x.polarity.toFixed(2)}：${x.text.slice(0, 60)}`;
          return box;
        },
      },
      series: [
        { name: t('role.agent'), type: 'line', data: side('agent'), connectNulls: true, lineStyle: { color: '#d5dff0', width: 1 }, symbol: 'circle', silent: false },
        { name: t('role.customer'), type: 'line', data: side('customer'), connectNulls: true, lineStyle: { color: '#8c8c8c', width: 1.5 }, symbol: 'circle' },
      ],
    };
  }, [turns, t]);
  return (
    <Chart
      option={option}
      height={92}
      label={t('emotion_chart')}
      onClick={(p) => {
        const seq = (p.data as { seq?: number } | null)?.seq ?? Number(p.value);
        if (Number.isFinite(seq)) onTurn(seq);
      }}
    />
  );
}
