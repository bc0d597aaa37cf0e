/** Binaryen when it is missing, when it fails, and when it aborts. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { guarded, loadBinaryen } from '../../host/instrument/binaryen.ts';
import { FiberError } from '../../host/instrument/index.ts';
import { SHORT_LIVED } from '../support/temporary.ts';

const BUILT = new URL('../../build/host/instrument/index.js', import.meta.url).href;

test('where it is not installed, the error says how to install it', async () => {
  // A resolver that knows no binaryen, as in a project that has not installed it.
  const hooks = `export async function resolve(specifier, context, next) {
    if (specifier !== 'binaryen') return next(specifier, context);
    throw Object.assign(new Error("Cannot find package 'binaryen'"), { code: 'ERR_MODULE_NOT_FOUND' });
  }`;
  const script = `
    import { register } from 'node:module';
    register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hooks)}));
    const { instrument } = await import(${JSON.stringify(BUILT)});
    const wasm = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, 7, 1, 1, 101, 1, 115, 0, 0);
    await instrument(wasm, { suspending: ['*'] }).catch((error) => console.log(error.code, error.message));`;
  const { stdout } = await promisify(execFile)(process.execPath, [...SHORT_LIVED, '--input-type=module', '-e', script]);
  expect(stdout).toMatch(/^BINARYEN_MISSING .*is not installed.*npm i -D binaryen/);
});

function failure(work: () => unknown): FiberError {
  try {
    work();
  } catch (error) {
    if (error instanceof FiberError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

test('a fatal error becomes a sentence, and the instance is kept', async () => {
  const binaryen = await loadBinaryen();
  const error = failure(() =>
    guarded(
      binaryen,
      () => 'reading the module',
      () => binaryen.readBinary(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 200), 0),
    ),
  );
  expect(error.code).toBe('BINARYEN_FAILED');
  expect(error.message).toMatch(/^Binaryen failed while reading the module: \w/);
  expect(error.message).not.toMatch(/\[object|undefined/);
  expect(await loadBinaryen()).toBe(binaryen);
});

test('after an abort the instance is dropped, and the next call gets a fresh one that works', async () => {
  const binaryen = await loadBinaryen();
  const error = failure(() =>
    guarded(
      binaryen,
      () => 'running Asyncify',
      () => {
        throw new WebAssembly.RuntimeError('Aborted(Assertion failed: x)');
      },
    ),
  );
  expect(error.message).toContain('it aborted (Aborted(Assertion failed: x))');
  const fresh = await loadBinaryen();
  expect(fresh).not.toBe(binaryen);
  const module = fresh.readBinary(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0), 0);
  expect(module.validate()).toBe(1);
  module.dispose();
});

test('a native stack that is too small is named, with the ways to a larger one', async () => {
  const binaryen = await loadBinaryen();
  const error = failure(() =>
    guarded(
      binaryen,
      () => 'running Asyncify',
      () => {
        throw new RangeError('Maximum call stack size exceeded');
      },
    ),
  );
  expect(error.message).toContain('--stack-size');
});
