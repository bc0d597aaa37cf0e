/** What the host calls. To be compiled in as an entry file, so that these are exports of the module. */
import { runTask, taskAwaited, taskEnded, taskNotParked, taskWaitsFor } from './task';

export function __fibers_task_run(): void {
  runTask();
}

export function __fibers_task_ended(fiber: i32, state: i32): i32 {
  return taskEnded(fiber, state);
}

export function __fibers_task_not_parked(fiber: i32): void {
  taskNotParked(fiber);
}

export function __fibers_task_waits_for(fiber: i32): usize {
  return taskWaitsFor(fiber);
}

export function __fibers_task_awaited(fiber: i32): bool {
  return taskAwaited(fiber);
}
