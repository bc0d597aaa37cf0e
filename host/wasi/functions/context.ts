/** What the functions of WASI share: the program they serve. One of them is a method of its part, named as the guest names it. */
import type { Calls } from '../calls.ts';
import type { DescriptorTable } from '../descriptors.ts';
import type { GuestMemory } from '../memory.ts';
import type { Clock } from '../clock.ts';
import type { Steps } from '../steps.ts';

export interface Context {
  readonly memory: GuestMemory;
  readonly descriptors: DescriptorTable;
  readonly calls: Calls;
  readonly clock: Clock;
  readonly args: readonly string[];
  /** `NAME=value` */
  readonly environment: readonly string[];
  readonly random: (bytes: Uint8Array<ArrayBuffer>) => void;
  /** Nanoseconds of the monotonic clock at which the program began. */
  readonly started: bigint;
  /** Ends the program; never returns. */
  exit(code: number): never;
  /** May the caller be made to wait? */
  canWait(): boolean;
  /** Does another implementation answer for that descriptor? */
  isForeign(fd: number): boolean;
}

/**
 * A function of WASI. Pointers, lengths and descriptors come as unsigned numbers, 64-bit integers as unsigned bigints. It
 * succeeds by returning and fails by throwing an error with a POSIX code.
 */
export type WasiFunction = (...args: never[]) => Steps<void> | void;

export type WasiFunctions = Readonly<Record<string, WasiFunction>>;
