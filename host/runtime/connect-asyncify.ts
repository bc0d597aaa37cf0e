/**
 * Asyncify: what the instrumenter put into a module is found after instantiation, and handed to the backend.
 *
 * Where the window lies depends on what the guest has (in this order):
 * - LLVM: at the top of the guest's own stack, taken before any guest code runs. The guest's allocator is not asked: it
 *   may not be initialised yet, and growing the memory before its first use would hand our pages to it.
 * - AssemblyScript: a pinned block of the guest's, made at the first wait, when its runtime is initialised.
 * - else: the allocator, or memory that the host grows if the guest itself never does.
 */
import { AsyncifyBackend, type AsyncifyControls, NO_CATCH_DEPTH, type Phase } from '../backends/asyncify.ts';
import { HEADER_BYTES, Window } from '../backends/window.ts';
import { alignDown, alignUp } from './alignment.ts';
import { type Connector, typed } from './connect.ts';
import { allocator, exportedAllocator, guestFunction, type GuestParts } from './guest-parts.ts';
import { type Metadata, SECTION } from './metadata.ts';
import { noAllocator, outOfMemory } from './out-of-memory.ts';
import { instrumentedShadowStack, stackAccess } from './shadow-stack-of.ts';

/** A window takes at most this part of the guest's own stack. */
const LARGEST_PART = 4;

export function asyncifyConnector(metadata: Metadata | null): Connector {
  return (hooks) => {
    const backend = new AsyncifyBackend(hooks, metadata !== null);
    return {
      backend,
      attach(parts) {
        const { memory } = parts;
        // Without a memory there is no window: what was instrumented always has one.
        if (metadata !== null && memory !== null) {
          backend.attach(typed(() => controls({ ...parts, memory, metadata })));
        }
        return null;
      },
    };
  };
}

function controls(parts: GuestParts & { readonly memory: WebAssembly.Memory }): AsyncifyControls {
  const { metadata, options, exports, memory } = parts;
  const allocate =
    metadata.stack?.kind === 'assemblyscript'
      ? exportedAllocator(guestFunction(exports, '__fibers_window'), memory, parts.callSync)
      : allocator(parts);
  const smallest = HEADER_BYTES + 2 * alignUp(metadata.largestFrame);
  const wanted = Math.max(options.windowSize, smallest);
  let top = 0;
  let reserved = 0;
  if (metadata.stack?.kind === 'llvm') {
    top = alignDown(stackAccess(exports).get() >>> 0);
    const available = alignDown(Math.max(0, top - metadata.stack.low) / LARGEST_PART);
    if (available >= smallest) reserved = Math.min(wanted, available);
  }
  const inParts = `${SECTION}.enter` in exports;
  const enter = inParts ? (guestFunction(exports, `${SECTION}.enter`) as (bottom: number) => void) : null;
  const phase = (name: string): Phase => ({
    start: guestFunction(exports, `asyncify_start_${name}`) as (window: number) => void,
    stop: guestFunction(exports, `asyncify_stop_${name}`) as () => void,
  });
  return {
    unwinding: phase('unwind'),
    rewinding: phase('rewind'),
    catchDepth: metadata.catchDepth
      ? {
          get: guestFunction(exports, `${SECTION}.get_catch_depth`) as () => number,
          set: guestFunction(exports, `${SECTION}.set_catch_depth`) as (depth: number) => void,
        }
      : NO_CATCH_DEPTH,
    shadow: instrumentedShadowStack(parts, reserved, allocate),
    enter,
    allocates: reserved === 0 && metadata.allocator?.kind !== 'grow',
    makeWindow() {
      if (reserved > 0) return newWindow(memory, top - reserved, reserved, inParts);
      if (allocate === null) throw noAllocator('A wait');
      return newWindow(memory, alignUp(allocate(wanted + 16)), wanted, inParts);
    },
  };
}

function newWindow(memory: WebAssembly.Memory, base: number, size: number, inParts: boolean): Window {
  if (base <= 0 || base + size > memory.buffer.byteLength) throw outOfMemory(size);
  return new Window(memory, base, size, inParts);
}
