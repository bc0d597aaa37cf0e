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
 * Invariants:
 * - Fibers start and resume on an empty guest stack only (`busy` is false), so nesting costs heap and never native stack.
 * - `state` is NORMAL whenever host code of the embedder runs, except inside repeated trampolines.
 * - `host` is the innermost host function between the entry and here that cannot be passed by a suspension. A wait is
 *   allowed only in the outermost one: what would unwind through a JavaScript frame corrupts the guest.
 * - However an entry ends, afterwards the state is NORMAL, the window is free for others, and the shadow stack pointer is
 *   at its base. A trap in the middle of switching leaves Asyncify's state set; it is cleared here.
 *
 * Rewinding ends at the import where unwinding began: the same frames, reloaded, reach the same call. If they reach
 * another one, the frames were damaged (`CORRUPT_FRAMES`).
 */
import { FiberError } from '../errors.ts';
import { isStackOverflow } from '../trace.ts';
import type { Backend, BackendHooks, GuestFunction, HostFunction, ShadowStack, Site, Task } from './backend.ts';
import { call } from './call.ts';
import { currentBackend, currentTask, setCurrent } from './current.ts';
import { UnwoundStack } from './frames.ts';
import { behindAnother, type HostPosition, ignoreRefused, wrapHostFunction } from './host-functions.ts';
import {
  explainInterruption,
  misplaced,
  notACall,
  notSuspending,
  notUnwound,
  obstacle,
  ON_REJECT,
  refuseOverflow,
  SYNC,
  tooDeep,
} from './refusals.ts';
import { ignore, isThenable } from './thenable.ts';
import {
  generatorOf,
  isRepeatable,
  KeptGenerator,
  KeptPointer,
  NestedCall,
  type ReentrantGenerator,
} from './trampolines.ts';
import type { Window } from './window.ts';

const State = { NORMAL: 0, UNWINDING: 1, REWINDING: 2 } as const;
type State = (typeof State)[keyof typeof State];

