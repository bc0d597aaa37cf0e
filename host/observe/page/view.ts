/** Which part of the time is in view. */

/** Milliseconds: nothing is shorter than a clock can tell. */
const SHORTEST = 0.0005;
/** So much of the width is free before and behind everything. */
const MARGIN = 0.02;

export class View {
  from = 0;
  to = 1;
  readonly #duration: number;

  /** @param duration milliseconds of all */
  constructor(duration: number) {
    this.#duration = Math.max(duration, SHORTEST);
    this.all();
  }

  get length(): number {
    return this.to - this.from;
  }

  get isAll(): boolean {
    return this.length >= this.#duration;
  }

  all(): void {
    const margin = this.#duration * MARGIN;
    this.#set(-margin, this.#duration + margin);
  }

  /** Shows a time, with some of what is around it. */
  show(from: number, to: number): void {
    const margin = Math.max((to - from) * 0.1, SHORTEST);
    this.#set(from - margin, to + margin);
  }

  /** Moves as little as is needed for a time to be in view; what is longer than the view is left. */
  reveal(from: number, to: number): void {
    const { length } = this;
    if (to < this.from || from > this.to || (to > this.to && to - from < length)) {
      const start = to - from < length ? (from + to - length) / 2 : from - length * MARGIN;
      this.#set(start, start + length);
    } else if (from < this.from && to - from < length) this.pan((from - this.from) / length - MARGIN);
  }

  /** @param part of the width */
  pan(part: number): void {
    const by = part * this.length;
    this.#set(this.from + by, this.to + by);
  }

  /**
   * @param factor above 1 shows more time
   * @param at the part of the width that stays where it is
   */
  zoom(factor: number, at = 0.5): void {
    const fixed = this.from + this.length * at;
    const length = Math.max(SHORTEST, this.length * factor);
    this.#set(fixed - length * at, fixed + length * (1 - at));
  }

  #set(from: number, to: number): void {
    const margin = this.#duration * MARGIN;
    const most = this.#duration + 2 * margin;
    const length = Math.min(most, to - from);
    this.from = Math.min(Math.max(from, -margin), this.#duration + margin - length);
    this.to = this.from + length;
  }
}
