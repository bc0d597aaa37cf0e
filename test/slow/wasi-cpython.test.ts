// CPython on Asyncify, on an engine that has nothing else: first instrumented, which takes minutes, and then kept in build/ until
// the package changes.
import { spawn } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, expect } from 'vitest';
import { suspendingImports } from 'wasm-fibers/wasi';
import { describePythonCommand } from '../support/cpython-command.ts';
import { PYTHON, describePython } from '../support/cpython.ts';
import { ROOT } from '../support/temporary.ts';

const FOLDER = path.join(ROOT, 'build/cpython');
const CACHE = path.join(FOLDER, 'cache');
const INSTRUMENTED = path.join(FOLDER, 'python.fibers.wasm');
const LIMIT = 40 * 60_000;

let module: WebAssembly.Module;
beforeAll(async () => {
  await mkdir(FOLDER, { recursive: true });
  const original = await WebAssembly.compile(await readFile(PYTHON));
  const suspending = suspendingImports(original).flatMap((name) => ['--suspending', name]);
  const main = path.join(ROOT, 'build/host/cli/main.js');
  const args = ['--no-warnings', main, 'instrument', PYTHON, '-o', INSTRUMENTED, '--cache', CACHE, ...suspending];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
  module = await WebAssembly.compile(await readFile(INSTRUMENTED));
}, LIMIT);

describePython('CPython on Asyncify', () => module);
// It prints nothing of its own: the module is in the cache.
describePythonCommand('wasm-fibers run python.wasm, on Asyncify', () => ['--backend', 'asyncify', '--cache', CACHE]);
