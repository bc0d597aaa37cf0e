/**
 * Random modules, and what is needed to run one twice and compare: host functions that answer by how many calls there were,
 * arguments for every export, and outcomes as text. The modules are those of Binaryen's own fuzzer (`wasm-opt -ttf`).
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Inspection, InstrumentResult } from '../../host/instrument/index.ts';
import { SHORT_LIVED } from '../support/temporary.ts';

const WASM_OPT = fileURLToPath(new URL('../../node_modules/binaryen/bin/wasm-opt', import.meta.url));
const FEATURES = [
  'sign-ext',
  'mutable-globals',
  'bulk-memory',
  'bulk-memory-opt',
  'nontrapping-float-to-int',
  'simd',
  'multivalue',
];

/** Pseudo-random numbers below 2^32 (xorshift). */
export function* numbers(seed: number): Generator<number, never> {
  let x = Math.imul(seed, 0x9e3779b1) >>> 0 || 1;
  for (;;) {
    x = (x ^ (x << 13)) >>> 0;
    x ^= x >>> 17;
    x = (x ^ (x << 5)) >>> 0;
    yield x;
  }
}

/**
 * @param folder takes its files
 * @param more features beyond what every engine has
 * @param passes of Binaryen, to be run on it
 */
export async function randomModule(
  folder: string,
  seed: number,
  more: readonly string[] = [],
  passes: readonly string[] = [],
): Promise<Uint8Array<ArrayBuffer>> {
  const random = numbers(seed);
  const input = path.join(folder, `${seed}.random`);
  const output = path.join(folder, `${seed}.wasm`);
  await writeFile(
    input,
    Uint8Array.from({ length: 2000 + seed * 53 }, () => random.next().value & 0xff),
  );
  const features = ['--mvp-features', ...[...FEATURES, ...more].map((name) => `--enable-${name}`)];
  await promisify(execFile)(process.execPath, [
    ...SHORT_LIVED,
    WASM_OPT,
    input,
    '-ttf',
    '-o',
    output,
    ...features,
    ...passes,
  ]);
  return new Uint8Array(await readFile(output));
}

export type Call = readonly [name: string, ...args: unknown[]];

/** What imports answer: a function of how many calls there were, so that both runs get the same. */
function answer(results: readonly string[], count: number): unknown {
  const one = (type: string): unknown => (type === 'i64' ? BigInt(count) : type.endsWith('ref') ? null : count);
  return results.length === 0 ? undefined : results.length === 1 ? one(results[0] ?? '') : results.map(one);
}

export type Host = Record<string, (...args: unknown[]) => unknown>;

/** By `module.name`. */
export function host(result: InstrumentResult, trace: Call[], wrap: (value: unknown) => unknown): Host {
  const functions: Host = {};
  for (const { module, name, results } of result.metadata.imports) {
    functions[`${module}.${name}`] = (...args) => {
      trace.push([name, ...args]);
      if (name === 'throw') throw new Error('thrown by the host');
      return wrap(answer(results, trace.length));
    };
  }
  return functions;
}

/** The same as an engine takes it. */
export function asImports(functions: Host): Record<string, Host> {
  const imports: Record<string, Host> = {};
  for (const [key, value] of Object.entries(functions)) {
    const [module = '', name = ''] = key.split(/\.(.*)/s);
    (imports[module] ??= {})[name] = value;
  }
  return imports;
}

const isNumeric = (type: string): boolean => /^[if](32|64)$/.test(type);

export function callable(inspection: Inspection): { name: string; args: (number | bigint)[] }[] {
  return inspection.exports.flatMap(({ name, type }) =>
    type !== null && [...type.params, ...type.results].every(isNumeric)
      ? [{ name, args: type.params.map((param) => (param === 'i64' ? 3n : 2)) }]
      : [],
  );
}

/** Values and errors as text in which NaN, -0 and i64 keep their difference. */
export function show(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === 'bigint') return `${each}n`;
    if (typeof each === 'number' && !Number.isFinite(each)) return String(each);
    return Object.is(each, -0) ? '-0' : each;
  });
}

export async function outcome(work: () => unknown): Promise<unknown[]> {
  try {
    return ['returns', await work()];
  } catch (error) {
    // Binaryen takes all traps for equal, and of two that would follow each other may keep either.
    if (error instanceof WebAssembly.RuntimeError) return ['traps'];
    return ['throws', error instanceof Error ? error.message : String(error)];
  }
}
