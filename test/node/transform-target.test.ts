/** What modules are instrumented for: one for Asyncify or for JSPI, or a pair of both that is the same program. */
import { TraceMap, originalPositionFor } from '@jridgewell/trace-mapping';
import { main } from 'assemblyscript/asc';
import { describe, expect, test } from 'vitest';
import { wasmFibers } from '../../host/assemblyscript/transform/index.ts';
import type { TransformTarget } from '../../host/assemblyscript/transform/index.ts';
import { instantiate } from 'wasm-fibers/assemblyscript';
import { readMetadata } from '../../host/runtime/metadata.ts';
import type { Metadata } from '../../host/runtime/metadata.ts';
import { engineHasJspi } from '../support/backend.ts';
import { bytesOf, compile, compiled, refused, SUSPENDING, textOf } from './transform-driver.ts';
import type { Compiled, Settings } from './transform-driver.ts';

const SOURCE = `
${SUSPENDING} declare function ask(question: string): string;
function twice(question: string): string { return ask(question) + ask(question + '?'); }
export function run(question: string): string { return twice(question) + '!'; }
`;

function moduleOf(result: Compiled, name: string): WebAssembly.Module {
  return new WebAssembly.Module(new Uint8Array(bytesOf(result, name)));
}

function metadataOf(result: Compiled, name: string): Metadata {
  const metadata = readMetadata(moduleOf(result, name));
  if (metadata === null) throw new Error(`${name} is not instrumented.`);
  return metadata;
}

async function make(target: TransformTarget, settings: Settings = {}, source: string = SOURCE): Promise<Compiled> {
  const result = await compile(source, { ...settings, options: { target, ...settings.options } });
  expect([result.error, result.stderr]).toEqual([null, '']);
  return result;
}

/** An instance of a module for JSPI whose host functions wait for nothing, which any engine can run. */
function plainInstance(module: WebAssembly.Module, env: Record<string, (...args: number[]) => unknown>): unknown {
  const imports: Record<string, Record<string, () => unknown>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    const given = env[name];
    (imports[from] ??= {})[name] = (...args: number[]): unknown => {
      if (given !== undefined) return given(...args);
      if (name === 'abort' || name.startsWith('returned.')) return undefined;
      throw new Error(`${from}.${name} was called`);
    };
  }
  return new WebAssembly.Instance(module, imports as WebAssembly.Imports).exports;
}

describe('a target', () => {
  test.each([
    ['asyncify', {}],
    ['asyncify', { target: 'asyncify' }],
    ['jspi', { target: 'jspi' }],
  ] as const)('%s, of %j, is what app.wasm is for', async (target, options) => {
    const { result, js } = await compiled(SOURCE, { options, flags: ['-O2'] });
    expect([...result.files.keys()]).toEqual(['app.js', 'app.d.ts', 'app.wasm']);
    expect(metadataOf(result, 'app.wasm').target).toBe(target);
    expect(js).toContain("options.source ?? new URL('./app.wasm', import.meta.url);");
  });

  test('both is a pair of modules, which app.js knows and app.d.ts need not', async () => {
    const result = await make('both', { flags: ['-O2'] });
    expect([...result.files.keys()]).toEqual(['app.jspi.wasm', 'app.js', 'app.d.ts', 'app.wasm']);
    const [asyncify, jspi] = [metadataOf(result, 'app.wasm'), metadataOf(result, 'app.jspi.wasm')];
    expect([asyncify.target, jspi.target]).toEqual(['asyncify', 'jspi']);
    expect(jspi.source).toBe(asyncify.source);
    expect(jspi.imports).toEqual(asyncify.imports);
    expect(textOf(result, 'app.js')).toContain(`  const source = options.source ?? {
    asyncify: new URL('./app.wasm', import.meta.url),
    jspi: new URL('./app.jspi.wasm', import.meta.url),
  };
`);
    expect(textOf(result, 'app.d.ts')).toBe(textOf(await make('asyncify', { flags: ['-O2'] }), 'app.d.ts'));
  });

  test.each(['asyncify', 'jspi'] as const)('both makes the same modules as each alone: %s', async (target) => {
    const flags = ['-O2', '--exportRuntime'];
    const name = target === 'jspi' ? 'app.jspi' : 'app';
    const [pair, alone] = [await make('both', { flags }), await make(target, { flags, outFile: `${name}.wasm` })];
    const file = `${name}.wasm`;
    expect(Buffer.compare(bytesOf(pair, file), bytesOf(alone, file))).toBe(0);
  });

  test.each([
    ["out/my 'app'.v2.wasm", "out/my 'app'.v2.jspi.wasm", "./my%20\\'app\\'.v2.jspi.wasm"],
    ['app', 'app.jspi', './app.jspi'],
  ])('both, of %j', async (outFile, paired, url) => {
    const result = await make('both', { outFile });
    const base = outFile.replace('.wasm', '');
    expect([...result.files.keys()]).toEqual([paired, `${base}.js`, `${base}.d.ts`, outFile]);
    expect(textOf(result, `${base}.js`)).toContain(`jspi: new URL('${url}', import.meta.url)`);
  });
});

