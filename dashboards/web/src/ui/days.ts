// addDays moves a day (2006-01-02) by n days.
export function addDays(day: string, n: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + n * 86_400_000).toISOString().slice(0, 10);
}

// monthTo is the month that pages of figures begin with: thirty days that end with the last day that has something.
export function monthTo(today: string, last: string | null | undefined): { from: string; to: string } {
  const to = latest(today, last);
  return { from: addDays(to, -29), to };
}

// latest is the day that pages of one day begin with: today, or where today has nothing yet the last day that has.
export function latest(today: string, last: string | null | undefined): string {
  return last && last < today ? last : today;
}
