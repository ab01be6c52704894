// A team lead reads the figures of agents beside the team's, goes to the sessions behind one, and looks at a training.
import { expect as soon, type Locator, test } from '@playwright/test';

import { login, sql, watch } from './help';

// A machine that does much else takes its time.
test.setTimeout(300_000);
test.use({ actionTimeout: 90_000 });
const expect = soon.configure({ timeout: 90_000 });

type Kpi = Record<string, string | number | boolean | null>;

const columns = ['received', 'rounds', 'avg_reply_ms', 'first_reply_ms', 'within_30s', 'within_180s', 'within_300s', 'order_rate', 'pre_order', 'conversion', 'sales', 'net_sales', 'basket', 'items_per_customer', 'answer_ratio', 'csat', 'invite_rate', 'score', 'hit_rate', 'appeal_rate', 'appeal_won_rate'];
const counts = new Set(['received', 'rounds', 'pre_order']);
const money = new Set(['sales', 'net_sales', 'basket']);
const means = new Set(['items_per_customer', 'answer_ratio']);

const round = (v: number, digits: number) => v.toLocaleString('zh-CN', { maximumFractionDigits: digits });

// written is a figure as the page writes it in Chinese; this is written by hand, not taken from the app.
function written(name: string, v: Kpi[string]): string {
  if (v === null || v === undefined) return '–';
  const n = Number(v);
  if (counts.has(name)) return round(n, 0);
  if (money.has(name)) return n.toLocaleString('zh-CN', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  if (means.has(name)) return round(n, 2);
  if (name === 'score') return round(n, 1);
  if (!name.endsWith('_ms')) return `${round(n * 100, 1)}%`;
  const s = n / 1000;
  if (s < 60) return `${round(s, s < 10 ? 1 : 0)} 秒`;
  const whole = Math.round(s);
  if (whole < 3600) return `${Math.floor(whole / 60)} 分 ${String(whole % 60).padStart(2, '0')} 秒`;
  return `${Math.floor(whole / 3600)} 小时 ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} 分`;
}

const cells = async (row: Locator) => (await row.getByRole('cell').allInnerTexts()).map((s) => s.replace(/暂$/, '').trim());

test('every figure of the table is that of the view agent_kpi', async ({ page }) => {
  const problems = watch(page);
  // The day with the most agents.
  const [{ day }] = await sql<{ day: string }>(`SELECT toString(toDate(started_at, 'Asia/Shanghai')) AS day FROM sessions GROUP BY day ORDER BY uniqExact(agent_ids) DESC, day DESC LIMIT 1`);
  const rows = await sql<Kpi>(`SELECT agent_id, team, shop, ${columns.join(', ')} FROM agent_kpi(profile = 'generic', from = '${day}', to = '${day}', as_of = today()) ORDER BY agent_id, team, shop`);
  expect(rows.length).toBeGreaterThan(2);
  await login(page, 'supervisor', `/agents?from=${day}&to=${day}&split=1&beside=none&cols=${columns.join()}`);
  const table = page.getByRole('table').last();
  await expect(table.getByRole('link').first()).toBeVisible();
  const shown: string[][] = [];
  for (const row of await page.locator('tr.ant-table-row').all()) shown.push(await cells(row));
  const bare = shown.map(([agent, team, shop, ...figures]) => [agent.replace(/.*\((.+)\)$/, '$1'), team === '–' ? '' : team, shop === '–' ? '' : shop, ...figures]);
  expect(bare).toEqual(rows.map((r) => [String(r.agent_id), String(r.team), String(r.shop), ...columns.map((c) => written(c, r[c]))]));
  expect(problems).toEqual([]);
});

test('a figure opens the sessions behind it, and one of them opens', async ({ page }) => {
  const from = '2026-10-17';
  const to = '2026-11-15';
  const [{ n, rounds }] = await sql<{ n: number; rounds: number }>(`
    SELECT uniqExact(session_id) AS n, count() AS rounds FROM rounds WHERE agent_id = 'a103' AND toDate(asked_at, 'Asia/Shanghai') BETWEEN '${from}' AND '${to}'`);
  await login(page, 'supervisor', `/agents?from=${from}&to=${to}&cols=rounds,within_180s`);
  const row = page.locator('tr.ant-table-row', { hasText: '(a103)' });
  await expect(row).toBeVisible();
  await row.getByRole('button', { name: /^对话轮次/ }).click();
  const drawer = page.getByRole('dialog');
  await expect(drawer.getByTestId('drill-sums')).toHaveText(`已列出 ${n} 条，合计 ${rounds}`);
  await expect(drawer.locator('tr.ant-table-row')).toHaveCount(Number(n));
  // What is looked at stands in the address, so the back button closes it and a reload opens it again.
  await page.reload();
  await expect(drawer.getByTestId('drill-sums')).toBeVisible();
  const session = drawer.locator('tr.ant-table-row').getByRole('link').first();
  const id = (await session.innerText()).trim();
  await session.click();
  await expect(page).toHaveURL(new RegExp(`/sessions/${id}`));
});

test('columns are chosen, rows sorted, and both stay in the address', async ({ page }) => {
  await login(page, 'supervisor', '/agents?from=2026-10-17&to=2026-11-15');
  await expect(page.locator('tr.ant-table-row').first()).toBeVisible();
  await page.getByRole('button', { name: '指标列' }).click();
  await page.getByRole('checkbox', { name: '答问比' }).click();
  await expect(page.getByRole('columnheader', { name: /答问比/ }).first()).toBeVisible();
  await expect(page).toHaveURL(/cols=[^&]*answer_ratio/);
  await page.keyboard.press('Escape');
  await page.getByRole('columnheader', { name: /质检分/ }).first().click();
  await expect(page).toHaveURL(/sort=-score/);
  const scores = async () => (await page.locator('tr.ant-table-row').getByRole('button', { name: /^质检分/ }).allInnerTexts()).map(Number);
  const falling = (list: number[]) => list.length > 5 && list.every((v, i) => i === 0 || list[i - 1] >= v);
  await expect.poll(async () => falling(await scores())).toBe(true);
});

test('a training is marked, and the rates before and after it are those of the view hits', async ({ page }) => {
  const [from, date, to, rule] = ['2026-10-17', '2026-11-01', '2026-11-15', 'apology_on_complaint'];
  const rate = async (a: string, b: string) => {
    const [x] = await sql<{ hit: number; all: number }>(`
      SELECT countIf(session_id IN (SELECT session_id FROM hits WHERE rule_id = '${rule}')) AS hit, count() AS all FROM sessions
      WHERE state = 'closed' AND toDate(started_at, 'Asia/Shanghai') BETWEEN '${a}' AND '${b}'`);
    return `${round((Number(x.hit) / Number(x.all)) * 100, 1)}%`;
  };
  await login(page, 'supervisor', `/agents?tab=training&from=${from}&to=${to}&rule=${rule}&date=${date}`);
  await expect(page.getByRole('link', { name: `培训前 ${await rate(from, '2026-10-31')}` })).toBeVisible();
  await expect(page.getByRole('link', { name: `培训后 ${await rate(date, to)}` })).toBeVisible();
  await expect(page.getByRole('img', { name: /2026-11-01 为培训日期/ })).toBeVisible();
});

test('an agent sees the own figures only', async ({ page }) => {
  await login(page, 'agent', '/me?from=2026-10-17&to=2026-11-15');
  const tile = page.locator('[data-figure=rounds]');
  const [{ rounds }] = await sql<{ rounds: number }>(`SELECT sum(rounds) AS rounds FROM agent_kpi(profile = 'generic', from = '2026-10-17', to = '2026-11-15', as_of = today()) WHERE agent_id = 'a301'`);
  await expect(tile.getByRole('button')).toHaveText(round(Number(rounds), 0));
  await expect(page.getByRole('heading', { name: '我的数据' })).toBeVisible();
  await expect(page.getByText('管理员只开放了自己的数据')).toBeVisible();
  await expect(page.getByText('最常违反的规则')).toBeVisible();
  await page.goto(page.url().replace(/\/me.*/, '/agents/a101'));
  await expect(page.getByText('没有这位客服的数据')).toBeVisible();
});
