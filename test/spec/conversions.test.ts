// Objects where the guest takes a number: making one of them runs the embedder's code, in the middle of a guest call.
import { describe, expect, test } from 'vitest';
import { canSuspend, currentFiber } from 'wasm-fibers';
import { core, failure, turn } from '../support/core.ts';

const later = <T>(value: T): Promise<T> => turn().then(() => value);

describe('I.10 what a host function returns is converted where the host function runs', () => {
  test.each(['at once', 'after a wait'])(
    'the fiber is the current one, and others begin behind it (%s)',
    async (when) => {
      const seen: unknown[] = [];
      const others: Promise<unknown>[] = [];
      let calls = 0;
      const converted = {
        valueOf() {
          seen.push(currentFiber()?.name, canSuspend());
          others.push(guest.exports.once(7));
          seen.push(guest.fibers.at(-1)?.state, guest.sync.note(3));
          return 5;
        },
      };
      const guest = await core(
        // The fiber waits before, so that it has been resumed, and after, so that what happens between is found out.
        (x) => (x === 7 || ++calls !== 2 ? later(x) : when === 'at once' ? converted : later(converted)),
      );
      const fiber = guest.spawn('loop_of', [3, 1], { name: 'loop' });
      expect(await fiber.result).toBe(1 + 5 + 1);
      expect(seen.slice(2)).toEqual(['created', 3]);
      expect(seen[0]).toBe('loop');
      expect(await Promise.all(others)).toEqual([7]);
    },
  );

  test('several results: the iterable and its members', async () => {
    const names: unknown[] = [];
    const note = (value: number | bigint) => ({
      valueOf() {
        names.push(currentFiber()?.name);
        return value;
      },
    });
    const guest = await core((x) =>
      later({
        *[Symbol.iterator]() {
          names.push(currentFiber()?.name);
          yield note(x);
          yield note(6n);
        },
      }),
    );
    const fiber = guest.spawn('wait_pair', [4], { name: 'pair' });
    expect(await fiber.result).toEqual([4, 6n]);
    expect(names).toEqual(['pair', 'pair', 'pair']);
  });

  test('what only looks like a promise fails the call that gave it, and no other', async () => {
    const no = (): never => {
      throw new Error('not this one');
    };
    const odd: (() => unknown)[] = [
      () => new Proxy({}, { get: no }),
      () => Object.defineProperty(Promise.resolve(1), 'constructor', { get: no }),
      () => new Proxy(Promise.resolve(1), {}),
      () => Object.create(Promise.prototype) as unknown,
    ];
    const guest = await core((x) => (x < odd.length ? odd[x]?.() : later(x)));
    for (const x of odd.keys()) expect(await failure(guest.exports.once(x))).toBeInstanceOf(Error);
    expect(await guest.exports.once(9)).toBe(9);
  });

  test('what cannot be converted fails the call that gave it', async () => {
    const guest = await core((x) => (x === 1 ? later({ valueOf: () => 1n }) : later({ valueOf: () => x })));
    expect(await failure(guest.exports.once(1))).toBeInstanceOf(TypeError);
    expect(await failure(guest.exports.wait_pair(1))).toBeInstanceOf(TypeError);
    expect(await guest.exports.once(2)).toBe(2);
  });
});

test('I.10 a fiber that is cancelled as soon as it is heard of leaves the turn of an exclusive guest alone', async () => {
  const guest = await core(later, {
    exclusive: true,
    onEvent: ({ type, fiber }) => {
      if (type === 'spawn' && fiber.name === 'unwanted') fiber.cancel();
    },
  });
  const unwanted = guest.spawn('once', [1], { name: 'unwanted', timeout: 10_000 });
  expect(await failure(unwanted.result)).toMatchObject({ code: 'CANCELLED' });
  expect(await guest.exports.once(2)).toBe(2);
});
