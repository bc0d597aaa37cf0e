// Objects that the host cannot look into pass as references: to this guest, as this class, until they are disposed of, and
// the guest keeps them exactly that long.
import { describe, expect, expectTypeOf, test } from 'vitest';
import { Reference } from 'wasm-fibers/assemblyscript';
import { failure, turn } from '../support/core.ts';
import { openValues } from '../support/values.ts';

const VARIANTS = ['O0', 'O3', 'Oz', 'debug', 'steps', 'minimal', 'stub'];

async function open(variant = 'O3'): ReturnType<typeof openValues> {
  return openValues(
    variant,
    (_name, value) => value,
    // Minimal collects only where the embedder knows that it may.
    variant === 'minimal' ? null : (exports) => exports['collect']?.(0),
  );
}

/** A guest of `minimal` has the host call its collector, which may be done while no fiber is alive. */
const collect = (sync: Awaited<ReturnType<typeof open>>['sync']): unknown => (sync['__collect'] ?? sync['collect'])?.();

describe.each(VARIANTS)('a reference (%s)', (variant) => {
  test('stands for its object across collections, and is one and the same for it', async () => {
    const { exports, sync } = await open(variant);
    const counter = await exports['makeCounter']?.(5);
    expect(counter).toBeInstanceOf(Reference);
    for (let i = 0; i < 50; i++) {
      collect(sync);
      sync['churn']?.(20);
      expect(await exports['increment']?.(counter)).toBe(6 + i);
    }
    expect(await exports['sameCounter']?.(counter)).toBe(counter);
    expect(sync['counterOrNull']?.(counter)).toBe(counter);
    expect(sync['counterOrNull']?.(null)).toBe(null);
    expect(await exports['makeCounter']?.(5)).not.toBe(counter);
  });

  test('may be an element or a field', async () => {
    const { exports, sync } = await open(variant);
    // Holding them allocates, and so collects when there is enough garbage.
    for (let i = 1; i < 20; i++) {
      const more = (await exports['makeCounters']?.(i)) as Reference[];
      expect(sync['sumOf']?.(more)).toBe((i * (i - 1)) / 2);
      for (const each of more) each[Symbol.dispose]();
    }
    const counters = (await exports['makeCounters']?.(40)) as Reference[];
    collect(sync);
    sync['churn']?.(50);
    expect(sync['sumOf']?.(counters)).toBe(780);
    expect(sync['sumOf']?.([...counters, ...counters])).toBe(1560);
    const pair = (await exports['makePair']?.('four')) as { first: Reference; second: Reference; label: string };
    expect(sync['increment']?.(pair.second)).toBe(5);
    const swapped = (await exports['swap']?.(pair)) as typeof pair;
    expect(swapped).toEqual({ first: pair.second, second: pair.first, label: 'four' });
    expect(swapped.first).toBe(pair.second);
  });

  test('passes through imports that wait', async () => {
    const seen: unknown[] = [];
    const guest = await openValues(variant, async (_name, counter) => {
      seen.push(counter);
      await turn();
      guest.sync['collect']?.();
      guest.sync['increment']?.(counter);
      return counter;
    });
    const counters = Array.from({ length: 50 }, (_, i) => guest.sync['makeCounter']?.(i));
    const results = await Promise.all(counters.map((counter) => guest.exports['throughCounter']?.(counter)));
    expect(results).toEqual(counters.map((_, i) => i + 1));
    expect(new Set(seen).size).toBe(50);
  });
});

describe('a reference is refused', () => {
  test.each([
    [
      'that was disposed of',
      async ({ exports }: Awaited<ReturnType<typeof open>>) => {
        const counter = (await exports['makeCounter']?.(1)) as Reference;
        counter[Symbol.dispose]();
        counter[Symbol.dispose]();
        return [counter, 'Reference(Counter) (disposed)'];
      },
    ],
    [
      'of another guest',
      async () => [await (await open()).exports['makeCounter']?.(1), 'Reference(Counter) of another guest'],
    ],
    [
      'of another class',
      async ({ exports }: Awaited<ReturnType<typeof open>>) => [
        await exports['makeMap']?.(),
        /^Reference\(.*Map<.*\)$/,
      ],
    ],
  ])('%s', async (_what, make) => {
    const guest = await open();
    const [reference, given] = await make(guest);
    const start = 'increment: parameter "counter" must be a Reference(Counter) of this guest, not ';
    const { message, constructor } = (await failure(
      guest.exports['increment']?.(reference) as Promise<unknown>,
    )) as Error;
    expect(constructor).toBe(TypeError);
    expect(message.slice(0, start.length)).toBe(start);
    expect(message.slice(start.length)).toMatch(given as string);
  });

  test('that is made by the host, or made up', async () => {
    expect(() => new Reference('Counter')).toThrow(TypeError);
    const guest = await open();
    const counter = guest.sync['makeCounter']?.(1);
    const pretended = Object.create(counter as object) as unknown;
    expect(() => guest.sync['increment']?.(pretended)).toThrow(TypeError);
    expect(() => guest.sync['increment']?.(Object.create(Reference.prototype))).toThrow(TypeError);
  });
});

