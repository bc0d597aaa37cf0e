/**
 * Switching by JSPI: the engine puts a guest's stack aside where an import of the kind `Suspending` returns a promise, and
 * continues it a microtask after that promise has settled. Whoever uses it alone gets no more than that: calls into one
 * instance share its shadow stack and overwrite each other, nobody can end a wait, and nobody is told who runs.
 *
 * One wait of an instrumented guest, whose suspending imports are called by shims (host/instrument/passes/shims.ts):
 *
 *   host                                        guest
 *   start(task): promising entry(...args)  ->   export -> f -> g -> shim -> plain import
 *   the host function returns a promise
 *   hooks.wait, set_pending(token)         ->   the shim sees the token, and calls the Suspending import
 *   shadow.suspend, hooks.suspended
 *   returns a promise of our own           ->   (the engine puts the stack aside)
 *     ... the event loop ...
 *   resume(task): settles that promise
 *     ... other microtasks ...             ->   (the engine continues the stack) the shim calls arrive(token)
 *   current fiber, shadow.resume,
 *   hooks.arrived                          ->   `arrive` returns the value, or throws the error; g goes on
 *
 * - The promise is our own and not the host function's, since only who made it can settle it before its time: a fiber is
 *   cancelled by continuing its stack with an error. That is also the only way to free a stack.
 * - It is always fulfilled. What it brought is given to the guest by `arrive`, an ordinary import: so errors need no
 *   exception handling in the shim, and all that must be restored is restored when the guest already runs. Whatever is
 *   restored when the promise settles is overwritten by the microtasks that come before the guest.
 * - A plain value costs one call, and needs no fiber.
 *
 * A module that was not instrumented has no shims. Its suspending imports (those marked `suspending`) are themselves of
 * the kind `Suspending`, which always takes a microtask. What must be restored is restored by a reaction to our promise
 * that is registered before the engine's, and so runs immediately before the guest goes on.
 *
 * Nobody tells when a stack that was continued has ended, before the reactions to the promise of its entry run. Therefore:
 * - `at.task` is the fiber that the guest ran last. While a host function is on the stack (`busy`) it is the one that
 *   called it. Else it has ended, or waits for the engine between two of its stacks (see jspi-stack.ts); before anything
 *   else of the guest runs it is put aside (`#putAsideLast`).
 */
import { FiberError } from '../errors.ts';
import { isStackOverflow } from '../trace.ts';
import type { Backend, BackendHooks, GuestFunction, HostFunction, ShadowStack, Site, Task } from './backend.ts';
import { call } from './call.ts';
import { currentBackend, currentTask, setCurrent } from './current.ts';
import type { StackSwitching } from './engine.ts';
import { behindAnother, type HostPosition, ignoreRefused, wrapHostFunction } from './host-functions.ts';
import { FiberStack, giveStackBack, Suspension, takeStack } from './jspi-stack.ts';
import { notACall, notMarked, notSuspending, obstacle, ON_REJECT, refuseOverflow, SYNC, tooDeep } from './refusals.ts';
import { ignore, isThenable, listen } from './thenable.ts';
import { generatorOf, isRepeatable, NestedCall, type ReentrantGenerator } from './trampolines.ts';

/** What a module offers for being switched. */
export interface JspiControls {
  readonly shadow: ShadowStack;
  /** Tells the shim that has called the host function to put the stack aside. Null if the module was not instrumented. */
  readonly setPending: ((token: number) => void) | null;
  /** False: the fibers share one shadow stack, so that they must end in the opposite order of their beginnings. */
  readonly isolated: boolean;
}

/** Host functions are called; or none is any more, since the guest is broken. */
const Calls = { OPEN: 0, CLOSED: 1 } as const;

interface Position extends HostPosition {
  /** The fiber that the guest ran last; null if that waits. */
  task: Task | null;
  /** The engine converts the arguments of an entry, which runs the embedder's code. */
  entering: boolean;
}

