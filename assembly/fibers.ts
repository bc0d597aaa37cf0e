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

/*
 * Values that the host makes in the guest's memory, and objects that it keeps.
 *
 * A value of several objects is made from the outside in: an object is allocated, put where it belongs, and only then
 * filled. The outermost is put into a slot of the shadow stack that `__fibers_push` has taken, so every object but the
 * one just returned is reachable from a slot whenever the next allocation collects.
 *
 * That is right in every state of the incremental collector, and without its write barrier (`__link`):
 * - idle: all objects are white, and a collection that begins now has yet to find them.
 * - marking: a barrier is needed where a white object is put into one that was scanned already. An object that only a
 *   slot knows is never scanned while marking goes on: slots are read once, at its end, in the one step that also scans
 *   all that they reach and turns to sweeping. Until then such an object is white, and so is what is put into it.
 * - sweeping: what was reached and what is new are of one colour, and are not in the list that is swept.
 *
 * For the same reason a root that marking reads earlier than at its end is not enough for objects that are still being
 * filled: a global and a pinned array are read at its beginning too. They are enough for an object that is complete.
 *
 * `minimal` collects only when it is told to, which the host does not do in between; `stub` never does. Neither fills
 * what it allocates with zeros.
 */

// @ts-ignore: decorator
@inline const RUNTIME_STUB = 0;

/** What must live through one allocation and is complete: a root for the functions below, null outside of them. */
let passing: Object | null = null;

/**
 * Takes `bytes` (a multiple of an address's size) off the shadow stack, as slots that hold nothing yet, and returns the
 * address of the first. `__fibers_set_stack(address + bytes)` gives them back.
 */
export function __fibers_push(bytes: usize): usize {
  const pointer = __stack_pointer - bytes;
  if (bytes > __stack_pointer || pointer < __data_end) throw new Error('the stack is full: raise --stackSize');
  // A few words, for which `memory.fill` takes engines longer than the stores.
  for (let slot = pointer; slot < pointer + bytes; slot += sizeof<usize>()) store<usize>(slot, 0);
  __stack_pointer = pointer;
  return pointer;
}

/** Makes an object of `size` zeros, of the class `id`. */
export function __fibers_new(size: usize, id: u32): usize {
  const object = __new(size, id);
  if (ASC_RUNTIME != RUNTIME_INCREMENTAL) memory.fill(object, 0, size);
  return object;
}

/**
 * Makes an array of the class `id` with a buffer of `byteLength` zeros: an `Array` of `length` elements, or a typed array
 * if `length` is negative.
 */
export function __fibers_new_array(id: u32, byteLength: usize, length: i32): usize {
  const buffer = __fibers_new(byteLength, idof<ArrayBuffer>());
  passing = changetype<Object>(buffer);
  const array = __new(length < 0 ? offsetof<Uint8Array>() : offsetof<Array<i32>>(), id);
  passing = null;
  store<usize>(array, buffer, offsetof<Array<i32>>('buffer'));
  store<usize>(array, buffer, offsetof<Array<i32>>('dataStart'));
  store<i32>(array, <i32>byteLength, offsetof<Array<i32>>('byteLength'));
  if (length >= 0) store<i32>(array, length, offsetof<Array<i32>>('length_'));
  return array;
}

/**
 * Keeps an object alive for the host, which may do that several times with one object. Returns what `__fibers_release`
 * takes, exactly once.
 */
export function __fibers_hold(object: usize): usize {
  if (ASC_RUNTIME == RUNTIME_STUB) return 0;
  passing = changetype<Object>(object);
  // An array of its own, since pinning an object that others know is not right in every state, as said above.
  const handle = __new(sizeof<usize>(), idof<StaticArray<Object>>());
  passing = null;
  store<usize>(handle, object);
  __pin(handle);
  return handle;
}

/** Lets go of an object that `__fibers_hold` kept. */
export function __fibers_release(handle: usize): void {
  __unpin(handle);
}
