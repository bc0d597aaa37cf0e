// The section that says what a module's types are may say anything: what cannot be is refused before the module is
// instantiated, and what is not true harms the guest alone.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { UntypedExports } from 'wasm-fibers';
import { FiberError, type Guest, instantiate } from 'wasm-fibers/assemblyscript';
import { iterations } from '../support/backend.ts';
import { failure, watch } from '../support/core.ts';
import { loadGuest } from '../support/guest.ts';
import { withSections } from '../support/sections.ts';

const SECTION = 'wasm-fibers.types';
const IMPORTS = {
  env: {
    fetchText: async (url: string): Promise<string> => `from ${url}`,
    sleep: async (): Promise<void> => undefined,
    load: (): null => null,
  },
};

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Section = Record<string, Json> & { types: Record<string, Json>[] };

const bytes = await loadGuest('typed/basic');
const [original = new ArrayBuffer(0)] = WebAssembly.Module.customSections(new WebAssembly.Module(bytes), SECTION);
const text = new TextDecoder().decode(original);
const section = (): Section => JSON.parse(text) as Section;
const encode = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));

/** What becomes of a module with such a section. */
async function open(...contents: readonly unknown[]): Promise<Guest<UntypedExports>> {
  return watch(await instantiate<UntypedExports>(withSections(bytes, SECTION, ...contents.map(encode)), IMPORTS));
}

interface Parts {
  readonly value: Section;
  readonly types: Record<string, Json>[];
  /** The first of their kinds. */
  readonly array: Record<string, Json>;
  readonly record: Record<string, Json>;
  readonly fields: Record<string, Json>[];
  readonly exports: Json[];
}

test('the section of the compiler is accepted', async () => {
  const { exports } = await open(section());
  expect(await exports['greet']?.('you')).toBe('from greeting/you, you!');
});

test('a module without one was compiled without the transform', async () => {
  const error = await failure(open());
  expect(error).toBeInstanceOf(FiberError);
  expect(error).toMatchObject({ code: 'NOT_TYPED' });
  expect((error as Error).message).toMatch('--transform wasm-fibers/transform');
});

describe('refused, with the reason:', () => {
  /** The compiler's section with a change, made by whoever is given the parts of it that every section has. */
  const changed = (change: (parts: Parts) => void): Section => {
    const value = section();
    const find = (kind: string): Record<string, Json> => value.types.find((type) => type['kind'] === kind) ?? {};
    const record = find('record');
    const fields = record['fields'] as Record<string, Json>[];
    change({ value, types: value.types, array: find('array'), record, fields, exports: value['exports'] as Json[] });
    return value;
  };
  test.each([
    ['no JSON', '{', /it is not UTF-8 JSON/],
    ['no object', [], /it is not an object/],
    ['no version', {}, /format version is undefined/],
    ['a later version', { version: 2 }, /format version is 2, this package reads 1: .* later version/],
    ['an unknown runtime', changed(({ value }) => (value['runtime'] = 'boehm')), /runtime is "boehm"/],
    ['no types', changed(({ value }) => (value['types'] = null as never)), /types is no array/],
    ['an unknown kind', changed(({ types }) => types.push({ kind: 'v128' })), /types\[\d+\]\.kind is "v128"/],
    ['an inherited kind', changed(({ types }) => types.push({ kind: 'constructor' })), /\.kind is "constructor"/],
    ['an element that is no type', changed(({ array }) => (array['element'] = 99)), /\.element is 99, of \d+/],
    ['a negative index', changed(({ array }) => (array['element'] = -1)), /\.element is no unsigned integer/],
    [
      'a field beyond the object',
      changed(({ fields }) => Object.assign(fields[0] ?? {}, { offset: 4096 })),
      /ends at \d+ of \d+ bytes/,
    ],
    [
      'a field that is not aligned',
      changed(({ fields }) => Object.assign(fields[0] ?? {}, { offset: 1 })),
      /is not aligned: 1/,
    ],
    ['a field twice', changed(({ fields }) => fields.push({ ...fields[0] })), /twice/],
    ['a huge object', changed(({ record }) => (record['size'] = 2 ** 31)), /size is 2147483648/],
    [
      'an export that is not there',
      changed(({ exports }) => exports.push({ name: 'absent', params: [], result: null })),
      /exports no function absent/,
    ],
    ['an export twice', changed(({ exports }) => exports.push(exports[0] ?? null)), /exports names ".*" twice/],
    [
      'an unknown start',
      changed(({ value }) => (value['start'] = 'absent')),
      /no function absent, which is to start it/,
    ],
    [
      'an externref in an array',
      changed(({ types }) =>
        types.push({ kind: 'externref' }, { kind: 'array', id: 9, nullable: false, element: types.length }),
      ),
      /contains a value of kind externref/,
    ],
    [
      'an empty result',
      changed(({ types }) => types.push({ kind: 'result', name: 'R', id: 9, size: 8, fields: [] })),
      /no fields ok and failure/,
    ],
  ])('%s', async (_what, value, reason) => {
    const error = await failure(open(value));
    expect(error).toBeInstanceOf(FiberError);
    expect(error).toMatchObject({ code: 'BAD_METADATA' });
    expect((error as Error).message).toMatch(reason);
  });

  test('several of them', async () => {
    expect(await failure(open(section(), section()))).toMatchObject({ code: 'BAD_METADATA' });
  });
});

const anything: fc.Arbitrary<Json> = fc.oneof(
  fc.jsonValue() as fc.Arbitrary<Json>,
  fc.integer(),
  fc.nat(40),
  fc.constantFrom<Json>('array', 'record', 'string', 'reference', 'i64', 'result', 'externref', 'buffer', 'Uint8Array'),
);

/** Every place in a value. */
function places(value: Json, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, each]) => places(each, [...path, name]))];
}

function replaced(value: Json, [name, ...path]: readonly string[], by: Json): Json {
  if (name === undefined) return by;
  const copy = structuredClone(value) as Record<string, Json>;
  copy[name] = replaced(copy[name] ?? null, path, by);
  return copy;
}

test('changed anywhere, it is refused, or the guest fails alone', async () => {
  const all = places(section() as Json);
  const change = fc.tuple(fc.constantFrom(...all), anything);
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
      let value = section() as Json;
      for (const [path, by] of changes) {
        const inside = path
          .slice(0, -1)
          .reduce<Json | undefined>(
            (each, name) =>
              typeof each === 'object' && each !== null ? (each as Record<string, Json>)[name] : undefined,
            value,
          );
        if (path.length > 0 && (typeof inside !== 'object' || inside === null)) continue;
        value = replaced(value, path, by);
      }
      let guest: Guest<UntypedExports>;
      try {
        guest = await open(JSON.stringify(value));
      } catch (error) {
        expect(error).toBeInstanceOf(FiberError);
        return;
      }
      // Whatever it says of its functions, calling them comes to an end, and not to one of the engine's.
      const calls: [string, ...unknown[]][] = [
        ['greet', 'you'],
        ['sum', [1n, 2n]],
        ['describe', { name: 'a', address: null, friends: [] }],
        ['lookUp', 1],
        ['invert', new Uint8Array([1])],
        ['makeCounter'],
      ];
      await Promise.allSettled(calls.map(([name, ...args]) => guest.exports[name]?.(...args)));
    }),
    { numRuns: iterations(300) },
  );
});
