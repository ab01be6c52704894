import { diffLines } from 'diff';

import type { Schemas } from '../../api/client';

export type Line = Pick<Schemas['DiffLine'], 'change' | 'text'>;

// differences are the lines of two texts, in order.
export function differences(before: string, after: string): Line[] {
  return diffLines(before, after).flatMap((part) =>
    part.value
      .replace(/\n$/, '')
      .split('\n')
      .map((text) => ({ change: part.added ? ('added' as const) : part.removed ? ('removed' as const) : ('same' as const), text })),
  );
}

// around keeps `context` equal lines beside what differs; null stands for a gap.
export function around(lines: Line[], context = 3): (Line | null)[] {
  const near = lines.map((_, i) => lines.slice(Math.max(0, i - context), i + context + 1).some((l) => l.change !== 'same'));
  const out: (Line | null)[] = [];
  lines.forEach((line, i) => {
    if (near[i]) out.push(line);
    else if (i === 0 || near[i - 1]) out.push(null);
  });
  return out;
}
