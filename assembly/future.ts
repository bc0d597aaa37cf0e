/** A value that is not there yet. */
import { Failure, Result, failureOf } from './result';
import { put, Storage, take } from './storage';
import { currentTask } from './task';
import { Line, PlainWaiter, checkTime, label } from './waiter';

/** What can be waited for and then has a result: tasks and futures. */
export interface Awaitable<T> {
  /** Waits and gives the result; fails as what was waited for has failed. */
  result(): T;
}

/**
 * A value that somebody sets once, and any number of tasks wait for.
 *
 * ```ts
 * const answer = new Future<i32>();
 *
 * export function reply(value: i32): void { // called by the embedder
 *   answer.set(value);
 * }
 *
 * export function ask(): i32 {
 *   return answer.get();
 * }
 * ```
 */
export class Future<T> extends Storage implements Awaitable<T> {
  private line: Line = new Line();
  private isDone: bool = false;
  private reason: Failure | null = null;

  /** @param name for people */
  constructor(readonly name: string = '') {
    super();
  }

  /** Has it a value, or failed? */
  get done(): bool {
    return this.isDone;
  }

  /** Why it failed; null otherwise. */
  get failure(): Failure | null {
    return this.reason;
  }

  /**
   * Sets the value; everybody who waits goes on.
   *
   * @returns false if it had a value or had failed before
   */
  set(value: T): bool {
    if (this.isDone) return false;
    put<T>(this, value);
    this.settle();
    return true;
  }

  /**
   * Makes it fail: everybody who waits by `get` fails with an error of this code and message.
   *
   * @returns false if it had a value or had failed before
   */
  fail(code: string, message: string): bool {
    if (this.isDone) return false;
    this.reason = failureOf(code, message);
    this.settle();
    return true;
  }

  /**
   * Waits until it has a value or has failed.
   *
   * @param timeout in milliseconds; 0 only asks, a negative number (the default) is no limit
   * @returns whether it has
   */
  wait(timeout: f64 = -1): bool {
    checkTime(timeout);
    if (this.isDone) return true;
    if (timeout == 0) return false;
    const waiter = new PlainWaiter(currentTask(), label('future', this.name));
    this.line.add(waiter);
    return waiter.park(timeout);
  }

  /** Waits for the value; if the future fails, so does the task that asks. */
  get(): T {
    this.wait();
    if (this.reason) return this.outcome().unwrap();
    return take<T>(this);
  }

  /** The same as `get`, for whoever takes tasks and futures alike. */
  result(): T {
    return this.get();
  }

  /** Waits, and gives the value or the failure. */
  outcome(): Result<T> {
    this.wait();
    const result = new Result<T>();
    result.ok = this.reason == null;
    result.failure = this.reason;
    result.bits = this.bits;
    result.ref = this.ref;
    return result;
  }

  private settle(): void {
    this.isDone = true;
    for (let waiter = this.line.first; waiter; waiter = this.line.first) waiter.grant();
  }
}

/**
 * Waits for a task or a future in the middle of synchronous code, and gives its result. Everybody else goes on meanwhile,
 * and each of several such waits ends when its own is done, whichever began first: nothing is nested. The type of the
 * result must be given.
 *
 * ```ts
 * function synchronousCode(): i32 {
 *   return runUntilComplete<i32>(start(asynchronousCode));
 * }
 * ```
 */
export function runUntilComplete<T>(pending: Awaitable<T>): T {
  return pending.result();
}
