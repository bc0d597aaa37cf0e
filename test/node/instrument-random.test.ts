/**
 * Random modules compute the same, with the same trace of imports called, whether nothing is instrumented and nothing
 * suspends, or everything is and any import may suspend at random, through a window of a few frames. `FUZZ_SEEDS=200`
 * tries more of them.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FiberError, inspect, instrument } from '../../host/instrument/index.ts';
import { drive } from './instrument-driver.ts';
import type { Driven } from './instrument-driver.ts';
import { asImports, callable, host, numbers, outcome, randomModule, show } from './random-modules.ts';
import type { Call } from './random-modules.ts';

const SEEDS = Number(process.env['FUZZ_SEEDS'] ?? 12);
const FIRST = Number(process.env['FUZZ_FIRST'] ?? 1);

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'wasm-fibers-random-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Where the fuzzer's modules, which use the first bytes of their memory, do not write. */
const WINDOW = 40_000;

const compared = { calls: 0, suspensions: 0 };

test.each(Array.from({ length: SEEDS }, (_, index) => FIRST + index))('random module %i', async (seed) => {
  const wasm = await randomModule(folder, seed);
  const inspection = inspect(wasm);
  const optimizeLevel = ([0, 1, 2, 3, 4] as const)[seed % 5] ?? 0;
  const options = {
    suspending: ['*'],
    allocator: 'memory.grow',
    shadowStack: 'none',
    optimizeLevel,
    fastPath: seed % 4 !== 0,
  } as const;
  const result = await instrument(wasm, options).catch((error: unknown) => {
    // What is refused must be refused by name; nothing else may fail.
    if (error instanceof FiberError && error.code === 'UNSUPPORTED_FEATURE') return null;
    throw error;
  });
  if (result === null) return;

  const random = numbers(seed + 1000);
  const traces: { plain: Call[]; fibers: Call[] } = { plain: [], fibers: [] };
  const imports = asImports(host(result, traces.plain, (answered) => answered));
  const suspendSometimes = (value: unknown): unknown =>
    random.next().value % 3 === 0 ? value : Promise.resolve(value);
  const plain = await outcome(() => WebAssembly.instantiate(wasm, imports));
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
