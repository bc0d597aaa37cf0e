/**
 * What a plugin, with all its instances, asks of the host: how often it calls host functions, how often those that this package
 * itself gives it (WASI, the console, the clock), and for how many promises it waits at once. Refused is the call that would go
 * beyond, before the function has done anything.
 */
import { isThenable, listen } from '../backends/thenable.ts';
import { type SettledLimits, limitReached } from './limits.ts';

/** So many calls per second, on average and at once. */
class Pace {
  readonly #perSecond: number;
  readonly #now: () => number;
  /** Calls that may still be made at once. */
  #tokens: number;
  #filled: number;

  constructor(perSecond: number, now: () => number) {
    this.#perSecond = perSecond;
    this.#now = now;
    this.#tokens = perSecond;
    this.#filled = now();
  }

  /** Is there room for one more call? */
  get allows(): boolean {
    const now = this.#now();
    // The clock of a page may stand still for a while, and a clock of the embedder's may go back.
    const passed = Math.max(0, now - this.#filled) / 1000;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + passed * this.#perSecond);
    this.#filled = now;
    return this.#tokens >= 1;
  }

  take(): void {
    this.#tokens -= 1;
  }
}

export class Traffic {
  readonly #limits: SettledLimits;
  readonly #calls: Pace;
  readonly #systemCalls: Pace;
  #pending = 0;

  readonly #statistics: { hostCalls: number };

  /** @param now milliseconds */
  constructor(limits: SettledLimits, statistics: { hostCalls: number }, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#statistics = statistics;
    this.#calls = new Pace(limits.callsPerSecond, now);
    this.#systemCalls = new Pace(limits.systemCallsPerSecond, now);
  }

  /** Promises that have not settled. */
  get pending(): number {
    return this.#pending;
  }

  /**
   * Before a host function is called.
   *
   * @throws FiberError `LIMIT_REACHED` callsPerSecond, pendingCalls
   */
  admit(name: string): void {
    const { callsPerSecond, pendingCalls } = this.#limits;
    if (!this.#calls.allows) {
      throw limitReached(
        'callsPerSecond',
        `${name} was called when the plugin had made more than ${callsPerSecond} calls of host functions in a second, the limit callsPerSecond.`,
      );
    }
    if (this.#pending >= pendingCalls) {
      throw limitReached(
        'pendingCalls',
        `${name} was called while the plugin waited for ${this.#pending} promises of host functions, which is the limit pendingCalls.`,
      );
    }
    this.#calls.take();
    this.#statistics.hostCalls += 1;
  }

  /**
   * Before a function of the package's own is called, which is asked for more often and does less.
   *
   * @throws FiberError `LIMIT_REACHED` systemCallsPerSecond
   */
  admitSystem(name: string): void {
    if (!this.#systemCalls.allows) {
      const { systemCallsPerSecond } = this.#limits;
      throw limitReached(
        'systemCallsPerSecond',
        `${name} was called when the plugin had made more than ${systemCallsPerSecond} such calls in a second, the limit systemCallsPerSecond.`,
      );
    }
    this.#systemCalls.take();
  }

  /** Counts a result as pending until it has settled, if it is a promise, and makes a native promise of it. */
  watch(result: unknown): unknown {
    if (!isThenable(result)) return result;
    const promise = Promise.resolve(result);
    this.#pending += 1;
    const settle = (): void => void (this.#pending -= 1);
    listen(promise, settle, settle);
    return promise;
  }
}
