/** From a seed to what became of its plugin. */
import { chooseRecipe, type Workshop } from '../fuzz/generate.ts';
import { Random } from '../random.ts';
import { type TrialResult, tryPlugin } from './trial.ts';

/**
 * @param backend null for the one that the seed decides, of those that the engine has
 * @param note told of what is being done, for one who waits in vain
 */
export async function trySeed(
  workshop: Workshop,
  seed: number,
  backend: 'asyncify' | 'jspi' | null,
  note: (phase: 'generating' | 'running') => void,
): Promise<TrialResult> {
  const random = new Random(seed);
  note('generating');
  const recipe = chooseRecipe(random.fork('recipe'));
  // What says at each step where it goes, hardly computes.
  const passes = recipe.passes.filter((pass) => pass !== '--log-execution' || random.chance(0.3));
  const endless = random.chance(0.8);
  let wasm: Uint8Array<ArrayBuffer>;
  try {
    wasm = await workshop.make({ ...recipe, passes, endless });
  } catch {
    return { kind: 'skipped', why: GENERATOR };
  }
  const chosen = 'Suspending' in WebAssembly && random.chance(0.6) ? 'jspi' : 'asyncify';
  note('running');
  return tryPlugin(wasm, random.fork('trial'), backend ?? chosen);
}

/** Binaryen's fuzzer fails now and then, and is not to be trusted afterwards. */
export const GENERATOR = 'the generator failed';
