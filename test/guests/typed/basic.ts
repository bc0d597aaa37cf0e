/** Typed values through an export and an import that waits, as plainly as it goes. */

/** Where somebody lives. */
class Address {
  street: string = '';
  /** Without the country. */
  code: i32 = 0;
}

/** A person. */
class Person {
  name: string = '';
  address: Address | null = null;
  friends: Person[] = [];
}

class Counter {
  constructor(public count: i32) {}
}

export enum Colour {
  /** As blood. */
  Red,
  Green = 5,
  Blue,
}

export const VERSION: i32 = 3;
export let mutable: f64 = 1.5;

/** Answers after a while. */
// @ts-ignore: decorator
@suspending
@external('env', 'fetchText')
declare function fetchText(url: string): string;

// @ts-ignore: decorator
@suspending
@external('env', 'sleep')
declare function sleep(ms: f64): void;

@external('env', 'load')
declare function loadPerson(id: i32): Person | null;

/**
 * Greets somebody after having asked the host for words.
 *
 * @param name whom
 */
export function greet(name: string): string {
  return fetchText('greeting/' + name) + ', ' + name + '!';
}

export function sum(numbers: Array<i64>, factor: i64 = 2): i64 {
  let total: i64 = 0;
  for (let i = 0; i < numbers.length; i++) {
    sleep(1);
    total += numbers[i];
  }
  return total * factor;
}

export function describe(person: Person): string {
  const address = person.address;
  return person.name + ' of ' + (address ? address.street : 'nowhere') + ', ' + person.friends.length.toString();
}

export function lookUp(id: i32): Person | null {
  return loadPerson(id);
}

export function invert(bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    if (i % 100 == 0) sleep(1);
    result[i] = ~bytes[i];
  }
  return result;
}

export function isEven(value: u32): bool {
  return value % 2 == 0;
}

export function makeCounter(): Counter {
  return new Counter(0);
}

export function increment(counter: Counter): i32 {
  sleep(1);
  return ++counter.count;
}
