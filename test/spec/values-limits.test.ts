// Values that are no plain data: with getters that call the guest or throw, that contain themselves, that are memory of the
// guest; and guests that pass what cannot be.
import { describe, expect, test } from 'vitest';
import { AssemblyScriptError } from 'wasm-fibers/assemblyscript';
import { failure, turn } from '../support/core.ts';
import { openValues } from '../support/values.ts';

const messageOf = async (promise: unknown): Promise<string> =>
  ((await failure(promise as Promise<unknown>)) as Error).message;

/** Of bytes that would fill the screen. */
const hash = (bytes: unknown): number =>
  (bytes as Uint8Array).reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, 0);

describe('getters of a value', () => {
  test('may call the guest, have it collect and grow its memory: what is being made stays whole', async () => {
    const guest = await openValues('steps', (_name, value) => value);
    let calls = 0;
    const disturb = <T>(value: T): T => {
      guest.sync['collect']?.();
      guest.sync['churn']?.(30);
      guest.sync['echoPoints']?.([{ x: 1, y: 2 }]);
      // More pages now and then.
      if (++calls % 4 === 0) guest.memory.grow(1);
      return value;
    };
    const disturbing = <T extends object>(value: T): T =>
      new Proxy(value, {
        get: (target, name, receiver) => disturb(Reflect.get(target, name, receiver) as unknown),
      });
    const numbers = disturbing([1, 2, 3, 4, 5]);
    expect(guest.sync['echoI32s']?.(numbers)).toEqual([1, 2, 3, 4, 5]);
    expect(guest.sync['echoF64s']?.(numbers)).toEqual([1, 2, 3, 4, 5]);
    expect(guest.sync['echoI64s']?.(disturbing([1n, 2n]))).toEqual([1n, 2n]);
    expect(await guest.exports['echoStrings']?.(disturbing(['a', 'b', 'c']))).toEqual(['a', 'b', 'c']);
    const tree = (depth: number): unknown =>
      disturbing({ value: `at ${depth}`, children: depth === 0 ? [] : disturbing([tree(depth - 1), tree(depth - 1)]) });
    expect(await guest.exports['echoTree']?.(tree(3))).toEqual(guest.sync['echoTree']?.(tree(3)));
    const args = ['text', disturbing(['x', 'y']), tree(1), new Uint8Array([1, 2]), 3n];
    const through = (await guest.exports['throughPoints']?.(disturbing([disturbing({ x: 1, y: 2 })]))) as unknown;
    expect(through).toEqual([{ x: 1, y: 2 }]);
    expect(args.length).toBe(5);
  });

  test('that throw end the call with what they threw, and nothing else', async () => {
    const thrown = new Error('of a getter');
    const value = {
      x: 1,
      get y(): number {
        throw thrown;
      },
    };
    const guest = await openValues('O3', () => Promise.resolve(value));
    const pointer = guest.instance.exports['__fibers_get_stack'] as () => number;
    const before = pointer();
    expect(await failure(guest.exports['echoPoint']?.(value) as Promise<unknown>)).toBe(thrown);
    expect(await failure(guest.exports['echoPoints']?.([value]) as Promise<unknown>)).toBe(thrown);
    expect(await failure(guest.exports['throughPoint']?.({ x: 1, y: 2 }) as Promise<unknown>)).toBe(thrown);
    expect(() => guest.sync['echoPoint']?.(value)).toThrow(thrown);
    expect(pointer()).toBe(before);
    expect(await guest.exports['echoPoint']?.({ x: 1, y: 2 })).toEqual({ x: 1, y: 2 });
  });

  test('that start fibers have them run afterwards', async () => {
    const guest = await openValues('O3', (_name, value) => turn().then(() => value));
    const inner: unknown[] = [];
    const value = {
      get x(): number {
        inner.push(guest.exports['throughString']?.('inner'));
        return 1;
      },
      y: 2,
    };
    expect(await guest.exports['throughPoint']?.(value)).toEqual({ x: 1, y: 2 });
    expect(await Promise.all(inner)).toEqual(['inner']);
  });
});

