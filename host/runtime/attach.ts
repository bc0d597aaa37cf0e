/**
 * After instantiation: finds what the instrumenter put into the module and hands it to the backend. The module is
 * hostile input, so every export is checked for its kind; what it does when called can harm only its own guest.
 *
 * Where the window lies depends on what the guest has (in this order):
 * - LLVM: at the top of the guest's own stack, taken before any guest code runs. The guest's allocator is not asked: it
 *   may not be initialised yet, and growing the memory before its first use would hand our pages to it.
 * - AssemblyScript: a pinned block of the guest's, made at the first wait, when its runtime is initialised.
 * - else: the allocator, or memory that the host grows if the guest itself never does.
 */
import { FiberError } from '../errors.ts';
import type { AsyncifyControls } from '../backends/asyncify.ts';
import type { GuestFunction, ShadowStack, Task } from '../backends/backend.ts';
import { Window } from '../backends/window.ts';
import { type Metadata, SECTION } from './metadata.ts';
import type { CheckedOptions } from './options.ts';
import {
  AssemblyScriptShadowStack,
  EXPORT_ALLOCATOR,
  LlvmShadowStack,
  NO_SHADOW_STACK,
  type StackAccess,
} from './shadow-stack.ts';

const PAGE = 65_536;
/** A window takes at most this part of the guest's own stack. */
const LARGEST_PART = 4;

export interface GuestParts {
  readonly metadata: Metadata;
  readonly exports: WebAssembly.Exports;
  readonly memory: WebAssembly.Memory;
  readonly options: CheckedOptions;
  /** Calls a guest function that must not suspend. */
  callSync(fn: GuestFunction, args: readonly unknown[]): unknown;
}

type Allocate = (bytes: number) => number;

export function asyncifyControls(parts: GuestParts): AsyncifyControls {
  const { metadata, options } = parts;
  const allocate = allocator(parts);
  const smallest = 16 + 2 * alignUp(metadata.largestFrame);
  const wanted = Math.max(options.windowSize, smallest);
  let shadow: ShadowStack = NO_SHADOW_STACK;
  let makeWindow = (): Window => {
    if (allocate === null) throw noAllocator();
    return newWindow(parts, alignUp(allocate(wanted + 16)), wanted);
  };
  if (metadata.stack?.kind === 'llvm') {
    const access = stackAccess(parts);
    const top = alignDown(access.get() >>> 0);
    const available = alignDown(Math.max(0, top - metadata.stack.low) / LARGEST_PART);
    const reserved = available >= smallest ? Math.min(wanted, available) : 0;
    shadow = new LlvmShadowStack({ access, low: metadata.stack.low, reserved, stackSize: options.stackSize, allocate });
    if (reserved > 0) makeWindow = () => newWindow(parts, top - reserved, reserved);
  } else if (metadata.stack?.kind === 'assemblyscript') {
    const save = guestFunction(parts, '__fibers_save');
    const restore = guestFunction(parts, '__fibers_restore');
    const block = guestFunction(parts, '__fibers_window');
    shadow = new AssemblyScriptShadowStack(stackAccess(parts), {
      save: save as (low: number, high: number) => number,
      restore: restore as (handle: number, low: number, high: number) => void,
    });
    makeWindow = () => newWindow(parts, alignUp(Number(parts.callSync(block, [wanted + 16])) >>> 0), wanted);
  }
  if (metadata.globals.length > 0) {
    shadow = new FiberGlobals(
      shadow,
      metadata.globals.map((name) => guestGlobal(parts, name)),
    );
  }
  return {
    startUnwind: guestFunction(parts, 'asyncify_start_unwind') as (data: number) => void,
    stopUnwind: guestFunction(parts, 'asyncify_stop_unwind') as () => void,
    startRewind: guestFunction(parts, 'asyncify_start_rewind') as (data: number) => void,
    stopRewind: guestFunction(parts, 'asyncify_stop_rewind') as () => void,
    catchDepth: metadata.catchDepth
      ? {
          get: guestFunction(parts, `${SECTION}.get_catch_depth`) as () => number,
          set: guestFunction(parts, `${SECTION}.set_catch_depth`) as (depth: number) => void,
        }
      : null,
    shadow,
    makeWindow,
  };
}

