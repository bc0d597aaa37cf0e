/**
 * What `instrument` can be asked for, checked: a caller may be JavaScript, and a misspelt option would be a silently
 * different module.
 */
import { FiberError } from '../errors.ts';
import type { Target } from '../runtime/metadata.ts';
import type { Binaryen } from './binaryen.ts';
import { nearMatches } from './lists.ts';
import type { Limits } from './metering/limits.ts';

/** What is being done, for a progress display. */
export type Phase = 'reading' | 'preparing' | 'instrumenting' | 'optimising' | 'writing';

export interface InstrumentOptions {
  /**
   * Imports that may return a promise: `module.name`, with `*` for any run of characters. A lone `*` means all. Every
   * entry must match an import.
   */
  readonly suspending: readonly string[];
  /**
   * What is to suspend the guest: `asyncify` (default), rewritten code that runs on every engine, or `jspi`, the engine's own
   * stack switching (Chrome 137, Firefox 153, Safari 27, Node 24 and later), for which code stays as its compiler made it.
   * A module is for one of the two; `instantiate({ asyncify, jspi })` takes one of each.
   */
  readonly target?: Target;
  /**
   * 0 to 4, Binaryen's `-O` levels for the whole module after instrumentation.
   *
   * For `asyncify` the default is 1: the toolchain has optimised the module already, and Asyncify's own clean-up always runs.
   * SQLite came out the same size within 1 % and the same speed at every level, in 20 s (0), 27 s (1), 35 s (2) and 54 s (3).
   * Give more to a module that was not optimised.
   *
   * For `jspi` it is 0: code stays as its compiler made it, and Binaryen is not even loaded. Where nothing waits, Lua then ran
   * as fast as not instrumented (0.97 to 1.00 of the time on Node 20, 0.98 to 1.00 on Node 26; with 3: 0.99 and 0.94).
   * SQLite took 0.1 s (0), 5 s (1), 10 s (2) and 14 s (3), and came out 2, 8, 9 and 9 % smaller. What code pays is the check of
   * the shadow stack: functions that set up a frame and do nothing else took 4 % (Node 20) to 15 % (Node 26) longer.
   */
  readonly optimizeLevel?: 0 | 1 | 2 | 3 | 4;
  /** 0 to 2: prefer size over speed. `-Os` is level 2 with 1, `-Oz` level 2 with 2. Default 0. */
  readonly shrinkLevel?: 0 | 1 | 2;
  /**
   * Have functions jump to where they go on (see docs/how-it-works.md): where nothing suspends they are nearly as fast as not
   * instrumented, and the module is smaller than what Binaryen's Asyncify pass makes of it. Functions that gain by it get a
   * second body, but not with a `shrinkLevel` above 0. Default true; false is for Binaryen's pass.
   */
  readonly fastPath?: boolean;
  /** Instrument exactly these functions (names or patterns). Makes suspensions elsewhere trap: see `remove`. */
  readonly only?: readonly string[];
  /** Instrument these functions, and all that call them, as well. */
  readonly add?: readonly string[];
  /**
   * Never instrument these functions. A suspension with one of them on the stack traps at once; function names are kept
   * so that the error can name it.
   */
  readonly remove?: readonly string[];
  /** Take it that no call through a table suspends. A suspension through one traps at once. Default false. */
  readonly ignoreIndirect?: boolean;
  /**
   * Take it that the host puts no function into a table of the module: not by `table.set` or `grow` on an exported one
   * (Emscripten's `addFunction` does that), not beforehand into one that is imported. Then what the module itself puts there is
   * all that an indirect call can reach, and fewer functions are instrumented. A suspension through what the host has put there
   * all the same traps at once. A table that is neither exported nor imported needs no promise. Default false.
   */
  readonly closedTables?: boolean;
  /** Keep the name section, if there is one: error messages and stack traces name functions. Default true. */
  readonly debugNames?: boolean;
  /** The shadow stack pointer: a global's name or index, `auto` (default) or `none`. */
  readonly stackPointer?: string | number;
  /** Which compiler's shadow stack it is. Default `auto`. */
  readonly shadowStack?: 'auto' | 'llvm' | 'assemblyscript' | 'none';
  /**
   * Where the host gets guest memory from: `auto` (default), the names of two exported or internal functions
   * `[alloc, free]`, or `memory.grow` if the guest never grows its memory itself.
   */
  readonly allocator?: 'auto' | 'memory.grow' | readonly [alloc: string, free: string];
  /** Mutable globals (names or exports) of which every fiber has a value of its own. */
  readonly fiberGlobals?: readonly string[];
  /**
   * Have the guest pay for its work, so that its fibers can be pre-empted, and end when their fuel is used up (see docs/metering.md).
   * What it costs is in docs/costs.md. Default false.
   */
  readonly metered?: boolean;
  /** What a metered guest may not go beyond: a fiber that does ends with `LIMIT_REACHED`. */
  readonly limits?: InstrumentLimits;
  /** A source map of the input, as JSON text; the result then has one of the output. */
  readonly sourceMap?: string;
  /** URL to write into the `sourceMappingURL` section. Default: none is written. */
  readonly sourceMapUrl?: string;
  /** Called when a phase begins. */
  readonly onProgress?: (phase: Phase) => void;
  /** The binaryen.js instance to use, such as the one that asc carries. Default: the package `binaryen`. */
  readonly binaryen?: unknown;
}

