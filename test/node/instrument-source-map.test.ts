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

describe('a module of asc with --sourceMap', () => {
  test.each([['-O0'], ['-O1'], ['-O3']])('still maps its calls after instrumentation (%s)', async (level) => {
    const { wasm, map } = await compile([level, '--noAssert']);
    // The import is function 0 before and after: it stays the first import.
    expect(callLines(wasm, map, 0)).toContain(6);
    const result = await instrument(wasm, { suspending: ['env.sleep'], sourceMap: map, sourceMapUrl: 'out.wasm.map' });
    expect(result.functions.instrumented).toBeGreaterThan(0);
    expect(result.sourceMap).not.toBeNull();
    expect(callLines(result.wasm, result.sourceMap ?? '', 0)).toContain(6);
    if (level === '-O0')
      expect(callLines(result.wasm, result.sourceMap ?? '')).toEqual(expect.arrayContaining([6, 12, 16]));
  });

  test('writes the URL of the map into the module', async () => {
    const { wasm, map } = await compile(['-O1']);
    const result = await instrument(wasm, { suspending: ['env.sleep'], sourceMap: map, sourceMapUrl: 'maps/out.map' });
    const [section] = WebAssembly.Module.customSections(
      new WebAssembly.Module(result.wasm as Uint8Array<ArrayBuffer>),
      'sourceMappingURL',
    );
    expect(new TextDecoder().decode(section)).toContain('maps/out.map');
    const sections = readOutline(result.wasm).sections.filter((each) => each.name === 'sourceMappingURL');
    expect(sections).toHaveLength(1);
  });

  test('without a map given, none is written and no stale URL is kept', async () => {
    const { wasm } = await compile(['-O1']);
    const result = await instrument(wasm, { suspending: ['env.sleep'] });
    expect(result.sourceMap).toBeNull();
    expect(readOutline(result.wasm).sections.filter((each) => each.name === 'sourceMappingURL')).toHaveLength(0);
  });

  test('keeps what Binaryen does not: the sources, their root, and the names that the module loses', async () => {
    const { wasm, map } = await compile(['-O1', '--debug']);
    const options = { suspending: ['env.sleep'], sourceMap: map };
    const before = JSON.parse(map) as Written;
    const named = await instrument(wasm, options);
    const after = JSON.parse(named.sourceMap ?? '') as Written;
    expect(after.sourceRoot).toBe(before.sourceRoot);
    expect(after.sourcesContent?.[after.sources.indexOf('input.ts')]).toBe(SOURCE);
    expect(after.x_wasm_function_names).toBeUndefined();
    const stripped = await instrument(wasm, { ...options, debugNames: false });
    const names = (JSON.parse(stripped.sourceMap ?? '') as Written).x_wasm_function_names ?? {};
    const outline = readOutline(stripped.wasm);
    expect(outline.names.functions.size).toBe(0);
    const total = outline.importedFunctions + outline.bodies.length;
    expect(Object.keys(names).map(Number)).toEqual(
      Array.from({ length: outline.bodies.length }, (_, index) => outline.importedFunctions + index),
    );
    expect(total).toBeGreaterThan(3);
    const exported = outline.exports.find(({ name }) => name === 'outer');
    expect(names[exported?.index ?? -1]).toBe('input/outer');
  });

  test('is written without an address too, and the module names none then', async () => {
    const { wasm, map } = await compile(['-O1']);
    const result = await instrument(wasm, { suspending: ['env.sleep'], sourceMap: map });
    expect(callLines(result.wasm, result.sourceMap ?? '', 0)).toContain(6);
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
  async function linesAfter(opcodes: readonly number[]): Promise<Map<number, number | null>> {
    const wasm = assemble(MODULE);
    const sourceMap = mapOf(wasm, opcodes);
    const result = await instrument(wasm, { suspending: ['env.sleep'], optimizeLevel: 0, sourceMap });
    const { segments } = parseSourceMap(result.sourceMap ?? '');
    const lines = new Map<number, number | null>();
    for (const { start, end } of readOutline(result.wasm).bodies.slice(0, 1)) {
      decodeBody(result.wasm, start, end, ({ opcode, offset, immediate }) => {
        const [, , line = null] = segments.filter(([at]) => at <= offset).at(-1) ?? [];
        // The import is function 0; what else is called was added.
        if (opcode === Op.Call && immediate !== 0) return;
        if ([DIVIDE, TRUNCATE, Op.Call].includes(opcode)) lines.set(opcode, line);
      });
    }
    return lines;
  }

  test('has its own place if it has one: calls, and what traps', async () => {
    const lines = await linesAfter([DIVIDE, TRUNCATE, Op.Call]);
    expect(Object.fromEntries(lines)).toEqual({ [DIVIDE]: DIVIDE, [TRUNCATE]: TRUNCATE, [Op.Call]: Op.Call });
  });

  test('else that of what stands before it in the function, or, at its beginning, of the first', async () => {
    const lines = await linesAfter([TRUNCATE, ADD]);
    expect(Object.fromEntries(lines)).toEqual({ [DIVIDE]: TRUNCATE, [TRUNCATE]: TRUNCATE, [Op.Call]: ADD });
  });
});
