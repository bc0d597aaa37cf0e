/** Mutual exclusion across waits. */
import { AnyTask, currentTask } from './task';
import { Line, Waiter, checkTime, label } from './waiter';

/**
 * Held by one task at a time; those who wait get it in the order of their arrival. Code that never waits needs none, since
 * tasks change only at waits.
 *
 * A task that ends, however it ends, gives back the locks that it holds, after its deferred functions have run. A task that
 * waits for a lock which it holds itself, or in a cycle with others, fails with `DEADLOCK`.
 *
 * ```ts
 * const lock = new Lock('account');
 *
 * function withdraw(amount: i32): void {
 *   lock.acquire();
 *   const balance = readBalance(); // waits
 *   writeBalance(balance - amount); // waits
 *   lock.release();
 * }
 * ```
 */
export class Lock {
  private owner: AnyTask | null = null;
  private line: Line = new Line();
  /** @internal The list of those that its owner holds. */
  previousHeld: Lock | null = null;
  nextHeld: Lock | null = null;

  /** @param name for people: in deadlocks */
  constructor(readonly name: string = '') {}

  /** Does a task hold it? */
  get locked(): bool {
    return this.owner != null;
  }

  /** Does the current task hold it? */
  get held(): bool {
    const owner = this.owner;
    return owner ? owner == currentTask() : false;
  }

  /**
   * Waits until the current task holds the lock.
   *
   * @throws `DEADLOCK` if its holder waits, directly or not, for the current task
   */
  acquire(): void {
    const task = currentTask();
    if (!this.owner) this.own(task);
    else {
      const waiter = new LockWaiter(task, this);
      this.line.add(waiter);
      waiter.park(-1);
    }
  }

  /**
   * Waits for the lock for at most `timeout` milliseconds.
   *
   * @param timeout in milliseconds; 0 (the default) only tries
   * @returns whether the current task now holds it
   */
  tryAcquire(timeout: f64 = 0): bool {
    checkTime(timeout);
    const task = currentTask();
    if (!this.owner) {
      this.own(task);
      return true;
    }
    if (timeout == 0) return false;
    const waiter = new LockWaiter(task, this);
    this.line.add(waiter);
    return waiter.park(timeout);
  }

  /** Gives the lock to the one who has waited longest. Only its holder may. */
  release(): void {
    this.assertHeld();
    this.handOver();
  }

  /**
   * Calls a function while the current task holds the lock.
   *
   * ```ts
   * const balance = lock.runExclusive(readBalance, account);
   * ```
   */
  // @ts-ignore: asc knows that one of the branches returns
  runExclusive<A, R = void>(fn: (arg: A) => R, arg: A): R {
    this.acquire();
    if (isVoid<R>()) {
      fn(arg);
      this.release();
    } else {
      const result = fn(arg);
      this.release();
      return result;
    }
  }

  /** @internal */
  describe(): string {
    const owner = this.owner;
    const text = label('lock', this.name);
    return owner ? text + ' held by ' + owner.toString() : text;
  }

  /** @internal */
  get holder(): AnyTask | null {
    return this.owner;
  }

  /** @internal */
  assertHeld(): void {
    if (!this.held) throw new Error(label('lock', this.name) + ' is not held by the current task');
  }

  /** @internal Gives it to the next in line, whoever holds it. */
  handOver(): void {
    this.disown();
    const next = this.line.first;
    if (!next) return;
    this.own(next.task);
    next.grant();
  }

  /** @internal For a waiter that stood in another line until now. */
  join(waiter: Waiter): void {
    if (this.owner) this.line.add(waiter);
    else {
      this.own(waiter.task);
      waiter.grant();
    }
  }

  private own(task: AnyTask): void {
    this.owner = task;
    const first = task.locks;
    this.nextHeld = first;
    if (first) first.previousHeld = this;
    task.locks = this;
  }

  private disown(): void {
    const owner = this.owner;
    if (!owner) return;
    const previous = this.previousHeld;
    const next = this.nextHeld;
    if (previous) previous.nextHeld = next;
    else owner.locks = next;
    if (next) next.previousHeld = previous;
    this.previousHeld = this.nextHeld = null;
    this.owner = null;
  }
}

/** @internal */
export class LockWaiter extends Waiter {
  constructor(
    task: AnyTask,
    readonly lock: Lock,
  ) {
    super(task);
  }

  describe(): string {
    return this.lock.describe();
  }

  blockers(): i32 {
    return 1;
  }

  blocker(index: i32): AnyTask | null {
    return this.lock.holder;
  }

  abandoned(): void {
    // At once, not at the end of the task: what it has deferred may want the lock.
    if (this.granted) this.lock.handOver();
    else this.leave();
  }
}
