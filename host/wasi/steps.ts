/**
 * Work that may have to wait, written once: as long as everything that it asks for is there at once, it runs to its end and
 * gives a plain value, so that the guest is not suspended; from the first promise on it is a promise itself.
 *
 * A generator says so with `yield* settle(x)` where an async function would say `await x`.
 */

/** A value, or a promise of one. */
export type Awaitable<T> = T | PromiseLike<T>;

export type Steps<T> = Generator<PromiseLike<unknown>, T, unknown>;

/** The value itself, once it is there. */
export function* settle<T>(value: Awaitable<T>): Steps<T> {
  // What is sent back in is what the promise resolved to.
  return isPromise(value) ? ((yield value) as T) : value;
}

type Step<T> = IteratorResult<PromiseLike<unknown>, T>;

/**
 * Runs the steps: at once, or, from the first promise on, as each one settles.
 *
 * @param around runs each step
 */
export function perform<T>(
  steps: Steps<T>,
  around: (step: () => Step<T>) => Step<T> = (step) => step(),
): T | Promise<T> {
  const step = around(() => steps.next());
  return step.done === true ? step.value : goOn(steps, step.value, around);
}

async function goOn<T>(
  steps: Steps<T>,
  first: PromiseLike<unknown>,
  around: (step: () => Step<T>) => Step<T>,
): Promise<T> {
  let pending = first;
  for (;;) {
    const step = await pending.then(
      (value) => around(() => steps.next(value)),
      (error: unknown) => around(() => steps.throw(error)),
    );
    if (step.done === true) return step.value;
    pending = step.value;
  }
}

export function isPromise<T>(value: Awaitable<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/**
 * One after another, in order of arrival: two fibers that read one file at once must not get the same bytes. Costs nothing as
 * long as nobody has to wait.
 */
export class Lock {
  #held = false;
  readonly #waiting: (() => void)[] = [];

  *run<T>(work: () => Steps<T>): Steps<T> {
    if (this.#held) yield* settle(new Promise<void>((resolve) => this.#waiting.push(resolve)));
    this.#held = true;
    try {
      return yield* work();
    } finally {
      const next = this.#waiting.shift();
      // Handed over, not freed: nobody who comes meanwhile gets in between.
      if (next === undefined) this.#held = false;
      else next();
    }
  }
}
