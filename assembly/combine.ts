/** Waiting for several tasks. */
import { JoinWaiter } from './join';
import { Result } from './result';
import { Task, TaskState, currentTask } from './task';

/** If several fail, one error is enough. */
function lookAt<R>(tasks: Task<R>[]): void {
  for (let i = 0; i < tasks.length; i++) tasks[i].lookAt();
}

/** Waits until all have ended or, if `eager`, one has failed. */
function joinAll<R>(tasks: Task<R>[], eager: bool): void {
  let pending = 0;
  lookAt(tasks);
  for (let i = 0; i < tasks.length; i++) {
    if (!tasks[i].done) pending++;
    else if (eager && tasks[i].state != TaskState.DONE) return;
  }
  if (pending == 0) return;
  const waiter = new JoinWaiter(currentTask(), pending, eager, true);
  for (let i = 0; i < tasks.length; i++) if (!tasks[i].done) waiter.watch(tasks[i]);
  waiter.park(-1);
}

/**
 * Waits for all tasks and gives their results in the order of the list. If one fails or is cancelled, so does the task
 * that asks, at once and with the same error; the others go on, and what they fail with is not reported.
 *
 * ```ts
 * const sizes = gather(urls.map<Task<i32>>(url => spawn(download, url)));
 * ```
 */
export function gather<R>(tasks: Task<R>[]): R[] {
  waitAll(tasks);
  const results = new Array<R>();
  for (let i = 0; i < tasks.length; i++) results.push(tasks[i].result());
  return results;
}

/**
 * Waits for all tasks, whose results may be `void`. If one fails or is cancelled, so does the task that asks, at once and
 * with the same error; the others go on.
 *
 * ```ts
 * waitAll([spawn(copy, 'a'), spawn(copy, 'b')]);
 * ```
 */
export function waitAll<R>(tasks: Task<R>[]): void {
  joinAll(tasks, true);
  for (let i = 0; i < tasks.length; i++) {
    const task = tasks[i];
    if (task.done && task.state != TaskState.DONE) task.result();
  }
}

/**
 * Waits until all tasks have ended, and gives what each came to, in the order of the list. Never fails because one did.
 *
 * ```ts
 * const outcomes = gatherResults(tasks);
 * for (let i = 0; i < outcomes.length; i++) if (!outcomes[i].ok) retry(i);
 * ```
 */
export function gatherResults<R>(tasks: Task<R>[]): Result<R>[] {
  joinAll(tasks, false);
  const results = new Array<Result<R>>();
  for (let i = 0; i < tasks.length; i++) results.push(tasks[i].outcome());
  return results;
}

/**
 * Waits until one of the tasks has ended, however it ended, and gives that task. The others go on; what they fail with is
 * not reported.
 *
 * ```ts
 * const winner = firstOf(downloads);
 * for (let i = 0; i < downloads.length; i++) if (downloads[i] != winner) downloads[i].cancel();
 * ```
 */
export function firstOf<R>(tasks: Task<R>[]): Task<R> {
  if (tasks.length == 0) throw new Error('firstOf and race need a task');
  lookAt(tasks);
  for (let i = 0; i < tasks.length; i++) if (tasks[i].done) return tasks[i];
  const waiter = new JoinWaiter(currentTask(), 1, false, false);
  for (let i = 0; i < tasks.length; i++) waiter.watch(tasks[i]);
  waiter.park(-1);
  return changetype<Task<R>>(waiter.winner);
}

/**
 * Waits until one of the tasks has ended and gives its result; if it failed, so does the task that asks. The others go on.
 *
 * ```ts
 * const fastest = race([spawn(download, mirrorA), spawn(download, mirrorB)]);
 * ```
 */
export function race<R>(tasks: Task<R>[]): R {
  return firstOf(tasks).result();
}
