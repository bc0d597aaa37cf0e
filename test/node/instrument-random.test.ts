/**
 * Random modules compute the same, with the same trace of imports called, whether nothing is instrumented and nothing
 * suspends, or everything is and any import may suspend at random, through a window of a few frames. The modules are those
 * of Binaryen's own fuzzer (`wasm-opt -ttf`). `FUZZ_SEEDS=200` tries more of them.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FiberError, inspect, instrument } from '../../host/instrument/index.ts';
import type { Inspection, InstrumentResult } from '../../host/instrument/index.ts';
import { drive } from './instrument-driver.ts';
import type { Driven } from './instrument-driver.ts';

const SEEDS = Number(process.env['FUZZ_SEEDS'] ?? 12);
const FIRST = Number(process.env['FUZZ_FIRST'] ?? 1);
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

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'wasm-fibers-random-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Pseudo-random numbers below 2^32 (xorshift). */
function* numbers(seed: number): Generator<number, never> {
  let x = Math.imul(seed, 0x9e3779b1) >>> 0 || 1;
  for (;;) {
    x = (x ^ (x << 13)) >>> 0;
    x ^= x >>> 17;
    x = (x ^ (x << 5)) >>> 0;
    yield x;
  }
}

async function randomModule(seed: number): Promise<Uint8Array> {
  const random = numbers(seed);
  const input = path.join(folder, `${seed}.random`);
  const output = path.join(folder, `${seed}.wasm`);
  await writeFile(
    input,
    Uint8Array.from({ length: 2000 + seed * 53 }, () => random.next().value & 0xff),
  );
  const features = ['--mvp-features', ...FEATURES.map((name) => `--enable-${name}`)];
  await promisify(execFile)(process.execPath, [WASM_OPT, input, '-ttf', '-o', output, ...features]);
  return new Uint8Array(await readFile(output));
}

/** Where the fuzzer's modules, which use the first bytes of their memory, do not write. */
const WINDOW = 40_000;

type Call = readonly [name: string, ...args: unknown[]];

/** What imports answer: a function of how many calls there were, so that both runs get the same. */
function answer(results: readonly string[], count: number): unknown {
  const one = (type: string): unknown => (type === 'i64' ? BigInt(count) : count);
  return results.length === 0 ? undefined : results.length === 1 ? one(results[0] ?? '') : results.map(one);
}

type Host = Record<string, (...args: unknown[]) => unknown>;

function host(result: InstrumentResult, trace: Call[], wrap: (value: unknown) => unknown): Host {
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

const isNumeric = (type: string): boolean => /^[if](32|64)$/.test(type);

function callable(inspection: Inspection): { name: string; args: (number | bigint)[] }[] {
  return inspection.exports.flatMap(({ name, type }) =>
    type !== null && [...type.params, ...type.results].every(isNumeric)
      ? [{ name, args: type.params.map((param) => (param === 'i64' ? 3n : 2)) }]
      : [],
  );
}

/** Values and errors as text in which NaN, -0 and i64 keep their difference. */
function show(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === 'bigint') return `${each}n`;
    if (typeof each === 'number' && !Number.isFinite(each)) return String(each);
    return Object.is(each, -0) ? '-0' : each;
  });
}

async function outcome(work: () => unknown): Promise<unknown[]> {
  try {
    return ['returns', await work()];
  } catch (error) {
    // Binaryen takes all traps for equal, and of two that would follow each other may keep either.
    if (error instanceof WebAssembly.RuntimeError) return ['traps'];
    return ['throws', error instanceof Error ? error.message : String(error)];
  }
}

const compared = { calls: 0, suspensions: 0 };

test.each(Array.from({ length: SEEDS }, (_, index) => FIRST + index))('random module %i', async (seed) => {
  const wasm = await randomModule(seed);
  const inspection = inspect(wasm);
  const optimizeLevel = ([0, 1, 2, 3, 4] as const)[seed % 5] ?? 0;
  const options = { suspending: ['*'], allocator: 'memory.grow', shadowStack: 'none', optimizeLevel } as const;
  const result = await instrument(wasm, options).catch((error: unknown) => {
    // What is refused must be refused by name; nothing else may fail.
    if (error instanceof FiberError && error.code === 'UNSUPPORTED_FEATURE') return null;
    throw error;
  });
  if (result === null) return;

  const random = numbers(seed + 1000);
  const traces: { plain: Call[]; fibers: Call[] } = { plain: [], fibers: [] };
  const imports: Record<string, Host> = {};
  for (const [key, value] of Object.entries(host(result, traces.plain, (answered) => answered))) {
    const [module = '', name = ''] = key.split(/\.(.*)/s);
    (imports[module] ??= {})[name] = value;
  }
  const suspendSometimes = (value: unknown): unknown =>
    random.next().value % 3 === 0 ? value : Promise.resolve(value);
  const plain = await outcome(() => WebAssembly.instantiate(wasm as Uint8Array<ArrayBuffer>, imports));
  const fibers = await outcome(async () => {
    const driven = await drive(result, host(result, traces.fibers, suspendSometimes), {
      window: result.metadata.largestFrame * 2,
      at: WINDOW,
    });
    if (result.metadata.start) await driven.run('wasm-fibers.start');
    return driven;
  });
  const driven = fibers[1] as Driven;
  expect(fibers[0], String(fibers[1])).toBe(plain[0]);
  if (plain[0] !== 'returns') return;
  const { exports } = (plain[1] as WebAssembly.WebAssemblyInstantiatedSource).instance;
  for (const { name, args } of callable(inspection)) {
    traces.plain.length = 0;
    traces.fibers.length = 0;
    const expected = await outcome(() => (exports[name] as (...args: unknown[]) => unknown)(...args));
    const actual = await outcome(() => driven.run(name, ...args));
    // How deep a stack may be is the engine's business, and differs.
    if (show([expected, actual]).includes('call stack')) return;
    expect(show(actual), `${name} of seed ${seed}`).toBe(show(expected));
    expect(show(traces.fibers), `trace of ${name} of seed ${seed}`).toBe(show(traces.plain));
    compared.calls += 1;
  }
  compared.suspensions += driven.suspensions;
});

test('the random modules did suspend', () => {
  expect(compared.calls).toBeGreaterThan(SEEDS);
  expect(compared.suspensions).toBeGreaterThan(SEEDS);
});
