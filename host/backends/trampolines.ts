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
import type { GuestFunction, HostFunction } from './backend.ts';

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

const generators = new WeakMap<HostFunction, (call: Call, ...args: never[]) => ReentrantGenerator>();
const repeatable = new WeakSet<HostFunction>();

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
  const marked: HostFunction = (...args) => fn(...args);
  const kind = Object.prototype.toString.call(fn);
  if (kind === '[object AsyncGeneratorFunction]') {
    throw new FiberError(
      'INVALID_OPTION',
      'reentrant takes a generator or a plain function, not an async one: the guest waits in its calls.',
    );
  }
  if (kind === '[object GeneratorFunction]') {
    // The prototype above proves it to be a generator function.
    generators.set(marked, fn as (call: Call, ...args: never[]) => ReentrantGenerator);
  } else repeatable.add(marked);
  return marked;
}

/** How an import behaves when the guest waits inside of it. */
export function generatorOf(fn: HostFunction): ((...args: never[]) => ReentrantGenerator) | null {
  const generator = generators.get(fn);
  return generator === undefined ? null : (...args) => generator(call, ...args);
}

/** Emscripten's own trampolines are recognised by name, so that its glue needs no change. */
export function isRepeatable(fn: HostFunction, name: string): boolean {
  return repeatable.has(fn) || /\.invoke_\w*$/.test(name);
}

/** A generator that is passed by a suspension: what it had asked for when the guest unwound. */
export class KeptGenerator {
  readonly generator: ReentrantGenerator;
  /** The shadow stack pointer at which the guest had called the import. */
  readonly pointer: number;
  /** How many catch bodies the guest was in. */
  readonly catches: number;
  call: NestedCall | null = null;
  constructor(generator: ReentrantGenerator, pointer: number, catches: number) {
    this.generator = generator;
    this.pointer = pointer;
    this.catches = catches;
  }
}

/** A plain trampoline that is passed by a suspension. */
export class KeptPointer {
  readonly pointer: number;
  constructor(pointer: number) {
    this.pointer = pointer;
  }
}
