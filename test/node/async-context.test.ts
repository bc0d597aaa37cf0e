// SEMANTICS N.11, and the hop of N.9: AsyncLocalStorage, which only Node has.
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, test } from 'vitest';
import { core, failure, Gate, turn } from '../support/core.ts';

const storage = new AsyncLocalStorage<string>();

describe("N.11 AsyncLocalStorage is each fiber's own across suspension", () => {
  test('with fibers of different contexts that resume each other’s waits in turn', async () => {
    const seen: (string | undefined)[] = [];
    const gate = new Gate();
    const guest = await core((x) => {
      seen.push(storage.getStore());
      return gate.wait(x);
    });
    const a = storage.run('a', () => guest.exports.loop_of(2, 1));
    const b = storage.run('b', () => guest.exports.loop_of(2, 2));
    // Settled in no context at all.
    for (const x of [2, 1, 1, 2]) {
      gate.take(x).resolve(x);
      await turn();
    }
    expect(await Promise.all([a, b])).toEqual([2, 4]);
    expect(seen).toEqual(['a', 'b', 'b', 'a']);
    expect(storage.getStore()).toBeUndefined();
  });

  test('a nested call copies the context of the host function that starts it, though it starts later', async () => {
    const seen: (string | undefined)[] = [];
    const guest = await core((x) => {
      seen.push(storage.getStore());
      return x === 1 ? storage.run('inner', () => guest.exports.once(2)) : x;
    });
    await storage.run('outer', () => guest.exports.once(1));
    expect(seen).toEqual(['outer', 'inner']);
  });

  test('a fiber that waits for its turn in an exclusive guest', async () => {
    const seen: (string | undefined)[] = [];
    const guest = await core(
      (x) => {
        seen.push(storage.getStore());
        return turn().then(() => x);
      },
      { exclusive: true },
    );
    await Promise.all(['a', 'b', 'c'].map((name) => storage.run(name, () => guest.exports.twice(1))));
    expect(seen).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
  });

  test('a cancelled fiber cleans up in its own context, not in the canceller’s', async () => {
    const seen: (string | undefined)[] = [];
    const gate = new Gate();
    const guest = await core(gate.wait, {
      onReject: (error) => {
        seen.push(storage.getStore());
        return error;
      },
    });
    const fiber = storage.run('own', () => guest.spawn('once', [1]));
    storage.run('canceller', () => fiber.cancel());
    await failure(fiber.result);
    const timed = storage.run('timed', () => guest.spawn('once', [2], { timeout: 5 }));
    await failure(timed.result);
    expect(seen).toEqual(['own', 'timed']);
  });
});

test('N.9 the hop that fairness makes keeps the async context of each fiber', async () => {
  const contexts = new Map<number, Set<string | undefined>>();
  const guest = await core((x) => {
    const seen = contexts.get(x) ?? new Set();
    contexts.set(x, seen.add(storage.getStore()));
    return Promise.resolve(0);
  });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  await Promise.all([1, 2, 3].map((x) => storage.run(`fiber ${x}`, () => guest.exports.loop_of(60_000, x))));
  clearInterval(timer);
  expect([...contexts.values()].map((seen) => [...seen])).toEqual([['fiber 1'], ['fiber 2'], ['fiber 3']]);
  // Timers fired meanwhile, so there were hops.
  expect(ticks).toBeGreaterThan(0);
});
