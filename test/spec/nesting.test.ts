// SEMANTICS, block N: what nested event loops get wrong and fibers get right.
import { describe, expect, test } from 'vitest';
import { currentFiber, type Fiber, type Guest, type GuestOptions } from 'wasm-fibers';
import { onlyOn } from '../support/backend.ts';
import {
  catching,
  code,
  core,
  type CoreExports,
  failure,
  FN,
  Gate,
  recorder,
  turn,
  untilFibers,
} from '../support/core.ts';

const later = <T>(value: T): Promise<T> => turn().then(() => value);

test('N.1 completion order is each call its own: an inner wait does not hold up an outer one', async () => {
  const gate = new Gate();
  const order: string[] = [];
  let b: Promise<unknown> | null = null;
  const guest = await core((x) => {
    // B starts inside of A's wait, as it would in a nested event loop.
    if (x === 1) b = guest.exports.once(2).then(() => order.push('b'));
    return gate.wait(x);
  });
  const a = guest.exports.once(1).then(() => order.push('a'));
  await turn();
  gate.take(1).resolve(0);
  await a;
  expect(order).toEqual(['a']);
  gate.take(2).resolve(0);
  await b;
  expect(order).toEqual(['a', 'b']);
});

test('N.2 a wait for an event that the fiber below sets after its own wait: both end', async () => {
  const gate = new Gate();
  let set: (value: number) => void = () => undefined;
  const event = new Promise<number>((resolve) => (set = resolve));
  let b: Promise<number> | null = null;
  const guest = await core((x) => {
    if (x === 2) return event;
    b = guest.exports.once(2);
    return gate.wait(x).then((value) => {
      set(5);
      return value;
    });
  });
  const a = guest.exports.once(1);
  await turn();
  gate.take(1).resolve(4);
  expect(await a).toBe(4);
  expect(await b).toBe(5);
});

test('N.3 a timer runs on time while a fiber polls for ever', async () => {
  let stop = false;
  let polls = 0;
  const guest = await core(() => {
    polls++;
    return stop ? Promise.reject(new Error('stopped')) : Promise.resolve(0);
  });
  const polling = failure(guest.exports.loop(0x7fffffff));
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 10));
  const elapsed = performance.now() - start;
  stop = true;
  expect(String(await polling)).toContain('stopped');
  expect(polls).toBeGreaterThan(100);
  // Without fairness the timer would never have fired at all.
  expect(elapsed).toBeLessThan(5000);
});

describe('N.4 fibers are bounded by the heap, not by the stack', () => {
  test('five thousand enter nested waits at the same time', async () => {
    const gate = new Gate();
    const guest = await core(gate.wait);
    const all = Array.from({ length: 5000 }, (_, i) => guest.exports.deep(i % 10, i));
    expect(guest.fibers.length).toBe(5000);
    for (const { x, resolve } of gate.calls.splice(0).reverse()) resolve(x);
    expect(await Promise.all(all)).toEqual(all.map((_, i) => i + (i % 10)));
  });

  test('one more than maxFibers is refused by name, and there is room again when one has ended', async () => {
    const gate = new Gate();
    const guest = await core(gate.wait, { maxFibers: 2 });
    const first = guest.exports.once(1);
    const second = guest.exports.once(2);
    const error = await failure(guest.exports.once(3));
    expect(error).toMatchObject({ code: 'MAX_FIBERS', message: expect.stringContaining('maxFibers') });
    expect(() => guest.spawn('once', [3])).toThrow(expect.objectContaining({ code: 'MAX_FIBERS' }));
    gate.take(1).resolve(1);
    await first;
    const third = guest.exports.once(3);
    gate.take(2).resolve(2);
    gate.take(3).resolve(3);
    expect(await Promise.all([second, third])).toEqual([2, 3]);
  });
});

