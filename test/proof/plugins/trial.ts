/**
 * One random plugin, used as nobody would: its module is random, its host functions are (host.ts), its limits are low, and its
 * calls are cancelled, timed out and run out of fuel at random moments, some while it is replaced or disposed of. What must hold
 * all the same:
 *
 * - Every call settles, soon after its time limit at the latest: with numbers, or with an error of a known kind.
 * - The thread is held for two slices at most, measured in processor time of the thread, by whoever is next in the event loop.
 * - A well-behaved plugin beside it gives right answers all the time.
 * - Nothing of the host has changed, no rejection is unhandled, and nothing of the plugin is left when it is disposed of.
 *
 * All decisions follow from the seed; how far a call has come when it is cancelled does not, as time does not.
 */
import { mixesExceptions } from '../../../host/instrument/mixed-exceptions.ts';
import { FiberError, Plugin, type PluginOptions } from 'wasm-fibers/plugin';
import { OURS } from '../fuzz/generate.ts';
import type { Random } from '../random.ts';
import { NOT_LOADED, describe, isGuests, outcomeOf } from './endings.ts';
import { randomHost } from './host.ts';
import { watchOutside } from './outside.ts';
import { watchThread } from './thread.ts';

export type TrialResult =
  | {
      readonly kind: 'held';
      readonly calls: number;
      /** How the calls ended, by code or kind. */
      readonly outcomes: ReadonlyMap<string, number>;
      readonly slices: number;
      readonly restarts: number;
      /** Milliseconds of processor time for which the thread was held at most. */
      readonly longest: number;
    }
  | { readonly kind: 'skipped'; readonly why: string }
  | { readonly kind: 'broken'; readonly what: string };

const SLICE_MS = 8;
/**
 * A slice may last half as long again, since the check comes at the end of a piece of work; and in one turn of the event loop there may be
 * two, one of what a timer has begun and one of what goes on.
 */
export const MOST_MS: number = 2 * 1.5 * SLICE_MS;
/** Milliseconds after its time limit in which a call must have settled, on a busy machine. */
const PATIENCE = 20_000;
const CALLS = 24;

/** Of the well-behaved one: (module) with (func (export "f") (param i32) (result i32)) that counts to its argument. */
// prettier-ignore
const WITNESS = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 25, 1, 23, 1, 1, 127,
  3, 64, 32, 1, 65, 1, 106, 33, 1, 32, 1, 32, 0, 72, 13, 0, 11, 32, 1, 11,
);

export async function tryPlugin(
  wasm: Uint8Array<ArrayBuffer>,
  random: Random,
  backend: 'asyncify' | 'jspi',
): Promise<TrialResult> {
  // V8 would end the process now and then.
  if (mixesExceptions(wasm)) return { kind: 'skipped', why: 'the module has both forms of exceptions' };
  // Not `validate`: V8 finds some faults only where it compiles.
  const module = await WebAssembly.compile(wasm).catch(() => null);
  if (module === null) return { kind: 'skipped', why: 'the engine does not accept the module' };
  const host = randomHost(module, random.fork('host'));
  const changes = watchOutside([
    ['hostFunctions', host.functions],
    ...Object.entries(host.functions).map(([name, functions]) => [`hostFunctions.${name}`, functions] as const),
  ]);
  const rejections: unknown[] = [];
  const onRejection = (error: unknown): void => void rejections.push(error);
  process.on('unhandledRejection', onRejection);
  try {
    const result = await useAll(wasm, module, host.functions, random, backend);
    if (result.kind !== 'held') return result;
    // What is unhandled is known a turn later.
    await new Promise((resolve) => setTimeout(resolve, 10));
    const faults = [
      ...host.complaints,
      ...changes().map((each) => `${each} has changed`),
      ...rejections.map((each) => `a rejection was not handled: ${describe(each)}`),
    ];
    return faults.length === 0 ? result : { kind: 'broken', what: faults.join('\n') };
  } finally {
    process.off('unhandledRejection', onRejection);
  }
}