test('an object of a subclass passes where what its class extends is taken, and nowhere else', async () => {
  const { sync } = await open();
  const named = sync['makeNamed']?.('Ada');
  expect(sync['increment']?.(named)).toBe(1);
  expect(sync['asCounter']?.(named)).toBe(named);
  expect(sync['nameOf']?.(named)).toBe('Ada');
  expect(() => sync['titleOf']?.(named)).toThrow(/must be a Reference\(Titled\)/);
  expect(() => sync['nameOf']?.(sync['makeCounter']?.(1))).toThrow(/must be a Reference\(Named\)/);
  const titled = sync['makeTitled']?.('Grace', 'Admiral');
  expect([sync['nameOf']?.(titled), sync['titleOf']?.(titled), sync['increment']?.(titled)]).toEqual([
    'Grace',
    'Admiral',
    1,
  ]);
});

test('an instance of a class that extends an array is a reference, with the fields that its class has', async () => {
  const { sync, exports } = await open();
  const stack = await exports['makeStack']?.(5);
  expect(String(stack)).toBe('Reference(Stack)');
  expect(sync['limitOf']?.(stack)).toBe(705);
  expect(() => sync['limitOf']?.([5])).toThrow(/must be a Reference\(Stack\) of this guest, not an array/);
});

test('a reference says what it is, and cannot be changed', async () => {
  const { sync } = await open();
  const counter = sync['makeCounter']?.(1) as Reference;
  expect(String(counter)).toBe('Reference(Counter)');
  expect(counter.className).toBe('Counter');
  expect(Object.isFrozen(counter)).toBe(true);
  expectTypeOf<Reference<'Counter'>>().not.toExtend<Reference<'Named'>>();
});

test('what is disposed of is freed, and the rest is not', async () => {
  const guest = await open();
  collect(guest.sync);
  const kept = guest.sync['makeCounter']?.(7);
  const before = guest.sync['memorySize']?.();
  for (let i = 0; i < 20_000; i++) {
    const counter = guest.sync['makeCounter']?.(i) as Reference;
    if (guest.sync['increment']?.(counter) !== i + 1) throw new Error(`counter ${i} is another`);
    counter[Symbol.dispose]();
  }
  expect(guest.sync['memorySize']?.()).toBe(before);
  expect(guest.sync['increment']?.(kept)).toBe(8);
});

test('the collector of a minimal guest is refused while the guest uses what it would free', async () => {
  const refused: unknown[] = [];
  const attempt = (): void => {
    try {
      guest.sync['__collect']?.();
      refused.push('collected');
    } catch (error) {
      refused.push((error as { code?: unknown }).code);
    }
  };
  const guest = await openValues('minimal', (name, value) => {
    attempt();
    return name === 'plain' ? value : turn().then(() => value);
  });
  const fiber = guest.exports['throughString']?.('in a fiber');
  attempt();
  expect(await failure(guest.exports['__collect']?.() as Promise<unknown>)).toMatchObject({
    code: 'UNSAFE_COLLECTION',
  });
  expect(await fiber).toBe('in a fiber');
  expect(guest.sync['throughPlain']?.('in a call')).toBe('in a callin a call');
  const value = {
    get x(): number {
      attempt();
      return 1;
    },
    y: 2,
  };
  expect(await guest.exports['echoPoint']?.(value)).toEqual({ x: 1, y: 2 });
  expect(refused).toEqual(Array.from({ length: 4 }, () => 'UNSAFE_COLLECTION'));
  attempt();
  await guest.exports['__collect']?.();
  expect(refused.at(-1)).toBe('collected');
});
