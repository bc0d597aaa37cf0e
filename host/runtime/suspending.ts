/**
 * Marks for modules that were not instrumented: nothing in such a module says which imports may return a promise.
 */
import { FiberError } from '../errors.ts';
import type { ImportValue } from './api.ts';

const marked = new WeakSet<(...args: never[]) => unknown>();

/**
 * Says that an import may return a promise, for a module that was not instrumented and runs on an engine with its own
 * stack switching (JSPI). An instrumented module says so itself, and needs no mark.
 *
 * @param fn the host function
 * @returns the same function
 * @throws FiberError `INVALID_OPTION` if it is no function
 */
export function suspending<F extends (...args: never[]) => unknown>(fn: F): F {
  if (typeof fn !== 'function')
    throw new FiberError('INVALID_OPTION', `suspending takes a function, not ${String(fn)}.`);
  marked.add(fn);
  return fn;
}

export function isMarkedSuspending(value: ImportValue): boolean {
  return typeof value === 'function' && marked.has(value);
}
