/**
 * After instantiation: finds what the instrumenter put into a module for Asyncify and hands it to the backend.
 *
 * Where the window lies depends on what the guest has (in this order):
 * - LLVM: at the top of the guest's own stack, taken before any guest code runs. The guest's allocator is not asked: it
 *   may not be initialised yet, and growing the memory before its first use would hand our pages to it.
 * - AssemblyScript: a pinned block of the guest's, made at the first wait, when its runtime is initialised.
 * - else: the allocator, or memory that the host grows if the guest itself never does.
 */
import { FiberError } from '../errors.ts';
import type { AsyncifyControls } from '../backends/asyncify.ts';
import { Window } from '../backends/window.ts';
import { alignDown, alignUp, allocator, guestFunction, type GuestParts, outOfMemory } from './guest-parts.ts';
import { SECTION } from './metadata.ts';
import { EXPORT_ALLOCATOR } from './shadow-stack.ts';
import { instrumentedShadowStack, stackAccess } from './shadow-stack-of.ts';

/** A window takes at most this part of the guest's own stack. */
const LARGEST_PART = 4;

export function asyncifyControls(parts: GuestParts & { readonly memory: WebAssembly.Memory }): AsyncifyControls {
  const { metadata, options, exports } = parts;
  const allocate = allocator(parts);
  const smallest = 16 + 2 * alignUp(metadata.largestFrame);
  const wanted = Math.max(options.windowSize, smallest);
  let reserved = 0;
  let makeWindow = (): Window => {
    if (allocate === null) throw noAllocator();
    return newWindow(parts.memory, alignUp(allocate(wanted + 16)), wanted);
  };
  if (metadata.stack?.kind === 'llvm') {
    const top = alignDown(stackAccess(exports).get() >>> 0);
    const available = alignDown(Math.max(0, top - metadata.stack.low) / LARGEST_PART);
    reserved = available >= smallest ? Math.min(wanted, available) : 0;
    if (reserved > 0) makeWindow = () => newWindow(parts.memory, top - reserved, reserved);
  } else if (metadata.stack?.kind === 'assemblyscript') {
    const block = guestFunction(exports, '__fibers_window');
    makeWindow = () => newWindow(parts.memory, alignUp(Number(parts.callSync(block, [wanted + 16])) >>> 0), wanted);
  }
  return {
    startUnwind: guestFunction(exports, 'asyncify_start_unwind') as (data: number) => void,
    stopUnwind: guestFunction(exports, 'asyncify_stop_unwind') as () => void,
    startRewind: guestFunction(exports, 'asyncify_start_rewind') as (data: number) => void,
    stopRewind: guestFunction(exports, 'asyncify_stop_rewind') as () => void,
    catchDepth: metadata.catchDepth
      ? {
          get: guestFunction(exports, `${SECTION}.get_catch_depth`) as () => number,
          set: guestFunction(exports, `${SECTION}.set_catch_depth`) as (depth: number) => void,
        }
      : null,
    shadow: instrumentedShadowStack(parts, reserved, allocate),
    makeWindow,
  };
}

function newWindow(memory: WebAssembly.Memory, base: number, size: number): Window {
  if (base <= 0 || base + size > memory.buffer.byteLength) throw outOfMemory(size);
  return new Window(memory, base, size);
}

function noAllocator(): FiberError {
  return new FiberError(
    'NO_ALLOCATOR',
    `Suspending needs a few kB of guest memory, but the guest exports no allocator. ${EXPORT_ALLOCATOR}.`,
  );
}
