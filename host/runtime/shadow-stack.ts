/**
 * The guest's stack in linear memory, one strategy for each kind of guest. Asyncify skips the epilogues while it unwinds
 * and the prologues while it rewinds, so that the pointer stays where the suspended function had it; saving and
 * restoring the pointer alone is not enough, since the next fiber would write over what lies above it.
 *
 * LLVM (C, C++, Rust, Zig, TinyGo): every fiber runs in a region of its own, because its functions hold addresses of
 * their stack variables and host functions write through them while the fiber is suspended.
 *
 *   the guest's own stack                         regions from the guest's allocator, pooled
 *   low |  <- main  | base | window | initial     low | 128 |  <- fiber 1 | high    low | 128 | <- fiber 2 | high
 *
 * A limit stands RED_ZONE above the lower end, since leaf functions write that far below the pointer without moving it.
 *
 * AssemblyScript: the stack holds the collector's roots and must be found at the address that the collector scans; the
 * frames hold addresses of its slots. So each fiber uses the same addresses, and while it is suspended its slice is kept
 * in a pinned array of the guest, where the collector sees it (assembly/fibers.ts). It is put there when another fiber
 * needs the place, not before.
 */
import { FiberError } from '../errors.ts';
import type { ShadowStack, Task } from '../backends/backend.ts';

/** What to do about a guest that has memory and does not say how to get some. */
export const EXPORT_ALLOCATOR =
  'Build it with -Wl,--export=malloc,--export=free, or name its allocator when you instrument it (--allocator)';

/** LLVM lets a leaf function use this many bytes below the stack pointer. */
const RED_ZONE = 128;
const ALIGNMENT = 16;
/** Region of a task that runs on the guest's own stack. */
const MAIN = -1;
/** Region of a task that has not run yet. */
export const NO_REGION = -2;

/** The instrumented module's own accessors of its stack pointer. */
export interface StackAccess {
  get(): number;
  /** `low` and `high` are the limits beyond which the guest calls `stack_overflow`. */
  set(pointer: number, low: number, high: number): void;
}

/** Addresses are unsigned; the engine hands them over signed. */
const unsigned = (pointer: number): number => pointer >>> 0;
const alignDown = (address: number): number => address - (address % ALIGNMENT);

/** For guests that keep nothing in linear memory. */
export const NO_SHADOW_STACK: ShadowStack = {
  start() {},
  suspend() {},
  resume() {},
  end() {},
  clear() {},
  save: () => 0,
  restore() {},
  enterSync() {},
};

export interface LlvmOptions {
  readonly access: StackAccess;
  /** Lowest address of the guest's own stack. */
  readonly low: number;
  /** Bytes at the top of the guest's own stack that belong to the window. */
  readonly reserved: number;
  /** Bytes of a region. */
  readonly stackSize: number;
  /** Gives the address of a block of so many bytes, or throws. Null if the guest has no allocator that we know. */
  readonly allocate: ((bytes: number) => number) | null;
}

export class LlvmShadowStack implements ShadowStack {
  readonly #access: StackAccess;
  readonly #allocate: ((bytes: number) => number) | null;
  readonly #mainLow: number;
  readonly #mainHigh: number;
  readonly #size: number;
  readonly #free: number[] = [];
  #mainTask: Task | null = null;
  #low: number;
  #high: number;

  constructor({ access, low, reserved, stackSize, allocate }: LlvmOptions) {
    this.#access = access;
    this.#allocate = allocate;
    this.#mainHigh = alignDown(unsigned(access.get()) - reserved);
    this.#mainLow = this.#low = low + RED_ZONE;
    this.#high = this.#mainHigh;
    this.#size = stackSize;
    this.#toBase();
  }

  start(task: Task): void {
    if (this.#mainTask === null && (task.onMainStack || this.#allocate === null)) {
      this.#mainTask = task;
      task.region = MAIN;
      task.pointer = this.#mainHigh;
    } else {
      task.region = this.#free.pop() ?? this.#newRegion();
      task.pointer = task.region + this.#size;
    }
    this.resume(task);
  }

