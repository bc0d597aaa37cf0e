// What typed guests return, are given and hold stays what it is, whatever comes between the moment at which a fiber is told
// to go on and the one at which its guest does: on JSPI these are microtasks apart, and any number of others may be due.
import { describe, expect, test } from 'vitest';
import { currentFiber, type Guest, type GuestOptions, instantiate, type Reference } from 'wasm-fibers/assemblyscript';
import { failure, turn, watch } from '../support/core.ts';
import { guestSource } from '../support/guest.ts';
import { openValues } from '../support/values.ts';

interface Item {
  name: string;
  at: number;
  tags: string[];
}

interface Exports {
  label(seed: number): string;
  labels(seed: number, length: number): string[];
  labelled(seed: number): Item;
  seal(seed: number): Reference<'Sealed'>;
  unseal(sealed: Reference<'Sealed'>): string;
  join(items: Item[], separator: string): string;
  trapBehind(seed: number): string;
  hold(n: number): number;
  run(seed: number, steps: number): number;
  collectAndLitter(): void;
}

const word = (seed: number): string => `<${seed}:${Math.imul(seed, 7)}>`;
const label = (seed: number): string => word(seed) + word(seed + 1) + word(seed + 2);

/** A guest whose `text` is given; the other imports give what the guest expects, at once. */
async function open(
  text: (seed: number) => unknown,
  variant = 'O3',
  options: GuestOptions = {},
  more: Record<string, (...args: never[]) => unknown> = {},
): Promise<Guest<Exports>> {
  const env = {
    text,
    words: (seed: number, length: number) => Array.from({ length }, (_, i) => word(seed + i)),
    bytes: (seed: number, length: number) => Uint8Array.from({ length }, (_, i) => seed + i * 7),
    numbers: (seed: number, length: number) => Array.from({ length }, (_, i) => (seed * i) / 2),
    item: (seed: number) => ({ name: word(seed), at: seed, tags: [word(seed + 1), word(seed + 2)] }),
    maybe: (seed: number) => (seed & 1 ? null : word(seed)),
    echo: (all: string[]) => all,
    ...more,
  };
  return watch(await instantiate<Exports>(guestSource(`typed/soundness-${variant}`), { env }, options));
}

/** Collects, and overwrites what was freed, in each of the next microtasks: wherever there is a gap. */
async function collectInEveryGap(guest: Guest<Exports>, microtasks = 80): Promise<void> {
  for (let i = 0; i < microtasks; i++) {
    await Promise.resolve();
    guest.sync.collectAndLitter();
  }
}

function stackPointer(guest: Guest<Exports>): unknown {
  const get = guest.instance.exports['wasm-fibers.get_stack'];
  return typeof get === 'function' ? get() : null;
}

/** A wait that all who make it share, until it is ended and the next one begins. */
class Shared {
  #end: (error: unknown) => void = () => undefined;
  #open = this.#next();

  #next(): Promise<void> {
    const next = new Promise<void>((resolve, reject) => {
      this.#end = (error) => (error === undefined ? resolve() : reject(error as Error));
    });
    // Nobody may have waited for it.
    next.catch(() => undefined);
    return next;
  }

  readonly text = (seed: number): Promise<string> => this.#open.then(() => word(seed));

  end(error?: unknown): void {
    const end = this.#end;
    this.#open = this.#next();
    end(error);
  }
}

const COLLECTING = ['O0', 'O3', 'Oz', 'debug'];

