// Random programs of tasks over every primitive of the guest library, against a model: cancelled at any point by each
// other and by the embedder, trapping with locks held, in deadlocks and out of them. A collection is forced at every step.
// fast-check prints seed and path of what fails.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Fiber, type Guest, instantiate } from 'wasm-fibers/assemblyscript';
import { iterations } from '../support/backend.ts';
import { turn } from '../support/core.ts';
import { loadGuest } from '../support/guest.ts';
import { Model, type Programs, programs, TASKS } from '../support/tasks-model.ts';

interface Exports {
  load(programs: number[][]): void;
  begin(): void;
  rest(): number[];
  collect(): void;
}

type Entry =
  | { readonly type: 'note'; readonly task: number; readonly step: number; readonly value: number }
  | { readonly type: 'end'; readonly task: number; readonly failed: boolean }
  | { readonly type: 'cancel'; readonly task: number; readonly done: boolean };

/** The step that a task notes when it begins. */
const BEGUN = -2;

/** The embedder cancels this task at this note. */
interface Cut {
  readonly at: number;
  readonly task: number;
}

const cuts = fc.array(fc.record({ at: fc.nat(40), task: fc.nat(TASKS - 1) }), { maxLength: 3 });

const taskOf = (fiber: Fiber): number => Number(/^(?:cleanup of )?(\d)$/.exec(fiber.name)?.[1] ?? -1);

class Run {
  readonly guest: Guest<Exports>;
  log: Entry[] = [];
  cuts: readonly Cut[] = [];
  #notes = 0;

  private constructor(guest: Guest<Exports>) {
    this.guest = guest;
  }

  static async open(module: WebAssembly.Module): Promise<Run> {
    const env = { note: (task: number, step: number, value: number) => run.note(task, step, value) };
    const guest = await instantiate<Exports>(
      module,
      { env },
      {
        onTaskError: () => undefined,
        onEvent(event) {
          const task = event.type === 'end' ? taskOf(event.fiber) : -1;
          if (task >= 0) run.log.push({ type: 'end', task, failed: 'error' in event });
        },
      },
    );
    const run = new Run(guest);
    return run;
  }

  note(task: number, step: number, value: number): void {
    const now = this.#notes++;
    this.guest.sync.collect();
    // Before: what the task does next begins with its note.
    for (const cut of this.cuts) {
      if (cut.at === now && (step !== BEGUN || cut.task !== task)) this.cancel(cut.task);
    }
    this.log.push({ type: 'note', task, step, value });
  }

  cancel(task: number): void {
    const fiber = this.guest.fibers.find(({ name }) => name === String(task));
    if (fiber === undefined) return;
    const entry = { type: 'cancel', task, done: false } as const;
    this.log.push(entry);
    (entry as { done: boolean }).done = fiber.cancel();
  }

  async start(given: Programs, cut: readonly Cut[]): Promise<void> {
    this.log = [];
    this.cuts = cut;
    this.#notes = 0;
    this.guest.sync.load(given.map((steps) => steps.flat()));
    await this.guest.exports.begin();
  }

  /** Nothing happens any more. */
  async quiet(): Promise<void> {
    for (let before = -1; before !== this.log.length;) {
      before = this.log.length;
      await turn();
      await turn();
    }
  }
}

/** Lets the model do what happened. */
function replay(model: Model, log: Entry[]): void {
  for (const entry of log.splice(0)) {
    if (entry.type === 'note') model.note(entry.task, entry.step, entry.value);
    else if (entry.type === 'end') model.end(entry.task, entry.failed);
    else expect(model.cancel(entry.task), `cancelling ${entry.task}`).toBe(entry.done);
  }
}

/** Lets both come to rest, and compares them. */
async function compare(run: Run, model: Model): Promise<void> {
  const live = (): number[] => run.guest.fibers.map(taskOf).toSorted();
  // Fairness may put resumes off, more than once. If they never agree, the comparison says how they differ.
  for (let turns = 0; turns < 50; turns++) {
    await run.quiet();
    replay(model, run.log);
    if (model.runnable().length === 0 && JSON.stringify(live()) === JSON.stringify(model.live())) break;
  }
  expect(model.runnable(), 'tasks that could go on').toEqual([]);
  expect(live(), 'tasks that wait').toEqual(model.live());
  expect(run.guest.sync.rest()).toEqual(model.rest());
}

describe.each(['O3', 'debug', 'steps'])('random programs of tasks (%s)', (variant) => {
  test('do what the model does, and leave nothing behind', async () => {
    const module = await WebAssembly.compile(await loadGuest(`typed/tasks-model-${variant}`));
    await fc.assert(
      fc.asyncProperty(programs, cuts, async (given, cut) => {
        // Another guest for each: what fails leaves tasks behind.
        const run = await Run.open(module);
        const model = new Model(given);
        await run.start(given, cut);
        await compare(run, model);
        // What waits for ever is cancelled, one after the other, in any order.
        for (let live = run.guest.fibers; live.length > 0; live = run.guest.fibers) {
          const fiber = live[run.log.length % live.length];
          if (fiber !== undefined) run.cancel(taskOf(fiber));
          await compare(run, model);
        }
        expect(run.guest.sync.rest().slice(0, 2), 'locks that are held').toEqual([0, 0]);
        await run.guest.dispose();
      }),
      { numRuns: iterations(300) },
    );
  }, 120_000);
});
