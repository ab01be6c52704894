// The product manager's job: read what customers say, filter, rename, merge, split, mark as fixed, take it along as Excel.
import { expect, type Page, test } from '@playwright/test';
import readExcel from 'read-excel-file/node';

import { login, sql, watch } from './help';

interface Opinion {
  opinion_id: string;
  title: string;
  kind: string;
  status: string;
  fixed_on: string | null;
  mentions: number;
  sessions: number;
  customers: number;
}

const select = "SELECT opinion_id, title, kind, status, if(fixed_on IS NULL, NULL, toString(fixed_on)) AS fixed_on, toFloat64(mentions) AS mentions, toFloat64(sessions) AS sessions, toFloat64(customers) AS customers FROM opinions";
const opinions = (more: string) => sql<Opinion>(`${select} ${more}`);
// stamp makes what a test writes its own, so that the tests may run again over the same store
const stamp = Date.now().toString(36);
const row = (page: Page, id: string) => page.locator(`tr[data-row-key="${id}"]`);
const heading = (page: Page) => page.getByRole('heading', { level: 1 });

test('the list and the counts beside it equal the view opinions', async ({ page }) => {
  const problems = watch(page);
  const all = await opinions('ORDER BY mentions DESC, opinion_id LIMIT 50');
  const kinds = await sql<{ kind: string; n: number }>('SELECT kind, toFloat64(count()) AS n FROM opinions GROUP BY kind ORDER BY n DESC');
  await login(page, 'product', '/opinions');
  await expect(page.locator('tr[data-row-key]')).toHaveCount(all.length);
  const shown = await page.locator('tr[data-row-key]').evaluateAll((rows) =>
    rows.map((r) => ({ opinion_id: r.getAttribute('data-row-key'), title: r.querySelector('a.title')?.textContent, figures: [...r.querySelectorAll('td.num')].slice(1, 4).map((c) => Number(c.textContent?.replaceAll(',', ''))) })),
  );
  expect(shown).toEqual(all.map((o) => ({ opinion_id: o.opinion_id, title: o.title, figures: [o.mentions, o.sessions, o.customers] })));

  // a filter by its count, then further by words; the address keeps both
  const words: Record<string, string> = { question: '提问', complaint: '抱怨', praise: '表扬', suggestion: '建议', request: '请求', bug: '故障' };
  const most = kinds[0];
  const group = page.getByRole('group', { name: '诉求' });
  await expect(group).toContainText(`${words[most.kind]}${most.n}`);
  await group.getByRole('checkbox', { name: words[most.kind] }).click();
  await expect(page).toHaveURL(new RegExp(`kind=${most.kind}`));
  await expect(page.locator('tr[data-row-key]')).toHaveCount(Math.min(50, Number(most.n)));
  await page.reload();
  await expect(group.getByRole('checkbox', { name: words[most.kind] })).toBeChecked();
  await expect(page.locator('tr[data-row-key]')).toHaveCount(Math.min(50, Number(most.n)));

  // the number of sessions leads to as many sessions
  const first = (await opinions(`WHERE kind = '${most.kind}' ORDER BY mentions DESC, opinion_id LIMIT 1`))[0];
  await page.getByRole('link', { name: `${first.title} 会话 ${first.sessions}`, exact: true }).click();
  await page.waitForURL(/\/sessions\?/);
  await expect(page.getByRole('tab', { selected: true })).toHaveText(new RegExp(` ${first.sessions}$`));
  await page.goBack();
  await expect(page.locator('tr[data-row-key]')).toHaveCount(Math.min(50, Number(most.n)));
  expect(problems).toEqual([]);
});

