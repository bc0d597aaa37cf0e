/** What the transform makes of a program: descriptors, bindings and types, for everything that can be exported. */
import { describe, expect, test } from 'vitest';
import { instantiate } from 'wasm-fibers/assemblyscript';
import * as real from 'assemblyscript';
import {
  CommonFlags,
  DecoratorKind,
  ElementKind,
  LiteralKind,
  NodeKind,
  SourceKind,
  TypeFlags,
  TypeKind,
} from '../../host/assemblyscript/transform/asc.ts';
import { compiled, SUSPENDING } from './transform-driver.ts';

/** A function's descriptor with its types in place of their positions. */
function signature(section: Awaited<ReturnType<typeof compiled>>['section'], name: string): unknown {
  const found = [...section.exports, ...section.imports].find((each) => each.name === name);
  if (found === undefined) return undefined;
  const type = (index: number): unknown => {
    const each = section.types[index];
    if (each === undefined) return undefined;
    if (each.kind === 'array' || each.kind === 'staticarray')
      return { [each.kind]: type(each.element), nullable: each.nullable };
    if ('nullable' in each) {
      const { nullable } = each;
      if (each.kind === 'record') return { record: each.name, nullable };
      if (each.kind === 'reference') return { reference: each.name, nullable };
      return `${each.kind === 'typedarray' ? each.array : each.kind}${nullable ? '?' : ''}`;
    }
    return each.kind;
  };
  return {
    params: found.params.map((each) => [`${each.name}${each.optional ? '?' : ''}`, type(each.type)]),
    result: found.result === null ? null : type(found.result),
  };
}

