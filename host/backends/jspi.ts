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
 * - Many promises are settled when they are waited for, as those of asynchronous functions that had nothing to wait for. At
 *   an import where that was so the last time, the engine is given one promise that is settled for ever: our reaction to
 *   the host function's was registered before, so the guest, a microtask later, finds the value, and no promise had to be
 *   made and settled. If it finds none, `arrive` sends it back to wait for one of our own.
 *
 * A module that was not instrumented has no shims. Its suspending imports (those marked `suspending`) are themselves of
 * the kind `Suspending`, which always takes a microtask. What must be restored is restored by a reaction to our promise
 * that is registered before the engine's, and so runs immediately before the guest goes on.
 */
import { FiberError } from '../errors.ts';
import { isStackOverflow } from '../trace.ts';
import type { Backend, BackendHooks, GuestFunction, HostFunction, Site, Task } from './backend.ts';
import { callAs, setCurrent } from './current.ts';
import { makeTrap, type StackSwitching } from './engine.ts';
import { behindAnother, deliver, ignoreRefused, wrapHostFunction } from './host-functions.ts';
import { Passages } from './jspi-passages.ts';
import type { FiberStack } from './jspi-stack.ts';
import { type JspiControls, JspiStacks, outcomeOf, stackOf } from './jspi-stacks.ts';
import { failedWait, misused, notSuspending, obstacle, placeOf, refuseOverflow, SYNC, tooDeep } from './refusals.ts';
import { isThenable, listen } from './thenable.ts';
import { generatorOf, isRepeatable } from './trampolines.ts';

/** What the engine waits for where the wait is likely to be over already. */
const SETTLED = Promise.resolve();
/** After a look that came too early, so many waits at the import do without. */
const PAUSE = 16;

