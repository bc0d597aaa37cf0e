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

/** Opaque to the host. */
class Secret {
  private value: i32 = 0;
}

export function secrets(length: i32): Secret[] {
  const list = new Array<Secret>(length);
  for (let i = 0; i < length; i++) list[i] = new Secret();
  return list;
}

/** The same one, so many times. */
export function secretAgain(times: i32): Secret[] {
  return new Array<Secret>(times).fill(new Secret());
}

/** More fields than its bytes are eights. */
class Flags {
  a: bool = false;
  b: bool = false;
  c: bool = false;
  d: bool = false;
  e: bool = false;
  f: bool = false;
  g: bool = false;
  h: bool = false;
}

export function flags(times: i32): Flags[] {
  return new Array<Flags>(times).fill(new Flags());
}

export function fail(reason: string, times: i32): void {
  throw new Error(reason.repeat(times));
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

/** Begins, looks at or ends a timer. */
export function timer(what: string, label: string): void {
  if (what == 'begin') console.time(label);
  else if (what == 'look') console.timeLog(label);
  else console.timeEnd(label);
}

export function add(a: i32, b: i32): i32 {
  return a + b;
}

export let words: string[] = [];
