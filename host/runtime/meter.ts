/**
 * What a metered guest has used, and what becomes of a fiber that has used up its slice, its fuel or its time.
 *
 * The guest takes what its work costs off its budget, and calls `slice` when that falls below zero
 * (host/instrument/metering/meter.ts). The budget is filled in small portions, as many units as take a sixteenth of a slice, so that
 * the clock is read often enough; a portion is never more than what is left of the fuel. How large portions are depends on
 * the clock, what a fiber has used altogether does not.
 *
 *     budget = granted                     when a fiber begins, goes on, or has its portion filled
 *     used += granted - budget             when it waits, ends, or calls `slice`; the budget may be below zero
 *
 * A fiber whose slice is over waits, as at any import, for a promise: that of its turn (slices.ts). Where it cannot wait (a sync
 * call, a host function or a catch body on the stack) it goes on until it can. A fiber that must end here is ended by a trap, which no
 * code of the guest can catch; and since it was in the middle of anything, such as `malloc`, its guest is unusable.
 */
import type { HostFunction } from '../backends/backend.ts';
import { makeTrap } from '../backends/engine.ts';
import { FiberError } from '../errors.ts';
import { Account } from './account.ts';
import type { RunnableFiber } from './fiber.ts';
import { MODULE_LIMITS } from './limit-names.ts';
import { BUDGET, badMetadata } from './metadata.ts';
import type { CheckedOptions } from './options.ts';
import { nextSlice, Share, spendInTurn, spentInTurn } from './slices.ts';

/** Portions in a slice. */
const PORTIONS = 16;
const LEAST_PORTION = 1 << 8;
const MOST_PORTION = 1 << 26;
/** Allocators take microseconds. */
const OWN_CALL_MS = 100;

export class Meter {
  readonly #options: CheckedOptions;
  readonly #share: Share;
  /** Could this fiber be put aside now? */
  readonly #canPause: () => boolean;
  #budget: WebAssembly.Global<'i32'> | null = null;
  #portion: number = 1 << 14;
  #granted = 0;
  /** The fiber that runs. */
  #fiber: RunnableFiber | null = null;
  /** When the fiber went on last, and when its portion was filled. */
  #begun = 0;
  #filled = 0;
  /** Milliseconds from then that its slice may take: what others have left of this turn of the event loop. */
  #slot = 0;
  /** A sync call, which cannot be pre-empted, has to be over by then; null if there is none. */
  #syncDeadline: number | null = null;
  /** Why a sync call was ended. */
  failure: FiberError | null = null;
  /** Why a call of the runtime's own was ended. */
  #ownFailure: FiberError | null = null;
  /** Such a call runs. */
  #isOwn = false;

  constructor(options: CheckedOptions, canPause: () => boolean) {
    this.#options = options;
    this.#share = new Share(options.weight);
    this.#canPause = canPause;
  }

  /** What the guest imports. */
  readonly imports: Record<string, (...args: never[]) => unknown> = {
    slice: () => this.#slice(),
    limit: (number: number) => this.#refuse(number),
  };

  /**
   * The same host function, for this guest. While it runs the guest pays for nothing, and a loop of calls would go on for as long as
   * its portion lasts, which is some thousands of them. So the clock is looked at after each.
   */
  readonly watched = (fn: HostFunction): HostFunction => {
    const call = fn as (...args: unknown[]) => unknown;
    const watched = (...args: unknown[]): unknown => {
      try {
        return call(...args);
      } finally {
        this.#returned();
      }
    };
    return watched as HostFunction;
  };

  /** @throws FiberError `BAD_METADATA` if the guest has no budget */
  attach(exports: WebAssembly.Exports): void {
    const budget = exports[BUDGET];
    if (!(budget instanceof WebAssembly.Global)) {
      throw badMetadata(`the module does not export the global ${BUDGET}, as it promises`);
    }
    this.#budget = budget as WebAssembly.Global<'i32'>;
    this.#grant(Infinity);
  }

  /** @param fuel, timeout in place of the guest's own limits */
  account(fuel: number | undefined, timeout: number | undefined): Account {
    return new Account(
      fuel ?? this.#options.limits.fuel ?? Infinity,
      timeout === undefined ? Infinity : performance.now() + timeout,
    );
  }

