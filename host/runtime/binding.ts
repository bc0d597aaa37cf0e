/**
 * The seam between the runtime, which passes numbers, and the bindings of a language whose functions take and return more
 * than numbers. Values that a guest's collector manages can be made and read only at certain moments, and only the
 * scheduler knows them:
 *
 *     embedder's arguments   -> lower ->   the entry is called      nothing of the guest runs in between
 *     embedder's result      <- lift  <-   the entry has returned   nothing of the guest has run since
 *     import's arguments     -> lift  ->   the host function        in the call
 *     import's plain result  <- lower <-   the host function        in the call
 *     import's promise       <- lower <-   the wait ends            the guest's stack is back, its import about to return
 *
 * So no reference that only the host knows lives across a moment at which the guest could collect.
 */
import type { GuestFunction, HostFunction, ResultConversion } from '../backends/backend.ts';
import type { Fiber, Guest, Imports } from './api.ts';

/** Conversions of an export. What they throw is how the call ends. */
export interface EntryConversion {
  lower(args: readonly unknown[]): readonly unknown[];
  lift(result: unknown): unknown;
}

/** Conversions of an import: those of its result are for what a promise brought. */
export interface SiteConversion extends ResultConversion {
  /** The host function as the guest calls it: arguments lifted, a plain result lowered; a promise passes as it is. */
  wrap(fn: HostFunction): HostFunction;
}

/** What a binding may do with the guest once it exists. */
export interface BindingHost {
  readonly guest: Guest;
  readonly memory: WebAssembly.Memory | null;
  /**
   * Starts a function of the guest, exported to the embedder or not, as a fiber: in an exclusive guest, in the turn of
   * `parent`, or of the fiber that runs.
   */
  spawn(fn: GuestFunction, name: string, args: readonly unknown[], parent?: Fiber): Fiber;
  /** Calls a function of the guest without a fiber: at once, from anywhere, and without waiting. */
  callSync(fn: GuestFunction, args: readonly unknown[]): unknown;
}

export interface Binding {
  /** The imports to link the module with: the embedder's, and what the language itself provides. */
  imports(module: WebAssembly.Module, given: Imports): Imports;
  /** The instance exists; none of its code has run, except a start function that was not instrumented. */
  attach(host: BindingHost): void;
  /** A fiber of the guest has ended, any fiber: its result is settled, and it is no longer among `guest.fibers`. */
  ended?(fiber: Fiber, failed: boolean, value: unknown): void;
  /** Null if values pass as they are. */
  entry(name: string): EntryConversion | null;
  /** What a suspended fiber waits for, in words, where the guest's own library knows more than the import's name. */
  waitingFor?(fiber: Fiber): string | null;
  /** What an export that is no function looks like to the embedder. */
  value?(name: string, exported: WebAssembly.ExportValue): unknown;
  /** Null if values pass as they are. */
  site(module: string, name: string): SiteConversion | null;
}
