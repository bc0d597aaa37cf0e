/**
 * Every shape of a call that can be on the stack when a fiber suspends: all value types, recursion, loops, calls
 * through the table, traps. Each export is plain synchronous code; `env.wait_*` are the imports that suspend and
 * answer with what they were given unless a test decides otherwise.
 */

@external('env', 'wait_i32') declare function waitI32(value: i32): i32;
@external('env', 'wait_i64') declare function waitI64(value: i64): i64;
@external('env', 'wait_f32') declare function waitF32(value: f32): f32;
@external('env', 'wait_f64') declare function waitF64(value: f64): f64;
@external('env', 'wait_void') declare function waitVoid(tag: i32): void;
/** Never suspends: how a test sees in which order things happen. */
@external('env', 'note') declare function note(tag: i32): void;

export function addI32(a: i32, b: i32): i32 {
  return waitI32(a) + waitI32(b);
}

export function addI64(a: i64, b: i64): i64 {
  return waitI64(a) + waitI64(b);
}

export function addF32(a: f32, b: f32): f32 {
  return waitF32(a) + waitF32(b);
}

export function addF64(a: f64, b: f64): f64 {
  return waitF64(a) + waitF64(b);
}

/** Arguments of every type, read after the wait: what was passed at the start must be there again. */
export function mixed(a: i32, b: i64, c: f32, d: f64): f64 {
  waitVoid(a);
  return f64(a) + f64(b) + f64(c) + d;
}

export function waitAndReturnNothing(tag: i32): void {
  note(tag);
  waitVoid(tag);
  note(-tag);
}

export function neverWaits(a: i32, b: i32): i32 {
  return a + b;
}

/** Waits only if asked to: the same export with and without a suspension. */
export function maybeWait(value: i32, wait: i32): i32 {
  return (wait ? waitI32(value) : value) + 1;
}

/** Sum of 1 .. n, the wait at the bottom of n frames, each of which needs its own `n` again afterwards. */
export function deep(n: i32, seed: i32): i32 {
  if (n == 0) return waitI32(seed);
  return deep(n - 1, seed) + n;
}

/** Waits at every level on the way down and on the way up. */
export function zigzag(n: i32): i32 {
  const before = waitI32(n);
  const below = n > 0 ? zigzag(n - 1) : 0;
  const after = waitI32(n + 1);
  return before + below + after;
}

export function loop(n: i32): i32 {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += waitI32(i);
  return sum;
}

export function nestedLoops(n: i32): i32 {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (((i ^ j) & 1) == 0) continue;
      if (j > i + 3) break;
      sum = sum * 31 + waitI32(i * n + j);
    }
  }
  return sum;
}

export function fib(n: i32): i32 {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

// Calls through the table.

type Step = (value: i32) => i32;

const steps: Step[] = [
  (value: i32): i32 => value + 1,
  (value: i32): i32 => waitI32(value) + 2,
  (value: i32): i32 => waitI32(waitI32(value) * 2),
];

/** The index in the exported table of step `which`. */
export function stepIndex(which: i32): i32 {
  return load<i32>(changetype<usize>(steps[which]));
}

export function applyStep(which: i32, value: i32): i32 {
  return steps[which](value);
}

/** A callback of the standard library that suspends: `map`, then `reduce`. */
export function mapAndReduce(n: i32): i32 {
  const numbers = new Array<i32>(n);
  for (let i = 0; i < n; i++) numbers[i] = i;
  return numbers.map<i32>(value => waitI32(value) * 2).reduce<i32>((sum, value) => sum + waitI32(value), 0);
}

// Globals are shared by all fibers.

let counter = 0;

/** Reads the counter, waits, writes it: fibers in between are lost, as they would be in any shared memory. */
export function bumpUnlocked(): i32 {
  const seen = counter;
  waitVoid(seen);
  counter = seen + 1;
  return counter;
}

export function getCounter(): i32 {
  return counter;
}

export function setCounter(value: i32): void {
  counter = value;
}

// Traps and memory.

export function trapAfterWait(value: i32): i32 {
  waitI32(value);
  return load<i32>(usize.MAX_VALUE);
}

export function trapAtDepth(n: i32): i32 {
  if (n == 0) return trapAfterWait(n);
  return trapAtDepth(n - 1) + n;
}

export function recurseForEver(n: i32): i32 {
  return recurseForEver(n + 1) + 1;
}

export function growAndWait(pages: i32): i32 {
  const before = memory.grow(pages);
  waitVoid(pages);
  return memory.size() - before;
}

const scratch = memory.data(64);

export function scratchPointer(): usize {
  return scratch;
}

/** Waits for the host to write four numbers at the address given, then adds them. */
export function sumAfterWait(pointer: usize): i32 {
  waitVoid(i32(pointer));
  return load<i32>(pointer) + load<i32>(pointer, 4) + load<i32>(pointer, 8) + load<i32>(pointer, 12);
}
