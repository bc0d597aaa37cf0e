/** Makes a failing case smaller by taking away from the random input that its module is made of. */
import { tryCase } from './case.ts';
import type { Case } from './case.ts';
import type { Workshop } from './generate.ts';

export interface Reduced {
  readonly input: Uint8Array;
  readonly wasm: Uint8Array<ArrayBuffer>;
  readonly what: string;
}

const SECONDS = 60;

/** @returns the smallest module found that still fails; null if every smaller one is sound */
export async function reduce(workshop: Workshop, chosen: Case): Promise<Reduced | null> {
  const until = Date.now() + SECONDS * 1000;
  let best: Reduced | null = null;
  let { input } = chosen.recipe;
  /** Fails with this input? */
  const attempt = async (candidate: Uint8Array): Promise<boolean> => {
    const smaller = { ...chosen, recipe: { ...chosen.recipe, input: candidate } };
    try {
      const { wasm, result } = await tryCase(workshop, smaller, () => undefined);
      if (result.kind !== 'different' || (best !== null && wasm.length > best.wasm.length)) return false;
      best = { input: candidate, wasm, what: result.what };
      input = candidate;
      return true;
    } catch {
      return false;
    }
  };
  for (let size = input.length >> 1; size >= 8 && Date.now() < until; size >>= 1) {
    for (let at = 0; at < input.length && Date.now() < until;) {
      const candidate = Buffer.concat([input.subarray(0, at), input.subarray(at + size)]);
      if (candidate.length < 16 || !(await attempt(candidate))) at += size;
    }
  }
  return best;
}
