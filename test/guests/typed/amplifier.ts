/** Values that are far larger than the memory that describes them. */

class Pair {
  left: Pair | null = null;
  right: Pair | null = null;
}

// @ts-ignore: decorator
@suspending
@external('env', 'hear')
declare function hear(words: string[]): void;

// @ts-ignore: decorator
@suspending
@external('env', 'tell')
declare function tell(): string[];

/** The same string, so many times. */
export function repeat(word: string, times: i32): string[] {
  return new Array<string>(times).fill(word);
}

/** 2 ** depth pairs, in as many objects as that is deep. */
export function pairs(depth: i32): Pair {
  const pair = new Pair();
  if (depth > 0) {
    pair.left = pairs(depth - 1);
    pair.right = pair.left;
  }
  return pair;
}

export function bytes(length: i32): Uint8Array {
  return new Uint8Array(length);
}

export function numbers(length: i32): f64[] {
  return new Array<f64>(length);
}

/** Has the host hear it, which may take a while. */
export function say(word: string, times: i32): void {
  hear(repeat(word, times));
}

/** How many words the host has. */
export function listen(): i32 {
  return tell().length;
}

export function count(words: string[]): i32 {
  return words.length;
}

export function print(word: string, times: i32): void {
  for (let i = 0; i < times; i++) console.log(word);
}

export function add(a: i32, b: i32): i32 {
  return a + b;
}

export let words: string[] = [];
