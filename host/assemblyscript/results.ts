/**
 * `Result<T>` of the guest library, as the result of an import: what the host function returned, or what it failed with.
 * It is made by the host only. How it lies in memory is the library's affair (assembly/result.ts): what has no field here
 * stays zero.
 */
import type { Codec } from './codec.ts';
import type { GuestMemory } from './memory.ts';
import { Mismatch, within } from './mismatch.ts';
import { codeOf, messageOf } from './tasks-failures.ts';
import { objectCodec } from './text.ts';

export interface ResultShape {
  readonly id: number;
  /** Bytes. */
  readonly size: number;
  readonly ok: number;
  readonly failure: number;
  /** Null for `Result<void>`. */
  readonly value: number | null;
}

export interface ResultCodecs {
  readonly failure: () => Codec;
  readonly value: (() => Codec) | null;
}

export interface ResultCodec extends Codec {
  /** Lowers what the host function threw, or its promise rejected with. */
  readonly fail: (error: unknown, slot: number) => number;
}

export function resultCodec(memory: GuestMemory, shape: ResultShape, codecs: ResultCodecs): ResultCodec {
  const { id, size, ok, failure, value: valueOffset } = shape;
  const make = (value: unknown, slot: number): number => {
    const address = memory.allocate(size, id);
    if (slot !== 0) memory.u32[slot >>> 2] = address;
    memory.u8[address + ok] = 1;
    if (codecs.value !== null && valueOffset !== null) codecs.value().store(address + valueOffset, value);
    return address;
  };
  const fail = (error: unknown, slot: number): number => {
    const address = memory.allocate(size, id);
    if (slot !== 0) memory.u32[slot >>> 2] = address;
    try {
      codecs.failure().store(address + failure, failureOf(error));
    } catch (cause) {
      throw within('failure', cause);
    }
    return address;
  };
  const read = (): never => {
    throw new Mismatch('the result of an import', 'a value of the guest');
  };
  const codec = objectCodec(memory, { expected: 'a result', nullable: false, deep: true, holds: false }, read, make);
  // A null that the host function returned is for the value's own type to judge.
  return { ...codec, lower: make, store: (address, value) => void make(value, address), fail };
}

/** What the guest is told of an error, which may be any value. */
function failureOf(error: unknown): { code: string; message: string } {
  try {
    return { code: codeOf(error), message: String(messageOf(error)) };
  } catch {
    // It cannot be looked at: a proxy, a getter that throws.
    return { code: 'Error', message: 'an error without a description' };
  }
}
