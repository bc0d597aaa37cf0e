/**
 * Time for a program. `setTimeout` is rounded and has a greatest delay, so that a wait looks at the clock when it ends and
 * goes on if it ended too soon: a program that has slept has slept long enough.
 */

/** Where a program's time comes from. All in nanoseconds. */
export interface Clock {
  /** Since 1970. */
  realtime(): bigint;
  /** Since any moment; never goes back. */
  monotonic(): bigint;
  /** Resolves after so long, or some time after the signal was aborted. */
  wait(nanoseconds: bigint, signal: AbortSignal): Promise<void>;
  /** The least difference that the two clocks can show; default a millisecond and a microsecond. */
  readonly resolution?: { readonly realtime: bigint; readonly monotonic: bigint };
}

const NANOSECONDS_PER_MILLISECOND = 1_000_000n;
const LONGEST_DELAY = 2 ** 31 - 1;

export const DEFAULT_RESOLUTION: NonNullable<Clock['resolution']> = {
  realtime: NANOSECONDS_PER_MILLISECOND,
  monotonic: 1000n,
};

/** The platform's. */
export const systemClock: Clock = {
  realtime: () => BigInt(Date.now()) * NANOSECONDS_PER_MILLISECOND,
  monotonic: () => BigInt(Math.round(performance.now() * 1e6)),
  wait(nanoseconds, signal) {
    const milliseconds = Number(nanoseconds / NANOSECONDS_PER_MILLISECOND) + 1;
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(milliseconds, LONGEST_DELAY));
      if (signal.aborted) end();
      else signal.addEventListener('abort', end);
    });
  },
};