describe('the modules of a pair are one program, whatever asc is asked for', () => {
  const CLAMPS = `${SUSPENDING} declare function ask(): f64;
    export function twice(a: i32): i32 { return a + a; }
    export function run(): i32 { return <i32>ask() + twice(1); }`;
  const TRAPS = ['--disable', 'nontrapping-f2i'];
  const run = (result: Compiled, name: string, value: number): number =>
    (plainInstance(moduleOf(result, name), { ask: () => value }) as { run(): number }).run();

  test.each([
    [],
    ['--debug'],
    ['-O3', '--converge'],
    ['-Oz', '--converge', '--sourceMap'],
    ['-O1', '--runPasses', 'inlining,dce'],
    ['--runtime', 'stub'],
    ['-O3', '--runtime', 'minimal', '--textFile', 'app.wat'],
  ] satisfies string[][])('asc %j', async (...flags: string[]) => {
    const result = await make('both', { flags }, CLAMPS);
    expect(metadataOf(result, 'app.jspi.wasm').source).toBe(metadataOf(result, 'app.wasm').source);
    expect(run(result, 'app.jspi.wasm', 40)).toBe(42);
  });

  test('also where asc changes the module after the transform has seen it', async () => {
    const [allow, clamp] = [
      await make('both', { flags: TRAPS }, CLAMPS),
      await make('both', { flags: [...TRAPS, '--trapMode', 'clamp'] }, CLAMPS),
    ];
    expect(() => run(allow, 'app.jspi.wasm', 1e300)).toThrow(WebAssembly.RuntimeError);
    expect(run(clamp, 'app.jspi.wasm', 1e300)).toBe(-(2 ** 31) + 2);
    expect(metadataOf(clamp, 'app.jspi.wasm').source).toBe(metadataOf(clamp, 'app.wasm').source);
  });

  test('also where another transform does', async () => {
    class Adds {
      afterCompile(module: { addFunctionExport(name: string, as: string): void }): void {
        module.addFunctionExport('app/run', 'again');
      }
    }
    const result = await make('both', { flags: ['--sourceMap'], transforms: [Adds] });
    for (const name of ['app.wasm', 'app.jspi.wasm']) {
      expect(WebAssembly.Module.exports(moduleOf(result, name)).map((each) => each.name)).toContain('again');
    }
    expect(metadataOf(result, 'app.jspi.wasm').source).toBe(metadataOf(result, 'app.wasm').source);
  });

  test('names stay with --debug, and go without', async () => {
    const named = async (flags: string[]): Promise<boolean> =>
      Buffer.from(bytesOf(await make('both', { flags }), 'app.jspi.wasm')).includes('app/twice');
    expect([await named(['--debug']), await named([])]).toEqual([true, false]);
  });
});

