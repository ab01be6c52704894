import { expect, test } from 'vitest';

import { all } from './index';

test.each(Object.keys(all))('%s has the same words in both languages', (ns) => {
  const { zh, en } = all[ns];
  expect(Object.keys(en).sort()).toEqual(Object.keys(zh).sort());
  for (const [key, text] of Object.entries({ ...zh, ...en })) expect(text, key).not.toBe('');
});

test.each(Object.keys(all))('%s fills in the same places in both languages', (ns) => {
  const places = (s: string) => (s.match(/{{\w+}}/g) ?? []).sort();
  const { zh, en } = all[ns];
  for (const key of Object.keys(zh)) expect(places(en[key]), key).toEqual(places(zh[key]));
});
