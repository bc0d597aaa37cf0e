/**
 * What a suspended fiber needs from inside an AssemblyScript guest: that the collector still sees its references.
 * Compile it in as one more entry file, before your own:
 *
 *     asc node_modules/wasm-fibers/assembly/fibers.ts app.ts -o app.wasm -O3
 *
 * AssemblyScript keeps a shadow stack: every function with managed values lowers `__stack_pointer`, writes each
 * reference into a slot of its own there, and raises the pointer when it returns. Nobody reads the slots but the
 * collector, which takes every word between the pointer and the heap as a root:
 *
 *     __data_end                        __stack_pointer               base       __heap_base
 *         |  free                            |  slots of live calls     |              |
 *         +----------------------------------+--------------------------+--------------+
 *                                            low                        high           scanned: [low, __heap_base)
 *
 * A fiber that unwinds skips the epilogues, so its slots [low, high) still hold its references when it has left,
 * and the next call starts below them. High is where the pointer stood when the fiber was entered: the top of an
 * empty stack, the same for every fiber.
 *
 *     suspend   [low, high)  --copy-->  fresh StaticArray<Object>, pinned      pointer = high
 *     resume    [low, high)  <--copy--  the same array, unpinned               pointer = low
 *
 * Why nothing simpler does:
 * - Raise the pointer and keep nothing: the references are in the unwound frames, where no collector looks. The
 *   first collection frees strings that the fiber will use.
 * - Save the pointer alone: fibers overwrite each other's slots.
 * - A region for each fiber, as C guests have: the collector scans one range only.
 * - Copy the slots back to another address: optimised code keeps the *address* of its slots in a local, which
 *   the unwound frame holds, and goes on writing to the old place.
 * - Pin the objects that the slots name: an object can be pinned once only, and `__pin` of the object on which
 *   the collector's marker stands unlinks it under the marker: the next allocation never returns. An array that
 *   was allocated a moment ago is never marked, nobody else knows it, so pinning it is always right.
 *
 * Of the other runtimes `stub` never collects, and `minimal` collects only when `__collect` is called, which is right
 * only while no fiber is alive: it frees a buffer that has grown although slots still name it, and leaves fresh
 * arrays unfilled, so its slots must never be scanned, and are not kept here.
 *
 * The functions below work with addresses only. A managed value in one of them would give it slots of its own,
 * and its epilogue would move the pointer that it has just set.
 */

// @ts-ignore: decorator
@inline const RUNTIME_INCREMENTAL = 2;

/** Reserves `size` bytes for the window that stacks are unwound into, 16-byte aligned. They are never freed. */
export function __fibers_window(size: usize): usize {
  return heap.alloc(size);
}

/** The shadow stack pointer: exported because a release build has no name by which it could be found. */
export function __fibers_get_stack(): usize {
  return __stack_pointer;
}

/** Sets the shadow stack pointer: after a trap, whose frames never ran their epilogues. */
export function __fibers_set_stack(pointer: usize): void {
  __stack_pointer = pointer;
}

/**
 * Takes the slots [low, high) of a fiber that has just unwound off the shadow stack and raises the pointer to
 * `high`. The pointer must still be at `low`: the allocation may collect, and then the slots are the only roots.
 * Returns what `__fibers_restore` or `__fibers_discard` takes, exactly once; 0 if there is nothing to keep.
 */
export function __fibers_save(low: usize, high: usize): usize {
  let saved: usize = 0;
  if (low < high && ASC_RUNTIME == RUNTIME_INCREMENTAL) {
    const size = high - low;
    saved = __new(size, idof<StaticArray<Object>>());
    memory.copy(saved, low, size);
    __pin(saved);
  }
  __stack_pointer = high;
  return saved;
}

/**
 * Puts the slots that `__fibers_save(low, high)` gave `saved` for back where they were and lowers the pointer to
 * `low`. The guest's stack must be empty: a live call's slots below `high` would be overwritten, so that throws.
 */
export function __fibers_restore(saved: usize, low: usize, high: usize): void {
  const pointer = __stack_pointer;
  if (pointer < high) throw new Error('a fiber can resume only from an empty guest stack');
  // The collector is about to scan this gap, in which lie references of calls that returned long ago.
  memory.fill(high, 0, pointer - high);
  if (saved) {
    memory.copy(low, saved, high - low);
    __unpin(saved);
  }
  __stack_pointer = low;
}

/** Lets go of the slots of a fiber that will never resume. */
export function __fibers_discard(saved: usize): void {
  __unpin(saved);
}
