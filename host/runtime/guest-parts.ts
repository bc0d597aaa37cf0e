/**
 * What a module brings that the host needs for switching, found after instantiation. The module is hostile input, so every
 * export is checked for its kind; what it does when called can harm only its own guest.
 */
import type { GuestFunction } from '../backends/backend.ts';
import { badMetadata, type Metadata } from './metadata.ts';
import type { CheckedOptions } from './options.ts';
import { outOfMemory } from './out-of-memory.ts';

const PAGE = 65_536;

export interface GuestParts {
  readonly metadata: Metadata;
  readonly exports: WebAssembly.Exports;
  /** Null only where nothing is kept in memory. */
  readonly memory: WebAssembly.Memory | null;
  readonly options: CheckedOptions;
  /** Runs code of the guest that no fiber is to pay for. */
  own<T>(call: () => T): T;
  /** Calls a guest function that must not suspend. */
  callSync(fn: GuestFunction, args: readonly unknown[]): unknown;
}

export type Allocate = (bytes: number) => number;

/** The guest's memory: exported under any name, or imported; null if it has none. */
export function findMemory(
  instance: WebAssembly.Instance,
  imports: Record<string, Record<string, WebAssembly.ImportValue>>,
): WebAssembly.Memory | null {
  const given = [instance.exports, ...Object.values(imports)].flatMap((each): unknown[] => Object.values(each));
  return given.find((value): value is WebAssembly.Memory => value instanceof WebAssembly.Memory) ?? null;
}

/** Gives guest memory, or throws. Null if no way is known that the guest would not notice. */
export function allocator({ metadata, memory, exports, callSync }: GuestParts): Allocate | null {
  if (metadata.allocator === null || memory === null) return null;
  if (metadata.allocator.kind === 'exports') {
    return exportedAllocator(guestFunction(exports, metadata.allocator.alloc), memory, callSync);
  }
  let next = 0;
  let end = 0;
  return (bytes) => {
    if (next + bytes > end) {
      const pages = Math.ceil(bytes / PAGE);
      try {
        const grown = memory.grow(pages) * PAGE;
        // What is left of the last growth goes on in this one, if nobody has grown the memory in between.
        if (grown !== end) next = grown;
        end = grown + pages * PAGE;
      } catch (cause) {
        throw outOfMemory(bytes, cause);
      }
    }
    const address = next;
    next += bytes;
    return address;
  };
}

/** `malloc` of the guest. */
export function exportedAllocator(
  alloc: GuestFunction,
  memory: WebAssembly.Memory,
  callSync: GuestParts['callSync'],
): Allocate {
  return (bytes) => {
    const address = Number(callSync(alloc, [bytes])) >>> 0;
    if (address === 0 || address + bytes > memory.buffer.byteLength) throw outOfMemory(bytes);
    return address;
  };
}

export function guestFunction(exports: WebAssembly.Exports, name: string): GuestFunction {
  const value = exports[name];
  if (typeof value === 'function') return value as GuestFunction;
  throw badMetadata(`the module does not export the function ${name}, as it promises`);
}

export function guestGlobal(exports: WebAssembly.Exports, name: string): WebAssembly.Global {
  const value = exports[name];
  if (value instanceof WebAssembly.Global) return value;
  throw badMetadata(`the module does not export the global ${name}, as it promises`);
}
