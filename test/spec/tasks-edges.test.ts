// The guest library where little programs seldom go: fibers that are no tasks, guests that are poisoned, calls without a
// fiber, deadlocks of several, errors that describe themselves differently each time, and what embedders see at the end.
import { describe, expect, test, vi } from 'vitest';
import { type Fiber, FiberError, type Guest, type InstantiateOptions, instantiate } from 'wasm-fibers/assemblyscript';
import { perBackend } from '../support/backend.ts';
import { code, failure, Gate, turn, untilFibers } from '../support/core.ts';
import { guestSource } from '../support/guest.ts';
import { messageOf } from '../support/tasks.ts';

interface Exports {
  sleeps(ms: number): void;
  waitForEvent(): number;
  waitThenSet(): number;
  park(count: number): void;
  trap(): void;
  resultOfTrap(): number;
  startTrap(): void;
  double(x: number): number;
  startWait(x: number): void;
  runPermitted(): number;
  available(): number;
  tries(): string;
  limits(): string;
  shields(): number;
  setLocal(value: number): void;
  getLocal(): number;
  kick(): number;
  gatherOfAskers(askers: number): string;
  crossedGathers(): string;
  gatherOfAsker(): number;
  gatherTwice(): number;
  gatherMany(count: number, kind: number): number;
  oneByOne(count: number): number;
  failureOfWait(x: number): string;
  heap(): string;
  waitsThrough(): number;
  waitsAlone(): void;
  isLocked(): boolean;
  holdLock(): number;
  holdLockAndDefer(): number;
  takeLock(): boolean;
  outcomeOfHolder(): string;
  startHolder(): void;
  collect(): void;
}

interface Opened {
  readonly guest: Guest<Exports>;
  readonly said: string[];
  /** Failures that nobody asked for, and the names of their tasks. */
  readonly reported: [unknown, string][];
}

async function open(
  variant: string,
  wait: (x: number) => unknown = (x) => x,
  options: InstantiateOptions = {},
): Promise<Opened> {
  const said: string[] = [];
  const reported: [unknown, string][] = [];
  const env = {
    say: (text: string) => void said.push(text),
    wait(x: number): unknown {
      guest.sync.collect();
      return wait(x);
    },
  };
  const guest = await instantiate<Exports>(
    guestSource(`typed/tasks-edges-${variant}`),
    { env },
    { onTaskError: (error: unknown, fiber: Fiber) => void reported.push([error, fiber.name]), ...options },
  );
  return { guest, said, reported };
}