/** A call of a reentrant generator. */
interface Passage {
  readonly generator: ReentrantGenerator;
  readonly site: Site;
  /** The fiber whose waits may pass it; null if none may. */
  readonly stack: FiberStack | null;
  /** What stands between its calls and the fiber's beginning. */
  readonly between: Site | null;
  /** The shadow stack pointer where it was called. */
  readonly pointer: number;
  /** The stack that called it, once that has to be put aside. */
  suspension: Suspension | null;
}

/** In place of the result of a generator: a call of it has not ended. */
const OPEN_CALL: unique symbol = Symbol('open call');

export class JspiBackend implements Backend {
  readonly kind = 'jspi';
  readonly #hooks: BackendHooks;
  readonly #engine: StackSwitching;
  readonly #instrumented: boolean;
  #controls: JspiControls | null = null;
  readonly #at: Position = { state: Calls.OPEN, host: null, refused: null, task: null, entering: false };
  /** The stack that the guest is to put aside next. */
  #pending: Suspension | null = null;
  /** By token; index 0 is never used. */
  readonly #suspensions: (Suspension | null)[] = [null];
  readonly #freeTokens: number[] = [];
  readonly #freeStacks: FiberStack[] = [];
  readonly #entries = new WeakMap<GuestFunction, GuestFunction>();
  /** The fibers in the order of their beginnings, if they share a shadow stack. */
  #order: FiberStack[] | null = null;
  #closed: unknown = null;

  constructor(hooks: BackendHooks, engine: StackSwitching, instrumented: boolean) {
    this.#hooks = hooks;
    this.#engine = engine;
    this.#instrumented = instrumented;
  }

  attach(controls: JspiControls): void {
    this.#controls = controls;
    if (!controls.isolated) this.#order = [];
  }

  get busy(): boolean {
    return this.#at.host !== null || this.#at.entering;
  }

  canSuspend(): boolean {
    return this.#at.task !== null && this.#at.state === Calls.OPEN && this.#at.host?.suspending === true;
  }

  get shims(): number {
    return this.#instrumented ? 1 : 0;
  }

  bytesHeld(): number {
    return 0;
  }

  clear(): void {
    this.#controls?.shadow.clear();
  }

  entry(fn: GuestFunction): GuestFunction {
    let entry = this.#entries.get(fn);
    if (entry === undefined) this.#entries.set(fn, (entry = this.#engine.promising(fn)));
    return entry;
  }

  link(site: Site, fn: HostFunction): WebAssembly.ImportValue {
    const generator = generatorOf(fn);
    const linked =
      generator !== null
        ? this.#linkGenerator(site, generator)
        : site.suspending && isRepeatable(fn, site.name)
          ? this.#linkTrampoline(site, fn)
          : this.#linkFunction(site, fn);
    return site.suspending && !this.#instrumented ? new this.#engine.Suspending(this.#always(site, linked)) : linked;
  }

  linkControls(names: readonly string[]): Record<string, WebAssembly.ImportValue> {
    const linked: Record<string, WebAssembly.ImportValue> = { stack_overflow: refuseOverflow };
    const arrive = (token: number): unknown => this.#arrive(token);
    const returned = (...values: unknown[]): void => this.#returned(values);
    for (const name of names) {
      if (name === 'suspend') linked[name] = new this.#engine.Suspending(() => this.#suspend());
      else if (name.startsWith('arrive.')) linked[name] = arrive;
      else if (name.startsWith('returned.')) linked[name] = returned;
    }
    return linked;
  }

