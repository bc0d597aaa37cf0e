/**
 * Which functions are instrumented, and which indirect calls in them may suspend: by the call graph, and by the lists that
 * were given on top of it. What is left out on somebody's word is watched: a suspension that comes through it traps.
 */
import { FiberError } from '../errors.ts';
import type { IndirectCall } from './binary/analysis.ts';
import type { CallGraph } from './binary/call-graph.ts';
import { functionName } from './binary/module.ts';
import type { Settings } from './options.ts';
import { matchFunctions } from './refuse.ts';

/**
 * An indirect call may suspend (`seen` by Asyncify), cannot (`hidden` from it), or cannot if the promises hold that were
 * made (`watched`).
 */
export type Handling = 'seen' | 'hidden' | 'watched';

export interface Selection {
  /** The functions that may be on the stack at a suspension, by index. */
  readonly instrumented: ReadonlySet<number>;
  readonly added: ReadonlySet<number>;
  readonly removed: ReadonlySet<number>;
  /** What is to be done with an indirect call in a function. */
  handlingOf(caller: number, call: IndirectCall): Handling;
}

export function selectFunctions(graph: CallGraph, suspending: ReadonlySet<number>, settings: Settings): Selection {
  const { outline } = graph;
  const { ignoreIndirect, closedTables } = settings;
  const added = matchFunctions(outline, settings.add, 'add');
  const removed = matchFunctions(outline, settings.remove, 'remove');
  // Whoever lists the functions knows better than the graph where they call to.
  if (settings.only.length > 0) {
    const instrumented = matchFunctions(outline, settings.only, 'only');
    return { instrumented, added, removed, handlingOf: () => 'seen' };
  }
  const both = [...added].find((index) => removed.has(index));
  if (both !== undefined) {
    throw new FiberError(
      'INVALID_OPTION',
      `The function "${functionName(outline, both)}" is both in the add list and in the remove list.`,
    );
  }
  const roots = new Set([...suspending, ...added]);
  const reach = graph.reach(roots, { removed, ignoreIndirect, closedTables });
  const instrumented = new Set([...reach.causes.keys(), ...added]);
  const promised = ignoreIndirect || closedTables;
  const unpromised = promised ? graph.reach(roots, { removed }) : reach;
  return {
    instrumented,
    added,
    removed,
    handlingOf(caller, call) {
      if (!instrumented.has(caller) && cannotFlatten(graph, caller)) return 'seen';
      if (added.has(caller) || reach.maySuspend(call)) return 'seen';
      return unpromised.maySuspend(call) ? 'watched' : 'hidden';
    },
  };
}

/**
 * Can Binaryen not bring a function into flat form, so that what its C interface does not show of it stays hidden? No call in
 * it is to be put out of sight then: it could not be brought back.
 */
export function cannotFlatten({ outline, analysis }: CallGraph, index: number): boolean {
  const facts = analysis.functions[index - outline.importedFunctions];
  return facts !== undefined && (facts.tryTable || facts.branchesOnReference);
}

/** The functions with indirect calls that are watched. */
export function watchedFunctions(graph: CallGraph, selection: Selection): Set<number> {
  const { outline, analysis } = graph;
  const found = new Set<number>();
  for (const [offset, { indirectCalls }] of analysis.functions.entries()) {
    const index = outline.importedFunctions + offset;
    if (indirectCalls.some((call) => selection.handlingOf(index, call) === 'watched')) found.add(index);
  }
  return found;
}
