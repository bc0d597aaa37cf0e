/**
 * Tasks: functions that run beside each other, each on a stack of its own. A task is a fiber of the host; what is here is
 * what the guest knows of it. The embedder's own calls are tasks too, from the moment in which they ask.
 *
 *     pending ----> done | failed | cancelled
 *             \      its own epilogue
 *              `-> cleaning up    in another fiber, if it failed or was cancelled and has deferred something
 *
 * What holds:
 * - `live` holds each task whose fiber has not ended, under the id of that fiber, and no other. A task that has ended is
 *   held by whoever holds it, and by nobody else.
 * - A fiber that fails or is cancelled runs none of the guest's code any more. The host tells, by `taskEnded`, and
 *   everything that the task would have done at its end is done there.
 * - A task has ended, for those who wait for it, when its deferred functions have.
 */
import { Call, PlainCall, TaskCall, TaskStart } from './call';
import * as host from './host';
import { JoinWaiter, Watch } from './join';
import { Lock } from './lock';
import { Awaitable } from './future';
import { Context, inherited } from './task-local';
import { ErrorHandle, Failure, Result, failureOf } from './result';
import { Storage, take } from './storage';
import { Waiter, checkTime } from './waiter';

/** How far a task has come. */
export enum TaskState {
  /** It has not ended: it waits to begin, runs, waits for something, or cleans up. */
  PENDING,
  /** It has returned. */
  DONE,
  /** It trapped, threw, or something that it waited for failed. */
  FAILED,
  /** It was cancelled, by `cancel` or by the embedder. */
  CANCELLED,
}

/** The tasks whose fibers are alive, by the fiber's id. */
const live = new Map<i32, AnyTask>();

/** A task, whatever its result: what `currentTask()` gives. */
export class AnyTask extends Storage {
  /** Where it stands. */
  state: TaskState = TaskState.PENDING;

  /** @internal The fiber that it began as. */
  firstFiber: i32 = 0;
  /** @internal The fiber that runs it: after a failure, the one that cleans up. */
  fiber: i32 = 0;
  /** @internal The function that it runs; null for a call of the embedder. */
  body: Call | null = null;
  /** @internal What to do at its end, last in first. */
  deferred: Call | null = null;
  /** @internal The body has ended, and how. */
  outcomeState: TaskState = TaskState.PENDING;
  /** @internal What it waits for in this library. */
  waiter: Waiter | null = null;
  /** @internal Those who wait for it. */
  firstWatch: Watch | null = null;
  lastWatch: Watch | null = null;
  /** @internal A task that runs on its behalf, and is cancelled with it. */
  inner: AnyTask | null = null;
  /** @internal The locks that it holds. */
  locks: Lock | null = null;
  /** @internal The values of task-local variables. */
  context: Context | null = null;
  /** @internal What it failed with. */
  error: ErrorHandle | null = null;
  /** @internal When it was last seen by a search. */
  mark: u32 = 0;
  stuck: bool = false;
  /** @internal It has begun to run. */
  started: bool = false;
  /** @internal Its failure is known to somebody who does not ask for it: one of several in `gather` or `race`. */
  looked: bool = false;

  constructor(private givenName: string) {
    super();
  }

  /** Unique in this guest, and the id of the fiber in `guest.dump()`. */
  get id(): i32 {
    return this.firstFiber;
  }

  /** For people: as given at `spawn`, else `task`; of a call of the embedder, the name of its fiber. */
  get name(): string {
    return this.givenName.length > 0 ? this.givenName : 'task';
  }

  /** Has it ended? */
  get done(): bool {
    return this.state != TaskState.PENDING;
  }

  /** Why it failed or was cancelled; null otherwise. Whoever reads this has seen the failure: it is not reported. */
  get failure(): Failure | null {
    const error = this.done ? this.error : null;
    return error ? error.failure() : null;
  }

  /**
   * Waits until the task has ended, however it ends, for at most `timeout` milliseconds.
   *
   * ```ts
   * if (!task.wait(500)) task.cancel('too slow');
   * ```
   *
   * @param timeout in milliseconds; 0 only asks, a negative number (the default) is no limit
   * @returns whether it has ended
   */
  wait(timeout: f64 = -1): bool {
    checkTime(timeout);
    if (this.done) return true;
    if (timeout == 0) return false;
    return new JoinWaiter(currentTask(), 1, false, false).watch(this).park(timeout);
  }

  /**
   * Ends the task: where it waits, or at its next wait. Its deferred functions run, and its locks are released. Nothing of
   * it runs before this returns.
   *
   * ```ts
   * const loser = spawn(download, mirror);
   * loser.cancel('another mirror was faster');
   * ```
   *
   * @param reason for people; the `cause` of the error with which the embedder sees it end
   * @returns false if it had ended or was cancelled before
   */
  cancel(reason: string = ''): bool {
    if (this.outcomeState != TaskState.PENDING) return false;
    return host.cancel(this.fiber, changetype<usize>(reason)) != 0;
  }

