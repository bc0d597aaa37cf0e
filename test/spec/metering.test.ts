// Guests that pay for their work: fibers are pre-empted, end when their fuel is used up, and come to limits. The guest is
// test/guests/wat/metered.wat, which has limits of 40 pages, 100 elements and 500 calls.
import { describe, expect, test } from 'vitest';
import { type FiberEvent, type Guest, type GuestOptions, instantiate } from 'wasm-fibers';
import { backend } from '../support/backend.ts';
import { code, failure, turn, watch } from '../support/core.ts';
import { guestSource } from '../support/guest.ts';

interface Metered {
  forever(): void;
  spin(): void;
  count(n: number): number;
  fib(n: number): number;
  doubling(): number;
  stubborn(): void;
  critical(n: number): number;
  critical_twice(n: number): number;
  wait(x: number): number;
  alternate(times: number, n: number): number;
  deep(n: number): number;
  deep_often(n: number, times: number): number;
  fill(at: number, value: number, size: number): void;
  copy(to: number, from: number, size: number): void;
  init(to: number, from: number, size: number): void;
  fill_small(at: number): void;
  fill_often(times: number): void;
  grow(pages: number): number;
  size(): number;
  grow_forever(): void;
  table_grow(by: number): number;
  table_fill(at: number, size: number): void;
  table_copy(to: number, from: number, size: number): void;
  table_init(to: number, from: number, size: number): void;
  notes(n: number): void;
  table: WebAssembly.Table;
}

type Imports = Record<string, (x: number) => unknown>;

const sleep = (ms: number): Promise<number> => new Promise((resolve) => setTimeout(() => resolve(ms), ms));

async function metered(options: GuestOptions = {}, more: Imports = {}): Promise<Guest<Metered>> {
  const env = { wait: sleep, note: () => undefined, ...more };
  return watch(await instantiate<Metered>(guestSource('metered'), { env }, options));
}

/** Bytes of its memory. */
const SIZE = 34 * 65_536;

/** What never ends by itself. */
const ENDLESS = ['forever', 'spin', 'grow_forever', 'doubling'] as const;
/** Takes a few slices on every engine. */
const LONG = 40_000_000;

