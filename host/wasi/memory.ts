/**
 * The guest's memory, as WASI functions see it: every access is checked and fails with EFAULT, and every view is made anew,
 * since the memory may have grown while a call waited. A call that nobody waits for any more has no memory (see calls.ts).
 */
import { SIZE } from './abi.ts';
import type { Calls } from './calls.ts';
import { FileError } from './errors.ts';

export interface Vector {
  readonly at: number;
  readonly length: number;
}

/** IOV_MAX of POSIX systems: each vector becomes an object here, however few bytes it stands for. */
const MOST_VECTORS = 1024;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export class GuestMemory {
  readonly #find: () => WebAssembly.Memory;
  readonly #calls: Calls;
  #view = new DataView(new ArrayBuffer(0));

  /** @param find the memory, asked for at each access, since a guest may call before anybody holds its exports */
  constructor(find: () => WebAssembly.Memory, calls: Calls) {
    this.#find = find;
    this.#calls = calls;
  }

  /** The bytes themselves: not to be kept across a wait. */
  bytes(at: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#at(at, length).buffer, at, length);
  }

  /** @throws FileError `EFAULT` unless the guest has that much memory there */
  check(at: number, length: number): void {
    this.#at(at, length);
  }

  getUint8(at: number): number {
    return this.#at(at, 1).getUint8(at);
  }

  getUint16(at: number): number {
    return this.#at(at, 2).getUint16(at, true);
  }

  getUint32(at: number): number {
    return this.#at(at, 4).getUint32(at, true);
  }

  getUint64(at: number): bigint {
    return this.#at(at, 8).getBigUint64(at, true);
  }

  setUint8(at: number, value: number): void {
    this.#at(at, 1).setUint8(at, value);
  }

  setUint16(at: number, value: number): void {
    this.#at(at, 2).setUint16(at, value, true);
  }

  setUint32(at: number, value: number): void {
    this.#at(at, 4).setUint32(at, value, true);
  }

  setUint64(at: number, value: bigint): void {
    this.#at(at, 8).setBigUint64(at, value, true);
  }

  /**
   * A string of the guest, such as a path.
   *
   * @throws FileError `EFAULT`; `EILSEQ` if it is not UTF-8
   */
  text(at: number, length: number): string {
    const bytes = this.bytes(at, length);
    try {
      return decoder.decode(bytes);
    } catch (cause) {
      throw new FileError('EILSEQ', 'the text is not UTF-8', { cause });
    }
  }

  /**
   * Where data is to be gathered from or scattered to; checked as a whole, before anything is read or written.
   *
   * @throws FileError `EINVAL` if there are too many; `EFAULT`
   */
  vectors(at: number, count: number): Vector[] {
    if (count > MOST_VECTORS) throw new FileError('EINVAL', `${count} vectors are more than ${MOST_VECTORS}`);
    this.check(at, count * SIZE.IOVEC);
    const vectors: Vector[] = [];
    for (let each = at; each < at + count * SIZE.IOVEC; each += SIZE.IOVEC) {
      const vector = { at: this.getUint32(each), length: this.getUint32(each + 4) };
      this.check(vector.at, vector.length);
      vectors.push(vector);
    }
    return vectors;
  }

  /** A copy of what the vectors point to, one after the other, up to so many bytes. */
  gather(vectors: readonly Vector[], most: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(Math.min(most, totalOf(vectors)));
    let length = 0;
    for (const vector of vectors) {
      const part = Math.min(vector.length, bytes.length - length);
      bytes.set(this.bytes(vector.at, part), length);
      length += part;
    }
    return bytes;
  }

  /** Writes the bytes to where the vectors point. There must be room for them. */
  scatter(vectors: readonly Vector[], bytes: Uint8Array): void {
    let from = 0;
    for (const { at, length } of vectors) {
      if (from >= bytes.length) return;
      const part = bytes.subarray(from, from + length);
      this.bytes(at, part.length).set(part);
      from += part.length;
    }
  }

  #at(at: number, length: number): DataView<ArrayBuffer> {
    this.#calls.mustBeAwaited();
    const { buffer } = this.#find();
    if (at + length > buffer.byteLength) {
      throw new FileError('EFAULT', `the guest has no memory at ${at} to ${at + length}`);
    }
    if (this.#view.buffer !== buffer) this.#view = new DataView(buffer);
    return this.#view;
  }
}

export function totalOf(vectors: readonly Vector[]): number {
  return vectors.reduce((total, { length }) => total + length, 0);
}

/** Strings in one block as C has them, and where in it each one begins. */
export function packStrings(strings: readonly string[]): { bytes: Uint8Array; offsets: readonly number[] } {
  const parts = strings.map((text) => encoder.encode(`${text}\0`));
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  const offsets: number[] = [];
  let length = 0;
  for (const part of parts) {
    offsets.push(length);
    bytes.set(part, length);
    length += part.length;
  }
  return { bytes, offsets };
}
