/** What a fiber of a metered guest has used, and may use. */
export class Account {
  /** Units; without what it has used since it went on last. */
  fuel = 0;
  /** Milliseconds in the guest. */
  time = 0;
  slices = 0;
  /** It ends before its time, and no code of it runs any more. */
  stopped = false;
  /** Units at most. */
  readonly limit: number;
  /** When it must have ended, by the clock of the platform. */
  readonly deadline: number;

  constructor(limit: number, deadline: number) {
    this.limit = limit;
    this.deadline = deadline;
  }
}
