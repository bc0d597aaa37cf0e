/**
 * What is done to a module's bytes, without Binaryen: for `jspi` all there is to do, for `asyncify` all that comes before it.
 * Code stays as it is but for calls and the stack check, so the source map can follow it exactly.
 */
import { ModuleEdit } from './binary/edit.ts';
import type { AddedFunction, Callee } from './binary/code-writer.ts';
import { readOutline } from './binary/module.ts';
import type { Outline } from './binary/module.ts';
import { addAllocator } from './passes/allocator.ts';
import { addEntries } from './passes/entries.ts';
import { hideIndirectCalls } from './passes/indirect-calls.ts';
import type { Hidden } from './passes/indirect-calls.ts';
import { addShims } from './passes/shims.ts';
import { addStackPointer } from './passes/stack-pointer.ts';
import { exposeStart } from './passes/start.ts';
import { addWaitFunctions } from './passes/waits.ts';
import type { WaitFunction } from './passes/waits.ts';
import { keepsNames } from './plan.ts';
import type { Plan } from './plan.ts';
import { moveSourceMap } from './source-map-bytes.ts';
import type { SourceMap } from './source-map.ts';

/** A module on which our passes before have run. */
export interface Preparation {
  readonly outline: Outline;
  /** Where a function of the source, or an added one, is now. */
  readonly indexOf: (callee: Callee) => number;
  /** Indices of functions that must stay out of line. */
  readonly shims: readonly number[];
  /** What stands in the place of suspending imports. */
  readonly waits: readonly WaitFunction[];
  /** Names of its own functions by index, whether it has a name section or not. */
  readonly functionNames: ReadonlyMap<number, string>;
  readonly sourceMap: SourceMap | null;
  /** Indirect calls that Asyncify is not to see. */
  readonly hidden: Hidden;
}

/** All that 32 bits address. */
const MOST_PAGES = 65_536;

/** @param last is this how the module will be, without Binaryen? Then it loses what it is to lose */
export function prepareModule(plan: Plan, last: boolean): Preparation {
  const { outline, analysis, settings, selection, suspending, stack, allocator, fiberGlobals } = plan;
  const jspi = settings.target === 'jspi';
  const edit = new ModuleEdit(outline);
  const hasMemory = outline.memories.length > 0;
  if (hasMemory && outline.importedMemories === 0 && !outline.exports.some((each) => each.kind === 'memory')) {
    edit.addExport('wasm-fibers.memory', 'memory', 0);
  }
  if (!hasMemory && !jspi) edit.addExport('wasm-fibers.memory', 'memory', edit.addMemory(1, MOST_PAGES));
  if (stack !== null) addStackPointer(edit, stack, jspi);
  if (allocator?.kind === 'functions' && hasMemory) addAllocator(edit, allocator);
  for (const [name, index] of fiberGlobals) edit.addExport(`wasm-fibers.global.${name}`, 'global', index);
  exposeStart(edit);
  let shims: readonly AddedFunction[] = [];
  let waits: readonly WaitFunction[] = [];
  let hidden: Hidden = { calls: [], callers: new Set() };
  if (jspi) {
    shims = addShims(edit, suspending);
    if (stack?.kind === 'assemblyscript') addEntries(edit);
  } else {
    const calls = analysis.functions.map(({ indirectCalls }, offset) => ({
      caller: outline.importedFunctions + offset,
      calls: indirectCalls,
    }));
    hidden = hideIndirectCalls(edit, selection.handlingOf, calls);
    if (settings.fastPath) waits = addWaitFunctions(edit, suspending);
  }
  // Ours are needed: by them functions are kept out of line, and frames told from the guest's.
  const names = (jspi && last && !keepsNames(plan)) || outline.names.functions.size === 0 ? 'added' : 'all';
  const { wasm, moves } = edit.write(isStale, names);
  const prepared = readOutline(wasm);
  const bodies = prepared.bodies.length - outline.bodies.length;
  const firstAdded = bodies === 0 ? null : (prepared.bodies[outline.bodies.length]?.start ?? null);
  return {
    outline: prepared,
    indexOf: (callee) => edit.indexOf(callee),
    shims: shims.map((each) => edit.indexOf(each)),
    waits,
    functionNames: edit.functionNames(),
    sourceMap: plan.sourceMap === null ? null : moveSourceMap(plan.sourceMap, moves, firstAdded),
    hidden,
  };
}

/**
 * Custom sections that would describe the module as it was, or that are written anew. Hints about code (branch hints,
 * compilation priorities) speak of functions by index.
 */
function isStale(name: string): boolean {
  return (
    name.startsWith('.debug_') ||
    name.startsWith('reloc.') ||
    name.startsWith('metadata.code.') ||
    ['sourceMappingURL', 'external_debug_info', 'build_id'].includes(name)
  );
}
