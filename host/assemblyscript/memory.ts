/**
 * The guest's memory and its allocator, as converters use them.
 *
 * Invariants:
 * - The views are those of the memory as it is: every call into the guest that is made here is followed by `refresh`,
 *   and whoever comes back from code of the embedder's or the guest's refreshes before it touches a view. Growing the
 *   memory detaches the buffer of its views, which then have no length.
 * - Addresses are unsigned.
 *
 * Managed objects have their size in bytes at -4 and their class id at -8. `Array<T>` and typed arrays are headers that
 * point to a buffer:
 *
 *     header +0 buffer   +4 dataStart   +8 byteLength   +12 length (Array only)
 */
import { FiberError } from '../errors.ts';
import type { Allowance, Allowances } from './allowance.ts';

type Allocate = (size: number, id: number) => number;
type AllocateArray = (id: number, byteLength: number, length: number) => number;

export const DATA_START = 4;
export const BYTE_LENGTH = 8;
export const LENGTH = 12;

export class GuestMemory {
  /** What values that are lifted may take. */
  readonly output: Allowance;
  /** And those that are lowered. */
  readonly #input: Allowance;
  i8: Int8Array = new Int8Array(0);
  u8: Uint8Array = new Uint8Array(0);
  i16: Int16Array = new Int16Array(0);
  u16: Uint16Array = new Uint16Array(0);
  i32: Int32Array = new Int32Array(0);
  u32: Uint32Array = new Uint32Array(0);
  i64: BigInt64Array = new BigInt64Array(0);
  u64: BigUint64Array = new BigUint64Array(0);
  f32: Float32Array = new Float32Array(0);
  f64: Float64Array = new Float64Array(0);

  #memory: WebAssembly.Memory | null = null;
  #allocate: Allocate = missing;
  #allocateArray: AllocateArray = missing;
  #push: (bytes: number) => number = missing;
  #setStack: (pointer: number) => void = missing;
  #hold: (address: number) => number = missing;
  #release: (handle: number) => void = missing;

  constructor({ input, output }: Pick<Allowances, 'input' | 'output'>) {
    this.#input = input;
    this.output = output;
  }

  /** The instance exists. */
  attach(memory: WebAssembly.Memory | null, exports: WebAssembly.Exports): void {
    this.#memory = memory;
    this.#allocate = guestFunction(exports, '__fibers_new');
    this.#allocateArray = guestFunction(exports, '__fibers_new_array');
    this.#push = guestFunction(exports, '__fibers_push');
    this.#setStack = guestFunction(exports, '__fibers_set_stack');
    this.#hold = guestFunction(exports, '__fibers_hold');
    this.#release = guestFunction(exports, '__fibers_release');
  }

  /** The memory's bytes as they are now. */
  get buffer(): ArrayBufferLike {
    this.refresh();
    return this.u8.buffer;
  }

  refresh(): void {
    if (this.u8.length === 0) this.#renew();
  }

  /** Is [address, address + bytes) memory? */
  holds(address: number, bytes: number): boolean {
    if (address + bytes <= this.u8.length) return true;
    // A shared memory grows without detaching anything.
    this.#renew();
    return address + bytes <= this.u8.length;
  }

  /** A new object, all zeros. Until it is in a slot or in an object that is, the next allocation may free it. */
  allocate(size: number, id: number): number {
    this.#input.spend(size);
    try {
      const address = this.#allocate(size, id) >>> 0;
      if (this.u8.length === 0) this.#renew();
      return address;
    } catch (error) {
      throw outOfMemory(error, size);
    }
  }

  /** A new `Array` of `length` elements, or typed array if that is negative, with a buffer of zeros; the same holds for it. */
  allocateArray(id: number, byteLength: number, length: number): number {
    this.#input.spend(byteLength);
    try {
      const address = this.#allocateArray(id, byteLength, length) >>> 0;
      if (this.u8.length === 0) this.#renew();
      return address;
    } catch (error) {
      throw outOfMemory(error, byteLength);
    }
  }

  /** Takes so many bytes of zeros off the guest's shadow stack, to keep references in. Give them back with `pop`. */
  push(bytes: number): number {
    const address = this.#push(bytes) >>> 0;
    this.refresh();
    return address;
  }

  /** @param end the address behind the slots that `push` gave */
  pop(end: number): void {
    this.#setStack(end);
  }

  /** Keeps an object alive that is in a slot, or that a function of the guest holds, until `release`. */
  hold(address: number): number {
    const handle = this.#hold(address) >>> 0;
    this.refresh();
    return handle;
  }

  release(handle: number): void {
    this.#release(handle);
  }

  #renew(): void {
    if (this.#memory === null) {
      throw new FiberError(
        'INTERNAL',
        'The guest called an import with a value in its memory before its memory could be known: compile it with --exportStart _start.',
      );
    }
    const { buffer } = this.#memory;
    this.i8 = new Int8Array(buffer);
    this.u8 = new Uint8Array(buffer);
    this.i16 = new Int16Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i64 = new BigInt64Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
  }
}

function missing(): never {
  throw new FiberError('INTERNAL', 'A value was converted before the guest was instantiated.');
}

function guestFunction(exports: WebAssembly.Exports, name: string): (...args: number[]) => number {
  const value = exports[name];
  if (typeof value === 'function') return value as (...args: number[]) => number;
  throw new FiberError(
    'BAD_METADATA',
    `The module lacks the export ${name} of wasm-fibers' guest part: it was compiled with another version of the package, or changed afterwards. Compile it again.`,
  );
}

/** A guest whose allocator finds no memory traps. */
function outOfMemory(error: unknown, bytes: number): unknown {
  if (!(error instanceof WebAssembly.RuntimeError)) return error;
  return new FiberError('OUT_OF_MEMORY', `The guest's memory has no room for a value of ${bytes} more bytes.`, {
    cause: error,
  });
}
