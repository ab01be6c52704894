import { expect, test } from 'vitest';

import type { Schemas } from '../../api/client';
import { attribute, columnMap, columnOf, lacks, proposed } from './mapping';

const file: Schemas['File'] = {
  name: 'x.csv', bytes: 1, format: 'csv', header_row: 2,
  header: ['会话', '买家', '发送人', '时间', '内容', '订单'],
  rows: [
    ['c1', '小明', '小明', '10:00', '在吗', ''],
    ['c1', '小明', '某店:机器人', '10:00', '您好', ''],
    ['c1', '小明', '某店:小美', '10:01', '在的', '12'],
  ],
  map: { layout: 'turns', header_row: 2, columns: { session_id: '会话', customer_id: '买家', sender: '发送人', at: '时间', text: '内容' } },
};

test('the proposal, with the senders it can tell apart: the robot before its shop', () => {
  const m = proposed(file);
  expect(columnOf(m, 'text')).toBe('内容');
  expect(m.fields['订单']).toBe('');
  expect(m.senders).toEqual([{ match: '某店:机器人', role: 'bot' }, { match: '某店:*', role: 'agent' }]);
  expect(lacks(m)).toEqual([]);
});

test('the map that the server takes', () => {
  const m = proposed(file);
  m.fields['订单'] = attribute;
  expect(columnMap(m)).toEqual({
    layout: 'turns', header_row: 2,
    columns: { session_id: '会话', customer_id: '买家', sender: '发送人', at: '时间', text: '内容' },
    attributes: { 订单: '订单' },
    roles: { senders: { '某店:机器人': 'bot', '某店:*': 'agent' } },
  });
});

test('sessions cut by time where no column names them', () => {
  const m = proposed(file);
  m.fields['会话'] = '';
  expect(lacks(m)).toEqual(['session_id']);
  m.by = ['买家'];
  expect(lacks(m)).toEqual([]);
  expect(columnMap(m)).toMatchObject({ session: { by: ['买家'], gap: '30m' } });
});

test('what is missing is said', () => {
  const m = proposed({ ...file, map: undefined });
  expect(lacks(m)).toEqual(['text', 'session_id', 'role']);
});
