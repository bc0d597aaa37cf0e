/**
 * Ways to fail at the end of several calls, after any number of waits. Every statement that a stack trace can show is the
 * only one in the program with its text: tests name them by it, not by their lines.
 */

export const enum Ending {
  Unreachable,
  Throw,
  Index,
  Division,
  Assertion,
  Memory,
  Host,
  Null,
  Library,
}

// @ts-ignore: decorator
@suspending
@external('env', 'pause')
declare function pause(n: i32): i32;

/** Calls the function at an index of the table. */
// @ts-ignore: decorator
@suspending
@external('env', 'through')
declare function through(fn: i32, ending: i32, waits: i32): i32;

/** Fails in the host. */
@external('env', 'fail')
declare function fail(): i32;

class Box {
  value: i32 = 1;
}

function find(waits: i32): Box | null {
  return waits < 0 ? new Box() : null;
}

function end(ending: i32, list: StaticArray<i32>): i32 {
  switch (ending) {
    case Ending.Unreachable:
      unreachable();
    case Ending.Throw:
      throw new Error('on purpose');
    case Ending.Index:
      return list[list.length + ending];
    case Ending.Division:
      return 10 / (ending - Ending.Division);
    case Ending.Assertion:
      assert(ending < 0, 'asserted');
    case Ending.Memory:
      return <i32>load<u8>(0xffff_fff0);
    case Ending.Null:
      return find(ending)!.value;
    case Ending.Library:
      return 'x'.repeat(-ending).length;
  }
  return fail() + 1;
}

function waitFor(waits: i32): i32 {
  let total = 0;
  for (let i = 0; i < waits; i++) {
    total += pause(i);
  }
  return total;
}

function leaf(ending: i32, waits: i32): i32 {
  const list = new StaticArray<i32>(4);
  const before = waitFor(waits);
  return before + end(ending, list);
}

function recurse(depth: i32, ending: i32, waits: i32): i32 {
  if (depth == 0) {
    return leaf(ending, waits) + 1;
  }
  const below = recurse(depth - 1, ending, waits);
  return below + depth;
}

function called(ending: i32, waits: i32): i32 {
  const name = 'x'.repeat(waits);
  return leaf(ending, waits) + name.length;
}

function other(ending: i32, waits: i32): i32 {
  return ending + waits;
}

let callback: (ending: i32, waits: i32) => i32 = other;

function apply(ending: i32, waits: i32): i32 {
  return callback(ending, waits) + 2;
}

/** Through a table. */
export function run(ending: i32, waits: i32): i32 {
  callback = called;
  const result = apply(ending, waits);
  return result + 3;
}

/** Through recursion. */
export function deep(depth: i32, ending: i32, waits: i32): i32 {
  const result = recurse(depth, ending, waits);
  return result + 4;
}

/** Through a host function in the middle of the stack. */
export function around(ending: i32, waits: i32): i32 {
  const index = called.index;
  const result = through(index, ending, waits);
  return result + 5;
}

/** Through `sort`, which is AssemblyScript's own and calls back. */
export function sorted(ending: i32, waits: i32): i32 {
  const list = [3, 1, 2];
  which = ending;
  times = waits;
  list.sort((a: i32, b: i32): i32 => leaf(which, times) + a - b);
  return list[0];
}

let which: i32 = 0;
let times: i32 = 0;
