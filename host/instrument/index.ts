/**
 * `wasm-fibers/instrument`: rewrites a module ahead of time so that its fibers can suspend, and says what a module is, and which of
 * its functions that costs.
 */
import { loadBinaryen } from './binaryen.ts';
import { asBytes } from './input.ts';
import type { InstrumentOptions } from './options.ts';
import { needsBinaryen } from './pipeline.ts';
import { instrumentPrepared, prepare } from './synchronous.ts';
import type { InstrumentResult } from './synchronous.ts';

export { FiberError } from '../errors.ts';
export type { FiberErrorCode } from '../errors.ts';
export type { Metadata, Target } from '../runtime/metadata.ts';
export { explain } from './explain.ts';
export type { ExplainedCall, ExplainedCut, ExplainedTable, Explanation } from './explain.ts';
export type { Group } from './groups.ts';
export { inspect } from './inspect.ts';
export type { InspectedExport, InspectedImport, Inspection } from './inspect.ts';
export type { InstrumentOptions, Phase } from './options.ts';
export { report } from './report.ts';
export type {
  Amount,
  Report,
  ReportOptions,
  ReportedFunction,
  ReportedImport,
  ReportedIndirect,
  ReportedState,
} from './report.ts';
export type { Place, StudiedFunction, StudyOptions } from './study.ts';
export type { InstrumentResult } from './synchronous.ts';

/**
 * Instruments a module: afterwards every import named in `suspending` may return a promise, and the calls that wait for it
 * are fibers. Takes some 20 to 30 seconds per megabyte; for the target `jspi` a fraction of a second, without Binaryen.
 *
 * @param wasm a core module, not yet instrumented
 * @returns the module, and what was done
 * @throws FiberError `NOT_WASM`, `BAD_MODULE`, `INVALID_OPTION`, `BAD_SOURCE_MAP`, `UNSUPPORTED_FEATURE`, `ALREADY_INSTRUMENTED`,
 * `NO_SUSPENDING_IMPORTS`, `NO_MATCH`, `RESERVED_NAME`, `MISSING_GUEST_PART`, `NO_ALLOCATOR`, `BINARYEN_MISSING`,
 * `BINARYEN_FAILED`, `INTERNAL`
 *
 * @example
 * const { wasm } = await instrument(await readFile('app.wasm'), { suspending: ['env.sleep', 'net.*'] });
 * await writeFile('app.fibers.wasm', wasm);
 */
export async function instrument(wasm: Uint8Array, options: InstrumentOptions): Promise<InstrumentResult> {
  const bytes = asBytes(wasm, 'instrument');
  const prepared = prepare(bytes, options);
  const source = await sha256(bytes);
  const { settings } = prepared;
  const binaryen = needsBinaryen(settings) ? (settings.binaryen ?? (await loadBinaryen())) : null;
  return instrumentPrepared(binaryen, prepared, source);
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
