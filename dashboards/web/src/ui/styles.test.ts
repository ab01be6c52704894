import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { unused, used } from '../../antd-styles';

const sources = import.meta.glob<string>('../**/*.tsx', { eager: true, query: '?raw', import: 'default' });

test('every component that the app uses has its styles', () => {
  for (const [path, source] of Object.entries(sources)) {
    const [, names = ''] = /import \{([^}]*)\} from 'antd'/.exec(source) ?? [];
    for (const name of names.split(',').map((n) => n.trim().split(/\s+as\s+/)[0])) expect(Object.keys(unused), path).not.toContain(name);
  }
});

test('rules of other components and of the default theme are left out', () => {
  expect(used('.ant-tree{a:b}@media print{.ant-btn,.ant-tour{c:d}.ant-tour :is(.ant-btn,.x){e:f}}.ant-tree-x{g:h}.ant-upload-list{i:j}.css-var-_R_0_{--k:l}')).toBe('@media print{.ant-btn,.ant-tour{c:d}}.ant-upload-list{i:j}');
  const css = readFileSync('node_modules/antd/dist/antd.css', 'utf8');
  expect(used(css).length).toBeLessThan(0.8 * css.length);
  for (const name of ['btn', 'table', 'select', 'picker', 'modal', 'message', 'tag', 'menu']) expect(used(css)).toContain(`.ant-${name}`);
});
