/** Lists of functions: what they select, and that a suspension that meets a function left out traps before any harm. */
import { describe, expect, test } from 'vitest';
import { instrument } from '../../host/instrument/index.ts';
import type { InstrumentOptions } from '../../host/instrument/index.ts';
import { assemble, drive } from './instrument-driver.ts';

/** outer -> middle -> inner -> sleep; middle writes to memory after the call, which must not run while unwinding. */
const CHAIN = assemble(String.raw`(module
  (type $unary (func (param i32) (result i32)))
  (import "env" "sleep" (func $sleep (param i32) (result i32)))
  (memory (export "memory") 1)
  (table 1 1 funcref) (elem (i32.const 0) $inner)
  (func $inner (param i32) (result i32) (i32.add (call $sleep (local.get 0)) (i32.const 1)))
  (func $"core::middle<a, b>::\cf\80" (export "middle") (param i32) (result i32) (local $x i32)
    (i32.store (i32.const 0) (i32.const 5))
    (local.set $x (call $inner (local.get 0)))
    (i32.store (i32.const 0) (i32.const 9))
    (local.get $x))
  (func $outer (export "outer") (param i32) (result i32)
    (i32.add (call $"core::middle<a, b>::\cf\80" (local.get 0)) (i32.const 1)))
  (func $table (export "table") (param i32) (result i32)
    (i32.add (call_indirect (type $unary) (local.get 0) (i32.const 0)) (i32.const 1))))`);

describe.each([{ fastPath: true }, { fastPath: false }])('fast path: $fastPath', ({ fastPath }) => {
  const guest = async (
    options: Partial<InstrumentOptions>,
  ): Promise<Awaited<ReturnType<typeof drive>> & { instrumented: number }> => {
    const result = await instrument(CHAIN, { fastPath, suspending: ['env.sleep'], ...options });
    const driven = await drive(result, { 'env.sleep': (n: number) => Promise.resolve(n) });
    return Object.assign(driven, { instrumented: result.functions.instrumented });
  };

  const word = (memory: WebAssembly.Memory): number => new Int32Array(memory.buffer)[0] ?? 0;

  describe('remove', () => {
    test.each([0, 1, 2, 3] as const)(
      'a suspension above a removed function traps at once and names it (-O%i)',
      async (optimizeLevel) => {
        const { run, memory } = await guest({ remove: ['core::middle<a, b>::π'], optimizeLevel });
        const error = (await run('outer', 3).catch((e: unknown) => e)) as WebAssembly.RuntimeError;
        expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
        expect(error.message).toBe('unreachable');
        expect(error.stack).toContain('core::middle<a, b>::π');
        expect(word(memory)).toBe(5);
      },
    );

    test('a removed function runs as ever when nothing suspends', async () => {
      const result = await instrument(CHAIN, { fastPath, suspending: ['env.sleep'], remove: ['core::middle*'] });
      const { run, memory } = await drive(result, { 'env.sleep': (n: number) => n });
      expect(await run('outer', 3)).toBe(5);
      expect(word(memory)).toBe(9);
    });

    test('names are kept although they were to be stripped', async () => {
      const { wasm } = await instrument(CHAIN, { fastPath, suspending: ['*'], remove: ['inner'], debugNames: false });
      const module = new WebAssembly.Module(wasm as Uint8Array<ArrayBuffer>);
      expect(WebAssembly.Module.customSections(module, 'name')).toHaveLength(1);
    });

    test('who calls only removed functions is left out too', async () => {
      expect((await guest({})).instrumented).toBe(4);
      expect((await guest({ remove: ['core::middle*'] })).instrumented).toBe(2);
    });
  });

  describe('only', () => {
    test('exactly the functions listed are instrumented, and that is enough where they are all', async () => {
      const { run, instrumented } = await guest({ only: ['inner', 'core::*', 'outer'] });
      expect(instrumented).toBe(3);
      expect(await run('outer', 3)).toBe(5);
    });

    test('a suspension above any other function traps', async () => {
      const { run, memory } = await guest({ only: ['inner', 'outer'] });
      await expect(run('outer', 3)).rejects.toThrow('unreachable');
      expect(word(memory)).toBe(5);
    });
  });

  describe('ignoreIndirect', () => {
    test('a suspension through a table traps', async () => {
      const { run, instrumented } = await guest({ ignoreIndirect: true });
      expect(instrumented).toBe(3);
      const error = (await run('table', 3).catch((e: unknown) => e)) as Error;
      expect(error.message).toBe('unreachable');
      expect(error.stack).toContain('table');
    });

    test('a function that is added may suspend through tables all the same', async () => {
      const { run, instrumented } = await guest({ ignoreIndirect: true, add: ['table'] });
      expect(instrumented).toBe(4);
      expect(await run('table', 3)).toBe(5);
    });
  });

  test('suspending imports that differ only in what a wildcard would match are told apart', async () => {
    const result = await instrument(
      assemble(`(module
      (import "env" "sleep" (func $sleep)) (import "env" "sleepless" (func $sleepless))
      (memory (export "memory") 1)
      (func (export "a") (call $sleep)) (func (export "b") (call $sleepless)))`),
      { fastPath, suspending: ['env.sleep'] },
    );
    expect(result.suspending).toEqual(['env.sleep']);
    expect(result.functions.instrumented).toBe(1);
  });
});

test.each(['operator<(a, b', '@file', 'a\\0ab', 'last '])(
  'one function by a name that means something to Binaryen: %s',
  async (name) => {
    const wasm = assemble(`(module
    (import "env" "sleep" (func $sleep))
    (memory (export "memory") 1)
    (func $"${name}" (export "f") (call $sleep)) (func $other (export "g") (call $sleep)))`);
    const options = { suspending: ['env.sleep'], remove: [name.replace('\\0a', '\n')] };
    const { run } = await drive(await instrument(wasm, options), { 'env.sleep': () => Promise.resolve() });
    expect(await run('g')).toBeUndefined();
    await expect(run('f')).rejects.toThrow('unreachable');
  },
);
