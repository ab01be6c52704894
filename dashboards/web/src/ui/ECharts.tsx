import { theme } from 'antd';
import { BarChart, HeatmapChart, LineChart, PieChart } from 'echarts/charts';
import { AriaComponent, GridComponent, LegendComponent, MarkAreaComponent, MarkLineComponent, MarkPointComponent, TooltipComponent, VisualMapComponent } from 'echarts/components';
import { type EChartsType, init, use } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { useEffect, useRef } from 'react';

import type { ChartProps } from './Chart';
import { still } from './theme';

use([BarChart, LineChart, PieChart, HeatmapChart, GridComponent, TooltipComponent, LegendComponent, MarkLineComponent, MarkAreaComponent, MarkPointComponent, VisualMapComponent, AriaComponent, CanvasRenderer]);

// ECharts draws a chart as wide as its place.
export default function ECharts({ option, height = 260, label, onClick }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<EChartsType>(null);
  const click = useRef(onClick);
  click.current = onClick;
  const { token } = theme.useToken();
  useEffect(() => {
    const c = init(place.current as HTMLDivElement);
    chart.current = c;
    c.on('click', (p) => click.current?.(p as never));
    const watch = new ResizeObserver(() => c.resize());
    watch.observe(place.current as HTMLDivElement);
    return () => {
      watch.disconnect();
      c.dispose();
    };
  }, []);
  useEffect(() => {
    chart.current?.setOption(
      {
        animation: !still,
        animationDuration: 250,
        textStyle: { fontFamily: token.fontFamily },
        grid: { left: 8, right: 16, top: 32, bottom: 4, containLabel: true },
        tooltip: { trigger: 'axis', confine: true },
        ...option,
      },
      true,
    );
  }, [option, token.fontFamily]);
  return <div ref={place} role="img" aria-label={label} style={{ width: '100%', height }} />;
}