describe('pre-emption', () => {
  test('a fiber that never waits lets timers, and other guests, have their turn', async () => {
    const [busy, other] = [await metered(), await metered()];
    const order: string[] = [];
    const fiber = busy.spawn('count', [LONG]);
    void fiber.result.then(() => order.push('count'));
    void sleep(1).then(() => order.push('timer'));
    await other.exports.wait(1).then(() => order.push('other guest'));
    expect(await fiber.result).toBe(LONG);
    expect(order.toSorted()).toEqual(['count', 'other guest', 'timer']);
    expect(order.at(-1)).toBe('count');
    expect(fiber.slices).toBeGreaterThan(1);
    expect(fiber.guestMs).toBeGreaterThan(0);
  });

  test.each(ENDLESS)('%s is cancelled at its deadline, and timers go on meanwhile', async (name) => {
    const guest = await metered();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const error = await failure(guest.spawn(name, [], { timeout: 150 }).result);
    clearInterval(timer);
    expect(error).toMatchObject({ code: 'TIMEOUT', name: 'TimeoutError' });
    expect(ticks).toBeGreaterThan(0);
  });

  test('it is told by an event, and then by another that it goes on', async () => {
    const events: string[] = [];
    const guest = await metered({ onEvent: ({ type }: FiberEvent) => events.push(type), limits: { sliceMs: 1 } });
    const fiber = guest.spawn('count', [LONG]);
    await fiber.result;
    const slices = Array.from({ length: fiber.slices }, () => ['slice', 'resume']).flat();
    expect(events).toEqual(['spawn', ...slices, 'end']);
  });

  test('a longer slice is a smaller number of slices', async () => {
    const slices = async (sliceMs: number): Promise<number> => {
      const guest = await metered({ limits: { sliceMs } });
      const fiber = guest.spawn('count', [LONG]);
      await fiber.result;
      return fiber.slices;
    };
    expect(await slices(2)).toBeGreaterThan(await slices(50));
  });

  test('nothing else of its guest runs before it waits or ends', async () => {
    const guest = await metered({ limits: { sliceMs: 1 } });
    const fibers = [1, 2, 3, 4].map((extra) => guest.spawn('critical_twice', [LONG / 8 + extra]));
    // Each of them traps if another one is where it is.
    expect(await Promise.all(fibers.map(({ result }) => result))).toEqual(
      [1, 2, 3, 4].map((extra) => LONG / 8 + extra),
    );
    expect(fibers.some(({ slices }) => slices > 0)).toBe(true);
  });

  test('a sync call meanwhile is refused, and a call waits', async () => {
    const guest = await metered({ limits: { sliceMs: 1 } });
    const fiber = guest.spawn('critical', [LONG]);
    while (fiber.slices === 0) await turn();
    expect(fiber.state).toBe('suspended');
    expect(() => guest.sync.size()).toThrow(expect.objectContaining({ code: 'PREEMPTED' }));
    const order: string[] = [];
    await Promise.all([
      fiber.result.then(() => order.push('critical')),
      guest.exports.critical(10).then(() => order.push('another')),
    ]);
    expect(order).toEqual(['critical', 'another']);
    expect(guest.sync.size()).toBe(34);
  });

  test('fibers that wait in turn with work between all come to their end', async () => {
    const guest = await metered({ limits: { sliceMs: 1 } });
    const sums = Array.from({ length: 5 }, () => guest.exports.alternate(3, LONG / 40));
    expect(await Promise.all(sums)).toEqual(Array.from({ length: 5 }, () => 3 * (LONG / 40 + 1)));
  });

  test.each([
    ['return, to a fiber with a time limit', 1],
    ['return, to a fiber that is cancelled', 2],
  ])('the time of host functions counts, though the guest pays for nothing meanwhile: they %s', async (_, how) => {
    let [calls, most, ofTurn] = [0, 0, 0];
    const note = (): void => {
      most = Math.max(most, ++ofTurn);
      calls++;
      const until = performance.now() + 1;
      while (performance.now() < until);
    };
    const guest = await metered({ limits: { sliceMs: 8 } }, { note });
    const timer = setInterval(() => (ofTurn = 0));
    const fiber = guest.spawn('notes', [1_000_000], how === 1 ? { timeout: 200 } : {});
    if (how === 2) void sleep(200).then(() => fiber.cancel());
    expect(await code(fiber.result)).toBe(how === 1 ? 'TIMEOUT' : 'CANCELLED');
    clearInterval(timer);
    expect(calls).toBeGreaterThan(0);
    // A slice is over after eight at the latest; timers may miss a turn.
    expect(most).toBeLessThan(100);
    expect(guest.fibers).toEqual([]);
  });

  test('those that begin at once hold the thread for one slice together', async () => {
    const sliceMs = 40;
    const guests = await Promise.all(Array.from({ length: 8 }, () => metered({ limits: { sliceMs } })));
    const fibers = guests.map((guest) => guest.spawn('forever', [], {}));
    const together = fibers.reduce((sum, { guestMs }) => sum + guestMs, 0);
    for (const fiber of fibers) fiber.cancel();
    for (const fiber of fibers) expect(await code(fiber.result)).toBe('CANCELLED');
    // On a busy machine each stops late.
    expect(together).toBeLessThan(4 * sliceMs);
  });

  test('guests share the thread by their weight', async () => {
    const [light, heavy] = [await metered({ weight: 1 }), await metered({ weight: 4 })];
    const [slow, fast] = [light.spawn('forever', [], {}), heavy.spawn('forever', [], {})];
    await sleep(300);
    const [little, much] = [slow.guestMs, fast.guestMs];
    for (const fiber of [slow, fast]) {
      fiber.cancel();
      expect(await code(fiber.result)).toBe('CANCELLED');
    }
    expect(much / little).toBeGreaterThan(2);
    expect(much / little).toBeLessThan(8);
  });

  test('many guests that are busy all go on', async () => {
    const guests = await Promise.all(Array.from({ length: 8 }, () => metered({ limits: { sliceMs: 2 } })));
    const fibers = guests.map((guest) => guest.spawn('forever'));
    while (fibers.some(({ slices }) => slices < 3)) await turn();
    for (const fiber of fibers) fiber.cancel();
    for (const fiber of fibers) expect(await code(fiber.result)).toBe('CANCELLED');
  });

  test('a start function that never ends can be cancelled', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 50);
    const env = { wait: sleep };
    const error = await failure(instantiate(guestSource('metered-start'), { env }, { signal: stop.signal }));
    expect(error).toMatchObject({ name: 'AbortError' });
  });
});

