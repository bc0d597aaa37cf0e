/**
 * One instance whose calls run as fibers: starts, resumes and ends them, and decides who may run.
 *
 * Invariants:
 * - Guest code of a fiber begins and continues only when no frame of this guest is on the native stack; what cannot run
 *   now runs in a microtask of its own, in the async context of whoever asked for it.
 * - Every live fiber is in the list, and every way out of a fiber goes through `ended`.
 */
import { AsyncifyBackend } from '../backends/asyncify.ts';
import type { BackendHooks, BackendKind, GuestFunction, Site, Task } from '../backends/backend.ts';
import { currentBackend, currentTask } from '../backends/current.ts';
import { ignore, isThenable } from '../backends/thenable.ts';
import { FiberError } from '../errors.ts';
import { guestFrames } from '../trace.ts';
import type { Fiber, FiberEvent, FiberInfo, Guest, SpawnOptions } from './api.ts';
import { explain, isAbrupt } from './failures.ts';
import { afterTurn, mustYield } from './fairness.ts';
import { type FiberOwner, RunnableFiber, type Waiter } from './fiber.ts';
import { Handover } from './handover.ts';
import { type Metadata, SECTION } from './metadata.ts';
import { type CheckedOptions, checkSpawnOptions } from './options.ts';
import { fiberOf, findCycle, markResult } from './promises.ts';
import { subscribe, unsubscribe } from './signals.ts';
import { SlowWatch } from './slow.ts';
import { Turn, Turns } from './turns.ts';

/** Exports that expect the whole of the guest's own stack. */
const MAIN_EXPORTS: readonly string[] = ['_start', '_initialize', '__wasm_call_ctors'];
/** Exports that belong to the switching, not to the guest. */
const INTERNAL = /^(?:asyncify_|__fibers_|wasm-fibers\.)/;

type AnyFunction = (...args: unknown[]) => unknown;

export class GuestRuntime implements FiberOwner, BackendHooks {
  readonly exports: Record<string, unknown> = Object.create(null);
  readonly sync: Record<string, AnyFunction> = Object.create(null);
  readonly module: WebAssembly.Module;
  readonly #options: CheckedOptions;
  readonly #backend: AsyncifyBackend;
  readonly #emit: ((event: FiberEvent) => void) | null;
  readonly #slow: SlowWatch | null;
  readonly #turns: Turns | null;
  readonly #raw = new Map<string, GuestFunction>();
  readonly #wrapped = new WeakMap<GuestFunction, AnyFunction>();
  #instance: WebAssembly.Instance | null = null;
  #memory: WebAssembly.Memory | null = null;
  /** For guests whose results may be references that only the embedder holds. */
  #handover: Handover | null = null;
  #first: RunnableFiber | null = null;
  #last: RunnableFiber | null = null;
  #live = 0;
  #nextId = 1;
  /** Why no fiber may run any more. */
  #closed: FiberError | null = null;
  #poison: FiberError | null = null;
  #whenEmpty: (() => void) | null = null;
  #disposing: Promise<void> | null = null;
  readonly #onAbort = (): void => void this.dispose();

  constructor(module: WebAssembly.Module, options: CheckedOptions) {
    this.module = module;
    this.#options = options;
    this.#backend = new AsyncifyBackend(this);
    this.#turns = options.exclusive ? new Turns() : null;
    const { onEvent } = options;
    this.#emit = onEvent === undefined ? null : (event) => tell(onEvent, event);
    this.#slow = onEvent === undefined ? null : new SlowWatch(options.slowAfter, () => this.#first, onEvent);
  }

  /** The backend, for whoever builds the guest. */
  get switching(): AsyncifyBackend {
    return this.#backend;
  }

