/**
 * Why a function is instrumented: the shortest way from it to a suspending import, call by call, and what would be spared if
 * one of these calls were not there. Read from the module's bytes, without Binaryen.
 */
import type { IndirectCall } from './binary/analysis.ts';
import type { Cause, ReachOptions } from './binary/call-graph.ts';
import { Op } from './binary/code.ts';
import { showSignature } from './binary/types.ts';
import { asBytes } from './input.ts';
import { Study } from './study.ts';
import type { Place, StudiedFunction, StudyOptions } from './study.ts';

/** A table that a call goes through. */
export interface ExplainedTable {
  readonly index: number;
  readonly exported: readonly string[];
  /** `module.name`, if it is imported. */
  readonly imported: string | null;
  /** Why nobody knows what is in it, as the end of a sentence that begins with the table; `null` if that is known. */
  readonly unknown: string | null;
}

/** One step on the way to a suspending import. */
export interface ExplainedCall {
  readonly kind: 'direct' | 'indirect' | 'reference';
  readonly caller: StudiedFunction;
  /** What is called; `null` where that may be anything. */
  readonly callee: StudiedFunction | null;
  /** Where the call is in the source. */
  readonly place: Place | null;
  /** The type that an indirect call asks for, such as `(i32) -> i32`. */
  readonly type: string | null;
  readonly table: ExplainedTable | null;
  /** The functions that an indirect call can reach, as far as the module itself puts them into the table. */
  readonly targets: readonly StudiedFunction[];
  /** Those of them that may wait. */
  readonly waiting: readonly StudiedFunction[];
}

/** Something that would make functions free of instrumentation. */
export interface ExplainedCut {
  /** What would have to be so, as in "without the call from a to b". */
  readonly what: string;
  /** The option of the command that makes it so, and its argument, if there is one. */
  readonly option: readonly string[] | null;
  /** How many functions would not be instrumented any more. */
  readonly functions: number;
  /** Bytes of their bodies, before instrumentation. */
  readonly bytes: number;
  /** The largest of them, at most eight. */
  readonly largest: readonly StudiedFunction[];
}

export interface Explanation {
  readonly function: StudiedFunction;
  /**
   * `instrumented`: it may be on the stack at a wait (for `jspi`: it may wait, and is left as it is); `left out`: it would be,
   * had no option left it out; `free`: nothing that it calls waits; `suspending`: it is an import that may return a promise;
   * `import`: it is one that may not; `added`: it comes from instrumentation itself.
   */
  readonly state: 'instrumented' | 'left out' | 'free' | 'suspending' | 'import' | 'added';
  /** The same as a sentence. */
  readonly because: string;
  /** The shortest way from the function to a suspending import. Of one that is left out, the way that there would be. */
  readonly path: readonly ExplainedCall[];
  /** The shortest way to a table that may hold anything, if there is one, and `path` does not end at it already. */
  readonly otherPath: readonly ExplainedCall[];
  /** The import where it ends, `module.name`; `null` if it ends at a table that may hold anything, or at an added function. */
  readonly import: string | null;
  /** What would spare functions, the most bytes first. */
  readonly cuts: readonly ExplainedCut[];
}

/** Longer ways are cut at their ends only: a graph of a hundred thousand functions takes a tenth of a second each time. */
const MAX_CUTS = 24;
const LARGEST = 8;

/**
 * Says why a function is instrumented, or why it is not.
 *
 * @param wasm a core module, instrumented or not
 * @param wanted a name, an export, an import `module.name`, a pattern (`*`) that matches one of these, or an index
 * @param options those that the module is instrumented with; of an instrumented one only `sourceMap`, as it knows the others
 * @throws FiberError `NO_MATCH` if no function is meant, or several are; `NO_SUSPENDING_IMPORTS`, `INVALID_OPTION`,
 * `NOT_WASM`, `BAD_MODULE`, `BAD_METADATA`, `BAD_SOURCE_MAP`, `ALREADY_INSTRUMENTED` (by another tool)
 *
 * @example
 * const { state, path } = explain(await readFile('app.wasm'), 'parse', { suspending: ['env.read'] });
 * console.log(state, path.map((call) => call.callee?.name));
 */
export function explain(wasm: Uint8Array, wanted: string | number, options: StudyOptions = {}): Explanation {
  return new Explainer(new Study(asBytes(wasm, 'explain'), options, 'explain')).explain(wanted);
}

class Explainer {
  readonly #study: Study;
  readonly #options: ReachOptions;
  readonly #roots: ReadonlySet<number>;
  readonly #waits: ReadonlySet<number>;

  constructor(study: Study) {
    this.#study = study;
    const { ignoreIndirect, closedTables } = study.settings;
    const { added, removed } = study.selection;
    this.#options = { ignoreIndirect, closedTables, removed, references: study.target === 'jspi' };
    this.#roots = new Set([...study.suspending, ...added]);
    this.#waits = new Set([...this.#roots, ...study.selection.instrumented]);
  }