async function useAll(
  wasm: Uint8Array<ArrayBuffer>,
  module: WebAssembly.Module,
  hostFunctions: NonNullable<PluginOptions['hostFunctions']>,
  random: Random,
  backend: 'asyncify' | 'jspi',
): Promise<TrialResult> {
  const options = chooseOptions(hostFunctions, random.fork('options'), backend);
  let plugin: Plugin;
  try {
    plugin = await Plugin.load(wasm, options);
  } catch (error) {
    if (error instanceof FiberError && NOT_LOADED.has(error.code))
      return { kind: 'skipped', why: `not loaded: ${error.code}` };
    if (isGuests(error)) return { kind: 'skipped', why: 'not loaded: its start function failed' };
    return { kind: 'broken', what: `Plugin.load fails with ${describe(error)}` };
  }
  const entries = WebAssembly.Module.exports(module)
    .filter(({ kind, name }) => kind === 'function' && !name.startsWith(OURS))
    .map(({ name }) => name);
  const [first, ...others] = entries;
  if (first === undefined) {
    await plugin.dispose();
    return { kind: 'skipped', why: 'the module exports no function' };
  }
  const witness = await Plugin.load(WITNESS, { backend, name: 'witness' });
  const gaps = watchThread();
  const outcomes = new Map<string, number>();
  const faults: string[] = [];
  const decisions = random.fork('calls');
  const watching = askAgain(witness, faults);
  const calls: Promise<void>[] = [];
  for (let i = 0; i < CALLS; i++) {
    const name = decisions.pick([first, ...others]);
    calls.push(
      callOnce(plugin, name, decisions.fork(String(i))).then((outcome) => {
        if (outcome.startsWith('!')) faults.push(`${name}: ${outcome.slice(1)}`);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }),
    );
    if (decisions.chance(0.5)) await calls.at(-1);
    if (decisions.chance(0.03)) {
      // Loading is work that is not sliced.
      gaps.pause();
      await plugin.reload(wasm).catch(() => {});
      gaps.go();
    }
    if (decisions.chance(0.003)) void plugin.dispose();
  }
  await Promise.all(calls);
  const { longest } = gaps.end();
  await watching.end();
  const { slices, restarts } = plugin.stats();
  await Promise.all([plugin.dispose(), witness.dispose()]);
  const { running, instances } = plugin.stats();
  if (running !== 0 || instances !== 0) faults.push(`${running} calls and ${instances} instances are left`);
  if (faults.length > 0) return { kind: 'broken', what: [...new Set(faults)].join('\n') };
  return { kind: 'held', calls: CALLS, outcomes, slices, restarts, longest };
}

function chooseOptions(
  hostFunctions: NonNullable<PluginOptions['hostFunctions']>,
  random: Random,
  backend: 'asyncify' | 'jspi',
): PluginOptions {
  const sometimes = <T>(value: T): T | undefined => (random.chance(0.3) ? value : undefined);
  return {
    backend,
    hostFunctions,
    limits: {
      sliceMs: SLICE_MS,
      timeout: 20 + random.below(80),
      fuel: sometimes(1000 + random.below(10_000_000)),
      memory: sometimes((16 + random.below(32)) * 65_536),
      callDepth: sometimes(10 + random.below(1000)),
      pendingCalls: sometimes(1 + random.below(4)),
      callsPerSecond: sometimes(10 + random.below(1000)),
      fibers: sometimes(1 + random.below(8)),
    },
    instances: sometimes(1 + random.below(3)),
    onTrap: random.chance(0.3) ? 'poison' : 'continue',
    // The room that the module gives is its own, so it may write over what is kept there; or pages of the host's.
    instrument: { shadowStack: 'none', ...(random.chance(0.5) && { allocator: [`${OURS}alloc`, `${OURS}free`] }) },
  };
}

/** @returns how it has ended; what begins with an exclamation mark must not happen */
async function callOnce(plugin: Plugin, name: string, random: Random): Promise<string> {
  const args = Array.from({ length: random.below(6) }, () =>
    random.chance(0.2) ? BigInt(random.next()) : random.next() | 0,
  );
  const controller = new AbortController();
  const timeout = 5 + random.below(60);
  const when = random.below(8);
  const abort = (): void => controller.abort(new Error('nobody wants it'));
  let timer: ReturnType<typeof setTimeout> | undefined;
  let late: ReturnType<typeof setTimeout> | undefined;
  try {
    const call = plugin.call(name, args, {
      as: 'numbers',
      signal: controller.signal,
      ...(random.chance(0.7) && { timeout }),
      ...(random.chance(0.2) && { fuel: 1 + random.below(100_000) }),
    });
    if (when === 0) abort();
    else if (when === 1) queueMicrotask(abort);
    else if (when === 2) timer = setTimeout(abort, random.below(30));
    const hang = new Promise<string>((resolve) => {
      late = setTimeout(() => resolve('!does not end'), PATIENCE);
    });
    const result = await Promise.race([call, hang]);
    if (result === '!does not end') return result;
    const all: readonly unknown[] = Array.isArray(result) ? result : [result];
    const isFine = all.every((each) => each === undefined || typeof each === 'number' || typeof each === 'bigint');
    return isFine ? 'returned' : `!returned ${typeof result}`;
  } catch (error) {
    return outcomeOf(error);
  } finally {
    clearTimeout(timer);
    clearTimeout(late);
  }
}

/** Has a plugin compute something over and over, and sees that it is right. */
function askAgain(witness: Plugin, faults: string[]): { end(): Promise<void> } {
  const end = new AbortController();
  const work = (async () => {
    for (let i = 1; !end.signal.aborted; i++) {
      const wanted = (i % 100) * 1000 + 1;
      const given = await witness.call('f', [wanted], { as: 'numbers' });
      if (given !== wanted) faults.push(`the plugin beside it gives ${String(given)}, not ${wanted}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })().catch((error: unknown) => void faults.push(`the plugin beside it fails with ${describe(error)}`));
  return {
    end: () => {
      end.abort();
      return work;
    },
  };
}
