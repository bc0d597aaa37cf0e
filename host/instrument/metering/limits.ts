/** What a metered module may not go beyond, whatever it does; null if nobody says. */
export interface Limits {
  /** Of each memory: pages of 64 KiB. */
  readonly memoryPages: number | null;
  /** Of each table. */
  readonly tableElements: number | null;
  /** Calls within calls of functions that call others. */
  readonly callDepth: number | null;
}

/** What a module is told to name to the host, by place, when it has come to a limit. */
export const LIMITS = ['memory', 'table', 'callDepth'] as const;