  explain(wanted: string | number): Explanation {
    const study = this.#study;
    const index = study.find(wanted);
    const func = study.describe(index);
    const base = { function: func, path: [], otherPath: [], import: null, cuts: [] };
    if (func.imported) {
      const suspending = study.suspending.has(index);
      const because = suspending
        ? `${func.name} is an import that may return a promise.`
        : `${func.name} is an import that was not named as suspending, so nothing waits in it.`;
      const cut = suspending ? [this.#cutRoot(func)] : [];
      return { ...base, state: suspending ? 'suspending' : 'import', because, cuts: cut };
    }
    if (study.isAdded(index)) {
      const owner = study.owners.get(index);
      const what = owner === undefined ? '' : `, for ${study.nameOf(owner)}`;
      return { ...base, state: 'added', because: `${func.name} comes from instrumentation itself${what}.` };
    }
    if (study.selection.instrumented.has(index)) return this.#explainInstrumented(func);
    const would = study.graph.reach(study.suspending).causes;
    if (!would.has(index)) {
      const because = `Nothing that ${func.name} calls, directly or not, reaches a suspending import.`;
      return { ...base, state: 'free', because };
    }
    const path = this.#path(index, would);
    return {
      ...base,
      state: 'left out',
      because: `${func.name} would be instrumented, but ${this.#whyLeftOut(index)}. Should it have to wait, its fiber ends with UNINSTRUMENTED_FRAME.`,
      path,
      import: endOf(path),
    };
  }

  #explainInstrumented(func: StudiedFunction): Explanation {
    const study = this.#study;
    const { only } = study.settings;
    const byOption =
      only.length > 0 ? '--only names it' : study.selection.added.has(func.index) ? '--add names it' : null;
    const way = (options: ReachOptions): ExplainedCall[] =>
      this.#path(func.index, study.graph.reach(this.#roots, { ...this.#options, ...options }).causes);
    const shortest = way({});
    // A way to an import says more than one to a table that may hold anything, even if it is longer.
    const toImport = way({ closedTables: true });
    const toTable = way({ openTablesOnly: true });
    const path = toImport.length > 0 ? toImport : shortest;
    const otherPath = toImport.length > 0 ? toTable : [];
    const end = endOf(path);
    const does = study.target === 'jspi' ? 'may wait (code for jspi is not rewritten)' : 'is instrumented';
    const last = path.at(-1);
    const why =
      last === undefined
        ? (byOption ?? 'it saves frames, though no way to a suspending import is left in the code')
        : end !== null
          ? `it reaches ${end}${byOption === null ? '' : `, and ${byOption}`}`
          : last.callee === null
            ? `it reaches a call ${last.table === null ? 'through a reference' : `through table ${last.table.index}, which ${last.table.unknown ?? 'may hold anything'}`}`
            : `it reaches ${last.callee.name}, which --add names`;
    return {
      function: func,
      state: 'instrumented',
      because: `${func.name} ${does}: ${why}.`,
      path,
      otherPath,
      import: end,
      cuts: only.length > 0 || study.target === 'jspi' ? [] : this.#cuts([...path, ...otherPath]),
    };
  }

