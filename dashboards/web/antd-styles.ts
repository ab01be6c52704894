// The styles of antd as one file. Its components can make theirs in the browser, which costs a page a good part of its time
// to open; the theme turns that off (zeroRuntime), so the file must have all that is used.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Plugin } from 'vite';

// unused are the components that the app has not, by the classes they bear.
export const unused: Record<string, string> = {
  Affix: 'affix', Anchor: 'anchor', Breadcrumb: 'breadcrumb', Calendar: 'picker-calendar', Carousel: 'carousel', Cascader: 'cascader', ColorPicker: 'color-picker', FloatButton: 'float-btn',
  Image: 'image', List: 'list', Listy: 'listy', Masonry: 'masonry', Mentions: 'mentions', QRCode: 'qrcode', Rate: 'rate', Splitter: 'splitter', Timeline: 'timeline', Tour: 'tour', Transfer: 'transfer',
  Tree: 'tree', TreeSelect: 'tree-select', Watermark: 'watermark',
};

// used leaves out of antd's own file the rules of unused components, and the values of its default theme: those of the
// app's theme are set in the browser.
export function used(css: string): string {
  const other = new RegExp(`\\.ant-(${Object.values(unused).join('|')})(?![a-z])|\\.css-var-_R_|\\.data-ant-`);
  return css.replace(/([^{}]+)\{[^{}]*\}/g, (rule, selectors: string) => (selectors.split(/,(?![^()]*\))/).every((s) => other.test(s)) ? '' : rule));
}

export function antdStyles(): Plugin {
  return {
    name: 'antd-styles',
    enforce: 'pre',
    resolveId: (id) => (id === 'virtual:antd.css' ? '\0virtual:antd.css' : undefined),
    load: (id) => (id === '\0virtual:antd.css' ? used(readFileSync(createRequire(import.meta.url).resolve('antd/dist/antd.css'), 'utf8')) : undefined),
  };
}
