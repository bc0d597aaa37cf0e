// SEMANTICS, block S: awaiting from synchronous code.
import { describe, expect, test } from 'vitest';
import { canSuspend, currentFiber, type Fiber, FiberError, instantiate, reentrant } from 'wasm-fibers';
import { perBackend } from '../support/backend.ts';
import { catching, code, core, failure, FN, Gate, recorder, turn, watch } from '../support/core.ts';
import { guestSource, loadGuest } from '../support/guest.ts';

const later = <T>(value: T): Promise<T> => turn().then(() => value);

describe('S.1 synchronous code at any call depth, inside a library it does not control, waits and gets the value', () => {
  test.each([0, 1, 10, 500])('at depth %i', async (depth) => {
    const guest = await core(later);
    expect(await guest.exports.deep(depth, 7)).toBe(depth + 7);
  });

  test('inside the callback of a synchronous library, through a table', async () => {
    const guest = await core(later);
    expect(await guest.exports.sum_of(FN.once, 10)).toBe(45);
    expect(await guest.exports.sum_of(FN.deepBy5, 4)).toBe(6 + 4 * 5);
    // The same library with a callback that never waits.
    expect(await guest.exports.sum_of(FN.plusOne, 10)).toBe(55);
  });

  test('again and again in one call, with values that are kept meanwhile', async () => {
    const guest = await core(later);
    expect(await guest.exports.twice(20)).toBe(41);
    expect(await guest.exports.loop_of(50, 3)).toBe(150);
  });
});

describe('S.2 the current fiber is implicit', () => {
  test('right in every host function until its first await, and right after every resume', async () => {
    const seen: (Fiber | null)[] = [];
    const guest = await core((x) => {
      seen.push(currentFiber());
      return later(x);
    });
    const a = guest.spawn('loop_of', [3, 1], { name: 'a' });
    const b = guest.spawn('loop_of', [3, 1], { name: 'b' });
    await Promise.all([a.result, b.result]);
    expect(seen.map((fiber) => fiber?.name)).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
    expect(seen[0]).toBe(a);
  });

  test('null in a plain callback, and where the host function has awaited', async () => {
    const seen: unknown[] = [];
    const guest = await core(async (x) => {
      await turn();
      seen.push(currentFiber());
      return x;
    });
    expect(currentFiber()).toBeNull();
    await guest.exports.once(1);
    expect(currentFiber()).toBeNull();
    expect(seen).toEqual([null]);
  });

  test('null, and nothing may wait, in what runs between the end of a fiber and whoever waits for it', async () => {
    const seen: unknown[] = [];
    const refusals: unknown[] = [];
    const look = (): void => {
      seen.push([currentFiber(), canSuspend()]);
      try {
        (guest.instance.exports['once'] as (x: number) => number)(-1);
      } catch (error) {
        refusals.push((error as Partial<FiberError>).code ?? (error as Error).name);
      }
    };
    const { events, onEvent } = recorder();
    const guest = await core(
      (x) => (x < 0 ? Promise.reject(new Error('nobody waits for this')) : later(x)),
      { onEvent },
      {
        note(x: number) {
          queueMicrotask(look);
          void Promise.resolve().then(look).then(look);
          return x;
        },
      },
    );
    const fibers = [guest.exports.wait_then_note(1), guest.exports.note(2), guest.exports.wait_then_note(3)];
    expect(await Promise.all(fibers)).toEqual([1, 2, 3]);
    await turn();
    expect(seen).toEqual(Array.from({ length: 9 }, () => [null, false]));
    expect(refusals).toHaveLength(9);
    // An engine tells nobody that a stack which it has continued has ended, so it may be the one to refuse.
    const refused = perBackend({ asyncify: /^NO_FIBER$/, jspi: /^(NO_FIBER|SuspendError)$/ });
    for (const each of refusals) expect(each).toMatch(refused);
    // Node 24 calls the import that would put the stack aside, and refuses afterwards.
    const suspended = events.filter((event) => event.startsWith('suspend')).length;
    expect(perBackend({ asyncify: [2], jspi: [2, 3, 4] })).toContain(suspended);
    expect(guest.fibers).toEqual([]);
    expect(await guest.exports.once(5)).toBe(5);
  });

  test('inside nested calls and with two guests interleaving', async () => {
    const seen: string[] = [];
    const note = (): number => seen.push(currentFiber()?.name ?? 'none');
    const inner = await core(later, {}, { note });
    const outer = await core(
      (x) => {
        note();
        // Starts at once, in the other guest, while this one is on the stack.
        const nested = inner.spawn('note', [x], { name: `inner of ${x}` });
        note();
        return nested.result.then(() => later(x));
      },
      {},
      { note },
    );
    const a = outer.spawn('loop_of', [2, 1], { name: 'a' });
    const b = outer.spawn('note', [2], { name: 'b' });
    await Promise.all([a.result, b.result]);
    expect(seen).toEqual(['a', 'inner of 1', 'a', 'b', 'a', 'inner of 1', 'a']);
  });

  test('the fiber of a sync call is the one that made it', async () => {
    const seen: (string | undefined)[] = [];
    const guest = await core(
      (x) => {
        guest.sync.note(1);
        return later(x);
      },
      {},
      { note: () => seen.push(currentFiber()?.name) },
    );
    guest.sync.note(1);
    await guest.spawn('once', [1], { name: 'a' }).result;
    expect(seen).toEqual([undefined, 'a']);
  });
});

