/**
 * Who may be on the stack at a suspension: every function from which, over any number of calls, a suspending import is
 * reached. A direct call reaches its function. An indirect call reaches the functions of its type, or of a subtype, that can be
 * in its table (table-contents.ts); if nobody knows what is in there, it may suspend.
 *
 * Invariant, on which instrumentation rests: a function that is not in the set never has a suspension below it, unless the
 * caller has promised something that is not so.
 */
import type { Analysis, IndirectCall } from './analysis.ts';
import type { Outline } from './module.ts';
import { tableContents } from './table-contents.ts';
import type { TableContents } from './table-contents.ts';
import { readTables } from './tables.ts';
import type { Tables } from './tables.ts';
import { readTypeIdentity } from './type-identity.ts';
import type { TypeIdentity } from './type-identity.ts';

/** Why a function may suspend. */
export type Cause =
  | { readonly kind: 'call'; readonly callee: number }
  /** `callee` is null where nobody knows what is in the table. */
  | { readonly kind: 'indirect'; readonly call: IndirectCall; readonly callee: number | null }
  | { readonly kind: 'reference' };

export interface ReachOptions {
  /** Functions that are left out whatever they call; who calls only them does not suspend either. */
  readonly removed?: ReadonlySet<number>;
  /** Take it that no indirect call suspends. */
  readonly ignoreIndirect?: boolean;
  /** Take it that the host puts no function into a table. */
  readonly closedTables?: boolean;
  /** Count calls through references as suspending, which Binaryen does not. */
  readonly references?: boolean;
  /** Only those that may suspend because nobody knows what is in a table. */
  readonly openTablesOnly?: boolean;
  /** Calls that are taken not to be there. */
  readonly cut?: (caller: number, cause: Cause) => boolean;
}

export interface Reach {
  /** The functions that may suspend, nearest to a suspending import first, each with the first call on its shortest way there. */
  readonly causes: ReadonlyMap<number, Cause>;
  /** May this indirect call suspend? */
  maySuspend(call: IndirectCall): boolean;
}

/** All indirect calls of one type through one table. */
interface Site extends IndirectCall {
  readonly callers: number[];
}

export class CallGraph {
  readonly outline: Outline;
  readonly analysis: Analysis;
  readonly tables: Tables;
  readonly types: TypeIdentity;
  readonly #callers = new Map<number, number[]>();
  readonly #sites = new Map<string, Site>();
  readonly #contents = new Map<boolean, TableContents[]>();

  constructor(outline: Outline, analysis: Analysis) {
    this.outline = outline;
    this.analysis = analysis;
    this.tables = readTables(outline);
    this.types = readTypeIdentity(outline);
    for (const [offset, { calls, indirectCalls }] of analysis.functions.entries()) {
      const index = outline.importedFunctions + offset;
      for (const callee of calls) listAt(this.#callers, callee).push(index);
      for (const call of indirectCalls) {
        const key = this.#key(call);
        const site = this.#sites.get(key) ?? { ...call, callers: [] };
        this.#sites.set(key, site);
        if (site.callers.at(-1) !== index) site.callers.push(index);
      }
    }
  }

  /** What can be in each table. */
  contents(closedTables: boolean = false): readonly TableContents[] {
    const known = this.#contents.get(closedTables);
    if (known !== undefined) return known;
    const contents = tableContents(this.outline, this.analysis, this.tables, closedTables);
    this.#contents.set(closedTables, contents);
    return contents;
  }

  /** The functions of the module's own code that call this one directly. */
  callersOf(index: number): readonly number[] {
    return this.#callers.get(index) ?? [];
  }

  /** The functions that an indirect call can reach, as far as the module itself puts them there. */
  targetsOf(call: IndirectCall, closedTables: boolean = false): number[] {
    const { functions } = this.contents(closedTables)[call.table] ?? { functions: new Set<number>() };
    return [...functions].filter((index) => this.#fits(index, call)).sort((left, right) => left - right);
  }

  /** Each kind of indirect call that there is, by type and table, with how many functions have one. */
  indirectKinds(): { readonly call: IndirectCall; readonly callers: number; same(call: IndirectCall): boolean }[] {
    return [...this.#sites].map(([key, { type, table, callers }]) => ({
      call: { type, table },
      callers: callers.length,
      same: (call) => this.#key(call) === key,
    }));
  }

  /**
   * @param roots suspending imports, and functions that are to count as suspending. Without any nothing suspends
   */
  reach(roots: ReadonlySet<number>, options: ReachOptions = {}): Reach {
    const {
      removed,
      ignoreIndirect = false,
      closedTables = false,
      references = false,
      openTablesOnly = false,
      cut,
    } = options;
    const causes = new Map<number, Cause>();
    const open = new Set<string>();
    const queue: number[] = [];
    const { importedFunctions } = this.outline;
    const reach = (caller: number, cause: Cause): void => {
      if (causes.has(caller) || removed?.has(caller) || cut?.(caller, cause)) return;
      // A root is at the end of a way already; it is listed all the same if it is a function of the module's own.
      causes.set(caller, cause);
      if (!roots.has(caller)) queue.push(caller);
    };
    const openSite = (site: Site, callee: number | null): void => {
      const cause: Cause = { kind: 'indirect', call: site, callee };
      for (const caller of site.callers) reach(caller, cause);
      open.add(this.#key(site));
    };
    if (roots.size > 0) {
      queue.push(...roots);
      const contents = this.contents(closedTables);
      const inTables = ignoreIndirect ? new Map<number, Site[]>() : this.#sitesByFunction(contents);
      for (let head = 0; head < queue.length; head++) {
        const callee = queue[head] ?? 0;
        if (!openTablesOnly || head >= roots.size) {
          for (const caller of this.callersOf(callee)) reach(caller, { kind: 'call', callee });
          for (const site of inTables.get(callee) ?? []) openSite(site, callee);
        }
        // Behind the suspending imports themselves: a way to one of them says more than a table that may hold anything.
        if (head + 1 !== roots.size) continue;
        if (!ignoreIndirect) {
          for (const site of this.#sites.values()) {
            if ((contents[site.table]?.unknown ?? null) !== null) openSite(site, null);
          }
        }
        if (!references) continue;
        for (const [offset, { callsReference }] of this.analysis.functions.entries()) {
          if (callsReference.size > 0) reach(importedFunctions + offset, { kind: 'reference' });
        }
      }
    }
    return { causes, maySuspend: (call) => open.has(this.#key(call)) };
  }

  /** The indirect calls that can reach each function. */
  #sitesByFunction(contents: readonly TableContents[]): Map<number, Site[]> {
    const found = new Map<number, Site[]>();
    for (const site of this.#sites.values()) {
      for (const index of contents[site.table]?.functions ?? []) {
        if (this.#fits(index, site)) listAt(found, index).push(site);
      }
    }
    return found;
  }

  #fits(index: number, { type }: IndirectCall): boolean {
    const own = this.outline.functionTypes[index];
    return own !== undefined && this.types.isSubtype(own, type);
  }

  #key({ type, table }: IndirectCall): string {
    return `${this.types.canonical(type)} ${table}`;
  }
}

function listAt<T>(map: Map<number, T[]>, key: number): T[] {
  const known = map.get(key);
  if (known !== undefined) return known;
  const list: T[] = [];
  map.set(key, list);
  return list;
}
