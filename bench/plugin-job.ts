/**
 * What the plugins of the row `plugin-calls` do, whatever runs them: the functions of plugin-guest.ts, here as QuickJS gets them,
 * and the host that calls them and that they call.
 */

/** The same as the functions of that name in plugin-guest.ts. */
export const SCRIPT = `
function next(x) { return (x * 31 + 7) & 0xffff }
function shout(text) { return text.toUpperCase() + '!' }
function shoutInGerman(text) { return translate(text).toUpperCase() + '!' }
`;

/** A plugin that is loaded: its functions as its host calls them. */
export interface Job {
  next(x: number): number | Promise<number>;
  shout(text: string): string | Promise<string>;
  shoutInGerman(text: string): Promise<string>;
  /** Can calls of `shoutInGerman` wait at the same time? */
  readonly waitsTogether: boolean;
}

export type Translate = (text: string) => Promise<string>;

/** A hundred bytes. */
export const INPUT: string = 'abcdefghij'.repeat(10);

/** Milliseconds that a call may take: plugins without a limit would be something else. */
export const TIMEOUT = 1000;

/** @param milliseconds until the host function's promise is settled; 0 if it is at once */
export function translation(milliseconds: number): Translate {
  if (milliseconds === 0) return async (text) => text;
  return (text) => new Promise((resolve) => setTimeout(resolve, milliseconds, text));
}

/** @throws Error if the job does anything else than it ought to */
export async function check(job: Job): Promise<Job> {
  const results = [await job.next(5), await job.shout(INPUT), await job.shoutInGerman(INPUT)];
  const expected = [162, `${INPUT.toUpperCase()}!`, `${INPUT.toUpperCase()}!`];
  if (results.join() === expected.join()) return job;
  throw new Error(`The plugin gives ${results.join()}, not ${expected.join()}.`);
}
