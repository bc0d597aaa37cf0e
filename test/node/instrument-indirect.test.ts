/**
 * Indirect calls: which functions can be in a table decides what is instrumented; that set is the one that Binaryen then
 * instruments; and what is left out never has a suspension below it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import binaryen from 'binaryen';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appendSection } from '../../host/instrument/binary/custom-section.ts';
import { readOutline } from '../../host/instrument/binary/module.ts';
import { Writer } from '../../host/instrument/binary/writer.ts';
import { FiberError, inspect, instrument } from '../../host/instrument/index.ts';
import type { InstrumentOptions, InstrumentResult } from '../../host/instrument/index.ts';
import { assemble, drive, read } from './instrument-driver.ts';
import type { Driven } from './instrument-driver.ts';
import { asImports, callable, host, numbers, outcome, randomModule, show } from './random-modules.ts';
import type { Call } from './random-modules.ts';

/** Names of the functions that save or load frames. */
function instrumentedIn(wasm: Uint8Array): string[] {
  const module = read(wasm);
  try {
    const found: string[] = [];
    for (let index = 0; index < module.getNumFunctions(); index++) {
      const { name, module: imported, body } = binaryen.getFunctionInfo(module.getFunctionByIndex(index));
      if (imported !== '' || name.startsWith('wasm-fibers.') || name.startsWith('asyncify_')) continue;
      if (/\$"?wasm-fibers\.(push|pop)"?/.test(binaryen.emitText(body))) found.push(name);
    }
    return found.sort();
  } finally {
    module.dispose();
  }
}

async function setOf(wasm: Uint8Array, options: Partial<InstrumentOptions> = {}): Promise<string[]> {
  const result = await instrument(wasm, { suspending: ['env.sleep'], optimizeLevel: 0, ...options });
  const found = instrumentedIn(result.wasm);
  expect(found).toHaveLength(result.functions.instrumented);
  return found;
}

/** What everything below has: `waits` suspends, `plain` does not, and both have types of their own. */
const PARTS = `
  (type $one (func (param i32) (result i32)))
  (type $two (func (param i32 i32) (result i32)))
  (import "env" "sleep" (func $sleep (param i32) (result i32)))
  (memory (export "memory") 1)
  (func $waits (type $one) (call $sleep (local.get 0)))
  (func $plain (type $two) (i32.add (local.get 0) (local.get 1)))
  (func $by_one (export "by_one") (param i32) (result i32)
    (call_indirect (type $one) (i32.const 1) (local.get 0)))
  (func $by_two (export "by_two") (param i32) (result i32)
    (call_indirect (type $two) (i32.const 1) (i32.const 2) (local.get 0)))`;

