/**
 * What counts as a promise, and how one is listened to: exactly as `await` does it, so that a native promise is
 * observed in the order of arrival and a foreign thenable can never call back before the guest has unwound.
 */
const nativeThen = Promise.prototype.then;

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

/** Calls one of the two later, never at once, in the async context of this call. */
export function listen(
  promise: PromiseLike<unknown>,
  onValue: (value: unknown) => void,
  onError: (error: unknown) => void,
): void {
  // What Promise.resolve would do, without calling it for the usual kind.
  const native = promise instanceof Promise && promise.constructor === Promise;
  nativeThen.call(native ? promise : Promise.resolve(promise), onValue, onError);
}

/** For a promise that is given up: its rejection is not to be reported as unhandled. */
export function ignore(promise: PromiseLike<unknown>): void {
  try {
    listen(promise, nothing, nothing);
  } catch {
    // A proxy, or getters that throw: nobody can listen to it, so nobody reports it either.
  }
}

function nothing(): void {}