/** What Asyncify and our instrumenter add to a module. */
export interface AsyncifyControls {
  startUnwind(data: number): void;
  stopUnwind(): void;
  startRewind(data: number): void;
  stopRewind(): void;
  /** How many catch bodies the guest is in; absent if it has none. */
  readonly catchDepth: { get(): number; set(depth: number): void } | null;
  readonly shadow: ShadowStack;
  /** Made at the first wait: the guest's allocator may not be ready before. */
  makeWindow(): Window;
}

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
  /** Null until the guest is instantiated, and for a module that was not instrumented. */
  #controls: AsyncifyControls | null = null;
  #window: Window | null = null;
  readonly #at: Position = { state: State.NORMAL, task: null, host: null, trampoline: null, refused: null };
  /** A repeated trampoline has moved the shadow stack pointer since rewinding began. */
  #moved = false;

  constructor(hooks: BackendHooks) {
    this.#hooks = hooks;
  }

  attach(controls: AsyncifyControls): void {
    this.#controls = controls;
  }

  get busy(): boolean {
    return this.#at.task !== null || this.#at.host !== null;
  }

  canSuspend(): boolean {
    return (
      this.#at.task !== null &&
      this.#controls !== null &&
      this.#at.state === State.NORMAL &&
      (this.#at.host ?? this.#at.trampoline)?.suspending === true &&
      !this.#controls.catchDepth?.get()
    );
  }

  bytesHeld(task: Task): number {
    return task.unwound === null ? 0 : unwound(task).bytes;
  }

  link(site: Site, fn: HostFunction): HostFunction {
    const generator = generatorOf(fn);
    if (generator !== null) return this.#linkGenerator(site, generator);
    return site.suspending && isRepeatable(fn, site.name)
      ? this.#linkRepeatable(site, fn)
      : this.#linkFunction(site, fn);
  }

  /** The hooks that instrumented code calls in the middle of switching, and when its shadow stack runs over. */
  linkControls(): Record<string, HostFunction> {
    return {
      drain: (position: number) => this.#switching(State.UNWINDING).drain(unwound(this.#at.task), position),
      refill: () => this.#switching(State.REWINDING).refill(unwound(this.#at.task)),
      stack_overflow: refuseOverflow,
    };
  }

  entry(fn: GuestFunction): GuestFunction {
    return fn;
  }

  clear(): void {
    this.#controls?.shadow.clear();
  }

  start(task: Task): void {
    this.#controls?.shadow.start(task);
    this.#run(task);
  }

  resume(task: Task): void {
    try {
      const controls = this.#attached();
      const window = this.#openWindow();
      window.load(unwound(task));
      controls.shadow.resume(task);
      this.#at.state = State.REWINDING;
      controls.startRewind(window.base);
    } catch (error) {
      this.#end(task, true, error);
      return;
    }
    this.#run(task);
  }

  abandon(task: Task): void {
    if (task.unwound === null) return;
    this.#window?.discard(unwound(task));
    task.unwound = null;
  }

  callSync(fn: GuestFunction, args: readonly unknown[]): unknown {
    const controls = this.#controls;
    const shadow = controls?.shadow;
    const state = this.#at.state;
    const host = this.#at.host;
    const outerTask = currentTask;
    const outerBackend = currentBackend;
    const pointer = shadow?.save() ?? 0;
    const catches = controls?.catchDepth?.get() ?? 0;
    this.#setState(State.NORMAL);
    this.#at.host = SYNC;
    setCurrent(this.#at.task, this);
    try {
      shadow?.enterSync();
      return call(fn, args);
    } finally {
      setCurrent(outerTask, outerBackend);
      this.#at.host = host;
      if (!this.busy) ignoreRefused(this.#at);
      controls?.catchDepth?.set(catches);
      shadow?.restore(pointer);
      this.#setState(state);
    }
  }

  /** Runs the entry of a task, in state NORMAL from its beginning, in state REWINDING from its wait. */
  #run(task: Task): void {
    const outerTask = currentTask;
    const outerBackend = currentBackend;
    let failed = false;
    let value: unknown;
    this.#at.task = task;
    setCurrent(task, this);
    try {
      value = call(task.entry, task.args);
    } catch (error) {
      failed = true;
      value = error;
    }
    setCurrent(outerTask, outerBackend);
    if (this.#at.state === State.UNWINDING && !failed) {
      try {
        this.#putAside(task);
        this.#hooks.suspended(task);
        return;
      } catch (error) {
        failed = true;
        value = error;
      }
    }
    this.#end(task, failed, value);
  }

  #putAside(task: Task): void {
    const controls = this.#attached();
    this.#openWindow().close(unwound(task));
    controls.stopUnwind();
    this.#at.state = State.NORMAL;
    controls.shadow.suspend(task);
    this.#at.task = null;
  }

  #end(task: Task, failed: boolean, value: unknown): void {
    const interrupted = this.#at.state;
    let damage: { readonly cause: unknown } | null = null;
    try {
      this.abandon(task);
      this.#setState(State.NORMAL);
      if (failed) this.#controls?.catchDepth?.set(0);
      this.#controls?.shadow.end(task);
    } catch (cause) {
      damage = { cause };
      this.#at.state = State.NORMAL;
    }
    this.#at.task = null;
    ignoreRefused(this.#at);
    if (interrupted === State.NORMAL) this.#hooks.ended(task, failed, value);
    else this.#hooks.ended(task, true, explainInterruption(interrupted === State.UNWINDING, task, failed, value));
    if (damage !== null) this.#hooks.broken(damage.cause);
  }

  /** Any other import. One that may not suspend is never reached while rewinding, unless the guest has damaged its frames. */
  #linkFunction(site: Site, fn: HostFunction): HostFunction {
    return wrapHostFunction(
      site,
      fn,
      this.#at,
      () => this.#rewound(site),
      (promise) => this.#wait(site, promise),
    );
  }

  #linkRepeatable(site: Site, fn: HostFunction): HostFunction {
    return (...args) => {
      const { shadow, catchDepth } = this.#attached();
      const catches = catchDepth?.get() ?? 0;
      let pointer: number;
      if (this.#at.state === State.REWINDING) {
        const kept = unwound(this.#at.task).trampolines?.pop();
        if (kept === undefined) return this.#rewound(site);
        if (!(kept instanceof KeptPointer)) throw misplaced(site);
        // What it records now (Emscripten's glue does) must be what it recorded at first, not the pointer of the
        // innermost frame; `#rewound` puts that one back.
        pointer = kept.pointer;
        shadow.restore(pointer);
        this.#moved = true;
      } else {
        this.#refuseUnwinding(site);
        pointer = shadow.save();
      }
      const host = this.#at.host;
      const trampoline = this.#at.trampoline;
      this.#at.host = this.#inTheWay(site);
      this.#at.trampoline = site;
      let result: unknown;
      try {
        result = fn(...args);
      } finally {
        this.#at.host = host;
        this.#at.trampoline = trampoline;
      }
      if (this.#at.state === State.UNWINDING) return this.#pass(site, new KeptPointer(pointer));
      // It may have caught what came out of a catch body.
      catchDepth?.set(catches);
      return isThenable(result) ? this.#wait(site, result) : result;
    };
  }

  #linkGenerator(site: Site, start: (...args: never[]) => ReentrantGenerator): HostFunction {
    const nested = behindAnother(site);
    return (...args) => {
      let kept: KeptGenerator;
      if (this.#at.state === State.REWINDING) {
        const found = unwound(this.#at.task).trampolines?.pop();
        if (found === undefined) return this.#rewound(site);
        if (!(found instanceof KeptGenerator)) throw misplaced(site);
        kept = found;
      } else {
        const controls = this.#controls;
        this.#refuseUnwinding(site);
        kept = new KeptGenerator(start(...args), controls?.shadow.save() ?? 0, controls?.catchDepth?.get() ?? 0);
      }
      const host = this.#at.host;
      let result: unknown;
      try {
        result = this.#drive(kept, site, host === null ? site : nested, this.#inTheWay(site));
      } finally {
        this.#at.host = host;
      }
      if (this.#at.state === State.UNWINDING) return result;
      return isThenable(result) ? this.#wait(site, result) : result;
    };
  }

  /**
   * Runs a generator until it returns or a call inside of it unwinds.
   *
   * @param own the `host` of its own code, which cannot be passed; @param between that of the calls it asks for
   */
  #drive(kept: KeptGenerator, site: Site, own: Site, between: Site | null): unknown {
    const generator = kept.generator;
    let failed = false;
    let value: unknown;
    for (;;) {
      if (kept.call === null) {
        this.#at.host = own;
        const step = failed ? generator.throw(value) : generator.next(value);
        if (step.done) return step.value;
        if (!(step.value instanceof NestedCall)) throw notACall(site);
        kept.call = step.value;
      }
      this.#at.host = between;
      failed = false;
      try {
        value = call(kept.call.fn, kept.call.args);
      } catch (error) {
        // In the middle of switching there is nothing to go on with; only the end of the fiber can clear that.
        if (this.#at.state !== State.NORMAL) throw error;
        failed = true;
        value = error;
        this.#controls?.shadow.restore(kept.pointer);
        this.#controls?.catchDepth?.set(kept.catches);
      }
      if (this.#at.state === State.UNWINDING) return this.#pass(site, kept);
      kept.call = null;
    }
  }

  /** What a wait inside of the trampoline that is being entered cannot pass, if anything: it, or whoever was before it. */
  #inTheWay(site: Site): Site | null {
    const { host, task } = this.#at;
    return site.suspending && (host !== null || task !== null) ? host : site;
  }

  #pass(site: Site, kept: KeptGenerator | KeptPointer): unknown {
    (unwound(this.#at.task).trampolines ??= []).push(kept);
    return site.placeholder;
  }

  /** Decides what a returned promise means. Everything that can be refused is refused before anything unwinds. */
  #wait(site: Site, promise: PromiseLike<unknown>): unknown {
    const task = this.#at.task;
    const controls = this.#controls;
    if (!site.suspending || controls === null) throw notSuspending(site, promise, controls !== null);
    if (
      task === null ||
      this.#at.host !== null ||
      (controls.catchDepth !== null && this.#inCatch(controls.catchDepth))
    ) {
      throw obstacle(site, promise, task, this.#at.host);
    }
    try {
      const window = this.#openWindow();
      this.#hooks.wait(task, site, promise);
      task.unwound ??= new UnwoundStack();
      window.open();
      this.#at.state = State.UNWINDING;
      controls.startUnwind(window.base);
    } catch (error) {
      // Here the engine's stack may end, or a hostile guest trap: nothing has unwound, so the fiber has not waited.
      this.#hooks.unwait(task);
      ignore(promise);
      this.#setState(State.NORMAL);
      throw isStackOverflow(error) ? tooDeep(site.name, error) : error;
    }
    return site.placeholder;
  }

  /** A function that was left out of the instrumentation goes on as if its import had returned. */
  #refuseUnwinding(site: Site): void {
    if (this.#at.state === State.UNWINDING) throw notUnwound(site, this.#at.task);
  }

  /** Is the guest in a catch body? What it calls while it is asked cannot wait, or it could ask again for ever. */
  #inCatch(depth: { get(): number }): boolean {
    this.#at.host = SYNC;
    try {
      return depth.get() !== 0;
    } finally {
      this.#at.host = null;
    }
  }

  #rewound(site: Site): unknown {
    this.#refuseUnwinding(site);
    const task = this.#at.task;
    const controls = this.#attached();
    controls.stopRewind();
    this.#at.state = State.NORMAL;
    if (task === null || task.site !== site) throw misplaced(site);
    if (this.#moved) {
      this.#moved = false;
      controls.shadow.restore(task.pointer);
    }
    if (!task.failed && site.conversion === null) return this.#hooks.arrived(task);
    // The embedder's code runs (`onReject`, getters of a value to be converted), which a wait could not pass.
    this.#at.host = task.failed ? ON_REJECT : site;
    try {
      return this.#hooks.arrived(task);
    } finally {
      this.#at.host = null;
    }
  }

  #setState(state: State): void {
    const before = this.#at.state;
    if (state === before) return;
    const controls = this.#attached();
    this.#at.state = state;
    if (before === State.UNWINDING) controls.stopUnwind();
    else if (before === State.REWINDING) controls.stopRewind();
    if (state === State.UNWINDING) controls.startUnwind(this.#openWindow().base);
    else if (state === State.REWINDING) controls.startRewind(this.#openWindow().base);
  }

  #openWindow(): Window {
    return (this.#window ??= this.#attached().makeWindow());
  }

  /** The window, for a hook that only instrumented code in the given state may call. */
  #switching(state: State): Window {
    if (this.#at.state !== state || this.#window === null) {
      throw new FiberError('CORRUPT_FRAMES', 'The guest called a switching hook while it was not switching.');
    }
    return this.#window;
  }

  #attached(): AsyncifyControls {
    if (this.#controls === null) throw new FiberError('INTERNAL', 'The guest was switched before it was instantiated.');
    return this.#controls;
  }
}

function unwound(task: Task | null): UnwoundStack {
  const stack = task?.unwound;
  // Nobody but this backend writes it.
  if (stack) return stack as UnwoundStack;
  throw new FiberError('CORRUPT_FRAMES', 'The guest is switching without a fiber.');
}