describe('a fiber that is ended where it was pre-empted', () => {
  test('ends with its cancellation, and nothing else runs in its guest any more', async () => {
    const guest = await metered();
    const fiber = guest.spawn('forever');
    const waiting = guest.exports.wait(10_000);
    while (fiber.slices === 0) await turn();
    expect(fiber.cancel('enough')).toBe(true);
    expect(await failure(fiber.result)).toMatchObject({ code: 'CANCELLED', cause: 'enough' });
    expect(await code(waiting)).toBe('GUEST_POISONED');
    expect(await code(guest.exports.size())).toBe('GUEST_POISONED');
    expect(() => guest.sync.size()).toThrow(expect.objectContaining({ code: 'GUEST_POISONED' }));
  });

  test('cannot catch it', async () => {
    const guest = await metered();
    const fiber = guest.spawn('stubborn', [], { timeout: 80 });
    expect(await code(fiber.result)).toBe('TIMEOUT');
    expect(guest.fibers).toEqual([]);
  });

  test('by disposing of the guest, too', async () => {
    const guest = await metered();
    const fiber = guest.spawn('forever');
    while (fiber.slices === 0) await turn();
    await guest.dispose();
    expect(await code(fiber.result)).toBe('CANCELLED');
  });

  test('while it waits at an import it can clean up, and the guest goes on', async () => {
    const guest = await metered();
    const fiber = guest.spawn('wait', [10_000]);
    await turn();
    fiber.cancel();
    expect(await code(fiber.result)).toBe('CANCELLED');
    expect(await guest.exports.count(10)).toBe(10);
  });
});

describe('fuel', () => {
  /** Of the run of `fib(15)`: part of what the instrumenter promises, so it is the same on every engine and backend. */
  const FIB_15 = 47_352;

  test('is the same on every engine and in every run, however often the fiber is pre-empted', async () => {
    const used: number[] = [];
    for (const sliceMs of [1, 8, 1000]) {
      const guest = await metered({ limits: { sliceMs } });
      const fiber = guest.spawn('fib', [15]);
      expect(await fiber.result).toBe(610);
      used.push(fiber.fuel);
    }
    expect(used).toEqual([FIB_15, FIB_15, FIB_15]);
  });

  test('with exactly as much as it takes a fiber ends by itself, with one unit less it does not', async () => {
    const run = async (fuel: number): Promise<unknown> => {
      const guest = await metered();
      return guest.spawn('fib', [15], { fuel }).result.catch((error: { code: string }) => error.code);
    };
    // What is paid last may be paid where nothing is checked.
    expect(await run(FIB_15)).toBe(610);
    expect(await run(FIB_15 - 40)).toBe('OUT_OF_FUEL');
  });

  test('that is used up ends the fiber at the same place each time', async () => {
    const seen: number[] = [];
    for (let round = 0; round < 3; round++) {
      let notes = 0;
      const guest = await metered({ limits: { fuel: 100_000, sliceMs: 1 + round } }, { note: () => void notes++ });
      const fiber = guest.spawn('notes', [1_000_000]);
      const error = await failure(fiber.result);
      expect(error).toMatchObject({ code: 'OUT_OF_FUEL' });
      expect(String(error)).toMatch('100000 units');
      expect(fiber.fuel).toBeGreaterThan(100_000);
      seen.push(notes);
    }
    expect(seen[0]).toBeGreaterThan(1000);
    expect(new Set(seen).size).toBe(1);
  });

  test.each(ENDLESS)('%s ends', async (name) => {
    const guest = await metered({ limits: { fuel: 1_000_000 } });
    expect(await code(guest.spawn(name).result)).toBe('OUT_OF_FUEL');
  });

  test('a call may have more or less of it than others', async () => {
    const guest = await metered({ limits: { fuel: 1000 } });
    expect(await guest.spawn('count', [1000], { fuel: 1_000_000 }).result).toBe(1000);
    expect(await code(guest.exports.count(1000))).toBe('OUT_OF_FUEL');
  });

  test('waiting costs next to nothing', async () => {
    const guest = await metered();
    const [short, long] = [guest.spawn('wait', [1]), guest.spawn('wait', [50])];
    await Promise.all([short.result, long.result]);
    expect(short.fuel).toBe(long.fuel);
    expect(short.fuel).toBeLessThan(100);
  });

  test('that is out tells an event with the limit', async () => {
    const events: FiberEvent[] = [];
    const guest = await metered({ limits: { fuel: 1000 }, onEvent: (event) => events.push(event) });
    const error = await failure(guest.exports.forever());
    const told = events.filter(({ type }) => type === 'limit' || type === 'end');
    expect(told.map(({ type }) => type)).toEqual(['limit', 'end']);
    expect(told.map((each) => each.error)).toEqual([error, error]);
  });
});

