// Places in a text. The API counts bytes of UTF-8; strings here count UTF-16 code units.

export interface Span<T> {
  start: number;
  end: number;
  what: T;
}

// Piece is a run of text that the same spans cover.
export interface Piece<T> {
  text: string;
  start: number;
  what: T[];
}

// indexes gives, for every byte offset asked for, the index in the string. An offset inside of a character goes to its
// beginning, one beyond the text to its end.
export function indexes(text: string, bytes: number[]): Map<number, number> {
  const wanted = [...new Set(bytes)].sort((a, b) => a - b);
  const found = new Map<number, number>();
  let at = 0;
  let index = 0;
  let next = 0;
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    const size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    while (next < wanted.length && wanted[next] < at + size) found.set(wanted[next++], index);
    at += size;
    index += character.length;
  }
  while (next < wanted.length) found.set(wanted[next++], text.length);
  return found;
}

// toIndexes moves spans from bytes to indexes of the string; empty ones are left out.
export function toIndexes<T>(text: string, spans: Span<T>[]): Span<T>[] {
  const at = indexes(text, spans.flatMap((s) => [s.start, s.end]));
  return spans.map((s) => ({ ...s, start: at.get(s.start) as number, end: at.get(s.end) as number })).filter((s) => s.end > s.start);
}

// pieces cuts a text where spans begin and end, so that overlapping ones can be drawn. Joined, the pieces are the text.
export function pieces<T>(text: string, spans: Span<T>[]): Piece<T>[] {
  const inside = spans.map((s) => ({ ...s, start: Math.max(0, s.start), end: Math.min(text.length, s.end) })).filter((s) => s.end > s.start);
  const cuts = [...new Set([0, text.length, ...inside.flatMap((s) => [s.start, s.end])])].sort((a, b) => a - b);
  const out: Piece<T>[] = [];
  for (let i = 0; i + 1 < cuts.length; i++) {
    const [start, end] = [cuts[i], cuts[i + 1]];
    out.push({ text: text.slice(start, end), start, what: inside.filter((s) => s.start <= start && end <= s.end).map((s) => s.what) });
  }
  return out;
}

// masked are the placeholders that masking left in a text, such as [电话x].
export function masked(text: string): Span<'masked'>[] {
  return [...text.matchAll(/\[(?:\p{Script=Han}{1,8}|QQ)x\]/gu)].map((m) => ({ start: m.index, end: m.index + m[0].length, what: 'masked' as const }));
}

// recording is the address of a place of a recording, or nothing where the address is none of the web.
export function recording(media: string, ms: number | null | undefined): string | undefined {
  if (!media) return undefined;
  try {
    const url = new URL(media);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined;
    if (ms !== null && ms !== undefined) url.hash = `t=${Math.max(0, Math.floor(ms / 1000))}`;
    return url.href;
  } catch {
    return undefined;
  }
}
