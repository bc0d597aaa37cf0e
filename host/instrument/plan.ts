/** What is known of a module when its rewriting begins, and what is known when it has ended. */
import { FORMAT_VERSION } from '../runtime/metadata.ts';
import type { ImportSignature, Metadata, ValueType } from '../runtime/metadata.ts';
import type { Analysis } from './binary/analysis.ts';
import type { CallGraph } from './binary/call-graph.ts';
import { functionImports } from './binary/module.ts';
import type { Outline } from './binary/module.ts';
import type { Allocator, ShadowStack } from './guest.ts';
import type { Settings } from './options.ts';
import type { Selection } from './select.ts';
import type { SourceMap } from './source-map.ts';

export interface Plan {
  readonly outline: Outline;
  readonly analysis: Analysis;
  readonly graph: CallGraph;
  readonly settings: Settings;
  /** SHA-256 of the input, hexadecimal. */
  readonly source: string;
  /** Function indices. */
  readonly suspending: ReadonlySet<number>;
  readonly selection: Selection;
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
  /** How many functions may now be on the stack at a suspension. */
  readonly instrumented: number;
}

/** Says what is being done: for a progress display, and as the end of "Binaryen failed while ...". */
export type Report = (phase: Parameters<Settings['onProgress']>[0], description: string) => void;

/** Do function names stay in the module? */
export function keepsNames({ outline, settings }: Plan): boolean {
  return (settings.debugNames && outline.names.functions.size > 0) || settings.asserts || settings.closedTables;
}

/** What the custom section says. */
export function describe(plan: Plan, frames: Pick<Metadata, 'largestFrame' | 'catchDepth'>): Metadata {
  const { outline, settings, suspending, stack, allocator, source, fiberGlobals } = plan;
  const { fastPath, only, add, remove, ignoreIndirect, closedTables, asserts, ...others } = settings;
  const { target, optimizeLevel, shrinkLevel } = others;
  return {
    version: FORMAT_VERSION,
    target,
    source,
    imports: functionImports(outline).map((each, index): ImportSignature => ({
      module: each.module,
      name: each.name,
      params: (each.type?.params ?? []) as readonly ValueType[],
      results: (each.type?.results ?? []) as readonly ValueType[],
      suspending: suspending.has(index),
    })),
    largestFrame: frames.largestFrame,
    stack:
      stack === null ? null : stack.kind === 'llvm' ? { kind: 'llvm', low: stack.low } : { kind: 'assemblyscript' },
    allocator: describeAllocator(allocator),
    start: outline.start !== null,
    catchDepth: frames.catchDepth,
    globals: [...fiberGlobals.keys()].map((name) => `wasm-fibers.global.${name}`),
    metered: settings.metered,
    options: {
      optimizeLevel,
      shrinkLevel,
      suspending: settings.suspending,
      ...(target === 'jspi' ? {} : { fastPath, only, add, remove, ignoreIndirect, closedTables, asserts }),
    },
  };
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
