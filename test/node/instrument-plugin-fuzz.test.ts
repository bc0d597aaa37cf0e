/**
 * A little of `npm run fuzz:plugins` in every run of the tests, with seeds that are always the same. For how long the thread was held
 * is not judged here, where others use the machine.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Workshop } from '../proof/fuzz/generate.ts';
import { trySeed } from '../proof/plugins/seed.ts';
import { backend } from '../support/backend.ts';

const SEEDS = 8;

let workshop: Workshop;
beforeAll(async () => {
  workshop = await Workshop.open();
});
afterAll(() => workshop.close());

test(
  `random plugins keep to what is promised, whatever becomes of their calls: seeds 1 to ${SEEDS}`,
  { timeout: 120_000 },
  async () => {
    let held = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const result = await trySeed(workshop, seed, backend, () => undefined);
      if (result.kind === 'broken') {
        expect.fail(`seed ${seed}: ${result.what}\n  again: npm run fuzz:plugins -- --seed ${seed} --count 1`);
      }
      if (result.kind === 'held') held++;
    }
    expect(held).toBeGreaterThan(1);
  },
);
