/**
 * Strings and arrays that are alive only in the middle of an expression while the fiber waits: the collector can
 * find them nowhere but on the shadow stack. The test collects at every wait and overwrites what was freed.
 */

@external('env', 'wait_i32') declare function wait(value: i32): i32;

/** Collects everything unreachable, then fills the freed blocks with other content, so that a reader notices. */
export function collectAndLitter(): void {
  __collect();
  for (let i = 0; i < 8; i++) {
    const junk = new StaticArray<i32>(4 << (i & 3));
    junk.fill(0x5a5a5a5a);
  }
}

/** A small generator with its state in the caller, so that every fiber has its own sequence. */
class Random {
  constructor(private state: u32) {}

  next(limit: i32): i32 {
    this.state = this.state * 1664525 + 1013904223;
    return i32((this.state >>> 8) % u32(limit));
  }
}

class Node {
  constructor(
    public name: string,
    public next: Node | null,
  ) {}
}

/** A fresh string of a known content. */
function word(seed: i32): string {
  return '<' + seed.toString() + ':' + (seed * 7).toString() + '>';
}

/** A fresh string made across a wait. */
function slowWord(seed: i32): string {
  return '<' + wait(seed).toString() + ':' + (wait(seed) * 7).toString() + '>';
}

function concatenate(seed: i32): bool {
  const made = word(seed) + slowWord(seed + 1) + word(seed + 2) + slowWord(seed + 3);
  return made == word(seed) + word(seed + 1) + word(seed + 2) + word(seed + 3);
}

function literals(seed: i32): bool {
  const made = [word(seed), slowWord(seed + 1), [word(seed + 2), slowWord(seed + 3)].join('/')];
  return made.join('+') == word(seed) + '+' + word(seed + 1) + '+' + word(seed + 2) + '/' + word(seed + 3);
}

function chain(seed: i32, length: i32): bool {
  let head: Node | null = null;
  for (let i = 0; i < length; i++) head = new Node(slowWord(seed + i), new Node(word(seed - i), head));
  for (let i = length - 1; i >= 0; i--) {
    if (head === null || head.name != word(seed + i)) return false;
    head = head.next;
    if (head === null || head.name != word(seed - i)) return false;
    head = head.next;
  }
  return head === null;
}

function callbacks(seed: i32): bool {
  const numbers = [seed, seed + 3, seed + 1, seed + 2];
  const words = numbers.map<string>(n => word(n) + slowWord(n));
  words.sort((a, b) => (wait(a.length) == wait(b.length) ? (a < b ? -1 : a > b ? 1 : 0) : a.length - b.length));
  const expected = numbers.map<string>(n => word(n) + word(n));
  expected.sort((a, b) => (a.length == b.length ? (a < b ? -1 : a > b ? 1 : 0) : a.length - b.length));
  return words.join() == expected.join();
}

function maps(seed: i32): bool {
  const map = new Map<string, string>();
  for (let i = 0; i < 4; i++) map.set(word(seed + i), slowWord(seed - i));
  for (let i = 0; i < 4; i++) if (map.get(slowWord(seed + i)) != word(seed - i)) return false;
  return true;
}

/** Wrong answers of a random program of `steps` steps, each at a random depth; 0 if nothing was lost. */
export function run(seed: i32, steps: i32): i32 {
  const random = new Random(u32(seed));
  let wrong = 0;
  for (let i = 0; i < steps; i++) wrong += descend(random, random.next(12), seed + i);
  return wrong;
}

function descend(random: Random, depth: i32, seed: i32): i32 {
  const canary = word(seed ^ depth);
  let wrong = 0;
  if (depth > 0) {
    // The left operand waits in a slot while everything below runs.
    wrong = canary.length + descend(random, depth - 1, seed) - word(seed ^ depth).length;
  } else {
    switch (random.next(5)) {
      case 0: wrong += i32(!concatenate(seed)); break;
      case 1: wrong += i32(!literals(seed)); break;
      case 2: wrong += i32(!chain(seed, 1 + random.next(4))); break;
      case 3: wrong += i32(!callbacks(seed)); break;
      default: wrong += i32(!maps(seed)); break;
    }
  }
  return wrong + i32(canary != word(seed ^ depth));
}

/** `n` live strings, one in each frame, and a wait at the bottom; how many were lost. */
export function hold(n: i32): i32 {
  const mine = word(n);
  if (n == 0) return wait(0);
  return hold(n - 1) + i32(mine != word(n));
}