describe('N.5 deep recursion', () => {
  test("without an end is an error that names the engine's stack, and the guest goes on", async () => {
    const gate = new Gate();
    const guest = await core(gate.wait);
    const other = guest.exports.deep(30, 1);
    expect(await failure(guest.exports.forever(0))).toMatchObject({ code: 'STACK_OVERFLOW', cause: expect.any(Error) });
    expect(currentFiber()).toBeNull();
    gate.take(1).resolve(1);
    expect(await other).toBe(31);
  });

  const resumesAtEveryDepth = async (options: GuestOptions): Promise<void> => {
    const guest = await core(later, options);
    // At the depth at which the engine's stack ends the wait fails, somewhere before it resumes.
    let deepest = 0;
    let refused = 0;
    for (let depth = 500; depth < 64_000 && refused === 0; depth *= 2) {
      try {
        expect(await guest.exports.deep(depth, 1)).toBe(depth + 1);
        deepest = depth;
      } catch (error) {
        expect((error as { code?: unknown }).code).toMatch(/^(DEPTH_LIMIT|STACK_OVERFLOW)$/);
        refused = depth;
      }
    }
    expect(deepest).toBeGreaterThanOrEqual(2000);
    expect(await guest.exports.deep(100, 1)).toBe(101);
  };

  test('whatever suspends can resume', () => resumesAtEveryDepth({}));

  onlyOn('asyncify', 'the unwinding window', () => {
    test.each([64, 256, 4096, 65_536])('whatever suspends can resume, through a window of %i bytes', (windowSize) =>
      resumesAtEveryDepth({ windowSize }),
    );
  });

  test('many deep stacks at once, resumed in another order', async () => {
    const gate = new Gate();
    const guest = await core(gate.wait, { windowSize: 256 });
    const all = Array.from({ length: 30 }, (_, i) => guest.exports.deep(50 * i, i));
    for (const { x, resolve } of gate.calls.splice(0).sort((a, b) => ((a.x * 7) % 30) - ((b.x * 7) % 30))) resolve(x);
    expect(await Promise.all(all)).toEqual(all.map((_, i) => 51 * i));
  });
});

describe('N.6 fibers that would wait for each other for ever', () => {
  test('a fiber that waits for itself', async () => {
    const guest = await core(() => currentFiber()?.result);
    const fiber = guest.spawn('once', [1], { name: 'narcissus' });
    expect(await failure(fiber.result)).toMatchObject({
      code: 'DEADLOCK',
      message: expect.stringContaining('narcissus'),
    });
  });

  test('a fiber that has been cancelled waits for nobody: whoever it waited for may wait for it', async () => {
    const gate = new Gate();
    const fibers: Fiber<number>[] = [];
    let first = true;
    const guest = await core((x) => {
      if (x === 0) return fibers[1]?.result;
      if (!first) return fibers[0]?.result;
      first = false;
      return gate.wait(x);
    });
    fibers[1] = guest.spawn('loop_of', [2, 1], { name: 'b' });
    fibers[0] = guest.spawn('once', [0], { name: 'a' });
    const results = fibers.map(({ result }) => code(result));
    expect(guest.dump().map(({ waitsFor }) => waitsFor)).toEqual([null, fibers[1].id]);
    // b goes on first, and waits for a, which has not been resumed with its cancellation yet.
    gate.take(1).resolve(0);
    fibers[0].cancel();
    expect(await Promise.all(results)).toEqual(['CANCELLED', 'CANCELLED']);
  });

  test('a cycle of three, by result and by export promise: whoever closes it is told, and the others go on', async () => {
    const gate = new Gate();
    const results: Promise<unknown>[] = [];
    const asked = new Set<number>();
    const guest = await core((x) => {
      if (asked.has(x)) return results[(x + 1) % 3];
      asked.add(x);
      return gate.wait(x);
    });
    results.push(
      guest.spawn('loop_of', [2, 0], { name: 'a' }).result,
      guest.exports.loop_of(2, 1),
      guest.spawn('loop_of', [2, 2], { name: 'c' }).result,
    );
    for (const x of [1, 0, 2]) {
      gate.take(x).resolve(0);
      await turn();
    }
    const errors = (await Promise.allSettled(results)).map(
      (each): unknown => each.status === 'rejected' && each.reason,
    );
    // c waits for a, which waits for the unnamed one, which waits for c: the last one closes the cycle.
    expect(errors[2]).toMatchObject({
      code: 'DEADLOCK',
      message: expect.stringMatching(/\(c\) waits for .*\(a\) waits for .*\(loop_of\) waits for .*\(c\)/),
    });
    // The others waited for it, and were told its error.
    expect(errors[0]).toBe(errors[2]);
    expect(errors[1]).toBe(errors[2]);
  });

  test('waiting for the result of another fiber is no deadlock', async () => {
    const gate = new Gate();
    const guest = await core((x) => (x === 1 ? gate.wait(1) : other.result));
    const other: Fiber<number> = guest.spawn('once', [1], { name: 'other' });
    const waiting = guest.spawn('once', [2], { name: 'waiting' });
    expect(waiting.waitingOn).toBe(other);
    expect(guest.dump().map((info) => info.waitsFor)).toEqual([null, other.id]);
    gate.take(1).resolve(8);
    expect(await waiting.result).toBe(8);
  });
});

