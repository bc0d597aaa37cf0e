/** Plugins whose exports have other types than docs/plugins.md says, assembled here. */
import { describe, expect, test } from 'vitest';
import { errorOf, loadPlugin } from '../support/plugin.ts';
import { assemble } from './instrument-driver.ts';

const wasm = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(assemble(text));

describe('exports of other types than the convention has', () => {
  const MEMORY = '(memory (export "memory") 2)';
  const ALLOC = '(func (export "alloc") (param i32) (result i32) (i32.const 16))';
  const GO = '(func (export "go") (param i32 i32) (result i64) (i64.const 0))';

  test.each([
    ['alloc takes i64', `${MEMORY} (func (export "alloc") (param i64) (result i32) (i32.const 16)) ${GO}`],
    ['free takes i64', `${MEMORY} ${ALLOC} (func (export "free") (param i64)) ${GO}`],
    ['it takes i64', `${MEMORY} ${ALLOC} (func (export "go") (param i64 i64) (result i64) (i64.const 0))`],
    ['it returns v128', `${MEMORY} ${ALLOC} (func (export "go") (param i32 i32) (result v128) (v128.const i64x2 0 0))`],
  ])('fail the call by name: %s', async (_, text) => {
    const plugin = await loadPlugin(wasm(`(module ${text})`));
    expect(await errorOf(plugin.call('go', 'hello', { as: 'text' }))).toMatchObject({
      code: 'CORRUPT_VALUE',
      message: expect.stringContaining('other parameters or results'),
      cause: expect.any(TypeError),
    });
  });

  test('_initialize', async () => {
    const loading = loadPlugin(wasm(`(module ${MEMORY} ${ALLOC} (func (export "_initialize") (param i64)) ${GO})`));
    expect(await errorOf(loading)).toMatchObject({ code: 'CORRUPT_VALUE' });
  });

  test('a TypeError of a host function stays what it is, also of one that the plugin exports as its own', async () => {
    const own = new TypeError('of the host');
    const fail = (): never => {
      throw own;
    };
    const text =
      '(module (import "app" "fail" (func $fail)) (func (export "go") (call $fail)) (export "direct" (func $fail)))';
    const plugin = await loadPlugin(wasm(text), { hostFunctions: { app: { fail } } });
    for (const name of ['go', 'direct']) expect(await errorOf(plugin.call(name, [], { as: 'numbers' }))).toBe(own);
  });
});
