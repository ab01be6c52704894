import { useMemo } from 'react';
import { theme } from 'antd';

import { useGet } from '../../api/client';
import { useTranslation } from '../../i18n';
import { Chart } from '../../ui/Chart';
import type { Filters } from '../../ui/filters';
import { decimal, percent } from '../../ui/format';
import { Nothing } from '../../ui/states';
import type { Detail } from './keep';
import { everyDay, rates } from './rate';

// Course is the mentions of each day, with the day on which it was fixed and what that changed.
export function Course({ opinion: o, scope }: { opinion: Detail; scope: Filters }) {
  const { t } = useTranslation('opinions');
  const { token } = theme.useToken();
  const data = useGet('/api/v1/filters', {}, { staleTime: 300_000 }).data;
  const known = o.days.map((d) => d.day).filter((d) => d !== null);
  const first = (scope.from as string | undefined) ?? data?.first_day ?? known[0];
  const last = (scope.to as string | undefined) ?? data?.last_day ?? known.at(-1);
  const fixed = o.status === 'fixed' ? o.fixed_on : null;
  const option = useMemo(() => {
    if (!first || !last) return null;
    const days = everyDay(o.days, fixed && fixed < first ? fixed : first, fixed && fixed > last ? fixed : last);
    return {
      xAxis: { type: 'category', data: days.map(([d]) => d), axisTick: { show: false }, axisLine: { lineStyle: { color: '#d9dde5' } }, axisLabel: { color: '#5c6370', formatter: (d: string) => d.slice(5) } },
      yAxis: { type: 'value', minInterval: 1, splitLine: { lineStyle: { color: '#f0f2f5' } }, axisLabel: { color: '#5c6370' } },
      series: [
        {
          name: t('mentions'),
          type: 'bar',
          data: days.map(([, n]) => n),
          itemStyle: { color: token.colorPrimary },
          barMaxWidth: 18,
          markLine: fixed ? { symbol: 'none', silent: true, lineStyle: { color: '#389e0d', type: 'dashed', width: 2 }, label: { formatter: `${t('fixed_mark')} ${fixed}`, color: '#389e0d' }, data: [{ xAxis: fixed }] } : undefined,
        },
      ],
    };
  }, [o.days, first, last, fixed, t, token.colorPrimary]);
  const rate = fixed && first && last ? rates(o.days, fixed, first, last) : null;
  return (
    <section aria-label={t('trend_title')}>
      <header>
        <h2>{t('trend_title')}</h2>
        <span className="muted">{t('trend_label')}</span>
      </header>
      {option && known.length > 0 ? (
        <Chart option={option} height={220} label={`${t('trend_label')}${fixed ? ` ${t('fixed_on', { day: fixed })}` : ''}`} />
      ) : (
        <Nothing text={t('no_quotes')} />
      )}
      {rate && rate.days > 0 && (
        <div className="rates">
          <span>
            <span className="muted">{t('before', { n: rate.days })}</span> <b className="num">{t('per_day', { n: decimal(rate.before, 2) })}</b>
          </span>
          {rate.after === null ? (
            <span className="muted">{t('no_after')}</span>
          ) : (
            <>
              <span>
                <span className="muted">{t('after', { n: rate.days })}</span> <b className="num">{t('per_day', { n: decimal(rate.after, 2) })}</b>
              </span>
              <span className="muted">{rate.before > 0 ? t('changed_by', { n: `${rate.after > rate.before ? '+' : ''}${percent(rate.after / rate.before - 1, 0)}` }) : t('before_zero')}</span>
            </>
          )}
        </div>
      )}
    </section>
  );
}
