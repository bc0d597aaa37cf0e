/**
 * What decides what `instrument` makes of a module, as one hash: the module and its source map, the options with their
 * defaults, the code of this package, and the versions of the packages that have a say. The code stands in it as it is, so that
 * no version need be thought of when it changes.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { FiberError } from '../errors.ts';
import { settle } from '../instrument/options.ts';
import type { Job } from './worker.ts';

/** Of the entries (cache.ts). Another one is another name for everything. */
const FORMAT = 1;

const HOST = fileURLToPath(new URL('../', import.meta.url));
const PACKAGES = ['binaryen', '@jridgewell/trace-mapping'] as const;

/** Null for options that will be refused. */
export async function cacheKey({ wasm, options }: Job): Promise<string | null> {
  const settings = settled(options);
  if (settings === null) return null;
  const { sourceMap, ...rest } = settings;
  const packages = PACKAGES.map((name) => [name, versionOf(name)]);
  return sha256(
    JSON.stringify({
      format: FORMAT,
      code: await hashOfCode(),
      packages,
      // Functions and the instance of Binaryen are left out: the command line gives none.
      settings: Object.entries(rest).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      sourceMap: sourceMap === null ? null : sha256(sourceMap),
      wasm: sha256(wasm),
    }),
  );
}

export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

function settled(options: Job['options']): ReturnType<typeof settle> | null {
  try {
    return settle(options);
  } catch (error) {
    if (error instanceof FiberError) return null;
    throw error;
  }
}

/** Everything that the package runs, not only what instruments: which of it has a say would be one more thing to keep true. */
async function hashOfCode(): Promise<string> {
  const files = (await readdir(HOST, { recursive: true })).filter((file) => /\.[jt]s$/.test(file)).toSorted();
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file}\0${sha256(await readFile(path.join(HOST, file)))}\n`);
  return hash.digest('hex');
}

/** Null for what is not installed; instrumenting then fails, or does without. */
function versionOf(name: (typeof PACKAGES)[number]): string | null {
  try {
    return (createRequire(import.meta.url)(`${name}/package.json`) as { version: string }).version;
  } catch {
    return null;
  }
}
