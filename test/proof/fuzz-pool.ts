/** Processes that work on seeds. One that hangs or dies is ended and replaced, and its seed has failed. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Result } from './case.ts';
import type { Answer } from './fuzz-worker.ts';

const WORKER = fileURLToPath(new URL('fuzz-worker.js', import.meta.url));

/** No step takes so long; reducing has its own end. Milliseconds. */
const PATIENCE = 120_000;
/** Binaryen's memory never shrinks. */
const CASES_PER_PROCESS = 500;

export interface Finished {
  readonly seed: number;
  readonly result: Result;
  readonly report: string | null;
}

export class Pool {
  readonly #jobs: number;

  constructor(jobs: number) {
    this.#jobs = jobs;
  }

  async run(seeds: Iterator<number>, take: (finished: Finished) => void): Promise<void> {
    const lane = async (): Promise<void> => {
      let worker: Worker | null = null;
      for (let next = seeds.next(); next.done !== true; next = seeds.next()) {
        worker ??= await Worker.start();
        const { spoilt, ...finished } = await worker.work(next.value);
        take(finished);
        if (!spoilt && worker.cases < CASES_PER_PROCESS) continue;
        worker.end();
        worker = null;
      }
      worker?.end();
    };
    await Promise.all(Array.from({ length: this.#jobs }, lane));
  }
}

class Worker {
  cases = 0;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(): Promise<Worker> {
    const worker = new Worker(fork(WORKER, [], { execArgv: [] }));
    await new Promise<void>((resolve, reject) => {
      worker.#child.once('message', () => resolve());
      worker.#child.once('exit', (code) => reject(new Error(`A worker ended with ${String(code)} as it began.`)));
    });
    worker.#child.removeAllListeners();
    return worker;
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }

  work(seed: number): Promise<Finished & { readonly spoilt: boolean }> {
    this.cases += 1;
    return new Promise((resolve) => {
      let phase = 'nothing';
      const finish = (result: Result, report: string | null, spoilt: boolean): void => {
        clearTimeout(timer);
        this.#child.removeAllListeners();
        resolve({ seed, result, report, spoilt });
      };
      const lost = (how: string): void => {
        // A module that hangs by itself, or that cannot even be made, proves nothing.
        const innocent = phase === 'generating' || phase === 'running the original';
        if (innocent) finish({ kind: 'skipped', why: `${phase} ${how}` }, null, true);
        else finish({ kind: 'different', what: `${phase} ${how}` }, null, true);
      };
      const timer = setTimeout(() => {
        this.#child.kill('SIGKILL');
        lost(`took more than ${PATIENCE / 1000} s`);
      }, PATIENCE);
      this.#child.on('exit', (code, signal) => lost(`ended the process (${String(code ?? signal)})`));
      this.#child.on('message', (message: Answer) => {
        if ('phase' in message) {
          phase = message.phase;
          timer.refresh();
        } else if ('seed' in message) finish(message.result, message.report, message.spoilt);
      });
      this.#child.send(seed);
    });
  }
}