describe('source maps', () => {
  const LINES = `@external('env', 'ask') @suspending declare function ask(): i32;
export function outer(n: i32): i32 {
  const before = ask();
  return middle(n + before) +
    ask();
}
function middle(n: i32): i32 {
  ask();
  return boom(n);
}
function boom(n: i32): i32 {
  ask();
  unreachable();
  return 0;
}
`;
  const urlIn = (result: Compiled, name: string): string => {
    const [url] = WebAssembly.Module.customSections(moduleOf(result, name), 'sourceMappingURL');
    return new TextDecoder().decode(url).slice(1);
  };

  test.each([
    [['--sourceMap'], './app.wasm.map', './app.jspi.wasm.map'],
    [['--sourceMap', 'https://maps.example/x.map'], 'https://maps.example/x.map', 'https://maps.example/x.jspi.map'],
    [['--sourceMap', 'https://maps.example/x'], 'https://maps.example/x', 'https://maps.example/x.jspi'],
  ])('asc %j: each module names its own', async (flags, first, second) => {
    const result = await make('both', { flags, outFile: 'out/app.wasm' }, LINES);
    expect([urlIn(result, 'out/app.wasm'), urlIn(result, 'out/app.jspi.wasm')]).toEqual([first, second]);
    const mapOf = (url: string): Record<string, unknown> =>
      JSON.parse(textOf(result, `out/${url.slice(url.lastIndexOf('/') + 1)}`)) as Record<string, unknown>;
    const [one, two] = [mapOf(first), mapOf(second)];
    expect(two).toMatchObject({ sources: one['sources'], sourcesContent: one['sourcesContent'] });
    expect(two['sourceRoot']).toBe(one['sourceRoot']);
    expect((two['sourcesContent'] as string[]).at((two['sources'] as string[]).indexOf('app.ts'))).toBe(LINES);
    expect(two['mappings']).not.toBe(one['mappings']);
  });

  test('one for JSPI alone has the name that asc was asked for', async () => {
    const result = await make('jspi', { flags: ['--sourceMap', 'mine.map'] }, LINES);
    expect(urlIn(result, 'app.wasm')).toBe('mine.map');
    expect([...result.files.keys()]).toEqual(['app.js', 'app.d.ts', 'app.wasm', 'mine.map']);
  });

  // At -O1 the functions are inlined into one.
  test.each([
    [[], [13, 9, 4]],
    [['--debug'], [13, 9, 4]],
    [['-O1'], [13]],
    [['-O1', '--converge'], [13]],
  ])('of the module for JSPI lead from each frame to its line, with %j', async (flags, expected) => {
    const result = await make('both', { flags: [...flags, '--sourceMap'] }, LINES);
    const map = new TraceMap(textOf(result, 'app.jspi.wasm.map'));
    const { outer } = plainInstance(moduleOf(result, 'app.jspi.wasm'), { ask: () => 1 }) as {
      outer(n: number): number;
    };
    let stack = '';
    try {
      outer(1);
    } catch (error) {
      stack = String((error as Error).stack);
    }
    const offsets = [...stack.matchAll(/wasm-function\[\d+\]:0x([0-9a-f]+)/g)].map((match) =>
      Number.parseInt(match[1] ?? '', 16),
    );
    const lines = offsets
      .map((column) => originalPositionFor(map, { line: 1, column }))
      .filter((each) => each.source?.endsWith('/app.ts') === true)
      .map((each) => each.line);
    expect(lines).toEqual(expected);
  });
});

describe('the option', () => {
  const CONFIG = JSON.stringify({
    targets: { release: {}, fast: { 'wasm-fibers': { target: 'jspi' } } },
    'wasm-fibers': { target: 'both' },
  });
  test.each([
    [[], undefined, ['asyncify', 'jspi']],
    [['--target', 'fast'], undefined, ['jspi']],
    [['--target', 'fast'], 'asyncify', ['asyncify']],
  ] as const)('of the nearest place holds: asc %j, wasmFibers() %s', async (flags, target, expected) => {
    const result = await compile(
      { 'app.ts': SOURCE, 'asconfig.json': CONFIG },
      { flags, options: target === undefined ? {} : { target } },
    );
    expect([result.error, result.stderr]).toEqual([null, '']);
    const modules = ['app.wasm', 'app.jspi.wasm'].filter((name) => result.files.has(name));
    expect(modules.map((name) => metadataOf(result, name).target)).toEqual(expected);
  });

  test.each([
    [{ target: 'wasm' }, 'wasmFibers(): "target" must be "asyncify", "jspi" or "both", not "wasm".'],
    [{ target: ['both'] }, 'wasmFibers(): "target" must be "asyncify", "jspi" or "both", not ["both"].'],
    [{ target: 'jspi', remove: ['app/twice'] }, 'remove'],
    [{ target: 'jspi', only: ['app/*'] }, 'only'],
    [{ target: 'jspi', ignoreIndirect: true }, 'ignoreIndirect'],
  ])('%j is refused', async (options, sentence) => {
    // Callers may be JavaScript.
    expect(await refused(SOURCE, { options: options as never })).toContain(sentence);
  });

  test('of lists of functions is for Asyncify, also in a pair', async () => {
    const result = await make('both', { options: { add: ['app/run'], ignoreIndirect: true } });
    expect(metadataOf(result, 'app.wasm').options).toMatchObject({
      add: ['app/run', 'export:app/run'],
      ignoreIndirect: true,
    });
    expect(metadataOf(result, 'app.jspi.wasm').target).toBe('jspi');
  });
});

