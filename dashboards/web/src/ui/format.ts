// How figures are written. Undefined figures (null) are a dash, never 0.
import i18next from 'i18next';

import { inZone } from './zone';

export const dash = '–';

type Maybe = number | null | undefined;
const missing = (n: Maybe): n is null | undefined => n === null || n === undefined || Number.isNaN(n);

const formats = new Map<string, Intl.NumberFormat>();

// number writes with up to `most` decimals, of which `least` are always there. Formats are slow to make and fast to use.
function number(n: number, most: number, least = 0): string {
  const key = `${i18next.language} ${most} ${least}`;
  let format = formats.get(key);
  if (!format) formats.set(key, (format = new Intl.NumberFormat(i18next.language === 'en' ? 'en-US' : 'zh-CN', { maximumFractionDigits: most, minimumFractionDigits: least })));
  return format.format(n);
}

// count writes a whole number with thousands.
export function count(n: Maybe): string {
  return missing(n) ? dash : number(n, 0);
}

// decimal writes a number with up to `digits` decimals.
export function decimal(n: Maybe, digits = 1): string {
  return missing(n) ? dash : number(n, digits);
}

// percent writes a ratio (0..1) as a percentage.
export function percent(n: Maybe, digits = 1): string {
  return missing(n) ? dash : `${number(n * 100, digits)}%`;
}

// money writes an amount with two decimals.
export function money(n: Maybe | string): string {
  if (n === null || n === undefined || n === '') return dash;
  const v = Number(n);
  return Number.isNaN(v) ? String(n) : number(v, 2, 2);
}

// duration writes milliseconds as people say them: 850 ms is 0.9 s.
export function duration(ms: Maybe): string {
  if (missing(ms)) return dash;
  const seconds = ms / 1000;
  if (seconds < 60) return i18next.t('seconds', { n: decimal(seconds, seconds < 10 ? 1 : 0) });
  const whole = Math.round(seconds);
  if (whole < 3600) return i18next.t('minutes', { m: Math.floor(whole / 60), s: String(whole % 60).padStart(2, '0') });
  return i18next.t('hours', { h: Math.floor(whole / 3600), m: String(Math.floor((whole % 3600) / 60)).padStart(2, '0') });
}

// clock writes milliseconds from the start of a recording as m:ss.
export function clock(ms: number): string {
  const s = Math.floor(ms / 1000);
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
}

export type Unit = 'count' | 'ms' | 'ratio' | 'points' | 'money' | 'mean';

// figure writes a figure by its unit.
export function figure(n: Maybe, unit: Unit): string {
  switch (unit) {
    case 'count':
      return count(n);
    case 'ms':
      return duration(n);
    case 'ratio':
      return percent(n);
    case 'money':
      return money(n);
    case 'points':
      return decimal(n, 1);
    default:
      return decimal(n, 2);
  }
}

let zone = 'Asia/Shanghai';

// setZone sets the timezone that times are shown in: the one days are counted in.
export function setZone(name: string) {
  zone = name;
}

const parts: Record<string, Intl.DateTimeFormatPartTypes> = { YYYY: 'year', MM: 'month', DD: 'day', HH: 'hour', mm: 'minute', ss: 'second' };

// time writes an instant (RFC 3339) in the zone of days. A format is made of YYYY, MM, DD, HH, mm and ss.
export function time(at: string | null | undefined, format = 'YYYY-MM-DD HH:mm'): string {
  if (!at) return dash;
  const values = Object.fromEntries(inZone(zone).formatToParts(new Date(at)).map((p) => [p.type, p.value]));
  return format.replace(/YYYY|MM|DD|HH|mm|ss/g, (part) => values[parts[part]]);
}
