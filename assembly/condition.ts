/** Waiting, with a lock, for something to become true. */
import { Lock, LockWaiter } from './lock';
import { AnyTask, currentTask } from './task';
import { Line, checkTime } from './waiter';

/**
 * Tasks that hold a lock wait for others, who hold it later, to tell them that something has changed.
 *
 * ```ts
 * const lock = new Lock();
 * const notEmpty = new Condition(lock);
 *
 * function take(): Job {
 *   lock.acquire();
 *   while (jobs.length == 0) notEmpty.wait();
 *   const job = jobs.shift();
 *   lock.release();
 *   return job;
 * }
 * ```
 */
export class Condition {
  private line: Line = new Line();

  /** @param lock to be held by whoever waits and whoever notifies */
  constructor(readonly lock: Lock = new Lock()) {}

  /**
   * Releases the lock, waits to be notified, and waits for the lock again. If the task is cancelled meanwhile it does not
   * hold the lock.
   *
   * @param timeout in milliseconds; a negative number (the default) is no limit
   * @returns whether it was notified; the lock is held in both cases
   */
  wait(timeout: f64 = -1): bool {
    checkTime(timeout);
    this.lock.assertHeld();
    const waiter = new ConditionWaiter(currentTask(), this.lock, this);
    this.line.add(waiter);
    this.lock.handOver();
    if (waiter.park(timeout)) return true;
    // Notified in time, it already stands in the lock's line.
    if (waiter.notified) return waiter.park(-1);
    this.lock.acquire();
    return false;
  }

  /** Tells the `count` tasks that have waited longest. They go on one by one, when they get the lock. */
  notify(count: i32 = 1): void {
    this.lock.assertHeld();
    while (count-- > 0 && this.line.first) this.pass();
  }

  /** Tells all. */
  notifyAll(): void {
    this.notify(i32.MAX_VALUE);
  }

  /** @internal Moves the first waiter into the lock's line. */
  pass(): void {
    const first = this.line.first;
    if (!first) return;
    first.leave();
    changetype<ConditionWaiter>(first).notified = true;
    this.lock.join(first);
  }
}

class ConditionWaiter extends LockWaiter {
  notified: bool = false;

  constructor(
    task: AnyTask,
    lock: Lock,
    private readonly condition: Condition,
  ) {
    super(task, lock);
  }

  describe(): string {
    return this.notified ? super.describe() : 'a condition';
  }

  blockers(): i32 {
    return this.notified ? 1 : 0;
  }

  expired(): void {
    if (!this.notified) this.leave();
  }

  abandoned(): void {
    super.abandoned();
    // Somebody else must hear it instead.
    if (this.notified) this.condition.pass();
  }
}
