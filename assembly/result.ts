/**
 * Success or failure as a value, for a language that cannot catch. A failed task, a channel that was closed or a promise
 * that was rejected is handled by looking at `ok`.
 */
import * as host from './host';
import { put, Storage, take } from './storage';

/**
 * Why something failed.
 *
 * `code` is what programs compare: the `code` of the error where it has one (`CANCELLED`, `TIMEOUT`, `DEADLOCK`, a
 * host's `ECONNREFUSED`), `TRAP` for a trap, else the error's name. `message` is for people.
 */
export class Failure {
  code: string = '';
  message: string = '';
}

/** @internal */
export function failureOf(code: string, message: string): Failure {
  const failure = new Failure();
  failure.code = code;
  failure.message = message;
  return failure;
}

/**
 * Keeps the error with which a fiber failed, which is an object of the host's. When the collector frees the last of those
 * who could throw it again, the host lets go of it as well.
 *
 * @internal
 */
export class ErrorHandle {
  constructor(readonly fiber: i32) {}

  failure(): Failure {
    return failureOf(host.read(this.fiber, host.CODE), host.read(this.fiber, host.MESSAGE));
  }

  raise(): void {
    host.raise(this.fiber);
    unreachable();
  }
}

/** Called by the collector for every object that it frees, since it is global and of this name. */
// @ts-ignore: decorator
@global
function __finalize(address: usize): void {
  // The header of an object ends with its class and its size.
  const id = load<u32>(address - 8);
  if (id == idof<ErrorHandle>()) host.forget(load<i32>(address, offsetof<ErrorHandle>('fiber')));
}

/**
 * What something came to: a value, or a failure.
 *
 * ```ts
 * const page = tryAwait(download, url);
 * if (page.ok) parse(page.value);
 * else console.log(page.failure!.message);
 * ```
 *
 * An import whose result is declared as `Result<T>` never fails the task that calls it: what the host function throws or
 * rejects with is in `failure`.
 */
export class Result<T> extends Storage {
  /** Is there a value? */
  ok: bool = false;
  /** Why there is none; null if `ok`. */
  failure: Failure | null = null;
  /** @internal The very error, if the host still has it. */
  source: ErrorHandle | null = null;

  /** The value. Only if `ok`: else it is 0, or no object at all. */
  get value(): T {
    // @ts-ignore: void has no value
    if (isVoid<T>()) return;
    else return take<T>(this);
  }

  /**
   * The value; a failure becomes the failure of the current task, with the error that it came from.
   *
   * ```ts
   * const text = tryAwait(download, url).unwrap();
   * ```
   */
  unwrap(): T {
    if (!this.ok) {
      const source = this.source;
      if (source) source.raise();
      const failure = this.failure;
      if (failure) host.refuse(failure.code, failure.message);
      host.refuse('FAILED', 'The result holds neither a value nor a failure.');
    }
    // @ts-ignore: void has no value
    if (isVoid<T>()) return;
    else return take<T>(this);
  }

  /**
   * The value, or this one if there is none.
   *
   * ```ts
   * const retries = parsed.valueOr(3);
   * ```
   */
  valueOr(other: T): T {
    return this.ok ? take<T>(this) : other;
  }
}

/**
 * A result that succeeded with a value.
 *
 * ```ts
 * return succeeded(42);
 * ```
 */
export function succeeded<T>(value: T): Result<T> {
  const result = new Result<T>();
  result.ok = true;
  put<T>(result, value);
  return result;
}

/**
 * A result that failed. The type of the value that is missing must be given.
 *
 * ```ts
 * return failed<i32>('NOT_FOUND', 'there is no user of this name');
 * ```
 */
export function failed<T>(code: string, message: string): Result<T> {
  const result = new Result<T>();
  result.failure = failureOf(code, message);
  return result;
}
