/** Waiting for tasks to end: for one, for all, or for the first of several. */
import { explainDeadlock, isStuck } from './deadlock';
import * as host from './host';
import { AnyTask, TaskState } from './task';
import { Waiter } from './waiter';

/** @internal A task that a waiter waits for, in the line of those who wait for that task. */
export class Watch {
  next: Watch | null = null;
  previous: Watch | null = null;

  constructor(
    readonly task: AnyTask,
    readonly waiter: JoinWaiter,
    /** Another one of the same waiter. */
    readonly other: Watch | null,
  ) {
    const last = task.lastWatch;
    this.previous = last;
    if (last) last.next = this;
    else task.firstWatch = this;
    task.lastWatch = this;
  }

  remove(): void {
    const task = this.task;
    const previous = this.previous;
    const next = this.next;
    if (previous) previous.next = next;
    else if (task.firstWatch == this) task.firstWatch = next;
    else return;
    if (next) next.previous = previous;
    else task.lastWatch = previous;
    this.next = this.previous = null;
  }
}

/**
 * Ends when as many tasks have ended as are needed or, if `eager`, when one of them has failed.
 *
 * @internal
 */
export class JoinWaiter extends Waiter {
  private watches: Watch | null = null;
  private count: i32 = 0;
  /** The task whose end ended the wait. */
  winner: AnyTask | null = null;
  /** The sentence to fail with. */
  private deadlock: string | null = null;

  constructor(
    task: AnyTask,
    private needed: i32,
    private readonly eager: bool,
    private readonly all: bool,
  ) {
    super(task);
  }

  watch(task: AnyTask): this {
    this.watches = new Watch(task, this, this.watches);
    this.count++;
    return this;
  }

  /** One of them has ended. */
  ended(task: AnyTask): void {
    if (this.granted) return;
    if (--this.needed == 0 || (this.eager && task.state != TaskState.DONE)) {
      this.winner = task;
      this.grant();
    } else if (this.eager && !this.timed && this.needed == 1 && isStuck(this)) {
      // While there were two, the failure of one could have ended the wait.
      this.deadlock = explainDeadlock(this);
      this.grant();
    }
  }

  park(ms: f64): bool {
    const granted = super.park(ms);
    this.unwatch();
    const deadlock = this.deadlock;
    if (deadlock) host.refuse('DEADLOCK', deadlock);
    return granted;
  }

  abandoned(): void {
    this.unwatch();
  }

  private unwatch(): void {
    let watch = this.watches;
    while (watch) {
      watch.remove();
      watch = watch.other;
    }
  }

  describe(): string {
    let text = '';
    let named = 0;
    let more = 0;
    for (let i = 0; i < this.count; i++) {
      const task = this.at(i).task;
      if (task.done) continue;
      if (++named <= 3) text += (named > 1 ? (this.all ? ' and ' : ' or ') : '') + task.toString();
      else more++;
    }
    return more > 0 ? text + ' and ' + more.toString() + ' more' : text;
  }

  blockers(): i32 {
    return this.count;
  }

  blocker(index: i32): AnyTask | null {
    const task = this.at(index).task;
    return task.done ? null : task;
  }

  needsAll(): bool {
    return this.all && !this.eager;
  }

  onlyTarget(): i32 {
    return this.count == 1 ? this.at(0).task.fiber : 0;
  }

  /** In the order in which they were added. */
  private at(index: i32): Watch {
    let watch = <Watch>this.watches;
    for (let i = this.count - 1; i > index; i--) watch = <Watch>watch.other;
    return watch;
  }
}
