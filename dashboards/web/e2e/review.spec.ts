// The supervisor's job and the agent's: the queue, a flagged session with its evidence, decisions, an appeal, its judgement.
import { expect, type Page, test } from '@playwright/test';

import { base, login, loginByForm, sql, watch } from './help';

interface HitRow {
  session_id: string;
  hit_id: string;
  rule_id: string;
  decision: string;
  state: string;
}

const hitsOf = (session: string) => sql<HitRow>(`SELECT session_id, hit_id, rule_id, decision, state FROM hits WHERE session_id = '${session}'`);

// fresh is a flagged session that nobody has touched: each test takes one of its own, the agent's are left to the agent.
async function fresh(): Promise<string> {
  const rows = await sql<{ session_id: string }>(
    `SELECT session_id FROM sessions WHERE state = 'closed' AND flagged AND NOT has(agent_ids, 'a301')
       AND session_id IN (SELECT session_id FROM hits WHERE severity IN ('major', 'critical') AND length(evidence) > 0)
       AND session_id IN (SELECT session_id FROM hits WHERE severity != 'info' GROUP BY session_id HAVING count() >= 3 AND countIf(decision != '') = 0)
       AND session_id NOT IN (SELECT session_id FROM reviews) ORDER BY session_id LIMIT 1`,
  );
  expect(rows.length, 'the demo holds a flagged session that nobody has reviewed').toBe(1);
  return rows[0].session_id;
}

// card is a hit whose decision the server has taken: while one is on its way, the page shows it as busy.
const card = (page: Page, hit: string) => page.locator(`[data-hit="${hit}"][aria-busy="false"]`);

test('the queue shows what the view holds, in the order asked for, and the address keeps the filters', async ({ page }) => {
  await loginByForm(page, 'supervisor', '/sessions?tab=all');
  const problems = watch(page); // before the log-in the server refuses /me, which the browser complains of
  const [{ n }] = await sql<{ n: number }>('SELECT count() AS n FROM sessions');
  await expect(page.getByRole('tab', { name: `全部会话 ${n}` })).toBeVisible();

  await page.goto(`${base()}/sessions?tab=all&severity=critical&sort=score`);
  const wanted = await sql<{ session_id: string; final_score: number }>("SELECT session_id, final_score FROM sessions WHERE severity = 'critical' ORDER BY ifNull(score, 1e300), session_id LIMIT 50");
  await expect(page.locator('tr[data-session]')).toHaveCount(wanted.length);
  expect(await page.locator('tr[data-session]').evaluateAll((rows) => rows.map((r) => r.getAttribute('data-session')))).toEqual(wanted.map((r) => r.session_id));
  await expect(page.locator('tr[data-session]').first().locator('td.n').first()).toHaveText(String(Math.round(wanted[0].final_score * 10) / 10));

  // j goes down, x selects, Enter opens; back comes to the same row.
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await expect(page.getByRole('toolbar', { name: '已选 1 个' })).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(new RegExp(`/sessions/${wanted[1].session_id}\\?.*severity=critical`));
  await expect(page.getByRole('log', { name: '对话' })).toBeVisible();
  // n goes on within the filters and the order.
  await expect(page.getByRole('button', { name: '下一个' }).first()).toBeEnabled();
  await page.keyboard.press('n');
  await expect(page).toHaveURL(new RegExp(`/sessions/${wanted[2].session_id}\\?`));
  await page.goBack();
  await page.goBack();
  await expect(page.locator(`tr[data-session="${wanted[1].session_id}"]`)).toHaveAttribute('aria-current', 'true');
  expect(problems).toEqual([]);
});

