// How figures are written. Undefined figures (null) are a dash, never 0.
import i18next from 'i18next';

export const dash = '–';

type Maybe = number | null | undefined;
const missing = (n: Maybe): n is null | undefined => n === null || n === undefined || Number.isNaN(n);

const locale = () => (i18next.language === 'en' ? 'en-US' : 'zh-CN');

// count writes a whole number with thousands.
export function count(n: Maybe): string {
  return missing(n) ? dash : n.toLocaleString(locale(), { maximumFractionDigits: 0 });
}

// decimal writes a number with up to `digits` decimals.
export function decimal(n: Maybe, digits = 1): string {
  return missing(n) ? dash : n.toLocaleString(locale(), { maximumFractionDigits: digits, minimumFractionDigits: 0 });
}

// percent writes a ratio (0..1) as a percentage.
export function percent(n: Maybe, digits = 1): string {
  return missing(n) ? dash : `${(n * 100).toLocaleString(locale(), { maximumFractionDigits: digits })}%`;
}

// money writes an amount with two decimals.
export function money(n: Maybe | string): string {
  if (n === null || n === undefined || n === '') return dash;
  const v = Number(n);
  return Number.isNaN(v) ? String(n) : v.toLocaleString(locale(), { minimumFractionDigits: 2, maximumFractionDigits: 2 });
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

// A formatter is slow to make and fast to use; dayjs makes one for every time it writes in a zone.
const inZone = (name: string) =>
  new Intl.DateTimeFormat('en', { timeZone: name, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' });

let zone = 'Asia/Shanghai';
let formatter = inZone(zone);

// setZone sets the timezone that times are shown in: the one days are counted in.
export function setZone(name: string) {
  if (name === zone) return;
  formatter = inZone(name);
  zone = name;
}

const parts: Record<string, Intl.DateTimeFormatPartTypes> = { YYYY: 'year', MM: 'month', DD: 'day', HH: 'hour', mm: 'minute', ss: 'second' };

// time writes an instant (RFC 3339) in the zone of days. A format is made of YYYY, MM, DD, HH, mm and ss.
export function time(at: string | null | undefined, format = 'YYYY-MM-DD HH:mm'): string {
  if (!at) return dash;
  const values = Object.fromEntries(formatter.formatToParts(new Date(at)).map((p) => [p.type, p.value]));
  return format.replace(/YYYY|MM|DD|HH|mm|ss/g, (part) => values[parts[part]]);
}

// addDays moves a day (2006-01-02) by n days.
export function addDays(day: string, n: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + n * 86_400_000).toISOString().slice(0, 10);
}
