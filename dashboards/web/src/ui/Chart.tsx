import type { EChartsCoreOption } from 'echarts/core';
import { type ComponentType, useEffect, useState } from 'react';

export interface ChartProps {
  option: EChartsCoreOption;
  height?: number;
  // label says in words what the chart shows, for readers who do not see it.
  label: string;
  onClick?: (params: { name: string; dataIndex: number; seriesName?: string; value: unknown; data: unknown }) => void;
}

let drawn: ComponentType<ChartProps> | undefined;

// Chart keeps the place of a chart until the library that draws it is there. It does not suspend: React holds back what
// was suspended for 300 ms after the last drawing.
export function Chart(props: ChartProps) {
  const [state, set] = useState<{ draws?: ComponentType<ChartProps>; error?: unknown }>({ draws: drawn });
  useEffect(() => {
    if (!drawn)
      void import('./ECharts').then(
        (m) => set({ draws: (drawn = m.default) }),
        (error: unknown) => set({ error }),
      );
  }, []);
  if (state.error) throw state.error;
  return state.draws ? <state.draws {...props} /> : <div style={{ height: props.height ?? 260 }} />;
}
