// The overview: what it shows is what the public views hold, and a click leads to the sessions that were counted.
import { expect, type Page, test } from '@playwright/test';

import { login, sql, watch } from './help';

const number = (text: string) => Number(text.replace(/[,%\s]/g, '').replace('−', '-'));

// busy is the day with the most sessions, so that there is something to compare.
async function busy(): Promise<string> {
  const [row] = await sql<{ day: string }>("SELECT toString(assumeNotNull(day)) AS day FROM sessions WHERE day IS NOT NULL GROUP BY day ORDER BY count() DESC, day DESC LIMIT 1");
  return row.day;
}

const figures = (page: Page) => page.getByRole('table', { name: '全部指标' });
const cell = (page: Page, figure: string, column: number) => figures(page).locator(`tr[data-figure="${figure}"] td.n`).nth(column);

test('figures equal the views on the day, the day before and a week before', async ({ page }) => {
  const problems = watch(page);
  const day = await busy();
  const [d] = await sql<Record<string, number | null>>(`SELECT ${[0, 1, 7]
    .map((ago, i) => {
      const on = `day = toDate('${day}') - ${ago}`;
      return `toFloat64(countIf(${on})) AS sessions${i}, toFloat64(countIf(${on} AND flagged AND state = 'closed')) AS flagged${i}, toFloat64(countIf(${on} AND flagged AND NOT reviewed AND state = 'closed')) AS unreviewed${i}, toFloat64(sumIf(turns, ${on})) AS turns${i}, round(avgIf(score, ${on} AND state = 'closed'), 1) AS score${i}`;
    })
    .join(', ')} FROM sessions`);
  await login(page, 'supervisor', `/?day=${day}`);
  await expect(figures(page)).toBeVisible();
  for (const figure of ['sessions', 'flagged', 'unreviewed', 'turns', 'score'])
    for (const i of [0, 1, 2]) {
      const want = d[`${figure}${i}`];
      const text = (await cell(page, figure, i).innerText()).trim();
      if (want === null || Number.isNaN(want)) expect(text, `${figure} ${i}`).toBe('–');
      else expect(number(text), `${figure} ${i}`).toBeCloseTo(Number(want), 1);
    }

  const [kpi] = await sql<{ received: number; bought: number | null }>(
    `SELECT toFloat64(sum(received)) AS received, round(100 * sum(pre_order * conversion) / sum(if(conversion IS NULL, 0, pre_order)), 1) AS bought FROM shop_kpi(profile = 'generic', from = '${day}', to = '${day}', as_of = today())`,
  );
  expect(number(await cell(page, 'received', 0).innerText())).toBe(Number(kpi.received));
  if (kpi.bought !== null) expect(number(await cell(page, 'conversion', 0).innerText())).toBeCloseTo(Number(kpi.bought), 1);
  const [rounds] = await sql<{ n: number; within: number }>(
    `SELECT toFloat64(count()) AS n, round(100 * countIf(reply_ms <= 180000) / countIf(reply_ms IS NOT NULL OR reply_seq IS NULL AND asked_at IS NOT NULL), 1) AS within FROM rounds WHERE agent_id != '' AND day = '${day}'`,
  );
  expect(number(await cell(page, 'rounds', 0).innerText())).toBe(Number(rounds.n));
  expect(number(await cell(page, 'within_180s', 0).innerText())).toBeCloseTo(Number(rounds.within), 1);

  const emotions = await sql<{ emotion: string; n: number }>(`SELECT emotion, toFloat64(count()) AS n FROM turns WHERE role = 'customer' AND day = '${day}' GROUP BY emotion`);
  for (const e of emotions) expect(number(await page.locator(`tr[data-emotion="${e.emotion}"] td.n`).first().innerText()), e.emotion).toBe(Number(e.n));
  expect(problems).toEqual([]);
});

test('figures, rules and emotions lead to as many sessions as were counted', async ({ page }) => {
  const day = await busy();
  await login(page, 'supervisor', `/?day=${day}`);
  await expect(figures(page)).toBeVisible();
  const follow = async (link: ReturnType<Page['locator']>, want: number) => {
    await link.click();
    await page.waitForURL(/\/sessions\?/);
    await expect(page.getByRole('tab', { selected: true })).toHaveText(new RegExp(` ${want}$`));
    await page.goBack();
    await expect(figures(page)).toBeVisible();
  };
  for (const figure of ['sessions', 'flagged', 'unreviewed'])
    for (const column of [0, 1]) {
      const link = cell(page, figure, column).getByRole('link');
      if ((await link.count()) > 0) await follow(link, number(await link.innerText()));
    }
  const rules = page.getByRole('table', { name: '违规最多的规则' }).getByRole('link');
  if ((await rules.count()) > 0) await follow(rules.first(), number(await rules.first().innerText()));
  const [angry] = await sql<{ emotion: string; n: number }>(`SELECT emotion, toFloat64(uniqExact(session_id)) AS n FROM turns WHERE role = 'customer' AND day = '${day}' GROUP BY emotion ORDER BY n DESC LIMIT 1`);
  await follow(page.locator(`tr[data-emotion="${angry.emotion}"]`).getByRole('link').first(), Number(angry.n));
});

test('what a figure of replies is made of is listed, and the way back closes it', async ({ page }) => {
  const day = await busy();
  const [rounds] = await sql<{ n: number }>(`SELECT toFloat64(uniqExact(session_id)) AS n FROM rounds WHERE agent_id != '' AND day = '${day}'`);
  await login(page, 'supervisor', `/?day=${day}`);
  await cell(page, 'rounds', 0).getByRole('button').click();
  const drawer = page.getByRole('dialog', { name: new RegExp(`问答轮次.*${day}`) });
  await expect(drawer.getByRole('link')).toHaveCount(Number(rounds.n));
  await expect(page).toHaveURL(/figure=rounds/);
  await page.goBack();
  await expect(drawer).toBeHidden();
  await expect(figures(page)).toBeVisible();
});

test('filters stay in the address, the latest day stands in for an empty today, roles see what is theirs', async ({ page }) => {
  const [last] = await sql<{ day: string; today: string }>("SELECT toString(max(day)) AS day, toString(toDate(now(), 'Asia/Shanghai')) AS today FROM sessions");
  const [shop] = await sql<{ shop: string; day: string; n: number }>("SELECT shop, toString(assumeNotNull(day)) AS day, toFloat64(count()) AS n FROM sessions WHERE shop != '' AND day IS NOT NULL GROUP BY shop, day ORDER BY n DESC, shop, day LIMIT 1");
  await login(page, 'product');
  await expect(page.locator('.page-head')).toContainText(last.day);
  if (last.day < last.today) await expect(page.getByText(`今天（${last.today}）还没有会话`)).toBeVisible();
  await page.goto(new URL(`/?${new URLSearchParams({ day: shop.day, shop: shop.shop })}`, page.url()).href);
  await expect(cell(page, 'sessions', 0)).toHaveText(String(shop.n));
  await expect(page.locator('.filters')).toContainText(shop.shop);
  // product managers do not see figures of agents, so theirs do not lead on
  await expect(cell(page, 'rounds', 0).getByRole('button')).toHaveCount(0);
  await page.getByRole('button', { name: '前一天' }).click();
  await expect(page).toHaveURL(/shop=/);
  await page.goBack();
  await expect(page).toHaveURL(new RegExp(`day=${shop.day}`));
});