describe('a sync call', () => {
  test('is never pre-empted, and what it uses is used by the fiber that it is called for', async () => {
    const guest: Guest<Metered> = await metered({}, { note: () => guest.sync.count(1000) });
    const [with1, with2] = [guest.spawn('notes', [1]), guest.spawn('notes', [2])];
    await Promise.all([with1.result, with2.result]);
    expect(with2.fuel - with1.fuel).toBeGreaterThan(5000);
    expect(guest.sync.count(1_000_000)).toBe(1_000_000);
  });

  test('that does not end within the limit is ended, and its guest with it', async () => {
    const guest = await metered({ limits: { timeout: 50 } });
    expect(() => guest.sync.forever()).toThrow(expect.objectContaining({ code: 'TIMEOUT' }));
    expect(await code(guest.exports.size())).toBe('GUEST_POISONED');
  });
});

describe('limits', () => {
  test.each([
    ['memory', 'grow', [7]],
    ['memory', 'grow', [-1]],
    ['table', 'table_grow', [91]],
    ['table', 'table_grow', [-1]],
    ['callDepth', 'deep', [500]],
  ] as const)('%s: %s(%j) ends the fiber by the name of the limit', async (limit, name, args) => {
    const guest = await metered();
    const error = await failure(guest.spawn(name, [...args] as [number]).result);
    expect(error).toMatchObject({ code: 'LIMIT_REACHED', limit });
    expect(guest.memory.buffer.byteLength).toBe(SIZE);
    expect(guest.exports.table.length).toBe(10);
  });

  test('up to the limit everything works', async () => {
    const guest = await metered();
    expect(await guest.exports.grow(6)).toBe(34);
    expect(await guest.exports.size()).toBe(40);
    expect(await guest.exports.table_grow(90)).toBe(10);
    expect(guest.exports.table.length).toBe(100);
    expect(await guest.exports.deep(400)).toBe(400);
  });

  test('calls that have ended, or were left by an exception, do not count', async () => {
    const guest = await metered();
    expect(await guest.exports.deep_often(300, 10)).toBe(10);
    expect(await Promise.all(Array.from({ length: 5 }, () => guest.exports.deep(300)))).toEqual(Array(5).fill(300));
    expect(guest.sync.count(3)).toBe(3);
  });

  test('one that is reached in a sync call has its name', async () => {
    const guest = await metered();
    expect(() => guest.sync.grow(100)).toThrow(expect.objectContaining({ code: 'LIMIT_REACHED', limit: 'memory' }));
  });
});

