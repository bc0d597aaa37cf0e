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

/** What the engine says in its own words and we can say better. */
export function explain(error: unknown): unknown {
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