/** The guest's memory: exported under any name, or imported; null if it has none. */
export function findMemory(
  instance: WebAssembly.Instance,
  imports: Record<string, Record<string, WebAssembly.ImportValue>>,
): WebAssembly.Memory | null {
  const given = [instance.exports, ...Object.values(imports)].flatMap((each): unknown[] => Object.values(each));
  return given.find((value): value is WebAssembly.Memory => value instanceof WebAssembly.Memory) ?? null;
}

/** Gives guest memory, or throws. Null if no way is known that the guest would not notice. */
function allocator(parts: GuestParts): Allocate | null {
  const { metadata, memory, callSync } = parts;
  if (metadata.allocator === null) return null;
  if (metadata.allocator.kind === 'exports') {
    const alloc = guestFunction(parts, metadata.allocator.alloc);
    return (bytes) => {
      const address = Number(callSync(alloc, [bytes])) >>> 0;
      if (address === 0 || address + bytes > memory.buffer.byteLength) throw outOfMemory(bytes);
      return address;
    };
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

/** Globals of which each fiber has its own value: thread-local storage, the state of a language's runtime. */
class FiberGlobals implements ShadowStack {
  readonly #inner: ShadowStack;
  readonly #globals: readonly WebAssembly.Global[];
  readonly #initial: readonly unknown[];
  readonly #saved = new WeakMap<Task, readonly unknown[]>();

  constructor(inner: ShadowStack, globals: readonly WebAssembly.Global[]) {
    this.#inner = inner;
    this.#globals = globals;
    this.#initial = this.#read();
    // An immutable global, or one of a type that cannot be read, is found out now and not at the first fiber.
    this.#write(this.#initial);
  }

  start(task: Task): void {
    this.#inner.start(task);
    this.#write(this.#initial);
  }

  suspend(task: Task): void {
    this.#inner.suspend(task);
    this.#saved.set(task, this.#read());
    this.#write(this.#initial);
  }

  resume(task: Task): void {
    this.#inner.resume(task);
    this.#write(this.#saved.get(task) ?? this.#initial);
  }

  end(task: Task): void {
    this.#inner.end(task);
    this.#write(this.#initial);
  }

  clear(): void {
    this.#inner.clear();
  }

  save(): number {
    return this.#inner.save();
  }

  restore(pointer: number): void {
    this.#inner.restore(pointer);
  }

  enterSync(): void {
    this.#inner.enterSync();
  }

  #read(): unknown[] {
    return this.#globals.map((each): unknown => each.value);
  }

  #write(values: readonly unknown[]): void {
    this.#globals.forEach((each, i) => (each.value = values[i]));
  }
}

function stackAccess(parts: GuestParts): StackAccess {
  return {
    get: guestFunction(parts, `${SECTION}.get_stack`) as () => number,
    set: guestFunction(parts, `${SECTION}.set_stack`) as (pointer: number, low: number, high: number) => void,
  };
}

function guestFunction({ exports }: GuestParts, name: string): GuestFunction {
  const value = exports[name];
  if (typeof value === 'function') return value as GuestFunction;
  throw lacking(name, 'function');
}

function guestGlobal({ exports }: GuestParts, name: string): WebAssembly.Global {
  const value = exports[name];
  if (value instanceof WebAssembly.Global) return value;
  throw lacking(name, 'global');
}

function lacking(name: string, kind: string): FiberError {
  return new FiberError(
    'BAD_METADATA',
    `The module lacks the export ${name} (${kind}), which its custom section promises: it was changed after it was instrumented (by wasm-opt?). Instrument it last.`,
  );
}

function newWindow({ memory }: GuestParts, base: number, size: number): Window {
  if (base <= 0 || base + size > memory.buffer.byteLength) throw outOfMemory(size);
  return new Window(memory, base, size);
}

function outOfMemory(bytes: number, cause?: unknown): FiberError {
  return new FiberError(
    'OUT_OF_MEMORY',
    `The guest's memory has no room for ${bytes} more bytes, which a fiber needs.`,
    { cause },
  );
}

function noAllocator(): FiberError {
  return new FiberError(
    'NO_ALLOCATOR',
    `Suspending needs a few kB of guest memory, but the guest exports no allocator. ${EXPORT_ALLOCATOR}.`,
  );
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / 16) * 16;
}

function alignDown(bytes: number): number {
  return Math.floor(bytes / 16) * 16;
}