/** Limits that are compiled into a metered module. Without one, there is none. */
export interface InstrumentLimits {
  /** Pages of 64 KiB that each memory may have, from 0 to 65,536: from the beginning, and after `memory.grow`. */
  readonly memoryPages?: number;
  /** Elements that each table may have, from 0 to 10,000,000. */
  readonly tableElements?: number;
  /**
   * How deep calls may be, from 1 to 1,000,000, counted in functions that call what may take long. Without it the engine's own
   * stack is the limit, which ends a fiber with `STACK_OVERFLOW`. Makes frames larger and calls slower.
   */
  readonly callDepth?: number;
}

export interface Settings {
  readonly suspending: readonly string[];
  readonly target: Target;
  readonly optimizeLevel: number;
  readonly shrinkLevel: number;
  readonly fastPath: boolean;
  readonly only: readonly string[];
  readonly add: readonly string[];
  readonly remove: readonly string[];
  readonly ignoreIndirect: boolean;
  readonly closedTables: boolean;
  readonly debugNames: boolean;
  readonly stackPointer: string | number;
  readonly shadowStack: 'auto' | 'llvm' | 'assemblyscript' | 'none';
  readonly allocator: 'auto' | 'memory.grow' | readonly [alloc: string, free: string];
  readonly fiberGlobals: readonly string[];
  readonly metered: boolean;
  readonly limits: Limits;
  readonly sourceMap: string | null;
  readonly sourceMapUrl: string | null;
  readonly onProgress: (phase: Phase) => void;
  readonly binaryen: Binaryen | null;
  /** Trap when a suspension meets a function that was left out. */
  readonly asserts: boolean;
}

const KNOWN = [
  'suspending',
  'target',
  'optimizeLevel',
  'shrinkLevel',
  'fastPath',
  'only',
  'add',
  'remove',
  'ignoreIndirect',
  'closedTables',
  'debugNames',
  'stackPointer',
  'shadowStack',
  'allocator',
  'fiberGlobals',
  'metered',
  'limits',
  'sourceMap',
  'sourceMapUrl',
  'onProgress',
  'binaryen',
] as const;

/** Checks options and fills in the defaults. */
export function settle(options: InstrumentOptions): Settings {
  if (typeof options !== 'object' || options === null) throw invalid('options', 'must be an object', options);
  for (const key of Object.keys(options)) {
    if ((KNOWN as readonly string[]).includes(key)) continue;
    const [near] = nearMatches(key, KNOWN);
    throw invalid(key, `is no option of instrument()${near === undefined ? '' : `: did you mean "${near}"?`}`);
  }
  const { target = 'asyncify' } = options;
  if (target !== 'asyncify' && target !== 'jspi') throw invalid('target', "must be 'asyncify' or 'jspi'", target);
  if (target === 'jspi') refuseLists(options);
  const only = names(options, 'only');
  const add = names(options, 'add');
  const remove = names(options, 'remove');
  if (only.length > 0 && add.length + remove.length > 0) {
    throw invalid('only', 'already says which functions are instrumented: it cannot be combined with add or remove');
  }
  const ignoreIndirect = flag(options, 'ignoreIndirect', false);
  const { stackPointer = 'auto', shadowStack = 'auto', allocator = 'auto' } = options;
  if (typeof stackPointer !== 'string' && !(Number.isInteger(stackPointer) && stackPointer >= 0)) {
    throw invalid('stackPointer', "must be the name or index of a global, 'auto' or 'none'", stackPointer);
  }
  if (!['auto', 'llvm', 'assemblyscript', 'none'].includes(shadowStack)) {
    throw invalid('shadowStack', "must be 'auto', 'llvm', 'assemblyscript' or 'none'", shadowStack);
  }
  const pair = Array.isArray(allocator) && allocator.length === 2 && allocator.every(isName);
  if (allocator !== 'auto' && allocator !== 'memory.grow' && !pair) {
    throw invalid('allocator', "must be 'auto', 'memory.grow' or the names of two functions [alloc, free]", allocator);
  }
  const { onProgress = () => undefined, sourceMap = null, sourceMapUrl = null, binaryen = null } = options;
  if (typeof onProgress !== 'function') throw invalid('onProgress', 'must be a function', onProgress);
  if (sourceMap !== null && typeof sourceMap !== 'string') {
    throw invalid('sourceMap', 'must be the JSON text of a source map', sourceMap);
  }
  if (sourceMapUrl !== null && typeof sourceMapUrl !== 'string') {
    throw invalid('sourceMapUrl', 'must be a string', sourceMapUrl);
  }
  const metered = flag(options, 'metered', false);
  const optimizeLevel = level(options, 'optimizeLevel', target === 'jspi' ? 0 : 1, 4);
  const shrinkLevel = level(options, 'shrinkLevel', 0, 2);
  return {
    suspending: names(options, 'suspending'),
    target,
    optimizeLevel,
    shrinkLevel,
    fastPath: flag(options, 'fastPath', target === 'asyncify'),
    only,
    add,
    remove,
    ignoreIndirect,
    closedTables: flag(options, 'closedTables', false),
    debugNames: flag(options, 'debugNames', true),
    stackPointer,
    shadowStack,
    allocator,
    fiberGlobals: names(options, 'fiberGlobals'),
    metered,
    limits: limitsOf(options, metered),
    sourceMap,
    sourceMapUrl,
    onProgress,
    binaryen: binaryen as Binaryen | null,
    asserts: only.length + remove.length > 0 || ignoreIndirect,
  };
}

