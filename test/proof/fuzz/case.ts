/** One case of the fuzzer: everything follows from its seed. */
import { inspect, instrument } from '../../../host/instrument/index.ts';
import type { Inspection, InstrumentOptions } from '../../../host/instrument/index.ts';
import { mixesExceptions } from '../../../host/instrument/mixed-exceptions.ts';
import { compareBursts, compareCalls, Difference, TooDeep } from './compare.ts';
import type { Counts } from './compare.ts';
import { chooseRecipe, OURS } from './generate.ts';
import type { Recipe, Workshop } from './generate.ts';
import { canImport, chooseAnswers, Host } from './host.ts';
import { refusal, threw } from '../outcome.ts';
import { Random } from '../random.ts';
import { callables, fibers, original, Sometimes } from './subjects.ts';
import type { Fibers, Subject } from './subjects.ts';
import { ALL_LEVELS, LEVELS, possibleWays, WAYS } from '../variants.ts';
import type { Level, Way } from '../variants.ts';

/** One way to instrument a module. */
export interface Form {
  readonly level: Level;
  readonly way: Way;
  readonly debugNames: boolean;
  readonly windowSize: number;
  /** Is it promised that the host writes no table? */
  readonly closedTables: boolean;
  /** Does it pay for its work, and is it pre-empted whenever it is looked at? */
  readonly metered: boolean;
  /** How many guests of it run at the same time. */
  readonly guests: number;
}

export interface Case {
  readonly seed: number;
  readonly recipe: Recipe;
  readonly forms: readonly Form[];
  /** How likely an import waits. */
  readonly waiting: number;
  /** Names of the imports that may; null: all. */
  readonly suspending: number | null;
  /** Does the host put functions into the tables that it sees? */
  readonly tampering: boolean;
}

export type Result =
  | ({ readonly kind: 'same'; readonly forms: readonly Form[] } & Readonly<Counts>)
  | { readonly kind: 'skipped'; readonly why: string }
  | { readonly kind: 'different'; readonly what: string };

export type Phase = 'generating' | 'running the original' | 'instrumenting' | 'comparing';

export function chooseCase(seed: number): Case {
  const random = new Random(seed);
  const [way, ...others] = random.shuffled(possibleWays());
  const tampering = random.chance(0.3);
  const metering = random.fork('metering');
  const form = (guests: number, way: Way): Form => ({
    level: random.pick(ALL_LEVELS),
    way,
    debugNames: random.chance(0.5),
    windowSize: random.pick([64, 64, 256, 1024, 16_384]),
    closedTables: !tampering && random.chance(0.5),
    metered: metering.chance(0.3),
    guests,
  });
  return {
    seed,
    recipe: chooseRecipe(random.fork('recipe')),
    forms: random.chance(0.5) ? [form(1, way), form(1, others[0] ?? way)] : [form(1 + random.below(3), way)],
    waiting: random.pick([0.02, 0.1, 0.3, 0.5, 0.8, 1]),
    suspending: random.chance(0.25) ? random.next() : null,
    tampering,
  };
}

