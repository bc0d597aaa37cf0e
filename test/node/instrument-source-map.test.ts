/** Source maps through instrumentation: a line of the source is still found for code that was instrumented. */
import { type SourceMapSegment, TraceMap, encodedMappings } from '@jridgewell/trace-mapping';
import { describe, expect, test } from 'vitest';
import { instrument } from '../../host/instrument/index.ts';
import { decodeBody, Op } from '../../host/instrument/binary/code.ts';
import { readOutline } from '../../host/instrument/binary/module.ts';
import { parseSourceMap } from '../../host/instrument/source-map.ts';
import { assemble } from './instrument-driver.ts';

const SOURCE = `@external("env", "sleep") declare function sleep(ms: i32): i32;

function inner(n: i32): i32 {
  let total = 0;
  for (let i = 0; i < n; i++) {
    total += sleep(i);
  }
  return total;
}

export function outer(n: i32): i32 {
  const first = inner(n);
  if (first < 0) {
    return -1;
  }
  return first + inner(n + 1);
}
`;

/** Compiles AssemblyScript in memory. */
async function compile(args: readonly string[]): Promise<{ wasm: Uint8Array; map: string }> {
  const { default: asc } = await import('assemblyscript/asc');
  const files = new Map<string, string | Uint8Array>();
  const { error, stderr } = await asc.main(
    ['input.ts', '--outFile', 'out.wasm', '--sourceMap', '--runtime', 'stub', ...args],
    {
      readFile: (name: string) => (name === 'input.ts' ? SOURCE : null),
      writeFile: (name: string, contents: string | Uint8Array) => void files.set(name, contents),
      listFiles: () => [],
    },
  );
  if (error !== null) throw new Error(stderr.toString(), { cause: error });
  return { wasm: files.get('out.wasm') as Uint8Array, map: String(files.get('out.wasm.map')) };
}

/** Lines (from 1) of `input.ts` that the calls in a module's functions are mapped to; `target` filters by callee index. */
function callLines(wasm: Uint8Array, map: string, target?: number): number[] {
  const outline = readOutline(wasm);
  const { segments, sources } = parseSourceMap(map);
  const lines: number[] = [];
  for (const { start, end } of outline.bodies) {
    decodeBody(wasm, start, end, ({ opcode, offset, immediate }) => {
      if (opcode !== Op.Call || (target !== undefined && immediate !== target)) return;
      const [, source, line] = segments.filter(([at]) => at <= offset).at(-1) ?? [];
      if (source !== undefined && line !== undefined && sources[source]?.endsWith('input.ts')) lines.push(line + 1);
    });
  }
  return lines;
}

/** The index of the function that stands in the place of the only import: nobody else calls it. */
function standIn(wasm: Uint8Array): number {
  const { bodies, importedFunctions } = readOutline(wasm);
  const callers = [...bodies.keys()].filter((order) => {
    let found = false;
    const { start, end } = bodies[order] ?? { start: 0, end: 0 };
    decodeBody(wasm, start, end, ({ opcode, immediate }) => (found ||= opcode === Op.Call && immediate === 0));
    return found;
  });
  expect(callers).toHaveLength(1);
  return importedFunctions + (callers[0] ?? 0);
}

