import { expect, test } from 'vitest';

import { indexes, masked, pieces, recording, toIndexes } from './spans';

test.each([
  ['你自己不会', 15, 15, 5],
  ['我赔你什么你自己不会用流量啊', 15, 30, 10],
  ['a😀b', 1, 5, 3],
  ['a😀b', 0, 3, 1], // inside of the emoji
  ['é好', 2, 5, 2],
  ['', 0, 9, 0],
])('%s: bytes %i to %i end at index %i', (text, start, end, want) => {
  expect(indexes(text, [start, end]).get(end)).toBe(want);
});

test('indexes are those of the encoder, at every border of characters', () => {
  const text = '客服a😀ö说：「别催」𠮷[电话x]';
  const encoder = new TextEncoder();
  for (let i = 0; i <= text.length; i++) {
    if (/[\uDC00-\uDFFF]/.test(text[i] ?? '')) continue;
    const bytes = encoder.encode(text.slice(0, i)).length;
    expect(indexes(text, [bytes]).get(bytes)).toBe(i);
  }
});

test('evidence that overlaps is cut where any of it begins or ends', () => {
  const spans = toIndexes('一二三四五', [{ start: 0, end: 9, what: 'a' }, { start: 3, end: 12, what: 'b' }, { start: 6, end: 6, what: 'none' }, { start: 12, end: 99, what: 'c' }]);
  expect(pieces('一二三四五', spans).map((p) => `${p.text}:${p.what.join('')}`)).toEqual(['一:a', '二三:ab', '四:b', '五:c']);
});

test('pieces join up to the text', () => {
  const text = '好的😀谢谢';
  for (let a = 0; a < 8; a++) for (let b = a; b < 20; b++) expect(pieces(text, toIndexes(text, [{ start: a, end: b, what: 1 }, { start: 3, end: 8, what: 2 }])).map((p) => p.text).join('')).toBe(text);
  expect(pieces('', [])).toEqual([]);
});

test('placeholders of masking are found, other brackets are not', () => {
  expect(masked('打[电话x]或[QQx]，[捂脸]').map((s) => [s.start, s.end])).toEqual([[1, 6], [7, 12]]);
});

test.each([
  ['https://media.example.com/a.wav', 19620, 'https://media.example.com/a.wav#t=19'],
  ['https://media.example.com/a.wav', null, 'https://media.example.com/a.wav'],
  ['javascript:alert(1)', 1, undefined],
  ['a.wav', 1, undefined],
  ['', 1, undefined],
])('recording %s at %s', (media, ms, want) => expect(recording(media, ms)).toBe(want));
