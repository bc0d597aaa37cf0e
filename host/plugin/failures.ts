/**
 * Failures of a plugin as its embedder gets them: always an error object, with the plugin's name and version on it, the guest's
 * frames mapped to its source where there is a map, and with the name of the limit where the runtime has an error of its own for
 * one.
 */
import { FiberError, type FiberErrorCode } from '../errors.ts';
import { type SourceMap, mapError } from '../source-maps/index.ts';
import { type PluginLimits, limitReached } from './limits.ts';

/** Who failed. */
export interface PluginIdentity {
  readonly name: string;
  readonly version: string;
}

/** Errors of the runtime that are limits of a plugin. */
const LIMITS: Partial<Record<FiberErrorCode, keyof PluginLimits>> = {
  MAX_FIBERS: 'fibers',
  SHADOW_STACK_OVERFLOW: 'stackSize',
};

export function failureOf(error: unknown, identity: PluginIdentity, map: SourceMap | null): Error {
  const failure = asError(asLimit(error));
  if (map !== null) mapError(failure, map);
  try {
    // An error of the embedder's own may pass through several plugins; the last one counts.
    Object.defineProperty(failure, 'plugin', {
      value: identity,
      configurable: true,
      writable: true,
      enumerable: false,
    });
    return failure;
  } catch {
    // Frozen.
    return failureOf(notAnError(failure), identity, null);
  }
}

function asLimit(error: unknown): unknown {
  if (!(error instanceof FiberError)) return error;
  // Compiled in as the table's.
  const limit = error.limit === 'table' ? 'tableElements' : LIMITS[error.code];
  return limit === undefined ? error : limitReached(limit, error.message, error);
}

/** An exception of the guest's own that nobody caught is no `Error` to the platform, but as good as one. */
function asError(value: unknown): Error {
  try {
    if (value instanceof Error) return value;
    const { Exception } = WebAssembly as { Exception?: abstract new (...args: never[]) => object };
    if (Exception !== undefined && value instanceof Exception) return value as Error;
  } catch {
    // A proxy, whose prototype cannot be asked for.
  }
  return notAnError(value);
}

function notAnError(cause: unknown): FiberError {
  return new FiberError(
    'HOST_FUNCTION_FAILED',
    'A host function that the plugin called threw what is no error, or a frozen one. It is the cause of this error; throw an Error.',
    { cause },
  );
}
