import { expect, test } from '@playwright/test';

import { login, sql, watch } from './help';

test('an analyst finds a view by what it holds, asks it, and sends the question on', async ({ page }) => {
  const problems = watch(page);
  await login(page, 'analyst', '/data');
  await page.getByLabel('按视图、列或含义查找').fill('reply_ms');
  await expect(page.getByRole('menuitem', { name: 'rounds' })).toBeVisible();
  await expect(page.getByRole('menuitem', { name: 'orders' })).toBeHidden();

  await page.getByRole('tab', { name: 'SQL' }).click();
  const box = page.getByRole('textbox', { name: 'SQL' });
  await box.fill("SELECT count() AS n FROM sessions WHERE state = 'closed'");
  await page.getByRole('button', { name: /运行/ }).click();
  const [want] = await sql<{ n: number }>("SELECT count() AS n FROM sessions WHERE state = 'closed'");
  await expect(page.locator('.ant-table-tbody .cell').first()).toHaveText(String(want?.n));

  await page.getByRole('button', { name: '放进网址' }).click();
  await page.reload();
  await expect(box).toContainText("WHERE state = 'closed'");

  // What is not allowed is said, not run.
  await box.fill('DROP TABLE sessions');
  await page.getByRole('button', { name: /运行/ }).click();
  await expect(page.getByText('没有运行')).toBeVisible();
  expect(problems.filter((p) => !p.includes('400'))).toEqual([]);
});

test('health names dead letters; a product manager sees the views alone', async ({ page }) => {
  await login(page, 'admin', '/data?tab=health');
  const [want] = await sql<{ n: number }>('SELECT count() AS n FROM dead_letters');
  await expect(page.locator('.ant-card', { hasText: '死信' }).locator('tbody').last().locator('tr.ant-table-row')).toHaveCount(Math.min(Number(want?.n), 50));
  await login(page, 'product', '/data?tab=sql');
  await expect(page.getByRole('tab', { name: '视图' })).toBeVisible();
  await expect(page.getByRole('tab', { name: 'SQL' })).toBeHidden();
});

test('a topic that was made again has its lost ranges beside those of the old one', async ({ page }) => {
  const range = { topic: 'tingke.transcripts', partition: 0, from: 5, to: 9, at: '2026-03-02T10:00:00Z', by: '' };
  const ranges = [{ ...range, topic_id: 'aa01bb02cc03', acknowledged: true }, { ...range, topic_id: 'dd04ee05ff06', acknowledged: false }, { ...range, from: 20, to: 20, topic_id: '', acknowledged: true }];
  await page.route('**/api/v1/data/health', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...((await answer.json()) as object), lost_ranges: ranges } });
  });
  await login(page, 'admin', '/data?tab=health');
  const card = page.locator('.ant-card', { hasText: '丢失的消息范围' }).last();
  await expect(card.getByRole('columnheader', { name: '主题编号' })).toBeVisible();
  await expect(card.locator('tr.ant-table-row td:nth-child(2)')).toHaveText(['aa01bb02', 'dd04ee05', '–']);
  await expect(page.getByText('有 1 段消息在读取之前就被删除')).toBeVisible();
});
