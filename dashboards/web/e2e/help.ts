// What the browser tests share: who logs in, and what the public views say.
import { type APIRequestContext, expect, type Page, request } from '@playwright/test';

export const users = ['admin', 'supervisor', 'product', 'analyst', 'agent'] as const;
export type User = (typeof users)[number];

// base is the address of the demo that e2e/demo.ts starts, or of one that runs already.
export function base(): string {
  const address = process.env.TINGKE_WEB;
  if (!address) throw new Error('TINGKE_WEB is not set: e2e/demo.ts sets it, or name a running demo');
  return address;
}

const password = () => process.env.TINGKE_PASSWORD ?? 'tingke-demo-pass';

async function enter(context: APIRequestContext, user: string) {
  const answer = await context.post(`${base()}/api/v1/login`, { data: { user, password: password() }, headers: { Origin: base() } });
  expect(answer.status(), `log-in of ${user}`).toBe(200);
}

// login makes the page that of a user and opens an address of the app.
export async function login(page: Page, user: User, path = '/') {
  await page.context().clearCookies();
  await enter(page.request, user);
  await page.goto(base() + path);
}

// loginByForm goes through the log-in page, as people do.
export async function loginByForm(page: Page, user: User, path = '/') {
  await page.context().clearCookies();
  await page.goto(base() + path);
  await page.getByLabel(/^(用户名|User)$/).fill(user);
  await page.getByLabel(/^(密码|Password)$/).fill(password());
  await page.getByRole('button', { name: /^(登录|Log in)$/ }).click();
  await page.waitForURL((url) => url.pathname !== '/login');
}

// sql asks the public views as admin: rows as objects by column.
export async function sql<Row = Record<string, unknown>>(text: string): Promise<Row[]> {
  const context = await request.newContext();
  try {
    await enter(context, 'admin');
    const answer = await context.post(`${base()}/api/v1/data/sql`, { data: { sql: text }, headers: { Origin: base() } });
    const body = (await answer.json()) as { columns: { name: string }[]; rows: unknown[][] };
    expect(answer.status(), JSON.stringify(body)).toBe(200);
    return body.rows.map((row) => Object.fromEntries(body.columns.map((c, i) => [c.name, row[i]])) as Row);
  } finally {
    await context.dispose();
  }
}

// problems collects what the browser's console complains of, and requests that leave the demo; a test ends with
// expect(problems).toEqual([]).
export function watch(page: Page): string[] {
  const problems: string[] = [];
  page.on('console', (m) => {
    if (m.type() === 'error' || m.type() === 'warning') problems.push(m.text());
  });
  page.on('pageerror', (e) => problems.push(String(e)));
  page.on('request', (r) => {
    if (!r.url().startsWith(base()) && !/^(data|blob):/.test(r.url())) problems.push(`request to ${r.url()}`);
  });
  return problems;
}
