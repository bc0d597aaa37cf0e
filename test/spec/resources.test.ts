// SEMANTICS, block R: what is used is given back, and limits are errors with their names. What can only be measured with
// a garbage collector at hand is in test/node/leaks.test.ts.
import { describe, expect, test } from 'vitest';
import { onlyOn } from '../support/backend.ts';
import { catching, code, core, failure, FN, Gate, turn, watch } from '../support/core.ts';
import { type Fiber, type FiberEvent, instantiate } from 'wasm-fibers';
import { loadGuest } from '../support/guest.ts';
import type { MixedExports } from '../support/real.ts';

const pages = (memory: WebAssembly.Memory): number => memory.buffer.byteLength / 65_536;

describe('R.1 suspending and resuming leaves nothing behind in the guest', () => {
  test('20,000 suspensions of one fiber', async () => {
    const guest = await core(() => Promise.resolve(1));
    expect(await guest.exports.loop(10)).toBe(10);
    const before = pages(guest.memory);
    expect(await guest.exports.loop(20_000)).toBe(20_000);
    expect(pages(guest.memory)).toBe(before);
  });

  test('20,000 fibers, one after another, some cancelled, rejected, trapped', async () => {
    const guest = await core((x) => (x % 5 === 1 ? Promise.reject(x) : Promise.resolve(x)), { windowSize: 64 });
    let failures = 0;
    const run = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 4) {
        const cancelled = guest.spawn('deep', [3, 0]);
        cancelled.cancel();
        const ends = [
          cancelled.result,
          guest.exports.deep(i % 30, i),
          guest.exports.trap_after(0),
          guest.exports.once(i),
        ];
        for (const end of await Promise.allSettled(ends)) failures += end.status === 'rejected' ? 1 : 0;
      }
    };
    await run(40);
    const before = pages(guest.memory);
    await run(20_000);
    expect(pages(guest.memory)).toBe(before);
    expect(failures).toBeGreaterThan(10_000);
    expect(guest.fibers).toEqual([]);
  });

  test('shadow stacks are taken from the pool again, however fibers end', async () => {
    const gate: ((value: number) => void)[] = [];
    const waits = (): Promise<number> => new Promise((resolve) => gate.push(resolve));
    const none = (): number => 0;
    const env = {
      wait: waits,
      wait_i64: waits,
      wait_f64: waits,
      call: none,
      protect: none,
      invoke_ii: none,
      opaque: none,
      host: none,
    };
    const guest = watch(await instantiate<MixedExports>(loadGuest('mixed'), { env }, { stackSize: 65_536 }));
    // A program that waits, and one that waits and traps.
    const words = new Int32Array(guest.memory.buffer);
    words.set([1, 0, 1, 0, 0], 65_536 / 4);
    words.set([1, 0, 1, 0, 13], 66_536 / 4);
    const round = async (): Promise<void> => {
      const fibers = Array.from({ length: 20 }, (_, i) => guest.spawn('run', [i % 4 === 3 ? 66_536 : 65_536]));
      const ended = Promise.allSettled(fibers.map((fiber) => fiber.result));
      for (const [i, open] of gate.splice(0).entries()) {
        if (i % 4 === 2) fibers[i]?.cancel();
        else open(i);
      }
      await ended;
    };
    await round();
    const before = pages(guest.memory);
    for (let i = 0; i < 100; i++) await round();
    expect(pages(guest.memory)).toBe(before);
    expect(before).toBeGreaterThanOrEqual(20);
  });

  onlyOn('asyncify', 'bytes of frames', () => {
    test('a suspended fiber holds its frames, and none of them when it has ended', async () => {
      const gate = new Gate();
      const guest = await core(gate.wait, { windowSize: 64 });
      const shallow = guest.spawn('once', [1]);
      const deep = guest.spawn('deep', [100, 2]);
      expect(shallow.frameBytes).toBeGreaterThan(0);
      expect(deep.frameBytes).toBeGreaterThan(50 * shallow.frameBytes);
      const lost = failure(deep.result);
      deep.cancel();
      await lost;
      gate.take(1).resolve(0);
      await shallow.result;
      expect([shallow.frameBytes, deep.frameBytes]).toEqual([0, 0]);
    });
  });
});

