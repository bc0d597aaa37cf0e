/** What the engine itself can do: JSPI, the WebAssembly JavaScript Promise Integration, which the compiler's types lack. */
import type { GuestFunction, HostFunction } from './backend.ts';

/** Stack switching by the engine (https://github.com/WebAssembly/js-promise-integration). */
export interface StackSwitching {
  /** Makes an import of which the engine puts the guest's stack aside until the promise that it returns has settled. */
  readonly Suspending: new (fn: HostFunction) => WebAssembly.ImportValue;
  /** Makes an export that runs on a stack of its own and returns a promise. */
  promising(fn: GuestFunction): GuestFunction;
}

/** Looked up when it is asked for and not when this file is loaded: that must do nothing. Null if there is none. */
export function stackSwitching(): StackSwitching | null {
  const { Suspending, promising } = WebAssembly as unknown as Partial<StackSwitching>;
  return typeof Suspending === 'function' && typeof promising === 'function' ? { Suspending, promising } : null;
}

/** The engine, for messages. */
export function engineName(): string {
  const { process, navigator } = globalThis as {
    readonly process?: { readonly version?: string };
    readonly navigator?: { readonly userAgent?: string };
  };
  if (process?.version !== undefined) return `Node ${process.version}`;
  return navigator?.userAgent ?? 'this engine';
}

/** A module whose start function is `unreachable`: types, functions, start, code. */
const TRAPS = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 8, 1, 0, 10, 5, 1, 3, 0, 0, 11];

/**
 * A trap, as an object. No guest can catch it, in `catch_all` neither, also where it is JavaScript that throws it
 * (WebAssembly JavaScript Interface, "throw a WebAssembly trap").
 */
export function makeTrap(): unknown {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(TRAPS)));
  } catch (trap) {
    return trap;
  }
}
