/**
 * Reports waits that last too long. A cycle of waits that runs through an asynchronous host function cannot be seen as a
 * deadlock; this is how it shows. One timer for all fibers, only while there is a wait that it has not reported, and never a reason
 * for the process to stay alive, nor for a guest that nobody else holds any more.
 */
import type { FiberEvent } from './api.ts';
import type { RunnableFiber } from './fiber.ts';

export class SlowWatch {
  readonly #after: number;
  readonly #first: () => RunnableFiber | null;
  readonly #onEvent: (event: FiberEvent) => void;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param after milliseconds; @param first the oldest live fiber */
  constructor(after: number, first: () => RunnableFiber | null, onEvent: (event: FiberEvent) => void) {
    this.#after = after;
    this.#first = first;
    this.#onEvent = onEvent;
  }

  begin(fiber: RunnableFiber): void {
    fiber.waitingSince = Date.now();
    fiber.reportedSlow = false;
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#look(), Math.max(50, this.#after / 4));
    // In Node a timer is an object that can be told not to keep the process alive; in browsers it is a number.
    (this.#timer as { unref?(): void }).unref?.();
  }

  #look(): void {
    let unreported = false;
    const now = Date.now();
    for (let fiber = this.#first(); fiber !== null; fiber = fiber.next) {
      if (fiber.state !== 'suspended' || fiber.reportedSlow) continue;
      if (now - fiber.waitingSince < this.#after) {
        unreported = true;
        continue;
      }
      fiber.reportedSlow = true;
      this.#onEvent({ type: 'slow', fiber, import: fiber.site?.name });
    }
    if (unreported) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