test('rename, mark as fixed on a day, export as Excel', async ({ page }) => {
  const [o] = await opinions("WHERE mentions > 1 AND status != 'fixed' ORDER BY sessions DESC, opinion_id LIMIT 1");
  const [middle] = await sql<{ said: string }>(`SELECT toString(max(day)) AS said FROM mentions WHERE opinion_id = '${o.opinion_id}' AND day < (SELECT max(day) FROM sessions)`);
  const title = `测试改名 ${stamp}`;
  await login(page, 'product', `/opinions/${o.opinion_id}`);
  await expect(heading(page)).toContainText(o.title);
  await heading(page).getByRole('button', { name: /改名|编辑/ }).click();
  await heading(page).getByRole('textbox').fill(title);
  await heading(page).getByRole('textbox').press('Enter');
  await expect(page.getByText('已保存').first()).toBeVisible();
  await expect.poll(async () => (await opinions(`WHERE opinion_id = '${o.opinion_id}'`))[0].title).toBe(title);

  await page.getByRole('region', { name: '处理' }).getByRole('combobox', { name: '处理状态' }).click();
  await page.getByTitle('已解决').click();
  const dialog = page.getByRole('dialog', { name: '标记为已解决' });
  await dialog.getByRole('textbox').fill(middle.said);
  await dialog.getByRole('textbox').press('Enter');
  await dialog.getByRole('button', { name: '确定' }).click();
  await expect(dialog).toBeHidden();
  await expect(page.getByRole('region', { name: '趋势' }).getByRole('img', { name: new RegExp(middle.said) })).toBeVisible();
  await expect(page.getByRole('region', { name: '趋势' })).toContainText(/解决后 \d+ 天/);
  const [fixed] = await opinions(`WHERE opinion_id = '${o.opinion_id}'`);
  expect([fixed.status, fixed.fixed_on]).toEqual(['fixed', middle.said]);

  // the list finds it by its new title, and the file holds what the list shows
  await page.goto(new URL(`/opinions?${new URLSearchParams({ q: title, status: 'fixed' })}`, page.url()).href);
  await expect(page.locator('tr[data-row-key]')).toHaveCount(1);
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: /导出$/ }).click()]);
  expect(file.suggestedFilename()).toMatch(/\.xlsx$/);
  const sheets = await readExcel(await file.path());
  const cells = sheets[0].data as unknown[][];
  const head = cells.findIndex((r) => r.some((c) => String(c) === '观点'));
  const names = (cells[head] as unknown[]).map((c) => String(c ?? '').split('\n')[0]);
  const rows = cells.slice(head + 1).filter((r) => r.some((c) => c === title));
  expect(rows).toHaveLength(1);
  const value = (name: string) => rows[0][names.findIndex((n) => n.startsWith(name))];
  expect([value('提及'), value('会话'), value('客户')]).toEqual([fixed.mentions, fixed.sessions, fixed.customers].map(Number));
});

test('one sheet for each department', async ({ page }) => {
  const departments = await sql<{ department: string }>('SELECT DISTINCT department FROM opinions WHERE mentions > 0');
  await login(page, 'product', '/opinions');
  await page.getByRole('button', { name: '选择导出格式' }).click();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: /工作表/ }).click()]);
  const sheets = (await readExcel(await file.path())).map((s) => s.sheet);
  for (const { department } of departments) expect(sheets.some((s) => s.includes(department || '')), `${department} in ${sheets.join()}`).toBe(true);
});