  /** The fiber runs from now on. */
  enter(fiber: RunnableFiber): void {
    if (this.#fiber !== null) this.leave(this.#fiber);
    this.#fiber = fiber;
    this.#begun = this.#filled = performance.now();
    this.#slot = this.#options.limits.sliceMs - spentInTurn();
    this.#grant(left(fiber));
  }

  /** It does not run any more. */
  leave(fiber: RunnableFiber): void {
    if (this.#fiber !== fiber) return;
    this.#charge();
    this.#fiber = null;
    const time = performance.now() - this.#begun;
    if (fiber.account !== null) fiber.account.time += time;
    this.#share.spend(time);
    spendInTurn(time);
  }

  /** Runs a call that cannot be pre-empted; what it uses is used by the fiber below it, if there is one. */
  callSync<T>(call: () => T): T {
    const { timeout } = this.#options.limits;
    return this.#callUntil(timeout === undefined ? Infinity : performance.now() + timeout, call);
  }

  /**
   * The same for what the runtime itself needs of the guest, which is room. No fiber pays for it, since it depends on what others
   * have left; and a guest whose allocator does not end is given up.
   *
   * @param broken told, later, that the guest cannot be used any more
   * @throws FiberError `TIMEOUT`, `LIMIT_REACHED`
   */
  callOwn<T>(call: () => T, broken: (error: unknown) => void): T {
    // One after the other, calls of a hostile guest would hold the thread for as long as there are fibers.
    if (this.#ownFailure !== null) throw this.#ownFailure;
    const fiber = this.#fiber;
    this.#charge();
    this.#fiber = null;
    this.#isOwn = true;
    try {
      return this.#callUntil(performance.now() + OWN_CALL_MS, call);
    } catch (error) {
      const { failure } = this;
      if (failure === null) throw error;
      this.#ownFailure = failure;
      queueMicrotask(() => broken(failure));
      throw failure;
    } finally {
      this.#isOwn = false;
      this.#fiber = fiber;
      this.#grant(left(fiber));
    }
  }

  #callUntil<T>(deadline: number, call: () => T): T {
    const outer = this.#syncDeadline;
    this.#charge();
    this.#syncDeadline = outer === null ? deadline : Math.min(outer, deadline);
    this.failure = null;
    this.#grant(Infinity);
    try {
      return call();
    } finally {
      this.#syncDeadline = outer;
      this.#charge();
      this.#grant(left(this.#fiber));
    }
  }

  #grant(most: number): void {
    this.#granted = Math.max(0, Math.min(this.#portion, most));
    if (this.#budget !== null) this.#budget.value = this.#granted;
  }

  /** Accounts for what was used of the portion. */
  #charge(): void {
    const used = this.#granted - (this.#budget?.value ?? this.#granted);
    // A guest that exports its budget for others to change gets nothing by it but less.
    if (this.#fiber !== null && this.#fiber.account !== null) this.#fiber.account.fuel += Math.max(0, used);
    this.#granted = this.#budget?.value ?? 0;
  }

  /** A host function has returned: if the time is over, the guest finds its portion used up where it looks next. */
  #returned(): void {
    const now = performance.now();
    const deadline = this.#syncDeadline;
    if (deadline === null ? this.#fiber === null || now - this.#begun < this.#slot : now <= deadline) return;
    this.#charge();
    this.#granted = 0;
    if (this.#budget !== null) this.#budget.value = 0;
  }

  #slice(): Promise<void> | undefined {
    this.#charge();
    const now = performance.now();
    this.#adapt(now - this.#filled);
    this.#filled = now;
    const fiber = this.#fiber;
    if (this.#syncDeadline !== null || fiber === null) {
      if (this.#syncDeadline !== null && now > this.#syncDeadline) this.#endSync();
      this.#grant(Infinity);
      return;
    }
    const account = fiber.account;
    if (account === null) return;
    if (account.fuel > account.limit) {
      this.#stop(
        fiber,
        new FiberError(
          'OUT_OF_FUEL',
          `The fiber ${fiber.label} has used up its fuel of ${account.limit} units. Give it more (limits.fuel), or less to do.`,
        ),
      );
    }
    if (now > account.deadline) {
      fiber.timedOut();
      this.#stop(fiber, fiber.cancellation);
    }
    const time = now - this.#begun;
    // It has had a slice to end by itself.
    if (time >= this.#options.limits.sliceMs && fiber.cancellation !== null) this.#stop(fiber, fiber.cancellation);
    if (time < this.#slot || !this.#canPause()) {
      this.#grant(left(fiber));
      return;
    }
    account.slices++;
    const turn = nextSlice(this.#share);
    // In the metered code that comes next nothing else may look like an overdraft: what it gets is granted when it goes on.
    this.#grant(left(fiber));
    return turn;
  }

  /** Fits portions to the speed of the code. */
  #adapt(time: number): void {
    const aim = this.#options.limits.sliceMs / PORTIONS;
    if (time > aim) this.#portion = Math.max(LEAST_PORTION, Math.floor((this.#portion * aim) / time));
    else if (time < aim / 2) this.#portion = Math.min(MOST_PORTION, this.#portion * 2);
  }

  #refuse(number: number): never {
    const { name: limit, what, option } = MODULE_LIMITS[number] ?? MODULE_LIMITS[0];
    const fiber = this.#fiber;
    const who = fiber === null ? 'The guest' : `The fiber ${fiber.label}`;
    const error = new FiberError(
      'LIMIT_REACHED',
      `${who} asked for ${what} than its limit allows. Raise the limit (${option}, when the module is instrumented), or give it less to do.`,
      { limit },
    );
    this.failure = error;
    return this.#stop(fiber, error);
  }

  #endSync(): never {
    const { timeout } = this.#options.limits;
    this.failure = new FiberError(
      'TIMEOUT',
      this.#isOwn
        ? `The guest's allocator did not end within ${OWN_CALL_MS} ms when a fiber needed room.`
        : `A sync call did not end within the guest's limit of ${timeout} ms. Call guest.exports instead, which lets others run meanwhile.`,
    );
    throw makeTrap();
  }

  #stop(fiber: RunnableFiber | null, error: FiberError | null): never {
    if (fiber !== null && fiber.account !== null && error !== null) {
      fiber.cancellation ??= error;
      fiber.cancelPending = false;
      fiber.account.stopped = true;
    }
    throw makeTrap();
  }
}

/** Units that the fiber may still use. */
function left(fiber: RunnableFiber | null): number {
  return fiber === null || fiber.account === null ? Infinity : fiber.account.limit - fiber.account.fuel;
}
