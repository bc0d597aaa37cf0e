/**
 * What instrumentation costs a module, and why: every function with its size and the next call on its way to a wait, and what
 * each suspending import, and indirect calls, are answerable for. Read from the module's bytes, without Binaryen.
 */
import { analyse } from './binary/analysis.ts';
import type { IndirectCall } from './binary/analysis.ts';
import type { Cause, ReachOptions } from './binary/call-graph.ts';
import { readOutline } from './binary/module.ts';
import { showSignature } from './binary/types.ts';
import { groupNames } from './groups.ts';
import type { Group } from './groups.ts';
import { asBytes } from './input.ts';
import { invalid } from './options.ts';
import { metadataOf, ownersOf, suspendingOf } from './own.ts';
import { instrumentedBy } from './refuse.ts';
import { Study, bodyBytes } from './study.ts';
import type { StudiedFunction, StudyOptions } from './study.ts';

export interface ReportOptions extends StudyOptions {
  /** The same module after instrumentation: functions are then reported with the size that they have in it, by name. */
  readonly instrumented?: Uint8Array;
}

/** A number of functions, and how large they are together. */
export interface Amount {
  readonly functions: number;
  /** Bytes of their bodies. In an instrumented module, bodies in which they go on after a wait count with them. */
  readonly bytes: number;
}

/**
 * Why a function is instrumented: `direct`, direct calls lead to a suspending import; `indirect`, only ways through tables do;
 * `open table`, only a table that may hold anything. Or why not: `left out` by an option; `free`, it never waits; `added`, it
 * comes from instrumentation itself.
 */
export type ReportedState = 'direct' | 'indirect' | 'open table' | 'left out' | 'free' | 'added';

export interface ReportedFunction extends StudiedFunction {
  readonly instrumented: boolean;
  readonly state: ReportedState;
  /** Index of what it calls on its shortest way to a wait; `null` where that may be anything, and where there is none. */
  readonly next: number | null;
  /** How it calls that: `calls`, or `calls through table 0 as (i32) -> i32`; empty if it does not. */
  readonly how: string;
  /** Its `bytes` after instrumentation, if that was given and has a function of this name. */
  readonly after: number | null;
}

export interface ReportedImport {
  /** `module.name` */
  readonly name: string;
  readonly index: number;
  /** Functions that can reach it. */
  readonly reached: Amount;
  /** Those of them that would be free if it were not suspending: they are its cost alone. */
  readonly alone: Amount;
}

/** All indirect calls of one type through one table. */
export interface ReportedIndirect {
  readonly type: string;
  readonly table: number;
  /** Functions that have such a call. */
  readonly callers: number;
  /** Functions that it can reach, and those of them that may wait. */
  readonly targets: number;
  readonly waiting: number;
  /** Functions that would be free if such calls did not wait. */
  readonly alone: Amount;
}

export interface Report {
  /** Bytes of the module, and of it after instrumentation, if that was given. */
  readonly size: { readonly module: number; readonly after: number | null };
  readonly target: 'asyncify' | 'jspi';
  /** Is it an instrumented module? Then sizes are those after instrumentation. */
  readonly rewritten: boolean;
  /** All functions of the module's own. With `added` these are all the bytes of code that there are. */
  readonly total: Amount;
  readonly instrumented: Amount;
  /** What instrumentation has added and belongs to no function: of a module that is not instrumented, nothing. */
  readonly added: Amount;
  readonly imports: readonly ReportedImport[];
  /** What would be free if no indirect call waited. */
  readonly indirect: Amount;
  /** What would be free if the host wrote no table. */
  readonly openTables: Amount;
  /** Kinds of indirect calls that may wait, the most bytes alone first. */
  readonly indirectCalls: readonly ReportedIndirect[];
  /** By index. Those that belong to another one, in which it goes on after a wait, are not among them. */
  readonly functions: readonly ReportedFunction[];
  /** The functions by the parts of their names; members are positions in `functions`. */
  readonly groups: Group;
}

/** Each takes a walk over the graph: of more kinds of indirect calls than this, those with fewer callers have no `alone`. */
const MAX_KINDS = 100;