test('several opinions are merged; the address of the one that went leads to the one that stayed', async ({ page }) => {
  const [stays, goes] = await opinions("WHERE status != 'fixed' AND sessions = mentions ORDER BY mentions DESC, opinion_id DESC LIMIT 2");
  await login(page, 'product', '/opinions');
  for (const o of [stays, goes]) await row(page, o.opinion_id).getByRole('checkbox').check();
  await page.getByRole('button', { name: '合并' }).click();
  const dialog = page.getByRole('dialog', { name: '合并 2 个观点' });
  await dialog.getByRole('radio', { name: stays.title, exact: true }).check();
  const together = stays.mentions + goes.mentions;
  await expect(dialog.getByRole('group', { name: '合并之后' })).toContainText(`提及 ${together}`);
  await dialog.getByRole('button', { name: '合并为这一个' }).click();
  await expect(dialog).toBeHidden();
  await expect(row(page, goes.opinion_id)).toHaveCount(0);
  await expect(row(page, stays.opinion_id).getByRole('link', { name: `${stays.title} 提及 ${together}`, exact: true })).toBeVisible();
  expect((await opinions(`WHERE opinion_id = '${stays.opinion_id}'`))[0].mentions).toBe(together);
  expect(await opinions(`WHERE opinion_id = '${goes.opinion_id}'`)).toEqual([]);
  await page.goto(new URL(`/opinions/${goes.opinion_id}`, page.url()).href);
  await page.waitForURL(new RegExp(`/opinions/${stays.opinion_id}`));
  await expect(heading(page)).toContainText(stays.title);

  // merged by mistake: the page of the one that stayed shows it, and gives it back
  const parts = page.getByRole('region', { name: '合并进来的观点' });
  await expect(parts.getByRole('listitem')).toContainText([`${goes.title}${goes.mentions} 次提及`]);
  await parts.getByRole('button', { name: '撤销合并' }).click();
  await page.getByRole('tooltip').getByRole('button', { name: '撤销合并' }).click();
  await expect(page.getByText(`「${goes.title}」已重新分出来`)).toBeVisible();
  await expect(parts).toHaveCount(0);
  await page.getByRole('button', { name: '打开', exact: true }).click();
  await page.waitForURL(new RegExp(`/opinions/${goes.opinion_id}`));
  await expect(heading(page)).toContainText(goes.title);
  for (const o of [stays, goes]) expect(await opinions(`WHERE opinion_id = '${o.opinion_id}'`)).toEqual([o]);
});

test('owner, note and approved answer are given and taken away', async ({ page }) => {
  const [o] = await opinions("WHERE owner = '' ORDER BY mentions, opinion_id DESC LIMIT 1");
  const said = async () => (await sql(`SELECT owner, note, answer FROM opinions WHERE opinion_id = '${o.opinion_id}'`))[0];
  await login(page, 'product', `/opinions/${o.opinion_id}`);
  const handling = page.getByRole('region', { name: '处理' });
  const owner = handling.getByRole('combobox', { name: '负责人' });
  const note = handling.getByRole('textbox', { name: '备注' });
  const answer = page.getByRole('region', { name: '标准答复' });
  for (const [who, remark, reply] of [['王敏', '等新批次', '请先领券'], ['', '', '']]) {
    await owner.fill(who);
    await owner.press('Enter');
    await expect.poll(async () => (await said()).owner).toBe(who);
    await note.fill(remark);
    await handling.getByRole('button', { name: '保存' }).click();
    await expect.poll(async () => (await said()).note).toBe(remark);
    await answer.getByRole('textbox').fill(reply);
    await answer.getByRole('button', { name: '保存' }).click();
    await expect.poll(said).toEqual({ owner: who, note: remark, answer: reply });
  }
  await page.reload();
  await expect(owner).toHaveValue('');
  await expect(note).toHaveValue('');
});

test('a way to say it that is another matter is split off', async ({ page }) => {
  const [o] = await opinions('WHERE mentions > 2 ORDER BY mentions DESC, opinion_id LIMIT 1');
  const before = (await opinions('')).length;
  const title = `拆出来的观点 ${stamp}`;
  await login(page, 'product', `/opinions/${o.opinion_id}`);
  const members = page.getByRole('region', { name: '说法' });
  await members.getByRole('checkbox').last().check();
  await members.getByRole('button', { name: '拆分 (1)' }).click();
  const dialog = page.getByRole('dialog', { name: '拆出 1 种说法' });
  await dialog.getByRole('textbox', { name: '新观点的名称' }).fill(title);
  await dialog.getByRole('button', { name: '拆分' }).click();
  await expect(dialog).toBeHidden();
  await page.getByRole('button', { name: '打开', exact: true }).click();
  await expect(heading(page)).toContainText(title);
  const after = await opinions('');
  expect(after.length).toBe(before + 1);
  const made = after.find((x) => x.title === title);
  const rest = after.find((x) => x.opinion_id === o.opinion_id);
  expect((made?.mentions ?? 0) + (rest?.mentions ?? 0)).toBe(o.mentions);
});