describe('types', () => {
  test('numbers', async () => {
    const kinds = ['i8', 'i16', 'i32', 'u8', 'u16', 'u32', 'i64', 'u64', 'f32', 'f64', 'bool', 'isize', 'usize'];
    const { section, dts } = await compiled(
      kinds.map((kind) => `export function _${kind}(a: ${kind}): ${kind} { return a; }`).join('\n'),
    );
    const described = kinds.map((kind) => kind.replace('isize', 'i32').replace('usize', 'u32'));
    for (const [index, kind] of kinds.entries()) {
      expect(signature(section, `_${kind}`)).toEqual({ params: [['a', described[index]]], result: described[index] });
    }
    expect(dts).toContain('  _i64(a: bigint): bigint;\n');
    expect(dts).toContain('  _u64(a: bigint): bigint;\n');
    expect(dts).toContain('  _bool(a: boolean): boolean;\n');
    expect(dts).toContain('  _f32(a: number): number;\n');
  });

  test('strings, buffers, typed arrays, and null', async () => {
    const { section, dts } = await compiled(`
      export function text(a: string, b: string | null): string | null { return b; }
      export function buffer(a: ArrayBuffer): ArrayBuffer | null { return a; }
      export function clamped(a: Uint8ClampedArray | null): Uint8ClampedArray { return a!; }
      export function floats(a: Float64Array): Float32Array { return new Float32Array(1); }
      export function bigs(a: Uint64Array): Int64Array { return new Int64Array(1); }
      export function bytes(a: Uint8Array, b: Int8Array, c: Uint16Array, d: Int16Array, e: Uint32Array, f: Int32Array): void {}`);
    expect(signature(section, 'text')).toEqual({
      params: [
        ['a', 'string'],
        ['b', 'string?'],
      ],
      result: 'string?',
    });
    expect(signature(section, 'buffer')).toEqual({ params: [['a', 'buffer']], result: 'buffer?' });
    expect(signature(section, 'clamped')).toEqual({
      params: [['a', 'Uint8ClampedArray?']],
      result: 'Uint8ClampedArray',
    });
    expect(signature(section, 'floats')).toEqual({ params: [['a', 'Float64Array']], result: 'Float32Array' });
    expect(signature(section, 'bigs')).toEqual({ params: [['a', 'BigUint64Array']], result: 'BigInt64Array' });
    expect(dts).toContain('  text(a: string, b: string | null): string | null;\n');
    expect(dts).toContain('  buffer(a: ArrayBuffer): ArrayBuffer | null;\n');
    expect(dts).toContain('  bigs(a: BigUint64Array): BigInt64Array;\n');
    expect(dts).toContain(
      'bytes(a: Uint8Array, b: Int8Array, c: Uint16Array, d: Int16Array, e: Uint32Array, f: Int32Array): void;',
    );
  });

  test('arrays of anything, nested and nullable', async () => {
    const { section, dts } = await compiled(`
      export function nested(a: Array<Array<string | null>>): StaticArray<f64> { return []; }
      export function deep(a: StaticArray<Array<Uint8Array>> | null): i64[][] | null { return null; }`);
    expect(signature(section, 'nested')).toEqual({
      params: [['a', { array: { array: 'string?', nullable: false }, nullable: false }]],
      result: { staticarray: 'f64', nullable: false },
    });
    expect(dts).toContain('  nested(a: readonly (readonly (string | null)[])[]): number[];\n');
    expect(dts).toContain('  deep(a: readonly (readonly Uint8Array[])[] | null): bigint[][] | null;\n');
    expect(signature(section, 'deep')).toEqual({
      params: [['a', { staticarray: { array: 'Uint8Array', nullable: false }, nullable: true }]],
      result: { array: { array: 'i64', nullable: false }, nullable: true },
    });
  });

  test("plain classes are records, by asc's own rule; every other class is a reference", async () => {
    const { section, dts } = await compiled(`
      /** In two dimensions. */
      class Point { /** To the right. */ x: f64; y: f64 = 1; get length(): f64 { return this.x; } move(): void {} static origin: i32 = 1; }
      class Tree { value: i32; left: Tree | null = null; children: Tree[] = []; }
      class Box<T> { value: T; constructor(value: T) { this.value = value; } }
      class Pair<A, B> { first: A; second: B; }
      class Hidden { private secret: i32 = 0; }
      class Base { a: i32 = 0; }
      class Derived extends Base { b: i32 = 0; }
      export function a(p: Point, t: Tree | null): Tree | null { return t; }
      export function b(p: Pair<i32, string>): Pair<string, Pair<i64, bool>[]> | null { return null; }
      export function c(x: Hidden, y: Derived, z: Base): Map<string, i32> { return new Map(); }
      export function d(x: Box<i32>, y: Box<i32> | null, z: Set<u8>): (a: i32, b: string) => void { return (a: i32, b: string): void => {}; }
      abstract class Shape { abstract area(): f64; }
      interface Named { name(): string }
      class Plain implements Named { a: i32 = 0; name(): string { return ''; } }
      export function e(x: Date): void {}
      export function g(x: Shape, y: Named | null, z: Plain): void {}`);
    expect(signature(section, 'a')).toEqual({
      params: [
        ['p', { record: 'Point', nullable: false }],
        ['t', { record: 'Tree', nullable: true }],
      ],
      result: { record: 'Tree', nullable: true },
    });
    expect(signature(section, 'c')).toEqual({
      params: [
        ['x', { reference: 'Hidden', nullable: false }],
        ['y', { reference: 'Derived', nullable: false }],
        ['z', { record: 'Base', nullable: false }],
      ],
      result: { reference: 'Map<string, i32>', nullable: false },
    });
    expect(signature(section, 'd')).toEqual({
      params: [
        ['x', { reference: 'Box<i32>', nullable: false }],
        ['y', { reference: 'Box<i32>', nullable: true }],
        ['z', { reference: 'Set<u8>', nullable: false }],
      ],
      result: { reference: 'Function<(i32, string) => void>', nullable: false },
    });
    const point = section.types.find((each) => each.kind === 'record' && each.name === 'Point');
    expect(point).toMatchObject({
      size: 16,
      fields: [
        { name: 'x', offset: 0 },
        { name: 'y', offset: 8 },
      ],
    });
    expect(dts).toContain(
      '/** In two dimensions. */\nexport interface Point {\n  /** To the right. */\n  x: number;\n  y: number;\n}\n',
    );
    expect(dts).toContain('export interface Tree {\n  value: number;\n  left: Tree | null;\n  children: Tree[];\n}\n');
    expect(dts).toContain('b(p: Pair_i32_string): Pair_string_Array_Pair_i64_bool | null;');
    expect(dts).toContain(
      "c(x: Reference<'Hidden'>, y: Reference<'Derived'>, z: Base): Reference<'Map<string, i32>'>;",
    );
    expect(dts).toContain("e(x: Reference<'Date'>): void;");
    expect(dts).toContain("g(x: Reference<'Shape'>, y: Reference<'Named'> | null, z: Plain): void;");
  });

  test('classes of one name get names of their own, as do those that the file needs for itself', async () => {
    const { dts } = await compiled({
      'other.ts': 'export class Point { z: i32; } export class Exports { e: i32; } export class string_ { s: i32; }',
      'app.ts': `import { Point as Other, Exports, string_ } from './other';
        class Point { x: i32; }
        export function f(a: Point, b: Other, c: Exports, d: string_): void {}`,
    });
    expect(dts).toContain('f(a: Point, b: Point2, c: Exports2, d: string_): void;');
    expect(dts).toContain('export interface Point2 {\n  z: number;\n}');
  });

  test('externref is unknown, and an unmanaged object a number', async () => {
    const { section, dts } = await compiled(
      `@unmanaged class Raw { a: i32; }
      export function f(a: externref, b: Raw): externref { return a; }`,
      { flags: ['--enable', 'reference-types'] },
    );
    expect(signature(section, 'f')).toEqual({
      params: [
        ['a', 'externref'],
        ['b', 'u32'],
      ],
      result: 'externref',
    });
    expect(dts).toContain('f(a: unknown, b: number): unknown;');
  });

  test('a Result of the guest library, as the result of an import', async () => {
    const { section, dts } = await compiled(`
      import { Result } from 'wasm-fibers/assembly';
      ${SUSPENDING} declare function fetchText(url: string): Result<string>;
      ${SUSPENDING} declare function fetchSize(url: string): Result<i64>;
      ${SUSPENDING} declare function store(): Result<void>;
      export function run(url: string): string {
        store();
        const text = fetchText(url);
        return text.ok ? text.value + fetchSize(url).value.toString() : text.failure!.message;
      }`);
    const results = section.types.flatMap((each) => (each.kind === 'result' ? [each] : []));
    expect(results.map((each) => each.name)).toEqual(['Result<void>', 'Result<string>', 'Result<i64>']);
    const fields = results.map((each) => each.fields.map(({ name, type }) => [name, section.types[type]?.kind]));
    const common = [
      ['ok', 'bool'],
      ['failure', 'record'],
    ];
    expect(fields).toEqual([common, [...common, ['value', 'string']], [...common, ['value', 'i64']]]);
    expect(dts).toContain('fetchText(url: string): string | PromiseLike<string>;');
    expect(dts).toContain('fetchSize(url: string): bigint | PromiseLike<bigint>;');
    expect(dts).toContain('store(): void | PromiseLike<void>;');
    expect(section.imports.map((each) => each.module)).not.toContain('wasm-fibers:tasks');
  });
});

