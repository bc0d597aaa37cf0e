/** A process of the fuzzer of plugins: it is given seeds, and says what came of each. */
import { chooseRecipe, Workshop } from '../fuzz/generate.ts';
import { serveTasks } from '../processes.ts';
import { Random } from '../random.ts';
import { possibleWays } from '../variants.ts';
import { MOST_MS, type TrialResult, tryPlugin } from './trial.ts';

const workshop = await Workshop.open();
process.on('exit', () => workshop.close());

/** Who is held up by a machine that does something else is not held up three times. */
const TRIES = 3;

serveTasks<number, TrialResult>(async (seed, note) => {
  const random = new Random(seed);
  note('generating');
  let wasm: Uint8Array<ArrayBuffer>;
  try {
    const recipe = chooseRecipe(random.fork('recipe'));
    // What says at each step where it goes, hardly computes.
    const passes = recipe.passes.filter((pass) => pass !== '--log-execution' || random.chance(0.3));
    wasm = await workshop.make({ ...recipe, passes, endless: random.chance(0.8) });
  } catch {
    return { result: { kind: 'skipped', why: 'the generator failed' }, spoilt: true };
  }
  const backend = possibleWays().includes('jspi') && random.chance(0.6) ? 'jspi' : 'asyncify';
  note('running');
  let result: TrialResult = { kind: 'skipped', why: 'it was not tried' };
  for (let i = 0; i < TRIES; i++) {
    result = await tryPlugin(wasm, random.fork('trial'), backend);
    if (result.kind !== 'held' || result.longest <= MOST_MS) break;
    if (i === TRIES - 1) {
      result = { kind: 'broken', what: `The thread was held for ${result.longest.toFixed(1)} ms, ${TRIES} times.` };
    }
  }
  return { result, spoilt: false };
});
