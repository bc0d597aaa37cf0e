/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The public face, as types alone: what an embedder can see of a guest and its fibers. Everything else is inside.
 */
import type { BackendKind, GuestFunction } from '../backends/backend.ts';
import type { FiberError } from '../errors.ts';

/** What `instantiate` takes: an address, the bytes, a compiled module, a response, or a promise of one of these. */
export type Source = URL | BufferSource | CompiledModule | Response;

/** The platform's type of a module is an empty one, which everything fits. */
type CompiledModule = WebAssembly.Module & object & { readonly asyncify?: never; readonly jspi?: never };

/**
 * One guest, instrumented for each backend (`wasm-fibers instrument --target both`). Only the one that is needed is
 * fetched.
 */
export interface SourcePair {
  readonly asyncify: Source | PromiseLike<Source>;
  readonly jspi: Source | PromiseLike<Source>;
}

/**
 * The imports by module and name. Functions may return promises where the module was instrumented for it. Memories,
 * tables and globals pass through as they are.
 */
export type Imports = Record<string, Record<string, ImportValue>>;
// `never` parameters accept every function; what the guest passes is decided by its own types.
export type ImportValue =
  | ((...args: never[]) => unknown)
  | WebAssembly.Memory
  | WebAssembly.Table
  | WebAssembly.Global
  | number
  | bigint;

/** Exports of a guest whose types were not given. */
export type UntypedExports = Record<string, (...args: unknown[]) => unknown>;

