/**
 * Calling a function so that its failure, its time, or the caller's own end can be dealt with: in a task of its own, since
 * a failure ends the whole task that it happens in.
 */
import { Failure, Result, failureOf } from './result';
import { AnyTask, Task, TaskState, currentTask, spawn } from './task';
import { checkTime } from './waiter';

/** Waits for a task that runs on behalf of another one, and ends with it. */
function waitInside<R>(outer: AnyTask, task: Task<R>, ms: f64): bool {
  outer.inner = task;
  const ended = task.wait(ms);
  outer.inner = null;
  return ended;
}

/**
 * Calls a function and gives what it came to: its value, or the failure that it, or anything that it waited for, ended
 * with. So failures, traps and rejections can be handled, which the language cannot do.
 *
 * The function runs in a task of its own: locks of the caller are not its own, and task-local variables that it sets are
 * not seen by the caller. If the caller is cancelled, so is the function.
 *
 * ```ts
 * const page = tryAwait(download, url);
 * if (!page.ok) console.log('no luck: ' + page.failure!.message);
 * ```
 */
export function tryAwait<A, R = void>(fn: (arg: A) => R, arg: A, name: string = 'tryAwait'): Result<R> {
  // First: what is no task, and cannot wait, starts nothing.
  const outer = currentTask();
  const task = spawn<A, R>(fn, arg, name);
  waitInside<R>(outer, task, -1);
  return task.outcome();
}

/**
 * Calls a function, for at most `ms` milliseconds: then it is cancelled, its deferred functions run, and the result is the
 * failure `TIMEOUT`. Other failures are in the result too, as with `tryAwait`.
 *
 * ```ts
 * const page = timeout(2000, download, url);
 * if (!page.ok && page.failure!.code == 'TIMEOUT') useCached(url);
 * ```
 */
export function timeout<A, R = void>(ms: f64, fn: (arg: A) => R, arg: A, name: string = 'timeout'): Result<R> {
  checkTime(ms);
  const limit = max(ms, 0);
  const outer = currentTask();
  const task = spawn<A, R>(fn, arg, name);
  // Even without any time it may run up to its first wait.
  if (waitInside<R>(outer, task, limit > 0 ? limit : f64.MIN_VALUE)) return task.outcome();
  const cut = task.cancel('timeout');
  waitInside<R>(outer, task, -1);
  if (!cut || task.state != TaskState.CANCELLED) return task.outcome();
  const result = new Result<R>();
  const whole = ms == floor(ms) && ms < 1e15;
  const text = whole ? (<i64>ms).toString() : ms.toString();
  result.failure = failureOf('TIMEOUT', 'the time limit of ' + text + ' ms is over');
  return result;
}

/**
 * Calls a function that goes on to its end even if the caller is cancelled while it waits for it.
 *
 * ```ts
 * shield(commit, transaction);
 * ```
 */
export function shield<A, R = void>(fn: (arg: A) => R, arg: A, name: string = 'shield'): R {
  currentTask();
  return spawn<A, R>(fn, arg, name).result();
}
