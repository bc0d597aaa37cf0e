/**
 * Host functions as the guest calls them: what every backend does around one. While a host function runs, the guest below
 * it stays where it is, so a wait inside of it cannot pass it; where that is, `host` says.
 */
import type { BackendHooks, HostFunction, Site, Task } from './backend.ts';
import { ON_REJECT } from './refusals.ts';
import { ignore, isThenable } from './thenable.ts';

/**
 * Where the guest is. An object of its own, since the wrappers of imports are closures, in which an engine looks private
 * names up at every use: it made the call of an import a third slower.
 */
export interface HostPosition {
  /** 0: host functions are called. Else the backend decides what a call of one means. */
  state: number;
  /** The innermost host function on the native stack that a suspension cannot pass. */
  host: Site | null;
  /** What a host function returned and nobody could wait for, until there is stack to take care of it; undefined if nothing. */
  refused: unknown;
  /**
   * The same, of others meanwhile. The first has a field, since engines may need stack to make an object, and this is where it has
   * ended.
   */
  others: Refused | null;
}

interface Refused {
  readonly promise: unknown;
  readonly next: Refused | null;
}

/**
 * `arguments` is only touched where it is needed, since making it costs more than the call.
 *
 * @param blocked gives the result, or throws, while `at.state` is not 0
 * @param wait decides what a returned promise means
 */
export function wrapHostFunction(
  site: Site,
  fn: HostFunction,
  at: HostPosition,
  blocked: () => unknown,
  wait: (promise: PromiseLike<unknown>) => unknown,
): HostFunction {
  const f = fn as (...args: unknown[]) => unknown;
  const { arity } = site;
  const nested = behindAnother(site);
  return function (a?: unknown, b?: unknown, c?: unknown): unknown {
    if (at.state !== 0) return blocked();
    const outer = at.host;
    at.host = outer === null ? site : nested;
    let result: unknown;
    let waits = false;
    try {
      result =
        arity === 1
          ? f(a)
          : arity === 2
            ? f(a, b)
            : arity === 0
              ? f()
              : arity === 3
                ? f(a, b, c)
                : f.apply(undefined, arguments as unknown as unknown[]);
      // Here, since a getter of `then` is the embedder's code too.
      if (typeof result !== 'number') {
        waits = isThenable(result);
        if (!waits) result = primitive(result, site.placeholder);
      }
    } catch (error) {
      // It has returned, and cannot be asked whether it is a promise.
      if (at.refused === undefined) at.refused = result;
      else at.others = { promise: result, next: at.others };
      throw error;
    } finally {
      at.host = outer;
    }
    if (!waits) return result;
    try {
      return wait(result as PromiseLike<unknown>);
    } catch (error) {
      // If the engine's stack has ended nothing can be called here, not even to take care of the promise.
      if (at.refused === undefined) at.refused = result;
      else at.others = { promise: result, next: at.others };
      throw error;
    }
  };
}

/**
 * What the engine would make of an object, made here: it runs the embedder's code (`valueOf`, iterators), which must run
 * where a host function does, or it would find the guest as if nobody were in it.
 *
 * @param like a value of the type that the guest takes
 */
export function primitive(value: unknown, like: unknown): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return value;
  // Not `Number`, which takes a bigint.
  if (typeof like === 'number') return +(value as unknown as number);
  // As the engine does it: refuses what is a number.
  if (typeof like === 'bigint') return BigInt.asIntN(64, value as unknown as bigint);
  if (!Array.isArray(like)) return value;
  return [...(value as Iterable<unknown>)].map((each, index) => primitive(each, like[index]));
}

/** A fiber goes on: gives what its wait has brought. */
export function deliver(at: HostPosition, hooks: BackendHooks, task: Task): unknown {
  const { site, failed } = task;
  if (!failed && site?.conversion === null && typeof task.value !== 'object') return hooks.arrived(task);
  // The embedder's code runs (`onReject`, getters of a value to be converted), which a wait could not pass.
  at.host = failed || site === null ? ON_REJECT : behindAnother(site);
  try {
    return primitive(hooks.arrived(task), site?.placeholder);
  } finally {
    at.host = null;
  }
}

/** Promises that nobody waits for are not to be reported when they reject. */
export function ignoreRefused(at: HostPosition): void {
  const { refused, others } = at;
  at.refused = undefined;
  at.others = null;
  if (refused !== undefined) ignoreIfPromise(refused);
  for (let other = others; other !== null; other = other.next) ignoreIfPromise(other.promise);
}

function ignoreIfPromise(value: unknown): void {
  try {
    if (isThenable(value)) ignore(value);
  } catch {
    // Its `then` cannot be read: it is no promise that anybody could hear of.
  }
}

/** An import that is called while another host function is on the stack: it cannot wait, whatever its module says. */
export function behindAnother(site: Site): Site {
  return { ...site, suspending: false };
}
