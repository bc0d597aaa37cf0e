// Modules that were not instrumented, on JSPI: their imports say by suspending(fn) that they may wait. Everything holds
// that holds for others, but fibers of a module that shows nobody its stack in memory run one at a time.
import { describe, expect, test } from 'vitest';
import {
  currentFiber,
  type FiberEvent,
  type Guest,
  type GuestOptions,
  instantiate,
  reentrant,
  suspending,
} from 'wasm-fibers';
import { onlyOn } from '../support/backend.ts';
import { type CatchExports, code, type CoreExports, failure, FN, Gate, turn, watch } from '../support/core.ts';
import { hasGuest, loadPlain } from '../support/guest.ts';
import { Scatter } from '../support/scatter.ts';
import { wasiStubs } from '../support/wasi-stubs.ts';

const later = <T>(value: T): Promise<T> => turn().then(() => value);
type Wait = (x: number) => unknown;

/** A guest without a memory: nothing is shared. */
const small = async (wait: Wait, options: GuestOptions = {}): Promise<Guest<{ once(x: number): number }>> =>
  watch(await instantiate(loadPlain('no-memory'), { env: { wait: suspending(wait) } }, options), 'jspi');

/** One with a memory, and nothing that tells where its stack is. */
async function large(
  wait: Wait,
  options: GuestOptions = {},
  more: Record<string, (...args: never[]) => unknown> = {},
): Promise<Guest<CoreExports>> {
  const at = (fn: number): Wait => guest.exports.table.get(fn) as Wait;
  const marked = suspending(wait);
  const opaque = (fn: number, x: number): unknown => at(fn)(x);
  const env = {
    wait: marked,
    wait_i64: marked,
    wait_f64: marked,
    wait_void: marked,
    wait_pair: marked,
    call: opaque,
    invoke_ii: opaque,
    opaque,
    note: (x: number) => (x < 0 ? later(x) : x),
    ...more,
  };
  const guest: Guest<CoreExports> = watch(await instantiate<CoreExports>(loadPlain('core'), { env }, options), 'jspi');
  return guest;
}

describe('S.3 on Asyncify a module that was not instrumented cannot wait, and says so', () => {
  test.each([
    ['as nothing says that it could run on JSPI', {}],
    ['as that was asked for, though its imports are marked', { backend: 'asyncify' }],
  ] as const)('%s', async (_why, options) => {
    const wait = (x: number): unknown => (x < 0 ? x : later(x));
    if ('backend' in options) suspending(wait);
    const guest = watch(
      await instantiate<{ once(x: number): number }>(loadPlain('no-memory'), { env: { wait } }, options),
      'asyncify',
    );
    expect(await failure(guest.exports.once(1))).toMatchObject({
      code: 'NOT_INSTRUMENTED',
      message: expect.stringContaining('--suspending env.wait'),
    });
    // What does not wait works.
    expect(await guest.exports.once(-1)).toBe(-1);
  });
});

