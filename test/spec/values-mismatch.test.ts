// A value that does not fit its type is refused with a sentence: which function, which parameter, where in it, what was
// expected, what was given. Nothing else happens, and the guest goes on.
import { describe, expect, test } from 'vitest';
import { FiberError } from 'wasm-fibers/assemblyscript';
import { failure, turn } from '../support/core.ts';
import { openValues } from '../support/values.ts';

const point = { x: 1, y: 2 };

const REFUSED: readonly [export_: string, args: readonly unknown[], sentence: string][] = [
  ['echoI8', [128], 'parameter "value" must be an integer from -128 to 127 (i8), not 128 (number)'],
  ['echoU8', [-1], 'parameter "value" must be an integer from 0 to 255 (u8), not -1 (number)'],
  ['echoI16', [1.5], 'parameter "value" must be an integer from -32768 to 32767 (i16), not 1.5 (number)'],
  ['echoU16', [65536], 'parameter "value" must be an integer from 0 to 65535 (u16), not 65536 (number)'],
  [
    'echoI32',
    [2 ** 31],
    'parameter "value" must be an integer from -2147483648 to 2147483647 (i32), not 2147483648 (number)',
  ],
  ['echoI32', [NaN], 'parameter "value" must be an integer from -2147483648 to 2147483647 (i32), not NaN (number)'],
  ['echoI32', ['1'], 'parameter "value" must be an integer from -2147483648 to 2147483647 (i32), not "1" (string)'],
  ['echoI32', [1n], 'parameter "value" must be an integer from -2147483648 to 2147483647 (i32), not 1 (bigint)'],
  ['echoI32', [true], 'parameter "value" must be an integer from -2147483648 to 2147483647 (i32), not true (boolean)'],
  ['echoI32', [], 'parameter "value" must be an integer from -2147483648 to 2147483647 (i32), not undefined'],
  ['echoU32', [-1], 'parameter "value" must be an integer from 0 to 4294967295 (u32), not -1 (number)'],
  ['echoU32', [Infinity], 'parameter "value" must be an integer from 0 to 4294967295 (u32), not Infinity (number)'],
  [
    'echoI64',
    [1],
    'parameter "value" must be a bigint from -9223372036854775808 to 9223372036854775807, not 1 (number)',
  ],
  [
    'echoI64',
    [2n ** 63n],
    'parameter "value" must be a bigint from -9223372036854775808 to 9223372036854775807, not 9223372036854775808 (bigint)',
  ],
  ['echoU64', [-1n], 'parameter "value" must be a bigint from 0 to 18446744073709551615, not -1 (bigint)'],
  ['echoF64', ['1'], 'parameter "value" must be a number, not "1" (string)'],
  ['echoF32', [1n], 'parameter "value" must be a number, not 1 (bigint)'],
  ['echoBool', [1], 'parameter "value" must be true or false, not 1 (number)'],
  ['echoString', [3], 'parameter "value" must be a string, not 3 (number)'],
  ['echoString', [null], 'parameter "value" must be a string, not null'],
  ['echoString', [new String('x')], 'parameter "value" must be a string, not an object (String)'],
  ['echoStringOrNull', [], 'parameter "value" must be a string or null, not undefined'],
  ['echoString', [Symbol('x')], 'parameter "value" must be a string, not Symbol(x) (symbol)'],
  ['echoString', [() => 1], 'parameter "value" must be a string, not a function'],
  ['echoBuffer', [new Uint8Array(2)], 'parameter "value" must be an ArrayBuffer, not an object (Uint8Array)'],
  ['echoUint8Array', [[1, 2]], 'parameter "value" must be a Uint8Array, not an array'],
  [
    'echoUint8Array',
    [new Uint8ClampedArray(2)],
    'parameter "value" must be a Uint8Array, not an object (Uint8ClampedArray)',
  ],
  ['echoUint8Array', [new ArrayBuffer(2)], 'parameter "value" must be a Uint8Array, not an object (ArrayBuffer)'],
  ['echoInt32Array', [null], 'parameter "value" must be an Int32Array, not null'],
  ['echoI32s', [new Int32Array(2)], 'parameter "value" must be an array, not an object (Int32Array)'],
  ['echoI32s', [new Set([1])], 'parameter "value" must be an array, not an object (Set)'],
  ['echoI32s', [{ length: 1, 0: 1 }], 'parameter "value" must be an array, not an object'],
  [
    'echoI32s',
    [[1, 2, 3e9]],
    'parameter "value[2]" must be an integer from -2147483648 to 2147483647 (i32), not 3000000000 (number)',
  ],
  ['echoF64s', [[1, , 3]], 'parameter "value[1]" must be a number, not undefined'], // oxlint-disable-line no-sparse-arrays
  ['echoBools', [[true, 0]], 'parameter "value[1]" must be true or false, not 0 (number)'],
  ['echoStrings', [['a', null]], 'parameter "value[1]" must be a string, not null'],
  ['echoGrid', [[['a'], ['b', 3]]], 'parameter "value[1][1]" must be a string, not 3 (number)'],
  [
    'echoFixedI32s',
    [[0.5]],
    'parameter "value[0]" must be an integer from -2147483648 to 2147483647 (i32), not 0.5 (number)',
  ],
  ['echoPoint', [{ x: 1 }], 'parameter "value.y" must be a number, not undefined'],
  ['echoPoint', [3], 'parameter "value" must be an object (Point), not 3 (number)'],
  ['echoPointOrNull', ['x'], 'parameter "value" must be an object (Point) or null, not "x" (string)'],
  ['echoPoints', [[point, { x: 1, y: '2' }]], 'parameter "value[1].y" must be a number, not "2" (string)'],
  [
    'echoTree',
    [{ value: 'a', children: [{ value: 'b', children: null }] }],
    'parameter "value.children[0].children" must be an array, not null',
  ],
  [
    'mixed',
    ['a', ['b'], null, new Uint8Array(1), 1],
    'parameter "big" must be a bigint from -9223372036854775808 to 9223372036854775807, not 1 (number)',
  ],
  ['increment', [{}], 'parameter "counter" must be a Reference(Counter) of this guest, not an object'],
];

