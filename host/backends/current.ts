/**
 * Which fiber is running, for the whole package: the innermost guest frame on the native stack belongs to it. Set around
 * every stretch of guest code and never across a wait, so that it is right in a host function until its first `await`.
 */
import type { Backend, GuestFunction, Task } from './backend.ts';
import { call } from './call.ts';

export let currentTask: Task | null = null;

/** The backend whose guest was entered last. Differs from the current fiber's inside `sync` calls of another guest. */
export let currentBackend: Backend | null = null;

export function setCurrent(task: Task | null, backend: Backend | null): void {
  currentTask = task;
  currentBackend = backend;
}

/** The same, for a function that takes one number and gives nothing. */
export function callByNumber(task: Task, backend: Backend, enter: (number: number) => void, number: number): void {
  const outerTask = currentTask;
  const outerBackend = currentBackend;
  currentTask = task;
  currentBackend = backend;
  try {
    enter(number);
  } finally {
    currentTask = outerTask;
    currentBackend = outerBackend;
  }
}

/** Calls into the guest of this backend, as this fiber. */
export function callAs(task: Task | null, backend: Backend, fn: GuestFunction, args: readonly unknown[]): unknown {
  const outerTask = currentTask;
  const outerBackend = currentBackend;
  setCurrent(task, backend);
  try {
    return call(fn, args);
  } finally {
    setCurrent(outerTask, outerBackend);
  }
}