  start(task: Task): void {
    const { shadow } = this.#attached();
    this.#putAsideLast();
    takeStack();
    const stack = this.#freeStacks.pop() ?? this.#newStack();
    stack.begin(task);
    try {
      shadow.start(task);
    } catch (error) {
      giveStackBack();
      this.#freeStacks.push(stack);
      throw error;
    }
    task.unwound = stack;
    this.#order?.push(stack);
    listen(this.#enter(task, task.entry, task.args), stack.onValue, stack.onError);
    if (this.#at.task === task) this.#putAsideLast();
  }

  resume(task: Task): void {
    const stack = stackOf(task);
    const suspension = stack.waiting;
    if (suspension === null) {
      this.#report(stack, true, misused());
      return;
    }
    if (this.#order !== null && this.#order.at(-1) !== stack) {
      stack.held = true;
      return;
    }
    stack.waiting = null;
    suspension.arriving = true;
    if (this.#instrumented) suspension.resolve();
    else this.#settle(suspension, () => this.#deliver(task));
  }

  abandon(task: Task, error: unknown): void {
    this.#at.state = Calls.CLOSED;
    this.#closed = error;
    const stack = task.unwound as FiberStack | null;
    if (stack === null) return;
    stack.reported = stack.left = true;
    task.unwound = null;
    this.#order = this.#order?.filter((each) => each !== stack) ?? null;
    const suspension = stack.waiting;
    if (suspension === null) return;
    stack.waiting = null;
    suspension.arriving = true;
    if (this.#instrumented) suspension.resolve();
    else suspension.reject(error);
  }

  callSync(fn: GuestFunction, args: readonly unknown[]): unknown {
    if (!this.busy) this.#putAsideLast();
    const shadow = this.#controls?.shadow;
    const host = this.#at.host;
    const outerTask = currentTask;
    const outerBackend = currentBackend;
    const pointer = shadow?.save() ?? 0;
    this.#at.host = SYNC;
    setCurrent(this.#at.task, this);
    try {
      shadow?.enterSync();
      return call(fn, args);
    } finally {
      setCurrent(outerTask, outerBackend);
      this.#at.host = host;
      if (!this.busy) ignoreRefused(this.#at);
      shadow?.restore(pointer);
    }
  }

  /** Calls into the guest on a new stack, as this fiber, until it has ended or is put aside. */
  #enter(task: Task, entry: GuestFunction, args: readonly unknown[]): Promise<unknown> {
    const at = this.#at;
    const outerTask = currentTask;
    const outerBackend = currentBackend;
    const { host, entering } = at;
    at.task = task;
    at.host = null;
    at.entering = true;
    setCurrent(task, this);
    try {
      // What `entry` has made gives a promise.
      return call(entry, args) as Promise<unknown>;
    } catch (error) {
      return Promise.reject(error);
    } finally {
      at.host = host;
      at.entering = entering;
      setCurrent(outerTask, outerBackend);
    }
  }

  /** The promise of a fiber's entry has settled. */
  #settled(stack: FiberStack, failed: boolean, value: unknown): void {
    giveStackBack();
    if (!stack.reported) this.#report(stack, failed, value);
    stack.task = null;
    this.#freeStacks.push(stack);
  }

  /** The entry has returned, and nothing of the guest has run since. */
  #returned(values: readonly unknown[]): void {
    const { task, host } = this.#at;
    if (task === null || host !== null) return;
    const stack = stackOf(task);
    if (stack.generators === 0) this.#report(stack, false, values.length > 1 ? values : values[0]);
  }

  #report(stack: FiberStack, failed: boolean, value: unknown): void {
    const { task } = stack;
    if (task === null) return;
    let damage: { readonly cause: unknown } | null = null;
    stack.reported = true;
    task.unwound = null;
    try {
      if (!stack.left) this.#attached().shadow.end(task);
    } catch (cause) {
      damage = { cause };
    }
    stack.left = true;
    if (this.#at.task === task) this.#at.task = null;
    if (currentTask === task) setCurrent(null, null);
    if (!this.busy) ignoreRefused(this.#at);
    this.#hooks.ended(task, failed, value);
    if (damage !== null) this.#hooks.broken(damage.cause);
    this.#endInOrder(stack);
  }

  /** Fibers that share a shadow stack: the last of them has ended, and the one before it may go on. */
  #endInOrder(stack: FiberStack): void {
    if (this.#order === null) return;
    this.#order = this.#order.filter((each) => each !== stack);
    const last = this.#order.at(-1);
    if (last?.held !== true || last.task === null) return;
    last.held = false;
    this.resume(last.task);
  }

  /** No frame of the guest is on the native stack, and something else of it is about to run than what ran last. */
  #putAsideLast(): void {
    const { task } = this.#at;
    if (task === null) return;
    this.#at.task = null;
    const stack = stackOf(task);
    const { shadow } = this.#attached();
    if (stack.generators > 0) {
      shadow.suspend(task);
      stack.aside = true;
    } else {
      shadow.end(task);
      stack.left = true;
    }
  }

  // Imports.

  #linkFunction(site: Site, fn: HostFunction): HostFunction {
    return wrapHostFunction(
      site,
      fn,
      this.#at,
      () => this.#refuse(),
      (promise) => this.#wait(site, promise),
    );
  }

  /** A plain trampoline: what Asyncify passes by executing it again, no engine's stack switching can pass. */
  #linkTrampoline(site: Site, fn: HostFunction): HostFunction {
    const name = `${site.name} (a plain function, which only Asyncify can execute again)`;
    const inTheWay = { ...behindAnother(site), name };
    return (...args) => {
      if (this.#at.state !== Calls.OPEN) this.#refuse();
      const { host } = this.#at;
      this.#at.host = host ?? inTheWay;
      let result: unknown;
      try {
        result = fn(...args);
      } finally {
        this.#at.host = host;
      }
      return isThenable(result) ? this.#wait(site, result) : result;
    };
  }

  /** A suspending import of a module that was not instrumented: the engine takes a microtask, whatever it returns. */
  #always(site: Site, linked: HostFunction): HostFunction {
    const fn = linked as (...args: unknown[]) => unknown;
    return (...args) => {
      const result = fn(...args);
      const { task, host } = this.#at;
      const suspension = this.#pending;
      this.#pending = null;
      if (suspension !== null) return this.#putAside(suspension);
      // The engine refuses in its own words where nothing can wait.
      if (task === null || host !== null) return result;
      const stack = stackOf(task);
      return this.#promiseOf(
        this.#passing(stack, this.#attached().shadow.save(), { failed: false, value: result }),
        site,
      );
    };
  }

