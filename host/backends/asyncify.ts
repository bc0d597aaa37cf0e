/**
 * Switching by Binaryen's Asyncify: the instrumented guest copies its own frames out of, and back into, the Wasm stack.
 *
 * States of a guest (Asyncify's own, mirrored here so that asking costs no call):
 *
 *   NORMAL      code runs
 *   UNWINDING   every frame saves itself into the window and returns, its result is a placeholder
 *   REWINDING   every frame loads itself from the window and calls what it was calling
 *
 * One suspension:
 *
 *   host                                   guest
 *   start(task): entry(...args)       ->   export -> f -> g -> import
 *   the host function returns a promise
 *   hooks.wait, start_unwind          ->   import returns a placeholder; g, f, export save themselves and return
 *   stop_unwind, window.close,
 *   shadow.suspend, hooks.suspended
 *     ... the event loop ...
 *   resume(task): window.load, shadow.resume, start_rewind,
 *   entry(...args)                    ->   export, f, g load themselves -> import
 *   stop_rewind, hooks.arrived        ->   import returns the value, or throws the error; g goes on
 *
 * Guests whose functions jump to where they go on (host/instrument/fast-path) do all that, if it is as usual, themselves: of the
 * nine calls between host and guest two are left. The host signals through the window (window.ts):
 *
 *   host                                   guest
 *   the host function returns a promise
 *   hooks.wait, signal to unwind      ->   state = 1; g, f, export save themselves and return
 *     ... the event loop ...
 *   hooks.arrived, value and signal,
 *   enter(number of export)           ->   state = 2; export, f, g load themselves; import: state = 0, the value
 *
 * The host then takes the state for NORMAL while the guest rewinds: nothing calls it on the way. What is not as usual is an
 * error, a value that is no number, a host function between the frames (trampolines.ts), a stack in parts. The first time
 * the fiber's entry is called instead of `enter`, as its result then comes by itself: what a function that was entered by number
 * returns must be fetched, as if it were the last of several parts.
 *
 * Invariants:
 * - Fibers start and resume on an empty guest stack only (`busy` is false), so nesting costs heap and never native stack.
 * - `state` is NORMAL whenever host code of the embedder runs, except inside repeated trampolines.
 * - While a value is signalled (`Window.isGiving`), the guest has frames to load, whatever `state` says.
 * - `host` is the innermost host function between the entry and here that cannot be passed by a suspension. A wait is
 *   allowed only in the outermost one: what would unwind through a JavaScript frame corrupts the guest.
 * - However an entry ends, afterwards the state is NORMAL, the window is free for others, and the shadow stack pointer is
 *   at its base. A trap in the middle of switching leaves Asyncify's state set; it is cleared here.
 *
 * Rewinding ends at the import where unwinding began: the same frames, reloaded, reach the same call. If they reach
 * another one, the frames were damaged (`CORRUPT_FRAMES`).
 */
import {
  type Backend,
  type BackendHooks,
  type GuestFunction,
  type HostFunction,
  NO_SHADOW_STACK,
  type ShadowStack,
  type Site,
  type Task,
} from './backend.ts';
import { continueTrace } from '../trace.ts';
import { call } from './call.ts';
import { callAs, callByNumber } from './current.ts';
import { UnwoundStack } from './frames.ts';
import { behindAnother, deliver, type HostPosition, ignoreRefused, wrapHostFunction } from './host-functions.ts';
import {
  explainInterruption,
  failedWait,
  misplaced,
  misused,
  notSuspending,
  notUnwound,
  obstacle,
  refuseOverflow,
  SYNC,
} from './refusals.ts';
import { isThenable } from './thenable.ts';
import { generatorOf, isRepeatable, type KeptTrampoline, type ReentrantGenerator, step } from './trampolines.ts';
import type { Window } from './window.ts';

const NORMAL = 0;
const UNWINDING = 1;
const REWINDING = 2;
type State = typeof NORMAL | typeof UNWINDING | typeof REWINDING;

/** How a state begins and ends: exports of the guest. */
export interface Phase {
  /** @param window address of the window */
  start(window: number): void;
  stop(): void;
}

