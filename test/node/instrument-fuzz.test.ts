/**
 * A little of `npm run fuzz` in every run of the tests: seeds that are always the same, so that a change which breaks one shows
 * at once and everywhere; and new ones, for as long as there is time, whose numbers are printed.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chooseCase, tryCase } from '../proof/fuzz/case.ts';
import { Workshop } from '../proof/fuzz/generate.ts';
import { commandFor } from '../proof/fuzz/report.ts';

const FIXED = 40;
/** Milliseconds. */
const BUDGET = 6000;

let workshop: Workshop;
beforeAll(async () => {
  workshop = await Workshop.open();
});
afterAll(() => workshop.close());

/** @returns 1 if something was compared, else 0 */
async function compare(seed: number): Promise<0 | 1> {
  const { result } = await tryCase(workshop, chooseCase(seed), () => undefined);
  if (result.kind === 'different') expect.fail(`seed ${seed}: ${result.what}\n  again: ${commandFor(seed)}`);
  return result.kind === 'same' ? 1 : 0;
}

test(`random modules do the same instrumented: seeds 1 to ${FIXED}`, { timeout: 120_000 }, async () => {
  let compared = 0;
  for (let seed = 1; seed <= FIXED; seed++) compared += await compare(seed);
  expect(compared).toBeGreaterThan(FIXED / 2);
});

test('random modules do the same instrumented: new seeds', { timeout: 120_000 }, async () => {
  const first = Math.floor(Date.now() / 1000) * 1000;
  const until = Date.now() + BUDGET;
  let seed = first;
  let compared = 0;
  // The last one is the first of those that are compared, however long it takes.
  while (Date.now() < until || compared === 0) compared += await compare(seed++);
  console.log(`fuzz: ${compared} modules compared, seeds ${first} to ${seed - 1}`);
  expect(compared).toBeGreaterThan(0);
});
