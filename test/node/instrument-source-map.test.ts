/** Source maps through instrumentation: a line of the source is still found for code that was instrumented. */
import { describe, expect, test } from 'vitest';
import { instrument } from '../../host/instrument/index.ts';
import { decodeBody, Op } from '../../host/instrument/binary/code.ts';
import { readOutline } from '../../host/instrument/binary/module.ts';
import { parseSourceMap } from '../../host/instrument/source-map.ts';

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
  const { mappings, sources } = parseSourceMap(map);
  const lines: number[] = [];
  for (const { start, end } of outline.bodies) {
    decodeBody(wasm, start, end, ({ opcode, offset, immediate }) => {
      if (opcode !== Op.Call || (target !== undefined && immediate !== target)) return;
      const found = mappings.filter((each) => each.offset <= offset).at(-1);
      if (found && sources[found.source]?.endsWith('input.ts')) lines.push(found.line + 1);
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
});