onlyOn('jspi', 'modules that were not instrumented', () => {
  describe('a module without a memory', () => {
    test('has any number of fibers at once, each with its own value, in any order', async () => {
      const gate = new Gate();
      const guest = await small(gate.wait);
      const all = Array.from({ length: 200 }, (_, i) => guest.exports.once(i));
      for (const { x, resolve } of gate.calls.splice(0).reverse()) resolve(x * 2);
      expect(await Promise.all(all)).toEqual(all.map((_, i) => i * 2));
    });

    test('has its fibers cancelled, fail and time out as any other', async () => {
      const gate = new Gate();
      const guest = await small(gate.wait);
      const thrown = { any: 'object' };
      const [a, b, c] = [guest.spawn('once', [1]), guest.spawn('once', [2]), guest.spawn('once', [3], { timeout: 5 })];
      a.cancel('enough');
      gate.take(2).reject(thrown);
      expect(await failure(a.result)).toMatchObject({ code: 'CANCELLED', cause: 'enough' });
      expect(await failure(b.result)).toBe(thrown);
      expect(await code(c.result)).toBe('TIMEOUT');
    });

    test('has its values converted by the engine, whether it had to wait or not', async () => {
      const guest = await small((x) => (x % 2 === 0 ? x + 0.9 : later(`${x}`)));
      expect(await Promise.all([0, 1, 2, 3].map((x) => guest.exports.once(x)))).toEqual([0, 1, 2, 3]);
    });
  });

  test('the current fiber is right in every host function, and right after every resume', async () => {
    const seen: (string | undefined)[] = [];
    const guest = await small((x) => {
      seen.push(currentFiber()?.name);
      return x === 0 ? later(x) : guest.exports.once(x - 1);
    });
    const fibers = [3, 2].map((x) => guest.spawn('once', [x], { name: `${x}` }));
    await Promise.all(fibers.map(({ result }) => result));
    expect(seen.toSorted()).toEqual(['2', '3', ...Array<string>(5).fill('once')].toSorted());
    expect(currentFiber()).toBeNull();
  });

  describe('a module with a memory that does not show its stack', () => {
    test('runs one fiber at a time, in order, and says so once, with the reason and the remedy', async () => {
      const events: FiberEvent[] = [];
      const guest = await large(later, { onEvent: (event) => events.push(event) });
      const clashes = await Promise.all([1, 2, 3, 4].map((i) => guest.exports.critical(i)));
      expect(clashes).toEqual([0, 0, 0, 0]);
      const told = events.filter(({ type }) => type === 'exclusive');
      expect(told).toHaveLength(1);
      expect(told[0]?.fiber.name).toBe('critical');
      expect(told[0]).toMatchObject({
        reason: expect.stringMatching(/not instrumented.*__stack_pointer.*--target jspi/s),
      });
    });

    test('says nothing as long as nobody has to wait for a turn, or if it was asked to', async () => {
      for (const options of [{}, { exclusive: true }]) {
        const types: string[] = [];
        const guest = await large(later, { ...options, onEvent: ({ type }) => types.push(type) });
        expect(await guest.exports.twice(1)).toBe(3);
        if (options.exclusive === true) await Promise.all([guest.exports.once(1), guest.exports.once(2)]);
        expect(types).not.toContain('exclusive');
      }
    });

    test('a nested call waits for its turn, and for ever if its caller waits for it: DEADLOCK', async () => {
      const nested: Promise<unknown>[] = [];
      const guest = await large((x) => {
        if (x < 5) return later(x);
        const call = guest.exports.deep(2, 1);
        nested.push(call);
        // The second does not wait for what it has started.
        return x === 5 ? call : later(x);
      });
      expect(await code(guest.exports.once(5))).toBe('DEADLOCK');
      expect(await guest.exports.once(6)).toBe(6);
      expect(await Promise.all(nested)).toEqual([3, 3]);
    });

    test('a generator is passed all the same: its calls are of the same fiber', async () => {
      const call = suspending(
        reentrant(function* (nested, _fn: number, x: number) {
          const fn = guest.instance.exports['once'] as (x: number) => number;
          return Number(yield nested(fn, x)) + Number(yield nested(fn, x));
        }),
      );
      const guest = await large(later, {}, { call });
      expect(await guest.exports.through_call(FN.once, 4)).toBe(1000 + 8);
    });

    test('a trap, a rejection and a cancellation give the turn away', async () => {
      const gate = new Gate();
      const guest = await large((x) => (x < 0 ? Promise.reject(new Error('no')) : x >= 100 ? gate.wait(x) : later(x)));
      const cancelled = guest.spawn('deep', [3, 100]);
      const ends = [guest.exports.trap_after(1), guest.exports.deep(3, -1), guest.exports.deep(4, 1)];
      cancelled.cancel();
      const settled = await Promise.allSettled(ends);
      expect(await code(cancelled.result)).toBe('CANCELLED');
      expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    });
  });

  describe('what cannot wait says so, with the import and the remedy', () => {
    test('an import that is not marked', async () => {
      const guest = await large(later);
      expect(await failure(guest.exports.note(-1))).toMatchObject({
        code: 'NOT_SUSPENDING',
        message: expect.stringMatching(/env\.note.*suspending\(fn\)/s),
      });
      expect(await guest.exports.note(1)).toBe(1);
    });

    test('a host function in between, a sync call, and a raw call', async () => {
      const guest = await large(later);
      // Most engines refuse before they call the import, so that its name is not known; Node 24 does afterwards.
      expect(await failure(guest.exports.through_opaque(FN.once, 1))).toMatchObject({
        code: 'HOST_FRAME',
        message: expect.stringMatching(/--target jspi|env\.wait/),
      });
      expect(() => guest.sync.once(1)).toThrow(expect.objectContaining({ code: 'SUSPEND_IN_SYNC_CALL' }));
      // The engine's own words, or ours.
      expect(() => (guest.instance.exports['once'] as Wait)(1)).toThrow(
        expect.objectContaining({ name: expect.stringMatching(/^(?:SuspendError|FiberError)$/) }),
      );
      expect(await guest.exports.once(5)).toBe(5);
    });
  });

  test('a guest that catches goes on, and its cleanup may wait', async () => {
    const wait = suspending((x: number): unknown =>
      x < 0 ? later(0).then(() => Promise.reject(new Error('no'))) : later(x),
    );
    const guest = watch(await instantiate<CatchExports>(loadPlain('catch'), { env: { wait } }), 'jspi');
    expect(await guest.exports.guarded(-1)).toBe(7);
    expect(await guest.exports.swallow_then_wait(-1, 5)).toBe(5);
    expect(await failure(guest.exports.cleanup_waits(-1, 5))).toMatchObject({ message: 'no' });
    expect(guest.sync.cleanups()).toBe(1);
    expect(await guest.exports.wait_in_catch(1)).toBe(5);
  });
});

