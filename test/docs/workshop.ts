/**
 * Where the documents' programs run: an empty project in which this package, as it was built, is installed together with
 * what a reader has installed beside it.
 */
import { type Server, createServer } from 'node:http';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, symlink } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { type Outcome, ROOT, SHORT_LIVED, makeFolder, removeFolder, run, writeFiles } from '../support/temporary.ts';
import { type Block, isRun, needsOf } from './blocks.ts';
import { compilePrograms, refusalOf, runProgram } from './guests.ts';

const PACKAGES = ['binaryen', 'assemblyscript', 'esbuild', 'typescript', '@types', '@antonz'] as const;
const COMMANDS = ['asc', 'esbuild', 'tsc'] as const;
const COMMAND = path.join(ROOT, 'build/host/cli/main.js');
const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome'];
const FIREFOX = ['firefox-esr', 'firefox'];
/** Advice of npm and warnings of Node come and go with their versions. */
const QUIET = { npm_config_loglevel: 'error', NODE_NO_WARNINGS: '1' };

export interface Workshop {
  /** Writes the block's file and runs what is to be run; standard output and errors in one, as on a terminal. */
  perform(block: Block): Promise<Outcome>;
  close(): Promise<void>;
}

function onPath(names: readonly string[]): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return names.flatMap((name) => folders.map((folder) => path.join(folder, name))).find((file) => existsSync(file));
}

/** The path of Chromium, if there is one. */
export function chromium(): string | undefined {
  return onPath(CHROMIUM);
}

/** The path of Firefox, if there is one. */
export function firefox(): string | undefined {
  return onPath(FIREFOX);
}

/** The path of a Node that has JSPI, if there is one: this one, or the newest that test/nodes brings. */
export function nodeWithJspi(): string | undefined {
  const newest = path.join(ROOT, 'test/nodes/node_modules/node26/bin/node');
  if ('Suspending' in WebAssembly) return process.execPath;
  return existsSync(newest) ? newest : undefined;
}

/** @param blocks the document's, for what is compiled at once */
export async function openWorkshop(blocks: readonly Block[] = []): Promise<Workshop> {
  const root = await makeFolder();
  await furnish(root);
  const made = new Set([root]);
  const programs = blocks.filter(({ attributes }) => attributes.has('assembly') && attributes.has('run'));
  let compiled: Promise<WebAssembly.Module> | null = null;

  const folderOf = async (block: Block): Promise<string> => {
    const folder = path.join(root, block.attributes.get('in') ?? '');
    if (!made.has(folder)) {
      await mkdir(folder, { recursive: true });
      await furnish(folder);
      made.add(folder);
    }
    return folder;
  };
  return {
    async perform(block) {
      if (block.attributes.has('refused')) return refusalOf(block);
      if (block.attributes.has('assembly')) return runProgram(await (compiled ??= compilePrograms(programs)), block);
      const folder = await folderOf(block);
      const file = block.attributes.get('file');
      if (file !== undefined) await writeFiles(folder, { [file]: `${block.code}\n` });
      if (!isRun(block)) return { code: 0, stdout: '', stderr: '' };
      const outcome = await execute(block, file, folder);
      return { ...outcome, stdout: outcome.stdout.replaceAll(folder, '.').replaceAll(root, '.') };
    },
    close: () => removeFolder(root),
  };
}

async function execute(block: Block, file: string | undefined, folder: string): Promise<Outcome> {
  const environment = {
    ...QUIET,
    XDG_CACHE_HOME: path.join(folder, '.cache'),
    PATH: `${folder}/node_modules/.bin${path.delimiter}${process.env['PATH'] ?? ''}`,
  };
  const shell = (code: string): Promise<Outcome> =>
    run('bash', ['-e', '-c', `unset FORCE_COLOR; exec 2>&1\n${code}`], folder, environment);
  if (block.language === 'sh') return shell(block.code);
  if (file === undefined) throw new Error(`${block.document}:${block.line}: a program that is run needs file=NAME`);
  if (block.language === 'html') return openPage(folder, file);
  const node = needsOf(block).includes('jspi') ? nodeWithJspi() : 'node';
  if (node === undefined) throw new Error('no Node with JSPI: the test should have been skipped');
  return shell(`'${node}' ${file}`);
}

async function furnish(folder: string): Promise<void> {
  await writeFiles(folder, { 'package.json': '{ "name": "reader", "private": true, "type": "module" }\n' });
  const modules = path.join(folder, 'node_modules');
  await mkdir(path.join(modules, '.bin'), { recursive: true });
  await symlink(ROOT, path.join(modules, 'wasm-fibers'));
  for (const name of PACKAGES) await symlink(path.join(ROOT, 'node_modules', name), path.join(modules, name));
  for (const name of COMMANDS) {
    await symlink(path.join(ROOT, 'node_modules/.bin', name), path.join(modules, '.bin', name));
  }
  // Nearly all that Node runs here starts Binaryen; and a file that npm would have made executable when installing.
  const node = `#!/bin/sh\nexec '${process.execPath}' ${SHORT_LIVED.join(' ')}`;
  await writeFiles(modules, {
    '.bin/node': `${node} "$@"\n`,
    '.bin/wasm-fibers': `${node} '${COMMAND}' "$@"\n`,
    // What npm's does in a second: run the command of that name, if it is installed here.
    '.bin/npx': `#!/bin/sh\nexec '${path.join(modules, '.bin')}/'"$@"\n`,
  });
  for (const name of ['node', 'wasm-fibers', 'npx']) await chmod(path.join(modules, '.bin', name), 0o755);
}

/** What stands in the page's `pre` when its promises have settled. */
async function openPage(folder: string, page: string): Promise<Outcome> {
  const browser = chromium();
  if (browser === undefined) throw new Error('no Chromium: the test should have been skipped');
  const server = await serve(folder);
  // Not in the project's folder: the browser still writes while it ends.
  const profile = await mkdtemp(path.join(os.tmpdir(), 'wasm-fibers-chromium-'));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${page}`;
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${profile}`];
    const outcome = await run(browser, [...flags, '--virtual-time-budget=20000', '--dump-dom', url], folder);
    const [, text = outcome.stdout] = /<pre>([^]*)<\/pre>/.exec(outcome.stdout) ?? [];
    return { ...outcome, stdout: text };
  } finally {
    server.closeAllConnections();
    server.close();
    await removeFolder(profile).catch(() => undefined);
  }
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
};

function serve(folder: string): Promise<Server> {
  const server = createServer((request, response) => {
    const file = path.join(folder, path.normalize(new URL(request.url ?? '/', 'http://localhost').pathname));
    readFile(file).then(
      (contents) =>
        response.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'text/plain' }).end(contents),
      () => response.writeHead(404).end(),
    );
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