describe('a wrong argument', () => {
  test.each(REFUSED)('%s(%o)', async (name, args, sentence) => {
    const guest = await openValues('O3', (_name, value) => value);
    const error = await failure(guest.exports[name]?.(...args) as Promise<unknown>);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toBe(`${name}: ${sentence}`);
    expect(() => guest.sync[name]?.(...args)).toThrow(new TypeError(`${name}: ${sentence}`));
    expect(await failure(guest.spawn(name, [...args] as unknown[]).result)).toEqual(error);
    expect(await guest.exports['echoString']?.('still there')).toBe('still there');
  });

  test('what goes beyond the parameters is ignored, as in any call; so are further properties', async () => {
    const guest = await openValues('O3', () => undefined);
    expect(await guest.exports['echoString']?.('a', 'b', 3)).toBe('a');
    expect([1, 2].map(guest.sync['echoI32'] as (x: number) => unknown)).toEqual([1, 2]);
    expect(await guest.exports['echoPoint']?.({ ...point, z: 3 })).toEqual(point);
  });
});

describe('optional parameters', () => {
  test('may be left out, or given as undefined, from the end', async () => {
    const guest = await openValues('O3', () => undefined);
    const { optional } = guest.exports;
    expect(await optional?.('a')).toBe('a,7,default,9');
    expect(await optional?.('a', undefined, undefined, undefined)).toBe('a,7,default,9');
    expect(await optional?.('a', 1)).toBe('a,1,default,9');
    expect(await optional?.('a', 1, 'c', 2n)).toBe('a,1,c,2');
    expect(guest.sync['optional']?.('a', 1, 'c')).toBe('a,1,c,9');
    expect(((await failure(optional?.('a', undefined, 'c') as Promise<unknown>)) as Error).message).toBe(
      'optional: parameter "b" must be an integer from -2147483648 to 2147483647 (i32), not undefined',
    );
    expect(((await failure(optional?.() as Promise<unknown>)) as Error).message).toBe(
      'optional: parameter "a" must be a string, not undefined',
    );
  });

  test('may wait for what they are, and other calls do not get in between', async () => {
    const guest = await openValues('O3', async (_name, value) => {
      await turn();
      return value;
    });
    const { optional, optionalWaits } = guest.exports;
    const calls = [
      optionalWaits?.(),
      optionalWaits?.('a'),
      optional?.('b'),
      optionalWaits?.('c', 'd'),
      optionalWaits?.(),
    ];
    expect(await Promise.all(calls)).toEqual(['xy', 'ay', 'b,7,default,9', 'cd', 'xy']);
  });
});