test('a supervisor sees the evidence, dismisses one hit, confirms another, and takes it back', async ({ page }) => {
  const session = await fresh();
  const hits = await hitsOf(session);
  const withEvidence = await sql<{ hit_id: string; seq: number; words: string }>(
    `SELECT h.hit_id AS hit_id, e.1 AS seq, substring(t.text, e.2 + 1, e.3 - e.2) AS words
       FROM (SELECT hit_id, arrayJoin(evidence) AS e FROM hits WHERE session_id = '${session}' AND severity IN ('major', 'critical')) AS h
       INNER JOIN (SELECT seq, text FROM turns WHERE session_id = '${session}') AS t ON t.seq = e.1 LIMIT 1`,
  );
  const [{ hit_id: wrong, seq, words }] = withEvidence;
  const right = hits.find((h) => h.hit_id !== wrong && h.state === 'undecided') as HitRow;
  const [before] = await sql<{ score: number; final_score: number }>(`SELECT score, final_score FROM sessions WHERE session_id = '${session}'`);

  await login(page, 'supervisor', `/sessions/${session}`);
  // The evidence is marked in its turn, in the words that the bytes of the view say.
  await card(page, wrong).getByRole('button', { name: new RegExp(`第 ${seq} 句`) }).first().click();
  const turn = page.locator(`#turn-${seq}`);
  await expect(turn).toBeInViewport();
  expect((await turn.locator('mark.ev').allTextContents()).join('')).toContain(words);

  // Why: every condition, explained.
  await card(page, wrong).getByRole('button', { name: '为什么' }).click();
  await expect(card(page, wrong).getByText(/^结果：/)).toBeVisible();

  await card(page, wrong).getByRole('button', { name: '驳回', exact: true }).click();
  await card(page, wrong).getByRole('textbox', { name: '说明' }).fill('语境不符，客户自己提的');
  await page.keyboard.press('Enter');
  await expect(card(page, wrong).getByText('已驳回')).toBeVisible();
  await card(page, right.hit_id).getByRole('button', { name: '确认', exact: true }).click();
  await expect(card(page, right.hit_id).getByText('已确认')).toBeVisible();
  await expect.poll(async () => (await hitsOf(session)).filter((h) => h.hit_id === wrong || h.hit_id === right.hit_id).map((h) => `${h.hit_id} ${h.decision}`).sort()).toEqual([`${wrong} dismiss`, `${right.hit_id} confirm`].sort());
  const events = await sql<{ action: string; actor: string; note: string }>(`SELECT action, actor, note FROM reviews WHERE session_id = '${session}' ORDER BY event_id`);
  expect(events).toEqual([
    { action: 'dismiss', actor: 'supervisor', note: '语境不符，客户自己提的' },
    { action: 'confirm', actor: 'supervisor', note: '' },
  ]);

  // The score follows: the final one on the page is that of the view.
  const [after] = await sql<{ score: number; final_score: number }>(`SELECT score, final_score FROM sessions WHERE session_id = '${session}'`);
  expect(after.score).toBe(before.score);
  expect(after.final_score).toBeGreaterThan(before.final_score);
  await expect(page.locator('.stand > div').nth(1).locator('b')).toHaveText(String(Math.round(after.final_score * 10) / 10));
  await page.getByRole('tab', { name: '评分' }).click();
  await expect(page.locator('.lines tr.void')).toHaveCount(1);
  await expect(page.locator('.lines tr.sum').nth(1).locator('b')).toHaveText(String(Math.round(after.final_score * 10) / 10));

  // A wrong hit becomes a test of its rule: offered, and shown.
  await page.getByRole('tab', { name: /^质检/ }).click();
  await card(page, wrong).getByRole('button', { name: '转成规则用例' }).click();
  await expect(page.getByRole('dialog').locator('pre')).toContainText('turns');
  await page.getByRole('dialog').getByText('关闭', { exact: true }).click();

  // A dismissal is taken back by confirming; the trail tells all of it.
  await card(page, wrong).getByRole('button', { name: '确认', exact: true }).click();
  await expect(card(page, wrong).getByText('已确认')).toBeVisible();
  await page.getByRole('tab', { name: /^记录/ }).click();
  await expect(page.getByRole('list', { name: '复核记录' }).getByRole('listitem')).toHaveCount(3);
});

test('two reviewers at once: both decisions are kept and the conflict is shown until one more resolves it', async ({ page }) => {
  const session = await fresh();
  const hit = (await hitsOf(session))[0].hit_id;
  await login(page, 'supervisor', `/sessions/${session}`);
  await expect(card(page, hit).getByRole('button', { name: '驳回', exact: true })).toBeVisible();
  // The admin confirms meanwhile, unseen by this page: it does not get to look again before it decides.
  await page.route('**/review', (route) => (route.request().method() === 'GET' ? route.abort() : route.continue()));
  const other = await page.context().browser()!.newContext();
  const admin = await other.newPage();
  await login(admin, 'admin', '/');
  const answer = await other.request.post(`${base()}/api/v1/sessions/${session}/review`, { data: { action: 'confirm', hit_id: hit }, headers: { Origin: base() } });
  expect(answer.status()).toBe(200);
  await other.close();

  await card(page, hit).getByRole('button', { name: '驳回', exact: true }).click();
  await card(page, hit).getByRole('button', { name: '驳回此项' }).click();
  await expect(card(page, hit).getByText('结论冲突')).toBeVisible();
  expect((await sql<{ n: number }>(`SELECT count() AS n FROM hits WHERE session_id = '${session}' AND conflict`))[0].n).toBe(1);
  await page.unroute('**/review');
  await page.goto(`${base()}/sessions?tab=conflicts`);
  await expect(page.locator(`tr[data-session="${session}"]`)).toBeVisible();

  await page.goto(`${base()}/sessions/${session}`);
  await card(page, hit).getByRole('button', { name: '确认', exact: true }).click();
  await expect(card(page, hit).getByText('已确认')).toBeVisible();
  await expect(card(page, hit).getByText('结论冲突')).toBeHidden();
  expect((await sql<{ n: number }>(`SELECT count() AS n FROM hits WHERE session_id = '${session}' AND conflict`))[0].n).toBe(0);
});

