/**
 * The window: the one piece of guest memory into which frames are unwound and from which they are rewound. It is
 * Asyncify's data structure:
 *
 *   base                                                                        base + 32 = start        end
 *   | pos i32 | end i32 | load i32 | outermost i32 | signal i32 | 4 unused | value, 8 | frames ... pos ... free |
 *
 * `load` is the guest's: what it expects the frames in the window to take of the native stack when they are rewound; and
 * `outermost`, the number of the function that has saved the last of them, which is the outermost. By `signal` the host tells
 * the functions in the place of suspending imports (host/instrument/passes/waits.ts) what a call of it would tell more slowly:
 *
 *     0         nothing
 *     -1        the host function that returns now has given a promise: everything is to unwind
 *     number    the frames lead to the import of this number, whose value is `value`; until that was reached
 *
 * Invariants:
 * - At most one suspended fiber, the resident, has frames in the window. They stay until somebody else needs it, so
 *   that a fiber which waits again and again alone copies nothing.
 * - A stack deeper than the window leaves it in segments (`drain`), called by the instrumented code in the middle of
 *   switching. So no stack is too deep, and nothing is ever written beyond `end`: the instrumented code calls `drain`
 *   while the largest frame still fits.
 * - Segments come back as parts: one goes on, the others wait until it has returned. Binaryen's Asyncify rewinds a stack as
 *   a whole instead: there they come back in the opposite order (`refill`).
 * - `pos` lies in guest memory and is hostile whenever it is read.
 */
import { FiberError } from '../errors.ts';
import type { NumberType } from './backend.ts';
import { FrameStore, type Part, type UnwoundStack } from './frames.ts';

const HEADER_WORDS = 8;
export const HEADER_BYTES: number = HEADER_WORDS * 4;
/** Which words of the header. */
const OUTERMOST = 3;
const SIGNAL = 4;
const VALUE = 6;

const UNWIND = -1;
/** Words that may leave the window in one suspension: 64 MiB. */
const MOST_WORDS = 1 << 24;
const MOST_SEGMENTS = 1 << 16;

export class Window {
  readonly base: number;
  readonly #start: number;
  readonly #end: number;
  readonly #memory: WebAssembly.Memory;
  readonly #inParts: boolean;
  readonly #store: FrameStore = new FrameStore();
  #header: Int32Array = new Int32Array(0);
  #frames: Int32Array = new Int32Array(0);
  /** The value in the header, by type; made when one is given for the first time. */
  #integer: BigInt64Array | null = null;
  #float: Float64Array | null = null;
  #resident: UnwoundStack | null = null;

  /**
   * @param base address, a multiple of 16; @param size bytes, a multiple of 16
   * @param inParts does the guest go on with the innermost part of a deep stack, or does it rewind the whole?
   */
  constructor(memory: WebAssembly.Memory, base: number, size: number, inParts: boolean) {
    this.#memory = memory;
    this.#inParts = inParts;
    this.base = base;
    this.#start = base + HEADER_BYTES;
    this.#end = base + size;
  }

