/**
 * Host functions that stay in the middle of the stack: guest -> host function -> guest -> import that waits. Such a
 * function is passed twice by every suspension, once outwards and once inwards, and JavaScript frames cannot be put
 * aside. Two ways to write one:
 *
 * - a generator, given to `reentrant`: it is kept while the guest is suspended and entered once;
 * - a plain function, as in unmodified Emscripten glue (`invoke_*`): it returns rubbish while the guest unwinds, which
 *   nobody looks at, and is executed again on the way in. What it did before the inner call is done again.
 *
 * Any other host function with a guest call inside refuses to be passed (`HOST_FRAME`): executing it again unasked
 * would do its work twice.
 */
import { FiberError } from '../errors.ts';
import type { GuestFunction, HostFunction, Site } from './backend.ts';
import { primitive } from './host-functions.ts';
import { notACall } from './refusals.ts';
import { isThenable } from './thenable.ts';

/** A call into the guest that a reentrant generator asks for by `yield`. */
export class NestedCall {
  readonly fn: GuestFunction;
  readonly args: readonly unknown[];
  constructor(fn: GuestFunction, args: readonly unknown[]) {
    this.fn = fn;
    this.args = args;
  }
}

/** Makes the request that a reentrant generator yields: `yield call(fn, a, b)`. */
export type Call = <A extends unknown[]>(fn: (...args: A) => unknown, ...args: A) => NestedCall;

export type ReentrantGenerator = Generator<NestedCall, unknown, unknown>;

/** What `reentrant` was given, if that is a generator function; null for a plain one. */
const marked = new WeakMap<HostFunction, ((...args: unknown[]) => ReentrantGenerator) | null>();

const call: Call = (fn, ...args) => new NestedCall(fn as GuestFunction, args);

/**
 * Marks a host function that calls back into the guest and stays on the stack while the guest waits inside: a
 * trampoline such as Emscripten's `invoke_*`, a JavaScript `try`/`catch` around a guest call, a callback dispatcher.
 * List it as suspending when the module is instrumented.
 *
 * @param fn a generator function whose first parameter makes nested calls: `yield call(fn, ...args)` gives the result
 * of the guest function, or throws what it threw. Or a plain function, which is executed again each time the guest
 * resumes inside of it, and must therefore do nothing before its guest call that may not be done twice.
 * @returns the function to import
 * @example
 * const imports = {
 *   env: {
 *     protected_call: reentrant(function* (call, fn: number) {
 *       try {
 *         yield call(table.get(fn));
 *         return 0;
 *       } catch {
 *         return 1;
 *       }
 *     }),
 *   },
 * };
 */
export function reentrant<A extends unknown[], R>(
  fn: (call: Call, ...args: A) => Generator<NestedCall, R, unknown>,
): (...args: A) => R;
export function reentrant<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => R;
export function reentrant(fn: (...args: never[]) => unknown): HostFunction {
  if (typeof fn !== 'function')
    throw new FiberError('INVALID_OPTION', `reentrant takes a function, not ${String(fn)}.`);
  const kind = (fn as { readonly [Symbol.toStringTag]?: string })[Symbol.toStringTag];
  if (kind === 'AsyncGeneratorFunction') {
    throw new FiberError('INVALID_OPTION', 'reentrant takes a generator or a plain function, not an async generator.');
  }
  const reentrant: HostFunction = (...args) => fn(...args);
  // The tag proves it to be a generator function.
  marked.set(reentrant, kind === 'GeneratorFunction' ? (fn as (...args: unknown[]) => ReentrantGenerator) : null);
  return reentrant;
}

/** How to start the generator that an import is; null if it is none. */
export function generatorOf(fn: HostFunction): ((...args: never[]) => ReentrantGenerator) | null {
  const generator = marked.get(fn);
  return generator ? (...args) => generator(call, ...args) : null;
}

/** Is it a plain trampoline? Emscripten's own are recognised by name, so that its glue needs no change. */
export function isRepeatable(fn: HostFunction, name: string): boolean {
  return marked.has(fn) ? marked.get(fn) === null : /\.invoke_\w*$/.test(name);
}

/** Goes on with a generator until it asks for a call, or returns. */
export function step(
  generator: ReentrantGenerator,
  site: Site,
  failed: boolean,
  value: unknown,
): IteratorResult<NestedCall, unknown> {
  const result = failed ? generator.throw(value) : generator.next(value);
  if (result.done === true) {
    // `return call(...)` in place of `return yield call(...)`.
    if (result.value instanceof NestedCall) throw notACall(site);
    if (!isThenable(result.value)) result.value = primitive(result.value, site.placeholder);
  } else if (!(result.value instanceof NestedCall) || typeof result.value.fn !== 'function') {
    throw notACall(site);
  }
  return result;
}

/** A trampoline that is passed by a suspension. */
export interface KeptTrampoline {
  readonly site: Site;
  /** The shadow stack pointer at which the guest had called it, and how many catch bodies it was in. */
  readonly pointer: number;
  readonly catches: number;
  /** Null for a plain function, which is executed again. */
  readonly generator: ReentrantGenerator | null;
  /** What the generator had asked for when the guest unwound. */
  call: NestedCall | null;
}