describe('N.7 cancel', () => {
  test('on a waiting fiber is prompt, aborts its signal, and rejects with CANCELLED and the reason', async () => {
    const gate = new Gate();
    let signal: AbortSignal | undefined;
    const guest = await core((x) => {
      signal = currentFiber()?.signal;
      return gate.wait(x);
    });
    const fiber = guest.spawn('deep', [5, 1]);
    const reason = { why: 'enough' };
    expect(fiber.cancel(reason)).toBe(true);
    expect(signal?.aborted).toBe(true);
    expect(fiber.state).toBe('suspended');
    const error = await failure(fiber.result);
    expect(error).toMatchObject({ code: 'CANCELLED', name: 'AbortError', cause: reason });
    expect(fiber.state).toBe('done');
    // What the abandoned promise brings later is of no interest to anybody.
    gate.take(1).reject(new Error('late'));
    await turn();
  });

  test('twice, or of a fiber that has ended, does nothing', async () => {
    const guest = await core(later);
    const fiber = guest.spawn('once', [1]);
    expect(fiber.cancel('first')).toBe(true);
    expect(fiber.cancel('second')).toBe(false);
    expect(await failure(fiber.result)).toMatchObject({ cause: 'first' });
    expect(fiber.cancel('third')).toBe(false);
    const done = guest.spawn('once', [1]);
    expect(await done.result).toBe(1);
    expect(done.cancel()).toBe(false);
    expect(await done.result).toBe(1);
  });

  test('is seen by the guest once, at its wait; its cleanup runs, and the result rejects even if it is swallowed', async () => {
    const gate = new Gate();
    const guest = await catching(gate.wait);
    const cleaned = guest.spawn('cleanup', [1]);
    cleaned.cancel();
    expect(await code(cleaned.result)).toBe('CANCELLED');
    expect(await guest.exports.cleanups()).toBe(1);
    const swallowed = guest.spawn('swallow_then_wait', [2, 3]);
    swallowed.cancel();
    await turn();
    // The guest caught it and waits again, undisturbed.
    expect(swallowed.state).toBe('suspended');
    gate.take(3).resolve(5);
    expect(await code(swallowed.result)).toBe('CANCELLED');
    gate.take(1).resolve(0);
    gate.take(2).resolve(0);
    await turn();
  });

  test('of a running fiber takes effect at its next wait', async () => {
    let fiber: Fiber | null = null;
    const guest = await core((x) => {
      fiber = currentFiber();
      return x === 1 ? (fiber?.cancel(), 1) : Promise.reject(new Error('of no interest'));
    });
    const running = guest.spawn('twice', [1]);
    expect(running).toBe(fiber);
    expect(await code(running.result)).toBe('CANCELLED');
  });

  test('of a fiber that has not started ends it without running it', async () => {
    const calls: number[] = [];
    const guest = await core((x) => {
      calls.push(x);
      if (x !== 1) return x;
      const nested = guest.spawn('once', [2]);
      nested.cancel();
      return nested.result.catch((error: { code: string }) => (error.code === 'CANCELLED' ? 77 : 0));
    });
    expect(await guest.exports.once(1)).toBe(77);
    expect(calls).toEqual([1]);
  });

  test('by a signal, aborted before or after; many fibers share one', async () => {
    const gate = new Gate();
    const guest = await core(gate.wait);
    const controller = new AbortController();
    const fibers = Array.from({ length: 30 }, (_, i) => guest.spawn('once', [i], { signal: controller.signal }));
    controller.abort('stop');
    for (const fiber of fibers) expect(await failure(fiber.result)).toMatchObject({ code: 'CANCELLED', cause: 'stop' });
    expect(await failure(guest.spawn('once', [99], { signal: controller.signal }).result)).toMatchObject({
      cause: 'stop',
    });
    expect(gate.calls.map((call) => call.x)).not.toContain(99);
  });
});

describe('N.8 timeout', () => {
  test('stops a waiting fiber; the late result or rejection of its promise is swallowed', async () => {
    const gate = new Gate();
    const guest = await core(gate.wait);
    const fiber = guest.spawn('deep', [3, 1], { timeout: 5 });
    expect(await failure(fiber.result)).toMatchObject({
      code: 'TIMEOUT',
      name: 'TimeoutError',
      message: expect.stringContaining('5 ms'),
    });
    gate.take(1).reject(new Error('late'));
    await turn();
    const other = guest.spawn('once', [2], { timeout: 60_000 });
    gate.take(2).resolve(6);
    expect(await other.result).toBe(6);
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('of %s is refused', async (timeout) => {
    const guest = await core(later);
    expect(() => guest.spawn('once', [1], { timeout })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining('timeout') }),
    );
    expect(guest.fibers).toEqual([]);
  });
});

test('N.9 fibers deferred for fairness resume in their order', async () => {
  const order: number[] = [];
  const guest = await core((x) => {
    order.push(x);
    return Promise.resolve(x);
  });
  await Promise.all([0, 1, 2].map((i) => guest.exports.loop_of(2000, i)));
  // However often they were deferred, nobody overtook anybody.
  expect(order).toEqual(Array.from({ length: 6000 }, (_, i) => i % 3));
});

