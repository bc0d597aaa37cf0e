/**
 * Between the end of a fiber and the code that awaits its result, no other code of the guest may run where results are
 * references to collected memory: nothing roots them on the way. In a plain call there is no such gap. Here a fiber's
 * promise settles, its reaction waits in the microtask queue, and fibers that resume before it would allocate, collect,
 * and use the memory for something else (measured in AssemblyScript: 300 fibers that return strings, four in ten wrong).
 *
 * So for a few microtasks, as many as `await` and one asynchronous function around it take, starts and resumes wait, each
 * in the async context of whoever asked for it. After that they go on in their order, until the next result.
 *
 * On JSPI a fiber that was told to go on does so a microtask later: from then until it waits or has ended, too, the others
 * wait, or one of them could already have been told.
 */
import { gate } from './gate.ts';

const MICROTASKS = 4;

export class Handover {
  #left = 0;
  #held = false;
  /** One that has waited has been told to go on and has not run yet. */
  #opened = false;
  readonly #waiting: (() => void)[] = [];

  /** Must what wants to run guest code wait? */
  get busy(): boolean {
    return this.#held || this.#left > 0 || this.#opened || this.#waiting.length > 0;
  }

  /** Nobody else until `release`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    if (this.#left === 0) this.#next();
  }

  /** A result is on its way. */
  begin(): void {
    if (this.#left === 0) queueMicrotask(this.#pass);
    this.#left = MICROTASKS;
  }

  /** Runs it when its turn comes. */
  defer(run: () => void): void {
    const open = gate();
    this.#waiting.push(() =>
      open(() => {
        this.#opened = false;
        run();
        if (this.#left === 0) this.#next();
      }),
    );
  }

  readonly #pass = (): void => {
    if (--this.#left > 0) queueMicrotask(this.#pass);
    else this.#next();
  };

  #next(): void {
    if (this.#opened || this.#held) return;
    const open = this.#waiting.shift();
    if (open === undefined) return;
    this.#opened = true;
    open();
  }
}
