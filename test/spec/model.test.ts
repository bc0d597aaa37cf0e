// Random programs in random order against a model: whatever fibers do to each other, every one gets its own result, every
// host function is called with its own arguments by its own fiber, and the memory is what the programs made it.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { iterations } from '../support/backend.ts';
import { Budget } from '../support/budget.ts';
import { core, FN, Gate, turn } from '../support/core.ts';
import { runScenario, scenarios } from '../support/run-model.ts';

/** Long enough to find what can be found, short enough for every environment. Milliseconds. */
const BUDGET = iterations(4000);

test('random programs in several guests do what the model predicts', async () => {
  const budget = new Budget(BUDGET, 11);
  await fc.assert(fc.asyncProperty(scenarios(25), budget.limit(runScenario)), { numRuns: iterations(500) });
  budget.check();
}, 60_000);

/** Calls of core.wat that wait `waits` times for `x`, and what they give if every wait gives `value`. */
const calls = {
  once: { waits: 1, expect: (value: number) => value },
  deep: { waits: 1, expect: (value: number, n: number) => value + n },
  loop_of: { waits: 'n', expect: (value: number, n: number) => value * n },
  through_call: { waits: 1, expect: (value: number) => value + 1000 },
  through_invoke: { waits: 1, expect: (value: number) => value + 1005 },
  nested: { waits: 1, expect: (value: number) => value + 1100 },
} as const;

const call = fc.record({
  name: fc.constantFrom(...(Object.keys(calls) as (keyof typeof calls)[])),
  n: fc.oneof(fc.nat({ max: 5 }), fc.integer({ min: 100, max: 400 })),
  fate: fc.constantFrom('resolve', 'resolve', 'resolve', 'reject', 'cancel'),
});

test('stacks of all depths go through windows of all sizes, in any order, and come back whole', async () => {
  const budget = new Budget(BUDGET / 2, 10);
  await fc.assert(
    fc.asyncProperty(
      fc.array(call, { minLength: 1, maxLength: 30, size: 'max' }),
      fc.constantFrom(64, 96, 256, 16_384),
      fc.infiniteStream(fc.nat()),
      budget.limit(async (calls_, windowSize, random) => {
        const gate = new Gate();
        const guest = await core(gate.wait, { windowSize });
        const fibers = calls_.map(({ name, n, fate }, x) => {
          const waits = calls[name].waits === 'n' ? n % 10 : 1;
          const fiber =
            name === 'once'
              ? guest.spawn('once', [x])
              : name === 'deep'
                ? guest.spawn('deep', [n, x])
                : name === 'loop_of'
                  ? guest.spawn('loop_of', [waits, x])
                  : name === 'through_call'
                    ? guest.spawn('through_call', [FN.once, x])
                    : name === 'through_invoke'
                      ? guest.spawn('through_invoke', [FN.deepBy5, x])
                      : guest.spawn('through_call', [FN.throughCallOnce, x]);
          return {
            fiber,
            x,
            fate,
            never: waits === 0,
            left: waits,
            expected: calls[name].expect(x * 3, name === 'loop_of' ? waits : n),
          };
        });
        const results = Promise.allSettled(fibers.map(({ fiber }) => fiber.result));
        let waiting = fibers.filter(({ left }) => left > 0);
        for (const number of random) {
          const next = waiting[number % Math.max(1, waiting.length)];
          if (next === undefined) break;
          const pending = gate.take(next.x);
          if (next.fate === 'cancel') next.fiber.cancel('enough');
          else if (next.fate === 'reject') pending.reject(next);
          else pending.resolve(next.x * 3);
          next.left = next.fate === 'resolve' ? next.left - 1 : 0;
          await Promise.resolve();
          // Fairness may put the resume off.
          while (next.left > 0 && !gate.calls.some(({ x }) => x === next.x)) await turn();
          waiting = waiting.filter(({ left }) => left > 0);
        }
        for (const [i, result] of (await results).entries()) {
          const { fate, expected, fiber, never } = fibers[i] ?? {};
          const cancelled = { status: 'rejected', reason: { code: 'CANCELLED', cause: 'enough' } };
          if (never) expect(result).toEqual({ status: 'fulfilled', value: 0 });
          else if (fate === 'resolve') expect(result).toEqual({ status: 'fulfilled', value: expected });
          else if (fate === 'reject') expect(result).toEqual({ status: 'rejected', reason: fibers[i] });
          else expect(result).toMatchObject(cancelled);
          expect(fiber?.state).toBe('done');
          expect(fiber?.frameBytes).toBe(0);
        }
        expect(guest.fibers).toEqual([]);
        await guest.dispose();
      }),
    ),
    { numRuns: iterations(100) },
  );
  budget.check();
}, 60_000);
