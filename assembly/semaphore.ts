/** At most so many at once. */
import { Call } from './call';
import { AnyTask, currentTask, dropDeferred, pushDeferred } from './task';
import { Line, Waiter, checkTime, label } from './waiter';

/**
 * A number of permits. Who finds none waits; permits that are given back go to those who wait, in the order of their
 * arrival.
 *
 * A permit belongs to nobody: if a task is cancelled or traps between `acquire` and `release`, it is lost.
 * `runExclusive` gives it back in every case.
 *
 * ```ts
 * const connections = new Semaphore(4);
 *
 * function fetchPage(url: string): string {
 *   return connections.runExclusive(download, url);
 * }
 * ```
 */
export class Semaphore {
  private line: Line = new Line();

  /**
   * @param permits how many there are to begin with
   * @param name for people
   */
  constructor(
    private permits: i32,
    readonly name: string = '',
  ) {
    if (permits < 0) throw new Error('a semaphore has 0 permits or more');
  }

  /** Permits that are free. */
  get available(): i32 {
    return this.permits;
  }

  /** Waits for a permit and takes it. */
  acquire(): void {
    if (this.permits > 0) this.permits--;
    else this.wait(-1);
  }

  /**
   * Waits for a permit for at most `timeout` milliseconds, and takes it.
   *
   * @param timeout in milliseconds; 0 (the default) only tries
   * @returns whether it was taken
   */
  tryAcquire(timeout: f64 = 0): bool {
    checkTime(timeout);
    if (this.permits > 0) {
      this.permits--;
      return true;
    }
    return timeout != 0 && this.wait(timeout);
  }

  /** Gives permits back, or adds new ones. */
  release(count: i32 = 1): void {
    while (count-- > 0) {
      const next = this.line.first;
      if (next) next.grant();
      else this.permits++;
    }
  }

  /** Calls a function with a permit, which is given back however the function ends. */
  // @ts-ignore: asc knows that one of the branches returns
  runExclusive<A, R = void>(fn: (arg: A) => R, arg: A): R {
    // First: what is no task takes no permit.
    const task = currentTask();
    this.acquire();
    const end = new Release(this);
    pushDeferred(task, end);
    if (isVoid<R>()) {
      fn(arg);
      dropDeferred(task, end);
      this.release();
    } else {
      const result = fn(arg);
      dropDeferred(task, end);
      this.release();
      return result;
    }
  }

  private wait(ms: f64): bool {
    const waiter = new PermitWaiter(currentTask(), this);
    this.line.add(waiter);
    return waiter.park(ms);
  }
}

class PermitWaiter extends Waiter {
  constructor(
    task: AnyTask,
    private readonly semaphore: Semaphore,
  ) {
    super(task);
  }

  describe(): string {
    return label('semaphore', this.semaphore.name);
  }

  abandoned(): void {
    if (this.granted) this.semaphore.release();
    else this.leave();
  }
}

class Release extends Call {
  constructor(private readonly semaphore: Semaphore) {
    super();
  }

  run(): void {
    this.semaphore.release();
  }
}
