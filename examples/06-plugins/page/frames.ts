// Shows that the page lives: a clock that is drawn anew in each frame, a count of the frames, and the longest that one has been
// late. A thread that somebody else holds draws none.

export class Frames {
  #count = 0;
  #last = 0;
  #longest = 0;
  readonly #counter: HTMLElement;
  readonly #clock: HTMLCanvasElement;
  /** Asked in each frame: does a plugin run? Only then a gap is the plugin's. */
  readonly #isWatched: () => boolean;

  constructor(counter: HTMLElement, clock: HTMLCanvasElement, isWatched: () => boolean) {
    this.#counter = counter;
    this.#clock = clock;
    this.#isWatched = isWatched;
    requestAnimationFrame((now) => this.#draw(now));
  }

  get count(): number {
    return this.#count;
  }

  /** Milliseconds between two frames at most, since `reset`, while a plugin ran; the time since the last frame included. */
  get longestGap(): number {
    return Math.max(this.#longest, performance.now() - this.#last);
  }

  reset(): void {
    this.#longest = 0;
    this.#last = performance.now();
  }

  #draw(now: number): void {
    if (this.#isWatched() && this.#last > 0) this.#longest = Math.max(this.#longest, now - this.#last);
    this.#last = now;
    this.#count += 1;
    this.#counter.textContent = String(this.#count);
    this.#drawClock(now);
    requestAnimationFrame((next) => this.#draw(next));
  }

  #drawClock(now: number): void {
    const context = this.#clock.getContext('2d');
    if (context === null) return;
    const { width, height } = this.#clock;
    // A hand that jumps each second is for readers who do not bear one that turns.
    const time = matchMedia('(prefers-reduced-motion: reduce)').matches ? Math.floor(now / 1000) * 1000 : now;
    const turn = (time / 12_000) * 2 * Math.PI;
    context.clearRect(0, 0, width, height);
    context.strokeStyle = getComputedStyle(this.#clock).color;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(width / 2, height / 2, width / 2 - 2, 0, 2 * Math.PI);
    context.moveTo(width / 2, height / 2);
    context.lineTo(width / 2 + Math.sin(turn) * (width / 2 - 5), height / 2 - Math.cos(turn) * (height / 2 - 5));
    context.stroke();
  }
}