  /** @internal */
  lookAt(): void {
    this.looked = true;
    const error = this.error;
    if (error) host.text(error.fiber, host.CODE, 0);
  }

  toString(): string {
    return '#' + this.id.toString() + ' (' + this.name + ')';
  }

  /** @internal Starts its fiber. */
  begin(body: Call): void {
    this.body = body;
    this.context = inherited();
    const fiber = host.spawn(this.givenName.length > 0 ? changetype<usize>(this.givenName) : 0);
    this.firstFiber = this.fiber = fiber;
    live.set(fiber, this);
  }

  /** @internal Makes this the task of a fiber that the embedder has started. */
  adopt(fiber: i32): void {
    this.firstFiber = this.fiber = fiber;
    this.started = true;
    live.set(fiber, this);
    host.adopt(fiber);
  }

  /** @internal The body has ended. */
  ended(state: TaskState): void {
    this.outcomeState = state;
    this.body = null;
  }

  /** @internal Everything has ended: lets go of what it held, and tells those who wait. */
  finish(): void {
    live.delete(this.fiber);
    for (let lock = this.locks; lock; lock = this.locks) lock.handOver();
    this.context = null;
    this.state = this.outcomeState;
    let firstUnsure: Watch | null = null;
    let lastUnsure: Watch | null = null;
    for (let watch = this.firstWatch; watch; watch = this.firstWatch) {
      watch.remove();
      watch.waiter.ended(watch);
      if (!watch.waiter.unsure) continue;
      if (lastUnsure) lastUnsure.next = watch;
      else firstUnsure = watch;
      lastUnsure = watch;
    }
    // Only now it is known who goes on.
    while (firstUnsure) {
      firstUnsure.waiter.failIfStuck();
      firstUnsure = firstUnsure.next;
    }
  }
}

/** A task with a result of type `R`, which may be `void`. Made by `spawn` and `start`. */
export class Task<R> extends AnyTask implements Awaitable<R> {
  /**
   * Waits until the task has ended and gives what it returned. If it failed or was cancelled, so does the task that asks,
   * with the same error: it arrives at the embedder as the very object that it was. `outcome` never fails.
   *
   * ```ts
   * const task = spawn(square, 7);
   * const value = task.result(); // 49
   * ```
   *
   * @throws `DEADLOCK` if the task waits, directly or not, for the one that asks
   */
  result(): R {
    if (!this.done) this.wait();
    if (this.state != TaskState.DONE) {
      const error = this.error;
      if (error) error.raise();
    }
    // @ts-ignore: void has no value
    if (isVoid<R>()) return;
    else return take<R>(this);
  }

  /**
   * Waits until the task has ended, and gives its result or its failure. Never fails because the task did.
   *
   * ```ts
   * const outcome = task.outcome();
   * if (!outcome.ok) console.log(outcome.failure!.message);
   * ```
   */
  outcome(): Result<R> {
    if (!this.done) this.wait();
    const result = new Result<R>();
    const error = this.error;
    if (this.state == TaskState.DONE) {
      result.ok = true;
      result.bits = this.bits;
      result.ref = this.ref;
    } else if (error) {
      result.failure = error.failure();
      result.source = error;
    } else result.failure = failureOf('CANCELLED', 'The task was cancelled.');
    return result;
  }
}

/** A call of the embedder. */
class Outer extends AnyTask {
  // @ts-ignore: the name is asked for when it is needed
  get name(): string {
    return this.done ? 'call' : host.read(this.id, host.NAME);
  }
}

/**
 * Starts a function as a task. It begins when the one that runs now waits or ends.
 *
 * ```ts
 * function download(url: string): i32 { ... }
 *
 * const task = spawn(download, 'https://example.org', 'front page');
 * const bytes = task.result();
 * ```
 *
 * @param fn a function of one parameter; without a parameter, see `start`
 * @param arg its argument; for several values, make a class of them
 * @param name for people: in `guest.dump()`, in deadlocks
 */
export function spawn<A, R = void>(fn: (arg: A) => R, arg: A, name: string = ''): Task<R> {
  const task = new Task<R>(name);
  task.begin(new TaskCall<A, R>(task, fn, arg));
  return task;
}

/**
 * Starts a function without parameters as a task; `spawn` is the form with one.
 *
 * ```ts
 * const heartbeat = start(beat, 'heartbeat');
 * ```
 */
export function start<R = void>(fn: () => R, name: string = ''): Task<R> {
  const task = new Task<R>(name);
  task.begin(new TaskStart<R>(task, fn));
  return task;
}

/**
 * The task that runs now: one made by `spawn` or `start`, or the call of the embedder.
 *
 * ```ts
 * console.log('in ' + currentTask().name);
 * ```
 *
 * @throws `NO_FIBER` in a call through `guest.sync`
 */