  suspend(task: Task): void {
    task.pointer = unsigned(this.#access.get());
    this.#toBase();
  }

  resume(task: Task): void {
    if (task.region === MAIN) this.#set(task.pointer, this.#mainLow, this.#mainHigh);
    else this.#set(task.pointer, task.region + RED_ZONE, task.region + this.#size);
  }

  end(task: Task): void {
    if (this.#mainTask === task) this.#mainTask = null;
    else if (task.region >= 0) this.#free.push(task.region);
    task.region = NO_REGION;
    this.#toBase();
  }

  save(): number {
    return unsigned(this.#access.get());
  }

  clear(): void {}

  restore(pointer: number): void {
    this.#access.set(pointer, this.#low, this.#high);
  }

  enterSync(): void {
    this.restore(alignDown(this.save() - RED_ZONE));
  }

  /** Where calls without a fiber run: the guest's own stack, below the fiber that is suspended on it, if any. */
  #toBase(): void {
    const pointer = this.#mainTask === null ? this.#mainHigh : alignDown(this.#mainTask.pointer - RED_ZONE);
    this.#set(pointer, this.#mainLow, this.#mainHigh);
  }

  #set(pointer: number, low: number, high: number): void {
    this.#low = low;
    this.#high = high;
    this.#access.set(pointer, low, high);
  }

  #newRegion(): number {
    if (this.#allocate === null) {
      throw new FiberError(
        'NO_ALLOCATOR',
        `A second fiber needs guest memory for its stack, but the guest exports no allocator. ${EXPORT_ALLOCATOR}, or run one fiber at a time (exclusive: true).`,
      );
    }
    this.#toBase();
    const address = this.#allocate(this.#size + ALIGNMENT);
    return alignDown(address + ALIGNMENT - 1);
  }
}

/** What assembly/fibers.ts exports. */
export interface SliceKeeper {
  /** Copies the slice into a pinned array; `pointer` still covers it, so that its objects are alive meanwhile. */
  save(low: number, high: number): number;
  restore(handle: number, low: number, high: number): void;
}

export class AssemblyScriptShadowStack implements ShadowStack {
  readonly #access: StackAccess;
  readonly #keeper: SliceKeeper;
  readonly #top: number;
  /**
   * The task that suspended last, while its slice is where it was: the pointer covers it, so the collector sees it, and
   * calls without a fiber run below. Most waits end before another fiber runs; then nothing has to be copied.
   */
  #left: Task | null = null;

  constructor(access: StackAccess, keeper: SliceKeeper) {
    this.#access = access;
    this.#keeper = keeper;
    this.#top = this.save();
  }

  start(task: Task): void {
    this.clear();
    task.pointer = this.#top;
  }

  suspend(task: Task): void {
    task.pointer = this.save();
    task.region = NO_REGION;
    if (task.pointer < this.#top) this.#left = task;
    else this.restore(this.#top);
  }

  clear(): void {
    const left = this.#left;
    if (left === null) return;
    try {
      left.region = this.#keeper.save(left.pointer, this.#top);
    } catch (error) {
      // No memory: it stays where it is, and whoever needed the place fails.
      this.restore(left.pointer);
      throw error;
    }
    this.#left = null;
    this.restore(this.#top);
  }

  resume(task: Task): void {
    if (this.#left === task) this.#left = null;
    else this.clear();
    if (task.region !== NO_REGION) this.#keeper.restore(task.region, task.pointer, this.#top);
    task.region = NO_REGION;
    this.restore(task.pointer);
  }

  end(): void {
    this.restore(this.#left?.pointer ?? this.#top);
  }

  save(): number {
    return unsigned(this.#access.get());
  }

  restore(pointer: number): void {
    this.#access.set(pointer, 0, 0);
  }

  enterSync(): void {}
}