test('an agent appeals, and somebody who has not decided judges', async ({ page }) => {
  const [hit] = await sql<HitRow>("SELECT session_id, hit_id, rule_id, decision, state FROM hits WHERE agent_id = 'a301' AND closed AND points < 0 AND session_id NOT IN (SELECT session_id FROM reviews) ORDER BY points, session_id, hit_id LIMIT 1");
  const session = hit.session_id;
  await login(page, 'supervisor', `/sessions/${session}?hit=${hit.hit_id}`);
  await card(page, hit.hit_id).getByRole('button', { name: '确认', exact: true }).click();
  await expect(card(page, hit.hit_id).getByText('已确认')).toBeVisible();

  // The agent sees the own sessions alone, and what may be appealed against.
  await login(page, 'agent', '/sessions');
  const [{ n }] = await sql<{ n: number }>("SELECT count() AS n FROM sessions WHERE has(agent_ids, 'a301')");
  await expect(page.getByRole('tab', { name: `全部会话 ${n}` })).toBeVisible();
  await page.goto(`${base()}/appeals`);
  const mine = page.locator('article.appeal').filter({ hasText: session }).filter({ hasText: '已确认' });
  await expect(mine).toHaveCount(1);
  await mine.getByRole('link', { name: '看对话' }).click();
  await card(page, hit.hit_id).getByRole('button', { name: '申诉', exact: true }).click();
  await expect(card(page, hit.hit_id).getByRole('button', { name: '提交申诉' })).toBeDisabled();
  await card(page, hit.hit_id).getByRole('textbox', { name: '申诉理由' }).fill('我已经道歉，是系统没有识别');
  await card(page, hit.hit_id).getByRole('button', { name: '提交申诉' }).click();
  await expect(card(page, hit.hit_id).getByText('申诉中')).toBeVisible();

  // Who decided is not offered to judge.
  await login(page, 'supervisor', '/appeals');
  const waiting = page.locator('article.appeal').filter({ hasText: '我已经道歉，是系统没有识别' });
  await expect(waiting).toHaveCount(1);
  await expect(waiting.getByRole('button', { name: '改判' })).toHaveCount(0);
  await expect(waiting.getByText('你作过此项结论')).toBeVisible();

  await login(page, 'admin', '/appeals');
  await waiting.getByRole('button', { name: '改判' }).click();
  await page.getByRole('dialog').getByRole('textbox', { name: '裁定理由' }).fill('确实道歉了');
  await page.getByRole('dialog').getByRole('button', { name: '改判' }).click();
  await expect(waiting).toHaveCount(0);
  await page.getByRole('tab', { name: '已裁定' }).click();
  await expect(waiting.getByText('申诉成立').first()).toBeVisible();

  const [now] = (await hitsOf(session)).filter((h) => h.hit_id === hit.hit_id);
  expect([now.state, now.decision]).toEqual(['overturned', 'overturn']);
  expect((await sql<{ action: string; actor: string }>(`SELECT action, actor FROM reviews WHERE session_id = '${session}' AND hit_id = '${hit.hit_id}' ORDER BY event_id`)).map((e) => `${e.actor} ${e.action}`)).toEqual([
    'supervisor confirm',
    'agent appeal',
    'admin overturn',
  ]);
});

test('many at once: selected sessions are assigned and their hits confirmed', async ({ page }) => {
  const first = await fresh();
  await login(page, 'supervisor', '/sessions');
  const row = page.locator(`tr[data-session="${first}"]`);
  for (let i = 0; i < 5 && (await row.count()) === 0; i++) await page.mouse.wheel(0, 20_000).then(() => page.waitForTimeout(500));
  await row.getByRole('checkbox').check();
  await page.getByRole('toolbar').getByRole('button', { name: '分派' }).click();
  await page.getByRole('dialog').getByRole('button', { name: '分派 1 个' }).click();
  await expect.poll(async () => (await sql<{ assignee: string }>(`SELECT assignee FROM sessions WHERE session_id = '${first}'`))[0].assignee).toBe('supervisor');
  await page.getByRole('tab', { name: '分派给我的' }).click();
  await expect(page.getByRole('tab', { name: /^分派给我的 \d+$/ })).toHaveAttribute('aria-selected', 'true');
  await row.getByRole('checkbox').check();
  await page.getByRole('toolbar').getByRole('button', { name: '批量确认' }).click();
  const open = (await hitsOf(first)).filter((h) => h.state === 'undecided').length;
  await page.getByRole('dialog').getByRole('button', { name: `批量确认 ${open} 项` }).click();
  await expect.poll(async () => (await hitsOf(first)).every((h) => h.state === 'confirmed')).toBe(true);
  await expect(row).toHaveCount(0); // nothing is left to review in it
});