/** What Asyncify and our instrumenter add to a module. */
export interface AsyncifyControls {
  readonly unwinding: Phase;
  readonly rewinding: Phase;
  /** How many catch bodies the guest is in; always 0 if it has none. */
  readonly catchDepth: { get(): number; set(depth: number): void };
  readonly shadow: ShadowStack;
  /**
   * Enters a function by its number, to go on with the stack, or the part of one, at whose bottom it is; null if this guest
   * rewinds stacks as a whole, and knows no signals.
   */
  readonly enter: ((bottom: number) => void) | null;
  /** Is the guest's allocator asked for the window? */
  readonly allocates: boolean;
  /** Made at the first wait: the guest's allocator may not be ready before. */
  makeWindow(): Window;
}

const NO_PHASE: Phase = { start() {}, stop() {} };
export const NO_CATCH_DEPTH: AsyncifyControls['catchDepth'] = { get: () => 0, set() {} };

/** Until the guest is instantiated, and for a module that was not instrumented. */
const NO_CONTROLS: AsyncifyControls = {
  unwinding: NO_PHASE,
  rewinding: NO_PHASE,
  catchDepth: NO_CATCH_DEPTH,
  shadow: NO_SHADOW_STACK,
  enter: null,
  allocates: false,
  makeWindow() {
    throw misused();
  },
};

/** One whose value the guest can take out of its memory. */
type DirectSite = Site & { readonly result: NonNullable<Site['result']> };

/** Where the guest is. */
interface Position extends HostPosition {
  state: State;
  /** The fiber whose frames are on the native stack. */
  task: Task | null;
  /** The innermost host function on the native stack that a suspension can pass. */
  trampoline: Site | null;
}