describe('a module of asc with --sourceMap', () => {
  test.each([['-O0'], ['-O1'], ['-O3']])('still maps its calls after instrumentation (%s)', async (level) => {
    const { wasm, map } = await compile([level, '--noAssert']);
    // The import is function 0 before and after; after, another function is called in its place.
    expect(callLines(wasm, map, 0)).toContain(6);
    const result = await instrument(wasm, { suspending: ['env.sleep'], sourceMap: map, sourceMapUrl: 'out.wasm.map' });
    expect(result.functions.instrumented).toBeGreaterThan(0);
    expect(result.sourceMap).not.toBeNull();
    expect(callLines(result.wasm, result.sourceMap ?? '', standIn(result.wasm))).toContain(6);
    if (level === '-O0')
      expect(callLines(result.wasm, result.sourceMap ?? '')).toEqual(expect.arrayContaining([6, 12, 16]));
  });

  test.each([
    ['-O0', 0],
    ['-O1', 0],
    ['-O3', 0],
    ['-O1', 1],
    ['-O0', 3],
  ] as const)('still maps its calls for the target jspi (asc %s, then -O%i)', async (level, optimizeLevel) => {
    const { wasm, map } = await compile([level, '--noAssert']);
    const before = callLines(wasm, map);
    const result = await instrument(wasm, {
      suspending: ['env.sleep'],
      target: 'jspi',
      sourceMap: map,
      sourceMapUrl: 'out.wasm.map',
      optimizeLevel,
    });
    const after = callLines(result.wasm, result.sourceMap ?? '');
    // Code stays as it is, and so does where it comes from. What was added comes from nowhere.
    if (optimizeLevel === 0) expect(after).toEqual(before);
    const shim = [...readOutline(result.wasm).names.functions].find(([, name]) => name.includes('.shim.'))?.[0];
    expect(callLines(result.wasm, result.sourceMap ?? '', shim)).toContain(6);
    expect(callLines(result.wasm, result.sourceMap ?? '', 0)).toEqual([]);
  });

  test.each(['asyncify', 'jspi'] as const)('writes the URL of the map into the module (%s)', async (target) => {
    const { wasm, map } = await compile(['-O1']);
    const sourceMapUrl = 'maps/out.map';
    const result = await instrument(wasm, { suspending: ['env.sleep'], target, sourceMap: map, sourceMapUrl });
    const [section] = WebAssembly.Module.customSections(
      new WebAssembly.Module(result.wasm as Uint8Array<ArrayBuffer>),
      'sourceMappingURL',
    );
    expect(new TextDecoder().decode(section)).toContain('maps/out.map');
    const sections = readOutline(result.wasm).sections.filter((each) => each.name === 'sourceMappingURL');
    expect(sections).toHaveLength(1);
  });

  test.each(['asyncify', 'jspi'] as const)(
    'without a map given, none is written and no stale URL is kept (%s)',
    async (target) => {
      const { wasm } = await compile(['-O1']);
      const result = await instrument(wasm, { suspending: ['env.sleep'], target });
      expect(result.sourceMap).toBeNull();
      expect(readOutline(result.wasm).sections.filter((each) => each.name === 'sourceMappingURL')).toHaveLength(0);
    },
  );

  test.each([
    ['asyncify', 1],
    ['jspi', 0],
    ['jspi', 1],
  ] as const)(
    'keeps the sources, their root, and the names that the module loses (%s, -O%i)',
    async (target, optimizeLevel) => {
      const { wasm, map } = await compile(['-O1', '--debug']);
      const options = { suspending: ['env.sleep'], sourceMap: map, target, optimizeLevel };
      const before = JSON.parse(map) as Written;
      const named = await instrument(wasm, options);
      const after = JSON.parse(named.sourceMap ?? '') as Written;
      expect(after.sourceRoot).toBe(before.sourceRoot);
      expect(after.sourcesContent?.[after.sources.indexOf('input.ts')]).toBe(SOURCE);
      expect(after.x_wasm_function_names).toBeUndefined();
      const stripped = await instrument(wasm, { ...options, debugNames: false });
      const names = (JSON.parse(stripped.sourceMap ?? '') as Written).x_wasm_function_names ?? {};
      const outline = readOutline(stripped.wasm);
      const left = [...outline.names.functions.values()].filter((name) => !name.startsWith('wasm-fibers.'));
      expect(left).toEqual([]);
      const total = outline.importedFunctions + outline.bodies.length;
      expect(Object.keys(names).map(Number)).toEqual(
        Array.from({ length: outline.bodies.length }, (_, index) => outline.importedFunctions + index),
      );
      expect(total).toBeGreaterThan(3);
      const exported = outline.exports.find(({ name }) => name === 'outer');
      expect(names[exported?.index ?? -1]).toBe('input/outer');
    },
  );

  test('is written without an address too, and the module names none then', async () => {
    const { wasm, map } = await compile(['-O1']);
    const result = await instrument(wasm, { suspending: ['env.sleep'], sourceMap: map });
    expect(callLines(result.wasm, result.sourceMap ?? '', standIn(result.wasm))).toContain(6);
    expect(readOutline(result.wasm).sections.filter((each) => each.name === 'sourceMappingURL')).toHaveLength(0);
    expect(WebAssembly.validate(result.wasm as Uint8Array<ArrayBuffer>)).toBe(true);
  });
});

interface Written {
  readonly sources: string[];
  readonly sourceRoot?: string;
  readonly sourcesContent?: string[];
  readonly x_wasm_function_names?: Record<string, string>;
}

