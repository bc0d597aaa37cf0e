/**
 * Typed arrays: a header and a buffer, copied whole. Exactly the constructor that the type names is taken, of whatever
 * realm, and subclasses of it (Node's Buffer is a Uint8Array). Nothing of the value's own code runs: what it is and where
 * its bytes are is asked of the platform's getters.
 */
import type { Codec } from './codec.ts';
import { BYTE_LENGTH, DATA_START, type GuestMemory } from './memory.ts';
import { Mismatch } from './mismatch.ts';
import { corrupt, objectCodec, orNull } from './text.ts';
import type { TypedArrayKind } from './types.ts';

export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** The common prototype of all kinds, whose getters work for every one of them. */
const prototype = Object.getPrototypeOf(Uint8Array.prototype) as object;
/** Undefined for what is no typed array. */
const kindOf = getter(Symbol.toStringTag);
const lengthOf = getter('length');
const offsetOf = getter('byteOffset');
const bufferOf = getter('buffer');

function getter(name: PropertyKey): (this: unknown) => unknown {
  // These are accessors in every engine.
  return Object.getOwnPropertyDescriptor(prototype, name)!.get!;
}

/** Where elements of each kind are in the guest's memory. */
const VIEWS = {
  Int8Array: 'i8',
  Uint8Array: 'u8',
  Uint8ClampedArray: 'u8',
  Int16Array: 'i16',
  Uint16Array: 'u16',
  Int32Array: 'i32',
  Uint32Array: 'u32',
  BigInt64Array: 'i64',
  BigUint64Array: 'u64',
  Float32Array: 'f32',
  Float64Array: 'f64',
} as const;

type Construct = {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): TypedArray;
};

export function typedArrayCodec(memory: GuestMemory, array: TypedArrayKind, id: number, nullable: boolean): Codec {
  const expected = orNull(`a ${array}`, nullable).replace(/^a (?=I)/, 'an ');
  // Every platform has each of them, as globals.
  const Kind = globalThis[array] as unknown as Construct;
  const size = Kind.BYTES_PER_ELEMENT;
  const view = VIEWS[array];

  const read = (address: number): TypedArray => {
    if (!memory.holds(address, BYTE_LENGTH + 4)) throw corrupt(address);
    // Within memory, as was just checked.
    const start = memory.u32[(address + DATA_START) >>> 2] as number;
    const bytes = memory.u32[(address + BYTE_LENGTH) >>> 2] as number; // As above.
    if (!memory.holds(start, bytes) || bytes % size !== 0) throw corrupt(address);
    memory.output.spend(bytes);
    // Views of the guest are aligned, unless it has made them by hand.
    if (start % size !== 0 || array === 'Uint8ClampedArray')
      return new Kind(memory.u8.slice(start, start + bytes).buffer);
    return memory[view].slice(start / size, (start + bytes) / size);
  };

  const make = (value: unknown, slot: number): number => {
    if (kindOf.call(value) !== array) throw new Mismatch(expected, value);
    const length = lengthOf.call(value) as number;
    const offset = offsetOf.call(value) as number;
    const before = memory.buffer;
    const address = memory.allocateArray(id, length * size, -1);
    if (slot !== 0) memory.u32[slot >>> 2] = address;
    if (length === 0) return address;
    let source = value as TypedArray;
    if (lengthOf.call(source) !== length) {
      // A view of the guest's own memory, which has just grown: the same bytes are at the same place.
      if (bufferOf.call(value) !== before) throw new Mismatch(`${expected} that keeps its length`, value);
      source = new Kind(memory.buffer, offset, length);
    }
    const start = memory.u32[(address + DATA_START) >>> 2] as number; // Just allocated.
    // Both are of numbers, or both of bigints, which the compiler cannot see.
    (memory[view] as Uint8Array).set(source as Uint8Array, start / size);
    return address;
  };
  return objectCodec(memory, { expected, nullable, deep: false, holds: false }, read, make);
}
