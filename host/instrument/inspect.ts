/**
 * What a module is, as structured facts: read from its bytes alone, so that it works without Binaryen, at once, and on modules
 * that instrumentation would refuse.
 */
import { FiberError } from '../errors.ts';
import { parseMetadata, SECTION } from '../runtime/metadata.ts';
import type { Metadata, Target } from '../runtime/metadata.ts';
import { analyse } from './binary/analysis.ts';
import type { Analysis } from './binary/analysis.ts';
import { CallGraph } from './binary/call-graph.ts';
import { functionImports, functionName, readOutline } from './binary/module.ts';
import type { ImportKind, Limits, Outline } from './binary/module.ts';
import { Reader } from './binary/reader.ts';
import type { FunctionType } from './binary/types.ts';
import { findAllocator, findShadowStack, isAssemblyScript } from './guest.ts';
import { settle } from './options.ts';
import { hasNames, instrumentedBy, matchSuspending, refuseCode, refuseForAsyncify, refuseModule } from './refuse.ts';

export interface InspectedImport {
  readonly module: string;
  readonly name: string;
  readonly kind: ImportKind;
  /** Of a function. */
  readonly type: FunctionType | null;
  /** Of anything else, as a person reads it. */
  readonly detail: string;
  /** Does the module's metadata say that it may return a promise? `null` if it has none. */
  readonly suspending: boolean | null;
}

export interface InspectedExport {
  readonly name: string;
  readonly kind: ImportKind;
  readonly type: FunctionType | null;
}

export interface Inspection {
  /** `instrumented`: by wasm-fibers; `asyncify`: by another tool; `plain`: not at all. */
  readonly kind: 'plain' | 'instrumented' | 'asyncify';
  /** Bytes. */
  readonly size: number;
  /** The language as far as the module tells, such as `C++`, `Rust`, `AssemblyScript`. */
  readonly language: string | null;
  /** `name version` of each tool in the producers section. */
  readonly producers: readonly string[];
  readonly memories: readonly (Limits & { readonly imported: boolean; readonly exported: readonly string[] })[];
  readonly imports: readonly InspectedImport[];
  readonly exports: readonly InspectedExport[];
  /** Name of the start function. */
  readonly start: string | null;
  /** Number of functions with a body, and whether any of them has a name by which options can mean it. */
  readonly functions: { readonly count: number; readonly named: boolean };
  /** Custom sections by name. */
  readonly customSections: readonly string[];
  /** Features that the module says it uses. */
  readonly features: readonly string[];
  readonly stack: { readonly kind: 'llvm' | 'assemblyscript'; readonly global: string } | null;
  /** The allocator that the runtime would use, as a person reads it. */
  readonly allocator: string | null;
  /** What the instrumenter wrote, the target among it; `null` if it did not. */
  readonly metadata: Metadata | null;
  /** Functions that would be on the stack if every import could suspend. */
  readonly couldSuspend: number;
  /** Why it cannot be instrumented as it is for `asyncify`: one sentence; `null` if nothing is in the way. */
  readonly refusal: string | null;
  /** The same for `jspi`. */
  readonly refusalForJspi: string | null;
  /** What an engine must have that not every one has. */
  readonly needs: readonly string[];
}

/**
 * Says what a module is.
 *
 * @throws FiberError `NOT_WASM` or `BAD_MODULE`; `BAD_METADATA` if its custom section is malformed
 *
 * @example
 * inspect(await readFile('app.wasm')).imports.filter((each) => each.kind === 'function');
 */
export function inspect(wasm: Uint8Array): Inspection {
  const outline = readOutline(wasm);
  const analysis = analyse(outline);
  const graph = new CallGraph(outline, analysis);
  const by = instrumentedBy(outline);
  const section = outline.sections.find((each) => each.id === 0 && each.name === SECTION);
  const metadata = section === undefined ? null : parseMetadata(outline.bytes.subarray(section.body, section.end));
  const producers = readProducers(outline);
  const every = new Set(functionImports(outline).keys());
  const stack = attempt(() => findShadowStack(outline, analysis, DEFAULTS)).value ?? null;
  return {
    kind: by === 'wasm-fibers' ? 'instrumented' : by === 'asyncify' ? 'asyncify' : 'plain',
    size: wasm.length,
    language: guessLanguage(outline, producers),
    producers: producers.map((each) => each.text),
    memories: outline.memories.map((limits, index) => ({
      ...limits,
      imported: index < outline.importedMemories,
      exported: outline.exports
        .filter((each) => each.kind === 'memory' && each.index === index)
        .map((each) => each.name),
    })),
    imports: outline.imports.map((each) => ({ ...each, suspending: isSuspending(metadata, each) })),
    exports: outline.exports.map((each) => ({
      name: each.name,
      kind: each.kind,
      type: each.kind === 'function' ? (outline.types[outline.functionTypes[each.index] ?? -1] ?? null) : null,
    })),
    start: outline.start === null ? null : functionName(outline, outline.start),
    functions: { count: outline.bodies.length, named: hasNames(outline) },
    customSections: outline.sections.filter((each) => each.id === 0).map((each) => each.name),
    features: [...(outline.features ?? [])],
    stack:
      stack === null || metadata?.stack === null
        ? null
        : { kind: stack.kind, global: outline.names.globals.get(stack.pointer) ?? `global ${stack.pointer}` },
    allocator: metadata === null ? describeAllocator(outline, analysis) : writtenAllocator(metadata),
    metadata,
    couldSuspend: graph.reach(every).causes.size,
    refusal: attempt(() => refuse(graph, 'asyncify')).refusal,
    refusalForJspi: attempt(() => refuse(graph, 'jspi')).refusal,
    needs: engineNeeds(outline, analysis, metadata),
  };
}