describe('R.1 nobody is kept waiting', () => {
  test('dispose ends a fiber that caught its cancellation and waits again', async () => {
    const gate = new Gate();
    const guest = await catching(gate.wait);
    const fiber = guest.spawn('swallow_then_wait', [1, 2]);
    const result = failure(fiber.result);
    fiber.cancel('first');
    await turn();
    expect(fiber.state).toBe('suspended');
    expect(gate.calls.map(({ x }) => x)).toEqual([1, 2]);
    await guest.dispose();
    expect(await result).toMatchObject({ code: 'CANCELLED', cause: 'first' });
  });

  test('fibers that share a turn of an exclusive guest all start when it comes', async () => {
    const gate = new Gate();
    const guest = await core(gate.wait, { exclusive: true });
    const first = guest.spawn('once', [1]);
    const second = guest.spawn('once', [2]);
    const child = guest.spawn('once', [3], { parent: second });
    const third = guest.spawn('once', [4]);
    gate.take(1).resolve(10);
    await first.result;
    await turn();
    gate.take(2).resolve(20);
    expect(await second.result).toBe(20);
    expect(third.state).toBe('created');
    gate.take(3).resolve(30);
    expect(await child.result).toBe(30);
    await turn();
    gate.take(4).resolve(40);
    expect(await third.result).toBe(40);
  });
});

test('N.5 at the end of the engine stack no rejection is left behind, whether the fiber can wait for it or not', async () => {
  // Made before the guest runs, so that the host function needs next to no stack of its own.
  let prepared: Promise<never> | null = null;
  let reached = false;
  const guest = await core((x) => {
    if (x === 0) return 0;
    reached = true;
    return prepared;
  });
  // Frames become smaller as the engine compiles the guest better, so the limit is looked for more than once.
  let limit = 0;
  for (let round = 0; round < 4; round++) {
    let [works, fails] = [0, 1_000_000];
    while (fails - works > 1) {
      const depth = (works + fails) >> 1;
      const result = await guest.exports.deep(depth, 0).catch(() => -1);
      if (result === depth) works = depth;
      else fails = depth;
    }
    limit = works;
  }
  const seen = new Set<unknown>();
  for (let depth = limit + 20; depth > limit * 0.9; depth -= depth > limit - 100 ? 1 : 7) {
    reached = false;
    prepared = turn().then(() => Promise.reject(new Error('late')));
    const error = code(guest.exports.deep(depth, 1));
    if (!reached) prepared.catch(() => undefined);
    seen.add(String(await error));
    await turn();
  }
  expect([...seen].filter((each) => !/STACK_OVERFLOW|DEPTH_LIMIT|late/.test(String(each)))).toEqual([]);
  expect(await guest.exports.deep(5, 0)).toBe(5);
}, 60_000);

describe('N.6 fibers that wait for each other through the turns of an exclusive guest', () => {
  test.each(['joins the queued one last', 'joins the one outside last'])('are a deadlock: %s', async (order) => {
    const gate = new Gate();
    type Held = { result: Promise<number> };
    const fibers: { holder?: Held; queued?: Held; outside?: Held } = {};
    const other = await core((x) => (x === 1 ? gate.wait(1) : fibers.queued?.result));
    const guest = await core((x) => (x === 2 ? gate.wait(2) : fibers.outside?.result), { exclusive: true });
    // The holder of the turn waits for `outside`, that for `queued`, and `queued` for the turn.
    const holder = guest.spawn('twice', [2]);
    fibers.queued = guest.spawn('plus_one', [1]);
    const outside = other.spawn('twice', [1]);
    fibers.outside = outside;
    const ends = Promise.allSettled([holder.result, fibers.queued.result, outside.result]);
    for (const step of order === 'joins the queued one last' ? [2, 1] : [1, 2]) {
      gate.take(step).resolve(step);
      await turn();
    }
    const codes = (await ends).map((end) =>
      end.status === 'rejected' ? (end.reason as { code: string }).code : 'value',
    );
    expect(codes).toContain('DEADLOCK');
  });
});

describe('R.2 a limit that is reached is an error with its name in it', () => {
  test('maxFibers', async () => {
    const gate = new Gate();
    const guest = await core(gate.wait, { maxFibers: 2 });
    const two = [guest.exports.once(1), guest.exports.once(2)];
    expect(await failure(guest.exports.once(3))).toMatchObject({
      code: 'MAX_FIBERS',
      message: expect.stringContaining('maxFibers'),
    });
    expect(() => guest.spawn('once', [3])).toThrow(expect.objectContaining({ code: 'MAX_FIBERS' }));
    gate.take(1).resolve(1);
    await two[0];
    const again = guest.exports.once(4);
    gate.take(4).resolve(4);
    gate.take(2).resolve(2);
    expect(await Promise.all([...two, again])).toEqual([1, 2, 4]);
  });

  test.each(['maxFibers', 'stackSize', 'windowSize', 'slowAfter'])(
    '%s must be a sensible whole number',
    async (name) => {
      for (const value of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5']) {
        const error = await failure(core((x) => x, { [name]: value as number }));
        expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining(name) });
      }
    },
  );

  test('a wait longer than slowAfter is reported, with its import, once, and each further one as well', async () => {
    const gate = new Gate();
    const told: unknown[] = [];
    const onEvent = ({ type, fiber, ...event }: FiberEvent): void => {
      if (type === 'slow') told.push([fiber.name, event.import]);
    };
    const guest = await core(gate.wait, { slowAfter: 1, onEvent });
    const reported = async (count: number): Promise<void> => {
      while (told.length < count) await turn();
    };
    const first = guest.spawn('deep', [3, 1], { name: 'first' });
    await reported(1);
    const second = guest.spawn('once', [2], { name: 'second' });
    await reported(2);
    // Long enough for whoever would report them again.
    await new Promise((resolve) => setTimeout(resolve, 150));
    gate.take(1).resolve(1);
    expect(await first.result).toBe(4);
    const third = guest.spawn('once', [3], { name: 'third' });
    await reported(3);
    for (const x of [2, 3]) gate.take(x).resolve(x);
    expect(await Promise.all([second.result, third.result])).toEqual([2, 3]);
    expect(told).toEqual([
      ['first', 'env.wait'],
      ['second', 'env.wait'],
      ['third', 'env.wait'],
    ]);
  });

  test('a timeout must be a number of milliseconds', async () => {
    const guest = await core((x) => x);
    for (const timeout of [0, -1, Number.NaN, 2 ** 31]) {
      expect(() => guest.spawn('once', [1], { timeout })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    }
    expect(guest.fibers).toEqual([]);
  });

  test('stacks far deeper than the window pass through it', async () => {
    const guest = await core((x) => turn().then(() => x), { windowSize: 64 });
    expect(await guest.exports.deep(2000, 1)).toBe(2001);
    expect(await guest.exports.through_invoke(FN.deepBy5, 1)).toBe(1006);
  });
});

