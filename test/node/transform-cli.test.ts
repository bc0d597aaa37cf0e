/** `asc --transform wasm-fibers/transform` in a project of its own, as a person runs it, and what TypeScript says of the result. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readMetadata } from '../../host/runtime/metadata.ts';
import { engineHasJspi } from '../support/backend.ts';
import { makeFolder, removeFolder, ROOT, run, runTool, SHORT_LIVED, writeFiles } from '../support/temporary.ts';
import type { Outcome } from '../support/temporary.ts';

const SOURCE = `/** Where somebody is. */
class Place { name: string = ''; floor: i32 = 0; }
class Session { constructor(public hits: i32) {} }
export enum Mood { Good, Bad = 5 }
export const LIMIT: i32 = 3;
// @ts-ignore: decorator
@suspending @external('env', 'fetchText') declare function fetchText(url: string, retries: i64): string;
// @ts-ignore: decorator
@suspending @external('env', 'sleep') declare function sleep(ms: f64): void;
@external('env', 'where') declare function where(name: string | null): Place | null;

/** Greets. */
export function greet(name: string, times: i32 = 1): string[] {
  const words: string[] = [];
  for (let i = 0; i < times; i++) { sleep(1); words.push(fetchText(name, i)); }
  return words;
}
export function find(name: string | null): Place | null { return where(name); }
export function open(): Session { return new Session(0); }
export function hit(session: Session, mood: Mood): i32 { sleep(0); return session.hits += mood; }
export function total(values: f64[][], bytes: Uint8Array, big: u64): u64 { return big + bytes.length + values.length; }
`;

const USE = `import { instantiate, Mood } from './build/app.js';
import type { Exports, Imports, Place } from './build/app.js';

const imports: Imports = {
  env: {
    fetchText: async (url, retries) => url.repeat(Number(retries) + 1),
    sleep: (ms) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
    where: (name) => (name === null ? null : { name, floor: 2 }),
  },
};
const guest = await instantiate(imports);
const words: string[] = await guest.exports.greet('a', 2);
const place: Place | null = await guest.exports.find('x');
const session = await guest.exports.open();
const hits: number = await guest.exports.hit(session, Mood.Bad);
const big: bigint = await guest.exports.total([[1], [2]], new Uint8Array(3), 5n);
const mood: Mood = 5;
const limit: 3 | number = guest.exports.LIMIT.value;
const synchronous: Exports['greet'] = (name) => [name];

// @ts-expect-error: not a number
await guest.exports.greet(1);
// @ts-expect-error: a plain object is no session
await guest.exports.hit({}, 0);
// @ts-expect-error: what is missing
await instantiate({ env: { sleep: () => {}, where: () => null } });
// @ts-expect-error: where() may not wait
await instantiate({ env: { ...imports.env, where: async () => null } });
// @ts-expect-error: constant
guest.exports.LIMIT.value = 4;
// @ts-expect-error: no such member
const wrong: Mood = 1;

export const result = JSON.stringify([words, place, hits, String(big), mood, limit, synchronous('s', 1), wrong]);
`;

let folder = '';

/** A project with the package in node_modules, as npm would put it there. */
async function makeProject(files: Readonly<Record<string, string>>): Promise<string> {
  const project = await makeFolder({ 'package.json': '{ "type": "module" }', ...files });
  await mkdir(path.join(project, 'node_modules'));
  await symlink(ROOT, path.join(project, 'node_modules/wasm-fibers'), 'junction');
  await symlink(
    path.join(ROOT, 'node_modules/assemblyscript'),
    path.join(project, 'node_modules/assemblyscript'),
    'junction',
  );
  return project;
}

/** asc starts itself anew unless Node is called so. */
const ascIn = (project: string, ...args: string[]): Promise<Outcome> =>
  run(
    process.execPath,
    [...SHORT_LIVED, '--enable-source-maps', path.join(ROOT, 'node_modules/assemblyscript/bin/asc.js'), ...args],
    project,
  );

beforeAll(async () => {
  folder = await makeProject({ 'app.ts': SOURCE, 'use.ts': USE });
});
afterAll(() => removeFolder(folder));

describe('with arguments alone', () => {
  beforeAll(async () => {
    const args = ['app.ts', '--transform', 'wasm-fibers/transform', '-o', 'build/app.wasm', '-O3', '--sourceMap'];
    const outcome = await run(path.join(ROOT, 'node_modules/.bin/asc'), args, folder);
    expect(outcome).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('module, bindings, types and source map are there', async () => {
    expect((await readdir(path.join(folder, 'build'))).toSorted()).toEqual([
      'app.d.ts',
      'app.js',
      'app.wasm',
      'app.wasm.map',
    ]);
  });

  test.each([
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])('TypeScript accepts the bindings, and refuses what is wrong (%s, %s)', async (module, moduleResolution) => {
    const strict = [
      '--strict',
      '--exactOptionalPropertyTypes',
      '--noUncheckedIndexedAccess',
      '--isolatedModules',
      '--verbatimModuleSyntax',
    ];
    const outcome = await runTool(
      'typescript/bin/tsc',
      [
        '--noEmit',
        ...strict,
        '--target',
        'es2022',
        '--lib',
        'es2023,dom',
        '--types',
        '',
        '--module',
        module,
        '--moduleResolution',
        moduleResolution,
        'use.ts',
      ],
      folder,
    );
    expect(outcome).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('the bindings run', async () => {
    await writeFiles(folder, {
      'run.mjs': `import { instantiate, Mood } from './build/app.js';