  /** The instance exists: makes its exports callable. */
  attach(instance: WebAssembly.Instance, memory: WebAssembly.Memory | null, metadata: Metadata | null): void {
    this.#instance = instance;
    if (metadata?.stack?.kind === 'assemblyscript') this.#handover = new Handover();
    // What only the instrumenter has exported, for the window, is not for the embedder.
    this.#memory = memory === instance.exports[`${SECTION}.memory`] ? null : memory;
    for (const { name } of WebAssembly.Module.exports(this.module)) {
      if (INTERNAL.test(name)) continue;
      const value = instance.exports[name];
      if (typeof value !== 'function') {
        this.exports[name] = value;
        continue;
      }
      const fn = value as GuestFunction;
      const main = MAIN_EXPORTS.includes(name);
      this.#raw.set(name, fn);
      this.exports[name] = (...args: unknown[]) => this.#call(fn, name, args, main);
      this.sync[name] = (...args) => this.callSync(fn, args);
    }
    Object.freeze(this.exports);
    Object.freeze(this.sync);
    if (this.#options.signal !== undefined) subscribe(this.#options.signal, this.#onAbort);
  }

  /** Runs the start function, which the instrumenter turned into an export, as the first fiber. */
  async runStart(): Promise<void> {
    const start = this.instance.exports[`${SECTION}.start`];
    if (typeof start === 'function') await this.#call(start as GuestFunction, 'start', [], true);
  }

  get publicGuest(): Guest {
    // instantiate() hands this very object out as a Guest; the exports' types are the caller's.
    return this as unknown as Guest;
  }

  get instance(): WebAssembly.Instance {
    // `attach` runs before anybody can hold the guest.
    return this.#instance!;
  }

  get memory(): WebAssembly.Memory {
    if (this.#memory === null)
      throw new FiberError('NO_SUCH_EXPORT', 'The guest has no memory: it neither exports nor imports one.');
    return this.#memory;
  }

  get backend(): BackendKind {
    return this.#backend.kind;
  }

  get fibers(): readonly Fiber[] {
    const fibers: RunnableFiber[] = [];
    for (let each = this.#first; each !== null; each = each.next) fibers.push(each);
    return fibers;
  }

  spawn(name: string, args: readonly unknown[] = [], options: SpawnOptions = {}): Fiber {
    const fn = this.#raw.get(name);
    if (fn === undefined) {
      throw new FiberError(
        'NO_SUCH_EXPORT',
        `The guest exports no function ${name}. It has: ${[...this.#raw.keys()].join(', ') || 'none'}.`,
      );
    }
    checkSpawnOptions(options);
    if (!Array.isArray(args)) {
      throw new FiberError('INVALID_OPTION', `The arguments of ${name} must be an array; they are ${String(args)}.`);
    }
    return this.#launch(fn, options.name ?? name, [...args], MAIN_EXPORTS.includes(name), options);
  }

  wrap(fn: AnyFunction): AnyFunction {
    if (typeof fn !== 'function') {
      throw new FiberError('INVALID_OPTION', `guest.wrap takes a function of the guest, not ${typeof fn}.`);
    }
    let wrapped = this.#wrapped.get(fn);
    if (wrapped === undefined) {
      wrapped = (...args) => this.#call(fn, fn.name ? `function ${fn.name}` : 'function', args, false);
      this.#wrapped.set(fn, wrapped);
    }
    return wrapped;
  }

  dump(): FiberInfo[] {
    const now = Date.now();
    return this.fibers.map((each) => {
      const fiber = each as RunnableFiber;
      return {
        id: fiber.id,
        name: fiber.name,
        state: fiber.state,
        age: now - fiber.created,
        import: fiber.site?.name ?? null,
        waitsFor: fiber.waitsFor?.id ?? null,
        frameBytes: fiber.frameBytes,
        stack: fiber.stack,
      };
    });
  }

  dispose(): Promise<void> {
    return (this.#disposing ??= new Promise((resolve) => {
      const disposed = new FiberError('DISPOSED', 'The guest was disposed of. Instantiate it again to call it.');
      this.#closed ??= disposed;
      this.#whenEmpty = resolve;
      if (this.#options.signal !== undefined) unsubscribe(this.#options.signal, this.#onAbort);
      for (const each of this.fibers) {
        const fiber = each as RunnableFiber;
        if (!fiber.cancel(disposed)) fiber.cancelAgain();
      }
      if (this.#live === 0) resolve();
    }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  callSync(fn: GuestFunction, args: readonly unknown[]): unknown {
    if (this.#closed !== null) throw this.#closed;
    try {
      return this.#backend.callSync(fn, args);
    } catch (error) {
      const failure = explain(error);
      if (this.#options.onTrap === 'poison' && isAbrupt(failure)) {
        this.#poisonWith(failure, "a sync call trapped in it, and onTrap is 'poison'");
      }
      throw failure;
    }
  }

  canSuspend(): boolean {
    // In a sync call of another guest the fiber is still this one's, but the wait would not be.
    return this.#closed === null && currentBackend === this.#backend && this.#backend.canSuspend();
  }

  #call(fn: GuestFunction, name: string, args: readonly unknown[], main: boolean): Promise<unknown> {
    try {
      return this.#launch(fn, name, args, main, null).result;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #launch(
    fn: GuestFunction,
    name: string,
    args: readonly unknown[],
    main: boolean,
    options: SpawnOptions | null,
  ): RunnableFiber {
    if (this.#closed !== null) throw this.#closed;
    if (this.#live >= this.#options.maxFibers) {
      throw new FiberError(
        'MAX_FIBERS',
        `The guest has ${this.#live} live fibers, as many as maxFibers allows. Wait for some to end, or raise it.`,
      );
    }
    const fiber = new RunnableFiber(this, this.#nextId++, name, fn, args, main, Date.now());
    markResult(fiber);
    this.#link(fiber);
    this.#emit?.({ type: 'spawn', fiber });
    let mine = true;
    if (this.#turns !== null) {
      const parent = options?.parent ?? currentTask;
      const inherited = parent instanceof RunnableFiber && parent.owner === this ? parent.turn : null;
      fiber.turn = inherited ?? new Turn();
      // The reaction keeps the async context of whoever asks for the fiber now.
      mine = this.#turns.enter(fiber.turn, () => {
        let open = (): void => undefined;
        void new Promise<void>((resolve) => (open = resolve)).then(() => this.#begin(fiber));
        return open;
      });
    }
    if (options !== null) {
      let open: (run: () => void) => void = () => undefined;
      void new Promise<() => void>((resolve) => (open = resolve)).then((run) => run());
      fiber.gate = open;
      fiber.configure(options);
    }
    if (mine) {
      if (this.#handover?.busy === true) this.#handover.defer(() => this.#begin(fiber));
      else if (this.#backend.busy) void Promise.resolve().then(() => this.#begin(fiber));
      else this.#begin(fiber);
    }
    return fiber;
  }

  #begin(fiber: RunnableFiber): void {
    if (fiber.state !== 'created') return;
    if (this.#backend.busy) {
      // Only where somebody runs microtasks from inside of guest code; another microtask would never end.
      afterTurn(() => this.#begin(fiber));
      return;
    }
    fiber.state = 'running';
    try {
      this.#backend.start(fiber);
    } catch (error) {
      // There was no stack to run it on; no guest code has run.
      this.ended(fiber, true, error);
    }
  }

  // What fibers ask for (FiberOwner).

  arrive(waiter: Waiter, failed: boolean, value: unknown): void {
    const fiber = waiter.fiber;
    if (fiber === null) return;
    const handover = this.#handover?.busy === true ? this.#handover : null;
    if (handover === null && !mustYield()) {
      this.#deliver(fiber, failed, value);
      return;
    }
    const later = (): void => {
      if (waiter.fiber === fiber) this.#deliver(fiber, failed, value);
    };
    if (handover === null) afterTurn(later);
    else handover.defer(later);
  }

  interrupt(fiber: RunnableFiber): void {
    const deliver = (): void => {
      const cancellation = fiber.takeCancellation();
      if (cancellation !== null) this.#deliver(fiber, true, cancellation);
    };
    const run = (): void => {
      if (this.#handover?.busy === true) this.#handover.defer(deliver);
      else deliver();
    };
    const { gate } = fiber;
    if (gate === null) queueMicrotask(run);
    else {
      // It opens once; a cancellation comes twice only when the guest is disposed of.
      fiber.gate = null;
      gate(run);
    }
  }

  drop(fiber: RunnableFiber): void {
    this.ended(fiber, true, fiber.cancellation);
  }

  frameBytes(fiber: RunnableFiber): number {
    return this.#backend.bytesHeld(fiber);
  }

  isQueued(fiber: RunnableFiber): boolean {
    return fiber.state === 'created' && fiber.turn !== null && this.#turns?.current !== fiber.turn;
  }

  turnHolders(): RunnableFiber[] {
    return (this.fibers as RunnableFiber[]).filter((fiber) => fiber.turn === this.#turns?.current);
  }

  #deliver(fiber: RunnableFiber, failed: boolean, value: unknown): void {
    if (fiber.state !== 'suspended') return;
    if (this.#backend.busy) {
      afterTurn(() => this.#deliver(fiber, failed, value));
      return;
    }
    fiber.failed = failed;
    fiber.value = value;
    fiber.state = 'running';
    this.#emit?.({ type: 'resume', fiber, import: fiber.site?.name });
    this.#backend.resume(fiber);
  }

  // What the backend tells (BackendHooks). It knows tasks only; every task of this guest is a fiber made above.

  wait(task: Task, site: Site, promise: PromiseLike<unknown>): void {
    const fiber = task as RunnableFiber;
    const cancellation = fiber.takeCancellation();
    if (cancellation !== null) throw cancellation;
    if (this.#closed !== null) throw this.#closed;
    const target = fiberOf(promise);
    if (target !== null) {
      const cycle = findCycle(fiber, target);
      if (cycle !== null) {
        const names = [...cycle, fiber].map((each) => each.label).join(' waits for ');
        throw new FiberError(
          'DEADLOCK',
          `${site.name} would wait for ever: ${names}. Do not return the result of a fiber that needs this one to go on.`,
        );
      }
    }
    fiber.waitsFor = target;
    fiber.site = site;
    if (this.#options.debug) fiber.stack = guestFrames(new Error('').stack);
    fiber.listen(promise);
  }

  unwait(task: Task): void {
    const fiber = task as RunnableFiber;
    fiber.abandonWait();
    fiber.site = fiber.waitsFor = fiber.stack = null;
  }

  suspended(task: Task): void {
    const fiber = task as RunnableFiber;
    fiber.state = 'suspended';
    if (this.#emit === null) return;
    this.#slow?.begin(fiber);
    this.#emit({ type: 'suspend', fiber, import: fiber.site?.name });
  }

  arrived(task: Task): unknown {
    const fiber = task as RunnableFiber;
    const { failed, value } = fiber;
    fiber.site = fiber.waitsFor = fiber.stack = null;
    fiber.value = undefined;
    if (!failed) return value;
    const replacement = this.#options.onReject?.(value, this.publicGuest);
    const thrown = replacement === undefined ? value : replacement;
    fiber.delivered = { thrown, error: value };
    if (
      replacement === undefined ||
      (typeof WebAssembly.Exception === 'function' && replacement instanceof WebAssembly.Exception)
    ) {
      throw thrown;
    }
    if (!isThenable(replacement)) return replacement;
    ignore(replacement);
    throw new FiberError(
      'INVALID_OPTION',
      'onReject returned a promise; it must return a value, an exception or nothing, at once.',
    );
  }

  ended(task: Task, failed: boolean, value: unknown): void {
    const fiber = task as RunnableFiber;
    // What came from outside and only passed through is not the guest's own failure, whatever it looks like.
    const delivered = failed && fiber.delivered?.thrown === value ? fiber.delivered : null;
    const error = delivered !== null ? delivered.error : failed ? explain(value) : value;
    this.#unlink(fiber);
    if (!failed && value !== undefined) this.#handover?.begin();
    fiber.settle(failed, error);
    if (failed && delivered === null && isAbrupt(error)) {
      this.#emit?.({ type: 'trap', fiber, error });
      if (this.#options.onTrap === 'poison') {
        this.#poisonWith(error, `the fiber ${fiber.label} trapped in it, and onTrap is 'poison'`);
      }
    }
    this.#emit?.(failed ? { type: 'end', fiber, error } : { type: 'end', fiber });
    if (fiber.turn !== null) this.#turns?.leave(fiber.turn);
    if (this.#live === 0) this.#whenEmpty?.();
  }

  broken(cause: unknown): void {
    this.#poisonWith(cause, 'its code for switching between fibers failed');
  }

  /** Ends every other fiber without running it, and refuses all that comes. */
  #poisonWith(cause: unknown, why: string): void {
    if (this.#poison !== null) return;
    const poison = new FiberError(
      'GUEST_POISONED',
      `The guest cannot be used any more: ${why}. Instantiate it again.`,
      { cause },
    );
    this.#poison = this.#closed = poison;
    for (const each of this.fibers) {
      const fiber = each as RunnableFiber;
      if (fiber.state === 'running') continue;
      this.#backend.abandon(fiber);
      this.ended(fiber, true, poison);
      this.#emit?.({ type: 'poison', fiber, error: poison });
    }
  }

  #link(fiber: RunnableFiber): void {
    fiber.previous = this.#last;
    if (this.#last === null) this.#first = fiber;
    else this.#last.next = fiber;
    this.#last = fiber;
    this.#live++;
  }

  #unlink(fiber: RunnableFiber): void {
    const { previous, next } = fiber;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    fiber.previous = fiber.next = null;
    this.#live--;
  }
}

/** Calls a listener of the embedder. What it throws is reported as uncaught and has no part in what goes on here. */
function tell(listener: (event: FiberEvent) => void, event: FiberEvent): void {
  try {
    listener(event);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