onlyOn('jspi', 'the limit of stacks', () => {
  test('R.2 stacks that the engine holds are counted: one too many is refused, naming Asyncify, and harms nobody', async () => {
    const gate = new Gate();
    const [guest, other] = await Promise.all([core(gate.wait, { maxFibers: 20_000 }), core(gate.wait)]);
    const fibers: Fiber<number>[] = [];
    const errors: unknown[] = [];
    // A fiber that cannot begin has ended at once.
    while (errors.length === 0 && fibers.length < 20_000) {
      const fiber = guest.spawn('deep', [3, fibers.length]);
      if (fiber.state === 'done') errors.push(await failure(fiber.result));
      else fibers.push(fiber);
    }
    expect(errors[0]).toMatchObject({ code: 'MAX_STACKS', message: expect.stringContaining('Asyncify') });
    expect(fibers.length).toBeGreaterThanOrEqual(5000);
    // It is the engine's limit, and so that of all guests.
    expect(await failure(other.exports.once(1))).toMatchObject({ code: 'MAX_STACKS' });
    expect(other.sync.plus_one(1)).toBe(2);
    const half = fibers.length >> 1;
    const cancelled = Promise.allSettled(fibers.slice(half).map(({ result }) => result));
    for (const fiber of fibers.slice(half)) fiber.cancel();
    expect((await cancelled).every(({ status }) => status === 'rejected')).toBe(true);
    // There is room again.
    const more = Array.from({ length: half }, (_, i) => other.exports.deep(3, i));
    for (const { x, resolve } of gate.calls.splice(0)) resolve(x);
    expect(await Promise.all(more)).toEqual(more.map((_, i) => i + 3));
    expect(await Promise.all(fibers.slice(0, half).map(({ result }) => result))).toEqual(
      fibers.slice(0, half).map((_, i) => i + 3),
    );
  });

  test('R.2 stacks of fibers that do not wait are not counted', async () => {
    const guest = await core((x) => x, { maxFibers: 100_000 });
    const all = Array.from({ length: 20_000 }, (_, i) => guest.exports.deep(3, i));
    expect(await Promise.all(all)).toEqual(all.map((_, i) => i + 3));
    expect(guest.fibers).toEqual([]);
  });
});

describe('R.3 dump lists every fiber', () => {
  test('its number, name, state, age, import and whom it waits for', async () => {
    const gate = new Gate();
    const guest = await core((x) => (x === 1 ? gate.wait(x) : (waited.fiber?.result ?? x)));
    const waited: { fiber?: { readonly id: number; readonly result: Promise<unknown> } } = {};
    const first = guest.spawn('once', [1], { name: 'first' });
    waited.fiber = first;
    const second = guest.spawn('deep', [4, 2], { name: 'second' });
    const common = {
      state: 'suspended',
      import: 'env.wait',
      waitingFor: null,
      age: expect.any(Number),
      frameBytes: expect.any(Number),
      stack: null,
    };
    expect(guest.dump()).toEqual([
      { id: first.id, name: 'first', waitsFor: null, ...common },
      { id: second.id, name: 'second', waitsFor: first.id, ...common },
    ]);
    gate.take(1).resolve(5);
    expect([await first.result, await second.result]).toEqual([5, 9]);
    expect(guest.dump()).toEqual([]);
    expect(await code(guest.exports.trap())).toBeInstanceOf(WebAssembly.RuntimeError);
    expect(guest.dump()).toEqual([]);
  });
});
