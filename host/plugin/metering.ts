/**
 * How a plugin's limits reach the instrumenter and the runtime: which of them are compiled into the module, which are the guest's
 * and which each fiber's.
 */
import type { Fiber, GuestOptions, SpawnOptions } from '../index.ts';
import type { InstrumentOptions } from '../instrument/index.ts';
import type { SettledLimits } from './limits.ts';

/** Bytes of a page. */
const PAGE = 65_536;

/** The limits that only a metered module keeps. */
export const METERED: readonly string[] = ['fuel', 'sliceMs', 'memory', 'tableElements', 'callDepth'];

/** What a module is instrumented with. */
export function meteringOptions(limits: SettledLimits): Pick<InstrumentOptions, 'metered' | 'limits'> {
  return {
    metered: true,
    limits: {
      memoryPages: Math.floor(limits.memory / PAGE),
      tableElements: limits.tableElements,
      ...(limits.callDepth !== undefined && { callDepth: limits.callDepth }),
    },
  };
}

/** For a guest that is metered. The time of calls is theirs (call.ts); this one is for what cannot be pre-empted. */
export function meteredGuest({ sliceMs, timeout }: SettledLimits): Pick<GuestOptions, 'limits'> {
  return { limits: { sliceMs, ...(timeout !== undefined && { timeout }) } };
}

/** @param fuel what is left of it; null if there is no limit */
export function meteredFiber(fuel: number | null): Pick<SpawnOptions, 'fuel'> {
  return fuel === null ? {} : { fuel };
}

/** What a fiber has taken so far: units, slices, milliseconds in the guest. */
export function consumptionOf({ fuel, slices, guestMs }: Fiber): {
  readonly fuel: number;
  readonly slices: number;
  readonly guestMs: number;
} {
  return { fuel, slices, guestMs };
}