describe('S.3 waiting where nothing can wait fails with the import, the reason and the remedy', () => {
  test('after dispose', async () => {
    const gate = new Gate();
    const guest = await catching(gate.wait);
    const result = failure(guest.exports.swallow_then_wait(1, 2));
    await guest.dispose();
    expect(await result).toMatchObject({ code: 'CANCELLED', cause: { code: 'DISPOSED' } });
    // The second wait was refused at once: only the first one reached the host as a wait that was listened to.
    expect(await code(guest.exports.guarded(3))).toBe('DISPOSED');
    expect(() => guest.spawn('guarded', [3])).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
    expect(() => guest.sync.cleanups()).toThrow(expect.objectContaining({ code: 'DISPOSED' }));
  });

  test('in a sync call: the host function has run, its promise is handled and given', async () => {
    const guest = await core(() => Promise.reject(new Error('lost')));
    let error: unknown;
    try {
      guest.sync.once(1);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(FiberError);
    expect(error).toMatchObject({ code: 'SUSPEND_IN_SYNC_CALL', message: expect.stringContaining('env.wait') });
    await expect((error as FiberError).promise).rejects.toThrow('lost');
  });

  test('with a JavaScript frame in between', async () => {
    const guest = await core(later);
    const error = await failure(guest.exports.through_opaque(FN.once, 1));
    expect(error).toMatchObject({ code: 'HOST_FRAME' });
    expect(String(error)).toContain('env.opaque');
    expect(String(error)).toContain('env.wait');
    expect(await guest.exports.through_opaque(FN.plusOne, 1)).toBe(1002);
  });

  test('at an import that was not named when the module was instrumented', async () => {
    const guest = await core(later, {}, { note: later });
    const error = await failure(guest.exports.note(1));
    expect(error).toMatchObject({ code: 'NOT_SUSPENDING', message: expect.stringContaining('--suspending env.note') });
    expect(await guest.exports.once(5)).toBe(5);
  });

  test('in a raw call outside of any fiber', async () => {
    const guest = await core(later);
    const raw = guest.instance.exports['once'] as (x: number) => number;
    expect(() => raw(1)).toThrow(expect.objectContaining({ code: 'NO_FIBER' }));
    expect(await guest.exports.once(5)).toBe(5);
  });

  test('canSuspend says beforehand whether a wait is possible', async () => {
    const seen: boolean[] = [];
    const ask = (x: number): unknown => {
      seen.push(canSuspend());
      return x;
    };
    const guest = await core(ask, {}, { note: ask });
    await guest.exports.once(1);
    await guest.exports.note(1);
    await guest.exports.through_opaque(FN.once, 1);
    await guest.exports.through_call(FN.once, 1);
    await guest.exports.through_invoke(FN.once, 1);
    guest.sync.once(1);
    (guest.instance.exports['once'] as (x: number) => number)(1);
    expect(seen).toEqual([true, false, false, true, true, false, false]);
    expect(canSuspend()).toBe(false);
  });
});

describe('S.4 native promises, thenables and plain values are accepted, and every value arrives unchanged', () => {
  test('a plain value does not suspend', async () => {
    const { events, onEvent } = recorder();
    const guest = await core((x) => x * 2, { onEvent });
    expect(await guest.exports.twice(10)).toBe(42);
    expect(events).toEqual(['spawn twice', 'end twice']);
  });

  test('a foreign thenable, even one that calls back at once or twice', async () => {
    const guest = await core((x) => ({
      // A thenable is the subject of the test.
      // oxlint-disable-next-line unicorn/no-thenable
      then(resolve: (value: number) => void) {
        resolve(x + 1);
        resolve(x + 2);
      },
    }));
    expect(await guest.exports.twice(10)).toBe(23);
  });

  test('a subclass of Promise', async () => {
    class Mine extends Promise<number> {}
    const guest = await core((x) => new Mine((resolve) => resolve(x)));
    expect(await guest.exports.once(8)).toBe(8);
  });

  test.each([
    [Number.NaN, Number.NaN],
    [-0, -0],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    [undefined, Number.NaN],
    [null, 0],
    [1e300, 1e300],
  ])('f64 %s arrives as %s', async (given, expected) => {
    const guest = await core(() => Promise.resolve(given));
    expect(await guest.exports.wait_f64(1)).toBe(expected);
  });

  test.each([0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)])('i64 %s arrives', async (given) => {
    const guest = await core(() => Promise.resolve(given));
    expect(await guest.exports.wait_i64(1n, 0)).toBe(given);
  });

  test('i32 null and undefined arrive as 0, as the engine converts them', async () => {
    const values = [null, undefined, 3.9, -1];
    const guest = await core((x) => Promise.resolve(values[x]));
    expect([
      await guest.exports.once(0),
      await guest.exports.once(1),
      await guest.exports.once(2),
      await guest.exports.once(3),
    ]).toEqual([0, 0, 3, -1]);
  });

  test('several results, and none', async () => {
    const guest = await core((x) => Promise.resolve(x === 5 ? [5, -6n] : undefined));
    expect(await guest.exports.wait_pair(5)).toEqual([5, -6n]);
    expect(await guest.exports.wait_void(1)).toBeUndefined();
  });

  test("a value that the engine cannot convert fails the one call, in the engine's words", async () => {
    const guest = await core((x) => Promise.resolve(x));
    const one = await core(() => Promise.resolve(1));
    expect(await failure(one.exports.wait_i64(1n, 0))).toBeInstanceOf(TypeError);
    expect(await one.exports.once(1)).toBe(1);
    expect(await guest.exports.wait_i64(1n, 1)).toBe(2n);
  });
});

