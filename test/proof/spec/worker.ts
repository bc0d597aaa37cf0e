/** A process that judges scripts of the specification tests. */
import { serveTasks } from '../processes.ts';
import { judgeScript } from './judge.ts';
import type { Tally } from './judge.ts';
import type { Form } from './world.ts';

export interface Task {
  readonly file: string;
  readonly forms: readonly Form[];
  readonly seed: number;
}

serveTasks<Task, readonly Tally[]>(async ({ file, forms, seed }, note) => {
  const result = await judgeScript(file, forms, seed, note);
  return { result, spoilt: result.some((each) => each.failures.length > 0) };
});
