// The property of test/spec/model.test.ts for minutes, with long scenarios. A failure prints its seed and path: give both
// to fc.assert to see it again.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { runScenario, scenarios } from '../support/run-model.ts';

/** Milliseconds for each length. */
const BUDGET = 100_000;

test.each([10, 60, 200])(
  'random programs in several guests do what the model predicts, up to %i commands',
  async (longest) => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(scenarios(longest), async (scenario) => {
        await runScenario(scenario);
        runs++;
      }),
      { numRuns: 1_000_000, interruptAfterTimeLimit: BUDGET },
    );
    expect(runs).toBeGreaterThan(20);
  },
  10 * BUDGET,
);
