/**
 * How a plugin's limits reach the instrumenter and the runtime: the one place that knows in which of their options. Fuel, slices
 * and the limits of memory, tables and depth hold in modules that were instrumented with `metered`.
 */
import type { Fiber, GuestOptions, SpawnOptions } from '../index.ts';
import { type InstrumentOptions, instrument } from '../instrument/index.ts';
import { readMetadata } from '../runtime/metadata.ts';
import type { SettledLimits } from './limits.ts';

/** Bytes of a page. */
const PAGE = 65_536;

/** `(module (import "a" "a" (func)))` */
const SMALLEST = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, 7, 1, 1, 0x61, 1, 0x61, 0, 0];

let known: Promise<boolean> | null = null;

/** Does the instrumenter of this package meter? */
export function canMeter(): Promise<boolean> {
  const options: object = { metered: true };
  known ??= instrument(Uint8Array.from(SMALLEST), { suspending: ['a.a'], target: 'jspi', ...options }).then(
    () => true,
    () => false,
  );
  return known;
}

/** What a module is instrumented with. */
export function meteringOptions(limits: SettledLimits): Partial<InstrumentOptions> {
  const options: object = {
    metered: true,
    limits: {
      memoryPages: Math.floor(limits.memory / PAGE),
      tableElements: limits.tableElements,
      ...(limits.callDepth !== undefined && { callDepth: limits.callDepth }),
    },
  };
  return options;
}

export function isMetered(module: WebAssembly.Module): boolean {
  const metadata: object | null = readMetadata(module);
  return metadata !== null && 'metered' in metadata && metadata.metered === true;
}

/** For a guest that is metered. */
export function meteredGuest(limits: SettledLimits): Partial<GuestOptions> {
  const options: object = { limits: { sliceMs: limits.sliceMs } };
  return options;
}

/** @param fuel what is left of it; null if there is no limit */
export function meteredFiber(fuel: number | null): Partial<SpawnOptions> {
  const options: object = fuel === null ? {} : { fuel };
  return options;
}

/** What a fiber has taken so far: units, slices, milliseconds in the guest. */
export interface Consumption {
  readonly fuel: number;
  readonly slices: number;
  readonly guestMs: number;
}

export function consumptionOf(fiber: Fiber): Consumption {
  const { fuel = 0, slices = 0, guestMs = 0 } = fiber as Partial<Consumption>;
  return { fuel, slices, guestMs };
}
