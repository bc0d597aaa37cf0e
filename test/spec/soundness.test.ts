// Nothing that a suspended AssemblyScript fiber holds is lost, whatever the compiler made of it: thousands of fibers at
// random depths, values from the host alive in the middle of expressions, collections at every call of the host.
import { describe, expect, test } from 'vitest';
import { type Guest, instantiate } from 'wasm-fibers/assemblyscript';
import { iterations } from '../support/backend.ts';
import { failure, Gate, watch } from '../support/core.ts';
import { guestSource } from '../support/guest.ts';
import { Scatter } from '../support/scatter.ts';

interface Item {
  name: string;
  at: number;
  tags: string[];
}

interface Soundness {
  run(seed: number, steps: number): number;
  join(items: Item[], separator: string): string;
  loop(n: number): number;
  collectAndLitter(): void;
  hold(n: number): number;
  hoard(bytes: number): void;
  letGo(): void;
}

const word = (seed: number): string => `<${seed}:${Math.imul(seed, 7)}>`;
const words = (seed: number, length: number): string[] => Array.from({ length }, (_, i) => word(seed + i));

/** Opens a guest that collects at every `collectEvery`th call of the host; 0: only when its runtime wants to. */
async function open(name: string, scatter: Scatter, collectEvery: number): Promise<Guest<Soundness>> {
  let calls = 0;
  /** Now, or when the wait ends; a value is made as late as it can be. */
  const give = <T>(make: () => T): T | Promise<T> => {
    if (collectEvery > 0 && ++calls % collectEvery === 0) guest.sync.collectAndLitter();
    return scatter.random(4) === 0 ? make() : scatter.later(make);
  };
  const env = {
    text: (seed: number) => give(() => word(seed)),
    words: (seed: number, length: number) => give(() => words(seed, length)),
    bytes: (seed: number, length: number) => give(() => Uint8Array.from({ length }, (_, i) => seed + i * 7)),
    numbers: (seed: number, length: number) => give(() => Array.from({ length }, (_, i) => (seed * i) / 2)),
    item: (seed: number) => give((): Item => ({ name: word(seed), at: seed, tags: words(seed + 1, 2) })),
    maybe: (seed: number) => give(() => (seed & 1 ? null : word(seed))),
    echo: (all: string[]) => give(() => all),
  };
  const guest: Guest<Soundness> = await instantiate<Soundness>(guestSource(`typed/${name}`), { env });
  return watch(guest);
}

function stackPointer(guest: Guest<Soundness>): unknown {
  const get = guest.instance.exports['wasm-fibers.get_stack'];
  return typeof get === 'function' ? get() : null;
}

const FIBERS = iterations(2000);
const WAITS = iterations(95_000);

/** Every optimisation level and runtime that may be used; soundness.ts compiled with each. */
const VARIANTS = ['O0', 'O1', 'O2', 'O3', 'Os', 'Oz', 'debug', 'minimal', 'stub'].map((each) => `soundness-${each}`);

describe('I.1 values from the host, alive in the middle of expressions across waits', () => {
  test.each(VARIANTS)('a collection at every call of the host (%s)', async (name) => {
    const scatter = new Scatter(11);
    const guest = await open(name, scatter, 1);
    const before = stackPointer(guest);
    const runs = Array.from({ length: 200 }, (_, i) => guest.exports.run(i * 31, 4));
    expect((await Promise.all(runs)).filter((wrong) => wrong !== 0)).toEqual([]);
    expect(stackPointer(guest)).toBe(before);
    expect(scatter.most).toBeGreaterThan(100);
  });

  test.each(['soundness-O3', 'soundness-O0', 'soundness-Oz'])(
    `${FIBERS} fibers, collected as the runtime likes it and now and then by force (%s)`,
    async (name) => {
      const scatter = new Scatter(12);
      const guest = await open(name, scatter, 50);
      const runs = Array.from({ length: FIBERS }, (_, i) => guest.exports.run(i * 17, 5));
      expect((await Promise.all(runs)).filter((wrong) => wrong !== 0)).toEqual([]);
      expect(scatter.most).toBeGreaterThan(FIBERS / 2);
    },
  );

  test('some of them cancelled, others calling in meanwhile', async () => {
    const scatter = new Scatter(13);
    const guest = await open('soundness-O3', scatter, 3);
    const fibers = Array.from({ length: 300 }, (_, i) => guest.spawn('run', [i * 13, 5]));
    const items = (seed: number): Item[] => [0, 1, 2].map((i) => ({ name: word(seed), at: seed + i, tags: [] }));
    const joined = Array.from({ length: 100 }, (_, i) => guest.exports.join(items(i), '|'));
    let cancelled = 0;
    while (cancelled < 100) {
      await scatter.later(() => undefined);
      const fiber = fibers[scatter.random(fibers.length)];
      if (fiber === undefined || !fiber.cancel()) {
        if (fibers.every(({ state }) => state === 'done')) break;
      } else cancelled++;
    }
    const results = await Promise.allSettled(fibers.map(({ result }) => result));
    expect(results.filter((each) => each.status === 'fulfilled' && each.value !== 0)).toEqual([]);
    expect(results.filter(({ status }) => status === 'rejected').length).toBe(cancelled);
    const expected = (seed: number): string => [0, 1, 2].map((i) => `${word(seed)}|${word(seed + i)}|`).join('');
    expect(await Promise.all(joined)).toEqual(joined.map((_, i) => expected(i)));
  });
});

test('R.2 a fiber for whose stack there is no memory fails, and the one that is in its place loses nothing', async () => {
  const gate = new Gate();
  const env: Record<string, (...args: never[]) => unknown> = { text: gate.wait };
  for (const name of ['words', 'bytes', 'numbers', 'item', 'maybe', 'echo']) env[name] = () => undefined;
  const guest = watch(await instantiate<Soundness>(guestSource('typed/soundness-tiny'), { env }));
  const before = stackPointer(guest);
  const first = guest.exports.hold(1000);
  for (const bytes of [4096, 256, 16]) {
    expect(() => {
      for (;;) guest.sync.hoard(bytes);
    }).toThrow(WebAssembly.RuntimeError);
  }
  for (let i = 0; i < 3; i++) {
    expect(await failure(guest.exports.hold(1))).toBeInstanceOf(WebAssembly.RuntimeError);
  }
  guest.sync.letGo();
  const second = guest.exports.hold(50);
  guest.sync.collectAndLitter();
  for (const { resolve } of gate.calls) resolve(word(0));
  expect(await Promise.all([first, second])).toEqual([0, 0]);
  expect(stackPointer(guest)).toBe(before);
});

test(`R.1 the memory is stable over ${10 * WAITS} waits, each with a string from the host`, async () => {
  const settled = Promise.resolve();
  const env: Record<string, (...args: never[]) => unknown> = { text: (seed: number) => settled.then(() => word(seed)) };
  for (const name of ['words', 'bytes', 'numbers', 'item', 'maybe', 'echo']) env[name] = () => undefined;
  const guest = watch(await instantiate<Soundness>(guestSource('typed/soundness-O3'), { env }));
  expect(await guest.exports.loop(50_000)).toBe(0);
  const pages = guest.memory.buffer.byteLength;
  expect(await Promise.all(Array.from({ length: 10 }, () => guest.exports.loop(WAITS)))).toEqual(Array(10).fill(0));
  expect(guest.memory.buffer.byteLength).toBe(pages);
}, 120_000);
