// Somebody looks for what was said, keeps the search, opens a hit and makes a rule of it.
import { expect as soon, test } from '@playwright/test';

import { base, login, sql, watch } from './help';

// A machine that does much else takes its time.
test.setTimeout(300_000);
test.use({ actionTimeout: 90_000 });
const expect = soon.configure({ timeout: 90_000 });

test('words are found literally, marked, and open in their session', async ({ page }) => {
  const problems = watch(page);
  const [{ turns, sessions }] = await sql<{ turns: number; sessions: number }>(`SELECT count() AS turns, uniqExact(session_id) AS sessions FROM turns WHERE position(text, '发货') > 0`);
  expect(Number(turns)).toBeGreaterThan(3);
  await login(page, 'supervisor', '/search');
  await page.getByRole('searchbox', { name: /在所有对话里/ }).fill('发货');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('status').filter({ hasText: '个会话' })).toHaveText(`共 ${turns} 句，${sessions} 个会话`);
  await expect(page).toHaveURL(/q=/);
  const marks = page.locator('mark');
  await expect(marks.first()).toBeVisible();
  expect(new Set(await marks.allInnerTexts())).toEqual(new Set(['发货']));

  const [{ agents }] = await sql<{ agents: number }>(`SELECT count() AS agents FROM turns WHERE role = 'agent' AND position(text, '发货') > 0`);
  await page.getByRole('combobox', { name: '角色' }).click();
  await page.getByTitle('客服', { exact: true }).last().click();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('status').filter({ hasText: '个会话' })).toContainText(`共 ${agents} 句`);
  await page.getByRole('switch', { name: '按会话合并' }).click();
  await expect(page).toHaveURL(/group=1/);

  const hit = page.getByRole('link', { name: /在会话里看这一句/ }).first();
  const href = (await hit.getAttribute('href')) as string;
  expect(href).toMatch(/^\/sessions\/[^?]+\?turn=\d+$/);
  await hit.click();
  await expect(page).toHaveURL(base() + href);
  await page.goBack();
  await expect(page).toHaveURL(/q=.*role=agent|role=agent.*q=/);
  expect(problems).toEqual([]);
});

test('words in full width and emoji are marked where they stand', async ({ page }) => {
  // The API counts bytes: a text with characters of one, three and four bytes before the words tells whether they are moved right.
  await login(page, 'supervisor');
  await page.route(/\/api\/v1\/turns\?/, (route) =>
    route.fulfill({
      json: {
        items: [{ session_id: 's', seq: 3, position: 2, role: 'customer', agent_id: '', at: null, day: '2026-11-01', shop: '', text: 'a😀中发货b', emotion: 'neutral', polarity: 0, spans: [{ start: 8, end: 14 }] }],
        total: 1,
        sessions: 1,
      },
    }),
  );
  await page.goto(`${base()}/search?q=%E5%8F%91%E8%B4%A7`);
  await expect(page.locator('mark')).toHaveText('发货');
});

test('a search is saved, found again, renamed and deleted', async ({ page }) => {
  const name = `测试搜索 ${Date.now()}`;
  await login(page, 'supervisor', '/search?q=%E5%8F%91%E8%B4%A7&role=customer');
  await page.getByRole('button', { name: '保存搜索' }).click();
  const dialog = page.getByRole('dialog', { name: '保存搜索' });
  await dialog.getByLabel('名称').fill(name);
  await dialog.getByRole('button', { name: '保存' }).click();
  await expect(dialog).toBeHidden();
  await page.goto(`${base()}/search`);
  const saved = page.getByRole('list', { name: '已存的搜索' });
  await saved.getByRole('link', { name }).click();
  await expect(page).toHaveURL(/role=customer/);
  await expect(page.locator('mark').first()).toHaveText('发货');

  await page.getByRole('button', { name: `「${name}」的操作` }).click();
  await page.getByRole('menuitem', { name: '改名' }).click();
  const rename = page.getByRole('dialog', { name: '改名' });
  await rename.getByLabel('名称').fill(`${name} 改`);
  await rename.getByRole('button', { name: '保存' }).click();
  await expect(saved.getByRole('link', { name: `${name} 改` })).toBeVisible();

  // Nobody else sees it until it is shared.
  const other = await page.context().browser()?.newContext();
  const colleague = await other!.newPage();
  await login(colleague, 'analyst', '/search');
  await expect(colleague.getByText('已存的搜索').first()).toBeVisible();
  await expect(colleague.getByRole('link', { name: `${name} 改` })).toHaveCount(0);
  await page.getByRole('button', { name: `「${name} 改」的操作` }).click();
  await page.getByRole('menuitem', { name: '共享给同事' }).click();
  await expect(saved.getByText('共享')).toBeVisible();
  await colleague.reload();
  await expect(colleague.getByRole('link', { name: `${name} 改` })).toBeVisible();
  await other!.close();

  await page.getByRole('button', { name: `「${name} 改」的操作` }).click();
  await page.getByRole('menuitem', { name: '删除' }).click();
  await page.getByRole('dialog').getByRole('button', { name: '删除' }).click();
  await expect(saved.getByRole('link', { name: `${name} 改` })).toHaveCount(0);
});

test('found words become the draft of a rule', async ({ page }) => {
  await login(page, 'supervisor', '/search?q=%E9%A2%84%E5%94%AE%E6%AC%BE&role=agent');
  await page.getByRole('button', { name: '做成规则' }).click();
  const dialog = page.getByRole('dialog', { name: '用这次搜索做一条规则' });
  await dialog.getByLabel('规则编号').fill('presale_item');
  const [answer] = await Promise.all([page.waitForResponse((r) => r.url().endsWith('/api/v1/searches/draft')), dialog.getByRole('button', { name: '生成草稿' }).click()]);
  expect(answer.status()).toBe(200);
  const made = (await answer.json()) as { yaml: string };
  expect(made.yaml).toContain('id: presale_item');
  expect(made.yaml).toContain('keyword: {any: [预售款]}');
  await expect(page).toHaveURL(/\/rules\/packs\/custom/);
  const state = (await page.evaluate(() => history.state)) as { usr?: { draft?: { yaml: string; words: string[] } } };
  expect(state.usr?.draft?.yaml).toBe(made.yaml);
  expect(state.usr?.draft?.words).toEqual(['预售款']);
});
