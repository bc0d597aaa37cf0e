/**
 * Values from the host that are alive only in the middle of an expression while the fiber waits for the next one. The
 * host makes them when the wait ends, collects at every call, and overwrites what the collection freed; the guest knows
 * what every one must hold, and answers with how many did not.
 */

class Item {
  name: string = '';
  at: i32 = 0;
  tags: string[] = [];
}

// @ts-ignore: decorator
@suspending @external('env', 'text') declare function text(seed: i32): string;
// @ts-ignore: decorator
@suspending @external('env', 'words') declare function words(seed: i32, length: i32): string[];
// @ts-ignore: decorator
@suspending @external('env', 'bytes') declare function bytes(seed: i32, length: i32): Uint8Array;
// @ts-ignore: decorator
@suspending @external('env', 'numbers') declare function numbers(seed: i32, length: i32): StaticArray<f64>;
// @ts-ignore: decorator
@suspending @external('env', 'item') declare function item(seed: i32): Item;
// @ts-ignore: decorator
@suspending @external('env', 'maybe') declare function maybe(seed: i32): string | null;
// @ts-ignore: decorator
@suspending @external('env', 'echo') declare function echo(words: string[]): string[];

/** Collects everything unreachable, then fills the freed blocks with other content, so that a reader notices. */
export function collectAndLitter(): void {
  if (ASC_RUNTIME == 2) __collect();
  for (let i = 0; i < 8; i++) {
    const junk = new StaticArray<i32>(4 << (i & 3));
    junk.fill(0x5a5a5a5a);
  }
}

/** What the host's `text` gives. */
function word(seed: i32): string {
  return '<' + seed.toString() + ':' + (seed * 7).toString() + '>';
}

function sentence(seed: i32): bool {
  const made = word(seed) + text(seed + 1) + [text(seed + 2), word(seed + 3), text(seed + 4)].join('-') + text(seed + 5);
  return (
    made ==
    word(seed) + word(seed + 1) + word(seed + 2) + '-' + word(seed + 3) + '-' + word(seed + 4) + word(seed + 5)
  );
}

function lists(seed: i32): bool {
  const all = words(seed, 3).concat(echo(words(seed + 3, 2))).concat([text(seed + 5)]);
  for (let i = 0; i < all.length; i++) if (all[i] != word(seed + i)) return false;
  return all.length == 6;
}

function buffers(seed: i32): bool {
  const first = bytes(seed, 40);
  const second = numbers(seed, 5);
  const third = bytes(seed + 1, 1);
  for (let i = 0; i < 40; i++) if (first[i] != u8(seed + i * 7)) return false;
  for (let i = 0; i < 5; i++) if (second[i] != f64(seed * i) / 2) return false;
  return third[0] == u8(seed + 1) && first.length == 40 && second.length == 5;
}

function records(seed: i32): bool {
  const both = [item(seed), item(seed + 9)];
  const missing = maybe(seed);
  for (let k = 0; k < 2; k++) {
    const each = both[k];
    const from = seed + 9 * k;
    if (each.name != word(from) || each.at != from || each.tags.length != 2) return false;
    if (each.tags[0] != word(from + 1) || each.tags[1] != word(from + 2)) return false;
  }
  return seed & 1 ? missing === null : missing !== null && missing == word(seed);
}

function callbacks(seed: i32): bool {
  const made = [seed, seed + 2, seed + 1].map<string>(n => word(n) + text(n));
  made.sort((a, b) => text(a.length).length - text(b.length).length || (a < b ? -1 : 1));
  const expected = [seed, seed + 2, seed + 1].map<string>(n => word(n) + word(n));
  expected.sort((a, b) => word(a.length).length - word(b.length).length || (a < b ? -1 : 1));
  return made.join() == expected.join();
}

/** Wrong answers of `steps` steps of a random program, each at a random depth; 0 if nothing was lost. */
export function run(seed: i32, steps: i32): i32 {
  let state = u32(seed);
  let wrong = 0;
  for (let i = 0; i < steps; i++) {
    state = state * 1664525 + 1013904223;
    wrong += descend((state >>> 8) % 12, i32((state >>> 16) % 5), seed + i);
  }
  return wrong;
}

function descend(depth: u32, kind: i32, seed: i32): i32 {
  const canary = word(seed ^ i32(depth));
  let wrong = 0;
  if (depth > 0) {
    // The left operand waits in a slot while everything below runs.
    wrong = canary.length + descend(depth - 1, kind, seed) - word(seed ^ i32(depth)).length;
  } else {
    switch (kind) {
      case 0: wrong = i32(!sentence(seed)); break;
      case 1: wrong = i32(!lists(seed)); break;
      case 2: wrong = i32(!buffers(seed)); break;
      case 3: wrong = i32(!records(seed)); break;
      default: wrong = i32(!callbacks(seed)); break;
    }
  }
  return wrong + i32(canary != word(seed ^ i32(depth)));
}

/** The same with what comes from and goes to the embedder. */
export function join(items: Item[], separator: string): string {
  let result = '';
  for (let i = 0; i < items.length; i++) result += items[i].name + separator + text(items[i].at) + separator;
  return result;
}

/** `n` waits, a string alive across each. */
export function loop(n: i32): i32 {
  let wrong = 0;
  for (let i = 0; i < n; i++) {
    const mine = word(i);
    if (mine + text(i) != mine + mine) wrong++;
  }
  return wrong;
}

let kept: ArrayBuffer[] = [];

/** Takes memory until `letGo`, or until there is no more. */
export function hoard(bytes: i32): void {
  kept.push(new ArrayBuffer(bytes));
}

export function letGo(): void {
  kept = [];
  if (ASC_RUNTIME == 2) __collect();
}

/** `n` frames with a string each, and a wait in the innermost; how many strings were lost. */
export function hold(n: i32): i32 {
  const mine = word(n);
  const wrong = n == 0 ? i32(text(0) != word(0)) : hold(n - 1);
  return wrong + i32(mine != word(n));
}

/** Three strings in one, of which the host gives two. */
export function label(seed: i32): string {
  return text(seed) + word(seed + 1) + text(seed + 2);
}

export function labels(seed: i32, length: i32): string[] {
  const all: string[] = [];
  for (let i = 0; i < length; i++) all.push(word(seed + i) + text(seed + i));
  return all;
}

export function labelled(seed: i32): Item {
  return { name: word(seed) + text(seed), at: seed, tags: [text(seed + 1), word(seed + 2)] };
}

class Sealed {
  constructor(public readonly label: string) {}
}

export function seal(seed: i32): Sealed {
  return new Sealed(word(seed) + text(seed));
}

export function unseal(sealed: Sealed): string {
  return sealed.label;
}

/** Traps in the middle of an expression, behind a wait. */
export function trapBehind(seed: i32): string {
  return word(seed) + text(seed) + word(1 / (seed - seed));
}