describe('what can be in a table', () => {
  const module = (rest: string, parts = PARTS): Uint8Array => assemble(`(module ${parts} ${rest})`);

  test('only calls of a type that something in the table has, and that suspends, may suspend', async () => {
    const wasm = module('(table 2 funcref) (elem (i32.const 0) $waits $plain)');
    expect(await setOf(wasm)).toEqual(['by_one', 'waits']);
  });

  test('a function that suspends and is in no table is reached by no indirect call', async () => {
    expect(await setOf(module('(table 2 funcref) (elem (i32.const 0) $plain)'))).toEqual(['waits']);
  });

  test('suspending goes on through as many tables and types as there are', async () => {
    const wasm = module(`(table 3 funcref) (elem (i32.const 0) $waits $plain $again)
      (func $again (type $two) (call $by_one (i32.const 0)))`);
    expect(await setOf(wasm)).toEqual(['again', 'by_one', 'by_two', 'waits']);
  });

  test('a suspending import in the table itself', async () => {
    expect(await setOf(module('(table 2 funcref) (elem (i32.const 0) $sleep $plain)'))).toEqual(['by_one', 'waits']);
  });

  test.each([
    ['exported', '(table (export "t") 2 funcref) (elem (i32.const 0) $plain)'],
    ['imported', '(elem (i32.const 0) $plain)'],
  ])('what is %s may hold anything, unless it is promised that it does not', async (_, rest) => {
    const wasm = rest.startsWith('(elem')
      ? assemble(`(module ${PARTS.replace('(memory', '(import "env" "t" (table 2 funcref)) (memory')} ${rest})`)
      : module(rest);
    expect(await setOf(wasm)).toEqual(['by_one', 'by_two', 'waits']);
    expect(await setOf(wasm, { closedTables: true })).toEqual(['waits']);
  });

  test('only the table that is exported is open', async () => {
    const parts = PARTS.replace('(call_indirect (type $two)', '(call_indirect $b (type $two)');
    const tables = (which: string): string => `
      (table $a ${which === 'a' ? '(export "t")' : ''} 2 funcref)
      (table $b ${which === 'b' ? '(export "t")' : ''} 2 funcref)
      (elem (table $b) (i32.const 0) func $plain)`;
    expect(await setOf(module(tables('a'), parts))).toEqual(['by_one', 'waits']);
    expect(await setOf(module(tables('b'), parts))).toEqual(['by_two', 'waits']);
  });

  test('the same function in one table and not in the other', async () => {
    const parts = PARTS.replace('(call_indirect (type $two)', '(call_indirect $b (type $one)').replace(
      '(i32.const 1) (i32.const 2)',
      '(i32.const 1)',
    );
    const rest = '(table $a 2 funcref) (table $b 2 funcref) (elem (table $b) (i32.const 0) func $waits)';
    expect(await setOf(module(rest, parts))).toEqual(['by_two', 'waits']);
  });

  test.each([
    ['table.set', '(table.set (i32.const 0) (ref.func $waits))', '(elem declare func $waits)'],
    ['table.grow', '(drop (table.grow (ref.func $waits) (i32.const 1)))', '(elem declare func $waits)'],
    ['table.fill', '(table.fill (i32.const 0) (ref.func $waits) (i32.const 1))', '(elem declare func $waits)'],
    ['table.init', '(table.init $s (i32.const 0) (i32.const 0) (i32.const 1))', '(elem $s func $waits)'],
    [
      'table.copy',
      '(table.copy $t $u (i32.const 0) (i32.const 0) (i32.const 1))',
      '(elem (table $u) (i32.const 0) func $waits)',
    ],
    [
      'table.set from another table',
      '(table.set $t (i32.const 0) (table.get $u (i32.const 0)))',
      '(elem (table $u) (i32.const 0) func $waits)',
    ],
    ['table.set of a global', '(table.set $t (i32.const 0) (global.get $g))', '(global $g funcref (ref.func $waits))'],
  ])('code that puts it there by %s', async (_, code, rest) => {
    const tables = `(table $t 2 10 funcref) (table $u 2 funcref) (elem (table $t) (i32.const 0) func $plain) ${rest}`;
    const put = `(func $put (export "put") ${code})`;
    expect(await setOf(module(`${tables} ${put}`))).toEqual(['by_one', 'waits']);
    // Without that code it is nowhere.
    expect(await setOf(module(tables))).toEqual(['waits']);
  });

  test('a chain of copies, against the order of tables', async () => {
    const rest = `(table $t 2 funcref) (table $u 2 funcref) (table $v 2 funcref) (elem (table $v) (i32.const 0) func $waits)
      (func $put (export "put")
        (table.copy $t $u (i32.const 0) (i32.const 0) (i32.const 1))
        (table.copy $u $v (i32.const 0) (i32.const 0) (i32.const 1)))`;
    expect(await setOf(module(rest))).toEqual(['by_one', 'waits']);
  });

  test.each([
    ['an argument', '(func $put (export "put") (param funcref) (table.set (i32.const 0) (local.get 0)))', ''],
    [
      'a result',
      '(func $put (export "put") (table.set (i32.const 0) (call $give)))',
      '(import "env" "give" (func $give (result funcref)))',
    ],
    [
      'a global',
      '(func $put (export "put") (table.set (i32.const 0) (global.get $given)))',
      '(import "env" "given" (global $given funcref))',
    ],
    ['a segment', '(elem (i32.const 1) funcref (global.get $given))', '(import "env" "given" (global $given funcref))'],
    [
      'another table',
      '(func $put (export "put") (table.set $t (i32.const 0) (table.get $host (i32.const 0))))',
      '(import "env" "host" (table $host 1 funcref))',
    ],
  ])('a function that the host hands in as %s may be any', async (_, rest, imports) => {
    const tables = '(table $t 2 funcref) (elem (table $t) (i32.const 0) func $plain)';
    // Its own table comes behind those that are imported.
    const parts = PARTS.replace('(memory', `${imports} (memory`).replaceAll('(call_indirect', '(call_indirect $t');
    const wasm = module(
      `${tables} ${rest.replaceAll('(table.set (', '(table.set $t (').replace('(elem (i32', '(elem (table $t) (i32')}`,
      parts,
    );
    expect(await setOf(wasm)).toEqual(['by_one', 'by_two', 'waits']);
  });

  test('all eight forms of element segments are read', async () => {
    const forms: readonly (readonly number[])[] = [
      [0, 0x41, 0, 0x0b, 1, 1],
      [1, 0, 1, 1],
      [2, 0, 0x41, 0, 0x0b, 0, 1, 1],
      [3, 0, 1, 1],
      [4, 0x41, 0, 0x0b, 1, 0xd2, 1, 0x0b],
      [5, 0x70, 1, 0xd2, 1, 0x0b],
      [6, 0, 0x41, 0, 0x0b, 0x70, 1, 0xd2, 1, 0x0b],
      [7, 0x70, 1, 0xd2, 1, 0x0b],
    ];
    const code = (...bytes: number[]): number[] => [bytes.length + 2, 0, ...bytes, 0x0b];
    const section = (id: number, ...bytes: number[]): number[] => [id, bytes.length, ...bytes];
    for (const [form, segment] of forms.entries()) {
      // 0 sleep; 1 waits; 2 by_one, which calls through the table; 3 puts segment 0 there.
      const put = form === 1 || form === 5 ? [0x41, 0, 0x41, 0, 0x41, 1, 0xfc, 12, 0, 0] : [];
      const wasm = Uint8Array.from([
        0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
        ...section(1, 1, 0x60, 0, 0),
        ...section(2, 1, 3, ...new TextEncoder().encode('env'), 5, ...new TextEncoder().encode('sleep'), 0, 0),
        ...section(3, 3, 0, 0, 0),
        ...section(4, 1, 0x70, 0, 2),
        ...section(7, 1, 1, 0x66, 0, 2),
        ...section(9, 1, ...segment),
        ...section(10, 3, ...code(0x10, 0), ...code(0x41, 0, 0x11, 0, 0), ...code(...put)),
      ]); // prettier-ignore
      expect(WebAssembly.validate(wasm), `form ${form}`).toBe(true);
      const { functions } = await instrument(wasm, { suspending: ['*'] });
      const declared = form === 3 || form === 7;
      expect([form, functions.instrumented]).toEqual([form, declared ? 1 : 2]);
    }
  });
});

