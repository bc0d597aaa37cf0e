// SEMANTICS I.5: exception handling of the guest's own, around waits and in the bodies that catch.
import { describe, expect, test } from 'vitest';
import { type Guest, instantiate } from 'wasm-fibers';
import { onlyOn } from '../support/backend.ts';
import { catching, failure, Gate, turn, watch } from '../support/core.ts';
import { loadGuest } from '../support/guest.ts';

const later = <T>(value: T): Promise<T> => turn().then(() => value);

describe('I.5 waiting inside of a try body', () => {
  test('works, for many fibers at once, whichever of their waits fail', async () => {
    const gate = new Gate();
    const guest = await catching(gate.wait);
    const guarded = Array.from({ length: 40 }, (_, x) => guest.exports.guarded(x));
    for (let i = 0; i < 40; i++) {
      const x = (i * 7) % 40;
      if (x % 3 === 0) gate.take(x).reject(new Error('no'));
      else gate.take(x).resolve(0);
    }
    expect(await Promise.all(guarded)).toEqual(guarded.map((_, x) => (x % 3 === 0 ? 7 : 0)));
  });

  test('and after a body that caught, again and again', async () => {
    const guest = await catching((x) => (x < 0 ? turn().then(() => Promise.reject(new Error('no'))) : later(x)));
    const all = Array.from({ length: 20 }, (_, x) => guest.exports.swallow_then_wait(x % 2 === 0 ? -1 : x, x));
    expect(await Promise.all(all)).toEqual(all.map((_, x) => x));
  });

  test("an exception of the guest's own passes from one fiber to nobody else", async () => {
    const gate = new Gate();
    const guest = await catching(gate.wait);
    const waiting = guest.exports.guarded(1);
    expect(await failure(guest.exports.throw_own(41))).toBeInstanceOf(WebAssembly.Exception);
    gate.take(1).resolve(0);
    expect(await waiting).toBe(0);
  });
});

onlyOn('asyncify', 'waits in a catch body are refused', () => {
  test('I.5 a wait inside a catch body is refused at the import, before anything unwinds', async () => {
    const guest = await catching(later);
    expect(await failure(guest.exports.wait_in_catch(1))).toMatchObject({
      code: 'SUSPEND_IN_CATCH',
      message: expect.stringContaining('env.wait'),
    });
    expect(await guest.exports.guarded(1)).toBe(0);
    expect(await guest.exports.swallow_then_wait(1, 9)).toBe(9);
  });
});

onlyOn('jspi', 'waits in a catch body', () => {
  test('I.5 a wait inside a catch body is like any other, and can be cancelled', async () => {
    const gate = new Gate();
    const guest = await catching(gate.wait);
    const many = [1, 2, 3].map((x) => guest.spawn('wait_in_catch', [x]));
    const others = [guest.exports.guarded(7), guest.exports.guarded(8)];
    gate.take(8).reject(new Error('no'));
    many[1]?.cancel('enough');
    for (const value of [10, 11, 12]) gate.take(5).resolve(value);
    gate.take(7).resolve(0);
    expect(await many[0]?.result).toBe(10);
    expect(await failure(many[1]?.result ?? Promise.resolve())).toMatchObject({ code: 'CANCELLED', cause: 'enough' });
    expect(await many[2]?.result).toBe(12);
    expect(await Promise.all(others)).toEqual([0, 7]);
  });

  test('N.7 what cleans up on the way of a rejection or a cancellation may wait', async () => {
    const gate = new Gate();
    const thrown = new Error('no');
    const guest = await catching((x) => (x < 0 ? Promise.reject(thrown) : gate.wait(x)));
    const rejected = guest.exports.cleanup_waits(-1, 2);
    const cancelled = guest.spawn('cleanup_waits', [1, 3]);
    cancelled.cancel('enough');
    await turn();
    await turn();
    expect(guest.sync.cleanups()).toBe(0);
    expect(cancelled.state).toBe('suspended');
    gate.take(3).resolve(0);
    expect(await failure(cancelled.result)).toMatchObject({ code: 'CANCELLED', cause: 'enough' });
    expect(guest.sync.cleanups()).toBe(1);
    gate.take(2).resolve(0);
    expect(await failure(rejected)).toBe(thrown);
    expect(guest.sync.cleanups()).toBe(2);
    gate.take(1).resolve(0);
  });
});

onlyOn('jspi', 'exception handling with try_table', () => {
  interface TryTable {
    guarded(x: number, then: number): number;
    tagged(x: number): number;
    passes_on(x: number, then: number): number;
  }

  describe('I.5 exception handling with try_table', () => {
    const open = async (wait: (x: number) => unknown): Promise<Guest<TryTable>> =>
      watch(await instantiate<TryTable>(loadGuest('try-table'), { env: { wait } }));
    const failing = (x: number): unknown => (x < 0 ? later(0).then(() => Promise.reject(thrown)) : later(x));
    const thrown = new Error('no');

    test('catches a rejection, and waits again', async () => {
      const guest = await open(failing);
      expect(await guest.exports.guarded(3, 4)).toBe(3);
      expect(await guest.exports.guarded(-1, 4)).toBe(11);
      expect(await failure(guest.exports.guarded(-1, -1))).toBe(thrown);
    });

    test("catches the guest's own exception, made by onReject", async () => {
      const guest = watch(
        await instantiate<TryTable>(
          loadGuest('try-table'),
          { env: { wait: failing } },
          {
            onReject: (_error, rejected) =>
              new WebAssembly.Exception(rejected.instance.exports['tag'] as WebAssembly.Tag, [41]),
          },
        ),
      );
      expect(await guest.exports.tagged(-1)).toBe(41);
    });

    test('passes the very error on after a wait in between', async () => {
      const guest = await open(failing);
      expect(await failure(guest.exports.passes_on(-1, 5))).toBe(thrown);
      const gate = new Gate();
      const waiting = await open(gate.wait);
      const fiber = waiting.spawn('passes_on', [1, 2]);
      fiber.cancel('enough');
      const error = failure(fiber.result);
      await gate.until(2);
      gate.take(2).resolve(0);
      expect(await error).toMatchObject({ code: 'CANCELLED', cause: 'enough' });
    });
  });
});
