/**
 * Which fiber a promise is the result of, so that a fiber that waits for itself is noticed. The mark is a private field
 * put on the promise: nobody can see or forge it, and it lives as long as the promise. (A WeakMap of a million results
 * slows down every garbage collection.)
 */
import type { RunnableFiber } from './fiber.ts';

/** Its constructor gives back what it is given, so that a derived class defines its fields on that object. */
class Given {
  constructor(object: object) {
    // eslint-disable-next-line no-constructor-return -- the point of this class
    return object;
  }
}

class Mark extends Given {
  readonly #fiber: RunnableFiber;
  constructor(promise: object, fiber: RunnableFiber) {
    super(promise);
    this.#fiber = fiber;
  }
  static fiberOf(promise: object): RunnableFiber | null {
    return #fiber in promise ? promise.#fiber : null;
  }
}

export function markResult(fiber: RunnableFiber): void {
  new Mark(fiber.result, fiber);
}

/** The live fiber whose result this promise is. */
export function fiberOf(promise: object): RunnableFiber | null {
  const fiber = Mark.fiberOf(promise);
  return fiber === null || fiber.state === 'done' ? null : fiber;
}

/**
 * The fibers that would wait for each other for ever if `fiber` waited for `target`, in the order in which each waits
 * for the next; null if there is no such cycle. A fiber that has not got its turn in an exclusive guest waits for every
 * fiber of the turn that is on.
 */
export function findCycle(fiber: RunnableFiber, target: RunnableFiber): RunnableFiber[] | null {
  const path = [fiber];
  for (let next: RunnableFiber | null = target; next !== null; next = next.waitsFor) {
    if (next === fiber) return path;
    path.push(next);
    if (next.owner.isQueued(next) && next.owner === fiber.owner && !next.owner.isQueued(fiber)) return path;
  }
  return null;
}