describe('exports', () => {
  test('of several entry files, passed on and renamed', async () => {
    const { section, dts, wasm } = await compiled(
      {
        'one.ts': `export { inner as renamed, inner } from './lib'; export * from './star'; export function shared(): i32 { return 1; }`,
        'two.ts': `import { inner } from './lib'; export { inner as again }; export default function main(): void {} export function shared(a: string): void {}`,
        'lib.ts': 'export function inner(): i32 { return 1; } export function unused(): void {}',
        'star.ts':
          'export function starred(): i32 { return 2; } export function shared(a: i64): void {} export * from "./lib";',
      },
      { entries: ['one.ts', 'two.ts'] },
    );
    expect(section.exports.map((each) => each.name).toSorted()).toEqual([
      'again',
      'default',
      'inner',
      'main',
      'renamed',
      'shared',
      'starred',
      'unused',
    ]);
    expect(signature(section, 'shared')).toEqual({ params: [], result: 'i32' });
    expect(dts).toContain('  default(): void;\n');
    const guest = await instantiate<{ again(): number; renamed(): number; starred(): number; shared(): number }>(wasm);
    expect([
      await guest.exports.again(),
      await guest.exports.renamed(),
      await guest.exports.starred(),
      await guest.exports.shared(),
    ]).toEqual([1, 1, 2, 1]);
  });

  test('parameters that may be left out', async () => {
    const { section, dts, wasm } = await compiled(`
      export function f(a: i32, b: string = 'x', c: f64 = 2.5): string { return a.toString() + b + c.toString(); }`);
    expect(signature(section, 'f')).toEqual({
      params: [
        ['a', 'i32'],
        ['b?', 'string'],
        ['c?', 'f64'],
      ],
      result: 'string',
    });
    expect(dts).toContain('  f(a: number, b?: string, c?: number): string;\n');
    const guest = await instantiate<{ f(a: number, b?: string, c?: number): string }>(wasm);
    expect([await guest.exports.f(1), await guest.exports.f(1, 'y'), await guest.exports.f(1, 'y', 3)]).toEqual([
      '1x2.5',
      '1y2.5',
      '1y3.0',
    ]);
  });

  test('variables', async () => {
    const { section, dts, wasm } = await compiled(`
      export const NAME: string = 'wf';
      export const BIG: i64 = 5;
      /** Counts. */
      export let count: i32 = 1;
      export let list: string[] = ['a'];`);
    expect(section.globals.map(({ name, mutable }) => [name, mutable])).toEqual([
      ['NAME', false],
      ['BIG', false],
      ['count', true],
      ['list', true],
    ]);
    expect(dts).toContain(
      '  readonly NAME: { readonly value: string };\n  readonly BIG: { readonly value: bigint };\n  /** Counts. */\n  readonly count: { value: number };\n  readonly list: { value: string[] };\n',
    );
    const { exports } = await instantiate<Record<'NAME' | 'BIG' | 'count' | 'list', { value: unknown }>>(wasm);
    expect([exports.NAME.value, exports.BIG.value, exports.count.value, exports.list.value]).toEqual([
      'wf',
      5n,
      1,
      ['a'],
    ]);
  });

  test('enumerations are constants of the JavaScript module, as far as they are known', async () => {
    const { js, dts, section } = await compiled(`
      function late(): i32 { return memory.size(); }
      export enum Plain { A, B = 10, C }
      export const enum Constant { X = 1 << 3, Y = -1 }
      export enum Late { L = late() }
      export enum await_ { z = 1 }
      /** Passed on. */
      enum Inner { I = 7 }
      export { Inner as instantiate, Inner as Renamed };`);
    expect(js).toContain('export const Plain = /* @__PURE__ */ Object.freeze({\n  A: 0,\n  B: 10,\n  C: 11,\n});\n');
    expect(js).toContain('export const Constant = /* @__PURE__ */ Object.freeze({\n  X: 8,\n  Y: -1,\n});\n');
    expect(js).not.toContain('Late');
    expect(js).not.toContain('const instantiate');
    expect(dts).toContain(
      'export declare const Plain: {\n  readonly A: 0;\n  readonly B: 10;\n  readonly C: 11;\n};\nexport type Plain = (typeof Plain)[keyof typeof Plain];\n',
    );
    expect(dts).toContain('/** Passed on. */\nexport declare const Renamed: {\n  readonly I: 7;\n};\n');
    expect(section.globals).toEqual([]);
  });

  test('an enumeration that cannot be a constant of the module is named', async () => {
    const { js, result } = await compiled(`
      export enum bind { A }
      export enum URL { B }
      export function f(): i32 { return bind.A + URL.B; }`);
    expect(js).toContain('export const bind =');
    expect(js).not.toContain('const URL');
    expect(result.stderr).toContain('WARNING The enumeration "URL" is left out of the bindings:');
  });

  test('a class called as something of the platform gets another name', async () => {
    const { dts } = await compiled(`
      class PromiseLike { x: i32 = 0; }
      // @ts-ignore: decorator
      @suspending @external('env', 'wait') declare function wait(): PromiseLike;
      export function f(): i32 { return wait().x; }`);
    expect(dts).toContain('wait(): PromiseLike2 | PromiseLike<PromiseLike2>;');
  });

  test('what asc exports by itself is declared as it is asked to', async () => {
    const plain = await compiled('export function f(): void {}');
    expect(plain.dts).toContain('readonly memory: WebAssembly.Memory;');
    expect(plain.dts).not.toContain('__new');
    const more = await compiled('export function f(): void {}', {
      flags: ['--exportRuntime', '--exportTable', '--exportStart', 'begin', '--noExportMemory'],
    });
    for (const line of [
      'begin(): void;',
      '__new(size: number, id: number): number;',
      '__collect(): void;',
      'readonly table: WebAssembly.Table;',
    ]) {
      expect(more.dts).toContain(line);
    }
    expect(more.dts).not.toContain('memory:');
  });
});