test('on a phone: queue, conversation and findings are tabs, and evidence leads from one to the other', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const session = await fresh();
  await login(page, 'supervisor', `/sessions/${session}`);
  const finding = page.locator('.hit').filter({ has: page.locator('.hit-quotes button') }).first();
  await finding.locator('.hit-quotes button').first().click();
  const mark = page.locator('mark.ev').first();
  await expect(mark).toBeVisible();
  await mark.click();
  await expect(page.locator('.hit.on')).toBeInViewport();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test('what the page of a session says of it is what the views say', async ({ page }) => {
  const [s] = await sql<Record<'session_id' | 'began' | 'rounds' | 'unanswered' | 'talk' | 'turns' | 'score' | 'final_score' | 'experience' | 'customer_id' | 'mean' | 'rating' | 'max' | 'orders', string | number>>(`
    SELECT s.session_id AS session_id, formatDateTime(toTimeZone(assumeNotNull(s.started_at), 'Asia/Shanghai'), '%Y-%m-%d %H:%i:%S') AS began, toFloat64(s.rounds) AS rounds, toFloat64(s.unanswered) AS unanswered, round(100 * s.talk_share, 1) AS talk,
      toFloat64(s.turns) AS turns, s.score AS score, s.final_score AS final_score, round(s.experience, 2) AS experience, s.customer_id AS customer_id, s.avg_reply_ms AS mean, r.score AS rating, r.max AS max, o.n AS orders
    FROM sessions AS s INNER JOIN (SELECT session_id AS rated, score, max FROM ratings) AS r ON rated = s.session_id INNER JOIN (SELECT customer_id AS buyer, toFloat64(count()) AS n FROM orders GROUP BY buyer) AS o ON buyer = s.customer_id
    WHERE s.state = 'closed' AND s.score < 100 AND s.unanswered > 0 AND s.started_at IS NOT NULL AND s.session_id IN (SELECT session_id FROM mentions) ORDER BY s.session_id LIMIT 1`);
  const [lines] = await sql<{ turns: number; mentions: number; hits: number; lost: number }>(`SELECT
    (SELECT toFloat64(count()) FROM turns WHERE session_id = '${s.session_id}') AS turns, (SELECT toFloat64(count()) FROM mentions WHERE session_id = '${s.session_id}') AS mentions,
    (SELECT toFloat64(count()) FROM hits WHERE session_id = '${s.session_id}') AS hits, (SELECT sum(points) FROM hits WHERE session_id = '${s.session_id}') AS lost`);
  await login(page, 'supervisor', `/sessions/${s.session_id}`);
  await expect(page.locator('[data-hit]')).toHaveCount(lines.hits);
  await expect(page.locator('[id^="turn-"]')).toHaveCount(lines.turns);
  expect(lines.turns).toBe(s.turns);

  await page.getByRole('tab', { name: '信息' }).click();
  const pane = page.getByRole('tabpanel', { name: '信息' });
  const fact = (name: string) => pane.locator('dt', { hasText: new RegExp(`^${name}$`) }).locator('xpath=following-sibling::dd[1]');
  await expect(fact('开始')).toHaveText(String(s.began));
  await expect(fact('轮次')).toHaveText(`${s.rounds} 轮，${s.unanswered} 轮未回复`);
  await expect(fact('客服话量占比')).toHaveText(`${s.talk}%`);
  await expect(pane).toContainText(`${s.rating} / ${s.max}`);
  await expect(pane.getByRole('heading', { name: `订单（${s.orders}）` })).toBeVisible();
  await expect(pane.getByRole('heading', { name: `客户诉求（${lines.mentions}）` })).toBeVisible();

  await page.getByRole('tab', { name: '评分' }).click();
  const score = page.getByRole('tabpanel', { name: '评分' });
  await expect(score.getByRole('row', { name: /^机器评分/ })).toContainText(String(s.score));
  await expect(score.getByRole('row', { name: /^最终评分/ })).toContainText(String(s.final_score));
});
