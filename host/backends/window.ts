/**
 * The window: the one piece of guest memory into which frames are unwound and from which they are rewound. It is
 * Asyncify's data structure:
 *
 *   base                    base + 16 = start                           end
 *   | pos i32 | end i32 | 8 unused | outermost frame last ... pos ... free |
 *
 * Invariants:
 * - At most one suspended fiber, the resident, has frames in the window. They stay until somebody else needs it, so
 *   that a fiber which waits again and again alone copies nothing.
 * - A stack deeper than the window leaves it in segments (`drain`) and comes back in the opposite order (`refill`), both
 *   called by the instrumented code in the middle of switching. So no stack is too deep, and nothing is ever written
 *   beyond `end`: the instrumented code calls `drain` while the largest frame still fits.
 * - `pos` lies in guest memory and is hostile whenever it is read.
 */
import { FiberError } from '../errors.ts';
import { FrameStore, type UnwoundStack } from './frames.ts';

const HEADER_WORDS = 4;
/** Words that may leave the window in one suspension: 64 MiB. */
const MOST_WORDS = 1 << 24;
const MOST_SEGMENTS = 1 << 18;

export class Window {
  readonly base: number;
  readonly #start: number;
  readonly #end: number;
  readonly #memory: WebAssembly.Memory;
  readonly #store: FrameStore = new FrameStore();
  #header: Int32Array = new Int32Array(0);
  #frames: Int32Array = new Int32Array(0);
  #resident: UnwoundStack | null = null;

  /** @param base address, a multiple of 16; @param size bytes, a multiple of 16. */
  constructor(memory: WebAssembly.Memory, base: number, size: number) {
    this.#memory = memory;
    this.base = base;
    this.#start = base + HEADER_WORDS * 4;
    this.#end = base + size;
  }

  /** Makes it empty, for a stack that is about to unwind. */
  open(): void {
    if (this.#resident !== null) this.#evict();
    this.#setHeader(this.#start);
  }

  /** Takes note of the stack that has just been unwound. */
  close(stack: UnwoundStack): void {
    let position = this.#header[0];
    if (position === undefined) {
      this.#refresh();
      position = this.#header[0]!; // The header always has four words.
    }
    stack.words = this.#used(position);
    this.#resident = stack;
  }

  /** Brings a suspended stack back, for rewinding. */
  load(stack: UnwoundStack): void {
    if (this.#resident !== stack) {
      if (this.#resident !== null) this.#evict();
      this.#refresh();
      this.#store.load(stack, this.#frames);
    }
    this.#resident = null;
    this.#setHeader(this.#start + stack.words * 4);
    stack.words = 0;
  }

  /** Called by the guest when the next frame might not fit: takes away what is there. Returns the new position. */
  drain(stack: UnwoundStack, position: number): number {
    this.#refresh();
    const words = this.#used(position);
    const segments = (stack.segments ??= []);
    // No engine has so much native stack; a guest that lies would fill the host's memory.
    stack.drained += words;
    if (words === 0 || stack.drained > MOST_WORDS || segments.length >= MOST_SEGMENTS) {
      throw corrupt('it saved more frames than fit on any stack');
    }
    segments.push(this.#frames.slice(0, words));
    return this.#start;
  }

  /** Called by the guest when the window has run empty: puts back what was taken last. Returns the new position. */
  refill(stack: UnwoundStack): number {
    const segment = stack.segments?.pop();
    if (segment === undefined) throw corrupt('it asked for more frames than it had saved');
    stack.drained -= segment.length;
    this.#refresh();
    this.#frames.set(segment);
    return this.#start + segment.length * 4;
  }

  /** Forgets a stack that will not be continued, and makes the header valid so that switching can be stopped. */
  discard(stack: UnwoundStack): void {
    this.#store.release(stack);
    stack.segments = null;
    stack.drained = 0;
    stack.trampolines = null;
    stack.words = 0;
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
  }

  /** Views die when the memory grows; a dead one is empty. */
  #refresh(): void {
    if (this.#header.length !== 0) return;
    this.#header = new Int32Array(this.#memory.buffer, this.base, HEADER_WORDS);
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