describe('which types are the same', () => {
  const run = async (types: string, of: string, by: string): Promise<string[]> =>
    setOf(
      assemble(`(module ${types}
        (import "env" "sleep" (func $sleep (param i32) (result i32)))
        (memory (export "memory") 1)
        (table 2 funcref) (elem (i32.const 0) $waits)
        (func $waits (type ${of}) (drop (call $sleep (i32.const 0))))
        (func $caller (export "f") (call_indirect (type ${by}) (i32.const 0))))`),
    );

  test('equal ones under two indices are', async () => {
    // Binaryen merges equal types when it writes: these bytes keep both.
    const wasm = Uint8Array.from([
      0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
      1, 7, 2, 0x60, 0, 0, 0x60, 0, 0,
      2, 7, 1, 1, 0x65, 1, 0x73, 0, 0,
      3, 3, 2, 0, 1,
      4, 4, 1, 0x70, 0, 1,
      9, 7, 1, 0, 0x41, 0, 0x0b, 1, 1,
      10, 14, 2, 4, 0, 0x10, 0, 0x0b, 7, 0, 0x41, 0, 0x11, 1, 0, 0x0b,
    ]); // prettier-ignore
    expect(WebAssembly.validate(wasm)).toBe(true);
    expect((await instrument(wasm, { suspending: ['e.s'] })).functions.instrumented).toBe(2);
  });

  test('those of two recursive groups that look the same are', async () => {
    const types = `(rec (type $a (func)) (type $x (struct (field (ref null $a)))))
                   (rec (type $b (func)) (type $y (struct (field (ref null $b)))))`;
    expect(await run(types, '$a', '$b')).toEqual(['caller', 'waits']);
  });

  test('those of groups that differ are not, though the functions look the same', async () => {
    const types = '(rec (type $a (func)) (type $x (struct))) (rec (type $b (func)) (type $y (array i32)))';
    expect(await run(types, '$a', '$b')).toEqual(['waits']);
    expect(await run(`${types} (type $c (func))`, '$a', '$c')).toEqual(['waits']);
  });

  test('a function of a subtype is taken where its supertype is asked for, and not the other way round', async () => {
    const types = '(type $a (sub (func))) (type $b (sub $a (func)))';
    expect(await run(types, '$b', '$a')).toEqual(['caller', 'waits']);
    expect(await run(types, '$a', '$b')).toEqual(['waits']);
  });
});

