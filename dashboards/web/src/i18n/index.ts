// Words of the app in both languages. Each page folder keeps its own in words.ts under the folder's name as namespace;
// what several pages say is in common.ts. A test checks that both languages have the same keys.
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';

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
  return i18next.use(initReactI18next).init({
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
