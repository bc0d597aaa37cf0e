/** One form of a module that runs: as it was, or instrumented and driven by the runtime. Both are called the same way. */
import { canSuspend, currentFiber, instantiate } from '../../../host/index.ts';
import type { BackendKind, Guest } from '../../../host/index.ts';
import type { Inspection } from '../../../host/instrument/index.ts';
import { OURS } from './generate.ts';
import type { Host, Manner } from './host.ts';
import { returned, show, threw } from '../outcome.ts';
import type { Random } from '../random.ts';
import { eventually } from '../waits.ts';

export interface Callable {
  readonly name: string;
  readonly params: readonly string[];
}

export type Argument = number | bigint;

export interface Subject {
  readonly name: string;
  readonly host: Host;
  readonly memory: WebAssembly.Memory;
  /** Those that hold functions, exported by the comparison. */
  readonly tables: readonly WebAssembly.Table[];
  /** An export as the engine has it. */
  raw(name: string): Raw;
  /** @returns the outcome as text */
  call(name: string, args: readonly Argument[]): Promise<string>;
  /** The values of the globals, as text. */
  globals(): string;
}

type Raw = (...args: Argument[]) => unknown;

export interface Fibers extends Subject {
  readonly guest: Guest;
  readonly metered: boolean;
}

const isNumeric = (type: string): boolean => /^[if](32|64)$/.test(type);

/** The exports that JavaScript can call. */
export function callables(inspection: Inspection): Callable[] {
  return inspection.exports.flatMap(({ name, type }) =>
    type !== null && !name.startsWith(OURS) && [...type.params, ...type.results].every(isNumeric)
      ? [{ name, params: type.params }]
      : [],
  );
}

/** What the guest's own calls of its exports pass. */
const usual = (params: readonly string[]): Argument[] => params.map((type) => (type === 'i64' ? 3n : 2));

type Exported = Record<string, (...args: Argument[]) => unknown>;

export function original(wasm: Uint8Array<ArrayBuffer>, inspection: Inspection, host: Host): Subject {
  const all = callables(inspection);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), host.imports(inspection.imports));
  const functions = exports as Exported;
  host.reentry = {
    now(index) {
      const each = all[index % all.length];
      return each === undefined ? undefined : functions[each.name]?.(...usual(each.params));
    },
  };
  return {
    name: 'the original',
    host,
    memory: exports[`${OURS}memory`] as WebAssembly.Memory,
    tables: tablesOf(exports),
    raw: (name) => exports[name] as Raw,
    globals: () => globalsOf(exports),
    async call(name, args) {
      try {
        return returned(functions[name]?.(...args));
      } catch (error) {
        return threw(error);
      }
    },
  };
}

export async function fibers(
  name: string,
  wasm: Uint8Array<ArrayBuffer>,
  inspection: Inspection,
  host: Host,
  { metered, ...options }: { readonly backend: BackendKind; readonly windowSize: number; readonly metered: boolean },
): Promise<Fibers> {
  const all = callables(inspection);
  const guest: Guest = await instantiate(wasm, host.imports(inspection.imports), options);
  const { exports } = guest.instance;
  host.reentry = {
    now(index) {
      const each = all[index % all.length];
      return each === undefined ? undefined : guest.sync[each.name]?.(...usual(each.params));
    },
    async later(index) {
      const each = all[index % all.length];
      return each === undefined ? undefined : guest.exports[each.name]?.(...usual(each.params));
    },
  };
  host.caller = () => (host.manner instanceof Gates ? `${currentFiber()?.name}: ` : '');
  return {
    name,
    host,
    guest,
    metered,
    memory: exports[`${OURS}memory`] as WebAssembly.Memory,
    tables: tablesOf(exports),
    raw: (name) => exports[name] as Raw,
    globals: () => globalsOf(exports),
    async call(name, args) {
      try {
        return returned(await guest.exports[name]?.(...args));
      } catch (error) {
        return threw(error);
      }
    },
  };
}

function tablesOf(exports: WebAssembly.Exports): WebAssembly.Table[] {
  return Object.entries(exports).flatMap(([name, each]) =>
    name.startsWith(`${OURS}table.`) && each instanceof WebAssembly.Table && holdsFunctions(each) ? [each] : [],
  );
}

/** Only what is put in tells. */
function holdsFunctions(table: WebAssembly.Table): boolean {
  try {
    if (table.length > 0) table.set(0, table.get(0));
    return table.length > 0 && (table.get(0) === null || typeof table.get(0) === 'function');
  } catch {
    return false;
  }
}

function globalsOf(exports: WebAssembly.Exports): string {
  return Object.entries(exports)
    .filter(([name]) => !name.startsWith('wasm-fibers.'))
    .flatMap(([name, each]) => (each instanceof WebAssembly.Global ? [`${name}=${readable(each)}`] : []))
    .join(' ');
}

/** A vector cannot be read. */
function readable(global: WebAssembly.Global): string {
  try {
    return show(global.value);
  } catch {
    return 'unreadable';
  }
}

/** Waits at random, for something that settles by itself. */
export class Sometimes implements Manner {
  readonly #random: Random;
  readonly #probability: number;

  constructor(random: Random, probability: number) {
    this.#random = random;
    this.#probability = probability;
  }

  canWait(): boolean {
    return canSuspend() && this.#random.chance(this.#probability);
  }

  wait(settle: () => unknown): unknown {
    return eventually(this.#random, settle);
  }
}

/** Waits until it is told which wait is over. */
export class Gates implements Manner {
  readonly #random: Random;
  readonly #probability: number;
  readonly #closed: (() => void)[] = [];

  constructor(random: Random, probability: number) {
    this.#random = random;
    this.#probability = probability;
  }

  canWait(): boolean {
    return canSuspend() && this.#random.chance(this.#probability);
  }

  wait(settle: () => unknown): Promise<unknown> {
    const gate = new Promise<void>((resolve) => this.#closed.push(resolve));
    return gate.then(settle);
  }

  /** @returns false if nobody waits */
  openOne(): boolean {
    if (this.#closed.length === 0) return false;
    for (const open of this.#closed.splice(this.#random.below(this.#closed.length), 1)) open();
    return true;
  }
}
