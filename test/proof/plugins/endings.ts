/** How the calls of a random plugin may end. */
import { FiberError } from 'wasm-fibers/plugin';
import { Refusal } from './host.ts';

/** Errors that a plugin's calls may end with. Any other is a fault of the library. */
const CODES: ReadonlySet<string> = new Set([
  'CANCELLED',
  'CORRUPT_FRAMES',
  'CORRUPT_VALUE',
  'DEADLOCK',
  'DISPOSED',
  'DEPTH_LIMIT',
  'GUEST_POISONED',
  'HOST_FUNCTION_FAILED',
  'INVALID_OPTION',
  'LIMIT_REACHED',
  'NO_SUCH_EXPORT',
  'OUT_OF_FUEL',
  'OUT_OF_MEMORY',
  'STACK_OVERFLOW',
  'SUSPEND_IN_CATCH',
  'SUSPEND_IN_SYNC_CALL',
  'TIMEOUT',
]);

/** Why a plugin may not be loaded: its module is random. */
export const NOT_LOADED: ReadonlySet<string> = new Set([
  ...CODES,
  'BAD_MODULE',
  'MISSING_IMPORTS',
  'NO_ALLOCATOR',
  'UNSUPPORTED_FEATURE',
]);

/** @returns how a call has ended; what begins with an exclamation mark must not happen */
export function outcomeOf(error: unknown): string {
  if (error instanceof FiberError) return CODES.has(error.code) ? error.code : `!failed with ${describe(error)}`;
  if (error instanceof Refusal) return 'an error of the host';
  return isGuests(error) ? 'an error of the guest' : `!failed with ${describe(error)}`;
}

/** What engines say of a value that cannot be what the guest expects. Any other TypeError is a fault of the library. */
const CONVERSION = /^(?:Cannot (?:convert|mix) |type incompatibility when transforming )/;

/** Traps; exceptions of the guest's own; the end of the stack; values that it cannot take. */
export function isGuests(error: unknown): boolean {
  const { Exception } = WebAssembly as typeof WebAssembly & { readonly Exception?: new () => object };
  return (
    error instanceof WebAssembly.RuntimeError ||
    error instanceof RangeError ||
    (error instanceof TypeError && CONVERSION.test(error.message)) ||
    error instanceof Refusal ||
    (Exception !== undefined && error instanceof Exception)
  );
}

export function describe(error: unknown): string {
  if (error instanceof FiberError) return `${error.code}: ${error.stack ?? error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
