// Values of every type pass between host and guest as they are: through exports and through imports that wait, whatever
// the compiler made of the guest, and whenever its collector runs.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { iterations } from '../support/backend.ts';
import { turn } from '../support/core.ts';
import { anyMixed, anyValue, capital, comparable, openValues, VALUES } from '../support/values.ts';

const VARIANTS = ['O0', 'O3', 'Oz', 'debug', 'steps', 'minimal', 'stub'];
const COLLECTING = ['O0', 'O3', 'Oz', 'debug', 'steps'];

/** A wait that ends after so many turns; 0 is none. */
const later = async <T>(value: T, turns: number): Promise<T> => {
  for (let i = 0; i < turns; i++) await turn();
  return value;
};

describe.each(VARIANTS)('every type (%s)', (variant) => {
  test('is what it was after a call, and after a call without a fiber', async () => {
    const guest = await openValues(variant, () => undefined);
    for (const [name, values] of Object.entries(VALUES)) {
      const echo = `echo${capital(name)}`;
      await fc.assert(
        fc.asyncProperty(values, async (value) => {
          expect(comparable(await guest.exports[echo]?.(value)), name).toEqual(comparable(value));
          expect(comparable(guest.sync[echo]?.(value)), name).toEqual(comparable(value));
        }),
        { numRuns: iterations(20) },
      );
    }
  });

  test('is what it was after having passed through an import, at once or after a wait', async () => {
    let turns = 0;
    const guest = await openValues(variant, (_name, value) => (turns++ % 3 === 0 ? value : later(value, turns % 3)));
    await fc.assert(
      fc.asyncProperty(fc.array(anyValue, { minLength: 1, maxLength: 30 }), async (values) => {
        const results = values.map(([name, value]) => guest.exports[`through${capital(name)}`]?.(value));
        expect(comparable(await Promise.all(results))).toEqual(comparable(values.map(([, value]) => value)));
      }),
      { numRuns: iterations(30) },
    );
  });

  test('several in one call, and of one call in another', async () => {
    const guest = await openValues(variant, async (name, ...args) => {
      await turn();
      if (name !== 'mixed') return args[0];
      const [text, strings, tree, bytes, big] = args;
      return { text, strings, tree, bytes, big };
    });
    await fc.assert(
      fc.asyncProperty(fc.array(anyMixed, { maxLength: 10 }), async (calls) => {
        const results = await Promise.all(calls.map((args) => guest.exports['mixed']?.(...args)));
        expect(results).toEqual(
          calls.map(([text, strings, tree, bytes, big]) => ({ text, strings, tree, bytes, big })),
        );
        const joined = await Promise.all(calls.map(([text], i) => guest.exports['joined']?.(text, `${i}`)));
        expect(joined).toEqual(calls.map(([text], i) => `${text}/${i}/${text}/${i}`));
      }),
      { numRuns: iterations(20) },
    );
  });
});

test('hundreds of calls at once, each with values of its own', async () => {
  const guest = await openValues('O3', async (_name, text, strings, tree, bytes, big) => {
    for (let i = Number(big) % 4; i > 0; i--) await turn();
    guest.sync['collect']?.();
    return { text, strings, tree, bytes, big };
  });
  const calls = fc.sample(anyMixed, 500);
  const results = await Promise.all(calls.map((args) => guest.exports['mixed']?.(...args)));
  expect(results).toEqual(calls.map(([text, strings, tree, bytes, big]) => ({ text, strings, tree, bytes, big })));
});

describe.each(COLLECTING)('with a collection before every allocation of the host (%s)', (variant) => {
  test.each([
    ['whole', () => 2],
    ['in parts, by garbage', (random: number) => (random % 3 === 0 ? 2 : random % 3)],
  ])('every type is what it was (%s)', async (_how, choose) => {
    let random = 1;
    const next = (): number => (random = (Math.imul(random, 1103515245) + 12345) >>> 16);
    const collect = (exports: Record<string, (n: number) => void>): void => {
      const what = choose(next());
      if (what === 2) exports['collect']?.(0);
      else if (what === 1) exports['churn']?.(1 + (next() % 5));
    };
    const guest = await openValues(
      variant,
      (_name, value) => {
        guest.sync['collect']?.();
        return next() % 2 === 0 ? value : later(value, next() % 2);
      },
      collect,
    );
    await fc.assert(
      fc.asyncProperty(fc.array(anyValue, { minLength: 1, maxLength: 30 }), async (values) => {
        const results = values.flatMap(([name, value]) => [
          guest.exports[`through${capital(name)}`]?.(value),
          guest.exports[`echo${capital(name)}`]?.(value),
        ]);
        expect(comparable(await Promise.all(results))).toEqual(
          comparable(values.flatMap(([, value]) => [value, value])),
        );
      }),
      { numRuns: iterations(25) },
    );
    await fc.assert(
      fc.asyncProperty(anyMixed, async ([text, strings, tree, bytes, big]) => {
        const guest = await openValues(
          variant,
          (_name, ...[t, s, n, b, i]) => ({ text: t, strings: s, tree: n, bytes: b, big: i }),
          collect,
        );
        expect(await guest.exports['mixed']?.(text, strings, tree, bytes, big)).toEqual({
          text,
          strings,
          tree,
          bytes,
          big,
        });
      }),
      { numRuns: iterations(10) },
    );
  });
});
