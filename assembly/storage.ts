/**
 * One value of any type in an object of a type that is known: a field cannot be of a type parameter that may be `void`.
 * Numbers lie in `bits` as they are, managed references in `ref`, where the collector sees them; `void` lies nowhere.
 */

/** @internal */
export class Storage {
  bits: u64 = 0;
  ref: Object | null = null;
}

/** @internal */
// @ts-ignore: decorator
@inline
export function put<T>(into: Storage, value: T): void {
  if (isManaged<T>()) into.ref = changetype<Object | null>(value);
  else {
    if (sizeof<T>() > sizeof<u64>()) ERROR('tasks, futures, queues and channels hold values of 8 bytes at most');
    store<T>(changetype<usize>(into), value, offsetof<Storage>('bits'));
  }
}

/** @internal */
// @ts-ignore: decorator
@inline
export function take<T>(from: Storage): T {
  if (isManaged<T>()) return changetype<T>(from.ref);
  else return load<T>(changetype<usize>(from), offsetof<Storage>('bits'));
}
