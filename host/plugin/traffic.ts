/**
 * What a plugin, with all its instances, asks of the host: how often it calls host functions, and for how many promises it waits
 * at once. Refused is the call that would go beyond, before the host function has done anything.
 */
import { isThenable, listen } from '../backends/thenable.ts';
import { type SettledLimits, limitReached } from './limits.ts';

export class Traffic {
  readonly #limits: SettledLimits;
  readonly #now: () => number;
  /** Calls that may still be made at once. */
  #tokens: number;
  #filled: number;
  #pending = 0;

  readonly #statistics: { hostCalls: number };

  /** @param now milliseconds */
  constructor(limits: SettledLimits, statistics: { hostCalls: number }, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#statistics = statistics;
    this.#now = now;
    this.#tokens = limits.callsPerSecond;
    this.#filled = now();
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
    const now = this.#now();
    // The clock of a page may stand still for a while, and a clock of the embedder's may go back.
    const passed = Math.max(0, now - this.#filled) / 1000;
    this.#tokens = Math.min(callsPerSecond, this.#tokens + passed * callsPerSecond);
    this.#filled = now;
    if (this.#tokens < 1) {
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
    this.#tokens -= 1;
    this.#statistics.hostCalls += 1;
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