describe('what a stack trace can show', () => {
  /** A body of one instruction after the other, of which only some have a place. */
  const BODY = `
    (func $f (export "f") (param i32 f32) (result i32)
      (drop (i32.div_s (i32.const 1) (local.get 0)))
      (drop (i32.trunc_f32_s (local.get 1)))
      (drop (i32.add (i32.const 1) (local.get 0)))
      (call $sleep (i32.load (i32.const 4))))`;
  const MODULE = `(module (import "env" "sleep" (func $sleep (param i32) (result i32))) (memory (export "memory") 1) ${BODY})`;
  const DIVIDE = 0x6d;
  const TRUNCATE = 0xa8;
  const ADD = Op.I32Add;

  /** Maps an instruction to the line that its opcode has, and all others to none. */
  function mapOf(wasm: Uint8Array, opcodes: readonly number[]): string {
    const segments: SourceMapSegment[] = [];
    for (const { start, end } of readOutline(wasm).bodies) {
      decodeBody(wasm, start, end, ({ opcode, offset }) => {
        if (opcodes.includes(opcode)) segments.push([offset, 0, opcode, 0], [offset + 1]);
      });
    }
    const map = { version: 3, sources: ['f.c'], names: [] } as const;
    const mappings = encodedMappings(new TraceMap({ ...map, sources: ['f.c'], names: [], mappings: [segments] }));
    return JSON.stringify({ ...map, mappings });
  }

  /** The lines that instructions of the result have, by opcode. */
  async function linesAfter(
    target: 'asyncify' | 'jspi',
    opcodes: readonly number[],
  ): Promise<Map<number, number | null>> {
    const wasm = assemble(MODULE);
    const sourceMap = mapOf(wasm, opcodes);
    const result = await instrument(wasm, { suspending: ['env.sleep'], target, optimizeLevel: 0, sourceMap });
    const { segments } = parseSourceMap(result.sourceMap ?? '');
    const lines = new Map<number, number | null>();
    const callee = standIn(result.wasm);
    for (const { start, end } of readOutline(result.wasm).bodies.slice(0, 1)) {
      decodeBody(result.wasm, start, end, ({ opcode, offset, immediate }) => {
        const [, , line = null] = segments.filter(([at]) => at <= offset).at(-1) ?? [];
        // What else is called was added.
        if (opcode === Op.Call && immediate !== callee) return;
        if ([DIVIDE, TRUNCATE, Op.Call].includes(opcode)) lines.set(opcode, line);
      });
    }
    return lines;
  }

  test.each(['asyncify', 'jspi'] as const)(
    'has its own place if it has one: calls, and what traps (%s)',
    async (target) => {
      const lines = await linesAfter(target, [DIVIDE, TRUNCATE, Op.Call]);
      expect(Object.fromEntries(lines)).toEqual({ [DIVIDE]: DIVIDE, [TRUNCATE]: TRUNCATE, [Op.Call]: Op.Call });
    },
  );

  test.each(['asyncify', 'jspi'] as const)(
    'else that of what stands before it, or, at the beginning, of the first (%s)',
    async (target) => {
      const lines = await linesAfter(target, [TRUNCATE, ADD]);
      expect(Object.fromEntries(lines)).toEqual({ [DIVIDE]: TRUNCATE, [TRUNCATE]: TRUNCATE, [Op.Call]: ADD });
    },
  );

  test('where code was inserted, what stands around it keeps its place', async () => {
    const wasm = assemble(`(module
      (import "env" "sleep" (func $sleep (param i32) (result i32))) (memory (export "memory") 1)
      (global $__stack_pointer (mut i32) (i32.const 4096))
      (func (export "f") (param i32) (result i32)
        (drop (i32.div_s (i32.const 1) (local.get 0)))
        (global.set $__stack_pointer (i32.sub (global.get $__stack_pointer) (i32.const 16)))
        (call $sleep (i32.load (i32.const 4)))))`);
    const placed = [DIVIDE, Op.GlobalSet, 0x28];
    const result = await instrument(wasm, { suspending: ['*'], target: 'jspi', sourceMap: mapOf(wasm, placed) });
    const { segments } = parseSourceMap(result.sourceMap ?? '');
    const places: string[] = [];
    const { start = 0, end = 0 } = readOutline(result.wasm).bodies[0] ?? {};
    decodeBody(result.wasm, start, end, ({ opcode, offset }) => {
      const [, , line = null] = segments.filter(([at]) => at <= offset).at(-1) ?? [];
      if ([...placed, Op.Call].includes(opcode)) places.push(`${opcode} at ${line}`);
    });
    // The first call is that of stack_overflow, in the check that stands before the store.
    const [divide, store, load] = placed.map((opcode) => `${opcode} at ${opcode}`);
    expect(places).toEqual([divide, `${Op.Call} at ${DIVIDE}`, store, load, `${Op.Call} at 40`]);
  });
});
