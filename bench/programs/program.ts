/**
 * A real program of the bench of guests: what it is made of, and how its host works. A workload is done in units of about a
 * millisecond, each of which begins with a call of the host function that waits, or would if it were asked to: `pause`. So
 * the same code is measured whether it never waits, waits once before everything else, or waits once in a millisecond; and
 * the frames below, such as an interpreter's main loop, are then as a resumption has left them.
 */
import type { Call, FiberExports, Imports, NestedCall, SyncExports } from '../../host/index.ts';
import type { InstrumentOptions } from '../../host/instrument/index.ts';

export interface Workload {
  /** For `--workload`. */
  readonly name: string;
  readonly label: string;
}

export interface Program {
  /** For `--guest`. */
  readonly name: string;
  readonly title: string;
  /** How the module is instrumented, by whomever. */
  readonly suspending: readonly string[];
  readonly allocator?: NonNullable<InstrumentOptions['allocator']>;
  /** The export that gives the plain driver of Asyncify memory to unwind into. */
  readonly allocate: string;
  readonly workloads: readonly Workload[];
  /**
   * Brings the module, as its compiler made it, into being if it is not there.
   *
   * @returns its path
   * @throws Missing
   */
  provide(): Promise<string>;
  /** Starts the guest. */
  open(link: Link, pause: Pause): Promise<Run>;
}

/** The program cannot be had here; the message says what to do about it. */
export class Missing extends Error {
  override readonly name = 'Missing';
}

/** What is given, or a promise of it. */
export type Pause = (result: number) => number | Promise<number>;

/** Does a workload, and gives what has come out of it: the same each time and everywhere. */
export type Run = (workload: string) => Promise<string>;

/** A program's module, linked in one of the ways that are compared. */
export interface Link {
  /** Makes of a host function that calls back into the guest what may be imported. */
  reentrant<A extends unknown[], R>(fn: Nested<A, R>): (...args: A) => R;
  instantiate<E>(imports: Imports): Promise<Linked<E>>;
}

/** As `reentrant` takes it. */
export type Nested<A extends unknown[], R> = (call: Call, ...args: A) => Generator<NestedCall, R, unknown>;

export interface Linked<E> {
  /** For calls that may wait. */
  readonly exports: FiberExports<E>;
  /** For calls that never do. */
  readonly sync: SyncExports<E>;
  readonly memory: WebAssembly.Memory;
}
