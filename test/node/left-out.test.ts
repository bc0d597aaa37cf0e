/**
 * SEMANTICS I.8, in real guests: whatever leaves a function out of the instrumentation, a fiber that would have to wait through
 * it fails with the function's name and the way there, and the guest goes on as if nothing had been.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { type Guest, instantiate, reentrant } from '../../host/index.ts';
import { instrument } from '../../host/instrument/index.ts';
import type { InstrumentOptions } from '../../host/instrument/index.ts';
import { hasGuest, loadPlain } from '../support/guest.ts';
import { assemble } from './instrument-driver.ts';

type Lists = Partial<Pick<InstrumentOptions, 'only' | 'add' | 'remove' | 'ignoreIndirect' | 'closedTables'>>;

const later = <T>(value: T): Promise<T> => new Promise((resolve) => setTimeout(resolve, 1, value));

/** What `callback` gives. */
const STEP = { addOne: 0, waitAndDouble: 1, waitTwice: 2 } as const;

const hasC = await hasGuest('callbacks');

describe.skipIf(!hasC)('C guests (they need clang)', () => {
  let callbacks: Uint8Array;
  let qsort: Uint8Array;
  beforeAll(async () => {
    [callbacks, qsort] = await Promise.all([loadPlain('callbacks'), loadPlain('qsort')]);
  });

  async function guestOf(lists: Lists): Promise<Guest> {
    const { wasm } = await instrument(callbacks, { suspending: ['env.wait', 'env.each'], ...lists });
    const at = (index: number): ((x: number) => number) =>
      (guest.exports['__indirect_function_table'] as unknown as WebAssembly.Table).get(index) as (x: number) => number;
    // Stays in the middle of the stack while the guest waits below it.
    const each = reentrant(function* (call, callback: number, n: number) {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += Number(yield call(at(callback), i));
      return sum;
    });
    const guest: Guest = await instantiate(wasm as Uint8Array<ArrayBuffer>, { env: { wait: later, each } });
    return guest;
  }

  async function expectNamed(
    guest: Guest,
    name: string,
    args: readonly number[],
    frames: readonly string[],
  ): Promise<void> {
    const error: unknown = await guest.spawn(name, [...args]).result.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'UNINSTRUMENTED_FRAME' });
    const message = String((error as Error).message);
    expect(message).toContain('env.wait');
    expect(message).toContain(`left out of the instrumentation: ${frames.join(', called by ')}`);
    // As if nothing had been: also with the stack where it was.
    expect(await guest.spawn('apply', [STEP.addOne, 4]).result).toBe(5);
  }

  test('a function that is removed, above an indirect call', async () => {
    const guest = await guestOf({ remove: ['apply'] });
    await expectNamed(guest, 'apply', [STEP.waitAndDouble, 3], ['apply']);
  });

  test('a function that is removed, below an indirect call', async () => {
    const guest = await guestOf({ remove: ['wait_and_double'] });
    await expectNamed(guest, 'apply', [STEP.waitAndDouble, 3], ['wait_and_double', 'apply']);
    expect(await guest.spawn('apply', [STEP.waitTwice, 3]).result).toBe(4);
  });

  test('a function that is removed, below a trampoline', async () => {
    const guest = await guestOf({ remove: ['wait_and_double'] });
    await expectNamed(guest, 'through_host', [STEP.waitAndDouble, 3], ['wait_and_double']);
    expect(await guest.spawn('through_host', [STEP.addOne, 3]).result).toBe(6);
  });

  test('a function that is removed, above a trampoline', async () => {
    const guest = await guestOf({ remove: ['through_host'] });
    const error = await guest.spawn('through_host', [STEP.waitAndDouble, 3]).result.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'UNINSTRUMENTED_FRAME', message: expect.stringContaining('through_host') });
    expect(await guest.spawn('apply', [STEP.waitAndDouble, 3]).result).toBe(6);
  });

  test('a function that is not on the only list', async () => {
    const guest = await guestOf({ only: ['wait_and_double'] });
    await expectNamed(guest, 'apply', [STEP.waitAndDouble, 3], ['apply']);
    await expectNamed(guest, 'apply', [STEP.waitTwice, 3], ['wait_twice', 'apply']);
  });

  test('indirect calls that are ignored; a trampoline is none', async () => {
    const guest = await guestOf({ ignoreIndirect: true });
    await expectNamed(guest, 'apply', [STEP.waitAndDouble, 3], ['apply']);
    expect(await guest.spawn('through_host', [STEP.waitAndDouble, 3]).result).toBe(6);
  });

  test('a function that is removed, above direct calls', async () => {
    const { wasm } = await instrument(qsort, { suspending: ['env.compare'], remove: ['sort_heap'] });
    const guest: Guest = await instantiate(wasm as Uint8Array<ArrayBuffer>, {
      env: { compare: (a: number, b: number) => later(a - b) },
    });
    const error = await guest.spawn('sort_heap', [9, 1]).result.catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'UNINSTRUMENTED_FRAME',
      message: expect.stringMatching(/instrumentation: sort_heap\b/),
    });
    expect(await guest.spawn('sort_stack', [9, 1]).result).toBe(1);
  });
});

/** A table that the host can write, with a function of another type in it; `wait` is exported, so the host has it to put there. */
const OPEN = assemble(`(module
  (type $one (func (param i32) (result i32)))
  (type $two (func (param i32 i32) (result i32)))
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (memory (export "memory") 1)
  (table (export "table") 2 funcref) (elem (i32.const 1) $plain)
  (func $plain (type $two) (local.get 1))
  (func $waits (export "waits") (type $one) (i32.add (call $wait (local.get 0)) (i32.const 1)))
  (func $through (param i32) (result i32) (i32.mul (call_indirect (type $one) (local.get 0) (i32.const 0)) (i32.const 10)))
  (func (export "left_out") (param i32) (result i32) (i32.add (call $through (local.get 0)) (i32.const 1)))
  (func $both (export "both") (param i32) (result i32)
    (i32.add (call $waits (local.get 0)) (call_indirect (type $one) (local.get 0) (i32.const 0)))))`);

describe('a table that the host fills, against its promise', () => {
  const open = async (closedTables: boolean): Promise<Guest> => {
    const { wasm } = await instrument(OPEN, { suspending: ['env.wait'], closedTables, allocator: 'memory.grow' });
    const guest: Guest = await instantiate(wasm as Uint8Array<ArrayBuffer>, { env: { wait: later } });
    const table = guest.exports['table'] as unknown as WebAssembly.Table;
    table.set(0, guest.instance.exports['waits'] as () => number);
    return guest;
  };

  test('in a function that is not instrumented', async () => {
    const guest = await open(true);
    const error = await guest.spawn('left_out', [3]).result.catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'UNINSTRUMENTED_FRAME',
      message: expect.stringMatching(
        /env\.wait through .* instrumentation: through, called by (left_out|wasm-function\[\d+\]).*--closed-tables/,
      ),
    });
    expect(await guest.spawn('waits', [3]).result).toBe(4);
  });

  test('in a function that is', async () => {
    const guest = await open(true);
    const error = await guest.spawn('both', [3]).result.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'UNINSTRUMENTED_FRAME', message: expect.stringMatching(/: both\b/) });
    expect(await guest.spawn('waits', [3]).result).toBe(4);
  });

  test('without the promise the host may do so', async () => {
    const guest = await open(false);
    expect(await guest.spawn('left_out', [3]).result).toBe(41);
    expect(await guest.spawn('both', [3]).result).toBe(8);
  });
});
