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
/** Strings this short are put together unit by unit, and this long by the platform's decoder: measured. */
const SHORT = 10;
const LONG = 100;
/** Strings this long go through the platform's encoder, in pieces of at most so many units. */
const ENCODED = 64;
const PIECE = 16_384;

/** UTF-16 has no other form for which lone surrogates are an error. */
const decoder = new TextDecoder('utf-16le', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const piece = new Uint8Array(PIECE);

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
    store: (address, value) => {
      if (value === null) lower(value, address);
      else make(value, address);
    },
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
    writeUnits(memory.u16, address >>> 1, value, length);
    return address;
  };
  const read = (address: number): string => {
    const bytes = sizeOf(memory, address, 2);
    memory.output.spend(bytes);
    return textOf(memory.u16, address >>> 1, bytes >>> 1);
  };
  return objectCodec(memory, kind, read, make);
}

function writeUnits(units: Uint16Array, start: number, text: string, length: number): void {
  if (length >= ENCODED) writeLong(units, start, text, length);
  else for (let i = 0; i < length; i++) units[start + i] = text.charCodeAt(i);
}

/** A piece that is ASCII has as many bytes in UTF-8 as it has units, and the engine copies those much faster. */
function writeLong(units: Uint16Array, start: number, text: string, length: number): void {
  for (let from = 0; from < length; from += PIECE) {
    const to = Math.min(from + PIECE, length);
    const part = length <= PIECE ? text : text.slice(from, to);
    const { read, written } = encoder.encodeInto(part, piece);
    if (read === written && read === to - from) units.set(piece.subarray(0, written), start + from);
    else for (let i = from; i < to; i++) units[start + i] = text.charCodeAt(i);
  }
}

/**
 * @param most units; of a longer string these and `...` are read
 * @throws FiberError `CORRUPT_VALUE`
 */
export function readString(memory: GuestMemory, address: number, most: number = Infinity): string {
  const length = sizeOf(memory, address, 2) >>> 1;
  const text = textOf(memory.u16, address >>> 1, Math.min(length, most));
  return length > most ? `${text}...` : text;
}

function textOf(units: Uint16Array, start: number, length: number): string {
  if (length <= SHORT) {
    let text = '';
    for (let i = 0; i < length; i++) text += String.fromCharCode(units[start + i] as number); // In memory, as was checked.
    return text;
  }
  return length < LONG ? fromUnits(units, start, start + length) : readLong(units, start, start + length);
}

function fromUnits(units: Uint16Array, start: number, end: number): string {
  return String.fromCharCode.apply(null, units.subarray(start, end) as unknown as number[]);
}

function readLong(units: Uint16Array, start: number, end: number): string {
  try {
    return decoder.decode(units.subarray(start, end));
  } catch {
    // It has lone surrogates, which a decoder does not let pass.
    let text = '';
    for (let i = start; i < end; i += CHUNK) text += fromUnits(units, i, Math.min(i + CHUNK, end));
    return text;
  }
}

export function bufferCodec(memory: GuestMemory, id: number, nullable: boolean): Codec {
  const expected = orNull('an ArrayBuffer', nullable);
  const kind = { expected, nullable, deep: false, holds: false };
  const read = (address: number): ArrayBuffer => {
    const bytes = sizeOf(memory, address, 1);
    memory.output.spend(bytes);
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