const hasC = await hasGuest('buffers');

onlyOn('jspi', 'modules that were not instrumented', () => {
  describe.skipIf(!hasC)('C that exports its stack pointer', () => {
    interface Buffers {
      run(seed: number, rounds: number): number;
      __stack_pointer: WebAssembly.Global;
    }
    const open = async (
      scatter: Scatter,
      name = 'buffers-open',
      options: GuestOptions = {},
    ): Promise<Guest<Buffers>> => {
      const fill = (at: number, length: number, seed: number): void => {
        const bytes = new Uint8Array(guest.memory.buffer, at, length);
        for (let i = 0; i < length; i++) bytes[i] = seed + i * 7;
      };
      const wait = (at: number, length: number, seed: number): unknown => {
        const signal = currentFiber()?.signal;
        // The stack of a fiber that was cancelled is somebody else's by then.
        const late = (): void => (signal?.aborted === true ? undefined : fill(at, length, seed));
        return scatter.random(4) === 0 ? fill(at, length, seed) : scatter.later(late);
      };
      const guest: Guest<Buffers> = watch(
        await instantiate<Buffers>(
          loadPlain(name),
          { env: { fill: suspending(wait) }, wasi_snapshot_preview1: wasiStubs(() => guest.memory).imports },
          options,
        ),
        'jspi',
      );
      const initialize = guest.instance.exports['_initialize'];
      if (typeof initialize === 'function') await guest.wrap(initialize as () => void)();
      return guest;
    };

    test('and malloc has hundreds of fibers at once, each with a stack of its own', async () => {
      const scatter = new Scatter(1);
      const guest = await open(scatter);
      const before: unknown = guest.exports.__stack_pointer.value;
      const runs = Array.from({ length: 300 }, (_, i) => guest.exports.run(i, 3));
      expect((await Promise.all(runs)).filter((wrong) => wrong !== 0)).toEqual([]);
      expect(scatter.most).toBeGreaterThan(150);
      expect(guest.exports.__stack_pointer.value).toBe(before);
    });

    test('some of them cancelled, others taking over their stacks', async () => {
      const scatter = new Scatter(2);
      const guest = await open(scatter);
      const before: unknown = guest.exports.__stack_pointer.value;
      const fibers = Array.from({ length: 300 }, (_, i) => guest.spawn('run', [i, 3]));
      await turn();
      const cancelled = new Set(fibers.filter((fiber) => scatter.random(3) === 0 && fiber.cancel()));
      const more = Array.from({ length: 300 }, (_, i) => guest.spawn('run', [300 + i, 2]));
      for (const fiber of [...fibers, ...more]) {
        if (cancelled.has(fiber)) expect(await code(fiber.result)).toBe('CANCELLED');
        else expect(await fiber.result).toBe(0);
      }
      expect(cancelled.size).toBeGreaterThan(30);
      expect(guest.exports.__stack_pointer.value).toBe(before);
    });

    test('but no malloc has one at a time, and its stack back from each that was cancelled', async () => {
      const scatter = new Scatter(3);
      const types: string[] = [];
      const guest = await open(scatter, 'buffers-alone', { onEvent: ({ type }) => types.push(type) });
      const before: unknown = guest.exports.__stack_pointer.value;
      const fibers = Array.from({ length: 60 }, (_, i) => guest.spawn('run', [i, 3]));
      const results = fibers.map(({ result }) => result.catch((error: { code: unknown }) => error.code));
      for (const [i, fiber] of fibers.entries()) {
        if (i % 3 === 0) continue;
        // Somewhere inside of the guest, where its stack is in use.
        while (fiber.state !== 'suspended') await turn();
        expect(guest.fibers.filter(({ state }) => state === 'suspended')).toEqual([fiber]);
        if (fiber.cancel()) expect(await results[i]).toBe('CANCELLED');
      }
      expect(await Promise.all(results)).toEqual(fibers.map((_, i) => (i % 3 === 0 ? 0 : 'CANCELLED')));
      expect(types.filter((type) => type === 'exclusive')).toHaveLength(1);
      expect(guest.exports.__stack_pointer.value).toBe(before);
    });
  });
});
