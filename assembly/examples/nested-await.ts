/**
 * The example that started it all, of Python's asyncio: `coroutine` calls `synchronousCode`, an ordinary function, which has
 * to wait for something asynchronous. There it takes `nest_asyncio` or its like; here it takes nothing, as every function
 * may wait.
 */
import { runUntilComplete, sleep, spawn, start } from 'wasm-fibers/assembly';

function asynchronousCode(): i32 {
  sleep(20);
  return 42;
}

function synchronousCode(): i32 {
  return runUntilComplete<i32>(start(asynchronousCode));
}

export function coroutine(): void {
  console.log(synchronousCode().toString());
}

/** Something that takes this long, in milliseconds. */
function work(ms: f64): f64 {
  sleep(ms);
  return ms;
}

/** Called while others are at the same point, each in the middle of its own wait. */
export function waitFor(ms: f64): f64 {
  return runUntilComplete<f64>(spawn(work, ms));
}
