/**
 * Which fiber a promise is the result of, so that a fiber that waits for itself is noticed. The mark is a property of the
 * promise under a symbol of our own, believed only if the fiber names the promise as its result. (A WeakMap of a million
 * results slows down every garbage collection; asking whether a promise has a private field costs a third of a switch.)
 */
import { type FiberOwner, RunnableFiber } from './fiber.ts';

const FIBER: unique symbol = Symbol('fiber');

interface Marked {
  [FIBER]?: RunnableFiber;
}

export function markResult(fiber: RunnableFiber): void {
  (fiber.result as Marked)[FIBER] = fiber;
}

/** The live fiber whose result this promise is. */
export function fiberOf(promise: object): RunnableFiber | null {
  const fiber = (promise as Marked)[FIBER];
  return fiber instanceof RunnableFiber && fiber.result === promise && fiber.state !== 'done' ? fiber : null;
}

/**
 * The fibers that would wait for each other for ever if `fiber` waited for `target`, in the order in which each waits
 * for the next; null if there is no such cycle. A fiber that has not got its turn in an exclusive guest waits for every
 * fiber of the turn that is on.
 */
export function findCycle(fiber: RunnableFiber, target: RunnableFiber): RunnableFiber[] | null {
  const path = [fiber];
  return follow(fiber, target, path, new Set()) ? path : null;
}

/** A loop along the chain, since chains are long and the guest may be deep; it branches only where a turn is awaited. */
function follow(fiber: RunnableFiber, from: RunnableFiber, path: RunnableFiber[], turns: Set<FiberOwner>): boolean {
  const length = path.length;
  for (let next: RunnableFiber | null = from; next !== null; next = next.waitsFor) {
    if (next === fiber) return true;
    path.push(next);
    const owner: FiberOwner = next.owner;
    if (!owner.isQueued(next)) continue;
    if (turns.has(owner)) break;
    turns.add(owner);
    if (owner.turnHolders().some((each) => follow(fiber, each, path, turns))) return true;
    break;
  }
  path.length = length;
  return false;
}
