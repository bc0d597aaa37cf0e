/**
 * Processes that work on tasks, one after the other each. One that hangs or dies is ended and replaced, and its task is lost:
 * whoever asked is told in what it was busy. What runs in such a process says what it is about to do before it does it.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

/** What a process says. */
export type Message<Result> =
  | { readonly ready: true }
  | { readonly phase: string }
  | {
      readonly result: Result;
      /** Must the process be replaced? Binaryen is not to be trusted after it has failed. */
      readonly spoilt: boolean;
    };

/** What became of a task: the result, or in what it was lost and how. */
export type Done<Result> = { readonly result: Result } | { readonly lost: string; readonly phase: string };

/** No step takes so long. Milliseconds. */
const PATIENCE = 180_000;
/** Characters. */
const PRINTED = 2000;
/** Binaryen's memory never shrinks. */
const TASKS_PER_PROCESS = 2000;

/** @param script of the processes, which ends with `serveTasks` */
export async function share<Task, Result>(
  script: string,
  jobs: number,
  tasks: Iterator<Task>,
  take: (task: Task, done: Done<Result>) => void,
): Promise<void> {
  const lane = async (): Promise<void> => {
    let worker: Worker<Task, Result> | null = null;
    let times = 0;
    for (let next = tasks.next(); next.done !== true; next = tasks.next()) {
      worker ??= await Worker.start(script);
      const { spoilt, done } = await worker.work(next.value);
      take(next.value, done);
      times += 1;
      if (!spoilt && times < TASKS_PER_PROCESS) continue;
      worker.end();
      worker = null;
      times = 0;
    }
    worker?.end();
  };
  await Promise.all(Array.from({ length: jobs }, lane));
}

/** The other end. @returns how to say what is being done */
export function serveTasks<Task, Result>(
  work: (task: Task, note: (phase: string) => void) => Promise<{ result: Result; spoilt: boolean }>,
): void {
  const say = (message: Message<Result>): void => void process.send?.(message);
  process.on('disconnect', () => process.exit());
  process.on('message', (task) => void work(task as Task, (phase) => say({ phase })).then(say));
  say({ ready: true });
}

class Worker<Task, Result> {
  readonly #child: ChildProcess;
  /** The end of what it has printed. Binaryen says much, of modules that it refuses too; it counts where the process dies. */
  #printed = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#printed = `${this.#printed}${text}`.slice(-PRINTED);
      });
    }
  }

  static async start<Task, Result>(script: string): Promise<Worker<Task, Result>> {
    const child = fork(script, [], { execArgv: [], serialization: 'advanced', silent: true });
    const worker = new Worker<Task, Result>(child);
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('close', (code) => {
        reject(new Error(`${script} ended with ${String(code)} as it began.\n${worker.#printed}`));
      });
    });
    child.removeAllListeners();
    return worker;
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }

  work(task: Task): Promise<{ readonly done: Done<Result>; readonly spoilt: boolean }> {
    return new Promise((resolve) => {
      let phase = 'nothing';
      const finish = (done: Done<Result>, spoilt: boolean): void => {
        clearTimeout(timer);
        this.#child.removeAllListeners();
        resolve({ done, spoilt });
      };
      const timer = setTimeout(() => {
        this.#child.kill('SIGKILL');
        finish({ lost: `took more than ${PATIENCE / 1000} s`, phase }, true);
      }, PATIENCE);
      // Not `exit`: what it has printed may come later.
      this.#child.on('close', (code, signal) => {
        finish({ lost: `ended the process (${String(code ?? signal)})\n${this.#printed}`.trimEnd(), phase }, true);
      });
      this.#child.on('message', (message: Message<Result>) => {
        if ('phase' in message) {
          phase = message.phase;
          timer.refresh();
        } else if ('result' in message) finish({ result: message.result }, message.spoilt);
      });
      this.#child.send(task as object);
    });
  }
}
