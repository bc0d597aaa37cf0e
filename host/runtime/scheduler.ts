/**
 * Starts, resumes and ends the fibers of one guest, and decides who may run.
 *
 * Invariants:
 * - Guest code of a fiber begins and continues only when no frame of this guest is on the native stack; what cannot run
 *   now runs in a microtask of its own, in the async context of whoever asked for it.
 * - Every live fiber is in the list, and every way out of a fiber goes through `ended`.
 */
import type { Backend, BackendHooks, Site, Task } from '../backends/backend.ts';
import { call } from '../backends/call.ts';
import { currentBackend } from '../backends/current.ts';
import { ignore, isThenable } from '../backends/thenable.ts';
import { FiberError } from '../errors.ts';
import { guestFrames } from '../trace.ts';
import type { FiberEvent, Guest, SpawnOptions } from './api.ts';
import type { Binding, EntryConversion } from './binding.ts';
import type { Connection, Connector } from './connect.ts';
import { runningFiber } from './current.ts';
import { tell } from './events.ts';
import { explain, isAbrupt } from './failures.ts';
import { afterTurn, mustYield } from './fairness.ts';
import { FiberList } from './fiber-list.ts';
import { type Entry, type FiberOwner, RunnableFiber, type Waiter } from './fiber.ts';
import { gate } from './gate.ts';
import { Handover } from './handover.ts';
import { isOfLibrary, METER } from './metadata.ts';
import type { Meter } from './meter.ts';
import { notMetered } from './options.ts';
import type { CheckedOptions } from './options.ts';
import { fiberOf, findCycle, markResult } from './promises.ts';
import { subscribe, unsubscribe } from './signals.ts';
import { SlowWatch } from './slow.ts';
import { Turn, Turns } from './turns.ts';

/** Where fibers of a metered guest wait for their next slice. */
const SLICE = `${METER}.slice`;

export class Scheduler implements FiberOwner, BackendHooks {
  readonly connection: Connection;
  readonly backend: Backend;
  readonly #options: CheckedOptions;
  readonly #emit: ((event: FiberEvent) => void) | null;
  readonly #slow: SlowWatch | null;
  #turns: Turns | null = null;
  readonly #list = new FiberList();
  #guest: Guest | null = null;
  /** For guests whose results may be references that only the embedder holds, and for those whose fibers are pre-empted. */
  #handover: Handover | null = null;
  /** See `attach`. */
  #managed = false;
  /**
   * The fiber for which all others of the guest have to wait: one that was pre-empted, or, of a managed guest on a backend that
   * continues fibers later, one that was told to run and has not stopped yet.
   */
  #holder: RunnableFiber | null = null;
  #meter: Meter | null = null;
  /** The fiber that was pre-empted: it may be inside `malloc`, so nothing else of the guest runs before it waits or ends. */
  #preempted: RunnableFiber | null = null;
  #binding: Binding | null = null;
  /** Why fibers wait for their turn though nobody has asked for that; told once. */
  #oneAtATime: string | null = null;
  /** Nested calls wait for their turn as well: they would run on the stack of the fiber that made them. */
  #alone = false;
  #nextId = 1;
  /** A fiber's arguments are being lowered: the embedder's getters run, and no guest code may but the allocator. */
  #lowering = false;
  /** Why no fiber may run any more. */
  #closed: FiberError | null = null;
  #poison: FiberError | null = null;
  #whenEmpty: (() => void) | null = null;
  #disposing: Promise<void> | null = null;
  readonly #onAbort = (): void => void this.dispose();

  constructor(options: CheckedOptions, connect: Connector) {
    this.#options = options;
    this.connection = connect(this);
    this.backend = this.connection.backend;
    const { onEvent } = options;
    this.#emit = onEvent === undefined ? null : (event) => tell(onEvent, event);
    this.#slow = this.#emit === null ? null : new SlowWatch(options.slowAfter, () => this.#list.first, this.#emit);
  }

