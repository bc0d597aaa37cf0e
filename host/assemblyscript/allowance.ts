/**
 * How many bytes the values of one call may take, in each direction: for embedders that do not trust a guest, whose small memory can
 * describe very large values. A list may have the same string a million times, and each becomes one of its own.
 *
 * Counted is what objects take in the guest's memory, with the header that asc's runtime puts in front of each, as often as they pass,
 * before they are read or made. Without the header, objects that have nothing in them would cost nothing, and the host most. For the
 * same reason what is returned counts for more where the host's part is far larger than the guest's: a reference as 200 bytes, an
 * object as 8 bytes for each of its fields at least.
 */
import type { HostFunction } from '../backends/backend.ts';
import { FiberError } from '../errors.ts';
import type { EntryConversion, SiteConversion } from '../runtime/binding.ts';

/** Limits of a guest whose values are more than numbers; reaching one is a `FiberError` `LIMIT_REACHED` with its name. */
export interface ValueLimits {
  /** Bytes that what a call is given takes in the guest's memory, and likewise what a host function returns. Default any. */
  readonly inputBytes?: number;
  /** Bytes that what a call returns takes in the guest's memory, and likewise what a host function is given. Default any. */
  readonly outputBytes?: number;
}

/** Bytes in front of every managed object (asc's `OBJECT`, std/assembly/rt/common.ts). */
const HEADER = 20;

/** One direction. */
export class Allowance {
  readonly #limit: number;
  readonly #name: keyof ValueLimits;
  #left: number;
  #subject = '';

  constructor(name: keyof ValueLimits, limit: number) {
    this.#name = name;
    this.#limit = limit;
    this.#left = limit;
  }

  /**
   * Before an object of so many bytes passes.
   *
   * @throws FiberError `LIMIT_REACHED`
   */
  spend(bytes: number): void {
    if ((this.#left -= bytes + HEADER) < 0) {
      throw new FiberError(
        'LIMIT_REACHED',
        `${this.#subject} takes more bytes of the guest's memory than the limit ${this.#name} of ${this.#limit}.`,
        { limit: this.#name },
      );
    }
  }

  /** All of it for what runs: getters of an outer value, which may call the guest, have no part in that. */
  each<T>(subject: string, run: () => T): T {
    const [left, outer] = [this.#left, this.#subject];
    this.#left = this.#limit;
    this.#subject = subject;
    try {
      return run();
    } finally {
      this.#left = left;
      this.#subject = outer;
    }
  }
}

/** Both directions, of one guest. */
export class Allowances {
  readonly input: Allowance;
  readonly output: Allowance;
  readonly #limited: boolean;

  /** @throws FiberError `INVALID_OPTION` */
  constructor(limits: ValueLimits) {
    const { inputBytes = Infinity, outputBytes = Infinity } = limits;
    for (const [name, value] of Object.entries({ inputBytes, outputBytes })) {
      if (value === Infinity || (Number.isSafeInteger(value) && value >= 0)) continue;
      throw new FiberError(
        'INVALID_OPTION',
        `The option limits.${name} must be a whole number of bytes, not ${String(value)}.`,
      );
    }
    this.input = new Allowance('inputBytes', inputBytes);
    this.output = new Allowance('outputBytes', outputBytes);
    this.#limited = inputBytes !== Infinity || outputBytes !== Infinity;
  }

  entryOf(name: string, conversion: EntryConversion): EntryConversion {
    if (!this.#limited) return conversion;
    const { lower, lift } = conversion;
    return {
      lower: (args) => this.input.each(`${name}: what it is given`, () => lower(args)),
      lift: (raw) => this.output.each(`${name}: what it returns`, () => lift(raw)),
    };
  }

  siteOf(name: string, conversion: SiteConversion): SiteConversion {
    if (!this.#limited) return conversion;
    const { wrap, lower, fail } = conversion;
    const given = `${name}: what it is given`;
    const returned = `${name}: what it returns`;
    return {
      // The host function runs within both, and calls of the guest that it makes have theirs for themselves.
      wrap: (fn) => {
        const wrapped = wrap(fn) as (...args: unknown[]) => unknown;
        const limited = (...args: unknown[]): unknown =>
          this.output.each(given, () => this.input.each(returned, () => wrapped(...args)));
        return limited as HostFunction;
      },
      lower: (value) => this.input.each(returned, () => lower(value)),
      fail: fail === null ? null : (error) => this.input.each(returned, () => fail(error)),
    };
  }

  /** Of an exported variable. */
  globalOf<T>(
    name: string,
    { lift, lower }: { readonly lift: (raw: unknown) => unknown; readonly lower: (value: unknown) => T },
  ): { readonly lift: (raw: unknown) => unknown; readonly lower: (value: unknown) => T } {
    return {
      lift: (raw) => this.output.each(name, () => lift(raw)),
      lower: (value) => this.input.each(name, () => lower(value)),
    };
  }
}
