// The house rules are worth what they catch: each case is a whole tree with one violation, linted by the real linter
// with the real configuration.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, runTool, temporaryFolder, writeFiles } from '../support/temporary.ts';

const SOUND = {
  'host/errors.ts': 'export const code = 1;\n',
  'host/trace.ts': "import { code } from './errors.ts';\n\nexport const trace: number = code;\n",
  'host/backends/frames.ts': "import { code } from '../errors.ts';\n\nexport const frames: number = code;\n",
  'host/runtime/guest.ts':
    "import type { Module } from 'binaryen';\nimport { frames } from '../backends/frames.ts';\n\nexport type Parsed = Module;\nexport const guest: number = frames;\n",
  'host/runtime/last.ts':
    'export function last(all: readonly [number]): number {\n  // A tuple is never empty.\n  return all.at(-1)!;\n}\n',
  'host/index.ts': "export { guest } from './runtime/guest.ts';\n",
  'host/instrument/index.ts':
    "import binaryen from 'binaryen';\nimport { guest } from '../index.ts';\n\nexport const module: unknown = [binaryen, guest];\n",
  'host/wasi/index.ts': "import { WASI } from '@wasmer/wasi';\n\nexport const wasi: unknown = WASI;\n",
  'host/cli/main.ts':
    "import { readFileSync } from 'node:fs';\nimport { Command } from 'commander';\nimport { module } from '../instrument/index.ts';\n\nexport const main: unknown = [readFileSync, Command, module];\n",
};

async function lint(files: Readonly<Record<string, string>>): Promise<{ code: number; output: string }> {
  const folder = await temporaryFolder(SOUND);
  for (const name of ['.oxlintrc.json', ...['plugin', 'order', 'reasons'].map((rule) => `test/house/${rule}.mjs`)]) {
    await writeFiles(folder, { [name]: await readFile(path.join(ROOT, name), 'utf8') });
  }
  await writeFiles(folder, files);
  const { code, stdout, stderr } = await runTool('oxlint/bin/oxlint', ['--deny-warnings'], folder);
  return { code, output: stdout + stderr };
}

test('a tree that keeps the order passes', async () => {
  const { code, output } = await lint({});
  expect(output).toContain('Found 0 warnings and 0 errors');
  expect(code).toBe(0);
});

const VIOLATIONS: readonly (readonly [name: string, file: string, source: string, complaint: string])[] = [
  [
    'an upward import',
    'host/backends/up.ts',
    "import { guest } from '../runtime/guest.ts';\n\nexport const up: number = guest;\n",
    'host/backends/up.ts imports upward: host/runtime/guest.ts',
  ],
  [
    'an upward import of a type',
    'host/errors.ts',
    "import type { trace } from './runtime/guest.ts';\n\nexport const code: typeof trace = 1;\n",
    'host/errors.ts imports upward: host/runtime/guest.ts',
  ],
  [
    'an upward re-export',
    'host/runtime/up.ts',
    "export { guest } from '../index.ts';\n",
    'host/runtime/up.ts imports upward: host/index.ts',
  ],
  [
    'an upward import() while running',
    'host/runtime/up.ts',
    "export const up: Promise<unknown> = import('../instrument/index.ts');\n",
    'host/runtime/up.ts imports upward: host/instrument/index.ts',
  ],
  [
    'an import cycle inside one folder',
    'host/errors.ts',
    "import { trace } from './trace.ts';\n\nexport const code: number = trace;\n",
    'Dependency cycle detected',
  ],
  [
    'an import cycle of types',
    'host/errors.ts',
    "import type { trace } from './trace.ts';\n\nexport const code = 1;\nexport type Trace = typeof trace;\n",
    'Dependency cycle detected',
  ],
  [
    'binaryen outside host/instrument',
    'host/runtime/load.ts',
    "import binaryen from 'binaryen';\n\nexport const load: unknown = binaryen;\n",
    "Only host/instrument/ may import 'binaryen'",
  ],
  [
    'binaryen loaded while running, outside host/instrument',
    'host/cli/load.ts',
    "export const load: Promise<unknown> = import('binaryen');\n",
    "Only host/instrument/ may import 'binaryen'",
  ],
  [
    '@wasmer/wasi outside host/wasi',
    'host/plugin/load.ts',
    "import { WASI } from '@wasmer/wasi';\n\nexport const load: unknown = WASI;\n",
    "Only host/wasi/ may import '@wasmer/wasi'",
  ],
  [
    'a node: module outside host/cli',
    'host/instrument/read.ts',
    "import { readFileSync } from 'node:fs';\n\nexport const read: unknown = readFileSync;\n",
    "Only host/cli/ and host/wasi/node/ and host/assemblyscript/transform/ may import 'node:fs'",
  ],
  [
    'a node module without its prefix',
    'host/runtime/read.ts',
    "import { readFileSync } from 'fs';\n\nexport const read: unknown = readFileSync;\n",
    "'fs' is no package that host/ may import",
  ],
  [
    'a dependency that nobody decided on',
    'host/runtime/pad.ts',
    "import pad from 'left-pad';\n\nexport const padded: unknown = pad;\n",
    "'left-pad' is no package that host/ may import",
  ],
  [
    'the package imported by its own name',
    'host/runtime/self.ts',
    "import { guest } from 'wasm-fibers';\n\nexport const self: number = guest;\n",
    'imports its own package by name',
  ],
  [
    'an import from outside host/',
    'host/runtime/out.ts',
    "import { helper } from '../../test/helper.ts';\n\nexport const out: unknown = helper;\n",
    'from outside host/',
  ],
  [
    'a non-null assertion without a reason',
    'host/runtime/first.ts',
    'export const first = (all: number[]): number => all[0]!;\n',
    'why this is never null',
  ],
  ['any', 'host/runtime/any.ts', 'export const first = (all: any): unknown => all;\n', 'no-explicit-any'],
  ['a file without a place in the order', 'host/util.ts', 'export const util = 1;\n', 'host/util.ts has no place'],
];

test.each(VIOLATIONS)('%s fails', async (_name, file, source, complaint) => {
  const { code, output } = await lint({ [file]: source });
  expect(output).toContain(complaint);
  expect(code).not.toBe(0);
});
