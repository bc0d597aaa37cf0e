// The property of test/spec/model.test.ts for minutes, with long scenarios. A failure prints its seed and path: give both
// to fc.assert to see it again.
import * as fc from 'fast-check';
import { test } from 'vitest';
import { Budget } from '../support/budget.ts';
import { runScenario, scenarios } from '../support/run-model.ts';

/** Milliseconds for each length. */
const BUDGET = 100_000;

test.each([10, 60, 200])(
  'random programs in several guests do what the model predicts, up to %i commands',
  async (longest) => {
    const budget = new Budget(BUDGET, 21);
    await fc.assert(fc.asyncProperty(scenarios(longest), budget.limit(runScenario)), { numRuns: 1_000_000 });
    budget.check();
  },
  10 * BUDGET,
);
