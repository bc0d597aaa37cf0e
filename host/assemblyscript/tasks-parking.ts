/**
 * Fibers that wait in the guest library: for `wake`, for a time, or for what is first. Each is in the map for exactly as
 * long as its promise is pending.
 */

/** The greatest delay that timers of the platform accept. */
const LONGEST = 2 ** 31 - 1;

class Wait {
  readonly promise: Promise<void>;
  resolve!: () => void; // Assigned by the promise's executor, which runs in the constructor.
  reject!: (error: unknown) => void; // As above.
  timer: ReturnType<typeof setTimeout> | undefined = undefined;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

export class Parking {
  readonly #waits = new Map<number, Wait>();
  /** Called a turn of the event loop after something has changed. Null if nobody wants to know. */
  readonly #whenIdle: (() => void) | null;
  #check: ReturnType<typeof setTimeout> | undefined = undefined;

  constructor(whenIdle: (() => void) | null) {
    this.#whenIdle = whenIdle;
  }

  /** @param ms negative for no limit; resolved when they are over, too */
  park(id: number, ms: number): Promise<void> {
    const wait = new Wait();
    this.#waits.set(id, wait);
    if (ms >= 0) this.#arm(id, wait, ms);
    else this.changed();
    return wait.promise;
  }

  wake(id: number): void {
    const wait = this.leave(id);
    if (wait !== undefined) wait.resolve();
  }

  fail(id: number, error: unknown): void {
    this.leave(id)?.reject(error);
  }

  /** It does not wait any more; its promise is nobody's. */
  leave(id: number): Wait | undefined {
    const wait = this.#waits.get(id);
    if (wait === undefined) return undefined;
    this.#waits.delete(id);
    if (wait.timer !== undefined) clearTimeout(wait.timer);
    return wait;
  }

  has(id: number): boolean {
    return this.#waits.has(id);
  }

  /** The ids of those who wait without a limit. */
  get waiting(): number[] {
    return [...this.#waits].filter(([, wait]) => wait.timer === undefined).map(([id]) => id);
  }

  /** Somebody waits who did not, or a fiber has ended. */
  changed(): void {
    if (this.#whenIdle === null || this.#check !== undefined || this.#waits.size === 0) return;
    // Later, since the embedder may be in the middle of starting several calls.
    this.#check = setTimeout(() => {
      this.#check = undefined;
      this.#whenIdle?.();
    });
  }

  #arm(id: number, wait: Wait, ms: number): void {
    wait.timer = setTimeout(
      () => {
        if (ms > LONGEST) this.#arm(id, wait, ms - LONGEST);
        else this.wake(id);
      },
      Math.min(ms, LONGEST),
    );
  }
}