export function currentTask(): AnyTask {
  const fiber = host.current();
  if (live.has(fiber)) return live.get(fiber);
  if (!fiber) host.refuse('NO_FIBER', 'There is no current task: the guest was called through guest.sync.');
  const task = new Outer('call');
  task.adopt(fiber);
  return task;
}

/** @internal The task of a fiber, if it is known as one. */
export function taskOf(fiber: i32): AnyTask | null {
  return live.has(fiber) ? live.get(fiber) : null;
}

/**
 * Has the current task been cancelled? It ends at its next wait; what computes for long and never waits asks this.
 *
 * ```ts
 * for (let i = 0; i < rows && !cancelled(); i++) compute(i);
 * ```
 */
export function cancelled(): bool {
  return host.cancelled(host.current()) != 0;
}

/**
 * Runs a function when the current task ends, however it ends: it returns, traps, throws or is cancelled. What was deferred
 * last runs first. It may wait; after a failure or a cancellation it runs in a fiber of its own, as the same task: its
 * locks are still held, and task-local variables have their values. Those who wait for the task wait for it as well, but
 * not the embedder: its own call has ended for it before what the call has deferred begins.
 *
 * It does not run when the guest is disposed of or poisoned.
 *
 * ```ts
 * const file = open(path);
 * defer(close, file);
 * ```
 */
export function defer<A>(fn: (arg: A) => void, arg: A): void {
  pushDeferred(currentTask(), new PlainCall<A>(fn, arg));
}

/** @internal */
export function pushDeferred(task: AnyTask, call: Call): void {
  call.next = task.deferred;
  task.deferred = call;
}

/** @internal Takes one out, before its time or when it comes. */
export function dropDeferred(task: AnyTask, call: Call): void {
  let before: Call | null = null;
  let each = task.deferred;
  while (each && each != call) {
    before = each;
    each = each.next;
  }
  if (!each) return;
  if (before) before.next = each.next;
  else task.deferred = each.next;
}

function runDeferred(task: AnyTask): void {
  for (let call = task.deferred; call; call = task.deferred) {
    // Before it runs: if it fails, the next one's turn has come.
    task.deferred = call.next;
    call.run();
  }
}

/** The whole of a task's fiber. */
export function runTask(): void {
  const task = live.get(host.current());
  task.started = true;
  if (task.outcomeState == TaskState.PENDING) {
    const body = task.body;
    if (body) body.run();
    // What was cancelled and never waited again has returned, but counts as cancelled: the host will tell.
    if (host.cancelled(task.fiber)) return;
    if (task.deferred) {
      runDeferred(task);
      if (host.cancelled(task.fiber)) return;
    }
    task.ended(TaskState.DONE);
  } else runDeferred(task);
  task.finish();
}

const KEPT = 1;
const SEEN = 2;

/**
 * A fiber has ended that did not do so by the end of `runTask`.
 *
 * @param state `DONE` for a call of the embedder that returned
 * @returns `KEPT` if the guest can still ask for the error of this fiber, and will say when it cannot any more; and `SEEN`
 */
export function taskEnded(fiber: i32, state: TaskState): i32 {
  if (!live.has(fiber)) return 0;
  const task = live.get(fiber);
  let flags = 0;
  const waiter = task.waiter;
  if (waiter) {
    task.waiter = null;
    waiter.abandoned();
  }
  const inner = task.inner;
  if (inner) {
    task.inner = null;
    inner.cancel('the task that it ran for has ended');
  }
  if (task.outcomeState == TaskState.PENDING) {
    task.ended(state);
    if (state != TaskState.DONE) {
      task.error = new ErrorHandle(fiber);
      flags = KEPT | (task.looked ? SEEN : 0);
    }
  }
  if (task.deferred) {
    const cleanup = host.spawnCleanup();
    if (cleanup) {
      live.delete(fiber);
      task.fiber = cleanup;
      live.set(cleanup, task);
      return flags;
    }
    task.deferred = null;
  }
  task.finish();
  return flags;
}

/** The task of this fiber wanted to wait where nobody can, and goes on. */
export function taskNotParked(fiber: i32): void {
  const task = taskOf(fiber);
  const waiter = task ? task.waiter : null;
  if (!task || !waiter) return;
  task.waiter = null;
  waiter.abandoned();
}

/** The address of a text that says what the task of a parked fiber waits for. */
export function taskWaitsFor(fiber: i32): usize {
  const task = taskOf(fiber);
  const waiter = task ? task.waiter : null;
  // What parks without a waiter is `sleep`.
  return changetype<usize>(waiter ? waiter.describe() : 'the end of its sleep');
}

/** Do others wait for the task of this fiber? */
export function taskAwaited(fiber: i32): bool {
  const task = taskOf(fiber);
  return task != null && task.firstWatch != null;
}
