/** Waiting for tasks to end: for one, for all, or for the first of several. */
import { explainDeadlock, isStuck } from './deadlock';
import * as host from './host';
import { AnyTask, TaskState } from './task';
import { Waiter } from './waiter';

/** @internal A task that a waiter waits for, in the line of those who wait for that task. */
export class Watch {
  next: Watch | null = null;
  previous: Watch | null = null;
  /** The waiter knows that the task has ended. */
  told: bool = false;

  constructor(
    readonly task: AnyTask,
    readonly waiter: JoinWaiter,
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
  /** In the order in which they were added. */
  private watches: Watch[] = [];
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
    this.watches.push(new Watch(task, this));
    return this;
  }

  /** One of them has ended. */
  ended(watch: Watch): void {
    const task = watch.task;
    watch.told = true;
    if (this.granted) return;
    if (--this.needed == 0 || (this.eager && task.state != TaskState.DONE)) {
      this.winner = task;
      this.grant();
    }
  }

  /** Could the failure of the one that has ended have been the only end of this wait? */
  get unsure(): bool {
    return this.eager && !this.granted && !this.timed;
  }

  /** When all who waited for it have been told. */
  failIfStuck(): void {
    if (!this.unsure || !isStuck(this)) return;
    this.deadlock = explainDeadlock(this);
    this.grant();
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
    const watches = this.watches;
    for (let i = 0; i < watches.length; i++) watches[i].remove();
  }

  describe(): string {
    let text = '';
    let named = 0;
    let more = 0;
    for (let i = 0; i < this.watches.length; i++) {
      const task = this.watches[i].task;
      if (task.done) continue;
      if (++named <= 3) text += (named > 1 ? (this.all ? ' and ' : ' or ') : '') + task.toString();
      else more++;
    }
    return more > 0 ? text + ' and ' + more.toString() + ' more' : text;
  }

  blockers(): i32 {
    // The search begins with the last one: it should be one that is still waited for.
    const watches = this.watches;
    while (watches.length > 1 && watches[watches.length - 1].told) watches.pop();
    return watches.length;
  }

  blocker(index: i32): AnyTask | null {
    const watch = this.watches[index];
    return watch.told ? null : watch.task;
  }

  needsAll(): bool {
    return this.all && !this.eager;
  }

  onlyTarget(): i32 {
    return this.watches.length == 1 ? this.watches[0].task.fiber : 0;
  }
}
