/**
 * The process in which one build of a program runs under one condition: `worker.js PROGRAM CONDITION FILE`. It does the
 * workloads that messages name, as often as they say to warm up and then once more, and answers with what that last time took:
 * processor time, in all threads of the process, from the moment at which the first wait has ended.
 */
import { readFileSync } from 'node:fs';
import { CONDITIONS } from './conditions.ts';
import { linkTo } from './links.ts';
import { findProgram } from './list.ts';
import type { Run } from './program.ts';

export interface Request {
  readonly workload: string;
  /** Milliseconds of processor time to spend beforehand. */
  readonly warmUp: number;
}

export interface Answer {
  /** Milliseconds. */
  readonly time: number;
  readonly result: string;
}

const [name = '', wanted, file = ''] = process.argv.slice(2);
const condition = CONDITIONS.find((each) => each.name === wanted);
const program = await findProgram(name);
if (condition === undefined || program === undefined) throw new Error('worker.js PROGRAM CONDITION FILE');

let started: NodeJS.CpuUsage | null = null;

/** Waits as a host function does that waits for the outside: until another turn of the event loop. */
function pause(result: number): number | Promise<number> {
  const first = started === null;
  if (!(first ? condition?.waitsFirst : condition?.waitsAgain)) {
    started ??= process.cpuUsage();
    return result;
  }
  return new Promise((resolve) => {
    setImmediate(() => {
      if (first) started = process.cpuUsage();
      resolve(result);
    });
  });
}

async function measure(run: Run, workload: string): Promise<Answer> {
  started = null;
  const result = await run(workload);
  // Set by `pause`, which every workload calls.
  const { user, system } = process.cpuUsage(started ?? undefined);
  return { time: (user + system) / 1000, result };
}

const run = await program.open(linkTo(new WebAssembly.Module(readFileSync(file)), program.allocate), pause);
process.on('message', ({ workload, warmUp }: Request) => {
  void (async () => {
    for (let spent = 0; spent < warmUp;) spent += (await measure(run, workload)).time;
    process.send?.(await measure(run, workload));
  })();
});
process.send?.('open');
