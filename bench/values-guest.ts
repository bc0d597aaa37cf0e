/**
 * The guest of the rows on values, compiled twice from one text: with the transform, and with asc's own synchronous glue
 * (`--bindings raw`), which is the peer. `take...` have a value lowered and look at its length; `give...` have one lifted
 * that is there already.
 */
import { main } from 'assemblyscript/asc';
import { readFileSync, writeFileSync } from 'node:fs';
import { wasmFibers } from '../host/assemblyscript/transform/index.ts';

const FOLDER = new URL('../guests/bench/', import.meta.url);

const TEXT = `
@suspending @external('env', 'wait') declare function wait(x: i32): i32;
/** Makes the guest one that can wait, as those are for which this package is. */
export function waits(x: i32): i32 {
  return wait(x);
}

class Person {
  name: string = '';
  age: i32 = 0;
  height: f64 = 0;
}

function person(i: i32): Person {
  const person = new Person();
  person.name = 'Somebody ' + i.toString();
  person.age = i;
  person.height = 1.5;
  return person;
}

const shortString = 'Hello, World';
const longString = 'abcdefghij'.repeat(1000);
const bytes = new Uint8Array(1024);
const numbers: i32[] = [];
const strings: string[] = [];
const record = person(1);
const records: Person[] = [];
for (let i = 0; i < 100; i++) numbers.push(i * 1000);
for (let i = 0; i < 20; i++) strings.push('string ' + i.toString());
for (let i = 0; i < 20; i++) records.push(person(i));

export function takeNumber(value: i32): i32 { return value; }
export function takeString(value: string): i32 { return value.length; }
export function takeBytes(value: Uint8Array): i32 { return value.length; }
export function takeNumbers(value: Array<i32>): i32 { return value.length; }
export function takeStrings(value: Array<string>): i32 { return value.length; }
export function takeRecord(value: Person): i32 { return value.age; }
export function takeRecords(value: Array<Person>): i32 { return value.length; }
export function giveNumber(): i32 { return numbers[1]; }
export function giveShort(): string { return shortString; }
export function giveLong(): string { return longString; }
export function giveBytes(): Uint8Array { return bytes; }
export function giveNumbers(): Array<i32> { return numbers; }
export function giveStrings(): Array<string> { return strings; }
export function giveRecord(): Person { return record; }
export function giveRecords(): Array<Person> { return records; }
`;

interface ValueCase {
  readonly label: string;
  readonly take: string;
  readonly give: string;
  readonly value: unknown;
}

const person = (i: number): unknown => ({ name: `Somebody ${i}`, age: i, height: 1.5 });
const some = <T>(length: number, make: (i: number) => T): T[] => Array.from({ length }, (_, i) => make(i));

/** By `size` of the operations. */
export const VALUE_CASES: readonly ValueCase[] = [
  { label: 'a string of 12', take: 'takeString', give: 'giveShort', value: 'Hello, World' },
  { label: 'a string of 10,000', take: 'takeString', give: 'giveLong', value: 'abcdefghij'.repeat(1000) },
  { label: 'a Uint8Array of 1 kB', take: 'takeBytes', give: 'giveBytes', value: new Uint8Array(1024) },
  { label: 'an Array<i32> of 100', take: 'takeNumbers', give: 'giveNumbers', value: some(100, (i) => i * 1000) },
  { label: 'an Array<string> of 20', take: 'takeStrings', give: 'giveStrings', value: some(20, (i) => `string ${i}`) },
  { label: 'a record of three fields', take: 'takeRecord', give: 'giveRecord', value: person(1) },
  { label: 'an array of 20 such records', take: 'takeRecords', give: 'giveRecords', value: some(20, person) },
  { label: 'an i32, so nothing but the call', take: 'takeNumber', give: 'giveNumber', value: 5 },
];

/** Writes values.wasm, and values-plain.wasm with values-plain.mjs, asc's glue. */
export async function buildValuesGuests(): Promise<void> {
  const typed = ['values.ts', '-O3', '--outFile', 'values.wasm'];
  // asc takes classes, which its types do not say.
  await compile(typed, [wasmFibers({ argv: typed }) as never]);
  const plain = ['values.ts', '-O3', '--outFile', 'values-plain.wasm', '--bindings', 'raw', '--exportRuntime'];
  await compile([...plain, '--exportStart', '_start'], []);
}

async function compile(argv: string[], transforms: never[]): Promise<void> {
  const { error, stderr } = await main(argv, {
    transforms,
    readFile: (name) => (name === 'values.ts' ? TEXT : null),
    writeFile(name, contents) {
      if (/\.(?:wasm|js)$/.test(name)) writeFileSync(new URL(name.replace('.js', '.mjs'), FOLDER), contents);
    },
    listFiles: () => [],
  });
  if (error !== null) throw new Error(`asc could not compile the guest:\n${stderr.toString()}`);
}

export function loadValues(name: 'values' | 'values-plain'): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(new URL(`${name}.wasm`, FOLDER)));
}

/** The address of asc's glue for values-plain.wasm. */
export const GLUE: string = new URL('values-plain.mjs', FOLDER).href;
