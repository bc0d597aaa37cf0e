/**
 * Turns of an exclusive guest: one fiber runs from its beginning to its end before the next one starts, in order of
 * arrival. A fiber that is started for the sake of another one shares its turn, or the two would wait for each other for
 * ever; the turn ends with the last of them.
 */

/** A turn, held by one fiber and those started for it. */
export class Turn {
  live = 0;
  /** Starts the fibers that arrived before the turn came: all at once, since none of them may wait for another's end. */
  readonly starts: (() => void)[] = [];
}

export class Turns {
  #current: Turn | null = null;
  #queue: Turn[] = [];

  /**
   * One more fiber of the turn. If the turn is not on, `wait` is called for a function to call when it comes.
   *
   * @returns whether the fiber may start now
   */
  enter(turn: Turn, wait: () => () => void): boolean {
    turn.live++;
    if (this.#current === null || this.#current === turn) {
      this.#current = turn;
      return true;
    }
    if (turn.live === 1) this.#queue.push(turn);
    turn.starts.push(wait());
    return false;
  }

  /** One fiber of the turn has ended, or has given up before it started. */
  leave(turn: Turn): void {
    if (--turn.live > 0) return;
    if (this.#current !== turn) {
      this.#queue = this.#queue.filter((waiting) => waiting !== turn);
      turn.starts.length = 0;
      return;
    }
    this.#current = this.#queue.shift() ?? null;
    for (const start of this.#current?.starts.splice(0) ?? []) start();
  }

  /** The turn for which another one would have to wait. */
  get current(): Turn | null {
    return this.#current;
  }
}
