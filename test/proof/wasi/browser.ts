/** Runs tests in a page of a real browser, on the origin-private file system: a server for the page, and what it reports. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingMessage, type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Way, moduleFor } from './modules.ts';
import type { PageTask } from './page.ts';
import type { FoundTest } from './suite.ts';
import { treeOf } from './systems.ts';

const BUILD = fileURLToPath(new URL('../../../', import.meta.url));
/** No run takes so long. Milliseconds. */
const PATIENCE = 600_000;
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];

/** @param browser the command of a Chromium */
export async function runInBrowser(
  browser: string,
  tests: readonly FoundTest[],
  way: Way,
): Promise<(readonly [FoundTest, string | null])[]> {
  const modules: Uint8Array[] = [];
  for (const { file } of tests) modules.push(await moduleFor(file, way));
  const tasks = tests.map(({ root, ...test }): PageTask => ({
    ...test,
    files: root === null ? null : plain(treeOf(root)),
  }));
  const { server, reported } = serve(tasks, modules);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const profile = mkdtempSync(path.join(os.tmpdir(), 'wasm-fibers-browser-'));
  const child = spawn(browser, [...FLAGS, `--user-data-dir=${profile}`, `http://127.0.0.1:${port}/`], {
    stdio: 'ignore',
  });
  const timer = setTimeout(() => child.kill(), PATIENCE);
  try {
    const ended = new Promise<never>((_, reject) => {
      child.on('error', reject);
      child.on('exit', (code) => reject(new Error(`${browser} ended (${String(code)}) before the tests had`)));
    });
    const outcomes = await Promise.race([reported, ended]);
    return tests.map((test, index) => [test, outcomes[index] ?? null]);
  } finally {
    clearTimeout(timer);
    child.removeAllListeners();
    child.on('error', () => {});
    const gone = new Promise((resolve) => child.on('exit', resolve));
    if (child.exitCode === null && child.kill()) await gone;
    server.closeAllConnections();
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

function serve(
  tasks: readonly PageTask[],
  modules: readonly Uint8Array[],
): { server: Server; reported: Promise<(string | null)[]> } {
  let report: (outcomes: (string | null)[]) => void = () => {};
  const reported = new Promise<(string | null)[]>((resolve) => (report = resolve));
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const send = (type: string, body: string | Uint8Array): void => {
      response.writeHead(200, { 'content-type': type }).end(body);
    };
    const [, module] = /^\/module\/(\d+)$/.exec(pathname) ?? [];
    if (pathname === '/')
      send('text/html', '<!doctype html><script type="module" src="/test/proof/wasi/page.js"></script>');
    else if (pathname === '/tasks') send('application/json', JSON.stringify(tasks));
    else if (module !== undefined) send('application/wasm', modules[Number(module)] ?? new Uint8Array(0));
    else if (pathname === '/report') {
      void bodyOf(request).then((text) => {
        report(JSON.parse(text) as (string | null)[]);
        send('text/plain', '');
      });
    } else if (/^\/[\w/-]+\.js$/.test(pathname)) send('text/javascript', readFileSync(path.join(BUILD, pathname)));
    else response.writeHead(404).end();
  });
  return { server, reported };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Files of the suite are text. */
function plain(tree: ReturnType<typeof treeOf>): NonNullable<PageTask['files']> {
  return Object.fromEntries(
    Object.entries(tree).map(([name, each]) => {
      if (typeof each === 'string') return [name, each];
      return [name, each instanceof Uint8Array ? new TextDecoder().decode(each) : plain(each)];
    }),
  );
}
