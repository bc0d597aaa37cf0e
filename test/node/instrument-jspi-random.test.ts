/**
 * Random modules compute the same, with the same trace of imports called, before and after they were instrumented for
 * `jspi`, whichever imports wait. `FUZZ_SEEDS=200` tries more of them. Where the engine has what Asyncify refuses, so do the
 * modules: exceptions, garbage-collected types, calls through references.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inspect, instrument } from '../../host/instrument/index.ts';
import type { InspectedImport } from '../../host/instrument/index.ts';
import { instantiateShimmed, later } from './jspi-driver.ts';
import type { Shimmed } from './jspi-driver.ts';
import { asImports, callable, host, numbers, outcome, randomModule, show } from './random-modules.ts';
import type { Call } from './random-modules.ts';

const SEEDS = Number(process.env['FUZZ_SEEDS'] ?? 12);
const FIRST = Number(process.env['FUZZ_FIRST'] ?? 1);
const isRecent = 'JSTag' in WebAssembly;
const FEATURES = ['reference-types', 'tail-call', ...(isRecent ? ['exception-handling', 'gc'] : [])];
// The fuzzer mixes try and try_table, which engines do not accept.
const PASSES = isRecent ? ['--translate-to-exnref'] : [];
// At -O4 Binaryen brings code into a flat form that garbage-collected types do not have.
const LEVELS = [0, 1, 0, 3, isRecent ? 2 : 4] as const;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'wasm-fibers-random-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a module imports beside functions, the same for both runs. */
function others(imports: readonly InspectedImport[]): Record<string, Record<string, WebAssembly.ImportValue>> {
  const made: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module, name, kind, detail } of imports) {
    if (kind === 'function') continue;
    (made[module] ??= {})[name] = other(name, kind, detail);
  }
  return made;
}

/** `Tag` and `JSTag` are newer than the declarations of the oldest Node. */
const Engine = WebAssembly as typeof WebAssembly & {
  readonly Tag: new (type: { parameters: string[] }) => WebAssembly.ImportValue;
  readonly JSTag: WebAssembly.ImportValue;
};

function other(name: string, kind: string, detail: string): WebAssembly.ImportValue {
  if (kind === 'tag') {
    return name === 'jstag' ? Engine.JSTag : new Engine.Tag({ parameters: detail.match(/[if](32|64)/g) ?? [] });
  }
  const mutable = detail.startsWith('mut ');
  const value = detail.replace('mut ', '') as WebAssembly.ValueType;
  return new WebAssembly.Global({ value, mutable }, null as never);
}

const compared = { calls: 0, waits: 0 };

test.each(Array.from({ length: SEEDS }, (_, index) => FIRST + index))('random module %i', async (seed) => {
  const wasm = await randomModule(folder, seed, FEATURES, PASSES);
  // The fuzzer may use what no engine has yet.
  if (!WebAssembly.validate(wasm)) return;
  const optimizeLevel = LEVELS[seed % LEVELS.length] ?? 0;
  const inspection = inspect(wasm);
  const result = await instrument(wasm, { target: 'jspi', suspending: ['*'], shadowStack: 'none', optimizeLevel });

  const random = numbers(seed + 1000);
  const traces: { plain: Call[]; shimmed: Call[] } = { plain: [], shimmed: [] };
  const waitSometimes = (value: unknown): unknown => {
    if (random.next().value % 3 === 0) return value;
    compared.waits += 1;
    return later(value, random.next().value % 3);
  };
  const plain = await outcome(() => {
    const functions = asImports(host(result, traces.plain, (answered) => answered));
    const imports: WebAssembly.Imports = others(inspection.imports);
    for (const [module, fields] of Object.entries(functions)) imports[module] = { ...imports[module], ...fields };
    return new WebAssembly.Instance(new WebAssembly.Module(wasm), imports);
  });
  const shimmed = await outcome(() => {
    const guest = instantiateShimmed(result, host(result, traces.shimmed, waitSometimes), others(inspection.imports));
    if (result.metadata.start) guest.call('wasm-fibers.start');
    return guest;
  });
  expect(shimmed[0], String(shimmed[1])).toBe(plain[0]);
  if (plain[0] !== 'returns') return;
  const { exports } = plain[1] as WebAssembly.Instance;
  const guest = shimmed[1] as Shimmed;
  for (const { name, args } of callable(inspection)) {
    traces.plain.length = 0;
    traces.shimmed.length = 0;
    const expected = await outcome(() => (exports[name] as (...args: unknown[]) => unknown)(...args));
    const actual = await outcome(() => guest.call(name, ...args));
    // How deep a stack may be is the engine's business, and differs.
    if (show([expected, actual]).includes('call stack')) return;
    expect(show(actual), `${name} of seed ${seed}`).toBe(show(expected));
    expect(show(traces.shimmed), `trace of ${name} of seed ${seed}`).toBe(show(traces.plain));
    compared.calls += 1;
  }
});

test('the random modules did wait', () => {
  expect(compared.calls).toBeGreaterThan(SEEDS);
  expect(compared.waits).toBeGreaterThan(SEEDS);
});
