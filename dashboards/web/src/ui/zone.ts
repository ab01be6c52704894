// Times of day in a timezone.
let made: { zone: string; formatter: Intl.DateTimeFormat } | undefined;

// inZone is the formatter of a timezone. It is slow to make and fast to use; dayjs makes one for every time it writes.
export function inZone(zone: string): Intl.DateTimeFormat {
  if (made?.zone !== zone) {
    made = { zone, formatter: new Intl.DateTimeFormat('en', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' }) };
  }
  return made.formatter;
}
