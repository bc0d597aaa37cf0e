/**
 * A cursor over the bytes of a module. Every read is checked against the end of the section that it is in, so that a
 * truncated or hostile file ends in one sentence with an offset, never in a number that was not there.
 */
import { FiberError } from '../../errors.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class Reader {
  readonly bytes: Uint8Array;
  pos: number;
  end: number;
  /** Has a type of references been read that came with garbage collection? See types.ts. */
  hasGcReferences = false;
  /** Has it read a type of references to exceptions? */
  hasExceptionReferences = false;

  /** Positions are offsets into the whole file, in sub-readers too: they share the bytes. */
  constructor(bytes: Uint8Array, pos: number = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.pos = pos;
    this.end = end;
  }

  get done(): boolean {
    return this.pos >= this.end;
  }

  /** The error for bytes that are no module, at the current offset. */
  malformed(what: string): FiberError {
    return new FiberError(
      'BAD_MODULE',
      `This WebAssembly module is malformed or truncated: ${what} at byte ${this.pos}. Was it downloaded or copied completely?`,
    );
  }

  byte(): number {
    if (this.pos >= this.end) throw this.malformed('the file or a section ends too early');
    return this.bytes[this.pos++] ?? 0;
  }

  /** Unsigned LEB128 of at most 32 bits. */
  u32(): number {
    let result = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      result += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (result > 0xffffffff) break;
        return result;
      }
    }
    throw this.malformed('a number is too large');
  }

  /** Signed LEB128 of at most 33 bits (i32 constants, block types, heap types). */
  s33(): number {
    let result = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      result += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return byte & 0x40 ? result - 2 ** (shift + 7) : result;
    }
    throw this.malformed('a number is too large');
  }

  /** Unsigned LEB128 of at most 64 bits, rounded to a double. */
  u64(): number {
    let result = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.byte();
      result += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return result;
    }
    throw this.malformed('a number is too large');
  }

  /** Skips a LEB128 of at most 64 bits. */
  skipLeb(): void {
    for (let count = 0; count < 10; count++) if (this.byte() < 0x80) return;
    throw this.malformed('a number is too large');
  }

  skip(count: number): void {
    if (count > this.end - this.pos) throw this.malformed('the file or a section ends too early');
    this.pos += count;
  }

  name(): string {
    const length = this.u32();
    const start = this.pos;
    this.skip(length);
    try {
      return decoder.decode(this.bytes.subarray(start, this.pos));
    } catch {
      this.pos = start;
      throw this.malformed('a name is not UTF-8');
    }
  }

  /** Reads a counted list. A count beyond the bytes that are left is refused before anything is allocated. */
  list<T>(item: (index: number) => T): T[] {
    const count = this.u32();
    if (count > this.end - this.pos) throw this.malformed('a list is longer than its section');
    const items: T[] = [];
    for (let index = 0; index < count; index++) items.push(item(index));
    return items;
  }

  /** A reader for the next `size` bytes; this one continues behind them. */
  sub(size: number): Reader {
    const start = this.pos;
    this.skip(size);
    return new Reader(this.bytes, start, this.pos);
  }
}
