/**
 * `wasm-fibers/instrument`: rewrites a module ahead of time so that its fibers can suspend, and says what a module is.
 */
import { FiberError } from '../errors.ts';
import type { Metadata } from '../runtime/metadata.ts';
import { analyse } from './binary/analysis.ts';
import { functionImports, readOutline } from './binary/module.ts';
import { loadBinaryen } from './binaryen.ts';
import { ALLOCATOR_REMEDY, findAllocator, findShadowStack, namedGlobal } from './guest.ts';
import { settle } from './options.ts';
import type { InstrumentOptions } from './options.ts';
import { rewrite } from './pipeline.ts';
import { matchFunctions, matchSuspending, refuseFunctions, refuseModule, selectFunctions } from './refuse.ts';
import { parseSourceMap } from './source-map.ts';

export { FiberError } from '../errors.ts';
export type { FiberErrorCode } from '../errors.ts';
export type { Metadata } from '../runtime/metadata.ts';
export { inspect } from './inspect.ts';
export type { InspectedExport, InspectedImport, Inspection } from './inspect.ts';
export type { InstrumentOptions, Phase } from './options.ts';

export interface InstrumentResult {
  /** The instrumented module. */
  readonly wasm: Uint8Array;
  /** Source map of the result, if one of the input was given. */
  readonly sourceMap: string | null;
  /** What was written into the custom section. */
  readonly metadata: Metadata;
  /** Suspending imports, `module.name`. */
  readonly suspending: readonly string[];
  /** How many of the module's own functions there are, and how many can now be suspended. */
  readonly functions: { readonly total: number; readonly instrumented: number };
  /** Bytes. */
  readonly size: { readonly before: number; readonly after: number };
  /** What is worth knowing and does not keep the module from working; sentences. */
  readonly warnings: readonly string[];
}

/**
 * Instruments a module: afterwards every import named in `suspending` may return a promise, and the calls that wait for it
 * are fibers. Takes some 20 to 30 seconds per megabyte.
 *
 * @param wasm a core module, not yet instrumented
 * @returns the module, and what was done
 * @throws FiberError `NOT_WASM`, `BAD_MODULE`, `INVALID_OPTION`, `UNSUPPORTED_FEATURE`, `ALREADY_INSTRUMENTED`,
 * `NO_SUSPENDING_IMPORTS`, `NO_MATCH`, `RESERVED_NAME`, `MISSING_GUEST_PART`, `NO_ALLOCATOR`, `BINARYEN_MISSING`,
 * `BINARYEN_FAILED`, `INTERNAL`
 *
 * @example
 * const { wasm } = await instrument(await readFile('app.wasm'), { suspending: ['env.sleep', 'net.*'] });
 * await writeFile('app.fibers.wasm', wasm);
 */
export async function instrument(wasm: Uint8Array, options: InstrumentOptions): Promise<InstrumentResult> {
  const bytes = asBytes(wasm);
  const settings = settle(options);
  const outline = readOutline(bytes);
  refuseModule(outline);
  const suspending = matchSuspending(outline, settings.suspending);
  const analysis = analyse(outline);
  const instrumented = selectFunctions(outline, analysis, suspending, settings);
  refuseFunctions(outline, analysis, suspending, instrumented, settings.asserts);
  const stack = findShadowStack(outline, analysis, settings);
  const allocator = findAllocator(outline, analysis, settings, stack);
  const fiberGlobals = new Map(settings.fiberGlobals.map((name) => [name, namedGlobal(outline, name, 'fiberGlobals')]));
  const sourceMap = settings.sourceMap === null ? null : parseSourceMap(settings.sourceMap);
  const source = await sha256(bytes);
  const binaryen = settings.binaryen ?? (await loadBinaryen());
  const rewritten = rewrite(binaryen, {
    outline,
    analysis,
    settings,
    source,
    suspending,
    instrumented,
    added: matchFunctions(outline, settings.add, 'add'),
    removed: matchFunctions(outline, settings.remove, 'remove'),
    stack,
    allocator,
    fiberGlobals,
    sourceMap,
  });
  const warnings: string[] = [];
  if (allocator === null && stack?.kind === 'llvm') {
    warnings.push(
      `No allocator was found, so fibers of this guest run one at a time (a second one fails with NO_ALLOCATOR). ${ALLOCATOR_REMEDY}`,
    );
  }
  if (rewritten.instrumented === 0) {
    warnings.push(
      'No function calls a suspending import, directly or indirectly: the module will never suspend. Is the import the right one?',
    );
  }
  if (outline.sections.some((each) => each.name.startsWith('.debug_'))) {
    warnings.push(
      'The DWARF debug information was dropped: it would describe the code as it was. Use a source map instead.',
    );
  }
  const imports = functionImports(outline);
  return {
    wasm: rewritten.wasm,
    sourceMap: rewritten.sourceMap,
    metadata: rewritten.metadata,
    suspending: imports.filter((_, index) => suspending.has(index)).map((each) => `${each.module}.${each.name}`),
    functions: { total: outline.bodies.length, instrumented: rewritten.instrumented },
    size: { before: bytes.length, after: rewritten.wasm.length },
    warnings,
  };
}

function asBytes(wasm: unknown): Uint8Array {
  if (wasm instanceof Uint8Array) return new Uint8Array(wasm.buffer, wasm.byteOffset, wasm.byteLength);
  if (wasm instanceof ArrayBuffer) return new Uint8Array(wasm);
  const what =
    typeof wasm === 'string' ? 'a string (of a path or of the text format?)' : wasm === null ? 'null' : typeof wasm;
  throw new FiberError('NOT_WASM', `instrument() takes the bytes of a module as a Uint8Array, not ${what}.`);
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
