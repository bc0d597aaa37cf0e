/** What it means that a fiber cannot have the guest memory that it needs. */
import { FiberError } from '../errors.ts';

export function outOfMemory(bytes: number, cause?: unknown): FiberError {
  return new FiberError(
    'OUT_OF_MEMORY',
    `The guest's memory has no room for ${bytes} more bytes, which a fiber needs.`,
    { cause },
  );
}

/** @param what takes memory; @param otherwise one more thing to do about it */
export function noAllocator(what: string, otherwise = ''): FiberError {
  return new FiberError(
    'NO_ALLOCATOR',
    `${what} takes guest memory, but the guest exports no allocator. Build it with -Wl,--export=malloc,--export=free, or name its allocator when you instrument it (--allocator)${otherwise}.`,
  );
}
