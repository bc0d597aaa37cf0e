// SEMANTICS I.4: host functions that stay in the middle of the stack while the guest waits inside of them.
import { describe, expect, test } from 'vitest';
import { canSuspend, currentFiber, type Guest, reentrant } from 'wasm-fibers';
import { onlyOn } from '../support/backend.ts';
import { catching, code, core, type CoreExports, failure, FN, Gate, recorder, turn } from '../support/core.ts';

const later = <T>(value: T): Promise<T> => turn().then(() => value);

type Unary = (x: number) => number;

/** Core.wat whose `call` is made from the function at a table index, known only once the guest exists. */
async function calling(
  make: (at: (index: number) => Unary) => (...args: never[]) => unknown,
  wait: (x: number) => unknown = later,
  more: Record<string, (...args: never[]) => unknown> = {},
): Promise<Guest<CoreExports>> {
  const at = (index: number): Unary => guest.exports.table.get(index) as Unary;
  const guest: Guest<CoreExports> = await core(wait, {}, { call: make(at), ...more });
  return guest;
}

describe('a generator is entered once, however often the guest waits inside', () => {
  test('what it does before, between and after its calls is done once', async () => {
    const log: unknown[] = [];
    const guest = await calling((at) =>
      reentrant(function* (call, fn: number, x: number) {
        log.push(`enter ${x}`);
        const first = yield call(at(fn), x);
        log.push(first);
        const second = yield call(at(FN.plusOne), x);
        log.push(second);
        const third = yield call(at(fn), x + 1);
        log.push(third);
        return 7;
      }),
    );
    expect(await guest.exports.through_call(FN.loop, 4)).toBe(1007);
    expect(log).toEqual(['enter 4', 0, 5, 0]);
  });

  test('with several waits below one call, and plain values between them', async () => {
    let entered = 0;
    let waits = 0;
    const guest = await calling(
      (at) =>
        reentrant(function* (call, fn: number, x: number) {
          entered++;
          return yield call(at(fn), x);
        }),
      () => (waits++ % 3 === 0 ? 2 : later(2)),
    );
    expect(await guest.exports.through_call(FN.loop, 50)).toBe(1100);
    expect([entered, waits]).toEqual([1, 50]);
  });

  test('its arguments and local variables are as they were', async () => {
    const gate = new Gate();
    const guest = await calling(
      (at) =>
        reentrant(function* (call, fn: number, x: number) {
          const kept = { x };
          return Number(yield call(at(fn), x)) + kept.x;
        }),
      gate.wait,
    );
    const results = Promise.all(Array.from({ length: 30 }, (_, i) => guest.exports.through_call(FN.deepBy5, i)));
    for (let i = 0; i < 30; i++) gate.take((i * 7) % 30).resolve(100);
    expect(await results).toEqual(Array.from({ length: 30 }, (_, i) => 1105 + i));
  });

  test('the current fiber is right in it, before and after its calls', async () => {
    const seen: (string | undefined)[] = [];
    const guest = await calling((at) =>
      reentrant(function* (call, fn: number, x: number) {
        seen.push(currentFiber()?.name);
        const result = yield call(at(fn), x);
        seen.push(currentFiber()?.name);
        return result;
      }),
    );
    const fibers = ['a', 'b'].map((name) => guest.spawn('through_call', [FN.once, 1], { name }));
    await Promise.all(fibers.map((fiber) => fiber.result));
    expect(seen).toEqual(['a', 'b', 'a', 'b']);
    expect(currentFiber()).toBeNull();
  });
});

