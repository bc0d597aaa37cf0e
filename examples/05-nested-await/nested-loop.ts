// The usual way to wait inside of a function that is not async: run the event loop once more, right here, until what is
// waited for is done. `runUntilComplete` is the origin's `run_nested_until_complete`, for timers instead of futures.

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

export class NestedLoop {
  readonly #timers: Timer[] = [];

  /** @param ms in milliseconds */
  callLater(ms: number, run: () => void): void {
    this.#timers.push({ at: performance.now() + ms, run });
    this.#timers.sort((a, b) => a.at - b.at);
  }

  /** Whoever else is due runs on top of the caller's stack, and must be through before the caller can go on. */
  runUntilComplete(isDone: () => boolean): void {
    while (!isDone()) this.#runOnce();
  }

  /** Waits, in the middle of whatever calls this. */
  sleep(ms: number): void {
    let isDone = false;
    this.callLater(ms, () => {
      isDone = true;
    });
    this.runUntilComplete(() => isDone);
  }

  #runOnce(): void {
    const timer = this.#timers.shift();
    if (timer === undefined) throw new Error('nothing is left that could be waited for');
    const left = timer.at - performance.now();
    if (left > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, left);
    timer.run();
  }
}
