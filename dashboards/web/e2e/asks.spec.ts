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

// often are paths that a page asks several questions, or that alerts that come in have it ask again.
const often = new Set(['/api/v1/sessions/counts', '/api/v1/alerts/counts']);

for (const user of users) {
  test(`no page asks for what ${user} may not have, or for anything twice`, async ({ page }) => {
    const refused: string[] = [];
    const asked: string[] = [];
    page.on('request', (r) => {
      const at = new URL(r.url());
      if (r.method() === 'GET' && at.pathname.startsWith('/api/') && !often.has(at.pathname)) asked.push(at.pathname);
    });
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
      await page.goto('about:blank'); // or what the page before still asks would count
      asked.length = 0;
      await page.goto(base() + path);
      await expect(page.locator('main h1')).toBeVisible();
      await expect(page.locator('.ant-skeleton')).toHaveCount(0);
      // What is asked for after the first answers is on its way by then.
      await page.waitForLoadState('load');
      await page.waitForTimeout(300);
      // What was asked for early and is not what the page then asks for would be there twice.
      expect(asked.filter((a, i) => asked.indexOf(a) !== i), path).toEqual([]);
    }
    expect(refused).toEqual([]);
  });
}

// first is what each page reads first.
const first: Record<string, string> = {
  '/': '/api/v1/overview', '/sessions': '/api/v1/sessions', '/appeals': '/api/v1/reviews/appeals', '/alerts': '/api/v1/alerts', '/opinions': '/api/v1/opinions', '/agents': '/api/v1/kpi', '/agents/a101': '/api/v1/kpi',
  '/search?q=退货': '/api/v1/turns', '/rules': '/api/v1/rules', '/data': '/api/v1/data/views',
};

test('what a page reads is asked for before the app is there', async ({ page }) => {
  await login(page, 'admin', '/imports');
  let there = false;
  await page.route('**/assets/main-*.js', async (route) => {
    await new Promise((done) => setTimeout(done, 1500));
    there = true;
    await route.continue();
  });
  for (const [path, wanted] of Object.entries(first)) {
    there = false;
    const early: string[] = [];
    const note = (r: { url(): string }) => !there && early.push(new URL(r.url()).pathname);
    page.on('request', note);
    await page.goto(base() + path);
    await expect(page.locator('main h1')).toBeVisible();
    page.off('request', note);
    expect(early, path).toContain(wanted);
  }
});