/**
 * Reports what instrumentation costs a module.
 *
 * @param wasm a core module, instrumented or not
 * @param options those that the module is instrumented with; of an instrumented one only `sourceMap`, as it knows the others
 * @throws FiberError `NO_SUSPENDING_IMPORTS`, `NO_MATCH`, `INVALID_OPTION`, `NOT_WASM`, `BAD_MODULE`, `BAD_METADATA`,
 * `BAD_SOURCE_MAP`, `ALREADY_INSTRUMENTED` (by another tool)
 *
 * @example
 * const { instrumented, imports } = report(await readFile('app.wasm'), { suspending: ['env.*'] });
 * for (const { name, alone } of imports) console.log(name, alone.functions, alone.bytes);
 */
export function report(wasm: Uint8Array, options: ReportOptions = {}): Report {
  const { instrumented, ...others } = options ?? {};
  const bytes = asBytes(wasm, 'report');
  const after = instrumented === undefined ? null : asBytes(instrumented, 'report');
  return new Reporter(new Study(bytes, others, 'report'), after).run();
}

class Reporter {
  readonly #study: Study;
  readonly #after: Uint8Array | null;
  readonly #roots: ReadonlySet<number>;
  readonly #options: ReachOptions;

  constructor(study: Study, after: Uint8Array | null) {
    this.#study = study;
    this.#after = after;
    const { ignoreIndirect, closedTables } = study.settings;
    const { added, removed } = study.selection;
    this.#roots = new Set([...study.suspending, ...added]);
    this.#options = { ignoreIndirect, closedTables, removed, references: study.target === 'jspi' };
  }

  run(): Report {
    const study = this.#study;
    const functions = this.#functions();
    const counted = functions.filter((each) => each.state !== 'added');
    return {
      size: { module: study.outline.bytes.length, after: this.#after?.length ?? null },
      target: study.target,
      rewritten: study.metadata !== null,
      total: amount(counted),
      instrumented: amount(counted.filter((each) => each.instrumented)),
      added: amount(functions.filter((each) => each.state === 'added')),
      imports: [...study.suspending].map((index) => this.#import(index)),
      indirect: this.#freed({ ignoreIndirect: true }),
      openTables: this.#freed({ closedTables: true }),
      indirectCalls: this.#indirectCalls(),
      functions,
      groups: groupNames(functions.map((each) => each.name)),
    };
  }

  #reach(options: ReachOptions = {}, roots: ReadonlySet<number> = this.#roots): ReadonlyMap<number, Cause> {
    return this.#study.graph.reach(roots, { ...this.#options, ...options }).causes;
  }

  #functions(): ReportedFunction[] {
    const { graph, suspending, outline, selection } = this.#study;
    const direct = this.#reach({ ignoreIndirect: true, references: false });
    const closed = this.#reach({ closedTables: true });
    const all = this.#reach();
    const unlisted = graph.reach(suspending).causes;
    const sizes = this.#sizesAfter();
    const indices = outline.bodies.map((_, offset) => outline.importedFunctions + offset);
    const { owners } = this.#study;
    return (
      indices
        // What stands in the place of an import belongs to no function.
        .filter((index) => (owners.get(index) ?? -1) < outline.importedFunctions)
        .map((index) => {
          const func = this.#study.describe(index);
          const instrumented = selection.instrumented.has(index);
          const own = this.#study.isAdded(index);
          const state: ReportedState = own
            ? 'added'
            : !instrumented
              ? unlisted.has(index)
                ? 'left out'
                : 'free'
              : direct.has(index) || (!closed.has(index) && !all.has(index))
                ? 'direct'
                : closed.has(index)
                  ? 'indirect'
                  : 'open table';
          // A way to an import says more than one to a table that may hold anything.
          const cause =
            own || state === 'free'
              ? undefined
              : (direct.get(index) ?? closed.get(index) ?? all.get(index) ?? unlisted.get(index));
          const next = cause === undefined || cause.kind === 'reference' ? null : cause.callee;
          return { ...func, instrumented, state, next, how: this.#how(cause), after: sizes.get(func.name) ?? null };
        })
    );
  }

  #how(cause: Cause | undefined): string {
    if (cause === undefined) return '';
    if (cause.kind === 'call') return 'calls';
    if (cause.kind === 'reference') return 'calls through a reference';
    return `calls through table ${cause.call.table} as ${this.#typeOf(cause.call)}`;
  }

