/**
 * The seam between the runtime, which knows what fibers are, and a backend, which knows how a Wasm stack is put aside
 * and continued. A backend never decides whether a fiber may wait, how it ends or who runs next; the runtime never
 * touches a stack. Asyncify continues a stack inside `resume`, JSPI some microtasks after it: therefore everything that
 * a backend reports comes through the hooks, not through return values.
 */

/** How stacks are switched. */
export type BackendKind = 'asyncify' | 'jspi';

/** A function of the guest as the engine gives it: exported, or read from a table. */
export type GuestFunction = (...args: never[]) => unknown;

/** A function of the embedder that the guest imports. */
export type HostFunction = (...args: never[]) => unknown;

/** The types of numbers in WebAssembly. */
export type NumberType = 'i32' | 'i64' | 'f32' | 'f64';

/** One function import. */
export interface Site {
  /** `module.name`, as `--suspending` spells it. */
  readonly name: string;
  /** May it return a promise? */
  readonly suspending: boolean;
  /** How many arguments the guest passes; -1 if nobody knows. */
  readonly arity: number;
  /** What the engine is given as its result while the stack unwinds: of the right type, never looked at. */
  readonly placeholder: unknown;
  /** By what the guest knows it: see `WaitFunction` in host/instrument/passes/waits.ts. 0 if nobody knows. */
  readonly number: number;
  /** The type of its result, if that is one number or nothing: what the guest can take out of its memory. */
  readonly result: NumberType | 'none' | null;
  /** Makes what a promise brought into what the guest takes; null if it passes as it is. */
  readonly conversion: ResultConversion | null;
  /** The backend's own: waits here that are yet to come before it hopes again that one is over at once. */
  pause: number;
}

/** How the end of a wait reaches a guest whose values are more than numbers. Runs on the guest's stack at the wait. */
export interface ResultConversion {
  /** What it throws is thrown in the guest. */
  lower(value: unknown): unknown;
  /** What the guest gets in place of an error; null if errors are thrown in it. */
  readonly fail: ((error: unknown) => unknown) | null;
}

/** What a backend sees of a fiber. */
export interface Task {
  /** Made by `Backend.entry`. */
  readonly entry: GuestFunction;
  /** Kept for the whole life of the fiber: rewinding calls the entry again with them. */
  readonly args: readonly unknown[];
  /** Runs on the guest's own shadow stack: `_start`, `_initialize` and the start function, which may need all of it. */
  readonly onMainStack: boolean;
  /** The import at which the fiber waits. */
  site: Site | null;
  /** What the wait brought: a value, or an error to be thrown there. */
  failed: boolean;
  value: unknown;
  /** The backend's own: the stack while it is put aside. */
  unwound: object | null;
  /** The shadow stack's own: the pointer while the fiber is suspended, and the region it runs in. */
  pointer: number;
  region: number;
}

/** What a backend tells the runtime. */
export interface BackendHooks {
  /**
   * A suspending import has returned a promise. Listens to it, or throws what the guest gets at this call instead of
   * waiting. Nothing has been unwound yet.
   */
  wait(task: Task, site: Site, promise: PromiseLike<unknown>): void;
  /** It will not wait after all: forgets what `wait` did, as far as it did it. */
  unwait(task: Task): void;
  /** The stack of the task is put aside; no frame of the guest is on the native stack. */
  suspended(task: Task): void;
  /** The task continues: its import is about to give the guest its value. Returns that value or throws. */
  arrived(task: Task): unknown;
  /** The entry has returned, or has thrown. No frame of the guest is on the native stack. */
  ended(task: Task, failed: boolean, value: unknown): void;
  /** The guest's own switching code has failed: nothing can be said of its state any more. */
  broken(cause: unknown): void;
}

/** One backend serves one guest. */
export interface Backend {
  readonly kind: BackendKind;
  /** Is a frame of this guest on the native stack, so that no fiber may start or resume now? */
  readonly busy: boolean;
  /** Could the host function that asks return a promise, and would its fiber wait? */
  canSuspend(): boolean;
  /** Wraps one function import. */
  link(site: Site, fn: HostFunction): WebAssembly.ImportValue;
  /** What instrumented code imports for its switching, by name. */
  linkControl(name: string): WebAssembly.ImportValue | undefined;
  /** What a fiber calls to run this function of the guest. */
  entry(fn: GuestFunction): GuestFunction;
  /** Could a task be put aside now without asking the guest for memory? */
  readonly prepared: boolean;
  /** Makes what the first wait takes, if the guest has to be asked for it. */
  prepare(): void;
  /** Sees to it that nothing of a suspended task is left on the guest's stacks: the next call is to find them empty. */
  clear(): void;
  /** Runs a task from an empty guest stack until it ends or suspends. */
  start(task: Task): void;
  /** Continues a suspended task, with `failed` and `value` set, from an empty guest stack. */
  resume(task: Task): void;
  /**
   * The guest is broken, and the runtime ends its fibers with this error. A backend that cannot drop a stack lets it end:
   * in a way that the guest cannot catch, and without calling a host function.
   */
  close(error: unknown): void;
  /** Forgets a suspended task of a broken guest, which the runtime has ended. */
  abandon(task: Task): void;
  /** Calls into the guest without a fiber, at any time at which host code runs. */
  callSync(fn: GuestFunction, args: readonly unknown[]): unknown;
  /** Bytes of the native stack that a suspended task holds outside of it. */
  bytesHeld(task: Task): number;
}

/**
 * The guest's own stack in linear memory. Unwinding and switching leave its pointer where the suspended function had
 * it, so that whoever switches fibers must move the pointer, and keep the memory above it from the others.
 */
export interface ShadowStack {
  /** A task is about to run for the first time. */
  start(task: Task): void;
  /** Its native stack has just been put aside. */
  suspend(task: Task): void;
  /** It is about to continue. */
  resume(task: Task): void;
  /** It has ended, however it ended. */
  end(task: Task): void;
  /** Makes the stack empty: what a suspended task may have left on it is put aside. */
  clear(): void;
  /** The pointer now, to be given to `restore` later. */
  save(): number;
  restore(pointer: number): void;
  /** Moves the pointer to where a call without a fiber may run; `restore` what `save` gave before. */
  enterSync(): void;
}

/** For guests that keep nothing in linear memory. */
export const NO_SHADOW_STACK: ShadowStack = {
  start() {},
  suspend() {},
  resume() {},
  end() {},
  clear() {},
  save: () => 0,
  restore() {},
  enterSync() {},
};