describe('lists on top', () => {
  const LISTS = assemble(`(module ${PARTS} (table (export "table") 2 funcref) (elem (i32.const 0) $waits $plain)
    (func $both (export "both") (param i32) (result i32)
      (i32.add (call $waits (i32.const 1)) (call_indirect (type $one) (i32.const 5) (local.get 0)))))`);
  const guest = async (options: Partial<InstrumentOptions>): Promise<Driven> =>
    drive(await instrument(LISTS, { suspending: ['env.sleep'], ...options }), {
      'env.sleep': (n: number) => (n === 1 ? n : Promise.resolve(n)),
    });

  test('an indirect call that is ignored is watched in functions that are instrumented, too', async () => {
    for (const optimizeLevel of [0, 1, 2, 3] as const) {
      const { run } = await guest({ ignoreIndirect: true, optimizeLevel });
      const error = (await run('both', 0).catch((e: unknown) => e)) as Error;
      expect(error.message).toBe('unreachable');
      expect(error.stack).toContain('both');
    }
  });

  test('a function that is added may suspend through any table', async () => {
    const { run } = await guest({ ignoreIndirect: true, add: ['both'] });
    expect(await run('both', 0)).toBe(6);
  });

  test('a function that is removed opens no table, and who calls through it is left out', async () => {
    const closed = assemble(`(module ${PARTS} (table 2 funcref) (elem (i32.const 0) $waits $plain))`);
    expect(await setOf(closed, { remove: ['waits'] })).toEqual([]);
    expect(await setOf(closed, { only: ['by_two'] })).toEqual(['by_two']);
  });
});

