/** Which backend runs a guest: what the engine has, what the module was made for, and what the embedder wants. */
import type { BackendKind } from '../backends/backend.ts';
import { engineName, type StackSwitching, stackSwitching } from '../backends/engine.ts';
import { isRepeatable } from '../backends/trampolines.ts';
import { ignore, isThenable } from '../backends/thenable.ts';
import { FiberError } from '../errors.ts';
import type { Imports, ImportValue, Source, SourcePair } from './api.ts';
import type { Metadata } from './metadata.ts';
import { isMarkedSuspending } from './suspending.ts';

const NAMES = { asyncify: 'Asyncify', jspi: 'JSPI' } as const;

export type Wanted = 'auto' | BackendKind;

/**
 * Takes one of a pair. JSPI cannot pass plain trampolines, so imports that have one need Asyncify.
 *
 * @returns the source, and the backend that it must be for; null for a source that is no pair
 */
export function pickSource(
  source: Source | SourcePair | PromiseLike<Source>,
  imports: Imports,
  wanted: Wanted,
): { readonly source: Source | PromiseLike<Source>; readonly kind: BackendKind | null } {
  if (!isPair(source)) return { source, kind: null };
  for (const kind of ['asyncify', 'jspi'] as const) {
    const member: unknown = source[kind];
    if (typeof member !== 'object' || member === null) {
      throw new FiberError(
        'INVALID_OPTION',
        `The pair needs a source as ${kind}; it has ${member === undefined ? 'none' : String(member)} (given: ${Object.keys(source).join(', ')}).`,
      );
    }
    // The one that is not taken fails nobody.
    if (isThenable(member)) ignore(member);
  }
  const kind =
    wanted !== 'auto' ? wanted : stackSwitching() !== null && !some(imports, isTrampoline) ? 'jspi' : 'asyncify';
  return { source: source[kind], kind };
}

/** What is neither is refused where it is read. */
function isPair(source: Source | SourcePair | PromiseLike<Source>): source is SourcePair {
  return typeof source === 'object' && source !== null && ('asyncify' in source || 'jspi' in source);
}

/**
 * @param given what the embedder says the module is for; null if nothing
 * @returns the engine's stack switching for JSPI, null for Asyncify
 * @throws FiberError `BACKEND_UNAVAILABLE`
 */
export function chooseBackend(
  wanted: Wanted,
  given: BackendKind | null,
  metadata: Metadata | null,
  imports: Imports,
): StackSwitching | null {
  const engine = stackSwitching();
  const target = metadata?.target ?? null;
  const kind =
    given ??
    (wanted === 'auto' ? null : wanted) ??
    target ??
    (engine !== null && some(imports, isMarkedSuspending) ? 'jspi' : 'asyncify');
  const leaveOut = 'Leave out the option backend, or ';
  if (kind === 'jspi' && engine === null) {
    const both = 'instrument the module with --target both, and give instantiate the pair { asyncify, jspi }.';
    throw unavailable(
      `${engineName()} has no JSPI${target === 'jspi' && given === null ? `, for which the module was instrumented: ${both}` : `. ${leaveOut}${given === null ? both : 'run this on an engine that has it.'}`}`,
    );
  }
  if (target !== null && target !== kind) {
    throw unavailable(
      given !== null
        ? `The member ${given} of the pair was instrumented for ${NAMES[target]} (${engineName()} needs it for ${NAMES[kind]}). Is the pair the other way round? Give there what --target ${kind} makes of the module.`
        : `The module was instrumented for ${NAMES[target]} and cannot run on ${NAMES[kind]} (${engineName()}). ${target === 'asyncify' || engine !== null ? `${leaveOut}instrument` : 'Instrument'} the original module with --target ${kind}.`,
    );
  }
  return kind === 'jspi' ? engine : null;
}

function unavailable(message: string): FiberError {
  return new FiberError('BACKEND_UNAVAILABLE', message);
}

function isTrampoline(value: ImportValue, path: string): boolean {
  return typeof value === 'function' && isRepeatable(value, path);
}

function some(imports: Imports, is: (value: ImportValue, path: string) => boolean): boolean {
  return Object.entries(imports).some(([from, members]) =>
    Object.entries(members ?? {}).some(([name, value]) => is(value, `${from}.${name}`)),
  );
}