describe('a generator catches what its call throws', () => {
  const guarding =
    (log: unknown[] = []) =>
    (at: (index: number) => Unary) =>
      reentrant(function* (call, fn: number, x: number) {
        try {
          return yield call(at(fn), x);
        } catch (error) {
          log.push(error);
          return -1;
        } finally {
          log.push('finally');
        }
      });

  test('a trap at once, and after a wait; the fiber goes on and can wait again', async () => {
    const log: unknown[] = [];
    const guest = await calling(guarding(log));
    expect(await guest.exports.through_call(FN.trapAfter, 1)).toBe(999);
    expect(log).toEqual([expect.any(WebAssembly.RuntimeError), 'finally']);
    expect(await guest.exports.deep(5, 1)).toBe(6);
  });

  test('a rejection, as the same object', async () => {
    const log: unknown[] = [];
    const thrown = { not: 'an error' };
    const guest = await calling(guarding(log), () => Promise.reject(thrown));
    expect(await guest.exports.through_call(FN.deepBy5, 1)).toBe(999);
    expect(log[0]).toBe(thrown);
  });

  test('a cancellation: it sees it once, its later calls wait, and the result is the cancellation all the same', async () => {
    const gate = new Gate();
    const log: unknown[] = [];
    const guest = await calling(
      (at) =>
        reentrant(function* (call, fn: number, x: number) {
          try {
            yield call(at(fn), x);
          } catch (error) {
            log.push((error as { code: string }).code);
          }
          return yield call(at(fn), x + 1);
        }),
      gate.wait,
    );
    const fiber = guest.spawn('through_call', [FN.once, 1]);
    const result = failure(fiber.result);
    fiber.cancel('enough');
    expect(log).toEqual([]);
    await turn();
    expect(log).toEqual(['CANCELLED']);
    expect(fiber.state).toBe('suspended');
    gate.take(2).resolve(5);
    expect(await result).toMatchObject({ code: 'CANCELLED', cause: 'enough' });
  });

  test('without a catch the error passes through it, and its finally runs', async () => {
    let cleaned = 0;
    const guest = await calling(
      (at) =>
        reentrant(function* (call, fn: number, x: number) {
          try {
            return yield call(at(fn), x);
          } finally {
            cleaned++;
          }
        }),
      (x) => (x < 0 ? Promise.reject(new Error('no')) : later(x)),
    );
    expect(await failure(guest.exports.through_call(FN.once, -1))).toMatchObject({ message: 'no' });
    expect(cleaned).toBe(1);
    expect(await failure(guest.exports.through_call(FN.trapAfter, 1))).toBeInstanceOf(WebAssembly.RuntimeError);
    expect(cleaned).toBe(2);
  });

  test('its own error is thrown in the guest, after a wait too', async () => {
    const thrown = new Error('mine');
    const guest = await calling((at) =>
      reentrant(function* (call, fn: number, x: number) {
        yield call(at(fn), x);
        throw thrown;
      }),
    );
    expect(await failure(guest.exports.through_call(FN.once, 1))).toBe(thrown);
    expect(await guest.exports.once(3)).toBe(3);
  });

  describe('an error from inside of a catch body, and later waits are possible', () => {
    /** `make` is given how often it has been called, and what calls the guest's catch body. */
    const throwsInside = async (
      make: (calls: { count: number }, inner: () => Unary) => (x: number) => unknown,
    ): Promise<void> => {
      const calls = { count: 0 };
      const guest = await catching(make(calls, () => guest.instance.exports['wait_in_catch'] as Unary));
      expect(await guest.exports.swallow_then_wait(1, 2)).toBe(2);
      expect(calls.count).toBe(3);
    };
    const attempt = (x: number): unknown => {
      // Called in the guest's catch body, two calls down.
      if (x === 5) throw new Error('in the catch body');
      return later(x);
    };

    test('a generator', () =>
      throwsInside(
        (calls, inner) =>
          // The mark is on the function itself, hence no wrapper; the types of `wait` say the same less exactly.
          reentrant(function* (call, x: number) {
            if (calls.count++ > 0) return attempt(x);
            try {
              yield call(inner(), x);
            } catch {
              return 0;
            }
            return 1;
          }) as (x: number) => unknown,
      ));

    onlyOn('asyncify', 'plain trampolines', () => {
      test('a plain function', () =>
        throwsInside((calls, inner) =>
          reentrant((x: number) => {
            if (calls.count++ > 0) return attempt(x);
            try {
              return inner()(x);
            } catch {
              return 0;
            }
          }),
        ));
    });
  });

  test('a guest that catches around the generator goes on', async () => {
    const throwing = reentrant(function* (call, x: number) {
      yield call(guest.instance.exports['throw_own'] as Unary, x);
      return 0;
    });
    const guest = await catching(throwing as (x: number) => unknown);
    expect(await guest.exports.guarded(41)).toBe(7);
    expect(await guest.exports.tagged(41)).toBe(41);
  });
});

