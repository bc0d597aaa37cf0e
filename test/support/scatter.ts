// Waits that end in random order, at random moments: in the same microtask run, a microtask later, or turns of the
// event loop later. The order is a seed's, so that a failure can be run again.
import { turn } from './core.ts';

/** Numbers that look random and are the same in every run. */
export function sequence(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % limit;
  };
}

/** Takes what host functions wait for and ends the waits in random order, for as long as there are any. */
export class Scatter {
  readonly random: (limit: number) => number;
  /** Waits so far. */
  waits = 0;
  /** The most that were open at once. */
  most = 0;
  readonly #open: (() => void)[] = [];
  #pumping = false;

  constructor(seed: number) {
    this.random = sequence(seed);
  }

  /** A promise of what `settle` gives when this wait's time has come. */
  later<T>(settle: () => T): Promise<T> {
    this.waits++;
    return new Promise((resolve, reject) => {
      this.#open.push(() => {
        try {
          resolve(settle());
        } catch (error) {
          reject(error);
        }
      });
      this.most = Math.max(this.most, this.#open.length);
      if (this.#pumping) return;
      this.#pumping = true;
      void this.#pump();
    });
  }

  async #pump(): Promise<void> {
    // A turn first: whoever starts many fibers at once has them all waiting before the first goes on.
    await turn();
    while (this.#open.length > 0) {
      const [end] = this.#open.splice(this.random(this.#open.length), 1);
      end?.();
      const pause = this.random(40);
      if (pause === 0) await turn();
      else if (pause < 20) await Promise.resolve();
      // The last one's fiber may only just be about to wait again.
      if (this.#open.length === 0) await turn();
    }
    this.#pumping = false;
  }
}
