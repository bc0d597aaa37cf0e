/**
 * Values of every type that passes between host and guest, as test/guests/typed/values.ts has them: `echoPoint` takes and
 * returns what `VALUES.point` makes, `throughPoint` passes it to the import `waitPoint`, and returns what that brings.
 */
import * as fc from 'fast-check';
import { instantiate, type Guest, type GuestOptions } from 'wasm-fibers/assemblyscript';
import { watch } from './core.ts';
import { guestSource } from './guest.ts';

const string = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  // Code units, and so lone surrogates too.
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 12 }).map((units) => String.fromCharCode(...units)),
  fc.integer({ min: 4000, max: 9000 }).map((length) => 'a\ud800é'.repeat(length / 3)),
);
const stringOrNull = fc.option(string);
const integer = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const f64 = fc.double();
const f32 = fc.float();
const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const i32 = integer(-(2 ** 31), 2 ** 31 - 1);
const numbers = {
  i8: integer(-128, 127),
  u8: integer(0, 255),
  i16: integer(-32768, 32767),
  u16: integer(0, 65535),
  i32,
  u32: integer(0, 2 ** 32 - 1),
  i64,
  u64,
  f32,
  f64,
  bool: fc.boolean(),
};
const list = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(of, { maxLength: 6 });
const point = fc.record({ x: f64, y: f64 });
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.record({
    value: string,
    children: fc.oneof({ maxDepth: 4 }, fc.constant([]), fc.array(tie('tree'), { maxLength: 3 })),
  }),
}));
const linked = list(i32).map((values) => values.reduceRight<unknown>((next, value) => ({ value, next }), null));
const bytes = fc.uint8Array({ maxLength: 20 });
const buffer = bytes.map((each) => each.slice().buffer);
const everything = fc.record({
  ...numbers,
  string,
  stringOrNull,
  buffer,
  bytes,
  numbers: list(numbers.i16),
  strings: list(string),
  fixed: list(i32),
  point,
  pointOrNull: fc.option(point),
});

/** By the name that the guest's functions have them by. */
export const VALUES: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  ...numbers,
  string,
  stringOrNull,
  buffer,
  bufferOrNull: fc.option(buffer),
  int8Array: fc.int8Array(),
  uint8Array: bytes,
  uint8ClampedArray: fc.uint8ClampedArray(),
  int16Array: fc.int16Array(),
  uint16Array: fc.uint16Array(),
  int32Array: fc.int32Array(),
  uint32Array: fc.uint32Array(),
  int64Array: list(i64).map((each) => BigInt64Array.from(each)),
  uint64Array: list(u64).map((each) => BigUint64Array.from(each)),
  float32Array: fc.float32Array(),
  float64Array: fc.float64Array(),
  uint8ArrayOrNull: fc.option(bytes),
  ...Object.fromEntries(Object.entries(numbers).map(([name, of]) => [`${name}s`, list<unknown>(of)])),
  strings: list(string),
  stringsOrNulls: list(stringOrNull),
  stringsOrNull: fc.option(list(string)),
  grid: list(list(string)),
  chunks: list(bytes),
  fixedI32s: list(i32),
  fixedF64s: list(f64),
  fixedU8s: list(numbers.u8),
  fixedI64s: list(i64),
  fixedBools: list(numbers.bool),
  fixedStrings: list(string),
  fixedGrid: list(list(numbers.u16)),
  fixedStringsOrNull: fc.option(list(string)),
  point,
  pointOrNull: fc.option(point),
  points: list(point),
  pointsOrNulls: list(fc.option(point)),
  everything,
  tree,
  list: linked,
};

/** A name of a type, and a value of that type. */
export const anyValue: fc.Arbitrary<readonly [name: string, value: unknown]> = fc.oneof(
  ...Object.entries(VALUES).map(([name, of]) => of.map((value) => [name, value] as const)),
);
export const anyMixed: fc.Arbitrary<[string, string[], unknown, Uint8Array, bigint]> = fc.tuple(
  string,
  list(string),
  fc.option(tree),
  bytes,
  i64,
);

export const capital = (name: string): string => name.slice(0, 1).toUpperCase() + name.slice(1);

/** The same with buffers as bytes, which test runners compare. */
export function comparable(value: unknown): unknown {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, comparable(each)]));
}

// What the guest's functions take and return depends on their names; the tests compare values.
export type AnyExports = Record<string, (...args: never[]) => unknown>;

export interface Opened {
  readonly guest: Guest<Record<string, (...args: unknown[]) => unknown>>;
  collect(): void;
}

/** Host functions of every name that the guest imports, all of which do the same. */
export function imports(
  wait: (name: string, ...args: unknown[]) => unknown,
): Record<'env', Record<string, (...args: unknown[]) => unknown>> {
  const names = [...Object.keys(VALUES), 'mixed', 'counter', 'nothing'];
  const env = Object.fromEntries(
    names.map((name) => [`wait${capital(name)}`, (...args: unknown[]) => wait(name, ...args)]),
  );
  return {
    env: { ...env, plain: (value) => wait('plain', value), plainNumber: (value) => wait('plainNumber', value) },
  };
}

/**
 * Opens a build of the guest.
 *
 * @param before is called before the host has the guest allocate anything, with the guest's own functions
 */
export async function openValues(
  variant: string,
  wait: (name: string, ...args: unknown[]) => unknown,
  before: ((exports: Record<string, (n: number) => void>) => void) | null = null,
  options: GuestOptions = {},
): Promise<Opened['guest']> {
  const source = guestSource(`typed/values-${variant}`);
  const original = WebAssembly.instantiate;
  if (before !== null) {
    const patched = async (module: WebAssembly.Module, given: WebAssembly.Imports): Promise<unknown> => {
      const instance = await original(module, given);
      const exports: Record<string, unknown> = { ...instance.exports };
      for (const name of ['__fibers_new', '__fibers_new_array']) {
        const allocate = exports[name] as (...args: number[]) => number;
        exports[name] = (...args: number[]) => {
          before(instance.exports as Record<string, (n: number) => void>);
          return allocate(...args);
        };
      }
      return { exports };
    };
    WebAssembly.instantiate = patched as typeof original;
  }
  try {
    return watch(await instantiate(source, imports(wait), options)) as Opened['guest'];
  } finally {
    WebAssembly.instantiate = original;
  }
}
