/**
 * The bytes of a file in memory. There is more room than bytes, so that a file that grows by small writes is not copied at
 * each; what is behind the end is zero.
 */
import { FileError } from './errors.ts';

/** The greatest size that engines make an array of; they may refuse far smaller ones. */
const LARGEST = 2 ** 32 - 1;

/** How much more room is made than is needed. */
const GROWTH = 1.5;

export class Content {
  size = 0;
  #room: Uint8Array<ArrayBuffer>;
  readonly #charge: (bytes: number) => void;

  /** @param charge told of bytes that are taken or, below zero, given back; throws if there are none left */
  constructor(bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0), charge: (bytes: number) => void = () => {}) {
    this.#room = bytes;
    this.size = bytes.length;
    this.#charge = charge;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#room.subarray(0, this.size);
  }

  read(length: number, position: number): Uint8Array<ArrayBuffer> {
    return this.#room.subarray(Math.min(position, this.size), Math.min(position + length, this.size));
  }

  /** @throws FileError `ENOSPC`, `EFBIG`; the bytes are then as they were */
  write(bytes: Uint8Array, position: number): void {
    if (position + bytes.length > this.size) this.#grow(position + bytes.length);
    this.#room.set(bytes, position);
  }

  resize(size: number): void {
    if (size > this.size) this.#grow(size);
    else {
      this.#charge(size - this.size);
      this.#room.fill(0, size, this.size);
      this.size = size;
    }
  }

  /** Gives everything back. */
  forget(): void {
    this.#charge(-this.size);
    this.size = 0;
    this.#room = new Uint8Array(0);
  }

  #grow(size: number): void {
    if (size > LARGEST) throw new FileError('EFBIG', `no file in memory can have ${size} bytes`);
    this.#charge(size - this.size);
    if (size > this.#room.length) {
      try {
        const grown = new Uint8Array(Math.min(LARGEST, Math.max(size, this.#room.length * GROWTH)));
        grown.set(this.bytes);
        this.#room = grown;
      } catch (cause) {
        this.#charge(this.size - size);
        throw new FileError('ENOSPC', `the engine has no ${size} bytes for a file`, { cause });
      }
    }
    this.size = size;
  }
}
