// Words of the app in both languages. Each page folder keeps its own in words.ts under the folder's name as namespace;
// what several pages say is in common.ts. A test checks that both languages have the same keys.
import i18next, { type TFunction } from 'i18next';
import { useSyncExternalStore } from 'react';

import common from './common';

export type Words = { zh: Record<string, string>; en: Record<string, string> };
export type Language = 'zh' | 'en';

const pages = import.meta.glob<{ default: Words }>('../pages/*/words.ts', { eager: true });

// all is every namespace with its words.
export const all: Record<string, Words> = { common };
for (const [path, module] of Object.entries(pages)) all[path.split('/').at(-2) as string] = module.default;

const stored = 'tingke.language';

function initial(): Language {
  const asked = new URLSearchParams(location.search).get('lang');
  if (asked === 'zh' || asked === 'en') return asked;
  return localStorage.getItem(stored) === 'en' ? 'en' : 'zh';
}

export function setLanguage(l: Language) {
  localStorage.setItem(stored, l);
  document.documentElement.lang = l === 'zh' ? 'zh-CN' : 'en';
  void i18next.changeLanguage(l);
}

export function language(): Language {
  return i18next.language === 'en' ? 'en' : 'zh';
}

export function startWords() {
  const resources = { zh: {} as Record<string, object>, en: {} as Record<string, object> };
  for (const [ns, words] of Object.entries(all)) {
    resources.zh[ns] = words.zh;
    resources.en[ns] = words.en;
  }
  const l = initial();
  document.documentElement.lang = l === 'zh' ? 'zh-CN' : 'en';
  return i18next.init({
    lng: l,
    fallbackLng: 'zh',
    defaultNS: 'common',
    fallbackNS: 'common',
    keySeparator: false,
    nsSeparator: ':',
    interpolation: { escapeValue: false }, // React escapes
    resources,
  });
}

// fixed are the words of a language and a namespace; without values to put in, they are looked up once.
const fixed = new Map<string, TFunction>();

function wordsOf(lang: string, ns: string): TFunction {
  const known = fixed.get(`${lang} ${ns}`);
  if (known) return known;
  const t = i18next.getFixedT(lang, ns);
  const plain = new Map<string, string>();
  const words = ((key: string, values?: object) => {
    if (values !== undefined) return t(key, { ...values });
    let word = plain.get(key);
    if (word === undefined) plain.set(key, (word = t(key)));
    return word;
  }) as TFunction;
  fixed.set(`${lang} ${ns}`, words);
  return words;
}

function onLanguage(changed: () => void) {
  i18next.on('languageChanged', changed);
  return () => i18next.off('languageChanged', changed);
}

// useTranslation gives the words of a namespace in the language of the app: t('key'), t('key', {n: 3}), t('common:key').
// Hundreds of rows ask for it, for which react-i18next's own, which copies the whole of i18next for each, is too slow.
export function useTranslation(ns = 'common') {
  const lang = useSyncExternalStore(onLanguage, () => i18next.language);
  return { t: wordsOf(lang, ns), i18n: i18next };
}
