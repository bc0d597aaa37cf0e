/**
 * Which fiber a promise is the result of, so that a fiber that waits for itself is noticed. The mark is a property of the
 * promise under a symbol of our own, believed only if the fiber names the promise as its result. (A WeakMap of a million
 * results slows down every garbage collection; asking whether a promise has a private field costs a third of a switch.)
 */
import type { Fiber } from './api.ts';
import { type FiberOwner, RunnableFiber } from './fiber.ts';

const FIBER: unique symbol = Symbol('fiber');

interface Marked {
  [FIBER]?: RunnableFiber | Awaited;
}

/** Marks a promise that is not the result of a fiber, but ends only with one. */
class Awaited {
  readonly promise: object;
  readonly fiber: RunnableFiber;

  constructor(promise: object, fiber: RunnableFiber) {
    this.promise = promise;
    this.fiber = fiber;
  }
}

export function markResult(fiber: RunnableFiber): void {
  (fiber.result as Marked)[FIBER] = fiber;
}

/**
 * Says that a promise that a host function is about to return ends only when this fiber does, so that whoever waits for it
 * is seen to wait for the fiber: in `dump()`, and where fibers wait for each other (`DEADLOCK`). It must hold for as long
 * as anybody waits: what may be ended by another fiber one day (a lock) must not be marked.
 */
export function markWait(promise: object, fiber: Fiber): void {
  if (fiber instanceof RunnableFiber) (promise as Marked)[FIBER] = new Awaited(promise, fiber);
}

/** The live fiber whose result this promise is, or with which it ends. */
export function fiberOf(promise: object): RunnableFiber | null {
  const mark = (promise as Marked)[FIBER];
  if (mark === undefined) return null;
  const fiber = mark instanceof Awaited && mark.promise === promise ? mark.fiber : mark;
  if (!(fiber instanceof RunnableFiber) || (fiber === mark && fiber.result !== promise)) return null;
  return fiber.state === 'done' ? null : fiber;
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
