/** Where the transform's options come from: asconfig.json, what it extends, its targets, and the factory's argument. */
import { main } from 'assemblyscript/asc';
import { describe, expect, test } from 'vitest';
import WasmFibers, { wasmFibers } from '../../host/assemblyscript/transform/index.ts';
import { compile, compiled, refused, sectionOf } from './transform-driver.ts';

const SOURCE = `@external('env', 'base') declare function base(): void;
@external('env', 'top') declare function top(): void;
@external('env', 'target') declare function target(): void;
@external('env', 'own') declare function own(): void;
declare function unused(): void;
export function run(): void { base(); top(); target(); own(); }`;

const CONFIGS = {
  'base/asconfig.json': JSON.stringify({
    options: { runtime: 'stub' },
    'wasm-fibers': { suspending: ['env.base'] },
  }),
  'asconfig.json': JSON.stringify({
    extends: './base/asconfig.json',
    entries: ['src/main.ts'],
    options: { optimizeLevel: 1, outFile: 'build/plain.wasm' },
    targets: {
      fast: { outFile: 'build/fast.wasm', sourceMap: true, 'wasm-fibers': { suspending: ['env.target'] } },
      slow: { debug: true, outFile: 'build/slow.wasm', sourceMap: 'slow.map' },
    },
    'wasm-fibers': { suspending: ['env.top'] },
  }),
};

describe('asconfig.json', () => {
  test.each([
    [[], 'build/plain', [], ['base', 'top']],
    [['--target', 'fast'], 'build/fast', ['build/fast.wasm.map'], ['base', 'target', 'top']],
    [['--target', 'slow'], 'build/slow', ['build/slow.map'], ['base', 'top']],
    [['--target', 'slow', '-o', 'mine.wasm'], 'mine', ['slow.map'], ['base', 'top']],
    [['--config', 'base/asconfig.json', 'src/main.ts', '-o', 'b.wasm'], 'b', [], ['base']],
  ])('asc %j', async (flags, base, others, suspending) => {
    const { error, stderr, files } = await compile(
      { ...CONFIGS, 'src/main.ts': SOURCE },
      { flags, entries: [], outFile: null },
    );
    expect([error, stderr]).toEqual([null, '']);
    expect([...files.keys()].toSorted()).toEqual([`${base}.d.ts`, `${base}.js`, `${base}.wasm`, ...others].toSorted());
    const section = sectionOf(new Uint8Array(files.get(`${base}.wasm`) as Uint8Array));
    expect(section.runtime).toBe('stub');
    const waiting = section.imports.flatMap((each) => (each.suspending ? [each.name] : []));
    expect(waiting.toSorted()).toEqual(suspending);
  });

  test('and the argument of wasmFibers() are joined', async () => {
    const files = { ...CONFIGS, 'src/main.ts': SOURCE };
    const result = await compile(files, { entries: [], outFile: null, options: { suspending: ['env.ow*'] } });
    const section = sectionOf(new Uint8Array(result.files.get('build/plain.wasm') as Uint8Array));
    expect(section.imports.flatMap((each) => (each.suspending ? [each.name] : [])).toSorted()).toEqual([
      'base',
      'own',
      'top',
    ]);
  });

  test.each([
    [
      '{ "wasm-fibers": { "suspendin": [] } }',
      'asconfig.json: "wasm-fibers": there is no option "suspendin": did you mean "suspending"?',
    ],
    [
      '{ "wasm-fibers": { "colour": 1 } }',
      'there is no option "colour": known are suspending, only, add, remove, ignoreIndirect, fastPath, metered, limits, target',
    ],
    [
      '{ "wasm-fibers": [] }',
      '"wasm-fibers" must be an object with any of suspending, only, add, remove, ignoreIndirect, fastPath, metered, limits, target.',
    ],
    [
      '{ "targets": { "release": { "wasm-fibers": { "only": [""] } } } }',
      '"wasm-fibers" of the target "release": "only" must be an array of non-empty strings',
    ],
    [
      '{ "wasm-fibers": { "metered": "yes" } }',
      'asconfig.json: "wasm-fibers": "metered" must be true or false, not "yes".',
    ],
    ['{ "wasm-fibers": { "metered": true, "limits": [] } }', '"limits" must be an object, not [].'],
    ['{ "wasm-fibers": { "limits": { "callDepth": 5 } } }', 'is for metered modules'],
    ['{ "wasm-fibers": { "metered": true, "limits": { "depth": 5 } } }', 'limits.depth'],
    ['{ "options": { "wasm-fibers": {} } }', '"wasm-fibers" stands in "options"'],
    ['{ "options": { "bindings": "esm" } }', '--bindings would overwrite'],
    ['{ "wasmFibers": { "suspending": ["env.base"] } }', 'asconfig.json: nobody reads "wasmFibers". Did you mean'],
    ['{ "wasm-fibers": { "suspending": ["env.bass"] } }', 'Did you mean "env.base"?'],
  ])('%s', async (config, sentence) => {
    expect(await refused({ 'app.ts': SOURCE, 'asconfig.json': config })).toContain(sentence);
  });
});

