/**
 * Measures drivers against each other. Each has a process of its own, and they take turns in short rounds, so that
 * whatever else the machine does meanwhile meets all of them. All that is done several times with fresh processes, since
 * what an engine makes of the same code differs from one to the next. A figure is the median over all rounds; a ratio is
 * the median of the ratios of each round.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Operation } from './driver.ts';

const WORKER = fileURLToPath(new URL('worker.js', import.meta.url));

/** Processor time of all threads, or the time that passes, for what is about waiting. */
export type Clock = 'processor' | 'wall';

export interface Contest {
  /** The executable of the Node to run it on. */
  readonly node: string;
  readonly operation: Operation;
  readonly size: number;
  readonly drivers: readonly string[];
  /** How often the processes are started anew, and the rounds of each time. */
  readonly heats: number;
  readonly rounds: number;
  /** Milliseconds of one driver in one round. */
  readonly budget: number;
  /** Default processor time. */
  readonly clock?: Clock | undefined;
}

export interface Outcome {
  /** Nanoseconds of one operation, median; undefined if the driver cannot do it. */
  time(driver: string): number | undefined;
  /** How many times as long as the peer the driver took. */
  ratio(driver: string, peer: string): number | undefined;
}

interface Competitor {
  readonly driver: string;
  round(): Promise<number>;
  end(): void;
}

export async function compete(contest: Contest): Promise<Outcome> {
  const results = new Map<string, number[]>();
  for (let heat = 0; heat < contest.heats; heat++) await runHeat(contest, results);
  return {
    time: (driver) => median(results.get(driver) ?? []),
    ratio(driver, peer) {
      const own = results.get(driver) ?? [];
      const theirs = results.get(peer) ?? [];
      return median(own.flatMap((time, round) => (theirs[round] === undefined ? [] : [time / theirs[round]])));
    },
  };
}

async function runHeat(
  { node, operation, size, drivers, rounds, budget, clock = 'processor' }: Contest,
  results: Map<string, number[]>,
): Promise<void> {
  const competitors: Competitor[] = [];
  try {
    for (const driver of drivers) {
      // One after the other: warming up while another one is measured would disturb it.
      const competitor = await enlist(node, driver, [operation, String(size), String(budget), clock]);
      if (competitor !== null) competitors.push(competitor);
    }
    for (let round = 0; round < rounds; round++) {
      for (const each of competitors) {
        const times = results.get(each.driver) ?? [];
        times.push(await each.round());
        results.set(each.driver, times);
      }
    }
  } finally {
    for (const each of competitors) each.end();
  }
}

/** Null if the driver cannot do it. */
async function enlist(node: string, driver: string, args: string[]): Promise<Competitor | null> {
  const child = fork(WORKER, [driver, ...args], { execPath: node, execArgv: [] });
  const next = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const fail = (code: number | null): void => reject(new Error(`${driver} ended with code ${String(code)}`));
      child.once('exit', fail);
      child.once('message', (message) => {
        child.off('exit', fail);
        resolve(message);
      });
    });
  if ((await next()) !== true) return null;
  return {
    driver,
    async round() {
      const answer = next();
      child.send('round');
      return Number(await answer);
    },
    end: () => void child.kill(),
  };
}

/** Undefined if there is nothing. */
export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  const lower = sorted[middle - 1];
  return sorted.length % 2 === 1 || upper === undefined || lower === undefined ? upper : (lower + upper) / 2;
}