test('S.5 one promise awaited by many fibers resumes them in the order in which they began to wait', async () => {
  const order: number[] = [];
  let release: (value: number) => void = () => undefined;
  const shared = new Promise<number>((resolve) => (release = resolve));
  const guest = await core(() => shared, {}, { note: (x: number) => order.push(x) });
  const fibers = Array.from({ length: 20 }, (_, i) => guest.exports.deep(i % 7, 0).then(() => order.push(i)));
  release(0);
  await Promise.all(fibers);
  expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i));
});

test('S.6 while a fiber waits, timers fire and other fibers start, suspend, resume and end', async () => {
  const gate = new Gate();
  const guest = await core((x) => (x === 1 ? gate.wait(x) : later(x)));
  const first = guest.exports.once(1);
  let ticked = false;
  setTimeout(() => (ticked = true), 0);
  expect(await guest.exports.twice(10)).toBe(21);
  await turn();
  expect(ticked).toBe(true);
  expect(guest.fibers.map((fiber) => fiber.state)).toEqual(['suspended']);
  expect(guest.fibers[0]?.waitingOn).toBe('env.wait');
  gate.take(1).resolve(99);
  expect(await first).toBe(99);
});

describe('S.7 a rejection is thrown in the guest at the waiting call', () => {
  test('a guest that cannot catch ends, and its result rejects with the same object', async () => {
    const thrown = { any: 'object' };
    const guest = await core((x) => (x < 0 ? Promise.reject(thrown) : later(x)));
    expect(await failure(guest.exports.deep(10, -1))).toBe(thrown);
    expect(await guest.exports.deep(10, 1)).toBe(11);
  });

  test('a guest that can catch goes on', async () => {
    const guest = await catching((x) => (x < 0 ? Promise.reject(new Error('no')) : later(x)));
    expect(await guest.exports.guarded(-1)).toBe(7);
    expect(await guest.exports.guarded(1)).toBe(0);
    expect(await guest.exports.swallow_then_wait(-1, 5)).toBe(5);
  });

  test('cleanup runs on the way, and the error goes on', async () => {
    const thrown = new Error('no');
    const guest = await catching(() => Promise.reject(thrown));
    expect(await failure(guest.exports.cleanup(1))).toBe(thrown);
    expect(await guest.exports.cleanups()).toBe(1);
  });

  test('onReject turns it into a value', async () => {
    const guest = await core(() => Promise.reject(new Error('EIO')), {
      onReject: (error) => (error instanceof Error ? -5 : undefined),
    });
    expect(await guest.exports.twice(1)).toBe(-10);
  });

  test("onReject turns it into an exception of the guest's own tag; uncaught, the original error comes out", async () => {
    const thrown = new Error('no');
    const guest = await catching(() => Promise.reject(thrown), {
      onReject: (_error, rejected) =>
        new WebAssembly.Exception(rejected.instance.exports['tag'] as WebAssembly.Tag, [41]),
    });
    expect(await guest.exports.tagged(1)).toBe(41);
    expect(await failure(guest.exports.cleanup(1))).toBe(thrown);
  });

  test('an error thrown by the host function at once is thrown there too', async () => {
    const thrown = new Error('at once');
    const guest = await catching(() => {
      throw thrown;
    });
    expect(await guest.exports.guarded(1)).toBe(7);
    expect(await failure(guest.exports.cleanup(1))).toBe(thrown);
  });
});