describe('values without an end', () => {
  test('an object that contains itself is refused, and so is a long chain', async () => {
    const guest = await openValues('O3', (_name, value) => value);
    const list: { value: number; next: unknown } = { value: 1, next: null };
    list.next = { value: 2, next: list };
    expect(await messageOf(guest.exports['echoList']?.(list))).toMatch(
      /^echoList: parameter "value\.next.*" contains itself/,
    );
    const tree: { value: string; children: unknown[] } = { value: '', children: [] };
    tree.children.push(tree);
    expect(await messageOf(guest.exports['echoTree']?.(tree))).toMatch(/contains itself/);
    let chain: unknown = null;
    for (let i = 0; i < 10_000; i++) chain = { value: i, next: chain };
    expect(await messageOf(guest.exports['echoList']?.(chain))).toMatch(/is nested more than 500 levels deep/);
    let short: unknown = null;
    for (let i = 0; i < 500; i++) short = { value: i, next: short };
    expect(await guest.exports['echoList']?.(short)).toEqual(short);
  });

  test('so are those of the guest', async () => {
    const guest = await openValues('O3', () => undefined);
    expect(await messageOf(guest.exports['endlessList']?.())).toMatch(/^endlessList: result\.next.* contains itself/);
    expect(await messageOf(guest.exports['longList']?.(100_000))).toMatch(/is nested more than 500 levels deep/);
    expect(await guest.exports['longList']?.(3)).toEqual({
      value: 0,
      next: { value: 1, next: { value: 2, next: null } },
    });
  });

  test('the same object twice is copied twice', async () => {
    const guest = await openValues('O3', () => undefined);
    const shared = { value: 'shared', children: [] };
    const tree = { value: 'top', children: [shared, shared] };
    expect(await guest.exports['echoTree']?.(tree)).toEqual(tree);
  });
});

describe('bytes that are memory of the guest', () => {
  test('are those that were there, though the memory grows while they are passed', async () => {
    for (const variant of ['O3', 'stub']) {
      const guest = await openValues(variant, () => undefined);
      const pattern = Uint8Array.from({ length: 200_000 }, (_, i) => i * 7);
      // Memory that nobody frees, nor allocates again.
      const reserve = guest.instance.exports['__fibers_window'] as (bytes: number) => number;
      const at = reserve(pattern.length);
      new Uint8Array(guest.memory.buffer).set(pattern, at);
      for (let i = 0; i < 6; i++) {
        const view = new Uint8Array(guest.memory.buffer, at, pattern.length);
        expect(hash(await guest.exports['echoUint8Array']?.(view))).toBe(hash(pattern));
      }
      const whole = (await guest.exports['echoBuffer']?.(guest.memory.buffer)) as ArrayBuffer;
      expect(hash(new Uint8Array(whole, at, pattern.length))).toBe(hash(pattern));
    }
  });

  test('results are copies', async () => {
    const guest = await openValues('O3', () => undefined);
    const bytes = (await guest.exports['echoUint8Array']?.(new Uint8Array([1, 2]))) as Uint8Array;
    expect(bytes.buffer).not.toBe(guest.memory.buffer);
    expect(bytes.buffer.byteLength).toBe(2);
  });
});

test('a value for which the guest has no memory fails alone', async () => {
  // Of at most 200 pages.
  const guest = await openValues('steps', (_name, value) => value);
  const long = 'x'.repeat(200 * 32_768);
  for (const call of [guest.exports['echoString']?.(long), guest.exports['echoStrings']?.(['a', long])]) {
    expect(await failure(call as Promise<unknown>)).toMatchObject({ code: 'OUT_OF_MEMORY' });
  }
  const bytes = new Uint8Array(200 * 65_536);
  expect(await failure(guest.exports['throughUint8Array']?.(bytes) as Promise<unknown>)).toMatchObject({
    code: 'OUT_OF_MEMORY',
  });
  expect(await guest.exports['echoString']?.('still there')).toBe('still there');
});