describe('N.10 nothing is leaked', () => {
  test('dispose cancels suspended fibers and resolves when the last has ended', async () => {
    const gate = new Gate();
    const guest = await catching(gate.wait);
    const a = guest.exports.cleanup(1);
    const b = guest.spawn('cleanup', [2]).result;
    await guest.dispose();
    expect(guest.fibers).toEqual([]);
    for (const result of [a, b])
      expect(await failure(result)).toMatchObject({ code: 'CANCELLED', cause: { code: 'DISPOSED' } });
    await guest.dispose();
    await guest[Symbol.asyncDispose]();
  });

  test('a signal given to instantiate disposes of the guest', async () => {
    const controller = new AbortController();
    const gate = new Gate();
    const guest = await core(gate.wait, { signal: controller.signal });
    const result = failure(guest.exports.once(1));
    controller.abort();
    expect(await result).toMatchObject({ code: 'CANCELLED', cause: { code: 'DISPOSED' } });
    expect(await code(guest.exports.once(1))).toBe('DISPOSED');
  });

  test('a fiber whose promise nobody holds still ends', async () => {
    const { events, onEvent } = recorder();
    const guest = await core(later, { onEvent });
    void guest.exports.once(1);
    await untilFibers(guest, 0);
    expect(events).toContain('end once');
  });
});

describe('N.12 exclusive', () => {
  const critical = async (): Promise<{ guest: Guest<CoreExports>; gate: Gate }> => {
    const gate = new Gate();
    return { guest: await core((x) => (x < 0 ? gate.wait(x) : later(x)), { exclusive: true }), gate };
  };

  test('runs one fiber at a time, in order of arrival', async () => {
    const { guest } = await critical();
    const order: number[] = [];
    const clashes = await Promise.all([1, 2, 3, 4].map((i) => guest.exports.critical(i).finally(() => order.push(i))));
    expect(clashes).toEqual([0, 0, 0, 0]);
    expect(order).toEqual([1, 2, 3, 4]);
    const shared = await core(later);
    expect(await Promise.all([shared.exports.critical(1), shared.exports.critical(2)])).toEqual([0, 1]);
  });

  test("a nested call inherits its parent's turn, or is given it", async () => {
    let nestedLater: Promise<number> | null = null;
    const guest = await core(
      (x) => {
        const parent = currentFiber();
        if (x === 1) return guest.exports.plus_one(41);
        if (x === 2) {
          return later(0).then(() => {
            if (parent === null) throw new Error('no fiber');
            nestedLater = guest.spawn('plus_one', [1], { parent }).result;
            return nestedLater;
          });
        }
        return later(x);
      },
      { exclusive: true },
    );
    const other = guest.exports.once(3);
    expect(await guest.exports.once(1)).toBe(42);
    expect(await guest.exports.once(2)).toBe(2);
    expect(await other).toBe(3);
  });

  test('a wait for a fiber that waits for this turn is a deadlock', async () => {
    const queued: { fiber: Fiber | null } = { fiber: null };
    const guest = await core((x) => (x === 1 ? later(0) : queued.fiber?.result), { exclusive: true });
    const holder = guest.spawn('twice', [1], { name: 'holder' });
    queued.fiber = guest.spawn('once', [1], { name: 'queued' });
    expect(await failure(holder.result)).toMatchObject({
      code: 'DEADLOCK',
      message: expect.stringContaining('queued'),
    });
    expect(await queued.fiber.result).toBe(0);
  });

  test('a queued fiber can be cancelled, and the others keep their order', async () => {
    const { guest, gate } = await critical();
    const first = guest.spawn('once', [-1]);
    const second = guest.spawn('once', [2]);
    const third = guest.spawn('once', [3]);
    second.cancel();
    expect(await code(second.result)).toBe('CANCELLED');
    expect(third.state).toBe('created');
    gate.take(-1).resolve(1);
    expect(await first.result).toBe(1);
    expect(await third.result).toBe(3);
  });

  test('a trap gives the turn away', async () => {
    const { guest } = await critical();
    const trapped = guest.exports.trap_after(1);
    const next = guest.exports.critical(1);
    expect(await failure(trapped)).toBeInstanceOf(WebAssembly.RuntimeError);
    expect(await next).toBe(0);
  });
});

test('calls by table index through wrap are fibers, and the wrapper is always the same one', async () => {
  const guest = await core(later);
  const raw = guest.exports.table.get(FN.deepBy5) as (x: number) => number;
  expect(guest.wrap(raw)).toBe(guest.wrap(raw));
  expect(await guest.wrap(raw)(4)).toBe(9);
  expect(() => raw(4)).toThrow(expect.objectContaining({ code: 'NO_FIBER' }));
});
