import { expect, test } from '@playwright/test';

import { login, sql, watch } from './help';

test('a supervisor writes a rule by form, tries it, tests it, backtests it, publishes it and takes it back', async ({ page }) => {
  test.setTimeout(120_000);
  const problems = watch(page);
  const id = `e2e_${Date.now().toString(36)}`;
  await login(page, 'supervisor', '/rules');
  const [hits] = await sql<{ n: string }>("SELECT count() AS n FROM hits WHERE rule_id = 'greeting' AND closed");
  await expect(page.getByRole('row', { name: /greeting/ }).getByRole('link', { name: String(hits?.n), exact: true })).toBeVisible();

  await page.getByRole('button', { name: '新建规则' }).click();
  await page.getByRole('menuitem', { name: /^禁用语/ }).click();
  await page.getByRole('button', { name: '填入示例' }).click();
  await page.getByLabel('编号').fill(id);
  await page.getByLabel('名称').fill('私下联系');
  await page.getByRole('button', { name: '写入规则包' }).click();
  await expect(page.getByText('未发布')).toBeVisible();
  await expect(page.getByRole('menuitem', { name: '私下联系' }).first()).toBeVisible();

  await page.getByRole('tab', { name: '测试', exact: true }).click();
  await page.getByRole('button', { name: '运行测试' }).click();
  await expect(page.getByText(/个测试，0 个不符/)).toBeVisible();

  await page.getByRole('tab', { name: '试一段对话' }).click();
  await page.getByLabel('对话', { exact: true }).fill('客户：怎么买便宜\n客服：你加一下我微信吧，加微.信给你优惠');
  await page.getByRole('button', { name: /^用规则/ }).click();
  await expect(page.getByRole('button', { name: /私下联系 出现/ })).toBeVisible();

  await page.getByRole('tab', { name: '回测' }).click();
  await page.getByRole('button', { name: '回测', exact: true }).click();
  await expect(page.getByText('新规则', { exact: true })).toBeVisible({ timeout: 60_000 });

  // As text: what is wrong is said where it stands, and cannot be published.
  await page.getByText('YAML', { exact: true }).click();
  const text = page.getByRole('textbox', { name: /^规则包/ });
  await expect(text).toContainText(id);
  await text.press('Control+End');
  await text.pressSequentially('\nnonsense: 1');
  await page.getByRole('tab', { name: /检查/ }).click();
  await expect(page.getByText(/nonsense/).last()).toBeVisible();
  await expect(page.getByRole('button', { name: '发布', exact: true })).toBeDisabled();
  for (let i = 0; i < '\nnonsense: 1'.length; i++) await text.press('Backspace');

  await expect(page.getByRole('button', { name: '发布', exact: true })).toBeEnabled();
  await page.getByRole('button', { name: '发布', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.locator('.added').filter({ hasText: id })).toBeVisible();
  await dialog.getByLabel('改了什么').fill('测试：禁止引导私下联系');
  await dialog.getByRole('button', { name: '发布' }).click();
  await expect(page.getByText(/^已发布/)).toBeVisible({ timeout: 60_000 });

  await page.goto(`${new URL(page.url()).origin}/rules?tab=history`);
  const row = page.getByRole('row', { name: /测试：禁止引导私下联系/ }).first();
  await expect(row).toContainText('在用');
  await row.getByRole('button', { name: '差异' }).click();
  await expect(page.getByRole('dialog').locator('.added').filter({ hasText: id })).toBeVisible();
  expect(problems.filter((p) => !/404/.test(p))).toEqual([]);
});

test('an analyst reads rules and tries them, but does not publish', async ({ page }) => {
  await login(page, 'analyst', '/rules/packs/standard?rule=forbidden');
  await expect(page.getByRole('tab', { name: '试一段对话' })).toBeVisible();
  await expect(page.getByRole('button', { name: '发布', exact: true })).toBeHidden();
  await expect(page.getByRole('button', { name: '写入规则包' })).toBeHidden();
});

test('hits, rates and last days of the list are those of the views', async ({ page }) => {
  const rows = await sql<{ rule_id: string; hits: number; rate: number; last: string }>(`
    SELECT h.rule_id AS rule_id, h.n AS hits, round(100 * o.failed / o.judged) AS rate, h.last AS last
    FROM (SELECT rule_id, toFloat64(count()) AS n, toString(max(day)) AS last FROM hits WHERE closed GROUP BY rule_id) AS h
    INNER JOIN (SELECT rule_id, countIf(outcome IN ('fail', 'present')) AS failed, countIf(outcome != 'na') AS judged FROM outcomes WHERE closed GROUP BY rule_id) AS o ON o.rule_id = h.rule_id
    WHERE o.judged > 0 ORDER BY h.n DESC`);
  expect(rows.length).toBeGreaterThan(5);
  await login(page, 'supervisor', '/rules');
  for (const r of rows) {
    const cells = page.locator('tbody tr').filter({ has: page.getByText(r.rule_id, { exact: true }) }).locator('td');
    await expect(cells.nth(4), r.rule_id).toHaveText(String(r.hits));
    await expect(cells.nth(5), r.rule_id).toContainText(`${r.rate}%`);
    await expect(cells.nth(8), r.rule_id).toHaveText(r.last);
  }
});