  /** Decides what a returned promise means. */
  #wait(site: Site, promise: PromiseLike<unknown>): unknown {
    const { task, host } = this.#at;
    const controls = this.#controls;
    if (!site.suspending || controls === null) {
      throw this.#instrumented ? notSuspending(site, promise, true) : notMarked(site, promise);
    }
    if (task === null || host !== null) throw obstacle(site, promise, task, host);
    const stack = stackOf(task);
    try {
      this.#hooks.wait(task, site, promise);
      this.#pend(stack.own);
    } catch (error) {
      // Here the engine's stack may end: nothing has been put aside, so the fiber has not waited.
      this.#pending = null;
      this.#hooks.unwait(task);
      ignore(promise);
      throw isStackOverflow(error) ? tooDeep(site.name, error) : error;
    }
    return site.placeholder;
  }

  #pend(suspension: Suspension): void {
    this.#pending = suspension;
    this.#attached().setPending?.(suspension.token);
  }

  /** The shim has seen the token. Returns what the engine is to wait for. */
  #suspend(): Promise<unknown> {
    const suspension = this.#pending;
    if (suspension === null) throw misused();
    this.#pending = null;
    return this.#putAside(suspension);
  }

  #putAside(suspension: Suspension): Promise<unknown> {
    const { owner } = suspension;
    // Where a generator is open, its calls decide what becomes of the fiber.
    if (suspension === owner.own) this.#suspended(owner, suspension);
    else setCurrent(null, null);
    return this.#promiseOf(suspension);
  }

  #suspended(stack: FiberStack, suspension: Suspension): void {
    const { task } = stack;
    if (task === null) return;
    stack.waiting = suspension;
    this.#attached().shadow.suspend(task);
    this.#at.task = null;
    setCurrent(null, null);
    this.#hooks.suspended(task);
  }

  #promiseOf(suspension: Suspension, settled?: Site): Promise<unknown> {
    const promise = new Promise(suspension.executor);
    if (settled !== undefined) this.#settle(suspension, () => this.#outcome(suspension));
    if (!this.#instrumented) {
      const onTurn = (): void => this.#continue(suspension);
      listen(promise, onTurn, onTurn);
    }
    return promise;
  }

  /** The guest goes on behind a wait. Returns what the wait has brought. */
  #arrive(token: number): unknown {
    const suspension = this.#suspensions[token] ?? null;
    if (suspension?.arriving !== true) throw misused();
    this.#continue(suspension);
    const { task } = suspension.owner;
    if (suspension.owner.reported || task === null) throw this.#closed;
    return suspension.outcome === null ? this.#deliver(task) : this.#outcome(suspension);
  }

  /** What the guest left is put back: it runs now, or is the very next to run. */
  #continue(suspension: Suspension): void {
    suspension.arriving = false;
    const { owner } = suspension;
    if (suspension !== owner.own) {
      owner.generators--;
      this.#freeTokens.push(suspension.token);
      this.#suspensions[suspension.token] = null;
    }
    if (owner.task === null || owner.reported) return;
    if (suspension.outcome === null) {
      this.#putAsideLast();
      this.#at.task = owner.task;
      this.#attached().shadow.resume(owner.task);
    } else this.#goOn(owner, suspension.pointer);
    setCurrent(owner.task, this);
  }

  /** The fiber runs on, on another one of its stacks. */
  #goOn(stack: FiberStack, pointer: number): void {
    const { task } = stack;
    const { shadow } = this.#attached();
    if (task === null) return;
    if (this.#at.task !== task) this.#putAsideLast();
    this.#at.task = task;
    if (stack.aside) {
      stack.aside = false;
      task.pointer = pointer;
      shadow.resume(task);
    } else shadow.restore(pointer);
  }

  /** The runtime decides what the guest gets; that may run the embedder's code, which a wait could not pass. */
  #deliver(task: Task): unknown {
    const { site, failed } = task;
    if (!failed && site !== null && site.conversion === null) return this.#hooks.arrived(task);
    this.#at.host = failed ? ON_REJECT : site;
    try {
      return this.#hooks.arrived(task);
    } finally {
      this.#at.host = null;
    }
  }

  #outcome({ outcome }: Suspension): unknown {
    if (outcome?.failed === true) throw outcome.value;
    return outcome?.value;
  }

  /** Tells the engine to go on with what this gives, or throws. */
  #settle(suspension: Suspension, give: () => unknown): void {
    try {
      suspension.resolve(give());
    } catch (error) {
      suspension.reject(error);
    }
  }

  // Reentrant generators. Each of their calls runs on a stack of its own, so that the fiber can wait in it; the stack that
  // called the generator is put aside until it has returned.

  #linkGenerator(site: Site, start: (...args: never[]) => ReentrantGenerator): HostFunction {
    const behind = behindAnother(site);
    return (...args) => {
      if (this.#at.state !== Calls.OPEN) this.#refuse();
      const { task, host } = this.#at;
      const passable = site.suspending && task !== null && host === null;
      const passage: Passage = {
        generator: start(...args),
        site: host === null ? site : behind,
        stack: passable ? stackOf(task) : null,
        between: host ?? site,
        pointer: this.#controls?.shadow.save() ?? 0,
        suspension: null,
      };
      let result: unknown;
      try {
        result = this.#drive(passage, false, undefined);
      } finally {
        this.#at.host = host;
      }
      if (result !== OPEN_CALL) return isThenable(result) ? this.#wait(site, result) : result;
      // It has one as long as a call is open.
      this.#pend(passage.suspension!);
      return site.placeholder;
    };
  }

  /** Runs a generator until it returns, or a call of it has to be waited for. */
  #drive(passage: Passage, failed: boolean, value: unknown): unknown {
    const { generator, site, stack, between, pointer } = passage;
    const at = this.#at;
    for (;;) {
      at.host = site;
      const step = failed ? generator.throw(value) : generator.next(value);
      if (step.done === true) return step.value;
      if (!(step.value instanceof NestedCall)) throw notACall(site);
      failed = false;
      try {
        if (stack !== null) {
          this.#open(passage, stack, step.value);
          return OPEN_CALL;
        }
        at.host = between;
        value = call(step.value.fn, step.value.args);
      } catch (error) {
        failed = true;
        value = error;
        this.#controls?.shadow.restore(pointer);
      }
    }
  }

  #open(passage: Passage, stack: FiberStack, { fn, args }: NestedCall): void {
    const { task } = stack;
    if (task === null) throw misused();
    takeStack();
    passage.suspension ??= this.#passing(stack, passage.pointer, null);
    const ended = (failed: boolean, value: unknown): void => this.#closeCall(passage, stack, failed, value);
    listen(
      this.#enter(task, this.entry(fn), args),
      (value) => ended(false, value),
      (error) => ended(true, error),
    );
  }

  /** A call of a generator has ended. */
  #closeCall(passage: Passage, stack: FiberStack, failed: boolean, value: unknown): void {
    giveStackBack();
    const { suspension, site } = passage;
    const { task } = stack;
    if (suspension === null || task === null) return;
    if (stack.reported) {
      suspension.outcome = { failed: true, value: this.#closed };
      this.#letGoOn(suspension);
      return;
    }
    this.#goOn(stack, passage.pointer);
    setCurrent(task, this);
    try {
      const result = this.#drive(passage, failed, value);
      if (result === OPEN_CALL) return;
      if (isThenable(result)) {
        this.#hooks.wait(task, site, result);
        this.#suspended(stack, suspension);
        return;
      }
      suspension.outcome = { failed: false, value: result };
    } catch (error) {
      suspension.outcome = { failed: true, value: error };
    } finally {
      this.#at.host = null;
      setCurrent(null, null);
    }
    this.#letGoOn(suspension);
  }

  /** The stack that called the generator may go on. */
  #letGoOn(suspension: Suspension): void {
    suspension.arriving = true;
    if (this.#instrumented) suspension.resolve();
    else this.#settle(suspension, () => this.#outcome(suspension));
  }

  /** The suspension of a stack that waits for its own fiber. */
  #passing(stack: FiberStack, pointer: number, outcome: Suspension['outcome']): Suspension {
    const suspension = new Suspension(stack, this.#newToken());
    this.#suspensions[suspension.token] = suspension;
    suspension.pointer = pointer;
    suspension.outcome = outcome;
    stack.generators++;
    return suspension;
  }

  #newStack(): FiberStack {
    const stack = new FiberStack(this.#newToken(), (ended, failed, value) => this.#settled(ended, failed, value));
    this.#suspensions[stack.own.token] = stack.own;
    return stack;
  }

  #newToken(): number {
    return this.#freeTokens.pop() ?? this.#suspensions.push(null) - 1;
  }

  #refuse(): never {
    throw this.#closed;
  }

  #attached(): JspiControls {
    if (this.#controls === null) throw new FiberError('INTERNAL', 'The guest was switched before it was instantiated.');
    return this.#controls;
  }
}

function stackOf(task: Task): FiberStack {
  const stack = task.unwound;
  // Nobody but this backend writes it.
  if (stack !== null) return stack as FiberStack;
  throw new FiberError('INTERNAL', 'A fiber that has ended was switched.');
}

function misused(): FiberError {
  return new FiberError(
    'CORRUPT_FRAMES',
    'The guest called its switching hooks in another order than instrumented code does. Instrument the original module again.',
  );
}
