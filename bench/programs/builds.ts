/**
 * A program's builds, made once: they are kept under a hash of all that decides what they are, which is the module, the recipe,
 * the code of the instrumenter as compiled, and the version of Binaryen.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Job, Made } from './make.ts';
import type { Program } from './program.ts';
import type { Variant } from './variants.ts';

const BUILT = fileURLToPath(new URL('../../', import.meta.url));
const KEPT = path.join(BUILT, 'guests/programs');
const MAKE = fileURLToPath(new URL('make.js', import.meta.url));

export interface Build {
  readonly variant: Variant;
  readonly file: string;
  readonly bytes: number;
  readonly gzipped: number;
  /** Null for what nobody made here. */
  readonly made: Made | null;
}

/** @param fresh makes it again, for the time that it takes */
export function buildOf(program: Program, source: string, variant: Variant, fresh: boolean): Build {
  const { recipe } = variant;
  if (recipe.kind === 'source') return describe(variant, source, null);
  if (recipe.kind === 'file') return describe(variant, recipe.file, null);
  const { suspending, allocator = 'auto' } = program;
  const order = { recipe, suspending, allocator };
  const key = hash(readFileSync(source), JSON.stringify(order), toolKey(recipe.kind));
  const file = path.join(KEPT, `${program.name}-${variant.name}-${key.slice(0, 16)}.wasm`);
  const record = `${file}.json`;
  if (fresh || !existsSync(record)) {
    mkdirSync(KEPT, { recursive: true });
    // Whole or not there, and the record last: another run may be looking for them.
    const partial = `${file}.${process.pid}`;
    const job: Job = { ...order, input: source, output: partial };
    const made = execFileSync(process.execPath, [MAKE, JSON.stringify(job)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    renameSync(partial, file);
    writeFileSync(partial, made);
    renameSync(partial, record);
  }
  return describe(variant, file, JSON.parse(readFileSync(record, 'utf8')) as Made);
}

function describe(variant: Variant, file: string, made: Made | null): Build {
  const wasm = readFileSync(file);
  return { variant, file, bytes: wasm.length, gzipped: gzipSync(wasm, { level: 9 }).length, made };
}

/** What the tool is that makes it. */
function toolKey(kind: 'binaryen' | 'instrument'): string {
  const { version } = createRequire(import.meta.url)('binaryen/package.json') as { version: string };
  const instrumenter = ['host/errors.js', 'host/runtime/metadata.js', ...filesIn('host/instrument')];
  const code = kind === 'instrument' ? instrumenter : ['host/instrument/features.js'];
  const files = ['bench/programs/make.js', ...code].map((file) => readFileSync(path.join(BUILT, file)));
  return hash(version, ...files);
}

function filesIn(folder: string): string[] {
  return readdirSync(path.join(BUILT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.js'))
    .map((file) => path.join(folder, file))
    .toSorted();
}

function hash(...parts: readonly (string | Uint8Array)[]): string {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part).update('\0');
  return digest.digest('hex');
}