describe('S.8 a trap ends one fiber', () => {
  test('after a suspension, while others are suspended: they go on', async () => {
    const gate = new Gate();
    const guest = await core(gate.wait);
    const other = guest.exports.deep(20, 1);
    const trapped = failure(guest.exports.trap_after(2));
    gate.take(2).resolve(0);
    const error = await trapped;
    expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
    expect((error as Error).stack).toContain('wasm');
    expect(currentFiber()).toBeNull();
    gate.take(1).resolve(100);
    expect(await other).toBe(120);
    expect(guest.sync.plus_one(1)).toBe(2);
  });

  test("onTrap 'poison' ends the others and refuses what comes, saying why", async () => {
    const gate = new Gate();
    const guest = await core(gate.wait, { onTrap: 'poison' });
    const other = failure(guest.exports.deep(20, 1));
    const error = await failure(guest.exports.trap());
    expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
    expect(await other).toMatchObject({ code: 'GUEST_POISONED', cause: error });
    expect(await code(guest.exports.once(1))).toBe('GUEST_POISONED');
    expect(() => guest.sync.plus_one(1)).toThrow(expect.objectContaining({ code: 'GUEST_POISONED' }));
    gate.take(1).resolve(1);
    await turn();
  });
});

describe('S.9 exports may be called while other fibers are suspended', () => {
  test('from a timer, from a host function, and from inside of a fiber', async () => {
    const guest = await core(later, {}, { note: (x: number) => guest.sync.plus_one(x) });
    const outer = guest.exports.deep(5, 1);
    const fromTimer = turn().then(() => guest.exports.deep(6, 1));
    expect(await guest.exports.note(4)).toBe(5);
    expect(await outer).toBe(6);
    expect(await fromTimer).toBe(7);
  });

  test('a host function that returns the promise of an export nests to any depth', async () => {
    const guest = await core((x) => (x > 0 ? guest.exports.deep(1, x - 1) : 0));
    expect(await guest.exports.once(3000)).toBe(3000);
  });

  test('a nested call starts from an empty guest stack, not inside of its caller', async () => {
    const { events, onEvent } = recorder();
    const guest = await core(
      (x) => {
        const nested = guest.spawn('plus_one', [x], { name: 'nested' });
        expect(nested.state).toBe('created');
        return nested.result;
      },
      { onEvent },
    );
    expect(await guest.spawn('once', [1], { name: 'outer' }).result).toBe(2);
    expect(events).toEqual(['spawn outer', 'spawn nested', 'suspend outer', 'end nested', 'resume outer', 'end outer']);
  });
});

test('S.10 two guests at once, of one module, change nothing for each other', async () => {
  const module = await WebAssembly.compile(await loadGuest('core'));
  const imports = {
    wait: later,
    wait_i64: later,
    wait_f64: later,
    wait_void: later,
    wait_pair: later,
    call: later,
    invoke_ii: later,
    opaque: later,
    note: later,
  };
  const before = Object.getOwnPropertyNames(globalThis).sort().join();
  const [a, b] = await Promise.all(
    [0, 1].map(async () =>
      watch(await instantiate<{ deep(n: number, x: number): number; count(): number }>(module, { env: imports })),
    ),
  );
  const results = await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 ? a : b)?.exports.deep(i, i)));
  expect(results).toEqual(Array.from({ length: 40 }, (_, i) => 2 * i));
  await a?.exports.count();
  expect(await b?.exports.count()).toBe(1);
  expect(Object.getOwnPropertyNames(globalThis).sort().join()).toBe(before);
});

