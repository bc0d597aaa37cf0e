/**
 * `--cache DIR`: results of `instrument`, each in a file of its own under the hash of all that decides it (cache-key.ts).
 *
 *     SHA-256 of everything behind it, a line break
 *     JSON: { key, wasm: bytes, result: the rest of the result }, a line break
 *     the module
 *     its source map, if it has one
 *
 * What holds: an entry is written whole or not at all, so that any number of runs can share a folder; one that is damaged, cut
 * off or another's is taken for missing, and replaced; and whatever is wrong with the folder, the module is instrumented all
 * the same. Against somebody who writes entries on purpose nothing helps: the folder must be trusted as the tool itself is.
 */
import { mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import type { InstrumentResult } from '../instrument/index.ts';
import { cacheKey, sha256 } from './cache-key.ts';
import { CliError } from './errors.ts';
import { codeOf, explain } from './files.ts';
import { writeOutputs } from './output.ts';
import type { Job } from './worker.ts';

/** Entries that nobody has used for so long are removed, and the longest unused ones beyond so many bytes. */
const MAX_AGE = 30 * 24 * 3600_000;
const MAX_BYTES = 1_000_000_000;

/** Entries, and what a run has left that was ended while it wrote one. */
const OURS = /^(?:[0-9a-f]{64}\.instrumented|\.[0-9a-f]{12}\.tmp)$/;
const LINE_BREAK = 10;
const HASH_LENGTH = 64;

interface Header {
  readonly key: string;
  readonly wasm: number;
  readonly result: Omit<InstrumentResult, 'wasm' | 'sourceMap'> & { readonly hasSourceMap: boolean };
}

export interface CachedResult {
  readonly result: InstrumentResult;
  readonly fromCache: boolean;
}

export class Cache {
  readonly #folder: string;
  readonly #problems = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** What was wrong with the folder; sentences. */
  get problems(): readonly string[] {
    return [...this.#problems];
  }

  /** What is kept for a job, or what `make` makes of it, which is then kept. */
  async get(job: Job, make: () => Promise<InstrumentResult>): Promise<CachedResult> {
    const key = await this.#attempt('read', () => cacheKey(job));
    const found = key === null ? null : await this.#attempt('read', () => this.#find(key));
    if (found !== null) return { result: found, fromCache: true };
    const result = await make();
    if (key !== null) await this.#attempt('written', () => this.#keep(key, result));
    return { result, fromCache: false };
  }

  /** Null if it fails, which is no reason to fail. */
  async #attempt<T>(done: 'read' | 'written', work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      const why = error instanceof CliError ? error.message : `${this.#folder}: ${explain(error, done)}`;
      this.#problems.add(`The cache was of no use: ${why}`);
      return null;
    }
  }

  #fileOf(key: string): string {
    return path.join(this.#folder, `${key}.instrumented`);
  }

  async #find(key: string): Promise<InstrumentResult | null> {
    const file = this.#fileOf(key);
    const entry = await readFile(file).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return null;
      throw error;
    });
    const result = entry === null ? null : decode(entry, key);
    // So that it counts as used; whoever may only read goes without.
    if (result !== null) await utimes(file, new Date(), new Date()).catch(() => undefined);
    return result;
  }

  async #keep(key: string, result: InstrumentResult): Promise<void> {
    await makeFolder(this.#folder);
    await writeOutputs([{ file: this.#fileOf(key), contents: encode(key, result) }]);
    await this.#prune();
  }

  async #prune(): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => OURS.test(name));
    const found = await Promise.all(
      names.map(async (name) => {
        const file = path.join(this.#folder, name);
        const stats = await stat(file).catch(() => null);
        return stats === null ? [] : [{ file, size: stats.size, used: stats.mtimeMs }];
      }),
    );
    let bytes = 0;
    for (const { file, size, used } of found.flat().toSorted((a, b) => b.used - a.used)) {
      bytes += size;
      if (bytes > MAX_BYTES || Date.now() - used > MAX_AGE) await rm(file, { force: true });
    }
  }
}

/**
 * With the folders above it. What Node itself has for that goes round in circles where a folder cannot be made that does not
 * exist, as below /proc.
 */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const parent = path.dirname(folder);
    if (codeOf(error) === 'ENOENT' && !(await exists(parent))) {
      await makeFolder(parent);
      await makeFolder(folder);
    } else if (codeOf(error) !== 'EEXIST' || !(await stat(folder)).isDirectory()) throw error;
  }
}

function exists(place: string): Promise<boolean> {
  return stat(place).then(
    () => true,
    () => false,
  );
}

function encode(key: string, { wasm, sourceMap, ...rest }: InstrumentResult): Uint8Array {
  const header: Header = { key, wasm: wasm.length, result: { ...rest, hasSourceMap: sourceMap !== null } };
  const content = Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), wasm, Buffer.from(sourceMap ?? '')]);
  return Buffer.concat([Buffer.from(`${sha256(content)}\n`), content]);
}

/** Null for anything but a whole entry of that key. */
function decode(entry: Buffer, key: string): InstrumentResult | null {
  const content = entry.subarray(HASH_LENGTH + 1);
  if (entry.toString('latin1', 0, HASH_LENGTH) !== sha256(content)) return null;
  const end = content.indexOf(LINE_BREAK);
  // What follows is as it was written: the hash is right.
  const header = JSON.parse(content.toString('utf8', 0, end)) as Header;
  if (header.key !== key) return null;
  const { hasSourceMap, ...rest } = header.result;
  const from = end + 1;
  const sourceMap = hasSourceMap ? content.toString('utf8', from + header.wasm) : null;
  return { ...rest, wasm: new Uint8Array(content.subarray(from, from + header.wasm)), sourceMap };
}
