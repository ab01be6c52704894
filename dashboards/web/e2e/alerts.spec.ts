// A supervisor is told of a forbidden word while the conversation goes on, takes it and opens the session.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect as soon, test } from '@playwright/test';

import { login, sql, watch } from './help';

// A machine that does much else takes its time.
test.setTimeout(300_000);
test.use({ actionTimeout: 90_000 });
const expect = soon.configure({ timeout: 90_000 });

const { TINGKE_BIN = join(import.meta.dirname, '../../../bin/tingke'), TINGKE_DIR, TINGKE_CONFIG } = process.env;
const scratch = mkdtempSync(join(tmpdir(), 'tingke-alerts-'));
test.afterAll(() => rmSync(scratch, { recursive: true, force: true }));

// send produces messages to the broker of the demo, as another program does.
function send(messages: object[]) {
  const file = join(scratch, 'live.jsonl');
  writeFileSync(file, messages.map((m) => `${JSON.stringify(m)}\n`).join(''));
  execFileSync(TINGKE_BIN, ['send', '--dir', TINGKE_DIR as string, ...(TINGKE_CONFIG ? ['--config', TINGKE_CONFIG] : []), file], { stdio: ['ignore', 'ignore', 'inherit'], timeout: 120_000 });
}

const opening = (id: string) => ({ type: 'session', session_id: id, channel: 'chat', shop: '花漾美妆旗舰店', business: 'aftersales', customer_id: `e2e-${id}`, agent_id: 'a101', agent_name: '苏晴', started_at: new Date().toISOString(), turns: [], updated_at: new Date().toISOString() });
const turn = (id: string, seq: number, role: string, text: string) => ({ type: 'turn', session_id: id, seq, role, ...(role === 'agent' ? { agent_id: 'a101' } : {}), text, at: new Date().toISOString() });

test('an alert appears while turns are still being sent', async ({ page }) => {
  test.skip(!TINGKE_DIR, 'the broker of the demo is not known: set TINGKE_DIR (and TINGKE_BIN, TINGKE_CONFIG) beside TINGKE_WEB');
  const problems = watch(page);
  const id = `e2e-live-${Date.now()}`;
  await login(page, 'supervisor', '/alerts');
  await expect(page.getByRole('status').filter({ hasText: '实时' })).toBeVisible();
  const bell = page.getByRole('link', { name: /^告警 \d+$/ });
  const waiting = async () => Number((await bell.getAttribute('aria-label'))?.replace(/\D/g, ''));
  const before = await waiting();

  send([opening(id), turn(id, 1, 'customer', '收到就是破的，怎么处理'), turn(id, 2, 'agent', '投诉随便你')]);
  const alert = page.getByRole('article', { name: new RegExp(id) }).filter({ hasText: '禁用语' });
  await expect(alert).toBeVisible();
  await expect(alert).toContainText('投诉随便你');
  await expect(alert).toContainText('致命');
  await expect.poll(waiting).toBeGreaterThan(before);
  // The conversation goes on: nothing has ended it.
  send([turn(id, 3, 'customer', '你们就是这个态度？'), turn(id, 4, 'agent', '亲，我帮您登记')]);
  expect(await sql(`SELECT session_id FROM sessions WHERE session_id = '${id}' AND state = 'closed'`)).toEqual([]);
  // Whoever is told can open it at once: it does not wait for the early write.
  await expect.poll(async () => (await sql<{ state: string }>(`SELECT state FROM sessions WHERE session_id = '${id}'`))[0]?.state).toBe('open');
  const stored = await sql<{ severity: string; state: string }>(`SELECT severity, state FROM alerts WHERE session_id = '${id}' AND rule_id = 'forbidden'`);
  expect(stored).toHaveLength(1);
  expect(stored[0].severity).toBe('critical');

  await alert.getByRole('button', { name: '我来处理' }).click();
  await expect(alert).toContainText(/supervisor 于 .* 认领/);
  await expect.poll(async () => (await sql<{ state: string }>(`SELECT state FROM alerts WHERE session_id = '${id}' AND rule_id = 'forbidden'`))[0].state).toBe('acknowledged');
  await expect(alert.getByRole('link', { name: '打开会话' })).toHaveAttribute('href', `/sessions/${id}?turn=2`);
  expect(problems).toEqual([]);
});

test('many tabs share one stream; when the tab that holds it closes, another goes on from where it was', async ({ page, context }) => {
  test.skip(!TINGKE_DIR, 'the broker of the demo is not known: set TINGKE_DIR (and TINGKE_BIN, TINGKE_CONFIG) beside TINGKE_WEB');
  let streams = 0;
  context.on('request', (r) => {
    if (r.url().includes('/alerts/stream')) streams++;
  });
  await login(page, 'supervisor', '/alerts');
  const tabs = [page];
  while (tabs.length < 8) {
    const tab = await context.newPage();
    await tab.goto(page.url());
    tabs.push(tab);
  }
  for (const tab of tabs) await expect(tab.getByRole('status').filter({ hasText: '实时' })).toBeVisible();
  expect(streams).toBe(1);
  const reaches = async (id: string, some: typeof tabs) => {
    send([opening(id), turn(id, 1, 'customer', '收到就是破的，怎么处理'), turn(id, 2, 'agent', '投诉随便你')]);
    for (const tab of some) await expect(tab.getByRole('article', { name: new RegExp(id) }).filter({ hasText: '禁用语' })).toBeVisible();
  };
  await reaches(`e2e-tabs-1-${Date.now()}`, tabs);
  // the first tab holds the stream
  await page.close();
  const rest = tabs.slice(1);
  await reaches(`e2e-tabs-2-${Date.now()}`, rest);
  expect(streams).toBe(2);
  // who leaves in one tab is asked for the log-in in the others
  await rest[0].locator('header .ant-avatar').click();
  await rest[0].getByRole('menuitem', { name: '退出登录' }).click();
  for (const tab of rest) await expect(tab.getByLabel('密码')).toBeVisible();
  const over = streams;
  await rest[0].waitForTimeout(3000);
  expect(streams).toBe(over);
});

test('filters of alerts and a narrow screen', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await login(page, 'supervisor', '/alerts?open=*&severity=major');
  const articles = page.getByRole('article');
  await expect(articles.first()).toBeVisible();
  const [{ n }] = await sql<{ n: number }>(`SELECT count() AS n FROM alerts WHERE severity = 'major'`);
  await expect(articles).toHaveCount(Math.min(50, Number(n)));
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test('who only reads is not offered to take an alert', async ({ page }) => {
  await login(page, 'analyst', '/alerts?open=*');
  await expect(page.getByRole('article').first()).toBeVisible();
  await expect(page.getByRole('button', { name: '我来处理' })).toHaveCount(0);
});
