/**
 * The one error class of the package. Every failure that is ours has a literal `code`, a sentence that says what
 * happened and to which import, function or file, and what to do about it. What is not ours stays what it is: a
 * guest's trap is a `WebAssembly.RuntimeError`, a host function's rejection is the very object it rejected with.
 */

/** Why an operation failed. docs/errors.md lists each code with its cause and remedy. */
export type FiberErrorCode =
  // the module, or what was asked of it
  | 'NOT_WASM'
  | 'BAD_MODULE'
  | 'BAD_METADATA'
  | 'NOT_TYPED'
  | 'BAD_SOURCE_MAP'
  | 'MISSING_IMPORTS'
  | 'NO_SUCH_EXPORT'
  | 'INVALID_OPTION'
  | 'BACKEND_UNAVAILABLE'
  // waiting where nothing can wait
  | 'NOT_SUSPENDING'
  | 'NOT_INSTRUMENTED'
  | 'NO_FIBER'
  | 'SUSPEND_IN_SYNC_CALL'
  | 'SUSPEND_IN_CATCH'
  | 'HOST_FRAME'
  | 'UNINSTRUMENTED_FRAME'
  // the life of fibers and guests
  | 'CANCELLED'
  | 'TIMEOUT'
  | 'DISPOSED'
  | 'DEADLOCK'
  | 'GUEST_POISONED'
  | 'UNSAFE_COLLECTION'
  // limits
  | 'MAX_FIBERS'
  | 'MAX_STACKS'
  | 'STACK_OVERFLOW'
  | 'SHADOW_STACK_OVERFLOW'
  | 'DEPTH_LIMIT'
  | 'OUT_OF_FUEL'
  | 'LIMIT_REACHED'
  | 'PREEMPTED'
  | 'NO_ALLOCATOR'
  | 'OUT_OF_MEMORY'
  | 'CORRUPT_FRAMES'
  | 'CORRUPT_VALUE'
  // plugins
  | 'INVALID_MANIFEST'
  | 'UNTRUSTED_MODULE'
  | 'CAPABILITY_DENIED'
  | 'HOST_FUNCTION_FAILED'
  // the instrumenter
  | 'UNSUPPORTED_FEATURE'
  | 'ALREADY_INSTRUMENTED'
  | 'NO_SUSPENDING_IMPORTS'
  | 'NO_MATCH'
  | 'RESERVED_NAME'
  | 'MISSING_GUEST_PART'
  | 'BINARYEN_MISSING'
  | 'BINARYEN_FAILED'
  | 'INTERNAL';

/** Standard names that the platform's own cancellation errors carry, so that existing handlers recognise ours. */
const PLATFORM_NAMES: Partial<Record<FiberErrorCode, string>> = {
  CANCELLED: 'AbortError',
  TIMEOUT: 'TimeoutError',
};

/**
 * An error of wasm-fibers.
 *
 * @example
 * try {
 *   await guest.exports.run(1);
 * } catch (error) {
 *   if (error instanceof FiberError && error.code === 'TIMEOUT') retry();
 * }
 */
export class FiberError extends Error {
  /** Literal reason; compare with this, never with the message. */
  readonly code: FiberErrorCode;
  /** The promise that nobody could wait for, where a host function had already made one. It is marked as handled. */
  declare readonly promise?: PromiseLike<unknown>;
  /** The name of the limit, of `LIMIT_REACHED`; docs/errors.md and docs/plugins.md list them. */
  declare readonly limit?: string;
  /** The plugin that failed, if it was one (`wasm-fibers/plugin`). */
  declare readonly plugin?: { readonly name: string; readonly version: string };

  constructor(
    code: FiberErrorCode,
    message: string,
    extra: { cause?: unknown; promise?: PromiseLike<unknown>; limit?: string } = {},
  ) {
    super(message, extra);
    this.code = code;
    this.name = PLATFORM_NAMES[code] ?? 'FiberError';
    if (extra.promise !== undefined) this.promise = extra.promise;
    if (extra.limit !== undefined) this.limit = extra.limit;
  }
}
