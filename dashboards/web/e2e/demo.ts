// Starts a demo for the tests and ends it after them: the program of TINGKE_BIN on a folder of its own, with every user
// given the same password. TINGKE_WEB takes a server that runs already instead, whose users have that password too.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const password = 'tingke-demo-pass';
const startsWithin = 240_000;

export default async function demo() {
  if (process.env.TINGKE_WEB) return undefined;
  const bin = process.env.TINGKE_BIN ?? join(import.meta.dirname, '../../../bin/tingke');
  const dir = mkdtempSync(join(tmpdir(), 'tingke-e2e-'));
  const config = join(dir, 'tingke.yaml');
  writeFileSync(config, 'listen:\n  web: 127.0.0.1:0\n  metrics: 127.0.0.1:0\n');
  const log = join(dir, 'demo.log');
  const out = openSync(log, 'w');
  const child = spawn(bin, ['demo', '--dir', join(dir, 'data'), '--config', config], { stdio: ['ignore', out, out] });
  let ended: string | null = null;
  child.on('exit', (code, signal) => {
    ended = `${code ?? signal}`;
  });
  const said = () => readFileSync(log, 'utf8');
  const until = Date.now() + startsWithin;
  let address: string | undefined;
  while (!(address = /pages on (http:\/\/\S+)/.exec(said())?.[1])) {
    if (ended !== null || Date.now() > until) {
      child.kill('SIGKILL');
      throw new Error(`the demo did not start (${ended ?? 'too slow'}):\n${said()}`);
    }
    await sleep(200);
  }
  const user = (args: string[]) => execFileSync(bin, ['user', ...args, '--config', config, '--dir', join(dir, 'data')], { input: password, stdio: ['pipe', 'ignore', 'inherit'] });
  for (const name of ['admin', 'supervisor', 'product', 'analyst', 'agent']) user(['password', name]);
  Object.assign(process.env, { TINGKE_WEB: address, TINGKE_BIN: bin, TINGKE_DIR: join(dir, 'data'), TINGKE_CONFIG: config });
  return async () => {
    child.kill('SIGINT');
    for (let i = 0; i < 150 && ended === null; i++) await sleep(100);
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  };
}
