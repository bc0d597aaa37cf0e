/** A run of a fuzzer: what its command line says, and the seeds that follow from that. */
import { parseArgs } from 'node:util';

/** More failures than this tell nothing new. */
const MOST_FAILURES = 20;

type Name = 'minutes' | 'seed' | 'count' | 'jobs';

export class Campaign {
  readonly seed: number;
  readonly count: number;
  readonly jobs: number;
  readonly began: number = Date.now();
  failures = 0;
  readonly #until: number;
  readonly #interruption = new AbortController();

  /** Reads the command line; after `--help`, or a usage error, the process has ended. */
  constructor(help: string) {
    const options = readOptions(help);
    const number = (name: Name, otherwise: number): number => {
      const value = Number(options[name] ?? otherwise);
      if (value >= 0 && (name === 'minutes' || Number.isSafeInteger(value) || value === Infinity)) return value;
      console.error(`--${name}: ${options[name]} is no such number`);
      return process.exit(2);
    };
    this.count = number('count', Infinity);
    this.seed = number('seed', Math.floor(Date.now() / 1000) * 1000);
    this.jobs = Math.max(1, Math.min(number('jobs', 1), this.count));
    this.#until = this.began + number('minutes', options.count === undefined ? 1 : Infinity) * 60_000;
    // Whoever is interrupted ends with what there is.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => this.#interruption.abort());
  }

  /** Minutes so far, for people. */
  get minutes(): string {
    return ((Date.now() - this.began) / 60_000).toFixed(1);
  }

  /** In order, while there is time. */
  *seeds(): Generator<number> {
    for (let offset = 0; offset < this.count && Date.now() < this.#until; offset++) {
      if (this.#interruption.signal.aborted || this.failures >= MOST_FAILURES) return;
      yield this.seed + offset;
    }
  }
}

function readOptions(help: string): Partial<Record<Name, string>> {
  const string = { type: 'string' } as const;
  try {
    const { values } = parseArgs({
      options: { minutes: string, seed: string, count: string, jobs: string, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help !== true) return values;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    return process.exit(2);
  }
  console.log(help);
  return process.exit(0);
}

/** What was counted, the most frequent first. */
export function byNumber(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].toSorted(([, a], [, b]) => b - a);
}