const DEFAULTS = settle({ suspending: ['*'] });

function refuse(graph: CallGraph, target: Target): void {
  const { outline, analysis } = graph;
  refuseModule(outline);
  const every = matchSuspending(outline, ['*']);
  refuseCode(outline, analysis);
  if (target === 'asyncify') {
    refuseForAsyncify(graph, every, new Set(graph.reach(every).causes.keys()), DEFAULTS);
  }
  const stack = findShadowStack(outline, analysis, DEFAULTS);
  if (target === 'asyncify') findAllocator(outline, analysis, DEFAULTS, stack);
}

function engineNeeds(outline: Outline, analysis: Analysis, metadata: Metadata | null): string[] {
  const needs: readonly (readonly [needed: boolean, what: string])[] = [
    [
      metadata?.target === 'jspi',
      'JavaScript Promise Integration, JSPI (Chrome 137, Firefox 153, Safari 27, Node 24 or later)',
    ],
    [analysis.functions.some((each) => each.tryTable), 'exception handling with try_table'],
    [analysis.functions.some((each) => each.legacyTry), 'legacy exception handling'],
    [analysis.features.has('TailCall'), 'tail calls'],
    [analysis.features.has('GC') || outline.gcTypes || outline.hasGcReferences, 'garbage-collected types'],
    [analysis.features.has('RelaxedSIMD'), 'relaxed SIMD'],
    [outline.memories.some((each) => each.shared), 'shared memory (threads)'],
    [outline.memories.some((each) => each.is64), '64-bit memory'],
    [outline.memories.length > 1, 'several memories'],
    [analysis.functions.some((each) => each.stackSwitching), 'stack switching'],
  ];
  return needs.filter(([needed]) => needed).map(([, what]) => what);
}

/** The result of something that may be refused, or the sentence of the refusal. */
function attempt<T>(work: () => T): { value: T | null; refusal: string | null } {
  try {
    return { value: work(), refusal: null };
  } catch (error) {
    if (error instanceof FiberError) return { value: null, refusal: error.message };
    throw error;
  }
}

function isSuspending(
  metadata: Metadata | null,
  wanted: { module: string; name: string; kind: ImportKind },
): boolean | null {
  if (metadata === null || wanted.kind !== 'function') return null;
  return metadata.imports.some((each) => each.suspending && each.module === wanted.module && each.name === wanted.name);
}

function describeAllocator(outline: Outline, analysis: Analysis): string | null {
  const stack = attempt(() => findShadowStack(outline, analysis, DEFAULTS)).value;
  const { value } = attempt(() => findAllocator(outline, analysis, DEFAULTS, stack));
  if (value === null) return stack?.kind === 'assemblyscript' ? '__fibers_window (compiled in)' : null;
  if (value.kind === 'grow') return 'memory.grow by the host';
  const { alloc, free } = value;
  const show = (each: typeof alloc | null): string =>
    each === null
      ? 'nothing is freed'
      : `${each.exported ?? functionName(outline, each.index)}${each.exported === null ? ' (internal)' : ''}`;
  return `${show(alloc)}, ${show(free)}`;
}

/** What the runtime will use, which the instrumenter has found out once and for all. */
function writtenAllocator({ target, allocator, stack }: Metadata): string | null {
  if (allocator === null && target === 'jspi' && stack?.kind !== 'llvm') return 'none needed';
  if (allocator === null) return stack?.kind === 'assemblyscript' ? '__fibers_window (compiled in)' : null;
  return allocator.kind === 'grow' ? 'memory.grow by the host' : `${allocator.alloc}, ${allocator.free}`;
}

interface Producer {
  readonly field: string;
  readonly name: string;
  readonly text: string;
}

function readProducers(outline: Outline): Producer[] {
  const section = outline.sections.find((each) => each.id === 0 && each.name === 'producers');
  if (section === undefined) return [];
  const reader = new Reader(outline.bytes, section.body, section.end);
  const found: Producer[] = [];
  attempt(() =>
    reader.list(() => {
      const field = reader.name();
      reader.list(() => {
        const name = reader.name();
        found.push({ field, name, text: `${name} ${reader.name()}`.trim() });
      });
    }),
  );
  return found;
}

function guessLanguage(outline: Outline, producers: readonly Producer[]): string | null {
  if (isAssemblyScript(outline)) return 'AssemblyScript';
  const languages = producers.filter((each) => each.field === 'language').map((each) => each.name);
  const known: Readonly<Record<string, string>> = {
    C11: 'C',
    C99: 'C',
    C_plus_plus_14: 'C++',
    C_plus_plus_11: 'C++',
    C_plus_plus_17: 'C++',
  };
  if (languages.length > 0) return [...new Set(languages.map((name) => known[name] ?? name))].join(', ');
  const modules = new Set(outline.imports.map((each) => each.module));
  if (modules.has('go') || modules.has('gojs')) return 'Go';
  if ([...modules].some((name) => name.includes('wbg') || name.includes('wbindgen'))) return 'Rust';
  if (outline.imports.some((each) => each.name.startsWith('emscripten_'))) return 'C or C++ (Emscripten)';
  const names = [...outline.names.functions.values()];
  if (names.some((name) => name.startsWith('__rust_') || name.startsWith('core::'))) return 'Rust';
  if (names.includes('__wasm_call_ctors')) return 'C or C++';
  if (producers.some((each) => each.name === 'clang')) return 'C or C++';
  return null;
}
