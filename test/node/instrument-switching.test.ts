/**
 * The state machine in the module: a wait is one call out and one call in, whatever the import gives; and whatever the guest
 * cannot do by itself (errors, other values, host functions between its frames, stacks in parts) is done by the host at any
 * wait in between, with the same outcome.
 */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { FiberError, instantiate, type Guest, type Imports, reentrant } from '../../host/index.ts';
import { instrument, type InstrumentOptions } from '../../host/instrument/index.ts';
import { assemble } from './instrument-driver.ts';

const TEXT = `(module
  (import "env" "i32" (func $i32 (param i32) (result i32)))
  (import "env" "i64" (func $i64 (param i32) (result i64)))
  (import "env" "f32" (func $f32 (param i32) (result f32)))
  (import "env" "f64" (func $f64 (param i32) (result f64)))
  (import "env" "none" (func $none (param i32)))
  (import "env" "pair" (func $pair (param i32) (result i32 f64)))
  (import "env" "i32" (func $again (param i32) (result i32)))
  (import "env" "other" (func $other (param i32) (result i32)))
  (import "env" "call" (func $call (param i32) (result i32)))
  (memory (export "memory") 1)
  (table (export "table") 2 funcref)
  (elem (i32.const 0) $sum_i32 $deep)
  (export "import" (func $i32))
  ${(['i32', 'i64', 'f32', 'f64'] as const)
    .map(
      (type) => `(func $sum_${type} (export "sum_${type}") (param $n i32) (result ${type}) (local $sum ${type})
    (loop $next
      (local.set $sum (${type}.add (local.get $sum) (call $${type} (local.get $n))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))`,
    )
    .join('\n')}
  (func (export "none") (param $n i32)
    (loop $next (call $none (local.get $n))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "pairs") (param $n i32) (result i32 f64) (local $i i32) (local $f f64)
    (loop $next
      (call $pair (local.get $n))
      (local.set $f (f64.add (local.get $f)))
      (local.set $i (i32.add (local.get $i)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $i) (local.get $f))
  (func (export "two_names") (param $n i32) (result i32)
    (i32.add (i32.add (call $i32 (local.get $n)) (call $again (local.get $n)))
      (i32.add (call $again (local.get $n)) (call $i32 (local.get $n)))))
  (func (export "between") (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (i32.add (call $i32 (local.get $n)) (call $other (local.get $n)))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func $deep (export "deep") (param $depth i32) (result i32)
    (if (result i32) (local.get $depth)
      (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get $depth) (i32.const 1)))))
      (else (call $i32 (i32.const 1)))))
  (func (export "waves") (param $n i32) (param $depth i32) (result i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (call $i32 (i32.const 0))))
      (local.set $sum (i32.add (local.get $sum) (call $deep (local.get $depth))))
      (local.set $sum (i32.add (local.get $sum) (call $deep (i32.const 2))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "nested") (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (call $i32 (local.get $n))))
      (local.set $sum (i32.add (local.get $sum) (call $call (local.get $n))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "traps") (param $n i32) (result i32)
    (loop $next (drop (call $i32 (local.get $n)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (unreachable))
  (func (export "grows") (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (drop (memory.grow (i32.const 1)))
      (local.set $sum (i32.add (local.get $sum) (call $i32 (local.get $n))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))`;

type Fn = (...args: number[]) => Promise<unknown>;
type Exports = Record<string, Fn>;
const later = <T>(value: T): Promise<T> => Promise.resolve(value);
const same = (n: number): Promise<number> => later(n);

const built = new Map<string, Promise<WebAssembly.Module>>();

function build(options: Partial<InstrumentOptions>): Promise<WebAssembly.Module> {
  const key = JSON.stringify(options);
  let module = built.get(key);
  if (module === undefined) {
    module = instrument(assemble(TEXT), { suspending: ['*'], allocator: 'memory.grow', ...options }).then(({ wasm }) =>
      WebAssembly.compile(wasm as Uint8Array<ArrayBuffer>),
    );
    built.set(key, module);
  }
  return module;
}

const guests: Guest<Exports>[] = [];

async function open(env: Imports[string] = {}, options: Partial<InstrumentOptions> = {}): Promise<Guest<Exports>> {
  const guest = await instantiate<Exports>(
    await build(options),
    {
      env: {
        i32: same,
        i64: (n: number) => later(BigInt(n)),
        f32: same,
        f64: same,
        none: () => later(undefined),
        pair: (n: number) => later([n, n / 2]),
        other: same,
        call: same,
        ...env,
      },
    },
    { windowSize: 256, backend: 'asyncify' },
  );
  guests.push(guest);
  return guest;
}

afterEach(() => {
  for (const guest of guests.splice(0)) expect(guest.fibers).toEqual([]);
});

/** Counts the calls of a guest's exports by the host. */
function countCalls(): { calls: number; restore(): void } {
  const count = { calls: 0, restore: (): void => spy.mockRestore() };
  const real = Object.getOwnPropertyDescriptor(WebAssembly.Instance.prototype, 'exports');
  const known = new WeakMap<object, WebAssembly.Exports>();
  const spy = vi.spyOn(WebAssembly.Instance.prototype, 'exports', 'get').mockImplementation(function (this: object) {
    let counted = known.get(this);
    if (counted === undefined) {
      const exports = real?.get?.call(this) as WebAssembly.Exports;
      const entries = Object.entries(exports).map(([name, value]): [string, WebAssembly.ExportValue] => [
        name,
        typeof value !== 'function'
          ? value
          : (...args: unknown[]): unknown => {
              count.calls += 1;
              return (value as (...args: unknown[]) => unknown)(...args);
            },
      ]);
      counted = Object.fromEntries(entries);
      known.set(this, counted);
    }
    return counted;
  });
  return count;
}

const FORMS = [
  { optimizeLevel: 0 },
  { optimizeLevel: 2 },
  { optimizeLevel: 2, shrinkLevel: 1, debugNames: false },
] as const;

describe.each(FORMS)('%o', (form) => {
  test('a wait is one call out and one call in', async () => {
    const count = countCalls();
    try {
      let out = 0;
      const guest = await open({ i32: (n: number) => (out++, later(n)) }, form);
      await guest.exports['sum_i32']?.(2);
      const calls = async (waits: number): Promise<number> => {
        const before = count.calls;
        out = 0;
        expect(await guest.exports['sum_i32']?.(waits)).toBe((waits * (waits + 1)) / 2);
        expect(out).toBe(waits);
        return count.calls - before;
      };
      expect((await calls(1000)) - (await calls(10))).toBe(990);
      // Entering, the first wait, and what is left of the last.
      expect(await calls(10)).toBeLessThanOrEqual(10 + 8);
    } finally {
      count.restore();
    }
  });

  test.each([
    ['i32', [1, -1, 2 ** 31, 2 ** 32 + 5, 1.9, -1.9, Number.NaN, Number.POSITIVE_INFINITY], (x: number) => x | 0],
    ['f32', [0.1, -0, 1e300, Number.NaN, 3], Math.fround],
    ['f64', [0.1, -0, 1e300, Number.NaN, 3], (x: number) => x],
  ] as const)('%s arrives as the engine converts it, at the first wait and at later ones', async (type, values, as) => {
    for (const value of values) {
      const guest = await open({ [type]: (n: number) => later(n === 1 ? value : 0) }, form);
      // The sum begins with 0, to which -0 adds nothing.
      for (const waits of [1, 2, 5]) expect(await guest.exports[`sum_${type}`]?.(waits)).toBe(as(value) + 0);
    }
  });

  test('i64, also beyond its range', async () => {
    const guest = await open({ i64: (n: number) => later(n === 1 ? 2n ** 64n + 7n : -1n) }, form);
    for (const waits of [1, 2, 5]) expect(await guest.exports['sum_i64']?.(waits)).toBe(7n - BigInt(waits - 1));
  });

  test('nothing, and several values at once', async () => {
    const guest = await open({ none: () => later({ any: 'thing' }) }, form);
    for (const waits of [1, 2, 5]) {
      expect(await guest.exports['none']?.(waits)).toBeUndefined();
      expect(await guest.exports['pairs']?.(waits)).toEqual([(waits * (waits + 1)) / 2, (waits * (waits + 1)) / 4]);
    }
  });

  test('other values in between: strings, undefined, plain ones, objects with valueOf', async () => {
    const odd: unknown[] = ['7', undefined, null, true, { valueOf: () => 30 }];
    const guest = await open({ other: (n: number) => (n % 2 ? later(odd[n % odd.length]) : n) }, form);
    const expected = Array.from({ length: 12 }, (_, index) => index + 1).reduce(
      (sum, n) => sum + n + (n % 2 ? Number(odd[n % odd.length] ?? 0) : n),
      0,
    );
    expect(await guest.exports['between']?.(12)).toBe(expected);
  });

  test.each([1, 2, 3, 8])('a value that no number can be made of, at wait %i', async (at) => {
    const guest = await open({ i32: (n: number) => later(n === 10 - at ? Symbol('none') : n) }, form);
    await expect(guest.exports['sum_i32']?.(9)).rejects.toThrow(TypeError);
    expect(await guest.exports['deep']?.(3)).toBe(4);
  });

  test.each([1, 2, 3, 8])('a rejection at wait %i', async (at) => {
    const error = new Error('no');
    const guest = await open({ i32: (n: number) => (n === 10 - at ? Promise.reject(error) : later(n)) }, form);
    await expect(guest.exports['sum_i32']?.(9)).rejects.toBe(error);
    expect(await guest.exports['deep']?.(3)).toBe(4);
  });

  test.each([1, 2, 3, 8])('a cancellation at wait %i', async (at) => {
    let stop = (): void => undefined;
    const guest = await open(
      {
        i32: (n: number) => (n === 10 - at && queueMicrotask(() => stop()), new Promise((go) => setTimeout(go, 1, n))),
      },
      form,
    );
    const fiber = guest.spawn('sum_i32', [9]);
    stop = () => void fiber.cancel();
    await expect(fiber.result).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  test('a trap after one wait and after many', async () => {
    const guest = await open({}, form);
    for (const waits of [1, 2, 7]) await expect(guest.exports['traps']?.(waits)).rejects.toThrow('unreachable');
  });

  test('two imports of one name', async () => {
    const guest = await open({}, form);
    expect(await guest.exports['two_names']?.(5)).toBe(20);
  });

  test('the import itself as a fiber, and functions that only a table has', async () => {
    const guest = await open({}, form);
    expect(await guest.exports['import']?.(5)).toBe(5);
    const table = (guest.instance.exports['table'] ?? null) as WebAssembly.Table;
    const sum = guest.wrap(table.get(0) as (n: number) => number);
    expect(await sum(6)).toBe(21);
    expect(await guest.wrap(table.get(1) as (n: number) => number)(400)).toBe(401);
  });

  test('stacks that need many windows, between waits that need none', async () => {
    const guest = await open({ i32: (n: number) => later(n) }, form);
    const waves = await Promise.all([300, 0, 1000].map((depth) => guest.exports['waves']?.(6, depth)));
    expect(waves).toEqual([300, 0, 1000].map((depth) => 6 * (depth + 1 + 3)));
  });

  test('host functions between the frames, between waits that have none', async () => {
    const opened: { guest?: Guest<Exports> } = {};
    const call = reentrant(function* (call, n: number) {
      return (yield call(opened.guest?.instance.exports['deep'] as (depth: number) => number, n)) as number;
    });
    const guest = (opened.guest = await open({ call }, form));
    expect(await guest.exports['nested']?.(6)).toBe(2 * 21 + 6);
  });

  test('the memory grows between the waits', async () => {
    const guest = await open({}, form);
    expect(await guest.exports['grows']?.(9)).toBe(45);
  });

  test('many fibers, in any order', async () => {
    const guest = await open({ i32: (n: number) => new Promise((go) => setTimeout(go, (n * 7) % 5, n)) }, form);
    const sums = await Promise.all(Array.from({ length: 40 }, (_, n) => guest.exports['sum_i32']?.((n % 7) + 1)));
    expect(sums).toEqual(Array.from({ length: 40 }, (_, n) => (((n % 7) + 1) * ((n % 7) + 2)) / 2));
  });
});

test('frames that lead to another import are damaged ones', async () => {
  const guest = await open({
    i32: (n: number) => new Promise((go) => setTimeout(go, 1, n)),
    other: (n: number) => new Promise((go) => setTimeout(go, 1, n)),
  });
  // While it waits at `other`, its frame says that it waits at `i32`: the number of the point is the last word of it.
  const fiber = guest.spawn('between', [3]);
  await new Promise((go) => setTimeout(go, 3));
  while (fiber.waitingOn !== 'env.other' && fiber.state === 'suspended') await new Promise((go) => setTimeout(go));
  expect(fiber.waitingOn).toBe('env.other');
  // It is resident: its frame lies in the window, at the end of what the memory has grown by.
  const words = new Int32Array(guest.memory?.buffer ?? new ArrayBuffer(0));
  const base = words.findIndex((word, at) => word > at * 4 && word <= at * 4 + 256 && words[at + 1] === at * 4 + 256);
  expect(base).toBeGreaterThan(0);
  const last = (words[base] ?? 0) / 4 - 1;
  words[last] = (words[last] ?? 0) ^ 3;
  const error = (await fiber.result.catch((reason: unknown) => reason)) as FiberError;
  expect(error).toBeInstanceOf(FiberError);
  expect(error.code).toBe('CORRUPT_FRAMES');
  expect(error.message).toContain('env.other');
});
