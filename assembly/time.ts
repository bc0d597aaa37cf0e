/** Waiting for time to pass. */
import * as host from './host';
import { checkTime } from './waiter';

/**
 * Waits. Other tasks run meanwhile, and so does the host.
 *
 * ```ts
 * sleep(250);
 * ```
 *
 * @param ms in milliseconds; 0 or less is `yield_()`, `Infinity` waits until the task is cancelled
 */
export function sleep(ms: f64): void {
  checkTime(ms);
  host.park(ms < Infinity ? max(ms, 0) : -1, 0);
}

/**
 * Lets every other task go on that can, in their order, and then goes on itself. For long computations.
 *
 * ```ts
 * for (let i = 0; i < rows; i++) {
 *   compute(i);
 *   if (i % 1000 == 0) yield_();
 * }
 * ```
 */
export function yield_(): void {
  host.park(0, 0);
}