/** Which functions are rewritten is no question where none is. */
function refuseLists(options: InstrumentOptions): void {
  for (const key of ['fastPath', 'only', 'add', 'remove', 'ignoreIndirect', 'closedTables'] as const) {
    const value: unknown = options[key];
    const given = Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;
    if (given) {
      throw invalid(
        key,
        "says which functions Asyncify rewrites, and means nothing for the target 'jspi', where the engine suspends every function as it is: leave it out",
      );
    }
  }
}

export function invalid(option: string, problem: string, ...given: unknown[]): FiberError {
  const got = given.length === 0 ? '' : `, not ${show(given[0])}`;
  return new FiberError('INVALID_OPTION', `The option "${option}" ${problem}${got}.`);
}

function show(value: unknown): string {
  if (typeof value === 'string') return `"${value}"`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function names(
  options: InstrumentOptions,
  key: 'suspending' | 'only' | 'add' | 'remove' | 'fiberGlobals',
): readonly string[] {
  const value = options[key] ?? [];
  if (!Array.isArray(value) || !value.every(isName)) throw invalid(key, 'must be an array of non-empty strings', value);
  return [...new Set(value as readonly string[])];
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function flag(
  options: InstrumentOptions,
  key: 'ignoreIndirect' | 'closedTables' | 'debugNames' | 'fastPath' | 'metered',
  otherwise: boolean,
): boolean {
  const value = options[key] ?? otherwise;
  if (typeof value !== 'boolean') throw invalid(key, 'must be true or false', value);
  return value;
}

/** All that 32 bits address; and what engines give a table at most. */
const MOST = { memoryPages: 65_536, tableElements: 10_000_000, callDepth: 1_000_000 } as const;

function limitsOf({ limits = {} }: InstrumentOptions, metered: boolean): Limits {
  if (typeof limits !== 'object' || limits === null) throw invalid('limits', 'must be an object', limits);
  const given = Object.entries(limits) as [string, unknown][];
  if (given.length > 0 && !metered) throw invalid('limits', 'is for metered modules: set "metered" as well');
  for (const [key, value] of given) {
    const most = Object.hasOwn(MOST, key) ? MOST[key as keyof typeof MOST] : null;
    if (most === null) throw invalid(`limits.${key}`, `is no limit; there are ${Object.keys(MOST).join(', ')}`);
    if (value !== undefined && !(Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most)) {
      throw invalid(`limits.${key}`, `must be an integer from 0 to ${most}`, value);
    }
  }
  const { memoryPages = null, tableElements = null, callDepth = null } = limits;
  return { memoryPages, tableElements, callDepth };
}

function level(
  options: InstrumentOptions,
  key: 'optimizeLevel' | 'shrinkLevel',
  otherwise: number,
  max: number,
): number {
  const value = options[key] ?? otherwise;
  if (!Number.isInteger(value) || value < 0 || value > max)
    throw invalid(key, `must be an integer from 0 to ${max}`, value);
  return value;
}
