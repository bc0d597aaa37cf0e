/**
 * The host of a random module: functions that answer by how many calls there were, that sometimes fail, and that call back
 * into the guest. What they answer depends on nothing else, so the original and every instrumented form of it get the same,
 * whether an answer comes at once or is waited for: that is decided by each host for itself.
 */
import type { InspectedImport } from '../../../host/instrument/index.ts';
import type { Random } from '../random.ts';
import { TOO_DEEP, show, threw } from '../outcome.ts';

type Value = number | bigint | null;
type HostFunction = (...args: unknown[]) => unknown;
// The declarations know of no tags, which are then memories.
type HostImports = Record<string, Record<string, HostFunction | WebAssembly.Global | WebAssembly.Memory>>;

/** What the answers are, the same for all hosts of a module. */
export interface Answers {
  readonly values: readonly number[];
  /** Every so many calls one fails; 0: none does. */
  readonly failing: number;
  /** Every so many calls the host calls the guest before it answers, perhaps while the guest waits for it; 0: never. */
  readonly calling: number;
}

/** How a host calls the guest that called it. */
export interface Reentry {
  /** At once. */
  now(index: number): unknown;
  /** Perhaps later. */
  later?(index: number): Promise<unknown>;
}

/** How a host answers: with a value, a promise of it, or what else may be waited for. */
export interface Manner {
  /** May the guest wait here? */
  canWait(): boolean;
  /** @param settle gives the answer, or throws */
  wait(settle: () => unknown): unknown;
}

/** Calls of imports by one module, beyond which every one fails: some modules call themselves through the host without end. */
const MOST_CALLS = 5000;

/** How deep such calls go: on the native stack of the original it is not far to the end. */
const DEEPEST = 10;

class Enough extends Error {}

const INTERESTING = [0, 1, -1, 2, 3, 4, 7, 8, 16, 31, 100, 255, -128, 65_535, 2 ** 31 - 1, -(2 ** 31), 0.5] as const;

export function chooseAnswers(random: Random): Answers {
  const values = Array.from({ length: 61 }, () => (random.chance(0.7) ? random.pick(INTERESTING) : random.next() | 0));
  const failing = random.chance(0.5) ? 0 : 3 + random.below(60);
  return { values, failing, calling: random.chance(0.7) ? 0 : 5 + random.below(60) };
}

export class Host {
  /** The calls of imports since it was last emptied, as text. */
  readonly trace: string[] = [];
  waits = 0;
  /** Null: it always answers at once. */
  manner: Manner | null = null;
  reentry: Reentry | null = null;
  /** Who calls, for the trace. */
  caller: () => string = () => '';
  #calls = 0;
  /** Calls of the guest by this host that have not ended. */
  #depth = 0;
  readonly #answers: Answers;

  constructor(answers: Answers) {
    this.#answers = answers;
  }

  imports(wanted: readonly InspectedImport[]): HostImports {
    const imports: HostImports = {};
    for (const { module, name, kind, type, detail } of wanted) {
      if (kind === 'function') (imports[module] ??= {})[name] = this.#function(name, type?.results ?? []);
      if (kind === 'global') (imports[module] ??= {})[name] = globalOf(detail);
      if (kind === 'tag') (imports[module] ??= {})[name] = tagOf(name, detail);
    }
    return imports;
  }

  #function(name: string, results: readonly string[]): HostFunction {
    return (...args) => {
      this.trace.push(`${this.caller()}${name}(${args.map(show).join(', ')})`);
      const count = ++this.#calls;
      if (count > MOST_CALLS) throw new Enough('the host has been called enough');
      if (name === 'call-export' || name === 'call-export-catch') {
        return this.#callBack(Number(args[0]) >>> 0, name === 'call-export-catch');
      }
      const settle = (): unknown => this.#answer(name, results, count);
      if (this.manner?.canWait() !== true) return settle();
      this.waits += 1;
      return this.manner.wait(settle);
    };
  }

  #answer(name: string, results: readonly string[], count: number): unknown {
    const { values, failing, calling } = this.#answers;
    if (calling > 0 && count % calling === 0) this.#callNow(count);
    if (name === 'throw' || (failing > 0 && count % failing === 0)) {
      throw new Error(`the host fails at call ${count}`);
    }
    const one = (type: string, offset: number): Value => {
      const value = values[(count + offset) % values.length] ?? 0;
      if (type.endsWith('ref')) return null;
      return type === 'i64' ? BigInt(Math.round(value)) : value;
    };
    if (results.length > 1) return results.map(one);
    return results[0] === undefined ? undefined : one(results[0], 0);
  }

  /** @param caught does the module want to know whether it failed, rather than fail itself? */
  #callBack(index: number, caught: boolean): unknown {
    const { reentry } = this;
    if (reentry === null || this.#depth >= DEEPEST) return caught ? 0 : undefined;
    if (reentry.later !== undefined && this.manner?.canWait() === true) {
      this.waits += 1;
      this.#depth += 1;
      const call = reentry.later(index).finally(() => (this.#depth -= 1));
      return caught ? call.then(succeeded, failed) : call.then(() => undefined);
    }
    try {
      this.#callNow(index);
      return caught ? succeeded() : undefined;
    } catch (error) {
      if (!caught) throw error;
      return failed(error);
    }
  }

  #callNow(index: number): void {
    if (this.reentry === null || this.#depth >= DEEPEST) return;
    this.#depth += 1;
    try {
      this.reentry.now(index);
    } finally {
      this.#depth -= 1;
    }
  }
}

/** @param detail `i32`, `mut externref` */
function globalOf(detail: string): WebAssembly.Global {
  const mutable = detail.startsWith('mut ');
  const value = detail.replace('mut ', '') as WebAssembly.ValueType;
  // References: the declarations know of no value that is none.
  return new WebAssembly.Global({ value, mutable }, (value.endsWith('ref') ? null : undefined) as undefined);
}

/** Newer than the declarations, and the second than the oldest Node. */
const Engine = WebAssembly as typeof WebAssembly & {
  readonly Tag: new (type: { parameters: string[] }) => WebAssembly.Memory;
  readonly JSTag?: WebAssembly.Memory;
};

/** Can the engine give all that it imports? */
export function canImport(wanted: readonly InspectedImport[]): boolean {
  return Engine.JSTag !== undefined || wanted.every(({ name, kind }) => kind !== 'tag' || name !== 'jstag');
}

function tagOf(name: string, detail: string): WebAssembly.Memory {
  if (name === 'jstag' && Engine.JSTag !== undefined) return Engine.JSTag;
  return new Engine.Tag({ parameters: detail.match(/[if](32|64)/g) ?? [] });
}

const succeeded = (): number => 0;

/** Whether there was room on the engine's stack is not the module's doing. */
function failed(error: unknown): number {
  if (error instanceof Enough || threw(error) === TOO_DEEP) throw error;
  return 1;
}