  #typeOf({ type }: IndirectCall): string {
    const found = this.#study.outline.types[type];
    return found ? showSignature(found) : '?';
  }

  /** By name; of those with the same name none, since nobody knows which is which. */
  #sizesAfter(): Map<string, number> {
    const sizes = new Map<string, number>();
    if (this.#after === null) return sizes;
    const outline = readOutline(this.#after);
    if (instrumentedBy(outline) !== 'wasm-fibers')
      throw invalid('instrumented', 'must be the same module after it was instrumented by wasm-fibers');
    const twice = new Set<string>();
    const metadata = metadataOf(outline);
    const owners =
      metadata === null
        ? new Map<number, number>()
        : ownersOf(outline, analyse(outline), suspendingOf(outline, metadata));
    const nameOf = (index: number): string | undefined => outline.names.functions.get(index);
    for (const offset of outline.bodies.keys()) {
      const index = outline.importedFunctions + offset;
      const name = nameOf(index);
      if (name === undefined || owners.has(index)) continue;
      if (sizes.has(name)) twice.add(name);
      sizes.set(name, bodyBytes(outline, index));
    }
    for (const [index, owner] of owners) {
      const name = nameOf(owner);
      if (name !== undefined) sizes.set(name, (sizes.get(name) ?? 0) + bodyBytes(outline, index));
    }
    for (const name of twice) sizes.delete(name);
    return sizes;
  }

  #import(index: number): ReportedImport {
    const without = new Set([...this.#roots].filter((each) => each !== index));
    const reached = this.#study.graph.reach(new Set([index]), { ...this.#options, closedTables: true }).causes;
    return {
      name: this.#study.nameOf(index),
      index,
      reached: amount(
        this.#described([...reached.keys()].filter((each) => this.#study.selection.instrumented.has(each))),
      ),
      alone: this.#freed({}, without),
    };
  }

  /** What is instrumented now and would not be. */
  #freed(options: ReachOptions, roots: ReadonlySet<number> = this.#roots): Amount {
    const { selection, settings } = this.#study;
    if (settings.only.length > 0) return { functions: 0, bytes: 0 };
    const reached = this.#reach(options, roots);
    const free = [...selection.instrumented].filter((index) => !reached.has(index) && !selection.added.has(index));
    return amount(this.#described(free));
  }

  #described(indices: readonly number[]): StudiedFunction[] {
    return indices.map((index) => this.#study.describe(index));
  }

  #indirectCalls(): ReportedIndirect[] {
    const { graph, selection, settings } = this.#study;
    const waits = new Set([...this.#roots, ...selection.instrumented]);
    const { maySuspend } = graph.reach(this.#roots, this.#options);
    const kinds = graph.indirectKinds().filter(({ call }) => maySuspend(call));
    kinds.sort((left, right) => right.callers - left.callers);
    const found = kinds.map(({ call, callers, same }, place): ReportedIndirect => {
      const targets = graph.targetsOf(call, settings.closedTables).filter((index) => !this.#study.owners.has(index));
      const alone =
        place < MAX_KINDS
          ? this.#freed({ cut: (_, cause) => cause.kind === 'indirect' && same(cause.call) })
          : { functions: 0, bytes: 0 };
      return {
        type: this.#typeOf(call),
        table: call.table,
        callers,
        targets: targets.length,
        waiting: targets.filter((index) => waits.has(index)).length,
        alone,
      };
    });
    return found.sort((left, right) => right.alone.bytes - left.alone.bytes || right.callers - left.callers);
  }
}

function amount(functions: readonly StudiedFunction[]): Amount {
  return { functions: functions.length, bytes: functions.reduce((sum, each) => sum + each.bytes, 0) };
}
