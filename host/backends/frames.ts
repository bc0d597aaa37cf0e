/**
 * Memory for the frames of suspended fibers, owned by the host: the guest can neither reach nor forge it, and it can be
 * written to disk. A fresh ArrayBuffer for each suspension costs several times the switch itself and some 300 bytes of
 * bookkeeping, therefore small blocks are cut from large slabs and handed out again by size. A block is exactly as large
 * as the frames, rounded up to 16 bytes; above `LARGEST_CLASS` it is an array of its own.
 *
 *   slab 0                              slab 1
 *   | block | block | free | block |..  | block | ...      handle = slab * SLAB_WORDS + offset in words
 */

import type { KeptTrampoline } from './trampolines.ts';

const SLAB_WORDS = 1 << 16;
/** Words in the largest block that is cut from a slab: 1 KiB. */
const LARGEST_CLASS = 256;

/** A piece of a stack that was too large for the window: consecutive frames, and the host functions between them. */
export interface Part {
  readonly frames: Int32Array;
  /** The number of the function whose frame is the outermost; 0 for the fiber's entry. */
  readonly bottom: number;
  readonly trampolines: KeptTrampoline[] | null;
}

/** The frames of one fiber outside of the native stack. */
export class UnwoundStack {
  /** Words in the window, or in the block after the window was needed by somebody else: the part that goes on next. */
  words = 0;
  /** See `Part`, of that one. */
  bottom = 0;
  /** The number of the function whose frame is the outermost, as the guest says; 0 if it does not. */
  outermost = 0;
  /** Has it come back before? */
  hasResumed = false;
  /** The block in the slabs, or -1. */
  handle = -1;
  /** The block, if it is too large for the slabs. */
  large: Int32Array | null = null;
  /** What has left the window since it began to unwind, innermost frames first. */
  segments: Part[] | null = null;
  /** What stays behind until the part that goes on next has returned, outermost first. */
  parts: Part[] | null = null;
  /** Words in the segments and the parts. */
  drained = 0;
  /** Host functions that stand between these frames, innermost first. */
  trampolines: KeptTrampoline[] | null = null;

  get bytes(): number {
    return (this.words + this.drained) * 4;
  }
}

export class FrameStore {
  readonly #slabs: Int32Array[] = [];
  readonly #free: number[][] = [];
  #next = 0;

  /** Copies `stack.words` words from the beginning of `source` into a block. */
  store(stack: UnwoundStack, source: Int32Array): void {
    const words = stack.words;
    if (words > LARGEST_CLASS) {
      stack.large = source.slice(0, words);
      return;
    }
    const handle = this.#allocate(words);
    copy(source, 0, this.#slab(handle), handle % SLAB_WORDS, words);
    stack.handle = handle;
  }

  /** Copies the block to the beginning of `target` and frees it. */
  load(stack: UnwoundStack, target: Int32Array): void {
    if (stack.large !== null) target.set(stack.large);
    else if (stack.handle >= 0) {
      copy(this.#slab(stack.handle), stack.handle % SLAB_WORDS, target, 0, stack.words);
    }
    this.release(stack);
  }

  release(stack: UnwoundStack): void {
    if (stack.handle >= 0) {
      const size = sizeClass(stack.words);
      (this.#free[size] ??= []).push(stack.handle);
      stack.handle = -1;
    }
    stack.large = null;
  }

  #allocate(words: number): number {
    const size = sizeClass(words);
    const reused = this.#free[size]?.pop();
    if (reused !== undefined) return reused;
    const needed = size * 4;
    if ((this.#next % SLAB_WORDS) + needed > SLAB_WORDS || this.#next === this.#slabs.length * SLAB_WORDS) {
      this.#next = this.#slabs.length * SLAB_WORDS;
      this.#slabs.push(new Int32Array(SLAB_WORDS));
    }
    const handle = this.#next;
    this.#next += needed;
    return handle;
  }

  #slab(handle: number): Int32Array {
    // A handle is only ever made by #allocate, in a slab that exists and is never removed.
    return this.#slabs[Math.floor(handle / SLAB_WORDS)]!;
  }
}

/** Units of 4 words (16 bytes); at least one, so that every block has an address of its own. */
function sizeClass(words: number): number {
  return Math.max(1, (words + 3) >> 2);
}

/** Word by word up to a size at which making two views costs less; measured, the usual frames are far below it. */
function copy(source: Int32Array, from: number, target: Int32Array, to: number, words: number): void {
  if (words > 64) target.set(source.subarray(from, from + words), to);
  // Every index is inside of both arrays by construction of the blocks and of the window.
  else for (let i = 0; i < words; i++) target[to + i] = source[from + i]!;
}