test('many are accepted at once', async ({ page }) => {
  const two = await opinions("WHERE status = 'new' ORDER BY mentions DESC, opinion_id LIMIT 2");
  await login(page, 'product', '/opinions?status=new');
  for (const o of two) await row(page, o.opinion_id).getByRole('checkbox').check();
  await page.getByRole('button', { name: '改状态' }).click();
  await page.getByRole('menuitem', { name: '已受理' }).click();
  await expect(page.getByText('已改 2 个')).toBeVisible();
  const changed = await opinions(`WHERE opinion_id IN (${two.map((o) => `'${o.opinion_id}'`).join()})`);
  expect(changed.map((o) => o.status)).toEqual(['accepted', 'accepted']);
});

test('supervisors set the approved answer and nothing else; analysts read', async ({ page }) => {
  const [o] = await opinions('WHERE mentions > 1 ORDER BY mentions, opinion_id LIMIT 1');
  const answer = `满 300 减 40 需要先领券，${stamp}`;
  await login(page, 'supervisor', `/opinions/${o.opinion_id}`);
  await expect(page.getByRole('region', { name: '处理' })).toContainText('只能改标准答复');
  await expect(heading(page).getByRole('button', { name: /改名|编辑/ })).toHaveCount(0);
  await expect(page.getByRole('region', { name: '说法' }).getByRole('checkbox')).toHaveCount(0);
  await page.getByRole('textbox', { name: '标准答复' }).fill(answer);
  await page.getByRole('region', { name: '标准答复' }).getByRole('button', { name: '保存' }).click();
  await expect.poll(async () => (await sql<{ answer: string }>(`SELECT answer FROM opinions WHERE opinion_id = '${o.opinion_id}'`))[0].answer).toBe(answer);
  await login(page, 'analyst', `/opinions/${o.opinion_id}`);
  await expect(page.getByRole('region', { name: '标准答复' })).toContainText(answer);
  await expect(page.getByRole('textbox', { name: '标准答复' })).toHaveCount(0);
  await page.goto(new URL('/opinions', page.url()).href);
  await expect(page.locator('tr[data-row-key]').first()).toBeVisible();
  await expect(page.locator('tr[data-row-key]').getByRole('checkbox')).toHaveCount(0);
});

test('a quote leads to its turn, and customers to call back can be taken along', async ({ page }) => {
  const [o] = await opinions('ORDER BY customers DESC, opinion_id LIMIT 1');
  const customers = await sql<{ customer_id: string }>(`SELECT DISTINCT customer_id FROM mentions WHERE opinion_id = '${o.opinion_id}' AND customer_id != ''`);
  await login(page, 'product', `/opinions/${o.opinion_id}`);
  const back = page.getByRole('region', { name: '需要回访的客户' });
  const [file] = await Promise.all([page.waitForEvent('download'), back.getByRole('button', { name: '下载名单' }).click()]);
  const text = await (await import('node:fs/promises')).readFile(await file.path(), 'utf8');
  const listed = text.trim().split('\r\n').slice(1).map((line) => line.split(',')[0]);
  expect(listed.sort()).toEqual(customers.map((c) => c.customer_id).sort());
  const [quote] = await sql<{ session_id: string; seq: number }>(`SELECT session_id, toFloat64(seq) AS seq FROM mentions WHERE opinion_id = '${o.opinion_id}' ORDER BY day DESC NULLS LAST, session_id, seq, start LIMIT 1`);
  await page.getByRole('region', { name: '客户原话' }).getByRole('link').first().click();
  await page.waitForURL(new RegExp(`/sessions/${quote.session_id}\\?turn=${quote.seq}`));
});
