/**
 * Strings and buffers: one object without references. Strings are UTF-16 on both sides, so that every string passes as
 * it is, with lone surrogates too.
 */
import { FiberError } from '../errors.ts';
import type { Codec } from './codec.ts';
import type { GuestMemory } from './memory.ts';
import { Mismatch } from './mismatch.ts';

/** Code units that are passed as arguments at once: engines limit how many there may be. */
const CHUNK = 4096;

/** The codec of a class whose objects are addresses, from how one is read and made. */
export function objectCodec(
  memory: GuestMemory,
  kind: { readonly expected: string; readonly nullable: boolean; readonly deep: boolean; readonly holds: boolean },
  read: (address: number) => unknown,
  make: (value: unknown, slot: number) => number,
): Codec {
  const { expected, nullable } = kind;
  const at = (address: number): unknown => {
    if (address !== 0) return read(address);
    if (nullable) return null;
    throw new Mismatch(expected, null);
  };
  const lower = (value: unknown, slot: number): number => {
    if (value !== null) return make(value, slot);
    if (!nullable) throw new Mismatch(expected, null);
    if (slot !== 0) {
      memory.refresh();
      memory.u32[slot >>> 2] = 0;
    }
    return 0;
  };
  return {
    lift: (raw) => at((raw as number) >>> 0),
    // An address is never undefined: whoever calls has checked that there is memory.
    load: (address) => at(memory.u32[address >>> 2] as number),
    lower,
    store: (address, value) => void lower(value, address),
    bytes: 4,
    managed: true,
    deep: kind.deep,
    holds: kind.holds,
    zero: 0,
  };
}

/** `null` is one more thing that is expected. */
export const orNull = (expected: string, nullable: boolean): string => (nullable ? `${expected} or null` : expected);

export function stringCodec(memory: GuestMemory, id: number, nullable: boolean): Codec {
  const expected = orNull('a string', nullable);
  const kind = { expected, nullable, deep: false, holds: false };
  const make = (value: unknown, slot: number): number => {
    if (typeof value !== 'string') throw new Mismatch(expected, value);
    const { length } = value;
    const address = memory.allocate(length * 2, id);
    if (slot !== 0) memory.u32[slot >>> 2] = address;
    const units = memory.u16;
    const start = address >>> 1;
    for (let i = 0; i < length; i++) units[start + i] = value.charCodeAt(i);
    return address;
  };
  return objectCodec(memory, kind, (address) => readString(memory, address), make);
}

/** @throws FiberError `CORRUPT_VALUE` */
export function readString(memory: GuestMemory, address: number): string {
  const bytes = sizeOf(memory, address, 2);
  const start = address >>> 1;
  const end = (address + bytes) >>> 1;
  const units = memory.u16;
  if (end - start <= CHUNK) return String.fromCharCode.apply(null, units.subarray(start, end) as unknown as number[]);
  let text = '';
  for (let i = start; i < end; i += CHUNK) {
    text += String.fromCharCode.apply(null, units.subarray(i, Math.min(i + CHUNK, end)) as unknown as number[]);
  }
  return text;
}

export function bufferCodec(memory: GuestMemory, id: number, nullable: boolean): Codec {
  const expected = orNull('an ArrayBuffer', nullable);
  const kind = { expected, nullable, deep: false, holds: false };
  const read = (address: number): ArrayBuffer => {
    const bytes = sizeOf(memory, address, 1);
    return memory.u8.slice(address, address + bytes).buffer;
  };
  const make = (value: unknown, slot: number): number => {
    const length = bufferLength(value);
    if (length < 0) throw new Mismatch(expected, value);
    const before = memory.buffer;
    const address = memory.allocate(length, id);
    if (slot !== 0) memory.u32[slot >>> 2] = address;
    // The guest's own memory, which may just have grown.
    const source = value === before ? memory.buffer : (value as ArrayBuffer);
    if (source.byteLength < length) throw new Mismatch(`${expected} that keeps its length`, value);
    memory.u8.set(new Uint8Array(source, 0, length), address);
    return address;
  };
  return objectCodec(memory, kind, read, make);
}

/** The getter of the platform, which works for buffers of other realms too, and for nothing else. */
// The property is an accessor in every engine.
const lengthOfBuffer = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, 'byteLength')!.get!;

/** -1 if it is no ArrayBuffer. */
function bufferLength(value: unknown): number {
  try {
    return lengthOfBuffer.call(value) as number;
  } catch {
    return -1;
  }
}

/**
 * Bytes of the object at an address, all of them in memory.
 *
 * @param alignment of the object's address and size, a power of two
 * @throws FiberError `CORRUPT_VALUE`
 */
export function sizeOf(memory: GuestMemory, address: number, alignment: number): number {
  if (address < 4 || (address & (alignment - 1)) !== 0 || !memory.holds(address, 0)) throw corrupt(address);
  const bytes = memory.u32[(address - 4) >>> 2] as number; // In memory, as was just checked.
  if ((bytes & (alignment - 1)) !== 0 || !memory.holds(address, bytes)) throw corrupt(address);
  return bytes;
}

/** The guest passed an address at which no value can be. */
export function corrupt(address: number): FiberError {
  return new FiberError(
    'CORRUPT_VALUE',
    `The guest passed a value at address ${address} that does not lie within its memory: it has damaged its heap (unchecked access, changetype), or it was changed after it was compiled.`,
  );
}