export class AsyncifyBackend implements Backend {
  readonly kind = 'asyncify';
  readonly shims = 0;
  readonly #hooks: BackendHooks;
  readonly #instrumented: boolean;
  #controls: AsyncifyControls = NO_CONTROLS;
  #window: Window | null = null;
  readonly #at: Position = {
    state: NORMAL,
    task: null,
    host: null,
    trampoline: null,
    refused: undefined,
    others: null,
  };
  /** The guest knows where the window is. */
  #hasWindow = false;
  /** How the part of a stack ended that the one after it is to hear of: its frames are being rewound for that. */
  #passed: { readonly failed: boolean; readonly error: unknown } | null = null;
  /** A repeated trampoline has moved the shadow stack pointer since rewinding began. */
  #moved = false;

  constructor(hooks: BackendHooks, instrumented: boolean) {
    this.#hooks = hooks;
    this.#instrumented = instrumented;
  }

  attach(controls: AsyncifyControls): void {
    this.#controls = controls;
  }

  get busy(): boolean {
    return this.#at.task !== null || this.#at.host !== null;
  }

  canSuspend(): boolean {
    const { task, state, host, trampoline } = this.#at;
    return (
      task !== null &&
      state === NORMAL &&
      (host ?? trampoline)?.suspending === true &&
      this.#controls.catchDepth.get() === 0
    );
  }

  bytesHeld(task: Task): number {
    return task.unwound === null ? 0 : unwound(task).bytes;
  }

  link(site: Site, fn: HostFunction): HostFunction {
    const start = generatorOf(fn);
    if (start !== null || (site.suspending && isRepeatable(fn, site.name)))
      return this.#linkTrampoline(site, fn, start);
    return wrapHostFunction(
      site,
      fn,
      this.#at,
      // One that may not suspend is never reached while rewinding, unless the guest has damaged its frames.
      () => this.#rewound(site),
      (promise) => this.#wait(site, promise),
    );
  }

  /** The hooks that instrumented code calls in the middle of switching, and when its shadow stack runs over. */
  linkControl(name: string): HostFunction | undefined {
    if (name === 'drain') {
      return (position: number, bottom: number) =>
        this.#switching(UNWINDING).drain(unwound(this.#at.task), position, bottom);
    }
    if (name === 'refill') {
      return () => {
        const window = this.#switching(REWINDING);
        return this.#controls.enter === null ? window.refill(unwound(this.#at.task)) : this.#pass();
      };
    }
    return name === 'stack_overflow' ? refuseOverflow : undefined;
  }

  entry(fn: GuestFunction): GuestFunction {
    return fn;
  }

  get prepared(): boolean {
    return this.#window !== null || !this.#controls.allocates;
  }

  prepare(): void {
    if (this.#controls.allocates) this.#openWindow();
  }

  clear(): void {
    this.#controls.shadow.clear();
  }

  start(task: Task): void {
    this.#controls.shadow.start(task);
    this.#run(task, 0);
  }

  resume(task: Task): void {
    const stack = unwound(task);
    const { site } = task;
    let number: number;
    try {
      const window = this.#openWindow();
      window.load(stack);
      this.#controls.shadow.resume(task);
      if (site !== null && this.#isUsual(task, stack, site)) {
        window.give(site.number, site.result, this.#hooks.arrived(task));
        number = stack.outermost;
        if (!stack.hasResumed) {
          stack.hasResumed = true;
          number = 0;
        }
        if (number === 0) this.#controls.rewinding.start(window.base);
      } else {
        number = stack.bottom;
        this.#setState(REWINDING);
      }
    } catch (error) {
      this.#end(task, true, error);
      return;
    }
    this.#run(task, number, site);
  }

  /** Can the guest take the value of its wait without the host? */
  #isUsual(task: Task, stack: UnwoundStack, site: Site): site is DirectSite {
    if (task.failed || site.conversion !== null || stack.parts !== null || stack.trampolines !== null) return false;
    const { result } = site;
    if (result === null || this.#controls.enter === null) return false;
    return typeof task.value === (result === 'i64' ? 'bigint' : 'number') || result === 'none';
  }

  close(): void {}

  abandon(task: Task): void {
    if (task.unwound === null) return;
    this.#window?.discard(unwound(task));
    task.unwound = null;
  }

  callSync(fn: GuestFunction, args: readonly unknown[]): unknown {
    const at = this.#at;
    const { state, host } = at;
    const { shadow, catchDepth } = this.#controls;
    const pointer = shadow.save();
    const catches = catchDepth.get();
    this.#setState(NORMAL);
    at.host = SYNC;
    try {
      shadow.enterSync();
      return callAs(at.task, this, fn, args);
    } finally {
      // Still as a sync call: a guest that waits where these are restored would get here again and again.
      try {
        catchDepth.set(catches);
        shadow.restore(pointer);
      } finally {
        at.host = host;
        if (!this.busy) ignoreRefused(at);
        this.#setState(state);
      }
    }
  }

  /**
   * Runs a task, in state NORMAL from its beginning, else from its wait, until it ends or waits.
   *
   * @param number of the function to enter; 0 for the task's entry
   * @param site where the guest is to take its value
   */
  #run(task: Task, number: number, site: Site | null = null): void {
    const at = this.#at;
    const { enter } = this.#controls;
    at.task = task;
    let failed: boolean;
    let value: unknown;
    for (;;) {
      try {
        value =
          number === 0 || enter === null
            ? callAs(task, this, task.entry, task.args)
            : callByNumber(task, this, enter, number);
        if (at.state === UNWINDING) {
          this.#openWindow().close(unwound(task));
          // `enter` has done that.
          if (number === 0) this.#setState(NORMAL);
          else at.state = NORMAL;
          this.#controls.shadow.suspend(task);
          at.task = null;
          this.#hooks.suspended(task);
          return;
        }
        failed = false;
      } catch (error) {
        failed = true;
        value = error;
      }
      try {
        if (!this.#hasNext(task, number, failed)) break;
        number = this.#nextPart(unwound(task), failed, value);
      } catch (error) {
        failed = true;
        value = error;
        break;
      }
    }
    this.#end(task, failed, value, site);
  }

  /** Part of a stack has ended. Is there another one that waits for that, or a result to be fetched? */
  #hasNext(task: Task, number: number, failed: boolean): boolean {
    if (task.unwound === null || this.#at.state !== NORMAL) return false;
    return unwound(task).parts !== null || (number !== 0 && !failed && !this.#openWindow().isGiving());
  }

  /** Begins to rewind the next part, or the entry, of which nothing is left but its result; gives the number to enter. */
  #nextPart(stack: UnwoundStack, failed: boolean, error: unknown): number {
    const window = this.#openWindow();
    if (stack.parts !== null) window.load(stack);
    else {
      window.open();
      stack.bottom = 0;
    }
    this.#passed = { failed, error };
    this.#setState(REWINDING);
    return stack.bottom;
  }

  /** The rewinding part has come to the call of the one before it: that call ends as it has ended. */
  #pass(): number {
    const passed = this.#passed;
    if (passed === null) throw misused();
    this.#passed = null;
    this.#moved = false;
    this.#setState(NORMAL);
    if (passed.failed) {
      const { error } = passed;
      if (error instanceof WebAssembly.RuntimeError) continueTrace(error, new Error('').stack);
      throw error;
    }
    // No frame: the function gives the result that the guest has kept.
    return 0;
  }

  /** @param site where the guest was to take its value, if it had one to take */
  #end(task: Task, failed: boolean, value: unknown, site: Site | null = null): void {
    let interrupted = this.#at.state;
    this.#passed = null;
    let damage: { readonly cause: unknown } | null = null;
    try {
      if (interrupted === NORMAL && task.unwound !== null && this.#openWindow().isGiving()) {
        // It never came there: the guest still rewinds.
        interrupted = this.#at.state = REWINDING;
        task.site = site;
      }
      this.abandon(task);
      this.#setState(NORMAL);
      if (failed) this.#controls.catchDepth.set(0);
      this.#controls.shadow.end(task);
    } catch (cause) {
      damage = { cause };
      this.#at.state = NORMAL;
    }
    this.#at.task = null;
    ignoreRefused(this.#at);
    if (interrupted === NORMAL) this.#hooks.ended(task, failed, value);
    else this.#hooks.ended(task, true, explainInterruption(interrupted === UNWINDING, task, failed, value));
    if (damage !== null) this.#hooks.broken(damage.cause);
  }

  /** @param start starts the generator that it is; null if it is a plain function */
  #linkTrampoline(
    site: Site,
    fn: HostFunction,
    start: ((...args: never[]) => ReentrantGenerator) | null,
  ): HostFunction {
    const nested = behindAnother(site);
    return (...args) => {
      const at = this.#at;
      const { task, host, trampoline } = at;
      const { shadow, catchDepth } = this.#controls;
      let kept: KeptTrampoline;
      if (at.state === REWINDING) {
        const stack = unwound(task);
        const found = stack.trampolines?.pop();
        if (found === undefined) return this.#rewound(site);
        if (stack.trampolines?.length === 0) stack.trampolines = null;
        if (found.site !== site) throw misplaced(task, `reached ${site.name}`);
        kept = found;
      } else {
        this.#refuseUnwinding(site);
        const generator = start?.(...args) ?? null;
        kept = { site, pointer: shadow.save(), catches: catchDepth.get(), generator, call: null };
      }
      // What a wait inside of its calls cannot pass, if anything: it, or whoever was before it.
      const between = site.suspending && (host !== null || task !== null) ? host : site;
      let result: unknown;
      try {
        if (kept.generator !== null) {
          result = this.#drive(kept, kept.generator, host === null ? site : nested, between);
        } else {
          if (at.state === REWINDING) {
            // What it records now (Emscripten's glue does) must be what it recorded at first, not the pointer of the
            // innermost frame; `#rewound` puts that one back.
            shadow.restore(kept.pointer);
            this.#moved = true;
          }
          at.host = between;
          at.trampoline = site;
          result = fn(...args);
        }
      } finally {
        at.host = host;
        at.trampoline = trampoline;
      }
      if (at.state === UNWINDING) {
        (unwound(task).trampolines ??= []).push(kept);
        return site.placeholder;
      }
      // It may have caught what came out of a catch body.
      catchDepth.set(kept.catches);
      return isThenable(result) ? this.#wait(site, result) : result;
    };
  }

  /**
   * Runs a generator until it returns or a call inside of it unwinds.
   *
   * @param own the `host` of its own code, which cannot be passed; @param between that of the calls it asks for
   */
  #drive(kept: KeptTrampoline, generator: ReentrantGenerator, own: Site, between: Site | null): unknown {
    const at = this.#at;
    const { shadow, catchDepth } = this.#controls;
    let failed = false;
    let value: unknown;
    for (;;) {
      if (kept.call === null) {
        at.host = own;
        const next = step(generator, own, failed, value);
        if (next.done === true) return next.value;
        kept.call = next.value;
      }
      at.host = between;
      failed = false;
      try {
        value = call(kept.call.fn, kept.call.args);
      } catch (error) {
        // In the middle of switching there is nothing to go on with; only the end of the fiber can clear that.
        if (at.state !== NORMAL) throw error;
        failed = true;
        value = error;
        shadow.restore(kept.pointer);
        catchDepth.set(kept.catches);
      }
      if (at.state === UNWINDING) return;
      kept.call = null;
    }
  }

  /** Decides what a returned promise means. Everything that can be refused is refused before anything unwinds. */
  #wait(site: Site, promise: PromiseLike<unknown>): unknown {
    const { task, host } = this.#at;
    if (!site.suspending) throw notSuspending(site, promise, this.#instrumented ? null : this.kind);
    if (task === null || host !== null || this.#inCatch()) throw obstacle(site, promise, task, host);
    try {
      const window = this.#openWindow();
      this.#hooks.wait(task, site, promise);
      task.unwound ??= new UnwoundStack();
      window.open();
      if (this.#hasWindow && this.#controls.enter !== null) {
        window.unwind();
        this.#at.state = UNWINDING;
      } else {
        this.#setState(UNWINDING);
        this.#hasWindow = true;
      }
    } catch (error) {
      // Here the engine's stack may end, or a hostile guest trap: nothing has unwound, so the fiber has not waited.
      this.#hooks.unwait(task);
      const failure = failedWait(site, promise, error);
      this.#setState(NORMAL);
      throw failure;
    }
    return site.placeholder;
  }

  /** A function that was left out of the instrumentation goes on as if its import had returned. */
  #refuseUnwinding(site: Site): void {
    if (this.#at.state === UNWINDING) throw notUnwound(site, this.#at.task);
  }

  /** Is the guest in a catch body? What it calls while it is asked cannot wait, or it could ask again for ever. */
  #inCatch(): boolean {
    const { catchDepth } = this.#controls;
    if (catchDepth === NO_CATCH_DEPTH) return false;
    this.#at.host = SYNC;
    try {
      return catchDepth.get() !== 0;
    } finally {
      this.#at.host = null;
    }
  }

  #rewound(site: Site): unknown {
    this.#refuseUnwinding(site);
    const { task } = this.#at;
    this.#setState(NORMAL);
    if (task === null || task.site !== site) throw misplaced(task, `reached ${site.name}`);
    if (this.#moved) {
      this.#moved = false;
      this.#controls.shadow.restore(task.pointer);
    }
    return deliver(this.#at, this.#hooks, task);
  }

  #setState(state: State): void {
    const { state: before } = this.#at;
    if (state === before) return;
    const { unwinding, rewinding } = this.#controls;
    // Each call has one target, so that engines can inline it: a table of the four costs a tenth of a switch.
    if (before === UNWINDING) unwinding.stop();
    else if (before === REWINDING) rewinding.stop();
    this.#at.state = state;
    if (state === UNWINDING) unwinding.start(this.#openWindow().base);
    else if (state === REWINDING) rewinding.start(this.#openWindow().base);
  }

  #openWindow(): Window {
    return (this.#window ??= this.#controls.makeWindow());
  }

  /** The window, for a hook that only instrumented code in the given state may call. */
  #switching(state: State): Window {
    if (this.#at.state === state) return this.#openWindow();
    throw misused();
  }
}

function unwound(task: Task | null): UnwoundStack {
  const stack = task?.unwound;
  // Nobody but this backend writes it.
  if (stack) return stack as UnwoundStack;
  throw misused();
}
