// Every type that passes between host and guest, through an export (`echo`), and through an import that waits (`wait`),
// with garbage made on the way so that what nobody holds is overwritten.

class Point {
  x: f64 = 0;
  y: f64 = 0;
}

class Everything {
  i8: i8 = 0;
  u8: u8 = 0;
  i16: i16 = 0;
  u16: u16 = 0;
  i32: i32 = 0;
  u32: u32 = 0;
  i64: i64 = 0;
  u64: u64 = 0;
  f32: f32 = 0;
  f64: f64 = 0;
  bool: bool = false;
  string: string = '';
  stringOrNull: string | null = null;
  buffer: ArrayBuffer = new ArrayBuffer(0);
  bytes: Uint8Array = new Uint8Array(0);
  numbers: Array<i16> = [];
  strings: Array<string> = [];
  fixed: StaticArray<i32> = [];
  point: Point = new Point();
  pointOrNull: Point | null = null;
}

class Tree {
  value: string = '';
  children: Array<Tree> = [];
}

class List {
  value: i32 = 0;
  next: List | null = null;
}

/** Allocates over whatever was freed. */
export function churn(count: i32): i32 {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const text = i.toString() + '-litter';
    const array = new Array<string>(3);
    array[0] = text;
    sum += array[0].length;
  }
  return sum;
}

/** Not with `--runtime minimal`, whose collector guests may not call. */
export function collect(): void {
  if (ASC_RUNTIME != 1) __collect();
}

/** Bytes of memory. */
export function memorySize(): i32 {
  return memory.size() << 16;
}