/** The numbers of fibers are of no interest. */
const plain = (text: string): string => text.replace(/#\d+/g, '#');

const NOBODY = 'All tasks wait, and nobody is left to wake them';

describe.each(['O3', 'debug'])('calls of the embedder that are no tasks (%s)', (variant) => {
  test('leave nothing behind when they are cancelled in a sleep', async () => {
    const gate = new Gate();
    const { guest } = await open(variant, gate.wait, { whenIdle: 'deadlock' });
    const sleeping = guest.spawn('sleeps', [Infinity]);
    sleeping.cancel();
    expect(await code(sleeping.result)).toBe('CANCELLED');
    const woken = guest.exports.waitForEvent();
    const waking = guest.exports.waitThenSet();
    await gate.until(1);
    gate.take(1).resolve(1);
    expect(await Promise.all([woken, waking])).toEqual([7, 1]);
  });

  test('leave no timer behind', async () => {
    const { guest } = await open(variant);
    const set = vi.spyOn(globalThis, 'setTimeout');
    const cleared = vi.spyOn(globalThis, 'clearTimeout');
    try {
      const sleeping = guest.spawn('sleeps', [123_456]);
      const timer = set.mock.results[set.mock.calls.findIndex(([, ms]) => ms === 123_456)];
      sleeping.cancel();
      expect(await code(sleeping.result)).toBe('CANCELLED');
      expect(timer?.type).toBe('return');
      expect(cleared).toHaveBeenCalledWith(timer?.value);
    } finally {
      set.mockRestore();
      cleared.mockRestore();
    }
  });

  test('say in dumps that they sleep', async () => {
    const { guest } = await open(variant);
    const sleeping = guest.spawn('sleeps', [Infinity]);
    expect(guest.dump().map(({ waitingFor }) => waitingFor)).toEqual(['the end of its sleep']);
    sleeping.cancel();
    await untilFibers(guest, 0);
  });
});

describe.each(['O3', 'debug'])('a guest that is poisoned (%s)', (variant) => {
  test('reports none of the tasks that were waiting', async () => {
    const { guest, reported } = await open(variant, (x) => x, { onTrap: 'poison' });
    await guest.exports.park(3);
    await untilFibers(guest, 3);
    expect(await failure(guest.exports.trap())).toBeInstanceOf(WebAssembly.RuntimeError);
    await untilFibers(guest, 0);
    await turn();
    expect(reported).toEqual([]);
  });

  test('reports the trap of a task unless it is the cause that a call of the embedder ends with', async () => {
    const waited = await open(variant, (x) => x, { onTrap: 'poison' });
    const error = await failure(waited.guest.exports.resultOfTrap());
    expect(error).toMatchObject({ code: 'GUEST_POISONED', cause: expect.any(WebAssembly.RuntimeError) });
    await turn();
    expect(waited.reported).toEqual([]);
    const alone = await open(variant, (x) => x, { onTrap: 'poison' });
    await alone.guest.exports.park(2);
    await alone.guest.exports.startTrap();
    await untilFibers(alone.guest, 0);
    await turn();
    expect(alone.reported).toEqual([[expect.any(WebAssembly.RuntimeError), 'trapping']]);
  });

  test('is another matter than the failure of a task that called it', async () => {
    const poisoned = new FiberError('GUEST_POISONED', 'another guest');
    const { guest, reported } = await open(variant, async () => {
      await turn();
      throw poisoned;
    });
    await guest.exports.startWait(1);
    await untilFibers(guest, 0);
    await turn();
    expect(reported).toEqual([[poisoned, 'waiting']]);
  });
});

describe.each(['O3', 'debug'])('calls without a fiber (%s)', (variant) => {
  const NO_FIBER: unknown = expect.objectContaining({ code: 'NO_FIBER' });

  test('take nothing, and start nothing, when they are refused', async () => {
    const { guest } = await open(variant);
    expect(() => guest.sync.runPermitted()).toThrow(NO_FIBER);
    expect(guest.sync.available()).toBe(1);
    expect(() => guest.sync.tries()).toThrow(NO_FIBER);
    expect(() => guest.sync.limits()).toThrow(NO_FIBER);
    expect(() => guest.sync.shields()).toThrow(NO_FIBER);
    expect(guest.fibers).toEqual([]);
    expect(await guest.exports.runPermitted()).toBe(3);
  });

  test('see the initial values of task-local variables, and so do the tasks that they start', async () => {
    const { guest, said } = await open(variant);
    expect(() => guest.sync.setLocal(4)).toThrow(NO_FIBER);
    guest.sync.kick();
    await guest.exports.setLocal(5);
    expect(guest.sync.getLocal()).toBe(1);
    guest.sync.kick();
    await untilFibers(guest, 0);
    expect(said).toEqual(['local 1', 'local 1']);
  });
});

describe.each(['O3', 'debug'])('deadlocks of several (%s)', (variant) => {
  test.each([1, 2, 3])('all %i that are left wait for the one who gathers them', async (askers) => {
    const { guest } = await open(variant);
    const text = plain(await guest.exports.gatherOfAskers(askers));
    const list = ['# (asker)', '# (asker)', '# (asker)'].slice(0, askers).join(' and ');
    expect(text).toBe(`DEADLOCK: The wait would never end: # (main) waits for ${list}, # (asker) waits for # (main).`);
    await untilFibers(guest, 0);
  });

  test('each of two gathers a task that asks for the other one', async () => {
    const gate = new Gate();
    const { guest } = await open(variant, gate.wait);
    const crossed = guest.exports.crossedGathers();
    // The first knows meanwhile of nothing but a task that leads to the second, where one may still end the wait.
    await untilFibers(guest, 6);
    gate.take(1).resolve(1);
    expect(plain(await crossed)).toMatch(
      /^DEADLOCK: .*\(other\) waits for # \(asks main\).* \| DEADLOCK: .*\(other\) waits for/,
    );
    await untilFibers(guest, 0);
  });

  test('not if what the last of them waits for has just ended', async () => {
    const { guest } = await open(variant);
    expect(await guest.exports.gatherOfAsker()).toBe(55);
    expect(await guest.exports.gatherTwice()).toBe(4);
  });

  test.each([
    ['that are plain', 0],
    ['at one lock', 1],
    ['that gather', 2],
    ['that look at several', 3],
  ])('looking for them does not slow down a thousand tasks %s', async (_, kind) => {
    const { guest } = await open(variant);
    expect(await guest.exports.gatherMany(1000, kind)).toBe(499_500);
  });
});

test('gathering takes no longer than asking one by one', async () => {
  const { guest } = await open('O3', (x) => x, { maxFibers: 1_000_000 });
  const time = async (run: () => Promise<number>): Promise<number> => {
    const before = performance.now();
    await run();
    return performance.now() - before;
  };
  // As many as JSPI holds at once, with some to spare.
  const count = perBackend({ asyncify: 30_000, jspi: 4000 });
  await guest.exports.oneByOne(count);
  const single = await time(() => guest.exports.oneByOne(count));
  expect(await time(() => guest.exports.gatherMany(count, 0))).toBeLessThan(single * 5);
}, 60_000);

describe.each(['O3', 'debug'])('errors that describe themselves (%s)', (variant) => {
  const changing = (): unknown => {
    let asked = 0;
    return { code: 'X', toString: () => (asked++ === 0 ? 'z' : 'y'.repeat(100_000)) };
  };

  test('differently each time are described once', async () => {
    const { guest } = await open(variant, async () => {
      await turn();
      throw changing();
    });
    const heap = guest.sync.heap();
    for (let i = 0; i < 10; i++) {
      expect(await guest.exports.failureOfWait(1)).toBe('X: ztrue');
      expect(guest.sync.heap()).toBe(heap);
    }
  });

  test('not at all, or as something else than text, are described by us', async () => {
    const hidden = new Error('never read');
    for (const key of ['message', 'code', 'name']) {
      Object.defineProperty(hidden, key, {
        get: () => {
          throw new Error('no');
        },
      });
    }
    const odd = Object.assign(new Error(''), { message: 5, code: 6, name: 7 });
    const { guest } = await open(variant, async (x) => {
      await turn();
      throw [hidden, odd, null, Object.create(null)][x];
    });
    const described: string[] = [];
    for (let i = 0; i < 4; i++) described.push(await guest.exports.failureOfWait(i));
    const nothing = 'Error: an error without a descriptiontrue';
    expect(described).toEqual([nothing, 'Error: 5true', 'Error: nulltrue', nothing]);
  });
});

describe.each(['O3', 'debug'])('nobody is left (%s)', (variant) => {
  test('a failure that is passed on to a call of the embedder is reported nowhere else', async () => {
    const { guest, reported } = await open(variant, (x) => x, { whenIdle: 'deadlock' });
    expect(await messageOf(guest.exports.waitsThrough())).toContain(NOBODY);
    // The tasks that it had waited for end after it: in a later turn, where a resume had to let timers run first.
    await untilFibers(guest, 0);
    await turn();
    expect(reported).toEqual([]);
  });

  test('a failure that is passed on to a task is reported once, as the failure of the last', async () => {
    const { guest, reported } = await open(variant, (x) => x, { whenIdle: 'deadlock' });
    await guest.exports.waitsAlone();
    await untilFibers(guest, 0);
    await turn();
    expect(reported).toEqual([[expect.objectContaining({ code: 'DEADLOCK' }), 'outer']]);
  });
});

describe.each(['O3', 'debug'])("the end of the embedder's calls (%s)", (variant) => {
  test('releases their locks before anybody hears of it', async () => {
    const gate = new Gate();
    const { guest } = await open(variant, gate.wait);
    const cancelled = guest.spawn('holdLock', []);
    cancelled.cancel();
    expect(await code(cancelled.result)).toBe('CANCELLED');
    expect(guest.sync.isLocked()).toBe(false);
    gate.take(1).resolve(1);
    const failed = guest.spawn('holdLock', []);
    gate.take(1).reject(new Error('no'));
    expect(await messageOf(failed.result)).toBe('no');
    expect(guest.sync.isLocked()).toBe(false);
    const returned = guest.spawn('holdLock', []);
    gate.take(1).resolve(1);
    expect(await returned.result).toBe(1);
    expect(guest.sync.isLocked()).toBe(false);
  });

  test('comes before what they have deferred, which still has their locks', async () => {
    const { guest, said } = await open(variant, () => new Promise(() => undefined));
    const cancelled = guest.spawn('holdLockAndDefer', []);
    const seen = cancelled.result.catch(() => {
      expect(said).toEqual([]);
      return guest.sync.isLocked();
    });
    cancelled.cancel();
    while (cancelled.state !== 'done') await Promise.resolve();
    expect(guest.fibers.map(({ name }) => name)).toEqual(['cleanup of holdLockAndDefer']);
    expect(await seen).toBe(true);
    await untilFibers(guest, 0);
    expect(said).toEqual(['caller true', 'caller tidied']);
    expect(guest.sync.isLocked()).toBe(false);
  });
});

describe.each(['O3', 'debug'])('turns of an exclusive guest (%s)', (variant) => {
  test('a lock is not held by one who has lost his turn', async () => {
    const gate = new Gate();
    const { guest, said } = await open(variant, gate.wait, { exclusive: true });
    const holder = guest.spawn('holdLockAndDefer', []);
    const next = guest.exports.takeLock();
    await turn();
    holder.cancel();
    expect(await code(holder.result)).toBe('CANCELLED');
    expect(await next).toBe(true);
    await untilFibers(guest, 0);
    expect(said).toEqual(['caller true', 'caller tidied']);
  });

  test('a task that cleans up shares the turn of those who wait for it', async () => {
    const gate = new Gate();
    const { guest, said } = await open(variant, gate.wait, { exclusive: true });
    const outcome = guest.exports.outcomeOfHolder();
    const next = guest.exports.takeLock();
    await turn();
    gate.take(1).reject(new Error('no'));
    expect(await outcome).toBe('Error: no false');
    expect(await next).toBe(true);
    expect(said).toEqual(['task true', 'task tidied']);
  });

  test('a task that nobody waits for cleans up before the next turn', async () => {
    const gate = new Gate();
    const { guest, said } = await open(variant, gate.wait, { exclusive: true, onTaskError: () => undefined });
    await guest.exports.startHolder();
    const next = guest.exports.takeLock();
    await gate.until(1);
    gate.take(1).reject(new Error('no'));
    expect(await next).toBe(true);
    expect(said).toEqual(['task true', 'task tidied']);
  });
});
