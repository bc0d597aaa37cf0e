/** What a host function can ask about who called it, without being handed anything. */
import { currentBackend, currentTask } from '../backends/current.ts';
import type { Fiber } from './api.ts';
import type { RunnableFiber } from './fiber.ts';

/**
 * Every task of every backend is a fiber of this package (see scheduler.ts). Where no host function of its guest runs, it
 * is one that has ended: JSPI learns of that later.
 */
export function runningFiber(): RunnableFiber | null {
  return currentBackend?.busy === true ? (currentTask as RunnableFiber | null) : null;
}

/**
 * The fiber whose guest code called the host function that asks. Right until the function's first `await`, and right
 * again in what the guest calls after every resume: capture it there.
 *
 * @returns `null` in a plain callback, such as a timer
 * @example
 * const imports = { env: { log: (code: number) => console.log(currentFiber()?.name, code) } };
 */
export function currentFiber(): Fiber | null {
  return runningFiber();
}

/**
 * Could the host function that asks return a promise, and would its fiber wait for it? False outside of a fiber, in a
 * `sync` call, behind another host function, in a catch body, in imports that are not suspending, and after `dispose`.
 */
export function canSuspend(): boolean {
  return runningFiber()?.owner.canSuspend() === true;
}
