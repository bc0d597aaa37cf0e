/** Something that has happened or has not, and tasks that wait for it. */
import { currentTask } from './task';
import { Line, PlainWaiter, checkTime, label } from './waiter';

/**
 * A flag to wait for.
 *
 * ```ts
 * const ready = new Event('ready');
 *
 * function worker(id: i32): void {
 *   ready.wait();
 *   ...
 * }
 *
 * ready.set(); // all go on
 * ```
 */
export class Event {
  private line: Line = new Line();
  private isSet_: bool = false;

  /** @param name for people */
  constructor(readonly name: string = '') {}

  /** Has it happened? */
  get isSet(): bool {
    return this.isSet_;
  }

  /** It has happened: everybody who waits goes on, and so does who waits from now on. */
  set(): void {
    this.isSet_ = true;
    for (let waiter = this.line.first; waiter; waiter = this.line.first) waiter.grant();
  }

  /** It has not happened: who waits from now on waits. Whoever was waiting at `set` goes on nevertheless. */
  clear(): void {
    this.isSet_ = false;
  }

  /**
   * Waits until it has happened.
   *
   * @param timeout in milliseconds; 0 only asks, a negative number (the default) is no limit
   * @returns whether it has
   */
  wait(timeout: f64 = -1): bool {
    checkTime(timeout);
    if (this.isSet_) return true;
    if (timeout == 0) return false;
    const waiter = new PlainWaiter(currentTask(), label('event', this.name));
    this.line.add(waiter);
    return waiter.park(timeout);
  }
}
