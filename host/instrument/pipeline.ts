/**
 * The order of instrumentation, once everything that can be refused has been:
 *
 *     read -> our passes before -> Asyncify -> our passes after -> optimise -> section -> write
 *
 * Everything here is synchronous: Binaryen's options are global to it, and nobody else may run in between.
 */
import { FiberError } from '../errors.ts';
import { FORMAT_VERSION, SECTION } from '../runtime/metadata.ts';
import type { ImportSignature, Metadata, ValueType } from '../runtime/metadata.ts';
import { functionImports, functionName, readOutline } from './binary/module.ts';
import type { Outline } from './binary/module.ts';
import { maySuspend } from './binary/analysis.ts';
import type { Analysis } from './binary/analysis.ts';
import { guarded } from './binaryen.ts';
import type { Binaryen, BinaryenModule, PassArgument } from './binaryen.ts';
import { chooseFeatures } from './features.ts';
import type { Allocator, ShadowStack } from './guest.ts';
import { enumerate } from './lists.ts';
import type { Settings } from './options.ts';
import { addAllocator } from './passes/allocator.ts';
import { addCatchDepth } from './passes/catch-depth.ts';
import { OUT_OF_LINE, addSegments } from './passes/segments.ts';
import { addStackAccessors, addStackCheck } from './passes/stack-pointer.ts';
import { START_EXPORT, withoutStart } from './passes/start.ts';
import { hideTailCalls } from './passes/tail-calls.ts';
import { referenceSuspects, unsupported } from './refuse.ts';
import { attachLocations, completeSourceMap } from './source-map.ts';
import type { SourceMap } from './source-map.ts';
import { Walker } from './walk.ts';

/** All that is known of a module when its rewriting begins. */
export interface Plan {
  readonly outline: Outline;
  readonly analysis: Analysis;
  readonly settings: Settings;
  /** SHA-256 of the input, hexadecimal. */
  readonly source: string;
  /** Function indices. */
  readonly suspending: ReadonlySet<number>;
  readonly instrumented: ReadonlySet<number>;
  readonly added: ReadonlySet<number>;
  readonly removed: ReadonlySet<number>;
  readonly stack: ShadowStack | null;
  readonly allocator: Allocator;
  /** Index of each global that is each fiber's own, by the name it was given. */
  readonly fiberGlobals: ReadonlyMap<string, number>;
  readonly sourceMap: SourceMap | null;
}

export interface Rewritten {
  readonly wasm: Uint8Array;
  readonly sourceMap: string | null;
  readonly metadata: Metadata;
  /** How many functions save and restore frames. */
  readonly instrumented: number;
}

/** Custom sections that would describe the module as it was, or that Binaryen writes itself. */
function isStale(name: string): boolean {
  return (
    name.startsWith('.debug_') ||
    name.startsWith('reloc.') ||
    ['sourceMappingURL', 'external_debug_info', 'build_id'].includes(name)
  );
}

export function rewrite(binaryen: Binaryen, plan: Plan): Rewritten {
  let doing = 'reading the module';
  const phase = (now: Parameters<Settings['onProgress']>[0], description: string): void => {
    doing = description;
    plan.settings.onProgress(now);
  };
  return guarded(
    binaryen,
    () => doing,
    () => {
      phase('reading', 'reading the module');
      const module = read(binaryen, plan);
      try {
        return new Rewriter(binaryen, plan, module, phase).run();
      } finally {
        module.dispose();
      }
    },
  );
}

function read(binaryen: Binaryen, plan: Plan): BinaryenModule {
  const bytes = withoutStaleSections(plan.outline, withoutStart(plan.outline));
  const features = chooseFeatures(binaryen, plan.outline, plan.analysis);
  const module = binaryen.readBinary(bytes, features);
  // Reading adds what the target_features section says, which may be more than engines have.
  module.setFeatures(features);
  if (isValid(module)) return module;
  module.dispose();
  throw unsupported(
    'Binaryen does not accept this module as valid, with any set of features that engines have. If engines do accept it, it uses a proposal that Binaryen does not know.',
  );
}

function isValid(module: BinaryenModule): boolean {
  return module.validate() === 1;
}