describe('imports', () => {
  test('of other names, in namespaces, by module statements', async () => {
    const { section, dts } = await compiled(`
      declare namespace io { ${SUSPENDING} function read(a: i32): string; function write(a: string): void;
        namespace deep { @external('net', 'get-text') function get(): string; } }
      ${SUSPENDING} declare namespace db { function query(sql: string): i32; }
      @external('renamed') declare function other(): void;
      export function run(): void { io.write(io.read(1)); io.deep.get(); db.query(''); other(); }`);
    expect(section.imports.map(({ module, name, suspending }) => [module, name, suspending])).toEqual(
      expect.arrayContaining([
        ['app', 'io.read', true],
        ['app', 'io.write', false],
        ['net', 'get-text', false],
        ['app', 'db.query', true],
        ['app', 'renamed', false],
      ]),
    );
    expect(dts).toContain("    'io.read'(a: number): string | PromiseLike<string>;\n");
    expect(dts).toContain("    'get-text'(): string;\n");
    expect(dts).toContain("    'db.query'(sql: string): number | PromiseLike<number>;\n");
  });

  test('what the runtime gives is optional, and so are imports of nothing else', async () => {
    const { dts } = await compiled(
      'export function f(): f64 { trace("x"); console.log("y"); return Math.random() + <f64>Date.now(); }',
    );
    for (const name of ['abort', 'trace', 'seed', "'console.log'", "'Date.now'"])
      expect(dts).toContain(`    ${name}?(`);
    expect(dts).toContain('  env?: {');
    expect(dts).toContain('instantiate(imports?: Imports,');
    const needed = await compiled('declare function g(): void; export function f(): void { g(); }');
    expect(needed.dts).toContain('instantiate(imports: Imports,');
  });

  test('memory, table and variables', async () => {
    const { dts, wasm } = await compiled(
      `@external('env', 'limit') declare const limit: i32;
      @external('env', 'big') declare const big: i64;
      export function f(): i64 { return big + limit; }`,
      { flags: ['--importMemory'] },
    );
    expect(dts).toContain('    memory: WebAssembly.Memory;\n');
    expect(dts).toContain('    big: bigint | WebAssembly.Global;\n    limit: number | WebAssembly.Global;\n');
    const memory = new WebAssembly.Memory({ initial: 4 });
    const guest = await instantiate<{ f(): bigint }>(wasm, { env: { memory, limit: 2, big: 40n } });
    expect(await guest.exports.f()).toBe(42n);
  });

  test('those that optimisation leaves out need no longer be suspending', async () => {
    const source = `
      ${SUSPENDING} declare function used(): void;
      ${SUSPENDING} declare function unused(): void;
      function never(): void { if (false) unused(); }
      export function run(flag: i32): void { if (flag & 0) unused(); never(); used(); }`;
    const { wasm } = await compiled(source, { flags: ['-O3'] });
    const guest = await instantiate<{ run(flag: number): void }>(wasm, { app: { used: () => Promise.resolve() } });
    await expect(guest.exports.run(1)).resolves.toBeUndefined();
  });
});