describe('generators among each other', () => {
  test('nested to some depth, each entered once, with waits at the bottom', async () => {
    let entered = 0;
    const gate = new Gate();
    const guest = await calling(
      (at) =>
        reentrant(function* (call, n: number, x: number) {
          entered++;
          // Through the guest again: the trampoline is on the stack n times.
          if (n > 0)
            return yield call(guest.instance.exports['through_call'] as (n: number, x: number) => number, n - 1, x);
          const a = yield call(at(FN.once), x);
          return Number(a) + Number(yield call(at(FN.once), x + 1));
        }),
      gate.wait,
    );
    const result = guest.exports.through_call(8, 1);
    gate.take(1).resolve(10);
    await gate.until(1);
    gate.take(2).resolve(20);
    expect(await result).toBe(9030);
    expect(entered).toBe(9);
  });

  onlyOn('asyncify', 'plain trampolines', () => {
    test('a generator around a plain trampoline around a generator', async () => {
      const entered = { call: 0, invoke: 0 };
      const guest = await calling(
        (at) =>
          reentrant(function* (call, fn: number, x: number) {
            entered.call++;
            if (fn < 100) return yield call(at(fn), x);
            return yield call(
              guest.instance.exports['through_invoke'] as (fn: number, x: number) => number,
              fn - 100,
              x,
            );
          }),
        later,
        {
          invoke_ii: (fn: number, x: number) => {
            entered.invoke++;
            return (guest.exports.table.get(fn) as Unary)(x);
          },
        },
      );
      expect(await guest.exports.through_call(100 + FN.throughCallOnce, 5)).toBe(2105);
      expect(entered).toEqual({ call: 2, invoke: 2 });
    });
  });

  test('many fibers through them at once, in any order, some cancelled', async () => {
    const gate = new Gate();
    const guest = await core(gate.wait, { windowSize: 64 });
    const kinds = [
      (x: number) => guest.spawn('through_call', [FN.once, x]),
      (x: number) => guest.spawn('through_invoke', [FN.throughCallOnce, x]),
      (x: number) => guest.spawn('through_call', [FN.deepBy5, x]),
    ];
    const fibers = Array.from({ length: 90 }, (_, i) => kinds[i % 3]?.(i));
    const results = fibers.map((fiber) => fiber?.result.catch((error: { code: string }) => error.code));
    for (let i = 0; i < 90; i++) {
      const x = (i * 37) % 90;
      if (x % 10 === 9) fibers[x]?.cancel();
      else gate.take(x).resolve(x);
    }
    expect(await Promise.all(results)).toEqual(
      Array.from({ length: 90 }, (_, x) => (x % 10 === 9 ? 'CANCELLED' : x + [1000, 1100, 1005][x % 3]!)), // Three kinds.
    );
  });
});

