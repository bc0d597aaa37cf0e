// CPython on JSPI, as it comes out of its package; and as a command.
import { readFile } from 'node:fs/promises';
import { beforeAll } from 'vitest';
import { PYTHON, describePython } from '../support/cpython.ts';
import { describePythonCommand } from '../support/cpython-command.ts';

let module: WebAssembly.Module;
beforeAll(async () => {
  module = await WebAssembly.compile(await readFile(PYTHON));
});

describePython('CPython on JSPI', () => module);
describePythonCommand('wasm-fibers run python.wasm, on JSPI', () => []);
