/**
 * The live fibers of a guest, oldest first. Linked through the fibers themselves: adding and removing cost a few stores,
 * where a Set of a million costs a second table as large as the fibers.
 */
import type { RunnableFiber } from './fiber.ts';

export class FiberList {
  first: RunnableFiber | null = null;
  size = 0;
  #last: RunnableFiber | null = null;

  add(fiber: RunnableFiber): void {
    fiber.previous = this.#last;
    if (this.#last === null) this.first = fiber;
    else this.#last.next = fiber;
    this.#last = fiber;
    this.size++;
  }

  remove(fiber: RunnableFiber): void {
    const { previous, next } = fiber;
    if (previous === null) this.first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    fiber.previous = fiber.next = null;
    this.size--;
  }

  /** A copy, which stays as it is whatever happens to the fibers meanwhile. */
  toArray(): RunnableFiber[] {
    const fibers: RunnableFiber[] = [];
    for (let each = this.first; each !== null; each = each.next) fibers.push(each);
    return fibers;
  }
}
