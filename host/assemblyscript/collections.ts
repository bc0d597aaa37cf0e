/**
 * `__collect` of a guest compiled with `--runtime minimal`, whose collector runs only when it is called and looks at no
 * stack: it would free what a suspended fiber uses, what a call around the host's uses, and what is just being lowered.
 * So it is refused while there is any of these. The other runtimes need none of this.
 */
import type { HostFunction } from '../backends/backend.ts';
import { FiberError } from '../errors.ts';
import type { Fiber, Guest } from '../runtime/api.ts';
import type { EntryConversion, SiteConversion } from '../runtime/binding.ts';
import { currentFiber } from '../runtime/current.ts';
import { RunnableFiber } from '../runtime/fiber.ts';

export const COLLECT = '__collect';

export class Collections {
  #guest: Guest | null = null;
  /** Host functions that the guest has called, and values that are being lowered. */
  #inside = 0;

  attach(guest: Guest): void {
    this.#guest = guest;
  }

  /** The conversion of the export `__collect`. */
  readonly entry: EntryConversion = {
    lower: () => {
      const around = currentFiber();
      if (this.#inside > 0 || (around !== null && around.guest === this.#guest)) {
        throw unsafe('the guest is in the middle of a call');
      }
      const begun = this.#guest?.fibers.find((fiber) => fiber.state !== 'created' && !this.#isOwn(fiber));
      if (begun !== undefined) {
        // On JSPI a fiber that was told to go on does so microtasks later.
        const state = begun.state === 'suspended' ? 'is suspended' : 'is about to go on';
        throw unsafe(`the fiber #${begun.id} (${begun.name}) ${state}`);
      }
      return [];
    },
    lift: () => undefined,
  };

  /** Is it the one that is to collect? */
  #isOwn(fiber: Fiber): boolean {
    return fiber instanceof RunnableFiber && fiber.conversion === this.entry;
  }

  entryOf({ lower, lift }: EntryConversion): EntryConversion {
    return { lower: (args) => this.#while(() => lower(args)), lift };
  }

  siteOf({ wrap, lower, fail }: SiteConversion): SiteConversion {
    return {
      wrap: (fn) => {
        const wrapped = wrap(fn) as (...args: unknown[]) => unknown;
        const counted = (...args: unknown[]): unknown => this.#while(() => wrapped(...args));
        return counted as HostFunction;
      },
      lower: (value) => this.#while(() => lower(value)),
      fail: fail === null ? null : (error) => this.#while(() => fail(error)),
    };
  }

  #while<T>(run: () => T): T {
    this.#inside++;
    try {
      return run();
    } finally {
      this.#inside--;
    }
  }
}

function unsafe(reason: string): FiberError {
  return new FiberError(
    'UNSAFE_COLLECTION',
    `__collect was called while ${reason}: the collector of --runtime minimal would free what it uses. Call it while no fiber is alive, or compile with --runtime incremental.`,
  );
}