@suspending @external('env', 'waitI8') declare function waitI8(value: i8): i8;
export function echoI8(value: i8): i8 {
  return value;
}
export function throughI8(value: i8): i8 {
  const result = waitI8(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitU8') declare function waitU8(value: u8): u8;
export function echoU8(value: u8): u8 {
  return value;
}
export function throughU8(value: u8): u8 {
  const result = waitU8(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitI16') declare function waitI16(value: i16): i16;
export function echoI16(value: i16): i16 {
  return value;
}
export function throughI16(value: i16): i16 {
  const result = waitI16(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitU16') declare function waitU16(value: u16): u16;
export function echoU16(value: u16): u16 {
  return value;
}
export function throughU16(value: u16): u16 {
  const result = waitU16(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitI32') declare function waitI32(value: i32): i32;
export function echoI32(value: i32): i32 {
  return value;
}
export function throughI32(value: i32): i32 {
  const result = waitI32(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitU32') declare function waitU32(value: u32): u32;
export function echoU32(value: u32): u32 {
  return value;
}
export function throughU32(value: u32): u32 {
  const result = waitU32(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitI64') declare function waitI64(value: i64): i64;
export function echoI64(value: i64): i64 {
  return value;
}
export function throughI64(value: i64): i64 {
  const result = waitI64(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitU64') declare function waitU64(value: u64): u64;
export function echoU64(value: u64): u64 {
  return value;
}
export function throughU64(value: u64): u64 {
  const result = waitU64(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitF32') declare function waitF32(value: f32): f32;
export function echoF32(value: f32): f32 {
  return value;
}
export function throughF32(value: f32): f32 {
  const result = waitF32(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitF64') declare function waitF64(value: f64): f64;
export function echoF64(value: f64): f64 {
  return value;
}
export function throughF64(value: f64): f64 {
  const result = waitF64(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitBool') declare function waitBool(value: bool): bool;
export function echoBool(value: bool): bool {
  return value;
}
export function throughBool(value: bool): bool {
  const result = waitBool(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitString') declare function waitString(value: string): string;
export function echoString(value: string): string {
  return value;
}
export function throughString(value: string): string {
  const result = waitString(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitStringOrNull') declare function waitStringOrNull(value: string | null): string | null;
export function echoStringOrNull(value: string | null): string | null {
  return value;
}
export function throughStringOrNull(value: string | null): string | null {
  const result = waitStringOrNull(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitBuffer') declare function waitBuffer(value: ArrayBuffer): ArrayBuffer;
export function echoBuffer(value: ArrayBuffer): ArrayBuffer {
  return value;
}
export function throughBuffer(value: ArrayBuffer): ArrayBuffer {
  const result = waitBuffer(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitBufferOrNull') declare function waitBufferOrNull(value: ArrayBuffer | null): ArrayBuffer | null;
export function echoBufferOrNull(value: ArrayBuffer | null): ArrayBuffer | null {
  return value;
}
export function throughBufferOrNull(value: ArrayBuffer | null): ArrayBuffer | null {
  const result = waitBufferOrNull(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitInt8Array') declare function waitInt8Array(value: Int8Array): Int8Array;
export function echoInt8Array(value: Int8Array): Int8Array {
  return value;
}
export function throughInt8Array(value: Int8Array): Int8Array {
  const result = waitInt8Array(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitUint8Array') declare function waitUint8Array(value: Uint8Array): Uint8Array;
export function echoUint8Array(value: Uint8Array): Uint8Array {
  return value;
}
export function throughUint8Array(value: Uint8Array): Uint8Array {
  const result = waitUint8Array(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitUint8ClampedArray') declare function waitUint8ClampedArray(value: Uint8ClampedArray): Uint8ClampedArray;
export function echoUint8ClampedArray(value: Uint8ClampedArray): Uint8ClampedArray {
  return value;
}
export function throughUint8ClampedArray(value: Uint8ClampedArray): Uint8ClampedArray {
  const result = waitUint8ClampedArray(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitInt16Array') declare function waitInt16Array(value: Int16Array): Int16Array;
export function echoInt16Array(value: Int16Array): Int16Array {
  return value;
}
export function throughInt16Array(value: Int16Array): Int16Array {
  const result = waitInt16Array(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitUint16Array') declare function waitUint16Array(value: Uint16Array): Uint16Array;
export function echoUint16Array(value: Uint16Array): Uint16Array {
  return value;
}
export function throughUint16Array(value: Uint16Array): Uint16Array {
  const result = waitUint16Array(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitInt32Array') declare function waitInt32Array(value: Int32Array): Int32Array;
export function echoInt32Array(value: Int32Array): Int32Array {
  return value;
}
export function throughInt32Array(value: Int32Array): Int32Array {
  const result = waitInt32Array(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitUint32Array') declare function waitUint32Array(value: Uint32Array): Uint32Array;
export function echoUint32Array(value: Uint32Array): Uint32Array {
  return value;
}
export function throughUint32Array(value: Uint32Array): Uint32Array {
  const result = waitUint32Array(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitInt64Array') declare function waitInt64Array(value: Int64Array): Int64Array;
export function echoInt64Array(value: Int64Array): Int64Array {
  return value;
}
export function throughInt64Array(value: Int64Array): Int64Array {
  const result = waitInt64Array(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitUint64Array') declare function waitUint64Array(value: Uint64Array): Uint64Array;
export function echoUint64Array(value: Uint64Array): Uint64Array {
  return value;
}
export function throughUint64Array(value: Uint64Array): Uint64Array {
  const result = waitUint64Array(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitFloat32Array') declare function waitFloat32Array(value: Float32Array): Float32Array;
export function echoFloat32Array(value: Float32Array): Float32Array {
  return value;
}
export function throughFloat32Array(value: Float32Array): Float32Array {
  const result = waitFloat32Array(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitFloat64Array') declare function waitFloat64Array(value: Float64Array): Float64Array;
export function echoFloat64Array(value: Float64Array): Float64Array {
  return value;
}
export function throughFloat64Array(value: Float64Array): Float64Array {
  const result = waitFloat64Array(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitUint8ArrayOrNull') declare function waitUint8ArrayOrNull(value: Uint8Array | null): Uint8Array | null;
export function echoUint8ArrayOrNull(value: Uint8Array | null): Uint8Array | null {
  return value;
}
export function throughUint8ArrayOrNull(value: Uint8Array | null): Uint8Array | null {
  const result = waitUint8ArrayOrNull(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitI8s') declare function waitI8s(value: Array<i8>): Array<i8>;
export function echoI8s(value: Array<i8>): Array<i8> {
  return value;
}
export function throughI8s(value: Array<i8>): Array<i8> {
  const result = waitI8s(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitU8s') declare function waitU8s(value: Array<u8>): Array<u8>;
export function echoU8s(value: Array<u8>): Array<u8> {
  return value;
}
export function throughU8s(value: Array<u8>): Array<u8> {
  const result = waitU8s(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitI16s') declare function waitI16s(value: Array<i16>): Array<i16>;
export function echoI16s(value: Array<i16>): Array<i16> {
  return value;
}
export function throughI16s(value: Array<i16>): Array<i16> {
  const result = waitI16s(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitU16s') declare function waitU16s(value: Array<u16>): Array<u16>;
export function echoU16s(value: Array<u16>): Array<u16> {
  return value;
}
export function throughU16s(value: Array<u16>): Array<u16> {
  const result = waitU16s(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitI32s') declare function waitI32s(value: Array<i32>): Array<i32>;
export function echoI32s(value: Array<i32>): Array<i32> {
  return value;
}
export function throughI32s(value: Array<i32>): Array<i32> {
  const result = waitI32s(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitU32s') declare function waitU32s(value: Array<u32>): Array<u32>;
export function echoU32s(value: Array<u32>): Array<u32> {
  return value;
}
export function throughU32s(value: Array<u32>): Array<u32> {
  const result = waitU32s(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitI64s') declare function waitI64s(value: Array<i64>): Array<i64>;
export function echoI64s(value: Array<i64>): Array<i64> {
  return value;
}
export function throughI64s(value: Array<i64>): Array<i64> {
  const result = waitI64s(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitU64s') declare function waitU64s(value: Array<u64>): Array<u64>;
export function echoU64s(value: Array<u64>): Array<u64> {
  return value;
}
export function throughU64s(value: Array<u64>): Array<u64> {
  const result = waitU64s(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitF32s') declare function waitF32s(value: Array<f32>): Array<f32>;
export function echoF32s(value: Array<f32>): Array<f32> {
  return value;
}
export function throughF32s(value: Array<f32>): Array<f32> {
  const result = waitF32s(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitF64s') declare function waitF64s(value: Array<f64>): Array<f64>;
export function echoF64s(value: Array<f64>): Array<f64> {
  return value;
}
export function throughF64s(value: Array<f64>): Array<f64> {
  const result = waitF64s(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitBools') declare function waitBools(value: Array<bool>): Array<bool>;
export function echoBools(value: Array<bool>): Array<bool> {
  return value;
}
export function throughBools(value: Array<bool>): Array<bool> {
  const result = waitBools(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitStrings') declare function waitStrings(value: Array<string>): Array<string>;
export function echoStrings(value: Array<string>): Array<string> {
  return value;
}
export function throughStrings(value: Array<string>): Array<string> {
  const result = waitStrings(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitStringsOrNulls') declare function waitStringsOrNulls(value: Array<string | null>): Array<string | null>;
export function echoStringsOrNulls(value: Array<string | null>): Array<string | null> {
  return value;
}
export function throughStringsOrNulls(value: Array<string | null>): Array<string | null> {
  const result = waitStringsOrNulls(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitStringsOrNull') declare function waitStringsOrNull(value: Array<string> | null): Array<string> | null;
export function echoStringsOrNull(value: Array<string> | null): Array<string> | null {
  return value;
}
export function throughStringsOrNull(value: Array<string> | null): Array<string> | null {
  const result = waitStringsOrNull(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitGrid') declare function waitGrid(value: Array<Array<string>>): Array<Array<string>>;
export function echoGrid(value: Array<Array<string>>): Array<Array<string>> {
  return value;
}
export function throughGrid(value: Array<Array<string>>): Array<Array<string>> {
  const result = waitGrid(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitChunks') declare function waitChunks(value: Array<Uint8Array>): Array<Uint8Array>;
export function echoChunks(value: Array<Uint8Array>): Array<Uint8Array> {
  return value;
}
export function throughChunks(value: Array<Uint8Array>): Array<Uint8Array> {
  const result = waitChunks(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitFixedI32s') declare function waitFixedI32s(value: StaticArray<i32>): StaticArray<i32>;
export function echoFixedI32s(value: StaticArray<i32>): StaticArray<i32> {
  return value;
}
export function throughFixedI32s(value: StaticArray<i32>): StaticArray<i32> {
  const result = waitFixedI32s(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitFixedF64s') declare function waitFixedF64s(value: StaticArray<f64>): StaticArray<f64>;
export function echoFixedF64s(value: StaticArray<f64>): StaticArray<f64> {
  return value;
}
export function throughFixedF64s(value: StaticArray<f64>): StaticArray<f64> {
  const result = waitFixedF64s(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitFixedU8s') declare function waitFixedU8s(value: StaticArray<u8>): StaticArray<u8>;
export function echoFixedU8s(value: StaticArray<u8>): StaticArray<u8> {
  return value;
}
export function throughFixedU8s(value: StaticArray<u8>): StaticArray<u8> {
  const result = waitFixedU8s(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitFixedI64s') declare function waitFixedI64s(value: StaticArray<i64>): StaticArray<i64>;
export function echoFixedI64s(value: StaticArray<i64>): StaticArray<i64> {
  return value;
}
export function throughFixedI64s(value: StaticArray<i64>): StaticArray<i64> {
  const result = waitFixedI64s(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitFixedBools') declare function waitFixedBools(value: StaticArray<bool>): StaticArray<bool>;
export function echoFixedBools(value: StaticArray<bool>): StaticArray<bool> {
  return value;
}
export function throughFixedBools(value: StaticArray<bool>): StaticArray<bool> {
  const result = waitFixedBools(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitFixedStrings') declare function waitFixedStrings(value: StaticArray<string>): StaticArray<string>;
export function echoFixedStrings(value: StaticArray<string>): StaticArray<string> {
  return value;
}
export function throughFixedStrings(value: StaticArray<string>): StaticArray<string> {
  const result = waitFixedStrings(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitFixedGrid') declare function waitFixedGrid(value: StaticArray<StaticArray<u16>>): StaticArray<StaticArray<u16>>;
export function echoFixedGrid(value: StaticArray<StaticArray<u16>>): StaticArray<StaticArray<u16>> {
  return value;
}
export function throughFixedGrid(value: StaticArray<StaticArray<u16>>): StaticArray<StaticArray<u16>> {
  const result = waitFixedGrid(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitFixedStringsOrNull') declare function waitFixedStringsOrNull(value: StaticArray<string> | null): StaticArray<string> | null;
export function echoFixedStringsOrNull(value: StaticArray<string> | null): StaticArray<string> | null {
  return value;
}
export function throughFixedStringsOrNull(value: StaticArray<string> | null): StaticArray<string> | null {
  const result = waitFixedStringsOrNull(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitPoint') declare function waitPoint(value: Point): Point;
export function echoPoint(value: Point): Point {
  return value;
}
export function throughPoint(value: Point): Point {
  const result = waitPoint(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitPointOrNull') declare function waitPointOrNull(value: Point | null): Point | null;
export function echoPointOrNull(value: Point | null): Point | null {
  return value;
}
export function throughPointOrNull(value: Point | null): Point | null {
  const result = waitPointOrNull(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitPoints') declare function waitPoints(value: Array<Point>): Array<Point>;
export function echoPoints(value: Array<Point>): Array<Point> {
  return value;
}
export function throughPoints(value: Array<Point>): Array<Point> {
  const result = waitPoints(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitPointsOrNulls') declare function waitPointsOrNulls(value: Array<Point | null>): Array<Point | null>;
export function echoPointsOrNulls(value: Array<Point | null>): Array<Point | null> {
  return value;
}
export function throughPointsOrNulls(value: Array<Point | null>): Array<Point | null> {
  const result = waitPointsOrNulls(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitEverything') declare function waitEverything(value: Everything): Everything;
export function echoEverything(value: Everything): Everything {
  return value;
}
export function throughEverything(value: Everything): Everything {
  const result = waitEverything(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitTree') declare function waitTree(value: Tree): Tree;
export function echoTree(value: Tree): Tree {
  return value;
}
export function throughTree(value: Tree): Tree {
  const result = waitTree(value);
  churn(3);
  return result;
}

@suspending @external('env', 'waitList') declare function waitList(value: List | null): List | null;
export function echoList(value: List | null): List | null {
  return value;
}
export function throughList(value: List | null): List | null {
  const result = waitList(value);
  churn(3);
  return result;
}

// Several at once, in one call and in the middle of expressions.

class Mixed {
  text: string = '';
  strings: Array<string> = [];
  tree: Tree | null = null;
  bytes: Uint8Array = new Uint8Array(0);
  big: i64 = 0;
}

@suspending @external('env', 'waitMixed') declare function waitMixed(
  text: string,
  strings: Array<string>,
  tree: Tree | null,
  bytes: Uint8Array,
  big: i64,
): Mixed;

export function mixed(text: string, strings: Array<string>, tree: Tree | null, bytes: Uint8Array, big: i64): Mixed {
  churn(2);
  return waitMixed(text, strings, tree, bytes, big);
}

/** The first string lives across the second wait. */
export function joined(a: string, b: string): string {
  return waitString(a) + '/' + waitString(b) + '/' + a + '/' + b;
}

export function optional(a: string, b: i32 = 7, c: string = 'default', d: i64 = 9): string {
  return a + ',' + b.toString() + ',' + c + ',' + d.toString();
}

export function optionalWaits(a: string = 'x', b: string = waitString('y')): string {
  return a + waitString(b);
}

export function nothing(): void {}

// Opaque references.

class Counter {
  constructor(public count: i32) {}
}

class Named extends Counter {
  constructor(public name: string) {
    super(0);
  }
}

class Titled extends Named {
  constructor(name: string, public title: string) {
    super(name);
  }
}

/** As what its class extends. */
export function makeTitled(name: string, title: string): Counter {
  return new Titled(name, title);
}

export function titleOf(titled: Titled): string {
  return titled.title;
}

class Pair {
  first: Counter = new Counter(1);
  second: Counter | null = null;
  label: string = '';
}

export function makeCounter(start: i32): Counter {
  return new Counter(start);
}

export function increment(counter: Counter): i32 {
  return ++counter.count;
}

export function makeNamed(name: string): Named {
  return new Named(name);
}

export function nameOf(named: Named): string {
  return named.name;
}

export function asCounter(named: Named): Counter {
  return named;
}

export function makeMap(): Map<string, i32> {
  return new Map();
}

export function setIn(map: Map<string, i32>, key: string, value: i32): i32 {
  map.set(key, value);
  return map.size;
}

export function sameCounter(counter: Counter): Counter {
  return counter;
}

export function counterOrNull(counter: Counter | null): Counter | null {
  return counter;
}

export function makeCounters(count: i32): Array<Counter> {
  const counters: Counter[] = [];
  for (let i = 0; i < count; i++) counters.push(new Counter(i));
  return counters;
}

export function sumOf(counters: Array<Counter>): i32 {
  let sum = 0;
  for (let i = 0; i < counters.length; i++) sum += counters[i].count;
  return sum;
}

export function makePair(label: string): Pair {
  const pair = new Pair();
  pair.label = label;
  pair.second = new Counter(label.length);
  return pair;
}

export function swap(pair: Pair): Pair {
  const first = pair.first;
  const second = pair.second;
  if (second) pair.first = second;
  pair.second = first;
  return pair;
}

@suspending @external('env', 'waitCounter') declare function waitCounter(counter: Counter): Counter;

export function throughCounter(counter: Counter): i32 {
  const returned = waitCounter(new Counter(counter.count));
  churn(3);
  return returned.count;
}

// Imports that do not wait, and what they may do meanwhile.

@external('env', 'plain') declare function plain(value: string): string;
export function throughPlain(value: string): string {
  return plain(value) + value;
}

@external('env', 'plainNumber') declare function plainNumber(value: i32): u8;
export function throughPlainNumber(value: i32): i32 {
  return plainNumber(value);
}

@suspending @external('env', 'waitNothing') declare function waitNothing(): void;
export function throughNothing(): i32 {
  waitNothing();
  return 1;
}

/** A list that is as long as one likes, and one that never ends. */
export function longList(length: i32): List {
  const first = new List();
  let last = first;
  for (let i = 1; i < length; i++) {
    const next = new List();
    next.value = i;
    last.next = next;
    last = next;
  }
  return first;
}

export function endlessList(): List {
  const list = new List();
  const second = new List();
  list.next = second;
  second.next = list;
  return list;
}

export let text: string = 'initial';
export let count: u32 = 4294967295;
export let flag: bool = true;
export let points: Array<Point> = [];
export let words: Array<string> = [];
export const constant: i64 = 5;

export function readText(): string {
  return text;
}

// How it ends when it does not end well.

export function fail(message: string): void {
  throw new Error(message);
}

export function logs(value: f64): f64 {
  console.log('logged ' + value.toString());
  trace('traced', 2, value, 1);
  return Math.floor(<f64>Date.now() / 1000);
}

/** Holds a string of its own across a wait. */
export function keeps(word: string): string {
  const mine = word + ' kept';
  return waitString(word) + mine;
}

// What is neither an array nor a record, and the end of the stack of references.

class Stack extends Array<i32> {
  limit: i32 = 7;
}

export function makeStack(value: i32): Stack {
  const stack = new Stack();
  stack.push(value);
  return stack;
}

export function limitOf(stack: Stack): i32 {
  return stack.limit * 100 + stack[0];
}

export function recurse(depth: i32): i32 {
  const here = [depth.toString()];
  return depth == 0 ? 0 : recurse(depth - 1) + here.length;
}
