/** Legacy exception handling: waits inside `try` work, and the guest knows at every point how many catch bodies it is in. */
import { describe, expect, test } from 'vitest';
import { instrument } from '../../host/instrument/index.ts';
import { assemble, drive } from './instrument-driver.ts';
import type { Driven } from './instrument-driver.ts';

/** Imports: `wait` may suspend, `depth` is asked for where the test wants to know. */
describe.each([{ fastPath: true }, { fastPath: false }])('fast path: $fastPath', ({ fastPath }) => {
  const guest = async (
    body: string,
    host: Record<string, (...args: never[]) => unknown> = {},
  ): Promise<Driven & { depths: number[] }> => {
    const result = await instrument(
      assemble(`(module
      (import "env" "wait" (func $wait (param i32) (result i32)))
      (import "env" "depth" (func $depth))
      (memory (export "memory") 1)
      (tag $t (param i32)) (tag $pair (param i32 i64)) (tag $none)
      (func $throw (param i32) (throw $t (local.get 0)))
      (func $throwPair (param i32 i64) (throw $pair (local.get 0) (local.get 1)))
      (func $throwNone (throw $none))
      (func $ask (call $depth))
      (func $identity (param i32) (result i32) (call $depth) (local.get 0))
      ${body})`),
      { fastPath, suspending: ['env.*'] },
    );
    const depths: number[] = [];
    const driven = await drive(result, {
      'env.wait': (n: number) => Promise.resolve(n),
      ...host,
      'env.depth': () => void depths.push(1),
    });
    return Object.assign(driven, { depths });
  };

  /** Runs `f` with an import that records the catch depth instead of refusing. */
  async function depthsOf(body: string, ...args: number[]): Promise<{ value: unknown; depths: number[] }> {
    const result = await instrument(
      assemble(`(module
      (import "env" "depth" (func $depth))
      (import "env" "throw" (func $throwHost))
      (memory (export "memory") 1)
      (tag $t (param i32)) (tag $pair (param i32 i64)) (tag $none)
      (func $throw (param i32) (throw $t (local.get 0)))
      (func $throwPair (param i32 i64) (throw $pair (local.get 0) (local.get 1)))
      (func $ask (call $depth))
      (func $identity (param i32) (result i32) (call $depth) (local.get 0))
      ${body})`),
      { fastPath, suspending: ['env.*'] },
    );
    const depths: number[] = [];
    const instance = await WebAssembly.instantiate(result.wasm as Uint8Array<ArrayBuffer>, {
      env: {
        depth: () => void depths.push((instance.instance.exports['wasm-fibers.get_catch_depth'] as () => number)()),
        throw: () => {
          throw new Error('from the host');
        },
      },
      'wasm-fibers': { drain: () => 0, refill: () => 0 },
    });
    const f = instance.instance.exports['f'] as (...args: number[]) => unknown;
    const value = f(...args);
    depths.push((instance.instance.exports['wasm-fibers.get_catch_depth'] as () => number)());
    return { value, depths };
  }

  describe('waiting', () => {
    test('inside try works, and an exception after the wait is caught', async () => {
      const { run } = await guest(`(func (export "f") (param i32) (result i32) (local $x i32)
      (try (result i32)
        (do (local.set $x (call $wait (local.get 0))) (call $throw (local.get $x)) (i32.const 0))
        (catch $t (i32.const 100) (i32.add))))`);
      expect(await run('f', 5)).toBe(105);
    });

    test('a rejection is thrown at the wait, where catch_all catches it', async () => {
      const { run } = await guest(
        `(func (export "f") (param i32) (result i32)
        (try (result i32) (do (call $wait (local.get 0))) (catch_all (i32.const 77))))`,
        { 'env.wait': () => Promise.reject(new Error('no')) },
      );
      expect(await run('f', 5)).toBe(77);
    });

    test('in a catch body is refused before anything unwinds', async () => {
      const { run } = await guest(`(func (export "f") (param i32) (result i32)
      (try (result i32) (do (call $throw (local.get 0)) (i32.const 0)) (catch $t (call $wait))))`);
      await expect(run('f', 5)).rejects.toThrow('SUSPEND_IN_CATCH');
    });

    test('in a function called from a catch body is refused too', async () => {
      const { run } = await guest(`
      (func $inner (param i32) (result i32) (i32.add (call $wait (local.get 0)) (i32.const 1)))
      (func (export "f") (param i32) (result i32)
        (try (result i32) (do (call $throw (local.get 0)) (i32.const 0)) (catch $t (call $inner))))`);
      await expect(run('f', 5)).rejects.toThrow('SUSPEND_IN_CATCH');
    });

    test('after a catch body has ended works, however it ended', async () => {
      const { run } = await guest(`(func (export "f") (param i32) (result i32) (local $x i32)
      (block $out
        (try (do (call $throw (local.get 0))) (catch $t (local.set $x) (call $ask) (br $out)))
        (unreachable))
      (i32.add (call $wait (i32.const 10)) (local.get $x)))`);
      expect(await run('f', 5)).toBe(15);
    });
  });

  describe('the depth', () => {
    test('is 1 in calls from a catch body and 0 before, between and after', async () => {
      const { value, depths } = await depthsOf(
        `(func (export "f") (param i32) (result i32)
        (call $ask)
        (try (do (call $ask) (call $throw (local.get 0))) (catch $t (drop) (call $ask) (call $ask)))
        (call $ask)
        (i32.const 3))`,
        1,
      );
      expect(depths).toEqual([0, 0, 1, 1, 0, 0]);
      expect(value).toBe(3);
    });

    test('is right for calls whose operands are calls, in a catch body', async () => {
      const { value, depths } = await depthsOf(
        `(func (export "f") (param i32) (result i32)
        (try (result i32)
          (do (call $throw (local.get 0)) (i32.const 0))
          (catch $t (call $identity) (i32.add (call $identity (call $identity (i32.const 20)))))))`,
        1,
      );
      expect(depths).toEqual([1, 1, 1, 0]);
      expect(value).toBe(21);
    });

    test('is right for a try inside a catch body, and after it', async () => {
      const { value, depths } = await depthsOf(
        `(func (export "f") (param i32) (result i32)
        (try (result i32)
          (do (call $throw (local.get 0)) (i32.const 0))
          (catch $t
            (try (param i32) (result i32)
              (do (call $ask) (call $throw) (i32.const 0))
              (catch $t (call $ask) (call $identity)))
            (call $ask))))`,
        9,
      );
      expect(depths).toEqual([1, 1, 1, 1, 0]);
      expect(value).toBe(9);
    });

    test('adds up over functions that call each other from catch bodies', async () => {
      const { depths } = await depthsOf(
        `(func $f (export "f") (param i32)
        (call $ask)
        (try (do (call $throw (local.get 0)))
          (catch $t (drop)
            (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1)))))
            (call $ask)))
        (call $ask))`,
        2,
      );
      expect(depths).toEqual([0, 1, 2, 3, 2, 2, 1, 1, 0, 0]);
    });

    test('returns to the catcher when an exception leaves a catch body', async () => {
      const { value, depths } = await depthsOf(
        `(func $inner (param i32)
        (try $l (do (call $throw (local.get 0))) (catch_all (call $ask) (rethrow $l))))
       (func $middle (param i32)
        (try (do (call $inner (local.get 0))) (catch $pair (drop) (drop))))
       (func (export "f") (param i32) (result i32)
        (try (result i32) (do (call $middle (local.get 0)) (i32.const 0)) (catch $t (call $identity)))
        (call $ask))`,
        6,
      );
      expect(depths).toEqual([1, 1, 0, 0]);
      expect(value).toBe(6);
    });

    test('is right with delegate', async () => {
      const { depths } = await depthsOf(
        `(func (export "f") (param i32)
        (try $outer
          (do (try (do (call $throw (local.get 0))) (delegate $outer)))
          (catch $t (drop) (call $ask)))
        (call $ask))`,
        6,
      );
      expect(depths).toEqual([1, 0, 0]);
    });

    test('is right for tags with several values and for errors of the host', async () => {
      const { value, depths } = await depthsOf(
        `(func (export "f") (param i32) (result i32) (local $y i64)
        (try (do (call $throwHost)) (catch_all (call $ask)))
        (try (result i32)
          (do (call $throwPair (local.get 0) (i64.const 5)) (i32.const 0))
          (catch $pair (local.set $y) (call $identity)))
        (i32.add (i32.wrap_i64 (local.get $y))))`,
        6,
      );
      expect(depths).toEqual([1, 1, 0]);
      expect(value).toBe(11);
    });

    test('costs nothing in a module without exception handling', async () => {
      const { metadata } = await instrument(
        assemble(
          `(module (import "env" "wait" (func $wait)) (memory (export "memory") 1) (func (export "f") (call $wait)))`,
        ),
        { fastPath, suspending: ['*'] },
      );
      expect(metadata.catchDepth).toBe(false);
    });
  });
});

test.each([0, 1, 3] as const)(
  'a try that gives a value, with a catch that takes one, at level %i',
  async (optimizeLevel) => {
    const wasm = assemble(`(module
    (import "env" "wait" (func $wait (param i32) (result i32)))
    (memory (export "memory") 1)
    (tag $t (param i32))
    (func $throw (param i32) (result i32) (throw $t (call $wait (local.get 0))))
    (func (export "f") (param i32) (result i32)
      (i32.add
        (call $wait (i32.const 1))
        (try (result i32) (do (call $throw (local.get 0))) (catch $t (i32.mul (pop i32) (i32.const 3)))))))`);
    const result = await instrument(wasm, { suspending: ['env.wait'], optimizeLevel });
    const driven = await drive(result, { 'env.wait': (n: number) => Promise.resolve(n) });
    expect(await driven.run('f', 7)).toBe(22);
  },
);
