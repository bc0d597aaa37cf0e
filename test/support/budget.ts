// Random tests that do as many runs as the time allows.
import * as fc from 'fast-check';
import { expect } from 'vitest';

/**
 * Looks at the clock between runs: a run that has begun is always awaited, so that none is left behind with its fibers.
 * (fast-check's own `interruptAfterTimeLimit` stops waiting in the middle of one.)
 */
export class Budget {
  readonly #end: number;
  readonly #least: number;
  #runs = 0;

  /** @param least how many runs are made however long they take */
  constructor(milliseconds: number, least: number) {
    this.#end = performance.now() + milliseconds;
    this.#least = least;
  }

  /** The same property, which ends the test at the first run that the time does not allow. */
  limit<Values extends unknown[]>(run: (...values: Values) => Promise<void>): (...values: Values) => Promise<void> {
    return async (...values) => {
      if (this.#runs >= this.#least && performance.now() > this.#end) throw new fc.PreconditionFailure(true);
      await run(...values);
      this.#runs++;
    };
  }

  /** To be called at the end: were there enough? */
  check(): void {
    expect(this.#runs, 'runs of the property').toBeGreaterThanOrEqual(this.#least);
  }
}