describe('work by size', () => {
  /** All but what its `malloc` gives, where stacks are unwound to. */
  const bytes = (guest: Guest<Metered>): Uint8Array => new Uint8Array(guest.memory.buffer, 0, SIZE - 65_536);

  test('costs by size, and is pre-empted in the middle', async () => {
    const guest = await metered({ limits: { sliceMs: 1 } });
    const [small, large] = [guest.spawn('fill', [0, 1, 1000]), guest.spawn('fill', [0, 1, 2_000_000])];
    await Promise.all([small.result, large.result]);
    expect(large.fuel - small.fuel).toBeGreaterThan(50_000);
    const often = guest.spawn('fill_often', [100]);
    await often.result;
    expect(often.slices).toBeGreaterThan(0);
  });

  test.each([
    [0, 0, 0],
    [5, 3, 600_000],
    [3, 5, 600_000],
    [1_000_000, 0, 1_000_000],
    [0, 1, 2_162_687],
    [1, 0, 2_162_687],
    [2_162_688, 0, 0],
  ])('a copy to %i from %i of %i bytes copies what it should', async (to, from, size) => {
    const guest = await metered();
    const memory = bytes(guest);
    for (let at = 0; at < memory.length; at += 4) new DataView(memory.buffer).setUint32(at, at * 2_654_435_761, true);
    const expected = memory.slice().copyWithin(to, from, from + size);
    await guest.exports.copy(to, from, size);
    expect(isSame(memory, expected)).toBe(true);
  });

  test.each([
    ['fill', [SIZE - 88, 1, 89]],
    ['fill', [1, 1, SIZE]],
    ['fill', [-4, 1, 8]],
    ['fill', [0, 1, -1]],
    ['copy', [0, 1_000_000, 1_228_225]],
    ['copy', [1_000_000, 0, 1_228_225]],
    ['copy', [-1, 0, 1_000_000]],
    ['init', [0, 5, 6]],
    ['init', [SIZE - 1, 0, 2]],
    ['init', [0, 1, 1_000_000]],
    ['table_fill', [5, 6]],
    ['table_copy', [0, 5, 6]],
    ['table_init', [9, 0, 2]],
    ['table_init', [0, 2, 2]],
  ] as const)('%s%j traps as it would, and writes nothing', async (name, args) => {
    const guest = await metered();
    const error = await failure(guest.spawn(name, [...args] as [number, number, number]).result);
    expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
    expect(bytes(guest).every((byte) => byte === 0)).toBe(true);
    expect(guest.exports.table.get(0)).toBe(null);
  });

  test('tables are filled, copied and initialised', async () => {
    const guest = await metered();
    const { table } = guest.exports;
    await guest.exports.table_init(0, 0, 3);
    await guest.exports.table_copy(2, 0, 3);
    const names = (): boolean[] => Array.from({ length: 6 }, (_, at) => table.get(at) !== null);
    expect(names()).toEqual([true, true, true, true, true, false]);
    expect(table.get(2)).toBe(table.get(0));
    await guest.exports.table_fill(1, 2);
    expect(names()).toEqual([true, false, false, true, true, false]);
  });

  test('what is small stays in its place', async () => {
    const guest = await metered();
    await guest.exports.fill_small(10);
    await guest.exports.init(200, 2, 3);
    expect([...bytes(guest).subarray(108, 112), ...bytes(guest).subarray(200, 204)]).toEqual([
      7, 7, 0, 0, 50, 51, 52, 0,
    ]);
  });
});

test('a guest that is not metered takes no limits that it could not keep', async () => {
  const load = (options: GuestOptions): Promise<Guest<{ once(x: number): number }>> =>
    instantiate(guestSource('no-memory'), { env: { wait: sleep } }, options);
  for (const options of [{ limits: { fuel: 1 } }, { limits: { sliceMs: 1 } }, { weight: 1 }]) {
    const error = await failure(load(options));
    expect(error).toMatchObject({ code: 'INVALID_OPTION' });
    expect(String(error)).toMatch('Instrument it with --metered');
  }
  const guest = watch(await load({ limits: { timeout: 20 } }));
  expect(() => guest.spawn('once', [1], { fuel: 1 })).toThrow('for metered guests');
  expect(await code(guest.exports.once(10_000))).toBe('TIMEOUT');
});

test('options that make no sense are named', async () => {
  const wrong = async (options: object): Promise<unknown> => failure(metered(options as GuestOptions));
  expect(await wrong({ limits: { fuel: -1 } })).toMatchObject({ code: 'INVALID_OPTION' });
  expect(String(await wrong({ limits: { fule: 1 } }))).toMatch('There is no option fule');
  expect(String(await wrong({ limits: { sliceMs: 0 } }))).toMatch(
    'sliceMs must be a number of milliseconds from 1 to 1000',
  );
  expect(String(await wrong({ weight: 0 }))).toMatch('weight must be a number');
  const guest = await metered();
  expect(() => guest.spawn('count', [1], { fuel: Number.NaN })).toThrow('fuel must be a number of units');
  expect(guest.backend).toBe(backend);
});

/** Quicker than comparing element by element with messages. */
function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}
