/**
 * One wait of one task, and the lines in which they stand. Everything that waits in this library is built of these two.
 *
 *     new -> in a line -> parked -> granted -> resumed
 *                           |         |
 *                           |         +-> abandoned: the task was cancelled after all, what it got goes back
 *                           +-> resumed, not granted: the time is over
 *                           +-> abandoned
 *
 * What holds:
 * - Whoever grants a wait hands over what was waited for (ownership, permit, item) in the same moment. So nobody can come
 *   between, and waiting is fair: first come, first served.
 * - Whether a wait succeeded is decided in the guest, by `granted`, whichever of the host's timer and `wake` was first.
 * - A task that is cancelled in a wait never returns from `park`: then `abandoned` undoes what the wait has done.
 */
import { refuseDeadlock } from './deadlock';
import * as host from './host';
import { Storage } from './storage';
import { AnyTask } from './task';

/** @internal */
export abstract class Waiter extends Storage {
  next: Waiter | null = null;
  previous: Waiter | null = null;
  /** The line in which it stands. */
  line: Line | null = null;
  granted: bool = false;
  /** It ends by itself. */
  timed: bool = false;

  constructor(readonly task: AnyTask) {
    super();
  }

  /** For people: "lock 'db'". */
  abstract describe(): string;

  /** How many tasks are known without one of which this wait cannot end; 0 if anybody may end it. */
  blockers(): i32 {
    return 0;
  }

  blocker(index: i32): AnyTask | null {
    return null;
  }

  /** Are all of them needed, not just one? */
  needsAll(): bool {
    return false;
  }

  /** The task ended without coming back from `park`. */
  abandoned(): void {
    this.leave();
  }

  /** The time is over. */
  expired(): void {
    this.leave();
  }

  /** Waits; false if it was not granted within `ms` milliseconds. A negative number is no limit. */
  park(ms: f64): bool {
    const task = this.task;
    const timed = ms >= 0 && ms < Infinity;
    this.timed = timed;
    task.waiter = this;
    let target = 0;
    if (!timed) {
      ms = -1;
      if (this.blockers() > 0) {
        refuseDeadlock(this);
        target = this.onlyTarget();
      }
    }
    host.park(ms, target);
    task.waiter = null;
    if (!this.granted) this.expired();
    return this.granted;
  }

  /** The fiber whose end alone ends this wait. */
  onlyTarget(): i32 {
    return 0;
  }

  grant(): void {
    this.granted = true;
    this.leave();
    host.wake(this.task.fiber);
  }

  leave(): void {
    const line = this.line;
    if (line) line.remove(this);
  }
}

/**
 * Waiters in the order of their arrival.
 *
 * @internal
 */
export class Line {
  first: Waiter | null = null;
  last: Waiter | null = null;

  add(waiter: Waiter): void {
    const last = this.last;
    waiter.line = this;
    waiter.previous = last;
    if (last) last.next = waiter;
    else this.first = waiter;
    this.last = waiter;
  }

  remove(waiter: Waiter): void {
    const previous = waiter.previous;
    const next = waiter.next;
    if (previous) previous.next = next;
    else this.first = next;
    if (next) next.previous = previous;
    else this.last = previous;
    waiter.previous = waiter.next = null;
    waiter.line = null;
  }
}

/** @internal A wait for whatever may come. */
export class PlainWaiter extends Waiter {
  constructor(
    task: AnyTask,
    readonly what: string,
  ) {
    super(task);
  }

  describe(): string {
    return this.what;
  }
}

/** @internal "lock 'db'" */
export function label(kind: string, name: string): string {
  return name.length > 0 ? kind + " '" + name + "'" : 'a ' + kind;
}

/** @internal Fails the task that asks if a time limit is not a number. */
export function checkTime(ms: f64): void {
  if (isNaN(ms)) throw new Error('a number of milliseconds is expected, not NaN');
}