describe.each(COLLECTING)('waits that end in one turn, with a collection in every gap (%s)', (variant) => {
  test('bring every fiber its own result, of every kind', async () => {
    const shared = new Shared();
    const guest = await open(shared.text, variant);
    const before = stackPointer(guest);
    const { exports } = guest;
    const results = Promise.all([
      exports.label(1),
      exports.label(2),
      exports.labels(10, 2),
      exports.labelled(20),
      exports.seal(30).then((sealed) => guest.sync.unseal(sealed)),
      exports.join([{ name: 'a', at: 40, tags: [] }], '|'),
    ]);
    while (guest.fibers.length > 0) {
      shared.end();
      await collectInEveryGap(guest);
      await turn();
    }
    expect(await results).toEqual([
      label(1),
      label(2),
      [word(10) + word(10), word(11) + word(11)],
      { name: word(20) + word(20), at: 20, tags: [word(21), word(22)] },
      word(30) + word(30),
      `a|${word(40)}|`,
    ]);
    expect(stackPointer(guest)).toBe(before);
  });

  test('and fail for some: these end with their error, the others lose nothing', async () => {
    const shared = new Shared();
    const refused = new Shared();
    const guest = await open((seed) => (seed % 10 === 7 ? refused.text(seed) : shared.text(seed)), variant);
    const before = stackPointer(guest);
    const fine = [10, 20, 30].map((seed) => guest.exports.label(seed));
    const failing = [17, 27].map((seed) => guest.exports.label(seed));
    const late = guest.exports.labels(16, 2);
    const trapping = guest.exports.trapBehind(40);
    const refusal = new RangeError('no text today');
    const failures = Promise.all([...failing, late, trapping].map(failure));
    while (guest.fibers.length > 0) {
      shared.end();
      refused.end(refusal);
      await collectInEveryGap(guest);
      await turn();
    }
    const [first, second, third, trap] = await failures;
    expect([first, second, third]).toEqual([refusal, refusal, refusal]);
    expect(first).toBe(refusal);
    expect(trap).toBeInstanceOf(WebAssembly.RuntimeError);
    expect(await Promise.all(fine)).toEqual([10, 20, 30].map(label));
    expect(guest.fibers).toEqual([]);
    expect(stackPointer(guest)).toBe(before);
  });
});

describe.each([...COLLECTING, 'minimal', 'stub'])('300 fibers that return strings (%s)', (variant) => {
  test.each([
    ['which all waited for one promise', (shared: Shared) => shared.text],
    ['which never waited', () => word],
    ['every other of which waited', (shared: Shared) => (seed: number) => (seed & 1 ? shared.text(seed) : word(seed))],
  ])('%s', async (_how, textOf) => {
    const shared = new Shared();
    const guest = await open(textOf(shared), variant);
    const all = Array.from({ length: 300 }, async (_, i) => {
      const text = await guest.exports.label(i);
      // Allocates, while the others are on their way.
      void guest.exports.run(i, 1);
      return text;
    });
    while (guest.fibers.length > 0) {
      shared.end();
      await turn();
    }
    expect(await Promise.all(all)).toEqual(all.map((_, i) => label(i)));
  });
});

test('getters of the embedder run as the waiting fiber, may collect and call the guest, while a value is lowered', async () => {
  const seen: unknown[] = [];
  const others: Promise<string>[] = [];
  const item = async (seed: number): Promise<Item> => {
    await turn();
    return {
      get name() {
        seen.push(currentFiber());
        guest.sync.collectAndLitter();
        others.push(guest.exports.label(seed));
        return word(seed);
      },
      get at() {
        guest.sync.collectAndLitter();
        return seed;
      },
      get tags() {
        guest.sync.collectAndLitter();
        return [word(seed + 1), word(seed + 2)];
      },
    };
  };
  const guest = await open((seed) => turn().then(() => word(seed)), 'O3', {}, { item });
  // Some of these programs ask for items.
  const runs = Array.from({ length: 60 }, (_, i) => guest.spawn('run', [i * 5, 2]));
  expect(await Promise.all(runs.map(({ result }) => result))).toEqual(runs.map(() => 0));
  expect(seen.length).toBeGreaterThan(10);
  expect(seen.every((fiber) => runs.includes(fiber as (typeof runs)[0]))).toBe(true);
  for (const each of await Promise.all(others)) expect(each).toBe(label(Number(/-?\d+/.exec(each)?.[0])));
});

test('a fiber that is cancelled when its wait has just ended is cancelled, in whatever microtask that is', async () => {
  const shared = new Shared();
  const guest = await open(shared.text);
  const before = stackPointer(guest);
  for (let gap = 0; gap < 12; gap++) {
    const fibers = [1, 2, 3].map((seed) => guest.spawn('label', [seed]));
    const results = Promise.allSettled(fibers.map(({ result }) => result));
    shared.end();
    for (let i = 0; i < gap; i++) await Promise.resolve();
    const cancelled = fibers[1]?.cancel();
    guest.sync.collectAndLitter();
    while (guest.fibers.length > 0) {
      await turn();
      shared.end();
    }
    const [first, second, third] = await results;
    expect([first, third]).toEqual([1, 3].map((seed) => ({ status: 'fulfilled', value: label(seed) })));
    expect(cancelled).toBe(true);
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'CANCELLED' } });
  }
  expect(stackPointer(guest)).toBe(before);
});

