import { expect, test } from '@playwright/test';

import { base, login, users } from './help';

// Pages that a role sees in its menu, and those that they lead to.
const own: Record<(typeof users)[number], string[]> = {
  admin: ['/', '/sessions', '/appeals', '/alerts', '/opinions', '/agents', '/search?q=退货', '/rules', '/imports', '/data'],
  supervisor: ['/', '/sessions', '/appeals', '/alerts', '/opinions', '/agents', '/search?q=退货', '/rules', '/imports', '/data'],
  product: ['/', '/sessions?tab=all', '/opinions', '/search?q=退货', '/rules', '/data'],
  analyst: ['/', '/sessions', '/alerts', '/opinions', '/agents', '/search?q=退货', '/rules', '/data'],
  agent: ['/', '/me', '/sessions', '/appeals'],
};

for (const user of users) {
  test(`no page asks for what ${user} may not have`, async ({ page }) => {
    const refused: string[] = [];
    page.on('response', (r) => {
      if (r.status() >= 400) refused.push(`${new URL(page.url()).pathname}: ${r.status()} ${r.url().slice(base().length)}`);
    });
    await login(page, user, own[user][0]);
    const get = async (path: string) => (await (await page.request.get(`${base()}/api/v1${path}`)).json()) as { items?: Record<string, string>[] };
    const session = (await get('/sessions?limit=1')).items?.[0]?.session_id;
    const paths = [...own[user], `/sessions/${session}`];
    if (user !== 'agent') {
      const opinion = (await get('/opinions?limit=1')).items?.[0]?.opinion_id;
      paths.push(`/opinions/${opinion}`, '/rules/packs/standard');
    }
    if (own[user].includes('/agents')) paths.push('/agents/a101');
    expect(session).toBeTruthy();
    for (const path of paths) {
      await page.goto(base() + path);
      await expect(page.locator('main h1')).toBeVisible();
      await expect(page.locator('.ant-skeleton')).toHaveCount(0);
      // What is asked for after the first answers is on its way by then.
      await page.waitForLoadState('load');
      await page.waitForTimeout(300);
    }
    expect(refused).toEqual([]);
  });
}