test('recursion that fills the stack of references says so, and leaves the guest as it was', async () => {
  const guest = await openValues('O3', (_name, value) => value);
  for (let i = 0; i < 3; i++) {
    expect(await messageOf(guest.exports['recurse']?.(100_000))).toMatch(
      /^the stack of references is full: .*--stackSize/,
    );
  }
  expect(await guest.exports['recurse']?.(100)).toBe(100);
});

test('what a proxy says of its length is not believed', async () => {
  const guest = await openValues('O3', (_name, value) => value);
  for (const length of [-1, -(2 ** 31), 0.5, NaN, '3']) {
    const lying = new Proxy(['a', 'b', 'c'], {
      get: (target, name) => (name === 'length' ? length : (Reflect.get(target, name) as unknown)),
    });
    expect(() => guest.sync['echoStrings']?.(lying)).toThrow(/must be an array with a length/);
  }
});

describe('exported variables', () => {
  test('may be given values whose getters call the guest: no fiber begins among what is being made', async () => {
    const { exports, sync } = await openValues('O3', (_name, value) => turn().then(() => value));
    const words = exports['words'] as unknown as { value: unknown };
    const calls: unknown[] = [];
    const given = ['a', 'b', 'c'].map((letter) => letter.repeat(40));
    words.value = new Proxy(given, {
      get(target, name) {
        calls.push(exports['keeps']?.('what'));
        sync['churn']?.(30);
        sync['collect']?.();
        return Reflect.get(target, name) as unknown;
      },
    });
    sync['churn']?.(200);
    sync['collect']?.();
    expect(words.value).toEqual(given);
    expect(await Promise.all(calls)).toEqual(calls.map(() => 'whatwhat kept'));
    expect(words.value).toEqual(given);
  });

  test('have their values as `value`', async () => {
    const { exports, sync } = await openValues('O3', () => undefined);
    const global = (name: string): { value: unknown } => exports[name] as unknown as { value: unknown };
    expect(global('text').value).toBe('initial');
    global('text').value = 'changed';
    sync['collect']?.();
    sync['churn']?.(100);
    expect(sync['readText']?.()).toBe('changed');
    expect(global('count').value).toBe(4294967295);
    expect(global('flag').value).toBe(true);
    global('flag').value = false;
    expect(global('flag').value).toBe(false);
    const points = [{ x: 1, y: 2 }, { x: 3, y: 4 }]; // prettier-ignore
    global('points').value = points;
    sync['collect']?.();
    expect(global('points').value).toEqual(points);
    expect(global('constant').value).toBe(5n);
    expect(() => (global('count').value = -1)).toThrow(
      'count must be an integer from 0 to 4294967295 (u32), not -1 (number)',
    );
    expect(() => (global('points').value = [{ x: 1 }])).toThrow('points[0].y must be a number, not undefined');
    expect(() => (global('constant').value = 6n)).toThrow(TypeError);
  });
});

describe('what AssemblyScript itself imports', () => {
  test('abort is an error with its place', async () => {
    const guest = await openValues('O3', () => undefined);
    const error = (await failure(guest.exports['fail']?.('on purpose') as Promise<unknown>)) as AssemblyScriptError;
    expect(error).toBeInstanceOf(AssemblyScriptError);
    expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
    expect(error.name).toBe('AssemblyScriptError');
    expect(error.reason).toBe('on purpose');
    expect(error.fileName).toMatch(/values\.ts$/);
    expect(error.lineNumber).toBeGreaterThan(0);
    expect(error.message).toBe(`on purpose (${error.fileName}:${error.lineNumber}:${error.columnNumber})`);
    expect(await guest.exports['echoString']?.('still there')).toBe('still there');
  });

  test('the console and the clock are the platform’s', async () => {
    const guest = await openValues('O3', () => undefined);
    const lines: unknown[] = [];
    const { console } = globalThis;
    const original = console.log;
    console.log = (...args: unknown[]) => void lines.push(...args);
    try {
      expect(await guest.exports['logs']?.(2.5)).toBeGreaterThan(1.6e9);
    } finally {
      console.log = original;
    }
    expect(lines).toEqual(['logged 2.5', 'trace: traced 2.5, 1']);
  });
});
