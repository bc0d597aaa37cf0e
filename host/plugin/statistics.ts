/** What a plugin has done so far, all its instances and versions together. */

/** What `plugin.stats()` gives. */
export interface PluginStats {
  readonly name: string;
  readonly version: string;
  /**
   * `ready`: the last call did not fail. `failing`: it did. `disposed`: there will be none.
   */
  readonly health: 'ready' | 'failing' | 'disposed';
  /** Why the last call failed that did. */
  readonly lastFailure: Error | null;
  /** Calls that were made, those that failed, and those that run or wait for an instance now. */
  readonly calls: number;
  readonly failures: number;
  readonly running: number;
  /** Calls of host functions, and promises of theirs that are pending now. */
  readonly hostCalls: number;
  readonly pendingCalls: number;
  /** Units of work; 0 if the plugin is not metered. */
  readonly fuel: number;
  /** Milliseconds in the plugin's own code, as far as it is metered. */
  readonly guestMs: number;
  /** How often it was interrupted to let others run. */
  readonly slices: number;
  /** How often it has waited for the host. */
  readonly suspensions: number;
  /** Bytes: the largest memory that an instance has had. */
  readonly memory: number;
  /** Instances that are there now, and how many had to be made anew since one was spoilt. */
  readonly instances: number;
  readonly restarts: number;
}

export class Statistics {
  calls = 0;
  failures = 0;
  running = 0;
  fuel = 0;
  guestMs = 0;
  slices = 0;
  suspensions = 0;
  memory = 0;
  restarts = 0;
  hostCalls = 0;
  lastFailure: Error | null = null;
  failing = false;

  sawMemory(bytes: number): void {
    this.memory = Math.max(this.memory, bytes);
  }
}