describe('a promise about tables that does not hold', () => {
  const OPEN = assemble(`(module ${PARTS} (table (export "table") 2 funcref) (elem (i32.const 1) $plain)
    (export "sleep" (func $sleep)) (export "waits" (func $waits))
    (func $direct (export "direct") (param i32) (result i32)
      (i32.add (call $waits (local.get 0)) (call_indirect (type $two) (i32.const 1) (i32.const 2) (i32.const 1))))
    (func $above (export "above") (param i32) (result i32) (i32.add (call $by_one (local.get 0)) (i32.const 1)))
    (func $instrumented (export "instrumented") (param i32) (result i32)
      (i32.add (call $waits (i32.const 3)) (call_indirect (type $one) (i32.const 5) (local.get 0)))))`);

  test.each([0, 1, 2, 3] as const)('traps at once and names the function (-O%i)', async (optimizeLevel) => {
    const result = await instrument(OPEN, {
      suspending: ['env.sleep'],
      closedTables: true,
      optimizeLevel,
      debugNames: false,
    });
    for (const [name, frame] of [
      ['above', 'by_one'],
      ['instrumented', 'instrumented'],
    ] as const) {
      let count = 0;
      const { run, call, instance } = await drive(result, {
        'env.sleep': (n: number) => (n === 3 && count++ === 0 ? n : Promise.resolve(n)),
      });
      expect(await run('direct', 4)).toBe(7);
      (instance.exports['table'] as WebAssembly.Table).set(0, instance.exports['waits'] as () => number);
      const error = (await run(name, 0).catch((e: unknown) => e)) as Error;
      expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
      expect(error.message).toBe('unreachable');
      expect(error.stack).toContain(frame);
      expect(call('asyncify_get_state')).toBe(1);
    }
  });

  test('costs nothing where the module closes its tables itself', async () => {
    const closed = assemble(`(module ${PARTS} (table 2 funcref) (elem (i32.const 0) $waits $plain))`);
    const [with_, without] = await Promise.all(
      [true, false].map((closedTables) => instrument(closed, { suspending: ['env.sleep'], closedTables })),
    );
    const text = (wasm: Uint8Array | undefined): number =>
      WebAssembly.Module.customSections(
        new WebAssembly.Module((wasm ?? new Uint8Array()) as Uint8Array<ArrayBuffer>),
        'name',
      ).length;
    expect(with_?.functions).toEqual(without?.functions);
    expect(text(with_?.wasm)).toBe(text(without?.wasm));
    // The two differ by what the custom section says.
    expect((with_?.size.after ?? 0) - (without?.size.after ?? 0)).toBe('true'.length - 'false'.length);
  });

  test('is refused where a tail call would hide from the watch', async () => {
    const wasm = assemble(`(module ${PARTS} (table (export "table") 2 funcref) (elem (i32.const 1) $plain)
      (func $tail (export "tail") (param i32) (result i32) (return_call_indirect (type $one) (i32.const 0) (local.get 0))))`);
    const error = await instrument(wasm, { suspending: ['env.sleep'], closedTables: true }).catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: 'UNSUPPORTED_FEATURE',
      message: expect.stringMatching(/"tail".*tail call.*--closed-tables/),
    });
  });

  test('is refused for the target jspi, which has no use for it', async () => {
    const error = await instrument(OPEN, { suspending: ['*'], closedTables: true, target: 'jspi' }).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining('closedTables') });
  });
});

test('tail calls through tables that cannot suspend stay tail calls', async () => {
  const wasm = assemble(`(module ${PARTS} (table 3 funcref) (elem (i32.const 0) $waits $plain $count)
    (type $three (func (param i32 i32 i32) (result i32)))
    (func $count (type $three)
      (if (result i32) (i32.eqz (local.get 0)) (then (local.get 1))
        (else (return_call_indirect (type $three)
          (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 1) (i32.const 1)) (i32.const 0) (i32.const 2)))))
    (func (export "count") (param i32) (result i32) (call $count (local.get 0) (i32.const 0) (i32.const 0))))`);
  const { run } = await drive(await instrument(wasm, { suspending: ['env.sleep'] }), { 'env.sleep': (n: number) => n });
  // Deeper than any engine's stack.
  expect(await run('count', 3_000_000)).toBe(3_000_000);
});

