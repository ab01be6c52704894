import { expect, test } from '@playwright/test';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import writeExcel from 'write-excel-file/node';

import { login, sql, watch } from './help';

// table is a file as a shop console gives it, with ids that no other run has used.
async function table(): Promise<{ path: string; ids: string[] }> {
  const run = `e2e-${Date.now().toString(36)}`;
  const ids = [`${run}-a`, `${run}-b`];
  const rows = [
    ['会话ID', '买家昵称', '发送人', '发送时间', '消息内容', '店铺名称', '备注'],
    [ids[0], '小明', '小明', '2026-11-10 10:00:00', '你们的面膜太硬了，用起来不舒服', '导入测试店', '甲'],
    [ids[0], '小明', '导入测试店:小美', '2026-11-10 10:00:20', '亲，给您带来不便非常抱歉', '导入测试店', '甲'],
    [ids[1], '小红', '小红', '2026-11-10 11:00:00', '为什么面膜B这么贵', '导入测试店', '乙'],
    [ids[1], '小红', '导入测试店:小美', '2026-11-10 11:05:00', '爱买不买，没空跟你说', '导入测试店', '乙'],
    [ids[1], '小红', '路人', '2026-11-10 11:06:00', '谁都不是', '导入测试店', '乙'],
  ];
  const path = join(mkdtempSync(join(tmpdir(), 'tingke-import-')), 'chats.xlsx');
  await writeExcel(rows.map((row) => row.map((value) => ({ type: String, value: value as string })))).toFile(path);
  return { path, ids };
}

test('an xlsx is uploaded, its columns mapped, previewed and imported', async ({ page }) => {
  const problems = watch(page);
  const { path, ids } = await table();
  await login(page, 'supervisor', '/imports');
  await page.locator('input[type=file]').setInputFiles(path);

  // What the columns mean is proposed; what is left is said.
  await expect(page.getByText('谁在说话')).toBeVisible();
  await expect(page.getByLabel('值或昵称')).toHaveValue('导入测试店:*');
  await page.getByLabel('列「备注」的含义').click();
  await page.getByTitle('作为附加字段保留').click();
  await page.getByRole('button', { name: '预览' }).click();

  // One row is of nobody: it is named with its line, and does not hold up the others.
  await expect(page.getByText('1 行不能导入', { exact: false })).toBeVisible();
  await expect(page.getByRole('cell', { name: '6', exact: true })).toBeVisible();
  await expect(page.getByText('你们的面膜太硬了，用起来不舒服')).toBeVisible();
  await page.getByRole('button', { name: '开始导入' }).click();
  await expect(page.getByRole('button', { name: '看这些会话' })).toBeVisible({ timeout: 45_000 });

  const rows = await sql<{ session_id: string; turns: number; shop: string }>(`SELECT session_id, turns, shop FROM sessions WHERE session_id IN ('${ids.join("','")}') ORDER BY session_id`);
  expect(rows).toEqual(ids.map((session_id) => ({ session_id, turns: 2, shop: '导入测试店' })));
  const [hit] = await sql<{ n: number }>(`SELECT count() AS n FROM hits WHERE session_id = '${ids[1]}' AND rule_id = 'forbidden'`);
  expect(Number(hit?.n)).toBeGreaterThan(0);

  // The same file again changes nothing.
  await page.getByRole('button', { name: '导入其他文件' }).click();
  await page.locator('input[type=file]').setInputFiles(path);
  await page.getByRole('button', { name: '预览' }).click();
  await page.getByRole('button', { name: '开始导入' }).click();
  await expect(page.getByText('已经有的会话')).toBeVisible({ timeout: 45_000 });
  expect(problems).toEqual([]);
});

test('what is no transcript is refused with a reason, and can be removed', async ({ page }) => {
  const path = join(mkdtempSync(join(tmpdir(), 'tingke-import-')), 'photo.jpg');
  writeFileSync(path, Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 1, 2, 3]));
  const previews: string[] = [];
  page.on('request', (r) => r.url().endsWith('/preview') && previews.push(r.url()));
  await login(page, 'supervisor', '/imports');
  await page.locator('input[type=file]').setInputFiles(path);
  await expect(page.getByText(/photo\.jpg/).first()).toBeVisible();
  await expect(page.getByText('没有一个文件可以读取')).toBeVisible();
  await expect(page.getByRole('button', { name: '开始导入' })).toHaveCount(0);
  expect(previews).toEqual([]);
});
