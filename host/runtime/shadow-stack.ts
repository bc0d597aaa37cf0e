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
import type { ShadowStack, Task } from '../backends/backend.ts';
import { ALIGNMENT, alignDown, alignUp } from './alignment.ts';
import { noAllocator } from './out-of-memory.ts';

/** LLVM lets a leaf function use this many bytes below the stack pointer. */
const RED_ZONE = 128;
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

export function llvmShadowStack({ access, low, reserved, stackSize, allocate }: LlvmOptions): ShadowStack {
  // Addresses are unsigned; the engine hands them over signed.
  const save = (): number => access.get() >>> 0;
  const mainHigh = alignDown(save() - reserved);
  const free: number[] = [];
  let mainTask: Task | null = null;
  let limit = 0;
  let high = 0;

  const set = (pointer: number, newLow: number, newHigh: number): void => {
    limit = newLow + RED_ZONE;
    high = newHigh;
    access.set(pointer, limit, high);
  };
  /** Where calls without a fiber run: the guest's own stack, below the fiber that is suspended on it, if any. */
  const toBase = (): void => {
    set(mainTask === null ? mainHigh : alignDown(mainTask.pointer - RED_ZONE), low, mainHigh);
  };
  const resume = ({ pointer, region }: Task): void => {
    if (region === MAIN) set(pointer, low, mainHigh);
    else set(pointer, region, region + stackSize);
  };
  const newRegion = (): number => {
    if (allocate === null)
      throw noAllocator('The stack of a second fiber', ', or run one fiber at a time (exclusive: true)');
    toBase();
    return alignUp(allocate(stackSize + ALIGNMENT));
  };
  const restore = (pointer: number): void => access.set(pointer, limit, high);

  toBase();
  return {
    start(task) {
      if (mainTask === null && (task.onMainStack || allocate === null)) {
        mainTask = task;
        task.region = MAIN;
        task.pointer = mainHigh;
      } else {
        task.region = free.pop() ?? newRegion();
        task.pointer = task.region + stackSize;
      }
      resume(task);
    },
    suspend(task) {
      task.pointer = save();
      toBase();
    },
    resume,
    end(task) {
      if (mainTask === task) mainTask = null;
      else if (task.region >= 0) free.push(task.region);
      task.region = NO_REGION;
      toBase();
    },
    clear() {},
    save,
    restore,
    enterSync: () => restore(alignDown(save() - RED_ZONE)),
  };
}

/** What assembly/fibers.ts exports. */
export interface SliceKeeper {
  /** Copies the slice into a pinned array; `pointer` still covers it, so that its objects are alive meanwhile. */
  save(low: number, high: number): number;
  restore(handle: number, low: number, high: number): void;
}

export function assemblyScriptShadowStack(access: StackAccess, keeper: SliceKeeper): ShadowStack {
  const save = (): number => access.get() >>> 0;
  const restore = (pointer: number): void => access.set(pointer, 0, 0);
  const top = save();
  /**
   * The task that suspended last, while its slice is where it was: the pointer covers it, so the collector sees it, and
   * calls without a fiber run below. Most waits end before another fiber runs; then nothing has to be copied.
   */
  let left: Task | null = null;

  const clear = (): void => {
    if (left === null) return;
    try {
      left.region = keeper.save(left.pointer, top);
    } catch (error) {
      // No memory: it stays where it is, and whoever needed the place fails.
      restore(left.pointer);
      throw error;
    }
    left = null;
    restore(top);
  };

  return {
    start(task) {
      clear();
      task.pointer = top;
    },
    suspend(task) {
      task.pointer = save();
      task.region = NO_REGION;
      if (task.pointer < top) left = task;
      else restore(top);
    },
    clear,
    resume(task) {
      if (left === task) left = null;
      else clear();
      if (task.region !== NO_REGION) keeper.restore(task.region, task.pointer, top);
      task.region = NO_REGION;
      restore(task.pointer);
    },
    end: () => restore(left?.pointer ?? top),
    save,
    restore,
    enterSync() {},
  };
}