test('names that mean something to Binaryen do not matter', async () => {
  const names = ['std::sort(int*, int*)', 'operator*', '@file', ' a', 'b,c', 'd\\0ae', 'operator<', '*'];
  const wasm = assemble(`(module
    (import "env" "sleep" (func $sleep (param i32) (result i32)))
    (memory (export "memory") 1)
    ${names
      .map(
        (name) => `(func $"${name}" (param i32) (result i32) (call $sleep (local.get 0)))
      (func $"${name} not" (param i32) (result i32) (local.get 0))`,
      )
      .join('\n')}
    (func $all (export "all") (param i32) (result i32) ${names.map((name) => `(call $"${name}"`).join(' ')} (local.get 0) ${')'.repeat(names.length)}))`);
  const set = await setOf(wasm);
  expect(set).toHaveLength(names.length + 1);
  expect(set.filter((name) => name.endsWith(' not'))).toEqual([]);
  const { run, ...driven } = await drive(await instrument(wasm, { suspending: ['env.sleep'] }), {
    'env.sleep': (n: number) => Promise.resolve(n + 1),
  });
  expect(await run('all', 0)).toBe(names.length);
  expect(driven.suspensions).toBe(0);
});

const SEEDS = Number(process.env['FUZZ_SEEDS'] ?? 12);
const WINDOW = 40_000;
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'wasm-fibers-indirect-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** With names, by which the functions of two modules can be compared. */
function named(wasm: Uint8Array): Uint8Array {
  const { functionTypes } = readOutline(wasm);
  const list = new Writer().u32(functionTypes.length);
  for (const index of functionTypes.keys()) list.u32(index).name(`f${index}`);
  return appendSection(wasm, 'name', new Writer().byte(1).sized(list.bytes).bytes);
}

interface Found {
  readonly all: string[];
  /** Without those in which all that could suspend comes after a trap. */
  readonly unwinding: string[];
}

/** The set that Binaryen finds by itself, which takes any indirect call for one that may suspend. */
function binaryenSet(wasm: Uint8Array, suspending: string): Found {
  const module = read(wasm);
  try {
    binaryen.setPassArgument('asyncify-imports', `${suspending}\n`);
    binaryen.setOptimizeLevel(1);
    module.runPasses(['asyncify']);
    const found: Found = { all: [], unwinding: [] };
    for (let index = 0; index < module.getNumFunctions(); index++) {
      const { name, module: imported, body } = binaryen.getFunctionInfo(module.getFunctionByIndex(index));
      if (imported !== '' || name.startsWith('asyncify_')) continue;
      const text = binaryen.emitText(body);
      if (text.includes('$__asyncify_data')) found.all.push(name);
      if (/\(br(_if)? \$"?__asyncify_unwind/.test(text)) found.unwinding.push(name);
    }
    return found;
  } finally {
    binaryen.setPassArgument('asyncify-imports', null as unknown as string);
    binaryen.setOptimizeLevel(2);
    module.dispose();
  }
}

const compared = { sets: 0, leftOut: 0, calls: 0, suspensions: 0 };

describe.each(Array.from({ length: SEEDS }, (_, index) => index + 1))('random module %i', (seed) => {
  /** As the fuzzer made it, and with its tables closed; null if it has nothing that could suspend. */
  const modules = async (): Promise<{
    open: Uint8Array<ArrayBuffer>;
    closed: Uint8Array<ArrayBuffer>;
    suspending: string;
  } | null> => {
    const random = await randomModule(folder, seed + 500);
    const { imports, exports } = inspect(random);
    const functions = imports.filter((each) => each.kind === 'function');
    const chosen = functions[seed % functions.length];
    if (chosen === undefined) return null;
    const module = read(named(random));
    binaryen.setDebugInfo(true);
    for (const { name, kind } of exports) if (kind === 'table') module.removeExport(name);
    const closed = new Uint8Array(module.emitBinary());
    for (let index = 0; index < module.getNumTables(); index++) {
      const { name } = binaryen.getTableInfo(module.getTableByIndex(index));
      module.addTableExport(name, `table ${index}`);
    }
    const open = new Uint8Array(module.emitBinary());
    binaryen.setDebugInfo(false);
    module.dispose();
    return { open, closed, suspending: `${chosen.module}.${chosen.name}` };
  };

  const attempt = (wasm: Uint8Array, options: InstrumentOptions): Promise<InstrumentResult | null> =>
    instrument(wasm, options).catch((error: unknown) => {
      if (error instanceof FiberError && error.code === 'UNSUPPORTED_FEATURE') return null;
      throw error;
    });

  test('the set is the one that Binaryen finds if the table is open, and a part of it if not', async () => {
    const made = await modules();
    if (made === null) return;
    const options = {
      suspending: [made.suspending],
      allocator: 'memory.grow',
      shadowStack: 'none',
      optimizeLevel: 0,
    } as const;
    const [open, closed] = [await attempt(made.open, options), await attempt(made.closed, options)];
    if (open === null || closed === null) return;
    const { all, unwinding } = binaryenSet(made.open, made.suspending);
    const found = instrumentedIn(open.wasm);
    expect(all).toEqual(expect.arrayContaining(found));
    expect(found).toEqual(expect.arrayContaining(unwinding));
    const some = instrumentedIn(closed.wasm);
    expect(some).toHaveLength(closed.functions.instrumented);
    expect(all).toEqual(expect.arrayContaining(some));
    compared.sets += 1;
    compared.leftOut += all.length - some.length;
  });

  test('with its tables closed it computes the same, however that import suspends', async () => {
    const made = await modules();
    if (made === null) return;
    const { closed: wasm, suspending } = made;
    const optimizeLevel = ([0, 1, 2, 3, 4] as const)[seed % 5] ?? 0;
    const options = { suspending: [suspending], allocator: 'memory.grow', shadowStack: 'none', optimizeLevel } as const;
    const result = await attempt(wasm, options);
    if (result === null) return;
    const random = numbers(seed + 2000);
    const traces: { plain: Call[]; fibers: Call[] } = { plain: [], fibers: [] };
    const imports = asImports(host(result, traces.plain, (answered) => answered));
    const driven = await outcome(async () => {
      const fibers = host(result, traces.fibers, (value) => value);
      const own = fibers[suspending] ?? (() => undefined);
      fibers[suspending] = (...args) => {
        const value = own(...args);
        return random.next().value % 4 === 0 ? value : Promise.resolve(value);
      };
      const started = await drive(result, fibers, { window: result.metadata.largestFrame * 2 + 16, at: WINDOW });
      if (result.metadata.start) await started.run('wasm-fibers.start');
      return started;
    });
    const plain = await outcome(() => WebAssembly.instantiate(wasm, imports));
    expect(driven[0], String(driven[1])).toBe(plain[0]);
    if (plain[0] !== 'returns') return;
    const { exports } = (plain[1] as WebAssembly.WebAssemblyInstantiatedSource).instance;
    for (const { name, args } of callable(inspect(wasm))) {
      traces.plain.length = 0;
      traces.fibers.length = 0;
      const expected = await outcome(() => (exports[name] as (...args: unknown[]) => unknown)(...args));
      const actual = await outcome(() => (driven[1] as Driven).run(name, ...args));
      if (show([expected, actual]).includes('call stack')) return;
      expect(show(actual), `${name} of seed ${seed}`).toBe(show(expected));
      expect(show(traces.fibers), `trace of ${name} of seed ${seed}`).toBe(show(traces.plain));
      compared.calls += 1;
    }
    compared.suspensions += (driven[1] as Driven).suspensions;
  });
});

test('the random modules had tables that made a difference, and did suspend', () => {
  expect(compared.sets).toBeGreaterThan(SEEDS / 2);
  expect(compared.leftOut).toBeGreaterThan(0);
  expect(compared.calls).toBeGreaterThan(SEEDS);
  expect(compared.suspensions).toBeGreaterThan(0);
});
