/** A process of the fuzzer of plugins: it is given seeds, and says what came of each. */
import { Workshop } from '../fuzz/generate.ts';
import { serveTasks } from '../processes.ts';
import { GENERATOR, trySeed } from './seed.ts';
import { MOST_MS, type TrialResult } from './trial.ts';

const workshop = await Workshop.open();
process.on('exit', () => workshop.close());

/** Who is held up by a machine that does something else is not held up three times. */
const TRIES = 3;

serveTasks<number, TrialResult>(async (seed, note) => {
  let result: TrialResult = { kind: 'skipped', why: 'it was not tried' };
  for (let i = 0; i < TRIES; i++) {
    result = await trySeed(workshop, seed, null, note);
    if (result.kind !== 'held' || result.longest <= MOST_MS) break;
    if (i === TRIES - 1) {
      result = { kind: 'broken', what: `The thread was held for ${result.longest.toFixed(1)} ms, ${TRIES} times.` };
    }
  }
  return { result, spoilt: result.kind === 'skipped' && result.why === GENERATOR };
});
