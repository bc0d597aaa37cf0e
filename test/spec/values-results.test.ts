// Imports that return `Result<T>`: what the host function gives, throws or rejects with is a value that the guest looks at,
// and never the end of its fiber.
import { describe, expect, test } from 'vitest';
import { instantiate as instantiateCore } from 'wasm-fibers';
import { type Guest, instantiate } from 'wasm-fibers/assemblyscript';
import { code, failure, turn, watch } from '../support/core.ts';
import { guestSource } from '../support/guest.ts';

interface Outcomes {
  text(key: string): string;
  numbers(key: string): string;
  points(key: string): string;
  orNull(key: string): string;
  nothing(key: string): string;
  immediately(key: string): string;
  unwrapped(key: string): string;
  collect(): void;
}

type Give = (key: string, name: string) => unknown;

/** A guest all of whose imports ask `give`, and collect whenever they are called. */
async function open(variant: string, give: Give): Promise<Guest<Outcomes>> {
  const env: Record<string, (key: string) => unknown> = {};
  for (const name of ['fetch', 'small', 'wide', 'single', 'double', 'flag', 'points', 'nullable', 'nothing', 'now']) {
    env[name] = (key) => {
      guest.sync.collect();
      return give(key, name);
    };
  }
  const guest: Guest<Outcomes> = watch(await instantiate<Outcomes>(guestSource(`typed/outcomes-${variant}`), { env }));
  return guest;
}

const VALUES: Readonly<Record<string, unknown>> = {
  fetch: 'found',
  small: 200,
  wide: -(2n ** 62n),
  single: 0.5,
  double: 1e300,
  flag: true,
  points: [
    { x: 1, name: 'a' },
    { x: 2.5, name: 'b' },
  ],
  nullable: null,
  nothing: undefined,
  now: 'at once',
};

class Refusal extends Error {
  readonly code = 'REFUSED';
}

describe.each(['O3', 'debug'])('Result<T> (%s)', (variant) => {
  const ways: readonly (readonly [string, (make: () => unknown) => unknown])[] = [
    ['at once', (make) => make()],
    ['after a wait', (make) => turn().then(make)],
  ];

  test.each(ways)('holds a value of every type, given %s', async (_way, later) => {
    const guest = await open(variant, (_key, name) => (name === 'now' ? VALUES[name] : later(() => VALUES[name])));
    const all = Array.from({ length: 20 }, async (_, i) => {
      expect(await guest.exports.text(`k${i}`)).toBe(`found, before k${i}`);
      expect(await guest.exports.numbers('k')).toBe(`200 ${-(2n ** 62n)} 0.5 1e+300 true`);
      expect(await guest.exports.points('k')).toBe('a1.0 b2.5');
      expect(await guest.exports.orNull('k')).toBe('null');
      expect(await guest.exports.nothing('k')).toBe('done');
      expect(await guest.exports.immediately('k')).toBe('at once');
      expect(await guest.exports.unwrapped('k')).toBe('found');
    });
    await Promise.all(all);
  });

  test.each(ways)('holds what the host function failed with, %s', async (_way, later) => {
    const refuse = (): never => {
      throw new Refusal('not today');
    };
    const guest = await open(variant, (_key, name) => (name === 'now' ? refuse() : later(refuse)));
    expect(await guest.exports.text('k')).toBe('REFUSED: not today, before k');
    expect(await guest.exports.numbers('k')).toBe(Array(5).fill('REFUSED: not today').join(' '));
    for (const name of ['points', 'orNull', 'nothing', 'immediately'] as const) {
      expect(await guest.exports[name]('k')).toBe('REFUSED: not today');
    }
    expect(((await failure(guest.exports.unwrapped('k'))) as Error).message).toContain('not today');
  });

  test.each(ways)('holds that the value was of the wrong type, %s', async (_way, later) => {
    const guest = await open(variant, (_key, name) => (name === 'now' ? 5 : later(() => ({}))));
    expect(await guest.exports.text('k')).toMatch(/^TypeError: env\.fetch: .* must be a string, not .*, before k$/);
    expect(await guest.exports.numbers('k')).toMatch(/^TypeError: env\.small: .*from 0 to 255/);
    expect(await guest.exports.points('k')).toMatch(/^TypeError: env\.points: .* must be an array/);
    expect(await guest.exports.immediately('k')).toMatch(/^TypeError: env\.now: .* must be a string/);
  });

  test('a cancelled fiber ends all the same', async () => {
    const guest = await open(variant, () => new Promise(() => undefined));
    const fiber = guest.spawn('text', ['k']);
    await turn();
    fiber.cancel();
    expect(await code(fiber.result)).toBe('CANCELLED');
  });
});

test('the core says which instantiate takes a module with tasks', async () => {
  const error = (await failure(instantiateCore(guestSource('typed/tasks-O3')))) as Error;
  expect(error).toMatchObject({ code: 'MISSING_IMPORTS' });
  expect(error.message).toContain('instantiate of wasm-fibers/assemblyscript');
});