/** Sections that would be wrong afterwards are overwritten by custom sections without a name, in place. */
function withoutStaleSections(outline: Outline, bytes: Uint8Array): Uint8Array {
  const stale = outline.sections.filter((each) => each.id === 0 && isStale(each.name));
  if (stale.length === 0) return bytes;
  // They stand behind the code section, so removing them moves no offset that a source map speaks of.
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const section of stale) {
    parts.push(bytes.subarray(from, section.start));
    from = section.end;
  }
  parts.push(bytes.subarray(from));
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

class Rewriter {
  readonly #binaryen: Binaryen;
  readonly #plan: Plan;
  readonly #module: BinaryenModule;
  readonly #walker: Walker;
  readonly #phase: (now: Parameters<Settings['onProgress']>[0], description: string) => void;
  /** Binaryen's name of every function, by index in the source. */
  readonly #names: readonly string[];

  constructor(
    binaryen: Binaryen,
    plan: Plan,
    module: BinaryenModule,
    phase: (now: Parameters<Settings['onProgress']>[0], description: string) => void,
  ) {
    this.#binaryen = binaryen;
    this.#plan = plan;
    this.#module = module;
    this.#phase = phase;
    this.#walker = new Walker(binaryen);
    const { raw } = this.#walker;
    this.#names = plan.outline.functionTypes.map((_, index) => raw.functionName(module.getFunctionByIndex(index)));
  }