describe('a wrong result of an import', () => {
  test.each([
    ['throughString', 'a', undefined, 'env.waitString: the result must be a string, not undefined'],
    [
      'throughI32',
      1,
      1.5,
      'env.waitI32: the result must be an integer from -2147483648 to 2147483647 (i32), not 1.5 (number)',
    ],
    ['throughPoints', [], [point, { x: 1 }], 'env.waitPoints: result[1].y must be a number, not undefined'],
    ['throughPoint', point, { x: 1, y: null }, 'env.waitPoint: result.y must be a number, not null'],
    [
      'throughI64',
      1n,
      1,
      'env.waitI64: the result must be a bigint from -9223372036854775808 to 9223372036854775807, not 1 (number)',
    ],
  ])('%s: at once and after a wait', async (name, argument, result, sentence) => {
    for (const give of [(): unknown => result, (): unknown => Promise.resolve(result)]) {
      const guest = await openValues('O3', give);
      const error = await failure(guest.exports[name]?.(argument) as Promise<unknown>);
      expect(error).toEqual(new TypeError(sentence));
      expect(await guest.exports['echoString']?.('still there')).toBe('still there');
    }
  });

  test('an import of no result may return anything, and a promise of it', async () => {
    for (const give of [(): unknown => 'x', (): unknown => Promise.resolve({})]) {
      const guest = await openValues('O3', give);
      expect(await guest.exports['throughNothing']?.()).toBe(1);
    }
  });

  test('a promise is no result of an import that was not declared to wait', async () => {
    const guest = await openValues('O3', async () => 'x');
    for (const promise of [guest.exports['throughPlain']?.('a'), guest.exports['throughPlainNumber']?.(1)]) {
      const error = await failure(promise as Promise<unknown>);
      expect(error).toBeInstanceOf(FiberError);
      expect(error).toMatchObject({ code: 'NOT_SUSPENDING' });
      expect((error as Error).message).toMatch(/@suspending/);
    }
  });

  test('nor is a thenable that is one only when asked for the second time', async () => {
    let asked = 0;
    const thenAtTimes = (): unknown => (++asked % 2 === 1 ? undefined : (): void => undefined);
    const fickle = new Proxy(point, {
      get: (target, name) => (name === 'then' ? thenAtTimes() : (Reflect.get(target, name) as unknown)),
    });
    const guest = await openValues('O3', () => fickle);
    expect(await guest.exports['throughPoint']?.(point)).toEqual(point);
    expect(asked).toBeGreaterThan(0);
  });

  test('what an import throws or rejects with passes as it is', async () => {
    const thrown = new Error('of the host');
    for (const give of [
      (): unknown => {
        throw thrown;
      },
      (): unknown => Promise.reject(thrown),
    ]) {
      const guest = await openValues('O3', give);
      expect(await failure(guest.exports['throughString']?.('x') as Promise<unknown>)).toBe(thrown);
    }
  });
});