describe("a reference of the host's across a wait", () => {
  const HELD = `${SUSPENDING} declare function wait(): void;
    declare function get(): externref;
    declare function use(x: externref): void;
    export function run(): void { const kept = get(); wait(); use(kept); }`;
  const flags = ['--enable', 'reference-types'];

  test("is the engine's affair with JSPI", async () => {
    for (const level of [[], ['-O3']]) {
      const result = await make('jspi', { flags: [...flags, ...level] }, HELD);
      expect(metadataOf(result, 'app.wasm').target).toBe('jspi');
      if (!engineHasJspi) continue;
      const used: unknown[] = [];
      let kept = {};
      const app = { wait: async () => undefined, get: () => (kept = {}), use: (x: unknown) => used.push(x) };
      const guest = await instantiate<{ run(): void }>(new Uint8Array(bytesOf(result, 'app.wasm')), { app });
      await guest.exports.run();
      expect(used).toEqual([kept]);
      expect(used[0]).toBe(kept);
    }
  });

  test.each(['asyncify', 'both'] as const)('is refused for %s, and nothing is written', async (target) => {
    const printed = await refused(HELD, { flags, options: { target } });
    expect(printed).toContain('"kept" of the function "app/run"');
    expect(printed).toContain('or compile for JSPI alone ("target": "jspi")');
  });
});

describe('both or nothing', () => {
  test('where writing fails, it does before the first module is there', async () => {
    const argv = ['app.ts', '-o', 'app.wasm', '--sourceMap'];
    for (const wrong of ['app.jspi.wasm', 'app.jspi.wasm.map']) {
      const files: string[] = [];
      const { error } = await main(argv, {
        transforms: [wasmFibers({ argv, target: 'both' })] as never,
        readFile: (file: string) => (file === 'app.ts' ? SOURCE : null),
        writeFile: ((file: string) => (file === wrong ? false : void files.push(file))) as never,
        listFiles: () => [],
      });
      expect(error?.message).toBe(`The file ${wrong} could not be written.`);
      expect(files).not.toContain('app.wasm');
      expect(files).not.toContain('app.jspi.wasm');
    }
  });

  test('--noEmit writes nothing, and standard output gets text or nothing', async () => {
    expect([...(await make('both', { flags: ['--noEmit'] })).files.keys()]).toEqual([]);
    const text = await compile(SOURCE, { outFile: null, options: { target: 'both' } });
    expect(text.stdout).toContain('(module');
    expect(text.stderr).toContain('Skipped JavaScript and TypeScript bindings of wasm-fibers and the module for JSPI');
    expect([...text.files.keys()]).toEqual([]);
    expect(await refused(SOURCE, { outFile: '', options: { target: 'both' } })).toContain(
      'The target "both" makes two modules, which standard output cannot tell apart: give --outFile a name.',
    );
  });

  test('text is that of app.wasm', async () => {
    const both = await make('both', { flags: ['--textFile', 'app.wat'] });
    expect(textOf(both, 'app.wat')).toContain('asyncify_start_unwind');
    expect(textOf(await make('jspi', { flags: ['--textFile', 'app.wat'] }), 'app.wat')).not.toContain('asyncify');
  });
});