const guest = await instantiate({ env: {
  fetchText: async (url, retries) => url.repeat(Number(retries) + 1),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  where: (name) => (name === null ? null : { name, floor: 2 }),
} });
const session = await guest.exports.open();
console.log(JSON.stringify([await guest.exports.greet('a', 2), await guest.exports.find(null), await guest.exports.find('x'), await guest.exports.hit(session, Mood.Bad), guest.exports.LIMIT.value]));
const again = await instantiate({ env: { fetchText: String, sleep() {}, where: () => null } }, { source: new URL('build/app.wasm', import.meta.url) });
console.log(JSON.stringify(await again.exports.greet('b')));`,
    });
    const outcome = await run(process.execPath, ['run.mjs'], folder);
    expect(outcome).toEqual({ code: 0, stdout: '[["a","aa"],null,{"name":"x","floor":2},5,3]\n["b"]\n', stderr: '' });
  });

  test('whoever takes no part of the bindings gets none of them', async () => {
    const esbuild = await import('esbuild');
    const bundle = await esbuild.build({
      stdin: { contents: "import { Mood } from './build/app.js'; console.log(Mood.Good);", resolveDir: folder },
      bundle: true,
      format: 'esm',
      write: false,
    });
    const text = bundle.outputFiles[0]?.text ?? '';
    expect(text).toContain('Good: 0');
    expect(text).not.toContain('app.wasm');
    expect(text.length).toBeLessThan(500);
  });
});

test('from another folder, with --baseDir and --config', async () => {
  const outcome = await ascIn(
    path.dirname(folder),
    'app.ts',
    '--baseDir',
    folder,
    '--transform',
    'wasm-fibers/transform',
    '-o',
    'elsewhere/app.wasm',
  );
  expect(outcome).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(existsSync(path.join(folder, 'elsewhere/app.d.ts'))).toBe(true);
});

test('of a pair the bindings read the module that the engine needs, and no other', async () => {
  await writeFiles(folder, {
    'pair.json': '{ "options": { "optimizeLevel": 3, "converge": true }, "wasm-fibers": { "target": "both" } }',
    'pair.mjs': `import { instantiate } from './pair/app.js';
const guest = await instantiate({ env: { fetchText: async (url) => url, sleep: async () => {}, where: () => null } });
console.log(guest.backend, await guest.exports.greet('a', 2));`,
  });
  const transform = ['--transform', 'wasm-fibers/transform', '-o', 'pair/app.wasm'];
  const outcome = await ascIn(folder, 'app.ts', '--config', 'pair.json', ...transform);
  expect(outcome).toEqual({ code: 0, stdout: '', stderr: '' });
  const sources = ['app.wasm', 'app.jspi.wasm'].map(
    (name) => readMetadata(new WebAssembly.Module(readFileSync(path.join(folder, 'pair', name))))?.source,
  );
  expect(sources[0]).toBe(sources[1]);
  await rm(path.join(folder, 'pair', engineHasJspi ? 'app.wasm' : 'app.jspi.wasm'));
  const { stdout } = await run(process.execPath, ['pair.mjs'], folder);
  expect(stdout).toBe(`${engineHasJspi ? 'jspi' : 'asyncify'} [ 'a', 'a' ]\n`);
});

test('what is wrong is a sentence, exit code 1, and no file', async () => {
  await writeFiles(folder, { 'wrong.json': '{ "wasm-fibers": { "suspending": ["env.fetch"] } }' });
  const transform = ['--transform', 'wasm-fibers/transform', '-o', 'wrong/app.wasm'];
  const config = await ascIn(folder, 'app.ts', '--config', 'wrong.json', ...transform);
  expect(config.code).toBe(1);
  expect(config.stderr).toMatch(/^FAILURE The entry "env.fetch" .* Did you mean "env.fetchText"\? It imports:\n/);
  expect(config.stderr).not.toMatch(/^\s+at /m);
  await writeFiles(folder, { 'bad.ts': 'export function f(): v128 { return i32x4.splat(1); }' });
  const source = await ascIn(folder, 'bad.ts', '--enable', 'simd', ...transform);
  expect(source.code).toBe(1);
  expect(source.stderr).toContain('in bad.ts(1,17)');
  expect(existsSync(path.join(folder, 'wrong'))).toBe(false);
});

test('asc.main called with --transform by a script says what to do instead', async () => {
  await writeFiles(folder, {
    'script.mjs': `import asc from 'assemblyscript/asc';
const { error } = await asc.main(['app.ts', '--transform', 'wasm-fibers/transform', '-o', 'script/app.wasm']);
console.log(error?.message);`,
    'right.mjs': `import asc from 'assemblyscript/asc';
import { wasmFibers } from 'wasm-fibers/transform';
const argv = { outFile: 'script/app.wasm', optimize: true };
const { error } = await asc.main(['app.ts', ...asc.configToArguments(argv)], { transforms: [wasmFibers({ argv })] });
console.log(error);`,
  });
  const wrong = await run(process.execPath, [...SHORT_LIVED, 'script.mjs'], folder);
  expect(wrong.stdout).toContain('asc.main(argv, { transforms: [wasmFibers({ argv })] })');
  expect(existsSync(path.join(folder, 'script'))).toBe(false);
  expect((await run(process.execPath, [...SHORT_LIVED, 'right.mjs'], folder)).stdout).toBe('null\n');
  const module: unknown = await import(pathToFileURL(path.join(folder, 'script/app.js')).href);
  expect(module).toMatchObject({ Mood: { Good: 0, Bad: 5 } });
});
