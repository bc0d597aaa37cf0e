/**
 * Instrumentation without waiting, for those that cannot: asc asks for the module's bytes in the middle of a synchronous
 * function. What is asynchronous about `instrument` is only what it needs from outside: Binaryen and a digest.
 */
import { METER } from '../runtime/metadata.ts';
import type { Metadata } from '../runtime/metadata.ts';
import { analyse } from './binary/analysis.ts';
import type { Analysis } from './binary/analysis.ts';
import { CallGraph } from './binary/call-graph.ts';
import { functionImports, readOutline } from './binary/module.ts';
import type { Outline } from './binary/module.ts';
import type { Binaryen } from './binaryen.ts';
import { ALLOCATOR_REMEDY, findAllocator, findShadowStack, namedGlobal } from './guest.ts';
import { meter } from './metering/meter.ts';
import { settle } from './options.ts';
import type { InstrumentOptions, Settings } from './options.ts';
import { rewrite } from './pipeline.ts';
import type { Plan } from './plan.ts';
import { matchSuspending, refuseCode, refuseForAsyncify, refuseModule } from './refuse.ts';
import { selectFunctions, watchedFunctions } from './select.ts';
import type { Selection } from './select.ts';
import { parseSourceMap } from './source-map.ts';

export interface InstrumentResult {
  /** The instrumented module. */
  readonly wasm: Uint8Array;
  /** Source map of the result, if one of the input was given. */
  readonly sourceMap: string | null;
  /** What was written into the custom section. */
  readonly metadata: Metadata;
  /** Suspending imports, `module.name`. */
  readonly suspending: readonly string[];
  /** How many of the module's own functions there are, and how many may now be on the stack at a suspension. */
  readonly functions: { readonly total: number; readonly instrumented: number };
  /** Bytes. */
  readonly size: { readonly before: number; readonly after: number };
  /** What is worth knowing and does not keep the module from working; sentences. */
  readonly warnings: readonly string[];
}

/** A module of which everything that can be refused without Binaryen has been. */
export interface Prepared {
  readonly bytes: Uint8Array;
  readonly outline: Outline;
  readonly analysis: Analysis;
  readonly settings: Settings;
  readonly plan: Omit<Plan, 'source'>;
}

/**
 * @param allowNone is a module without any suspending import fine? Nothing of it will be instrumented then, but it is a
 * guest all the same
 */
export function prepare(bytes: Uint8Array, options: InstrumentOptions, allowNone = false): Prepared {
  const settings = settle(options);
  const given = readOutline(bytes);
  refuseModule(given);
  const mayHaveNone = allowNone || settings.metered;
  const suspending =
    mayHaveNone && settings.suspending.length === 0 ? new Set<number>() : matchSuspending(given, settings.suspending);
  let analysis = analyse(given);
  refuseCode(given, analysis);
  let outline = given;
  let ofFibers: ReadonlyMap<string, number> = new Map();
  let sourceMap = settings.sourceMap === null ? null : parseSourceMap(settings.sourceMap);
  if (settings.metered) {
    const metered = meter(given, settings.limits, sourceMap);
    ({ outline, sourceMap, fiberGlobals: ofFibers } = metered);
    suspending.add(metered.slice);
    analysis = analyse(outline);
  }
  const graph = new CallGraph(outline, analysis);
  const selection = functionsToSuspend(graph, suspending, settings);
  const stack = findShadowStack(outline, analysis, settings);
  // On the engine's own stacks only the regions of shadow stacks take memory of the guest.
  const needsMemory = settings.target === 'asyncify' || stack?.kind === 'llvm' || settings.allocator !== 'auto';
  const allocator = needsMemory ? findAllocator(outline, analysis, settings, stack) : null;
  const named = settings.fiberGlobals.map((name) => [name, namedGlobal(given, name, 'fiberGlobals')] as const);
  const fiberGlobals = new Map([...named, ...ofFibers]);
  const plan = {
    outline,
    analysis,
    graph,
    settings,
    suspending,
    selection,
    stack,
    allocator,
    fiberGlobals,
    sourceMap,
  };
  return { bytes, outline, analysis, settings, plan };
}

function functionsToSuspend(graph: CallGraph, suspending: ReadonlySet<number>, settings: Settings): Selection {
  if (settings.target === 'jspi') {
    const { causes } = graph.reach(suspending, { references: true });
    return { instrumented: new Set(causes.keys()), added: new Set(), removed: new Set(), handlingOf: () => 'seen' };
  }
  const selection = selectFunctions(graph, suspending, settings);
  const watched = watchedFunctions(graph, selection);
  refuseForAsyncify(graph, suspending, selection.instrumented, settings, watched);
  return selection;
}

/**
 * @param binaryen may be null where it is not needed, see `needsBinaryen`
 * @param source SHA-256 of the bytes, hexadecimal
 */
export function instrumentPrepared(binaryen: Binaryen | null, prepared: Prepared, source: string): InstrumentResult {
  const { bytes, outline, plan } = prepared;
  const rewritten = rewrite(binaryen, { ...plan, source });
  const warnings: string[] = [];
  if (plan.allocator === null && plan.stack?.kind === 'llvm') {
    warnings.push(
      `No allocator was found, so fibers of this guest run one at a time (a second one fails with NO_ALLOCATOR). ${ALLOCATOR_REMEDY}`,
    );
  }
  if (rewritten.instrumented === 0 && plan.suspending.size > 0) {
    warnings.push(
      'No function calls a suspending import, directly or indirectly: the module will never suspend. Is the import the right one?',
    );
  }
  if (outline.sections.some((each) => each.name.startsWith('.debug_'))) {
    warnings.push(
      'The DWARF debug information was dropped: it would describe the code as it was. Use a source map instead.',
    );
  }
  const imports = functionImports(outline).filter(({ module }) => module !== METER);
  return {
    wasm: rewritten.wasm,
    sourceMap: rewritten.sourceMap,
    metadata: rewritten.metadata,
    suspending: imports.filter((_, index) => plan.suspending.has(index)).map((each) => `${each.module}.${each.name}`),
    functions: { total: outline.bodies.length, instrumented: rewritten.instrumented },
    size: { before: bytes.length, after: rewritten.wasm.length },
    warnings,
  };
}

/**
 * `instrument` at once.
 *
 * @param options with the instance of Binaryen to use
 * @param sha256 hexadecimal
 * @param allowNone see `prepare`
 */
export function instrumentSync(
  wasm: Uint8Array,
  options: InstrumentOptions & { readonly binaryen: Binaryen },
  sha256: (bytes: Uint8Array) => string,
  allowNone = false,
): InstrumentResult {
  return instrumentPrepared(options.binaryen, prepare(wasm, options, allowNone), sha256(wasm));
}