/** @param note told of what is being done, for one who waits in vain */
export async function runCase(
  chosen: Case,
  wasm: Uint8Array<ArrayBuffer>,
  note: (phase: Phase) => void,
): Promise<Result> {
  const counts: Counts = { calls: 0, waits: 0, gates: 0 };
  const hurry = chosen.forms.some(({ metered }) => metered) ? hurryTime() : null;
  try {
    const compared = await compareForms(chosen, wasm, note, counts);
    return typeof compared === 'string'
      ? { kind: 'skipped', why: compared }
      : { kind: 'same', forms: compared, ...counts };
  } catch (error) {
    if (error instanceof TooDeep) return { kind: 'skipped', why: "the engine's stack ended" };
    if (error instanceof Difference) return { kind: 'different', what: error.message };
    if (isMixRefusal(error)) return { kind: 'skipped', why: MIXED };
    return { kind: 'different', what: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  } finally {
    hurry?.();
  }
}

/**
 * Has the clock by which fibers are pre-empted go on a slice each time that it is looked at.
 *
 * @returns what ends that
 */
function hurryTime(): () => void {
  const { performance } = globalThis;
  const before = performance.now;
  let time = before.call(performance);
  performance.now = () => (time += SLICE);
  return () => {
    performance.now = before;
  };
}

/** Milliseconds. */
const SLICE = 8;

/** @returns the forms that were compared; or why none was */
async function compareForms(
  chosen: Case,
  wasm: Uint8Array<ArrayBuffer>,
  note: (phase: Phase) => void,
  counts: Counts,
): Promise<readonly Form[] | string> {
  // Binaryen's fuzzer uses what no engine has yet.
  if (!WebAssembly.validate(wasm)) return 'the engine does not accept the module';
  const random = new Random(chosen.seed).fork('run');
  const inspection = inspect(wasm);
  if (mixesExceptions(wasm)) return MIXED;
  if (!canImport(inspection.imports)) return 'the engine has no tag for what JavaScript throws';
  const answers = chooseAnswers(random.fork('answers'));

  note('instrumenting');
  const instrumented = [];
  let refused = '';
  for (const form of chosen.forms) {
    const result = await instrumentAs(form, chosen, wasm);
    if (typeof result === 'string') refused = result;
    else instrumented.push({ form, result });
  }
  if (instrumented.length === 0) return refused;

  note('running the original');
  let expected: Subject | null = null;
  let failure = '';
  try {
    expected = original(wasm, inspection, new Host(answers));
    tamper(chosen, expected, inspection, random.fork('tampering'));
  } catch (error) {
    failure = threw(error);
  }
  const largest = Math.max(...instrumented.map(({ result }) => result.metadata.largestFrame));
  const to = chosen.recipe.room + 2 * largest + Math.max(...chosen.forms.map((each) => each.windowSize)) + 256;
  if (expected !== null && expected.memory.buffer.byteLength < to) return 'the memory is too small';

  note('comparing');
  const subjects: Fibers[] = [];
  for (const { form, result } of instrumented) {
    const { windowSize, guests, metered } = form;
    const backend = result.metadata.target;
    for (let number = 1; number <= guests; number++) {
      const name = `${describeForm(form)}${guests > 1 ? `, guest ${number}` : ''}`;
      const host = new Host(answers);
      host.manner = new Sometimes(random.fork(`manner ${subjects.length}`), chosen.waiting);
      try {
        const bytes = result.wasm as Uint8Array<ArrayBuffer>;
        const subject = await fibers(name, bytes, inspection, host, { backend, windowSize, metered });
        tamper(chosen, subject, inspection, random.fork('tampering'));
        subjects.push(subject);
      } catch (error) {
        if (expected === null && threw(error) === failure) continue;
        throw error;
      }
      if (expected === null) throw new Difference(`the original ${failure} when instantiated, ${name} does not`);
    }
  }
  if (expected === null) return 'the module traps when instantiated';
  const all = callables(inspection);
  const room = { from: chosen.recipe.room, to };
  await compareCalls(expected, subjects, all, room, random.fork('calls'), counts, note);
  // On JSPI other promises are in between, so that several fibers take turns in another order.
  // So they do where some are pre-empted and others are not.
  const asyncify = subjects.filter((each) => each.guest.backend === 'asyncify' && !each.metered);
  if (asyncify.length > 1) await compareBursts(asyncify, all, room, random.fork('bursts'), counts);
  return instrumented.map(({ form }) => form);
}

/** Puts functions of the module into tables that it exports, the same into all subjects. */
function tamper({ tampering }: Case, { tables, raw }: Subject, inspection: Inspection, random: Random): void {
  const all = callables(inspection);
  for (const table of tampering && all.length > 0 ? tables : []) {
    for (let left = Math.min(table.length, 4); left > 0; left--) {
      const index = random.below(table.length);
      const name = all[random.below(all.length)]?.name ?? '';
      table.set(index, raw(name));
    }
  }
}

const MIXED = 'the module has both forms of exceptions, which engines accept by accident at most';

/**
 * V8 validates functions on several threads, each of which knows only of what it has seen: whether it refuses a module in which
 * one function has `try` and another the new form differs from one time to the next (seed 8119628).
 */
function isMixRefusal(error: unknown): boolean {
  const { cause } = error instanceof Error ? error : {};
  const said = [error, cause].map((each) => (each instanceof Error ? each.message : ''));
  return said.some((each) => /mix of legacy and new exception/.test(each));
}

export function describeForm({ level, way, debugNames, windowSize, closedTables, metered }: Form): string {
  const more = [debugNames && 'names', closedTables && 'closed tables', metered && 'metered'].filter((each) => each);
  return `${way} ${level} (${[`window ${windowSize}`, ...more].join(', ')})`;
}

export function optionsOf(form: Form, suspending: readonly string[]): InstrumentOptions {
  return {
    suspending,
    allocator: [`${OURS}alloc`, `${OURS}free`],
    shadowStack: 'none',
    debugNames: form.debugNames,
    metered: form.metered,
    ...(form.way === 'jspi' ? {} : { closedTables: form.closedTables }),
    ...LEVELS[form.level],
    ...WAYS[form.way],
  };
}

/** @returns the code, if it is refused by name */
async function instrumentAs(
  form: Form,
  { suspending }: Case,
  wasm: Uint8Array,
): Promise<Awaited<ReturnType<typeof instrument>> | string> {
  const imports = inspect(wasm).imports.filter((each) => each.kind === 'function');
  const random = new Random(suspending ?? 0);
  if (imports.length === 0) return 'the module imports no functions';
  const some = imports.filter(() => suspending === null || random.chance(0.6));
  const names = some.map((each) => `${each.module}.${each.name}`);
  try {
    return await instrument(wasm, optionsOf(form, names.length === 0 ? ['*'] : names));
  } catch (error) {
    const why = refusal(error);
    if (why !== null) return why;
    throw error;
  }
}

/** Makes the module of a case and runs it. Binaryen's fuzzer fails now and then: then there are no bytes. */
export async function tryCase(
  workshop: Workshop,
  chosen: Case,
  note: (phase: Phase) => void,
): Promise<{ wasm: Uint8Array<ArrayBuffer>; result: Result }> {
  note('generating');
  let wasm: Uint8Array<ArrayBuffer>;
  try {
    wasm = await workshop.make(chosen.recipe);
  } catch {
    return { wasm: new Uint8Array(), result: { kind: 'skipped', why: 'the generator failed' } };
  }
  return { wasm, result: await runCase(chosen, wasm, note) };
}