  run(): Rewritten {
    const { settings, outline } = this.#plan;
    this.#phase('preparing', 'preparing the module');
    this.#flattenOpaque();
    if (this.#plan.sourceMap !== null) attachLocations(this.#walker, this.#module, outline, this.#plan.sourceMap);
    const memoryAdded = this.#exposeMemory();
    this.#exposeGuest(memoryAdded);
    const catchDepth = this.#addCatchDepth();
    this.#exposeStart();

    this.#phase('instrumenting', 'running Asyncify');
    this.#runAsyncify();
    const segments = addSegments(this.#walker, this.#module);

    if (settings.optimizeLevel > 0 || settings.shrinkLevel > 0) {
      this.#phase('optimising', 'optimising the instrumented module');
      this.#optimise();
    }
    const metadata = this.#metadata(segments.largestFrame, catchDepth);
    this.#module.addCustomSection(SECTION, new TextEncoder().encode(JSON.stringify(metadata)));

    this.#phase('writing', 'writing the instrumented module');
    return { ...this.#emit(), metadata, instrumented: segments.instrumented.length };
  }

  /**
   * Operands of a few rare instructions are not shown by Binaryen's C interface. In flat form they are locals and
   * constants, so that nothing that a pass looks for can hide in them.
   */
  #flattenOpaque(): void {
    const tables = new Set(['TryTable']);
    for (const func of this.#walker.functions(this.#module)) {
      const tree = this.#walker.tree(func);
      if (!tree.opaque) continue;
      // Binaryen cannot flatten a try_table, and none is in a function that may wait.
      const ids = new Set([...tables].map((kind) => this.#walker.raw.id(kind)));
      if (tree.ids.some((id) => ids.has(id))) continue;
      this.#module.runPassesOnFunction(this.#walker.raw.functionName(func), ['flatten']);
    }
  }

  /** Sees to it that there is a memory and that the host can reach it. Returns whether one had to be added. */
  #exposeMemory(): boolean {
    const { outline } = this.#plan;
    if (!this.#module.hasMemory()) {
      this.#module.setMemory(1, 65_536, 'wasm-fibers.memory');
      return true;
    }
    if (outline.importedMemories === 0 && !outline.exports.some((each) => each.kind === 'memory')) {
      this.#module.addMemoryExport(outline.names.memories.get(0) ?? '0', 'wasm-fibers.memory');
    }
    return false;
  }

  #exposeGuest(memoryAdded: boolean): void {
    const { stack, allocator, fiberGlobals } = this.#plan;
    const { raw } = this.#walker;
    if (stack !== null) {
      const pointer = raw.globalName(this.#module, stack.pointer);
      const checked = stack.kind === 'llvm';
      if (checked) addStackCheck(this.#walker, this.#module, pointer);
      addStackAccessors(this.#walker, this.#module, pointer, checked);
    }
    if (allocator?.kind === 'functions' && !memoryAdded) {
      addAllocator(this.#walker, this.#module, allocator, (index) => this.#name(index));
    }
    for (const [name, index] of fiberGlobals) {
      this.#module.addGlobalExport(raw.globalName(this.#module, index), `wasm-fibers.global.${name}`);
    }
  }

  #addCatchDepth(): boolean {
    const { analysis, instrumented, suspending, outline } = this.#plan;
    if (
      !analysis.functions.some((each, offset) => each.legacyTry && instrumented.has(outline.importedFunctions + offset))
    )
      return false;
    const reaching = new Set([...suspending, ...instrumented].map((index) => this.#name(index)));
    addCatchDepth(this.#walker, this.#module, (name) => reaching.has(name));
    return true;
  }

  #exposeStart(): void {
    const { start } = this.#plan.outline;
    if (start !== null) this.#module.addFunctionExport(this.#name(start), START_EXPORT);
  }

  #name(index: number): string {
    const name = this.#names[index];
    if (name === undefined) throw new FiberError('INTERNAL', `There is no function ${index} in this module.`);
    return name;
  }

  #runAsyncify(): void {
    const { settings, instrumented } = this.#plan;
    const argument = (key: PassArgument, value: string): void => this.#binaryen.setPassArgument(key, value);
    const { outline, suspending } = this.#plan;
    const imports = functionImports(outline);
    const listed = [...suspending].map((index) => {
      const each = imports[index];
      return each === undefined ? '' : `${each.module}.${each.name}`;
    });
    argument('asyncify-imports', lines(listed));
    if (settings.ignoreIndirect) argument('asyncify-ignore-indirect', '1');
    const named = (wanted: ReadonlySet<number>): string => lines([...wanted].map((index) => this.#name(index)));
    if (settings.only.length > 0) argument('asyncify-onlylist', named(instrumented));
    if (settings.add.length > 0) {
      argument('asyncify-addlist', named(this.#plan.added));
      argument('asyncify-propagate-addlist', '1');
    }
    if (settings.remove.length > 0) argument('asyncify-removelist', named(this.#plan.removed));
    if (settings.asserts) argument('asyncify-asserts', '1');
    this.#binaryen.setOptimizeLevel(ASYNCIFY_LEVEL);
    this.#binaryen.setShrinkLevel(0);
    const hasTailCalls = this.#plan.analysis.functions.some((each) => each.tailCalls);
    const restore = hasTailCalls ? hideTailCalls(this.#walker, this.#module) : null;
    try {
      this.#module.runPasses(['asyncify']);
    } catch (error) {
      this.#explainReferences(error);
      throw error;
    }
    restore?.();
  }

  /** Binaryen throws an empty exception for a reference alive across a suspension: finds the functions at fault. */
  #explainReferences(error: unknown): void {
    const { outline, analysis, instrumented } = this.#plan;
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) return;
    const suspects = referenceSuspects(outline, analysis, instrumented);
    const guilty = suspects.length === 1 ? suspects : suspects.slice(0, 64).filter((index) => this.#failsAlone(index));
    if (guilty.length === 0) return;
    const names = guilty.map((index) => `"${functionName(outline, index)}"`);
    const subject =
      names.length === 1 ? `The function ${names[0] ?? ''} keeps` : `The functions ${enumerate(names, 3)} keep`;
    throw unsupported(
      `${subject} a reference (externref, funcref or a GC type) alive across a call that may suspend; such values cannot be written into memory. ` +
        'Keep it in a table or a global across the call, and a number in the function.',
    );
  }

  #failsAlone(index: number): boolean {
    const module = read(this.#binaryen, this.#plan);
    try {
      this.#binaryen.setPassArgument('asyncify-addlist', null);
      this.#binaryen.setPassArgument('asyncify-removelist', null);
      this.#binaryen.setPassArgument('asyncify-onlylist', lines([this.#name(index)]));
      module.runPasses(['asyncify']);
      return false;
    } catch {
      return true;
    }
  }

  #optimise(): void {
    const { settings } = this.#plan;
    for (const pattern of [OUT_OF_LINE, ...this.#leftOut()]) {
      this.#binaryen.setPassArgument('no-inline', pattern);
      this.#module.runPasses(['no-inline']);
    }
    this.#binaryen.setOptimizeLevel(settings.optimizeLevel);
    this.#binaryen.setShrinkLevel(settings.shrinkLevel);
    this.#module.optimize();
  }

  /** Functions that trap if something below them suspends; they stay out of line, so that the trap has their name. */
  #leftOut(): string[] {
    const { outline, analysis, settings, suspending, instrumented } = this.#plan;
    if (!settings.asserts) return [];
    const names = [...maySuspend(outline, analysis, suspending, false)]
      .filter((index) => !instrumented.has(index))
      .map((index) => this.#name(index));
    return names.length <= MAX_OUT_OF_LINE ? names : [];
  }

  #metadata(largestFrame: number, catchDepth: boolean): Metadata {
    const { outline, settings, suspending, stack, allocator, source, fiberGlobals } = this.#plan;
    const { only, add, remove, ignoreIndirect, asserts, optimizeLevel, shrinkLevel } = settings;
    return {
      version: FORMAT_VERSION,
      target: 'asyncify',
      source,
      imports: functionImports(outline).map((each, index): ImportSignature => ({
        module: each.module,
        name: each.name,
        params: (each.type?.params ?? []) as readonly ValueType[],
        results: (each.type?.results ?? []) as readonly ValueType[],
        suspending: suspending.has(index),
      })),
      largestFrame,
      stack:
        stack === null ? null : stack.kind === 'llvm' ? { kind: 'llvm', low: stack.low } : { kind: 'assemblyscript' },
      allocator: describeAllocator(allocator),
      start: outline.start !== null,
      catchDepth,
      globals: [...fiberGlobals.keys()].map((name) => `wasm-fibers.global.${name}`),
      options: {
        optimizeLevel,
        shrinkLevel,
        suspending: settings.suspending,
        only,
        add,
        remove,
        ignoreIndirect,
        asserts,
      },
    };
  }

  #emit(): { wasm: Uint8Array; sourceMap: string | null } {
    const { settings, outline, sourceMap } = this.#plan;
    if (!isValid(this.#module)) {
      throw new FiberError(
        'INTERNAL',
        'The instrumented module is not valid: this is a bug in wasm-fibers or Binaryen.',
      );
    }
    const named = outline.names.functions.size > 0;
    const keepsNames = (settings.debugNames && named) || settings.asserts;
    this.#binaryen.setDebugInfo(keepsNames);
    if (sourceMap === null) return { wasm: this.#module.emitBinary(), sourceMap: null };
    // Without an address Binaryen writes no map.
    const { binary, sourceMap: text } = this.#module.emitBinary(settings.sourceMapUrl ?? 'none');
    const wasm = settings.sourceMapUrl === null ? withoutStaleSections(readOutline(binary), binary) : binary;
    if (text === null) return { wasm, sourceMap: null };
    const names = named && !keepsNames ? this.#functionNames() : new Map<number, string>();
    return { wasm, sourceMap: completeSourceMap(text, sourceMap, names) };
  }

  /** By index in the module that is written: Binaryen puts imports first. */
  #functionNames(): Map<number, string> {
    const { raw } = this.#walker;
    const own = [...this.#walker.functions(this.#module)];
    const imported = this.#module.getNumFunctions() - own.length;
    return new Map(own.map((func, index) => [imported + index, raw.functionName(func)]));
  }
}

/**
 * Asyncify's own clean-up runs at this level whatever is asked for: below 1 frames are eight times as large and big functions
 * overflow the engine's stack; above, passes may rewrite the shapes that segments.ts looks for, for nothing measurable.
 */
const ASYNCIFY_LEVEL = 1;

/** With more functions than this, keeping them out of line would cost more time than their exact names are worth. */
const MAX_OUT_OF_LINE = 500;

/** A list for a pass argument. With a line break at its end the names in it may contain commas and brackets. */
function lines(names: readonly string[]): string {
  return `${names.join('\n')}\n`;
}

function describeAllocator(allocator: Allocator): Metadata['allocator'] {
  if (allocator === null || allocator.kind === 'grow') return allocator;
  const plain = allocator.shape === 'plain';
  const name = (exported: string | null | undefined, own: string): string => (plain && exported ? exported : own);
  return {
    kind: 'exports',
    alloc: name(allocator.alloc.exported, 'wasm-fibers.malloc'),
    free: name(allocator.free?.exported, 'wasm-fibers.free'),
  };
}
