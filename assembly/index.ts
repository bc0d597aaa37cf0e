/**
 * The guest library: synchronous code that waits, in tasks that run beside each other.
 *
 * ```ts
 * import { gather, sleep, spawn, Task } from 'wasm-fibers/assembly';
 *
 * function slowly(x: i32): i32 {
 *   sleep(100);
 *   return x * x;
 * }
 *
 * export function squares(): i32[] {
 *   return gather([spawn(slowly, 2), spawn(slowly, 3)]); // after 100 ms, not 200
 * }
 * ```
 */
export { AnyTask, Task, TaskState, cancelled, currentTask, defer, spawn, start } from './task';
export { firstOf, gather, gatherResults, race, waitAll } from './combine';
export { shield, timeout, tryAwait } from './guard';
export { sleep, yield_ } from './time';
export { Failure, Result, failed, succeeded } from './result';
export { Awaitable, Future, runUntilComplete } from './future';
export { Event } from './event';
export { Lock } from './lock';
export { Semaphore } from './semaphore';
export { Condition } from './condition';
export { Queue } from './queue';
export { Channel } from './channel';
export { TaskLocal } from './task-local';
