/**
 * How deep a value of a recursive type is nested. A conversion calls itself for every level, so a value that contains
 * itself, and a very long linked list, end with a sentence instead of the engine's stack.
 */
import { Mismatch } from './mismatch.ts';

/** Levels, of which the engine's stack holds many times as many, even if the guest has used much of it. */
export const MAX_DEPTH = 500;

export class Depth {
  /** The values, or addresses of objects, around the current one, outermost first. */
  readonly #around: unknown[] = [];

  /** @throws Mismatch if this is too deep */
  enter(value: unknown): void {
    if (this.#around.length >= MAX_DEPTH) throw this.#tooDeep(value);
    this.#around.push(value);
  }

  leave(): void {
    this.#around.pop();
  }

  #tooDeep(value: unknown): Mismatch {
    const found = new Mismatch('', value);
    found.message =
      this.#around.includes(value) || new Set(this.#around).size < this.#around.length
        ? 'contains itself, which cannot be copied. Use a class with a constructor, which is passed by reference.'
        : `is nested more than ${MAX_DEPTH} levels deep. Pass an array instead of a linked list, or a class with a constructor, which is passed by reference.`;
    return found;
  }
}