export class JspiBackend implements Backend {
  readonly kind = 'jspi';
  readonly #hooks: BackendHooks;
  readonly #stacks: JspiStacks;
  readonly #passages: Passages;
  /** The guest is broken: what its fibers end with. Its stacks end by a trap. */
  #closed: { readonly error: unknown; readonly trap: unknown } | null = null;
  readonly #refuse = (): never => {
    throw this.#closed?.trap;
  };

  constructor(hooks: BackendHooks, engine: StackSwitching, instrumented: boolean) {
    this.#hooks = hooks;
    this.#stacks = new JspiStacks(this, engine, instrumented, (stack, failed, value) => {
      if (!stack.reported) this.#report(stack, failed, value);
      this.#stacks.end(stack);
    });
    this.#passages = new Passages(this.#stacks, hooks, (site, promise) => this.#wait(site, promise), this.#refuse);
  }

  attach(controls: JspiControls): void {
    this.#stacks.controls = controls;
  }

  get busy(): boolean {
    return this.#stacks.busy;
  }

  canSuspend(): boolean {
    const { at } = this.#stacks;
    return at.task !== null && at.state === 0 && at.host?.suspending === true;
  }

  readonly prepared = true;

  prepare(): void {}

  bytesHeld(): number {
    return 0;
  }

  clear(): void {
    this.#stacks.shadow.clear();
  }

  entry(fn: GuestFunction): GuestFunction {
    const entry = this.#stacks.promising(fn);
    if (entry !== null) return entry;
    throw new FiberError(
      'INVALID_OPTION',
      `JSPI calls functions of the guest only, exported or read from a table; ${fn.name || 'this'} is a JavaScript function.`,
    );
  }

  start(task: Task): void {
    const stacks = this.#stacks;
    const stack = stacks.begin(task);
    listen(stacks.enter(task, task.entry, task.args), stack.onValue, stack.onError);
    const here = stacks.at.task === task;
    if (here) stacks.putAsideLast();
    // It has ended without waiting; its promise says so later.
    if (stack.reported || (here && stack.generators === 0)) stack.giveBack();
  }

  resume(task: Task): void {
    const stack = stackOf(task);
    const suspension = stack.waiting;
    if (suspension === null) {
      // The guest was to put the stack aside and could not: how its call ends says why.
      if (this.#stacks.pending?.owner === stack) this.#hooks.unwait(task);
      else this.#report(stack, true, misused());
    } else {
      stack.waiting = null;
      const { at } = this.#stacks;
      this.#stacks.letGoOn(suspension, () => callAs(task, this, () => deliver(at, this.#hooks, task), []));
    }
  }

  close(error: unknown): void {
    this.#closed = { error, trap: makeTrap() };
    // From now on no host function is called.
    this.#stacks.at.state = 1;
  }

  abandon(task: Task): void {
    if (task.unwound === null) return;
    const stack = stackOf(task);
    stack.reported = stack.left = true;
    task.unwound = null;
    const suspension = stack.waiting;
    if (suspension === null) return;
    stack.waiting = null;
    this.#stacks.letGoOn(suspension, this.#refuse);
  }

  callSync(fn: GuestFunction, args: readonly unknown[]): unknown {
    const stacks = this.#stacks;
    const { at } = stacks;
    if (!stacks.busy) stacks.putAsideLast();
    const { shadow } = stacks;
    const { host } = at;
    const pointer = shadow.save();
    at.host = SYNC;
    try {
      shadow.enterSync();
      return callAs(at.task, this, fn, args);
    } finally {
      at.host = host;
      if (!stacks.busy) ignoreRefused(at);
      shadow.restore(pointer);
    }
  }

  // Imports.

  link(site: Site, fn: HostFunction): WebAssembly.ImportValue {
    const { at, engine, instrumented } = this.#stacks;
    const generator = generatorOf(fn);
    const linked =
      generator !== null
        ? this.#passages.link(site, generator)
        : site.suspending && isRepeatable(fn, site.name)
          ? this.#linkTrampoline(site, fn)
          : wrapHostFunction(site, fn, at, this.#refuse, (promise) => this.#wait(site, promise));
    return site.suspending && !instrumented ? new engine.Suspending(this.#always(linked)) : linked;
  }

  linkControl(name: string): WebAssembly.ImportValue | undefined {
    if (name === 'suspend') return new this.#stacks.engine.Suspending(() => this.#suspend());
    if (name.startsWith('arrive.')) return (token: number): unknown => this.#arrive(token);
    if (name.startsWith('returned.')) return (...values: unknown[]): void => this.#returned(values);
    return name === 'stack_overflow' ? refuseOverflow : undefined;
  }

  /** A plain trampoline: what Asyncify passes by executing it again, no engine's stack switching can pass. */
  #linkTrampoline(site: Site, fn: HostFunction): HostFunction {
    const inTheWay = {
      ...site,
      name: `${site.name} (a plain function, which only Asyncify can pass: backend: 'asyncify')`,
    };
    const behind = behindAnother(site);
    const { at } = this.#stacks;
    return (...args) => {
      if (at.state !== 0) this.#refuse();
      const { host } = at;
      at.host = host === null ? inTheWay : host.suspending ? behind : host;
      let result: unknown;
      try {
        result = fn(...args);
      } finally {
        at.host = host;
      }
      return isThenable(result) ? this.#wait(site, result) : result;
    };
  }

  /** A suspending import of a module that was not instrumented: the engine takes a microtask, whatever it returns. */
  #always(linked: HostFunction): HostFunction {
    const fn = linked as (...args: unknown[]) => unknown;
    const stacks = this.#stacks;
    return (...args) => {
      const value = fn(...args);
      if (stacks.pending !== null) return this.#suspend();
      const { task, host } = stacks.at;
      // The engine refuses in its own words where nothing can wait.
      if (task === null || host !== null) return value;
      const suspension = stacks.pass(stackOf(task), stacks.shadow.save(), { failed: false, value });
      const promise = stacks.promiseOf(suspension);
      suspension.resolve?.(value);
      return promise;
    };
  }

  /** Decides what a returned promise means. Nothing has been put aside yet. */
  #wait(site: Site, promise: PromiseLike<unknown>): unknown {
    const stacks = this.#stacks;
    const { task, host } = stacks.at;
    if (!site.suspending) {
      throw notSuspending(site, promise, stacks.instrumented ? null : this.kind);
    }
    if (task === null || host !== null) throw obstacle(site, promise, task, host);
    // The engine has refused to put the stack aside, and the guest has caught that.
    if (stacks.pending !== null) this.#hooks.unwait(task);
    try {
      this.#hooks.wait(task, site, promise);
      stacks.pend(stackOf(task).own);
    } catch (error) {
      // Here the engine's stack may end: the fiber has not waited.
      stacks.pending = null;
      this.#hooks.unwait(task);
      throw failedWait(site, promise, error);
    }
    return site.placeholder;
  }

  /** The shim has seen the token. Returns what the engine is to wait for. */
  #suspend(): Promise<unknown> {
    const stacks = this.#stacks;
    const suspension = stacks.pending;
    const task = suspension?.owner.task ?? null;
    if (suspension === null || task === null) throw misused();
    stacks.pending = null;
    const { owner } = suspension;
    // The guest has looked in vain.
    if (suspension.arriving || owner.waiting === suspension) return stacks.promiseOfLook(suspension);
    if (suspension === owner.own) {
      stacks.suspend(owner, task, suspension);
      const { site } = task;
      suspension.looks = stacks.instrumented && site !== null && --site.pause < 0;
      // Before anybody hears that the fiber waits: it may be told to go on at once.
      const promise = suspension.looks ? SETTLED : stacks.promiseOf(suspension);
      this.#hooks.suspended(task);
      return promise;
    }
    // A generator is open, and its calls decide what becomes of the fiber.
    setCurrent(null, null);
    return stacks.promiseOf(suspension);
  }

  /** The guest goes on behind a wait. Returns what the wait has brought. */
  #arrive(token: number): unknown {
    const suspension = this.#stacks.find(token);
    const { task } = suspension.owner;
    if (suspension.looks) {
      const site = task?.site ?? null;
      if (site !== null) site.pause = suspension.arriving ? 0 : PAUSE;
      if (!this.#stacks.look(suspension)) return site?.placeholder;
    }
    this.#stacks.arrived(suspension);
    if (this.#closed !== null || task === null) return this.#refuse();
    return suspension.outcome === null ? deliver(this.#stacks.at, this.#hooks, task) : outcomeOf(suspension);
  }

  // Ends.

  /** The entry has returned, and nothing of the guest has run since. */
  #returned(values: readonly unknown[]): void {
    const { task, host } = this.#stacks.at;
    if (task === null || host !== null) return;
    const stack = stackOf(task);
    if (stack.generators === 0) this.#report(stack, false, values.length > 1 ? values : values[0]);
  }

  #report(stack: FiberStack, failed: boolean, value: unknown): void {
    const stacks = this.#stacks;
    const { task } = stack;
    if (task === null) return;
    let outcome = this.#closed !== null && value === this.#closed.trap ? this.#closed.error : value;
    if (stacks.pending?.owner === stack) {
      // The shim could not call `suspend`: it had no stack left, or the engine refused.
      stacks.pending = null;
      if (isStackOverflow(value)) outcome = tooDeep(placeOf(task), value);
    }
    const damage = stacks.leave(stack, task);
    if (!stacks.busy) ignoreRefused(stacks.at);
    this.#hooks.ended(task, failed, outcome);
    if (damage !== null) this.#hooks.broken(damage.cause);
  }
}
