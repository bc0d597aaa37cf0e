/**
 * Measures a program's builds against each other under all conditions: a process for each pair, which take turns in short
 * rounds, so that whatever else the machine does meets all of them. A ratio is the median of the ratios of the rounds. All that
 * is done several times with fresh processes.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { median } from '../contest.ts';
import type { NodeVersion } from '../nodes.ts';
import type { Build } from './builds.ts';
import type { Condition } from './conditions.ts';
import type { Program, Workload } from './program.ts';
import type { Answer, Request } from './worker.ts';

const WORKER = fileURLToPath(new URL('worker.js', import.meta.url));

export interface Effort {
  /** How often the processes are started anew, and the rounds of each time. */
  readonly heats: number;
  readonly rounds: number;
  /** Milliseconds of each workload in each process before the first round. */
  readonly warmUp: number;
}

/** One build under one condition. */
export interface Entry {
  readonly build: Build;
  readonly condition: Condition;
}

export interface Outcome {
  /** Milliseconds, median. */
  time(entry: Entry): number | undefined;
  /** How many times as long as the peer it took; as the first entry if there is no other peer. */
  ratio(entry: Entry, peer?: Entry): number | undefined;
}

interface Runner {
  readonly entry: Entry;
  ask(request: Request): Promise<Answer>;
  end(): void;
}

/** @param entries the first is what the others are divided by */
export async function race(
  node: NodeVersion,
  program: Program,
  workloads: readonly Workload[],
  entries: readonly Entry[],
  { heats, rounds, warmUp }: Effort,
): Promise<Map<Workload, Outcome>> {
  const times = new Map(workloads.map((workload) => [workload, new Map<Entry, number[]>()]));
  for (let heat = 0; heat < heats; heat++) {
    const runners: Runner[] = [];
    try {
      for (const entry of entries) runners.push(await start(node, program, entry));
      for (const [workload, ofWorkload] of times) {
        const agreed = new Agreement(program, workload);
        // One after the other: warming up while another one is measured would disturb it.
        for (const { entry, ask } of runners) agreed.check(entry, await ask({ workload: workload.name, warmUp }));
        for (let round = 0; round < rounds; round++) {
          for (const { entry, ask } of runners) {
            const answer = agreed.check(entry, await ask({ workload: workload.name, warmUp: 0 }));
            ofWorkload.set(entry, [...(ofWorkload.get(entry) ?? []), answer.time]);
          }
        }
      }
    } finally {
      for (const each of runners) each.end();
    }
  }
  return new Map([...times].map(([workload, ofWorkload]) => [workload, outcome(ofWorkload, entries[0])]));
}

function outcome(times: ReadonlyMap<Entry, readonly number[]>, first: Entry | undefined): Outcome {
  const of = (entry: Entry | undefined): readonly number[] => (entry === undefined ? [] : (times.get(entry) ?? []));
  return {
    time: (entry) => median(of(entry)),
    ratio: (entry, peer = first) => median(of(entry).flatMap((time, round) => time / (of(peer)[round] ?? Number.NaN))),
  };
}

/** All builds must compute the same. */
class Agreement {
  readonly #what: string;
  #result: string | null = null;

  constructor(program: Program, workload: Workload) {
    this.#what = `${program.name}, ${workload.name}`;
  }

  check({ build, condition }: Entry, answer: Answer): Answer {
    this.#result ??= answer.result;
    if (answer.result === this.#result && answer.result !== '') return answer;
    const who = `${build.variant.label}, ${condition.label}`;
    throw new Error(`${this.#what}: ${who}: the result is ${answer.result}, not ${this.#result}`);
  }
}

async function start(node: NodeVersion, program: Program, entry: Entry): Promise<Runner> {
  const { build, condition } = entry;
  const child = fork(WORKER, [program.name, condition.name, build.file], { execPath: node.executable, execArgv: [] });
  const next = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const fail = (code: number | null): void => {
        reject(new Error(`${program.name}, ${build.variant.label}, ${condition.label}: ended with code ${code}`));
      };
      child.once('exit', fail);
      child.once('message', (message) => {
        child.off('exit', fail);
        resolve(message);
      });
    });
  await next();
  return {
    entry,
    async ask(request) {
      const answer = next();
      child.send(request);
      return (await answer) as Answer;
    },
    end: () => void child.kill(),
  };
}
