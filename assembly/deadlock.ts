/**
 * Tasks that wait for each other for ever. Who waits for a task, or for the lock of one, is known to wait for it; who waits
 * for a queue, an event or a time may be woken by anybody. A task is stuck if it waits for another one that is stuck: for
 * all of several, if one is; for any of several, if all are. This is asked when a wait begins: the last wait that closes a
 * cycle is begun by the one that asks. And it is asked of who waits for all of several or the failure of one, whenever one
 * of them ends.
 *
 * Waits with a time limit end by themselves and are no part of a deadlock. Of waits in host functions the host knows
 * those for other fibers (`waitsFor`).
 */
import * as host from './host';
import { AnyTask, taskOf } from './task';
import { Waiter } from './waiter';

let search: u32 = 0;

/** @internal Fails the task that is about to wait if it would wait for ever. */
export function refuseDeadlock(waiter: Waiter): void {
  if (isStuck(waiter)) host.refuse('DEADLOCK', explainDeadlock(waiter));
}

/** @internal */
export function isStuck(waiter: Waiter): bool {
  const start = waiter.task;
  search++;
  // Nearly always somebody is near who may go on, or there is but one way. Else all ways are to be known.
  return !leadsOut(start, start, 0) && isStuckInGraph(start);
}

/** So many tasks that wait for several may lie one behind the other. */
const DEEPEST = 32;

/**
 * Is there somebody who may go on, and whose end will let this task go on? Of any of several the last is asked, which
 * has begun last. What was seen before is not asked again: the answer no is a guess, yes is not.
 */
function leadsOut(from: AnyTask, start: AnyTask, depth: i32): bool {
  let task = from;
  while (task.mark != search) {
    task.mark = search;
    task.stuck = true;
    if (isFree(task, start)) {
      task.stuck = from.stuck = false;
      return true;
    }
    const several = blockersOf(task);
    if (several > 1) {
      if (depth == DEEPEST || !oneOfLeadsOut(task, several, start, depth)) return false;
      task.stuck = from.stuck = false;
      return true;
    }
    const next = blockerOf(task, 0);
    // What it waited for is over, and it is about to be told.
    if (!next) return true;
    task = next;
  }
  if (!task.stuck) from.stuck = false;
  return !task.stuck;
}

function oneOfLeadsOut(task: AnyTask, several: i32, start: AnyTask, depth: i32): bool {
  const wait = task.waiter;
  const all = wait ? wait.needsAll() : true;
  for (let b = several - 1; b >= 0; b--) {
    const next = blockerOf(task, b);
    if (!next) continue;
    const out = leadsOut(next, start, depth + 1);
    if (!all || !out) return out;
  }
  return true;
}

/** May the task go on by itself, or whoever it waits for be anybody? */
function isFree(task: AnyTask, start: AnyTask): bool {
  if (task.done) return true;
  const wait = task.waiter;
  if (wait && wait.blockers() == 0) return true;
  if (task != start && ((wait && (wait.granted || wait.timed)) || host.cancelled(task.fiber))) return true;
  return !wait && hostTarget(task) == null;
}

function hostTarget(task: AnyTask): AnyTask | null {
  return task.started ? taskOf(host.waitsFor(task.fiber)) : null;
}

function isStuckInGraph(start: AnyTask): bool {
  const mark = ++search;
  const nodes: AnyTask[] = [start];
  start.mark = mark;
  for (let i = 0; i < nodes.length; i++) {
    const task = nodes[i];
    task.stuck = !isFree(task, start);
    if (!task.stuck) continue;
    for (let b = 0; b < blockersOf(task); b++) {
      const next = blockerOf(task, b);
      if (!next || next.mark == mark) continue;
      next.mark = mark;
      nodes.push(next);
    }
  }
  let changed: bool;
  do {
    changed = false;
    // From the far end: who lets others go on was mostly found after them.
    for (let i = nodes.length - 1; i >= 0; i--) {
      if (nodes[i].stuck && canGoOn(nodes[i])) {
        nodes[i].stuck = false;
        changed = true;
      }
    }
  } while (changed);
  return start.stuck;
}

function canGoOn(task: AnyTask): bool {
  const wait = task.waiter;
  const all = wait ? wait.needsAll() : true;
  let none = true;
  for (let b = 0; b < blockersOf(task); b++) {
    const next = blockerOf(task, b);
    if (!next) continue;
    if (next.stuck == all) return !all;
    none = false;
  }
  // What it waited for is over, and it is about to be told.
  return all || none;
}

function blockersOf(task: AnyTask): i32 {
  const wait = task.waiter;
  return wait ? wait.blockers() : 1;
}

function blockerOf(task: AnyTask, index: i32): AnyTask | null {
  const wait = task.waiter;
  return wait ? wait.blocker(index) : hostTarget(task);
}

/** @internal */
export function explainDeadlock(waiter: Waiter): string {
  isStuckInGraph(waiter.task);
  const mark = ++search;
  let text = '';
  let task: AnyTask | null = waiter.task;
  while (task && task.mark != mark) {
    task.mark = mark;
    const wait = task.waiter;
    const next = firstStuck(task);
    if (text.length > 0) text += ', ';
    text += task.toString() + ' waits for ';
    text += wait ? wait.describe() : next ? next.toString() + ' in a host function' : 'itself';
    task = next;
  }
  return 'The wait would never end: ' + text + '.';
}

function firstStuck(task: AnyTask): AnyTask | null {
  for (let b = 0; b < blockersOf(task); b++) {
    const next = blockerOf(task, b);
    if (next && next.stuck) return next;
  }
  return null;
}