test('doc comments are carried over, with their indentation and before their tags the signature', async () => {
  const { dts } = await compiled(`/** Of the file. */

/**
 * Adds.
 *
 *     indented
 *
 * @param a one
 * @returns the sum
 */
// @ts-ignore: decorator
@inline
export function add(a: i32, b: i32): i32 { return a + b; }
/* no doc */ export function plain(): void {}
// no doc
export function line(): void {}
/** One line. */ export function one(): void {}
`);
  expect(dts).toContain(`  /**
   * Adds.
   *
   *     indented
   *
   * \`add(a: i32, b: i32): i32\`
   *
   * @param a one
   * @returns the sum
   */
  add(a: number, b: number): number;
`);
  expect(dts).toContain('  /** `plain(): void` */\n  plain(): void;\n');
  expect(dts).toContain('  /** `line(): void` */\n  line(): void;\n');
  expect(dts).toContain('  /**\n   * One line.\n   *\n   * `one(): void`\n   */\n  one(): void;\n');
});

test('a comment in the source cannot end a comment in the declarations', async () => {
  const { dts } = await compiled("/** A *\\/ b. */ export function f(a: string = '*/'): void {}");
  expect(dts.match(/\*\//g)?.length).toBe(dts.match(/\/\*\*/g)?.length);
});

test("the numbers of asc's enumerations are those of the asc that is installed", () => {
  const ours = { CommonFlags, DecoratorKind, ElementKind, LiteralKind, NodeKind, SourceKind, TypeFlags, TypeKind };
  const theirs = real as unknown as Record<string, Record<string, number>>;
  for (const [name, members] of Object.entries(ours)) expect(theirs[name]).toMatchObject(members);
});