  #whyLeftOut(index: number): string {
    const { settings, selection } = this.#study;
    if (settings.only.length > 0) return '--only does not name it';
    if (selection.removed.has(index)) return '--remove names it';
    const { graph, suspending } = this.#study;
    const without = (options: ReachOptions): boolean => !graph.reach(suspending, options).causes.has(index);
    if (selection.removed.size > 0 && without({ removed: selection.removed }))
      return 'every way from it leads through what --remove names';
    if (settings.ignoreIndirect && without({ ignoreIndirect: true }))
      return 'every way from it leads through an indirect call, which --ignore-indirect leaves out';
    if (settings.closedTables && without({ closedTables: true }))
      return 'it could only wait through what the host puts into a table, and --closed-tables says that it puts nothing there';
    return 'the options together leave it out';
  }

  #path(from: number, causes: ReadonlyMap<number, Cause>): ExplainedCall[] {
    const path: ExplainedCall[] = [];
    const seen = new Set<number>();
    for (let at = from; !seen.has(at);) {
      seen.add(at);
      const cause = causes.get(at);
      if (cause === undefined) break;
      const call = this.#call(at, cause);
      path.push(call);
      if (call.callee === null || this.#study.suspending.has(call.callee.index)) break;
      if (call.callee.index !== from && this.#study.selection.added.has(call.callee.index)) break;
      at = call.callee.index;
    }
    return path;
  }

  #call(caller: number, cause: Cause): ExplainedCall {
    const study = this.#study;
    const nothing = { type: null, table: null, targets: [], waiting: [] };
    const from = study.describe(caller);
    if (cause.kind === 'reference') {
      const place = study.placeIn(caller, (opcode) => opcode === Op.CallRef || opcode === Op.ReturnCallRef);
      return { ...nothing, kind: 'reference', caller: from, callee: null, place };
    }
    if (cause.kind === 'call') {
      const { callee } = cause;
      const place = study.placeIn(
        caller,
        (opcode, immediate) => (opcode === Op.Call || opcode === Op.ReturnCall) && immediate === callee,
      );
      return { ...nothing, kind: 'direct', caller: from, callee: study.describe(callee), place };
    }
    const { call, callee } = cause;
    const targets = study.graph.targetsOf(call, study.settings.closedTables);
    const type = study.outline.types[call.type];
    return {
      kind: 'indirect',
      caller: from,
      callee: callee === null ? null : study.describe(callee),
      place: study.placeIn(caller, (opcode, immediate, second) => this.#isSite(opcode, call, immediate, second)),
      type: type ? showSignature(type) : null,
      table: this.#table(call.table),
      targets: targets.map((index) => study.describe(index)),
      waiting: targets.filter((index) => this.#waits.has(index)).map((index) => study.describe(index)),
    };
  }

  #isSite(opcode: number, call: IndirectCall, type: number, table: number): boolean {
    if (opcode !== Op.CallIndirect && opcode !== Op.ReturnCallIndirect) return false;
    return table === call.table && this.#sameType(type, call.type);
  }

  #sameType(left: number, right: number): boolean {
    const { types } = this.#study.graph;
    return types.canonical(left) === types.canonical(right);
  }

  #table(index: number): ExplainedTable {
    const { graph, settings } = this.#study;
    const { exported = [], imported = null } = graph.tables.tables[index] ?? {};
    const { unknown = null } = graph.contents(settings.closedTables)[index] ?? {};
    return { index, exported, imported, unknown };
  }

  #cuts(path: readonly ExplainedCall[]): ExplainedCut[] {
    const cuts: ExplainedCut[] = [];
    const half = MAX_CUTS / 2;
    const steps = path.length <= MAX_CUTS ? path : [...path.slice(0, half), ...path.slice(-half)];
    const callers = new Map(steps.map((step) => [step.caller.index, step.caller]));
    for (const step of steps) cuts.push(this.#cutCall(step));
    for (const caller of callers.values()) cuts.push(...this.#cutFunction(caller));
    const through = path.filter((each) => each.kind === 'indirect');
    if (through.some((each) => each.table?.exported.length || each.table?.imported)) {
      cuts.push(this.#cut('if the host puts no function into a table', ['--closed-tables'], { closedTables: true }));
    }
    if (through.length > 0)
      cuts.push(this.#cut('if no indirect call waits', ['--ignore-indirect'], { ignoreIndirect: true }));
    // The two ways may begin with the same calls.
    const different = new Map(cuts.map((each) => [each.what, each]));
    return [...different.values()].filter((each) => each.functions > 0).sort((left, right) => right.bytes - left.bytes);
  }

  #cutCall({ kind, caller, callee, table, type }: ExplainedCall): ExplainedCut {
    if (kind === 'direct') {
      return this.#cut(`without the call from ${caller.name} to ${callee?.name ?? ''}`, null, {
        cut: (from, cause) => from === caller.index && cause.kind === 'call' && cause.callee === callee?.index,
      });
    }
    const shown = table === null ? 'references' : `table ${table.index} as ${type ?? '?'}`;
    return this.#cut(`without the calls from ${caller.name} through ${shown}`, null, {
      cut: (from, cause) =>
        from === caller.index &&
        (table === null
          ? cause.kind === 'reference'
          : cause.kind === 'indirect' && this.#asks(cause.call, table, type)),
    });
  }

  #asks(call: IndirectCall, { index }: ExplainedTable, type: string | null): boolean {
    const asked = this.#study.outline.types[call.type];
    return call.table === index && (asked ? showSignature(asked) : null) === type;
  }

  #cutFunction(func: StudiedFunction): ExplainedCut[] {
    if (this.#study.selection.added.has(func.index)) return [];
    const removed = new Set([...this.#study.selection.removed, func.index]);
    return [this.#cut(`if ${func.name} never waits`, ['--remove', func.name], { removed })];
  }

  #cutRoot(func: StudiedFunction): ExplainedCut {
    const roots = new Set([...this.#roots].filter((each) => each !== func.index));
    return this.#cut(`if ${func.name} were not suspending`, null, {}, roots);
  }

  #cut(what: string, option: readonly string[] | null, changed: ReachOptions, roots = this.#roots): ExplainedCut {
    const study = this.#study;
    const { causes } = study.graph.reach(roots, { ...this.#options, ...changed });
    const freed = [...study.selection.instrumented]
      .filter((index) => !causes.has(index) && !study.selection.added.has(index))
      .map((index) => study.describe(index))
      .sort((left, right) => right.bytes - left.bytes || left.index - right.index);
    return {
      what,
      option,
      functions: freed.length,
      bytes: freed.reduce((sum, each) => sum + each.bytes, 0),
      largest: freed.slice(0, LARGEST),
    };
  }
}

function endOf(path: readonly ExplainedCall[]): string | null {
  const callee = path.at(-1)?.callee ?? null;
  return callee?.imported ? callee.name : null;
}