describe('errors of others that pass through a guest are not its own', () => {
  test('a trap of another guest, awaited, neither poisons this guest nor counts as its trap', async () => {
    const { events, onEvent } = recorder();
    const other = await core(later);
    const guest = await core(() => other.exports.trap(), { onTrap: 'poison', onEvent });
    expect(await failure(guest.exports.deep(3, 1))).toBeInstanceOf(WebAssembly.RuntimeError);
    expect(events).not.toContain('trap deep');
    expect(await guest.exports.plus_one(1)).toBe(2);
  });

  test('a rejection that looks like the end of the stack stays the object it is', async () => {
    const error = new RangeError('Maximum call stack size exceeded');
    const guest = await core(() => Promise.reject(error));
    expect(await failure(guest.exports.deep(3, 1))).toBe(error);
  });
});

test('what onReject may not return, and what reentrant may not be given, is said', async () => {
  const guest = await core(() => Promise.reject(new Error('no')), { onReject: () => Promise.resolve(1) });
  expect(await failure(guest.exports.once(1))).toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining('onReject'),
  });
  // oxlint-disable-next-line require-yield -- what it would yield is of no interest
  const wrong = async function* (): AsyncGenerator<number> {};
  expect(() => reentrant(wrong)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
});

test('an import named like a member of every object is missing unless it was given', async () => {
  const source = guestSource('names');
  expect(await failure(instantiate(source, { env: {} }))).toMatchObject({
    code: 'MISSING_IMPORTS',
    message: expect.stringMatching(/env\.constructor.*env\.__proto__/s),
  });
  const env = { constructor: later, ['__proto__']: later };
  const guest = watch(await instantiate<{ sum(x: number): number }>(source, { env }));
  expect(await guest.exports.sum(3)).toBe(6);
});

describe('one import name with several types', () => {
  interface Types {
    one(x: number): number;
    two(x: number, y: number): number;
    big(x: bigint): bigint;
    x(x: number, y: number): number;
    y(x: bigint): bigint;
  }
  const sum = (...args: (number | bigint)[]): unknown =>
    typeof args[0] === 'bigint' ? args[0] + 1n : args.reduce((a, b) => Number(a) + Number(b));

  test.each([
    ['at once', sum],
    ['after a wait', (...args: number[]) => turn().then(() => sum(...args))],
  ])('each call gives all of its arguments and gets a result of its own type, %s', async (_when, fn) => {
    const guest = watch(
      await instantiate<Types>(guestSource('types'), { e: { w: fn }, a: { 'b.c': fn }, 'a.b': { c: fn } }),
    );
    expect(await guest.exports.one(3)).toBe(3);
    expect(await guest.exports.two(2, 0.5)).toBe(2.5);
    expect(await guest.exports.big(5n)).toBe(6n);
    expect(await guest.exports.x(2, 0.5)).toBe(2.5);
    expect(await guest.exports.y(5n)).toBe(6n);
  });
});

describe('a raw guest call from where host code of the embedder runs unexpectedly cannot wait', () => {
  test('in onReject', async () => {
    const seen: unknown[] = [];
    const guest = await core((x) => (x < 0 ? Promise.reject(new Error('no')) : later(x)), {
      onReject: (_error, rejected) => {
        try {
          (rejected.instance.exports['once'] as (x: number) => number)(9);
        } catch (error) {
          seen.push((error as FiberError).code);
        }
        return 4;
      },
    });
    expect(await guest.exports.deep(2, -1)).toBe(6);
    expect(seen).toEqual(['HOST_FRAME']);
  });

  test('in the getter of a thenable', async () => {
    const seen: unknown[] = [];
    const guest = await core((x) =>
      x === 9
        ? later(x)
        : {
            // A getter that calls back is the subject of the test.
            // oxlint-disable-next-line unicorn/no-thenable
            get then(): unknown {
              try {
                (guest.instance.exports['once'] as (x: number) => number)(9);
              } catch (error) {
                seen.push((error as FiberError).code);
              }
              return undefined;
            },
          },
    );
    await guest.exports.deep(2, 1);
    expect(seen).toEqual(['HOST_FRAME']);
  });
});

test('a reentrant generator that yields something else than a call is told so', async () => {
  const guest = await core(
    later,
    {},
    {
      call: reentrant(function* () {
        return yield later(1) as never;
      }),
    },
  );
  expect(await failure(guest.exports.through_call(FN.once, 1))).toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining('yield call('),
  });
});

test('the memory that the instrumenter adds is not the guest’s', async () => {
  const guest = watch(await instantiate(guestSource('no-memory'), { env: { wait: later } }));
  expect(() => guest.memory).toThrow(expect.objectContaining({ code: 'NO_SUCH_EXPORT' }));
  expect(await guest.exports['once']?.(3)).toBe(3);
});