describe('wasmFibers()', () => {
  test('a pattern without a match names what may have been meant, and everything there is', async () => {
    const printed = await refused(SOURCE, { options: { suspending: ['env.tops'] } });
    expect(printed).toContain(
      'The entry "env.tops" of "suspending" matches no import of this program. Did you mean "env.top"? It imports:\n',
    );
    expect(printed).toContain('\n  app.unused\n');
  });

  test("a pattern does not mean what asc's own library imports, unless it names it", async () => {
    const source = `${SOURCE}\nexport function at(all: i32[], i: i32): i32 { return all[i]; }`;
    const waiting = async (suspending: string[]): Promise<string[]> => {
      const { imports } = (await compiled(source, { options: { suspending } })).section;
      return imports.flatMap((each) => (each.suspending ? [each.name] : [])).toSorted();
    };
    expect(await waiting(['env.*'])).toEqual(['base', 'own', 'target', 'top']);
    expect(await waiting(['*', 'env.abort'])).toContain('abort');
  });

  test('an import that is declared and not used may be named', async () => {
    await compiled(SOURCE, { options: { suspending: ['app.unused', 'env.*'] } });
  });

  test.each([
    [{ suspending: 'env.*' }, 'wasmFibers(): "suspending" must be an array of non-empty strings, not "env.*".'],
    [{ ignoreIndirect: 1 }, 'wasmFibers(): "ignoreIndirect" must be true or false, not 1.'],
    [{ only: ['app/run'], remove: ['app/run'] }, 'The option "only" already says which functions are instrumented'],
    [{ remove: ['app/rum'] }, '"remove" app/rum matches no function of this module. Did you mean "app/run"?'],
  ])('%j', async (options, sentence) => {
    // Callers may be JavaScript.
    expect(await refused(SOURCE, { options: options as never })).toContain(sentence);
  });
});

describe('asc.main', () => {
  const settings = (files: string[]): object => ({
    readFile: (file: string) => (file === 'app.ts' ? SOURCE : null),
    writeFile: (file: string) => void files.push(file),
    listFiles: () => [],
  });

  test('does not say what it was given, so the transform must be told', async () => {
    const files: string[] = [];
    for (const transform of [WasmFibers, wasmFibers()]) {
      const { error } = await main(['app.ts', '-o', 'app.wasm'], {
        ...settings(files),
        transforms: [transform] as never,
      });
      expect(error?.message).toContain('asc.main(argv, { transforms: [wasmFibers({ argv })] })');
    }
    expect(files).toEqual([]);
  });

  test('and the transform are told the same', async () => {
    const files: string[] = [];
    const argv = ['app.ts', '-o', 'app.wasm'];
    const { error } = await main([...argv, '--sourceMap'], {
      ...settings(files),
      transforms: [wasmFibers({ argv })] as never,
    });
    expect(error?.message).toBe('The "argv" that wasmFibers() was given are not those that asc.main() was given.');
    expect(files).toEqual([]);
  });

  test('that cannot write', async () => {
    const argv = ['app.ts', '-o', 'app.wasm'];
    const { error } = await main(argv, {
      ...settings([]),
      writeFile: (() => false) as never,
      transforms: [wasmFibers({ argv })] as never,
    });
    expect(error?.message).toBe('The file app.js could not be written.');
  });
});
