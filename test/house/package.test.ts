// What a person gets who installs the package: packed, installed into an empty project, used from JavaScript, from
// TypeScript and from the command line. The files are those of the last build; the runner makes one before it tests.
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT, makeFolder, removeFolder, run, runTool, writeFiles } from '../support/temporary.ts';

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

let project: string;
let packed: Packed;

// Once for all tests of this file, since it takes seconds.
beforeAll(async () => {
  project = await makeFolder({ 'package.json': '{ "name": "empty", "private": true, "type": "module" }\n' });
  // Without scripts: prepack builds, under the feet of tests that run at the same time.
  const pack = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project], ROOT);
  const [first] = JSON.parse(pack.stdout) as Packed[];
  if (first === undefined) throw new Error(`npm pack made nothing: ${pack.stderr}`);
  packed = first;
  const tarball = path.join(project, packed.filename);
  const { code, stderr } = await run(
    'npm',
    ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball],
    project,
  );
  if (code !== 0) throw new Error(`npm install failed: ${stderr}`);
});

afterAll(() => removeFolder(project));

/** All strings in an exports map. */
function targets(map: unknown): string[] {
  if (typeof map === 'string') return [map];
  return typeof map === 'object' && map !== null ? Object.values(map).flatMap(targets) : [];
}

test('the tarball holds every file that package.json points at', async () => {
  const manifest = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8')) as Record<string, unknown>;
  const named = [...targets(manifest['exports']), ...targets(manifest['bin'])].filter((file) => !file.includes('*'));
  const held = packed.files.map((file) => file.path);
  expect(named.length).toBeGreaterThan(0);
  expect(named.map((file) => path.normalize(file)).filter((file) => !held.includes(file))).toEqual([]);
});

test('the tarball holds nothing but the build of host/, assembly/ and the papers', () => {
  const belongs = /^(build\/host\/.*\.(js|d\.ts)|assembly\/.*|package\.json|README\.md|LICENSE)$/;
  expect(packed.files.map((file) => file.path).filter((file) => !belongs.test(file))).toEqual([]);
});

test('installing it brings only what the command line, source maps and plugins need', async () => {
  const installed = await readdir(path.join(project, 'node_modules'));
  expect(installed.filter((name) => !name.startsWith('.')).sort()).toEqual([
    '@jridgewell',
    'commander',
    'valibot',
    'wasm-fibers',
  ]);
});

test("no development dependency puts a 'node' of its own before the machine's", () => {
  expect(existsSync(path.join(ROOT, 'node_modules/.bin/node'))).toBe(false);
});

// (module (func (export "answer") (result i32) i32.const 42))
const ANSWER = `new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0,
  7, 10, 1, 6, 97, 110, 115, 119, 101, 114, 0, 0, 10, 6, 1, 4, 0, 65, 42, 11,
])`;

test('it is used from JavaScript', async () => {
  await writeFiles(project, {
    'use.js': `import { FiberError, instantiate } from 'wasm-fibers';
const guest = await instantiate(${ANSWER}, {});
const answer = await guest.exports.answer();
await guest.dispose();
const error = await guest.exports.answer().catch((error) => error);
console.log(answer, error instanceof FiberError, error.code);
`,
  });
  const { code, stdout, stderr } = await run(process.execPath, ['use.js'], project);
  expect(stderr).toBe('');
  expect(stdout).toBe('42 true DISPOSED\n');
  expect(code).toBe(0);
});

test('it is used from TypeScript, without the types of Node', async () => {
  await writeFiles(project, {
    'use.ts': `import { FiberError, canSuspend, currentFiber, instantiate, type Fiber, type Guest } from 'wasm-fibers';

interface Exports {
  answer(): number;
}

const guest = await instantiate<Exports>(${ANSWER}, { env: { log: (value: number): void => console.log(value) } });
const answer: number = await guest.exports.answer();
const fiber = guest.spawn('answer', []);
const result: number = await fiber.result;
const here: boolean = currentFiber() === null && !canSuspend();
// @ts-expect-error: there is no such export
guest.exports.question();
// @ts-expect-error: a fiber's result is waited for
const early: number = guest.exports.answer();

export const describe = (error: unknown): string => (error instanceof FiberError ? error.code : String(error));
export type Handles = [Guest<Exports>, Fiber];
export default [answer, result, here, early];
`,
    'tsconfig.json': JSON.stringify({
      compilerOptions: { module: 'nodenext', target: 'esnext', types: [], strict: true, noEmit: true },
      files: ['use.ts'],
    }),
  });
  const { code, stdout } = await runTool('typescript/bin/tsc', ['-p', '.', '--pretty', 'false'], project);
  expect(stdout).toBe('');
  expect(code).toBe(0);
});

test('its command runs, and tells who lacks binaryen how to get it', async () => {
  const command = path.join(project, 'node_modules/.bin/wasm-fibers');
  const help = await run(command, ['--help'], project);
  expect(help.stdout).toContain('instrument');
  expect(help.code).toBe(0);

  // (module (import "env" "f" (func)))
  const importing = '00 61 73 6d 01 00 00 00 01 04 01 60 00 00 02 09 01 03 65 6e 76 01 66 00 00';
  const write = `import fs from 'node:fs';\nfs.writeFileSync('in.wasm', Buffer.from('${importing.replaceAll(' ', '')}', 'hex'));\n`;
  await writeFiles(project, { 'write.js': write });
  await run(process.execPath, ['write.js'], project);
  const refused = await run(command, ['instrument', 'in.wasm', '-o', 'out.wasm', '--suspending', '*'], project);
  expect(refused.stderr).toContain('npm i -D binaryen');
  expect(refused.code).not.toBe(0);
  expect(existsSync(path.join(project, 'out.wasm'))).toBe(false);
});