describe('a generator as an import of its own', () => {
  test('that asks for nothing is like a plain function', async () => {
    const { events, onEvent } = recorder();
    const guest = await core(
      later,
      { onEvent },
      {
        // oxlint-disable-next-line require-yield -- the subject of the test
        call: reentrant(function* (_call, _fn: number, x: number) {
          return x * 2;
        }),
      },
    );
    expect(await guest.exports.through_call(FN.once, 5)).toBe(1010);
    expect(events).toEqual(['spawn through_call', 'end through_call']);
  });

  test('that returns a promise at its end waits for it, and is not entered again', async () => {
    let entered = 0;
    const guest = await calling((at) =>
      reentrant(function* (call, fn: number, x: number) {
        entered++;
        const value = Number(yield call(at(fn), x));
        return later(value * 2);
      }),
    );
    expect(await guest.exports.through_call(FN.loop, 3)).toBe(1000);
    expect(await guest.exports.through_call(FN.deepBy5, 3)).toBe(1016);
    expect(entered).toBe(2);
  });

  test('whose promise rejects throws that in the guest, outside of the generator', async () => {
    const thrown = new Error('late');
    const caught: unknown[] = [];
    const guest = await calling((at) =>
      reentrant(function* (call, fn: number, x: number) {
        try {
          yield call(at(fn), x);
          return Promise.reject(thrown);
        } catch (error) {
          caught.push(error);
          return 0;
        }
      }),
    );
    expect(await failure(guest.exports.through_call(FN.once, 3))).toBe(thrown);
    expect(caught).toEqual([]);
  });

  test('where the module was not told that it may wait: works as long as nothing does', async () => {
    const guest = await core(
      later,
      {},
      {
        opaque: reentrant(function* (call, fn: number, x: number) {
          return yield call(guest.exports.table.get(fn) as Unary, x);
        }),
      },
    );
    expect(await guest.exports.through_opaque(FN.plusOne, 1)).toBe(1002);
    const error = await failure(guest.exports.through_opaque(FN.once, 1));
    expect(error).toMatchObject({ code: 'HOST_FRAME', message: expect.stringContaining('env.opaque') });
    expect(await guest.exports.deep(3, 1)).toBe(4);
  });

  test('that calls the guest itself, without yield, cannot be passed', async () => {
    const guest = await calling((at) =>
      // oxlint-disable-next-line require-yield -- the subject of the test
      reentrant(function* (_call, fn: number, x: number) {
        return at(fn)(x);
      }),
    );
    expect(await guest.exports.through_call(FN.plusOne, 1)).toBe(1002);
    const error = await failure(guest.exports.through_call(FN.once, 1));
    expect(error).toMatchObject({ code: 'HOST_FRAME', message: expect.stringContaining('env.call') });
    expect(await guest.exports.through_call(FN.plusOne, 1)).toBe(1002);
  });

  test('canSuspend is true in it, and below it, and false behind what cannot be passed', async () => {
    const seen: boolean[] = [];
    const guest = await calling(
      (at) =>
        reentrant(function* (call, fn: number, x: number) {
          seen.push(canSuspend());
          return yield call(at(fn), x);
        }),
      (x) => {
        seen.push(canSuspend());
        return x;
      },
    );
    await guest.exports.through_call(FN.once, 1);
    await guest.exports.through_opaque(FN.throughCallOnce, 1);
    guest.sync.through_call(FN.once, 1);
    expect(seen).toEqual([true, true, false, false, false, false]);
  });
});

describe('a wait that cannot pass says what is in its way', () => {
  test('the opaque function, not the generator or the plain trampoline inside of it', async () => {
    const guest = await core(later);
    const error = await failure(guest.exports.through_opaque(FN.throughCallOnce, 1));
    expect(error).toMatchObject({ code: 'HOST_FRAME', message: expect.stringContaining('env.opaque stands between') });
  });

  test('the sync call, not the trampoline inside of it', async () => {
    const guest = await core(later, {}, { note: () => guest.sync.through_invoke(FN.once, 1) });
    expect(() => guest.sync.through_call(FN.once, 1)).toThrow(
      expect.objectContaining({ code: 'SUSPEND_IN_SYNC_CALL' }),
    );
    expect(await code(guest.exports.note(1))).toBe('SUSPEND_IN_SYNC_CALL');
  });
});

