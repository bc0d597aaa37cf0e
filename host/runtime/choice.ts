/** Which backend runs a guest: what the engine has, what the module was made for, and what the embedder wants. */
import type { BackendKind } from '../backends/backend.ts';
import { engineName, type StackSwitching, stackSwitching } from '../backends/engine.ts';
import { isRepeatable } from '../backends/trampolines.ts';
import { FiberError } from '../errors.ts';
import type { Imports, ImportValue, Source, SourcePair } from './api.ts';
import type { Metadata } from './metadata.ts';
import { isMarkedSuspending } from './suspending.ts';

const NAMES = { asyncify: 'Asyncify', jspi: 'JSPI' } as const;

export type Wanted = 'auto' | BackendKind;

/**
 * Takes one of a pair, without touching the other. JSPI cannot pass plain trampolines, so imports that have one need
 * Asyncify.
 *
 * @returns the source, and the backend that it must be for; null for a source that is no pair
 */
export function pickSource(
  source: Source | SourcePair | PromiseLike<Source>,
  imports: Imports,
  wanted: Wanted,
): { readonly source: Source | PromiseLike<Source>; readonly kind: BackendKind | null } {
  if (!isPair(source)) return { source, kind: null };
  const kind =
    wanted !== 'auto' ? wanted : stackSwitching() !== null && !some(imports, isTrampoline) ? 'jspi' : 'asyncify';
  return { source: source[kind], kind };
}

function isPair(source: Source | SourcePair | PromiseLike<Source>): source is SourcePair {
  const prototype: unknown = typeof source === 'object' && source !== null ? Object.getPrototypeOf(source) : undefined;
  if (prototype !== Object.prototype && prototype !== null) return false;
  const pair = source as Partial<SourcePair>;
  if (pair.asyncify !== undefined && pair.jspi !== undefined) return true;
  throw new FiberError(
    'INVALID_OPTION',
    `instantiate takes a source, or a pair { asyncify: source, jspi: source }; this object has ${Object.keys(pair).join(', ') || 'nothing'}.`,
  );
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
  const must = given ?? (wanted === 'auto' ? null : wanted);
  const jspi =
    (must ?? target ?? (engine !== null && some(imports, isMarkedSuspending) ? 'jspi' : 'asyncify')) === 'jspi';
  if (jspi && engine === null) {
    throw unavailable(
      `${engineName()} has no JSPI${target === 'jspi' ? ', for which the module was instrumented' : ''}. Instrument the module with --target asyncify, or with --target both and give instantiate the pair { asyncify, jspi }.`,
    );
  }
  if (target !== null && target !== (jspi ? 'jspi' : 'asyncify')) {
    const kind = jspi ? 'jspi' : 'asyncify';
    throw unavailable(
      `The module was instrumented for ${NAMES[target]} and cannot run on ${NAMES[kind]} (${engineName()}), which ${given === null ? `the option backend asks for. Leave the option out, or` : 'the pair gives it for. Give the pair the other way round, or'} instrument the original module with --target ${kind}.`,
    );
  }
  return jspi ? engine : null;
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
