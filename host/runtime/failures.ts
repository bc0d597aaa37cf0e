/** What a failure of the guest means, and in whose words it is reported. */
import { FiberError, type FiberErrorCode } from '../errors.ts';
import { isStackOverflow, RECURSE_LESS } from '../trace.ts';

/** Errors after which the guest was left in the middle of something, as after a trap. */
const ABRUPT: readonly FiberErrorCode[] = [
  'STACK_OVERFLOW',
  'SHADOW_STACK_OVERFLOW',
  'DEPTH_LIMIT',
  'UNINSTRUMENTED_FRAME',
  'CORRUPT_FRAMES',
];

/**
 * What the engine says in its own words and we can say better.
 *
 * @param unsuspendable what it means that the engine refused to put the stack aside
 */
export function explain(error: unknown, unsuspendable: FiberErrorCode = 'HOST_FRAME'): unknown {
  if (error instanceof Error && error.name === 'SuspendError') {
    return new FiberError(
      unsuspendable,
      'A suspending import was called where the engine cannot put the stack aside: in a guest.sync call, or behind a JavaScript function. Write that with reentrant(function* (call, ...) { ... }). If the module was not instrumented, plain values cannot pass there either: instrument it with --target jspi.',
      { cause: error },
    );
  }
  return isStackOverflow(error)
    ? new FiberError('STACK_OVERFLOW', `The guest recursed until the engine's call stack was full. ${RECURSE_LESS}`, {
        cause: error,
      })
    : error;
}

/** Was the guest stopped in the middle of something, so that its data may be damaged? */
export function isAbrupt(error: unknown): boolean {
  return error instanceof WebAssembly.RuntimeError || (error instanceof FiberError && ABRUPT.includes(error.code));
}
