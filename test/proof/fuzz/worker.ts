/** A process of the fuzzer: it is given seeds, and says what came of each. */
import { serveTasks } from '../processes.ts';
import { chooseCase, tryCase } from './case.ts';
import type { Result } from './case.ts';
import { Workshop } from './generate.ts';
import { reduce } from './reduce.ts';
import { writeReport } from './report.ts';

export interface Finished {
  readonly result: Result;
  /** Where the report of a difference is. */
  readonly report: string | null;
}

const workshop = await Workshop.open();
process.on('exit', () => workshop.close());

serveTasks<number, Finished>(async (seed, note) => {
  const chosen = chooseCase(seed);
  const { wasm, result } = await tryCase(workshop, chosen, note);
  if (result.kind !== 'different') return { result: { result, report: null }, spoilt: wasm.length === 0 };
  note('reducing');
  const report = writeReport(chosen, wasm, result.what, await reduce(workshop, chosen));
  return { result: { result, report }, spoilt: true };
});
