/**
 * One fiber: its state, its wait and its end. It decides nothing about other fibers; the guest (guest.ts) does.
 *
 *   created -> running <-> suspended
 *      |          |             |
 *      +--------> done <--------+   (a fiber is resumed to be cancelled, and dropped only with a poisoned guest)
 *
 * Invariants:
 * - A wait has one waiter. Whoever ends the wait first (the promise, `cancel`, the timeout) takes the waiter; what comes
 *   later finds it empty. So a stale promise can never resume a later wait.
 * - A cancellation is delivered once: at the current wait, or at the next. Whatever the guest does with it, the result
 *   rejects with it.
 */
import { FiberError } from '../errors.ts';
import type { Backend, GuestFunction, Site, Task } from '../backends/backend.ts';
import { ignore, listen } from '../backends/thenable.ts';
import type { Fiber, FiberState, Guest, SpawnOptions } from './api.ts';
import type { EntryConversion } from './binding.ts';
import { subscribe, unsubscribe } from './signals.ts';
import { NO_REGION } from './shadow-stack.ts';
import type { Account } from './account.ts';
import type { Turn } from './turns.ts';

/** What a fiber asks of its guest. */
export interface FiberOwner {
  readonly publicGuest: Guest;
  /** A wait has ended. */
  arrive(waiter: Waiter, failed: boolean, value: unknown): void;
  /** A suspended fiber that is to be resumed with its cancellation. */
  interrupt(fiber: RunnableFiber): void;
  /** A fiber that was cancelled before it ran. */
  drop(fiber: RunnableFiber): void;
  readonly backend: Backend;
  /** Could the host function that this guest's code has called wait? */
  canSuspend(): boolean;
  /** Has it not got its turn yet? */
  isQueued(fiber: RunnableFiber): boolean;
  /** The fibers whose turn it is. */
  turnHolders(): RunnableFiber[];
}

/**
 * Callbacks that are used for wait after wait, of one fiber and then of another: making closures at each would cost as much
 * as the switch. One whose promise is still to settle is never used again.
 */
export class Waiter {
  fiber: RunnableFiber | null = null;
  /** A promise that was listened to has not settled yet. */
  open = false;
  readonly onValue = (value: unknown): void => this.#settled(false, value);
  readonly onError = (error: unknown): void => this.#settled(true, error);

  #settled(failed: boolean, value: unknown): void {
    this.open = false;
    this.fiber?.owner.arrive(this, failed, value);
  }
}

const freeWaiters: Waiter[] = [];
/** Some kilobytes. */
const MOST_FREE_WAITERS = 256;

/** What a fiber is a call of. */
export interface Entry {
  readonly name: string;
  readonly fn: GuestFunction;
  /** What the instrumenter has put around `fn` for fibers; else `fn`. */
  readonly enter: GuestFunction;
  /** What the backend has made of `enter`, once that was called. */
  run: GuestFunction | null;
  /** See `Task.onMainStack`. */
  readonly main: boolean;
  /** Null if arguments and result pass as they are. */
  readonly conversion: EntryConversion | null;
}

/** An entry whose values pass as they are. */
export function plainEntry(name: string, fn: GuestFunction, main = false): Entry {
  return { name, fn, enter: fn, run: null, main, conversion: null };
}

export class RunnableFiber implements Task, Fiber {
  readonly owner: FiberOwner;
  readonly id: number;
  readonly name: string;
  readonly entry: GuestFunction;
  /** The embedder's until the fiber begins, then the guest's. */
  args: readonly unknown[];
  readonly onMainStack: boolean;
  readonly conversion: EntryConversion | null;
  readonly result: Promise<unknown>;
  readonly created: number;
  state: FiberState = 'created';

  // What the backend and the shadow stack keep here (see Task).
  site: Site | null = null;
  failed = false;
  value: unknown = undefined;
  unwound: object | null = null;
  pointer = 0;
  region: number = NO_REGION;

  // The list of live fibers.
  previous: RunnableFiber | null = null;
  next: RunnableFiber | null = null;

  /** The fiber whose result this one waits for. */
  waitsFor: RunnableFiber | null = null;
  waitingSince = 0;
  reportedSlow = false;
  /** The guest's frames at the wait, in debug mode. */
  stack: readonly string[] | null = null;
  /** Why the fiber is to end before its time. */
  cancellation: FiberError | null = null;
  /** The guest has not seen the cancellation yet. */
  cancelPending = false;
  /** The error that the guest was given last at a wait, and as what: to recognise it when the guest lets it pass. */
  delivered: { readonly thrown: unknown; readonly error: unknown } | null = null;
  turn: Turn | null = null;
  /** What it has used; null in a guest that is not metered. */
  account: Account | null = null;
  /** Runs something in the async context of the fiber's creation. Only for fibers with a handle. */
  gate: ((run: () => void) => void) | null = null;

