/** What a metered module may not go beyond, whatever it does; null if nobody says. */
export interface Limits {
  /** Of each memory: pages of 64 KiB. */
  readonly memoryPages: number | null;
  /** Of each table. */
  readonly tableElements: number | null;
  /** Calls within calls, of functions that call what is not bounded (bounds.ts). */
  readonly callDepth: number | null;
}