/** The guest's exports as an embedder calls them: every function returns a promise, everything else is as it was. */
export type FiberExports<E> = {
  readonly [K in keyof E]: E[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : E[K];
};

/** The guest's exported functions as `guest.sync` calls them. */
export type SyncExports<E> = {
  readonly [K in keyof E as E[K] extends (...args: never[]) => unknown ? K : never]: E[K] extends (
    ...args: infer A
  ) => infer R
    ? (...args: A) => Awaited<R>
    : never;
};

type Parameters_<F> = F extends (...args: infer A) => unknown ? A : never;
type Result<F> = F extends (...args: never[]) => infer R ? Awaited<R> : never;

/** Options of `instantiate`. */
export interface GuestOptions {
  /** How stacks are switched. `auto` (default): JSPI where the engine has it and the module supports it, else Asyncify. */
  readonly backend?: 'auto' | BackendKind;
  /** One fiber at a time, in order of arrival, for guests that are not re-entrant. Default false. */
  readonly exclusive?: boolean;
  /** Live fibers at most; one more fails with `MAX_FIBERS`. Default 10,000. */
  readonly maxFibers?: number;
  /** Bytes of shadow stack for each fiber of an LLVM guest. Default 65,536. */
  readonly stackSize?: number;
  /** Bytes of the window through which stacks are unwound. Default 16,384; deeper stacks pass through it in pieces. */
  readonly windowSize?: number;
  /** After a trap, may other fibers go on (`continue`, default) or is the guest unusable (`poison`)? */
  readonly onTrap?: 'continue' | 'poison';
  /**
   * What the guest gets instead of an error at the call that waited: a plain value becomes the result of the import (an
   * errno), a `WebAssembly.Exception` of the guest's own tag is thrown in its place. `undefined` throws the error itself.
   */
  readonly onReject?: (error: unknown, guest: Guest) => unknown;
  /** What each fiber of a metered guest may use, if its call says nothing else. */
  readonly limits?: FiberLimits;
  /**
   * Its share of the thread while several metered guests are busy: one with 2 runs twice as long as one with 1. From 0.001 to
   * 1000, default 1.
   */
  readonly weight?: number;
  /** Told of everything that happens to fibers. Costs nothing when absent. */
  readonly onEvent?: (event: FiberEvent) => void;
  /** Milliseconds after which a wait is reported by a `slow` event. Default 10,000. */
  readonly slowAfter?: number;
  /** Records the guest's stack at every wait, for `fiber.stack` and `guest.dump()`. Slow. Default false. */
  readonly debug?: boolean;
  /** Disposes of the guest when aborted. */
  readonly signal?: AbortSignal;
}

/** What a fiber may use. For guests that were instrumented with `metered`; a `timeout` is for every guest. */
export interface FiberLimits {
  /** Units of fuel after which a fiber ends with `OUT_OF_FUEL`: the same on every engine, in every run. Default: no limit. */
  readonly fuel?: number;
  /** Milliseconds that a fiber runs without a turn of the event loop, from 1 to 1000. Default 8. */
  readonly sliceMs?: number;
  /** Milliseconds after which a fiber is cancelled with `TIMEOUT`; a loop that never waits, too. Default: no limit. */
  readonly timeout?: number;
}

/** Options of `guest.spawn`. */
export interface SpawnOptions {
  /** For people. Default: the name of the export. */
  readonly name?: string;
  /** Cancels the fiber when aborted. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the fiber is cancelled with `TIMEOUT`. */
  readonly timeout?: number;
  /** Units of fuel after which it ends with `OUT_OF_FUEL`, in a metered guest. */
  readonly fuel?: number;
  /** In an exclusive guest: the fiber in whose turn this one runs. */
  readonly parent?: Fiber;
}

export type FiberState = 'created' | 'running' | 'suspended' | 'done';

/** One call into a guest, with a stack of its own. */
export interface Fiber<R = unknown> {
  readonly id: number;
  readonly name: string;
  readonly guest: Guest;
  readonly state: FiberState;
  /** Settles when the fiber ends: with its result, what it threw, or why it was cancelled. */
  readonly result: Promise<R>;
  /** What a suspended fiber waits for: an import (`env.sleep`), or another fiber. */
  readonly waitingOn: string | Fiber | null;
  /**
   * With `debug`, the guest's frames at the current wait, innermost first: `name (wasm-function[12]:0x1f)`. `mapFrames` of
   * `wasm-fibers/source-maps` finds their places in the source.
   */
  readonly stack: readonly string[] | null;
  /** Bytes of frames that a suspended fiber holds outside of the engine's stack. */
  readonly frameBytes: number;
  /** Units of fuel that it has used until it waited last, or was pre-empted; 0 in a guest that is not metered. */
  readonly fuel: number;
  /** How often it was pre-empted. */
  readonly slices: number;
  /** Milliseconds that it has run, in a metered guest, until it waited last. */
  readonly guestMs: number;
  /** Aborted when nobody waits for the fiber any more. Made when first asked for. */
  readonly signal: AbortSignal;
  /**
   * Ends the fiber: where it waits, or at its next wait, the guest gets an error with the code `CANCELLED`, once. The
   * result rejects with that error, whatever the guest makes of it. No guest code runs before this returns.
   *
   * @param reason becomes the error's `cause`
   * @returns false if the fiber had ended or was cancelled before
   */
  cancel(reason?: unknown): boolean;
}

/** What `guest.dump()` says of a fiber. */
export interface FiberInfo {
  readonly id: number;
  readonly name: string;
  readonly state: FiberState;
  /** Milliseconds since it was created. */
  readonly age: number;
  /** The import it waits at. */
  readonly import: string | null;
  /** In words, where the guest's library says (AssemblyScript tasks): `the lock of #3 (writer)`. */
  readonly waitingFor: string | null;
  /** The id of the fiber it waits for, as far as that can be seen. */
  readonly waitsFor: number | null;
  readonly frameBytes: number;
  readonly stack: readonly string[] | null;
}

/**
 * What happened. `slow`: a wait has lasted longer than `slowAfter`. `exclusive`, once: this fiber waits for its turn though
 * the option was not set, since the module does not allow fibers to be isolated from each other. Nested calls wait as well,
 * and fail with `DEADLOCK` where their caller waits for them. `slice`: a fiber of a metered guest was pre-empted, and goes on in its
 * next slice (`resume`). `limit`: it has ended since it has reached a limit.
 */
export interface FiberEvent {
  readonly type: 'spawn' | 'suspend' | 'resume' | 'slice' | 'end' | 'limit' | 'trap' | 'slow' | 'poison' | 'exclusive';
  readonly fiber: Fiber;
  /** At `suspend`, `resume` and `slow`: the import. */
  readonly import?: string | undefined;
  /** At `end`, if the fiber failed, and at `limit`, `trap` and `poison`. */
  readonly error?: unknown;
  /** At `exclusive`: why, and what to do about it. */
  readonly reason?: string;
}

/** One WebAssembly instance whose calls run as fibers. */
// The default for E is what makes `Guest` alone mean any guest.
export interface Guest<E = UntypedExports> {
  /** The exports; every function runs as a fiber and returns a promise. */
  readonly exports: FiberExports<E>;
  /** The exported functions without a fiber: at once, from anywhere, and without waiting (`SUSPEND_IN_SYNC_CALL`). */
  readonly sync: SyncExports<E>;
  readonly instance: WebAssembly.Instance;
  readonly module: WebAssembly.Module;
  /** The guest's memory, exported or imported. */
  readonly memory: WebAssembly.Memory;
  readonly backend: BackendKind;
  /** The fibers that have not ended, oldest first. */
  readonly fibers: readonly Fiber[];
  /**
   * Calls an export as a fiber and gives its handle.
   *
   * @throws FiberError `NO_SUCH_EXPORT`, `INVALID_OPTION`, `MAX_FIBERS`, `DISPOSED`, `GUEST_POISONED`
   * @example
   * const fiber = guest.spawn('run', [3], { name: 'job 3', timeout: 500 });
   * const value = await fiber.result;
   */
  spawn<K extends keyof E & string>(name: K, args?: Parameters_<E[K]>, options?: SpawnOptions): Fiber<Result<E[K]>>;
  /** The promise-returning form of a raw guest function, such as one read from a table; the same one each time. */
  wrap<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => Promise<Awaited<R>>;
  /** Every live fiber, for people and logs. */
  dump(): FiberInfo[];
  /** Cancels every fiber and refuses new ones. Resolves when the last has ended. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export type { BackendKind, FiberError, GuestFunction };