  #resolve!: (value: unknown) => void; // Assigned by the promise's executor, which runs in the constructor.
  #reject!: (error: unknown) => void; // As above.
  #waiter: Waiter | null = null;
  #controller: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  /** Milliseconds. */
  #timeout = 0;
  /** Takes the fiber off the signal that its spawner gave. */
  #unsubscribe: (() => void) | null = null;

  static {
    // What Node prints, also beside a result (see promises.ts): one line instead of the whole guest.
    Reflect.set(this.prototype, Symbol.for('nodejs.util.inspect.custom'), function (this: RunnableFiber) {
      return `Fiber ${this.label} ${this.state}`;
    });
  }

  constructor(
    owner: FiberOwner,
    id: number,
    name: string,
    entry: Entry,
    run: GuestFunction,
    args: readonly unknown[],
    created: number,
  ) {
    this.owner = owner;
    this.id = id;
    this.name = name;
    this.entry = run;
    this.args = args;
    this.onMainStack = entry.main;
    this.conversion = entry.conversion;
    this.created = created;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get guest(): Guest {
    return this.owner.publicGuest;
  }

  get waitingOn(): string | Fiber | null {
    return this.state === 'suspended' ? (this.waitsFor ?? this.site?.name ?? null) : null;
  }

  get frameBytes(): number {
    return this.owner.backend.bytesHeld(this);
  }

  get fuel(): number {
    return this.account?.fuel ?? 0;
  }

  get slices(): number {
    return this.account?.slices ?? 0;
  }

  get guestMs(): number {
    return this.account?.time ?? 0;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.cancellation !== null) this.#controller.abort(this.cancellation);
    }
    return this.#controller.signal;
  }

  cancel(reason?: unknown): boolean {
    return this.end(new FiberError('CANCELLED', `The fiber ${this.label} was cancelled.`, { cause: reason }));
  }

  /** Number and name, for messages. */
  get label(): string {
    return `#${this.id} (${this.name})`;
  }

  /** Applies the options that need a handle. */
  configure({ signal, timeout }: SpawnOptions): void {
    if (timeout !== undefined) {
      this.#timeout = timeout;
      this.#timer = setTimeout(() => this.timedOut(), timeout);
    }
    if (signal === undefined) return;
    if (signal.aborted) this.cancel(signal.reason);
    else {
      const cancel = (reason: unknown): void => void this.cancel(reason);
      this.#unsubscribe = () => unsubscribe(signal, cancel);
      subscribe(signal, cancel);
    }
  }

  /** It should have ended by now. */
  timedOut(): void {
    this.end(new FiberError('TIMEOUT', `The fiber ${this.label} did not end within ${this.#timeout} ms.`));
  }

  /** Ends the fiber before its time with this error. */
  end(error: FiberError): boolean {
    if (this.state === 'done' || this.cancellation !== null) return false;
    this.cancellation = error;
    this.cancelPending = true;
    // Whoever ends a fiber knows why it failed.
    ignore(this.result);
    this.#controller?.abort(error);
    // An abort listener may have done anything, hence the state is read only now.
    if (this.state === 'created') this.owner.drop(this);
    else if (this.state === 'suspended') {
      this.abandonWait();
      this.owner.interrupt(this);
    }
    return true;
  }

  /** Interrupts a fiber that caught its cancellation and waits again: its guest is being disposed of. */
  cancelAgain(): void {
    if (this.state !== 'suspended' || this.cancelPending) return;
    this.cancelPending = true;
    this.abandonWait();
    this.owner.interrupt(this);
  }

  /** The cancellation, to be thrown in the guest now. */
  takeCancellation(): FiberError | null {
    if (!this.cancelPending) return null;
    this.cancelPending = false;
    return this.cancellation;
  }

  /** Begins to wait. */
  listen(promise: PromiseLike<unknown>): void {
    const waiter = (this.#waiter ??= freeWaiters.pop() ?? new Waiter());
    waiter.fiber = this;
    waiter.open = true;
    listen(promise, waiter.onValue, waiter.onError);
  }

  /** Whatever the promise of the current wait brings is of no interest any more. */
  abandonWait(): void {
    if (this.#waiter !== null) this.#waiter.fiber = null;
    this.#waiter = this.waitsFor = null;
  }

  /** The fiber has ended: settles the result and lets go of everything. */
  settle(failed: boolean, value: unknown): void {
    this.state = 'done';
    const waiter = this.#waiter;
    this.abandonWait();
    if (waiter?.open === false && freeWaiters.length < MOST_FREE_WAITERS) freeWaiters.push(waiter);
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#unsubscribe?.();
    this.site = this.stack = this.delivered = null;
    this.value = undefined;
    if (this.cancellation !== null) this.#reject(this.cancellation);
    else if (failed) this.#reject(value);
    else this.#resolve(value);
  }
}