test('calls that wait for calls of the same guest, with strings on each stack', async () => {
  const guest: Guest<Exports> = await open((seed) =>
    seed > 0 ? guest.exports.label(seed - 60) : turn().then(() => word(seed)),
  );
  const given = (seed: number): string => (seed > 0 ? whole(seed - 60) : word(seed));
  const whole = (seed: number): string => given(seed) + word(seed + 1) + given(seed + 2);
  const calls = [301, 305, 420].map((seed) => guest.exports.label(seed));
  const done = Promise.all(calls);
  await collectInEveryGap(guest, 300);
  expect(await done).toEqual([301, 305, 420].map(whole));
});

test('an exclusive guest with typed values: one after the other, collected in between', async () => {
  const guest = await open((seed) => turn().then(() => word(seed)), 'O3', { exclusive: true });
  const all = Array.from({ length: 40 }, (_, i) => guest.exports.label(i));
  const done = Promise.all(all);
  await collectInEveryGap(guest, 200);
  expect(await done).toEqual(all.map((_, i) => label(i)));
});

test('a value of the wrong type, and a replacement for a rejection, are given where the wait ends', async () => {
  const guest = await open(
    (seed) => turn().then(() => (seed === 5 ? 5 : seed === 6 ? Promise.reject(new Error('six')) : word(seed))),
    'O3',
    { onReject: (error) => ((error as Error).message === 'six' ? word(6) : undefined) },
  );
  const before = stackPointer(guest);
  const [wrong, right, replaced] = [guest.exports.label(3), guest.exports.label(1), guest.exports.label(4)];
  const failed = failure(wrong);
  await collectInEveryGap(guest, 20);
  expect((await failed) as Error).toMatchObject({
    name: 'TypeError',
    message: expect.stringContaining('must be a string'),
  });
  expect(await Promise.all([right, replaced])).toEqual([label(1), label(4)]);
  expect(stackPointer(guest)).toBe(before);
});

test('fibers that hold strings are ended with their guest, and those of another go on', async () => {
  const shared = new Shared();
  const [doomed, other] = [await open(shared.text), await open(shared.text)];
  const ends = Array.from({ length: 20 }, (_, i) => failure(doomed.exports.label(i)));
  const kept = Array.from({ length: 20 }, (_, i) => other.exports.label(i));
  shared.end();
  await Promise.resolve();
  await doomed.dispose();
  expect(new Set((await Promise.all(ends)).map((error) => (error as { code?: unknown }).code))).toEqual(
    new Set(['CANCELLED']),
  );
  while (other.fibers.length > 0) {
    shared.end();
    await collectInEveryGap(other, 10);
    await turn();
  }
  expect(await Promise.all(kept)).toEqual(kept.map((_, i) => label(i)));
});

test('the collector of a minimal guest is refused until the last fiber has run to its end, in whatever microtask', async () => {
  const shared = new Shared();
  const guest = await openValues('minimal', (name, value) =>
    shared.text(0).then(() => (name === 'string' ? value : 1)),
  );
  const attempt = (): string => {
    try {
      guest.sync['__collect']?.();
      guest.sync['churn']?.(20);
      return 'collected';
    } catch (error) {
      return String((error as { code?: unknown }).code);
    }
  };
  const text = 'alive across the wait, and long enough to be noticed';
  for (let round = 0; round < 3; round++) {
    const results = Promise.all([1, 2].map(() => guest.exports['throughString']?.(text)));
    await turn();
    shared.end();
    for (let gap = 1; guest.fibers.length > 0; gap++) {
      expect(attempt()).toBe('UNSAFE_COLLECTION');
      // The runtime lets others run now and then, so a turn must come, too.
      await (gap % 50 === 0 ? turn() : Promise.resolve());
    }
    expect(await results).toEqual([text, text]);
    expect(attempt()).toBe('collected');
  }
});