  /**
   * The guest exists.
   *
   * @param managed its results may be references to memory that it collects
   * @param oneAtATime why the guest must be exclusive, whatever the options say; null if it need not
   * @param meter null if it does not pay for its work
   */
  attach(
    guest: Guest,
    {
      managed,
      binding,
      oneAtATime,
      meter,
    }: {
      readonly managed: boolean;
      readonly binding: Binding | null;
      readonly oneAtATime: string | null;
      readonly meter: Meter | null;
    },
  ): void {
    const { exclusive, signal } = this.#options;
    this.#guest = guest;
    this.#binding = binding;
    this.#meter = meter;
    this.#managed = managed;
    if (managed || meter !== null) this.#handover = new Handover();
    if (exclusive || oneAtATime !== null) this.#turns = new Turns();
    this.#alone = oneAtATime !== null;
    if (!exclusive) this.#oneAtATime = oneAtATime;
    if (signal !== undefined) subscribe(signal, this.#onAbort);
  }

  get publicGuest(): Guest {
    // `attach` runs before there is a fiber that could ask.
    return this.#guest!;
  }

  /** The live fibers, oldest first. */
  get fibers(): RunnableFiber[] {
    return this.#list.toArray();
  }

  /** Cancels every fiber and refuses new ones; resolves when the last has ended. */
  dispose(): Promise<void> {
    return (this.#disposing ??= new Promise((resolve) => {
      const disposed = new FiberError('DISPOSED', 'The guest was disposed of. Instantiate it again to call it.');
      this.#closed ??= disposed;
      this.#whenEmpty = resolve;
      if (this.#options.signal !== undefined) unsubscribe(this.#options.signal, this.#onAbort);
      for (const fiber of this.fibers) {
        if (!fiber.cancel(disposed)) fiber.cancelAgain();
      }
      if (this.#list.size === 0) resolve();
    }));
  }

  callSync({ fn, conversion }: Entry, args: readonly unknown[]): unknown {
    if (this.#closed !== null) throw this.#closed;
    if (this.#preempted !== null) {
      throw new FiberError(
        'PREEMPTED',
        `The fiber ${this.#preempted.label} was pre-empted in the middle of its work, and nothing else of its guest may run before it waits or ends. Call guest.exports, which waits for that.`,
      );
    }
    const meter = this.#meter;
    // What is lowered must be lowered where the guest may be called.
    const run = (): unknown =>
      conversion === null
        ? this.backend.callSync(fn, args)
        : this.backend.callSync(() => conversion.lift(call(fn, conversion.lower(args))), []);
    try {
      return meter === null ? run() : meter.callSync(run);
    } catch (error) {
      const stopped = meter?.failure ?? null;
      if (stopped !== null && error instanceof WebAssembly.RuntimeError) {
        this.#poisonWith(stopped, 'a sync call was ended in the middle of its work');
        throw stopped;
      }
      const failure = explain(error, 'SUSPEND_IN_SYNC_CALL');
      if (this.#options.onTrap === 'poison' && isAbrupt(failure)) {
        this.#poisonWith(failure, "a sync call trapped in it, and onTrap is 'poison'");
      }
      throw failure;
    }
  }

  canSuspend(): boolean {
    // In a sync call of another guest the fiber is still this one's, but the wait would not be.
    return this.#closed === null && currentBackend === this.backend && this.backend.canSuspend();
  }

  /** The same for whoever holds no handle: a promise that also rejects with what `launch` throws. */
  call(entry: Entry, args: readonly unknown[]): Promise<unknown> {
    try {
      return this.launch(entry, args, null).result;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** @throws FiberError `DISPOSED`, `GUEST_POISONED`, `MAX_FIBERS` */
  launch(entry: Entry, args: readonly unknown[], options: SpawnOptions | null): RunnableFiber {
    if (this.#closed !== null) throw this.#closed;
    if (options?.fuel !== undefined && this.#meter === null) throw notMetered('fuel');
    if (this.#list.size >= this.#options.maxFibers) {
      throw new FiberError(
        'MAX_FIBERS',
        `The guest has ${this.#list.size} live fibers, as many as maxFibers allows. Wait for some to end, or raise it.`,
      );
    }
    const run = (entry.run ??= this.backend.entry(entry.enter));
    const fiber = new RunnableFiber(this, this.#nextId++, options?.name ?? entry.name, entry, run, args, Date.now());
    markResult(fiber);
    this.#list.add(fiber);
    this.#emit?.({ type: 'spawn', fiber });
    // Whoever was told may have cancelled it.
    if (this.#isDone(fiber)) return fiber;
    const mine = this.#turns === null || this.#takeTurn(this.#turns, fiber, options);
    const timeout = options?.timeout ?? this.#options.limits.timeout;
    if (this.#meter !== null) fiber.account = this.#meter.account(options?.fuel, timeout);
    if (options !== null || timeout !== undefined) {
      fiber.gate = gate();
      fiber.configure({ ...options, ...(timeout !== undefined && { timeout }) });
    }
    if (mine) {
      if (this.#isBusy()) this.#beginLater(fiber);
      else this.#begin(fiber);
    }
    return fiber;
  }

  // Methods of their own, as is `#arriveLater`: what a closure closes over is allocated where the function begins, even if the
  // closure is never made.

  /** Is it the fiber's turn at once? */
  #takeTurn(turns: Turns, fiber: RunnableFiber, options: SpawnOptions | null): boolean {
    const parent = options?.parent ?? runningFiber();
    const inherited = parent instanceof RunnableFiber && parent.owner === this && !this.#alone ? parent.turn : null;
    fiber.turn = inherited ?? new Turn();
    const mine = turns.enter(fiber.turn, () => {
      const open = gate();
      return () => open(() => this.#begin(fiber));
    });
    if (!mine && this.#oneAtATime !== null) {
      this.#emit?.({ type: 'exclusive', fiber, reason: this.#oneAtATime });
      this.#oneAtATime = null;
    }
    return mine;
  }

  /** A nested call waits for its caller's stack to empty, which takes no turn of the event loop. */
  #beginLater(fiber: RunnableFiber): void {
    void Promise.resolve().then(() => this.#begin(fiber));
  }

  /** Does what runs guest code: now, or as soon as nothing forbids it, in the async context of this call. */
  #enter(run: () => void): void {
    if (this.#handover?.busy === true) this.#handover.defer(() => this.#enterIdle(run));
    else this.#enterIdle(run);
  }

  #enterIdle(run: () => void): void {
    // Only where somebody runs microtasks from inside of guest code; waiting for another microtask would never end.
    if (this.#isBusy()) afterTurn(() => this.#enter(run));
    else run();
  }

  /** A method, since private getters are slow. */
  #isBusy(): boolean {
    return this.backend.busy || this.#lowering;
  }

  #begin(fiber: RunnableFiber): void {
    if (this.#isBusy() || this.#handover?.busy === true) this.#startLater(fiber);
    else this.#start(fiber);
  }

  #startLater(fiber: RunnableFiber): void {
    this.#enter(() => this.#start(fiber));
  }

  #start(fiber: RunnableFiber): void {
    if (fiber.state !== 'created') return;
    fiber.state = 'running';
    try {
      if (fiber.conversion !== null) fiber.args = this.#lower(fiber, fiber.conversion);
      this.#hold(fiber);
      if (this.#meter !== null) {
        // Where it is pre-empted the guest cannot be asked for anything.
        if (!fiber.onMainStack) this.backend.prepare();
        this.#meter.enter(fiber);
      }
      this.backend.start(fiber);
    } catch (error) {
      // Its arguments are wrong, or there was no stack to run it on; none of its code has run.
      this.ended(fiber, true, error);
    }
  }

  #lower(fiber: RunnableFiber, conversion: EntryConversion): readonly unknown[] {
    this.backend.clear();
    this.#lowering = true;
    try {
      return conversion.lower(fiber.args);
    } finally {
      this.#lowering = false;
    }
  }

  // What fibers ask for (FiberOwner).

  arrive(waiter: Waiter, failed: boolean, value: unknown): void {
    const fiber = waiter.fiber;
    if (fiber === null) return;
    if (fiber === this.#preempted) {
      // Its turn is what it has waited for, and nobody else could have entered the guest.
      this.#preempted = null;
      this.#resume(fiber, failed, value);
      return;
    }
    const yields = mustYield();
    if (yields || this.#isBusy() || this.#handover?.busy === true)
      this.#arriveLater(waiter, fiber, failed, value, yields);
    else this.#resume(fiber, failed, value);
  }

  #arriveLater(waiter: Waiter, fiber: RunnableFiber, failed: boolean, value: unknown, yields: boolean): void {
    // It goes on without anybody's help, if not now: who waits for it meanwhile does not wait for ever.
    fiber.waitsFor = null;
    const resume = (): void => {
      // The wait may have been ended by somebody else meanwhile.
      if (waiter.fiber === fiber) this.#resume(fiber, failed, value);
    };
    if (yields) afterTurn(() => this.#enter(resume));
    else this.#enter(resume);
  }

  interrupt(fiber: RunnableFiber): void {
    if (fiber === this.#preempted) {
      this.#stopPreempted(fiber);
      return;
    }
    const resume = (): void => {
      const cancellation = fiber.state === 'suspended' ? fiber.takeCancellation() : null;
      if (cancellation !== null) this.#resume(fiber, true, cancellation);
    };
    const { gate } = fiber;
    if (gate === null) queueMicrotask(() => this.#enter(resume));
    else {
      // It opens once; a cancellation comes twice only when the guest is disposed of.
      fiber.gate = null;
      gate(() => this.#enter(resume));
    }
  }

  /** Its guest cannot be told: it is in the middle of something. */
  #stopPreempted(fiber: RunnableFiber): void {
    queueMicrotask(() => {
      const { account, cancellation } = fiber;
      if (fiber !== this.#preempted || account === null || cancellation === null) return;
      fiber.cancelPending = false;
      account.stopped = true;
      this.#poisonWith(cancellation, `the fiber ${fiber.label} was ended where it had been pre-empted`);
    });
  }

  drop(fiber: RunnableFiber): void {
    this.ended(fiber, true, fiber.cancellation);
  }

  isQueued(fiber: RunnableFiber): boolean {
    return fiber.state === 'created' && fiber.turn !== null && this.#turns?.current !== fiber.turn;
  }

  turnHolders(): RunnableFiber[] {
    return this.fibers.filter((fiber) => fiber.turn === this.#turns?.current);
  }

  #resume(fiber: RunnableFiber, failed: boolean, value: unknown): void {
    fiber.failed = failed;
    fiber.value = value;
    fiber.state = 'running';
    this.#emit?.({ type: 'resume', fiber, import: fiber.site?.name });
    this.#hold(fiber);
    try {
      this.backend.resume(fiber);
    } catch (error) {
      // Only a module that lies about its switching comes here.
      this.ended(fiber, true, error);
    }
  }

  #isDone(fiber: RunnableFiber): boolean {
    return fiber.state === 'done';
  }

  #hold(fiber: RunnableFiber): void {
    if (this.#handover === null || this.backend.kind === 'asyncify') return;
    this.#holder = fiber;
    this.#handover.hold();
  }

  #release(fiber: RunnableFiber): void {
    if (this.#holder !== fiber) return;
    this.#holder = null;
    this.#handover?.release();
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
    if (this.#options.debug) fiber.stack = guestFrames(new Error('').stack, true);
    fiber.listen(promise);
  }

  unwait(task: Task): void {
    const fiber = task as RunnableFiber;
    fiber.abandonWait();
    fiber.site = fiber.stack = null;
  }

  suspended(task: Task): void {
    const fiber = task as RunnableFiber;
    if (this.#isDone(fiber)) return;
    this.#meter?.leave(fiber);
    fiber.state = 'suspended';
    if (this.#meter !== null && fiber.site?.name === SLICE) {
      this.#preempt(fiber);
      return;
    }
    this.#release(fiber);
    if (this.#emit === null) return;
    this.#slow?.begin(fiber);
    this.#emit({ type: 'suspend', fiber, import: fiber.site?.name });
  }

  #preempt(fiber: RunnableFiber): void {
    this.#preempted = fiber;
    if (this.#holder !== fiber) {
      this.#holder = fiber;
      this.#handover?.hold();
    }
    this.#emit?.({ type: 'slice', fiber });
  }

  arrived(task: Task): unknown {
    const fiber = task as RunnableFiber;
    this.#meter?.enter(fiber);
    const { failed, value } = fiber;
    const { site } = fiber;
    const conversion = site?.conversion ?? null;
    fiber.site = fiber.waitsFor = fiber.stack = null;
    fiber.value = undefined;
    let result = value;
    if (failed) {
      if (value !== fiber.cancellation && conversion !== null && conversion.fail !== null)
        return conversion.fail(value);
      const replacement =
        site !== null && isOfLibrary(site.name) ? undefined : this.#options.onReject?.(value, this.publicGuest);
      if (replacement !== undefined) result = replacement;
      fiber.delivered = { thrown: result, error: value };
      if (
        replacement === undefined ||
        (typeof WebAssembly.Exception === 'function' && replacement instanceof WebAssembly.Exception)
      ) {
        throw result;
      }
      if (isThenable(replacement)) {
        ignore(replacement);
        throw new FiberError('INVALID_OPTION', 'onReject must return a value, an exception or nothing, not a promise.');
      }
    }
    return conversion === null ? result : conversion.lower(result);
  }

  ended(task: Task, failed: boolean, value: unknown): void {
    const fiber = task as RunnableFiber;
    // A module whose switching code traps may end it in two ways.
    if (this.#isDone(fiber)) return;
    const { conversion, account } = fiber;
    this.#meter?.leave(fiber);
    const stopped = account?.stopped === true ? fiber.cancellation : null;
    if (stopped !== null) {
      failed = true;
      value = stopped;
    }
    if (fiber === this.#preempted) this.#preempted = null;
    if (!failed && conversion !== null && fiber.cancellation === null) {
      // Before anything else of the guest runs: nothing in it need hold what it has returned.
      try {
        value = conversion.lift(value);
      } catch (error) {
        failed = true;
        value = error;
      }
    }
    // What came from outside and only passed through is not the guest's own failure, whatever it looks like.
    const delivered = failed && fiber.delivered?.thrown === value ? fiber.delivered : null;
    const error = delivered !== null ? delivered.error : failed ? explain(value) : value;
    this.#list.remove(fiber);
    if (!failed && value !== undefined && conversion === null && this.#managed) this.#handover?.begin();
    fiber.settle(failed, error);
    this.#release(fiber);
    if (stopped !== null) {
      if (stopped.code !== 'CANCELLED' && stopped.code !== 'DISPOSED') this.#emit?.({ type: 'limit', fiber, error });
      this.#poisonWith(stopped, `the fiber ${fiber.label} was ended in the middle of its work`);
    } else if (failed && delivered === null && isAbrupt(error)) {
      this.#emit?.({ type: 'trap', fiber, error });
      if (this.#options.onTrap === 'poison') {
        this.#poisonWith(error, `the fiber ${fiber.label} trapped in it, and onTrap is 'poison'`);
      }
    }
    // Whatever the guest made of its cancellation, that is what the result rejects with.
    const { cancellation } = fiber;
    this.#emit?.({ type: 'end', fiber, ...((failed || cancellation !== null) && { error: cancellation ?? error }) });
    // Before the turn is over: what the guest has left to do may be started in it.
    this.#binding?.ended?.(fiber, failed, error);
    if (fiber.turn !== null) this.#turns?.leave(fiber.turn);
    if (this.#list.size === 0) this.#whenEmpty?.();
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
    this.backend.close(poison);
    for (const fiber of this.fibers) {
      if (fiber.state === 'running') continue;
      this.backend.abandon(fiber);
      this.ended(fiber, true, poison);
      this.#emit?.({ type: 'poison', fiber, error: poison });
    }
  }
}