onlyOn('asyncify', 'plain trampolines', () => {
  describe('a plain trampoline is executed again each time the guest goes on inside of it', () => {
    test('once per wait, and what it returns while the guest unwinds does not matter', async () => {
      let entered = 0;
      const guest = await core(
        () => later(2),
        {},
        {
          invoke_ii: (fn: number, x: number) => {
            entered++;
            return `rubbish ${(guest.exports.table.get(fn) as Unary)(x)}`.slice(8);
          },
        },
      );
      expect(await guest.exports.through_invoke(FN.loop, 5)).toBe(1010);
      expect(entered).toBe(6);
    });

    test('it may catch what the call throws, after waits too', async () => {
      const guest = await core(
        (x) => (x === 0 ? Promise.reject(new Error('no')) : later(x)),
        {},
        {
          invoke_ii: (fn: number, x: number) => {
            try {
              return (guest.exports.table.get(fn) as Unary)(x);
            } catch {
              return -1;
            }
          },
        },
      );
      expect(await guest.exports.through_invoke(FN.loop, 5)).toBe(999);
      expect(await guest.exports.through_invoke(FN.trapAfter, 1)).toBe(999);
      expect(await guest.exports.through_invoke(FN.once, 1)).toBe(1001);
    });

    test('marked by reentrant it may have any name', async () => {
      let entered = 0;
      const guest = await calling((at) =>
        reentrant((fn: number, x: number) => {
          entered++;
          return at(fn)(x);
        }),
      );
      expect(await guest.exports.through_call(FN.deepBy5, 1)).toBe(1006);
      expect(entered).toBe(2);
    });

    test('that calls another function the second time is found out, and harms nobody else', async () => {
      let entered = 0;
      const gate = new Gate();
      const guest = await core(
        (x) => (x === 7 ? gate.wait(x) : later(x)),
        {},
        {
          invoke_ii: (_fn: number, x: number) =>
            (guest.exports.table.get(entered++ === 0 ? FN.once : FN.plusOne) as Unary)(x),
        },
      );
      const other = guest.exports.deep(9, 7);
      expect(await code(guest.exports.through_invoke(0, 1))).toBe('CORRUPT_FRAMES');
      gate.take(7).resolve(1);
      expect(await other).toBe(10);
      expect(await guest.exports.deep(5, 1)).toBe(6);
    });

    test('that throws the second time ends the fiber with that error', async () => {
      let entered = 0;
      const thrown = new Error('second time');
      const guest = await core(
        later,
        {},
        {
          invoke_ii: (fn: number, x: number) => {
            if (entered++ === 1) throw thrown;
            return (guest.exports.table.get(fn) as Unary)(x);
          },
        },
      );
      expect(await failure(guest.exports.through_invoke(FN.once, 1))).toBe(thrown);
      expect(await guest.exports.through_invoke(FN.once, 1)).toBe(1001);
    });

    test('that throws while the guest unwinds ends the fiber with that error, and nobody waits any more', async () => {
      const thrown = new Error('while unwinding');
      const gate = new Gate();
      const guest = await core(
        gate.wait,
        {},
        {
          invoke_ii: (fn: number, x: number) => {
            (guest.exports.table.get(fn) as Unary)(x);
            throw thrown;
          },
        },
      );
      expect(await failure(guest.exports.through_invoke(FN.deepBy5, 1))).toBe(thrown);
      gate.take(1).resolve(1);
      await turn();
      const next = guest.exports.deep(5, 2);
      gate.take(2).resolve(1);
      expect(await next).toBe(6);
    });

    test('sync calls made by it while the guest unwinds and rewinds leave the switching alone', async () => {
      const guest = await core(
        later,
        { windowSize: 64 },
        {
          invoke_ii: (fn: number, x: number) => {
            const before = guest.sync.plus_one(x);
            const result = (guest.exports.table.get(fn) as Unary)(x);
            return guest.sync.plus_one(before) - before - 1 + result;
          },
        },
      );
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) => guest.exports.through_invoke(FN.deepBy5, i)),
      );
      expect(results).toEqual(Array.from({ length: 20 }, (_, i) => 1005 + i));
    });
  });
});

onlyOn('jspi', 'plain trampolines are refused', () => {
  describe('a plain trampoline', () => {
    const plain =
      (at: (fn: number) => Unary) =>
      (fn: number, x: number): number =>
        at(fn)(x);

    test('cannot be passed by a wait, which says so, and what to write instead', async () => {
      const at = (fn: number): Unary => guest.exports.table.get(fn) as Unary;
      const guest = await core(later, { backend: 'jspi' }, { invoke_ii: plain(at) });
      const error = await failure(guest.exports.through_invoke(FN.deepBy5, 1));
      expect(error).toMatchObject({ code: 'HOST_FRAME' });
      for (const part of ['env.wait', 'env.invoke_ii', 'reentrant(function*', 'Asyncify']) {
        expect(String(error)).toContain(part);
      }
      expect(await guest.exports.deep(5, 1)).toBe(6);
    });

    test('works as long as nothing below it waits', async () => {
      const at = (fn: number): Unary => guest.exports.table.get(fn) as Unary;
      const guest = await core((x) => x * 2, { backend: 'jspi' }, { invoke_ii: plain(at) });
      expect(await guest.exports.through_invoke(FN.deepBy5, 1)).toBe(1007);
      expect(await guest.exports.through_invoke(FN.throughCallOnce, 4)).toBe(1108);
    });

    test('may catch the refusal, and the guest goes on', async () => {
      const guest = await core(
        later,
        { backend: 'jspi' },
        {
          invoke_ii: (fn: number, x: number): number => {
            try {
              return (guest.exports.table.get(fn) as Unary)(x);
            } catch (error) {
              expect(error).toMatchObject({ code: 'HOST_FRAME' });
              return -1;
            }
          },
        },
      );
      expect(await guest.exports.through_invoke(FN.once, 1)).toBe(999);
      expect(await guest.exports.once(3)).toBe(3);
    });
  });
});