  /** Makes it empty, for a stack that is about to unwind. */
  open(): void {
    if (this.#resident !== null) this.#evict();
    this.#setHeader(this.#start);
  }

  /** Takes note of the stack that has just been unwound. */
  close(stack: UnwoundStack): void {
    this.#refresh();
    const header = this.#header;
    // The header always has eight words.
    const words = this.#used(header[0]!);
    header[SIGNAL] = 0;
    stack.outermost = words === 0 ? 0 : header[OUTERMOST]!; // As above.
    if (stack.segments !== null && this.#inParts) {
      this.#split(stack, stack.segments, words);
      return;
    }
    stack.words = words;
    this.#resident = stack;
  }

  /** Everything leaves the window: the outermost part first. */
  #split(stack: UnwoundStack, segments: Part[], words: number): void {
    this.#refresh();
    const { bottom, trampolines } = stack;
    const parts = (stack.parts ??= []);
    parts.push({ frames: this.#frames.slice(0, words), bottom, trampolines }, ...segments.reverse());
    stack.drained += words;
    stack.segments = stack.trampolines = null;
  }

  /** Brings the part of a suspended stack back that goes on next, for rewinding. */
  load(stack: UnwoundStack): void {
    if (this.#resident !== stack) {
      if (this.#resident !== null) this.#evict();
      this.#refresh();
      const part = stack.words === 0 ? stack.parts?.pop() : undefined;
      if (part === undefined) this.#store.load(stack, this.#frames);
      else {
        this.#frames.set(part.frames);
        stack.words = part.frames.length;
        stack.drained -= part.frames.length;
        stack.bottom = part.bottom;
        stack.trampolines = part.trampolines;
        if (stack.parts?.length === 0) stack.parts = null;
      }
    }
    this.#resident = null;
    this.#setHeader(this.#start + stack.words * 4);
    stack.words = 0;
  }

  /** Has the guest unwind when the host function that it has called returns. */
  unwind(): void {
    // It was opened just now.
    this.#header[SIGNAL] = UNWIND;
  }

  /**
   * Has the guest take this value where its frames end, which must be at the import of this number.
   *
   * @param value a number, or a bigint for an `i64`; whatever the import does not give is ignored
   */
  give(number: number, type: NumberType | 'none', value: unknown): void {
    // It was loaded just now, but what had to leave the shadow stack since then may have made the memory grow.
    this.#refresh();
    const header = this.#header;
    header[SIGNAL] = number;
    // The conversions of typed arrays are those of the JavaScript API of WebAssembly.
    if (type === 'i32') header[VALUE] = value as number;
    else if (type === 'i64') {
      this.#integer ??= new BigInt64Array(this.#memory.buffer, this.base + VALUE * 4, 1);
      this.#integer[0] = value as bigint;
    } else if (type !== 'none') {
      this.#float ??= new Float64Array(this.#memory.buffer, this.base + VALUE * 4, 1);
      this.#float[0] = value as number;
    }
  }

  /** Does the guest still have to come to the place where it is to take its value? */
  isGiving(): boolean {
    this.#refresh();
    return this.#header[SIGNAL]! > 0; // The header always has eight words.
  }

  /**
   * Called by the guest when the next frame might not fit: takes away what is there.
   *
   * @param bottom number of the function whose frame is the last
   * @returns the new position
   */
  drain(stack: UnwoundStack, position: number, bottom: number): number {
    this.#refresh();
    const words = this.#used(position);
    const segments = (stack.segments ??= []);
    // No engine has so much native stack; a guest that lies would fill the host's memory.
    stack.drained += words;
    if (words === 0 || stack.drained > MOST_WORDS || segments.length >= MOST_SEGMENTS) {
      throw corrupt('it saved more frames than fit on any stack');
    }
    // What is rewound as a whole has its host functions in one list.
    const trampolines = this.#inParts ? stack.trampolines : null;
    if (this.#inParts) stack.trampolines = null;
    segments.push({ frames: this.#frames.slice(0, words), bottom, trampolines });
    return this.#start;
  }

  /** Called by a guest that rewinds as a whole, when the window has run empty: puts back what was taken last. Returns the new position. */
  refill(stack: UnwoundStack): number {
    const frames = stack.segments?.pop()?.frames;
    if (frames === undefined) throw corrupt('it asked for more frames than it had saved');
    stack.drained -= frames.length;
    this.#refresh();
    this.#frames.set(frames);
    return this.#start + frames.length * 4;
  }

  /** Forgets a stack that will not be continued, and makes the header valid so that switching can be stopped. */
  discard(stack: UnwoundStack): void {
    this.#store.release(stack);
    stack.segments = stack.parts = stack.trampolines = null;
    stack.drained = stack.words = 0;
    if (this.#resident === stack) this.#resident = null;
    this.#setHeader(this.#start);
  }

  #evict(): void {
    this.#refresh();
    // Only called if there is one.
    this.#store.store(this.#resident!, this.#frames);
    this.#resident = null;
  }

  #setHeader(position: number): void {
    this.#refresh();
    this.#header[0] = position;
    this.#header[1] = this.#end;
    this.#header[2] = 0;
    this.#header[SIGNAL] = 0;
  }

  /** Views die when the memory grows; a dead one is empty. */
  #refresh(): void {
    if (this.#header.length !== 0) return;
    this.#header = new Int32Array(this.#memory.buffer, this.base, HEADER_WORDS);
    this.#integer = this.#float = null;
    this.#frames = new Int32Array(this.#memory.buffer, this.#start, (this.#end - this.#start) >> 2);
  }

  #used(position: number): number {
    const bytes = (position >>> 0) - this.#start;
    if (bytes < 0 || bytes & 3 || position >>> 0 > this.#end) throw corrupt(`its frame header says ${position >>> 0}`);
    return bytes >> 2;
  }
}

function corrupt(what: string): FiberError {
  return new FiberError(
    'CORRUPT_FRAMES',
    `The guest damaged the frames of the fiber that it was switching: ${what}. It most likely writes out of bounds.`,
  );
}
