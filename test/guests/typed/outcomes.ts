// Imports that may fail, whose failures the guest handles: `Result<T>` for every kind of T.
import { Result } from 'wasm-fibers/assembly';

class Point {
  x: f64 = 0;
  name: string = '';
}

@suspending @external('env', 'fetch') declare function fetchText(key: string): Result<string>;
@suspending @external('env', 'small') declare function fetchU8(key: string): Result<u8>;
@suspending @external('env', 'wide') declare function fetchI64(key: string): Result<i64>;
@suspending @external('env', 'single') declare function fetchF32(key: string): Result<f32>;
@suspending @external('env', 'double') declare function fetchF64(key: string): Result<f64>;
@suspending @external('env', 'flag') declare function fetchBool(key: string): Result<bool>;
@suspending @external('env', 'points') declare function fetchPoints(key: string): Result<Array<Point>>;
@suspending @external('env', 'nullable') declare function fetchOrNull(key: string): Result<string | null>;
@suspending @external('env', 'nothing') declare function fetchNothing(key: string): Result<void>;
/** One that does not wait. */
@external('env', 'now') declare function now(key: string): Result<string>;

function told<T>(result: Result<T>, value: string): string {
  const failure = result.failure;
  return result.ok ? value : failure ? failure.code + ': ' + failure.message : 'neither';
}

export function text(key: string): string {
  const before = 'before ' + key;
  const result = fetchText(key);
  return told(result, result.ok ? result.value : '') + ', ' + before;
}

export function numbers(key: string): string {
  const u8 = fetchU8(key);
  const i64 = fetchI64(key);
  const f32 = fetchF32(key);
  const f64 = fetchF64(key);
  const bool = fetchBool(key);
  return [
    told(u8, u8.valueOr(0).toString()),
    told(i64, i64.valueOr(0).toString()),
    told(f32, f32.valueOr(0).toString()),
    told(f64, f64.valueOr(0).toString()),
    told(bool, bool.valueOr(false).toString()),
  ].join(' ');
}

export function points(key: string): string {
  const result = fetchPoints(key);
  if (!result.ok) return told(result, '');
  const all = result.value;
  return all.map<string>(each => each.name + each.x.toString()).join(' ');
}

export function orNull(key: string): string {
  const result = fetchOrNull(key);
  const value = result.ok ? result.value : '';
  return told(result, value === null ? 'null' : value);
}

export function nothing(key: string): string {
  return told(fetchNothing(key), 'done');
}

export function immediately(key: string): string {
  const result = now(key);
  return told(result, result.ok ? result.value : '');
}

/** Throws the failure, which ends the task. */
export function unwrapped(key: string): string {
  return fetchText(key).unwrap();
}

export function collect(): void {
  __collect();
}
