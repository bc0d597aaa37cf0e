// Results of AssemblyScript guests are references that only the host holds: nothing of the guest may run, and so nothing
// may be collected, until the code that awaits them has read them.
import { describe, expect, test } from 'vitest';
import { type Guest, type GuestOptions, instantiate } from 'wasm-fibers';
import { failure, turn, watch } from '../support/core.ts';
import { guestSource } from '../support/guest.ts';

interface Results {
  label(n: number): number;
  churn(n: number): number;
}

async function open(wait: (n: number) => unknown, options: GuestOptions = {}): Promise<Guest<Results>> {
  const abort = (): never => {
    throw new Error('the guest aborted');
  };
  return watch(await instantiate<Results>(guestSource('results'), { env: { wait_i32: wait, abort } }, options));
}

/** Reads an AssemblyScript string: its size in bytes stands before it. */
function read(guest: Guest<Results>, at: number): string {
  const size = new DataView(guest.memory.buffer).getUint32(at - 4, true);
  return String.fromCharCode(...new Uint16Array(guest.memory.buffer, at, size / 2));
}

describe('a string that a fiber returns', () => {
  test.each([
    ['by await', async (guest: Guest<Results>, n: number) => read(guest, await guest.exports.label(n))],
    [
      'by await of an asynchronous function around the call',
      async (guest: Guest<Results>, n: number) => {
        const call = async (): Promise<number> => guest.exports.label(n);
        return read(guest, await call());
      },
    ],
    [
      'by a fiber’s handle',
      async (guest: Guest<Results>, n: number) => read(guest, await guest.spawn('label', [n]).result),
    ],
  ])('is still itself when it is read, however many others resume at the same time (%s)', async (_how, get) => {
    let release: () => void = () => undefined;
    for (let round = 0; round < 5; round++) {
      const shared = new Promise<void>((resolve) => (release = resolve));
      const guest = await open((n) => shared.then(() => n));
      const all = Array.from({ length: 300 }, async (_, i) => {
        const text = await get(guest, i);
        // The others are still there, and would allocate over it.
        void guest.exports.churn(50);
        return text;
      });
      release();
      expect(await Promise.all(all)).toEqual(all.map((_, i) => `value-${i}`));
      while (guest.fibers.length > 0) await turn();
    }
  });

  test('in an exclusive guest, where the end of one fiber starts the next', async () => {
    const guest = await open((n) => n, { exclusive: true });
    const all = Array.from({ length: 300 }, async (_, i) => {
      const at = await guest.exports.label(i);
      return read(guest, at);
    });
    const litter = Array.from({ length: 300 }, () => guest.exports.churn(200));
    expect(await Promise.all(all)).toEqual(all.map((_, i) => `value-${i}`));
    await Promise.all(litter);
    // With waits, so that the turns are queued when a result is on its way.
    const waiting = await open((n) => turn().then(() => n), { exclusive: true });
    const pairs = Array.from({ length: 30 }, async (_, i) => {
      const call = async (): Promise<number> => waiting.exports.label(i);
      const text = call().then((at) => read(waiting, at));
      void waiting.exports.churn(20_000);
      return text;
    });
    expect(await Promise.all(pairs)).toEqual(pairs.map((_, i) => `value-${i}`));
  });

  test('when fibers end without having waited, one after the other in one go', async () => {
    const guest = await open((n) => n);
    const all = Array.from({ length: 300 }, async (_, i) => read(guest, await guest.exports.label(i)));
    expect(await Promise.all(all)).toEqual(all.map((_, i) => `value-${i}`));
  });
});

test('fibers that waited for a result to be read resume in their order, and can be cancelled meanwhile', async () => {
  const order: number[] = [];
  let release: () => void = () => undefined;
  const shared = new Promise<void>((resolve) => (release = resolve));
  const guest = await open((n) => shared.then(() => n));
  const fibers = Array.from({ length: 20 }, (_, i) => guest.spawn('label', [i]));
  const ends = fibers.map((fiber, i) =>
    fiber.result.then(() => {
      order.push(i);
      if (i === 0) fibers[10]?.cancel();
    }),
  );
  release();
  const cancelled = await failure(fibers[10]?.result ?? Promise.resolve());
  expect(cancelled).toMatchObject({ code: 'CANCELLED' });
  await Promise.allSettled(ends);
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
});
