// SEMANTICS, block I: integrity. Shadow stacks have a file of their own, and so have trampolines.
import { describe, expect, test } from 'vitest';
import { currentFiber, FiberError, type Guest, instantiate } from 'wasm-fibers';
import { onlyOn } from '../support/backend.ts';
import { code, core, failure, FN, Gate, turn, watch } from '../support/core.ts';
import { guestAddress, guestSource, loadGuest } from '../support/guest.ts';

const later = <T>(value: T): Promise<T> => turn().then(() => value);

describe('I.2 typed placeholders while unwinding, arguments replayed on rewind', () => {
  test('i64 arguments and results', async () => {
    const guest = await core(later as unknown as (x: number) => unknown);
    expect(await guest.exports.wait_i64(2n ** 62n, -1)).toBe(2n ** 62n - 1n);
  });

  test('f64, several results, none', async () => {
    const guest = await core((x) => later(x === 3 ? [1, 2n] : x));
    expect(await guest.exports.wait_f64(0.1)).toBe(0.1);
    expect(await guest.exports.wait_pair(3)).toEqual([1, 2n]);
    await guest.exports.wait_void(1);
  });
});

describe('I.3 memory grows while fibers are suspended', () => {
  test('by the guest, by the host, and by other fibers', async () => {
    const gate = new Gate();
    const guest = await core(gate.wait, { windowSize: 64 });
    const pages = guest.memory.buffer.byteLength / 65_536;
    const deep = guest.exports.deep(40, 1);
    const across = guest.exports.grow_across(1024, 3);
    guest.memory.grow(2);
    const more = guest.exports.deep(30, 2);
    gate.take(1).resolve(1);
    gate.take(3).resolve(0);
    gate.take(2).resolve(2);
    expect(await deep).toBe(41);
    expect(await across).toBe(1);
    expect(await more).toBe(32);
    expect(guest.memory.buffer.byteLength / 65_536).toBeGreaterThanOrEqual(pages + 5);
  });
});

describe('I.4 start functions may suspend', () => {
  test('instantiate waits for it, and currentFiber is right in it', async () => {
    const seen: (string | undefined)[] = [];
    const guest = watch(
      await instantiate<{ value(): number }>(guestSource('start'), {
        env: {
          wait: (x: number) => {
            seen.push(currentFiber()?.name);
            return later(x * 6);
          },
        },
      }),
    );
    expect(await guest.exports.value()).toBe(42);
    expect(seen).toEqual(['start']);
  });

  test('what it rejects with, instantiate rejects with', async () => {
    const error = new Error('no');
    expect(await failure(instantiate(guestSource('start'), { env: { wait: () => Promise.reject(error) } }))).toBe(
      error,
    );
  });
});

onlyOn('jspi', 'what Asyncify cannot instrument', () => {
  interface Beyond {
    count_down(n: number): number;
    wait_last(x: number): number;
    last_by_table(fn: number, x: number): number;
    keeps(x: number): object;
    by_reference(x: number): number;
  }

  /** Its index in the table of beyond-asyncify.wat. */
  const WAIT_LAST = 1;

  async function beyond(wait: (x: number) => unknown): Promise<{ guest: Guest<Beyond>; objects: object[] }> {
    const objects: object[] = [];
    const object = (x: number): object => (objects[x] = { x });
    return {
      guest: watch(await instantiate<Beyond>(loadGuest('beyond-asyncify'), { env: { wait, object } })),
      objects,
    };
  }

  describe('I.6 tail calls', () => {
    test('of functions that wait, as many as one likes: the stack does not grow', async () => {
      const { guest } = await beyond((x) => (x % 2 === 1 ? Promise.resolve(x) : later(x)));
      expect(await guest.exports.count_down(5)).toBe(42);
      expect(await guest.exports.count_down(20_000)).toBe(42);
    });

    test('of the import itself, directly and through a table', async () => {
      const { guest } = await beyond((x) => later(x * 2));
      expect(await guest.exports.wait_last(1)).toBe(6);
      expect(await guest.exports.last_by_table(WAIT_LAST, 5)).toBe(14);
      const error = new Error('no');
      const { guest: failing } = await beyond(() => later(0).then(() => Promise.reject(error)));
      expect(await failure(failing.exports.wait_last(1))).toBe(error);
    });

    test('many fibers at once, some cancelled', async () => {
      const gate = new Gate();
      const { guest } = await beyond(gate.wait);
      const fibers = Array.from({ length: 30 }, (_, i) => guest.spawn('last_by_table', [WAIT_LAST, i]));
      const results = fibers.map(({ result }) => result.catch((error: { code: string }) => error.code));
      for (let i = 0; i < 30; i++) {
        const x = (i * 7) % 30;
        if (x % 5 === 0) fibers[x]?.cancel();
        else gate.take(x + 2).resolve(x * 10);
      }
      expect(await Promise.all(results)).toEqual(fibers.map((_, x) => (x % 5 === 0 ? 'CANCELLED' : x * 10)));
    });
  });

  test("I.6 a reference to an object of the host's is kept across a wait, by each fiber its own", async () => {
    const gate = new Gate();
    const { guest, objects } = await beyond(gate.wait);
    const kept = Array.from({ length: 10 }, (_, x) => guest.exports.keeps(x));
    for (const { resolve } of gate.calls.splice(0).reverse()) resolve(0);
    for (const [x, object] of (await Promise.all(kept)).entries()) expect(object).toBe(objects[x]);
  });

  test('I.6 a call by reference may wait, in the guest and in the import', async () => {
    const { guest } = await beyond((x) => later(x * 10));
    expect(await guest.exports.by_reference(1)).toBe(30 + 10);
  });
});

onlyOn('asyncify', 'functions left out of the instrumentation', () => {
  describe('I.8 a suspension through a function that was left out of the instrumentation', () => {
    test('is detected before that function goes on, and names it and its callers', async () => {
      const guest = watch(
        await instantiate<{ through(x: number): number; around(x: number): number; written(): number }>(
          guestSource('partial'),
          {
            env: { wait: (x: number) => (x < 0 ? x : later(x)) },
          },
        ),
      );
      const error = await failure(guest.exports.through(1));
      expect(error).toMatchObject({ code: 'UNINSTRUMENTED_FRAME' });
      expect(String(error)).toMatch(/left_out.*called by.*caller/s);
      expect(await guest.exports.written()).toBe(0);
      // The guest is usable, and what does not wait there works.
      expect(await guest.exports.around(5)).toBe(6);
      expect(await guest.exports.through(-20)).toBe(-9);
    });
  });
});

describe('I.10 after any error the guest is fully usable, or says why it is not', () => {
  const disturbances: [string, (guest: Awaited<ReturnType<typeof core>>) => unknown][] = [
    ['a trap', (guest) => failure(guest.exports.trap())],
    ['a trap after a wait', (guest) => failure(guest.exports.trap_after(1))],
    ['endless recursion', (guest) => failure(guest.exports.forever(1))],
    ['a rejection', (guest) => failure(guest.exports.deep(9, -1))],
    [
      'a cancellation',
      (guest) => {
        const fiber = guest.spawn('deep', [9, 1]);
        fiber.cancel();
        return failure(fiber.result);
      },
    ],
    ['a refused wait in a sync call', (guest) => expect(() => guest.sync.once(1)).toThrow(FiberError)],
    ['a trap in a sync call', (guest) => expect(() => guest.sync.trap()).toThrow(WebAssembly.RuntimeError)],
    ['a refused wait behind a host function', (guest) => failure(guest.exports.through_opaque(FN.once, 1))],
    ['a trap behind a trampoline', (guest) => failure(guest.exports.through_call(FN.trapAfter, 1))],
    [
      'a raw call that wants to wait',
      (guest) => expect(() => (guest.instance.exports['once'] as (x: number) => number)(1)).toThrow(FiberError),
    ],
    [
      'a raw call that traps',
      (guest) => expect(() => (guest.instance.exports['trap'] as () => number)()).toThrow(WebAssembly.RuntimeError),
    ],
  ];
  test.each(disturbances)('%s', async (_name, disturb) => {
    const gate = new Gate();
    const guest = await core((x) => (x < 0 ? Promise.reject(new Error('no')) : x >= 100 ? gate.wait(x) : later(x)));
    const before = guest.exports.deep(12, 100);
    await disturb(guest);
    expect(currentFiber()).toBeNull();
    const after = guest.exports.deep(7, 101);
    expect(await guest.exports.loop_of(5, 2)).toBe(10);
    expect(guest.sync.plus_one(1)).toBe(2);
    gate.take(101).resolve(1);
    expect(await after).toBe(8);
    gate.take(100).resolve(1);
    expect(await before).toBe(13);
  });
});

describe('what an embedder gets wrong is said in a sentence', () => {
  const imports = { env: { wait: (x: number) => x } };

  test.each([
    ['text', new TextEncoder().encode('<!doctype html>'), 'NOT_WASM'],
    ['nothing', new Uint8Array(0), 'NOT_WASM'],
    ['a component', new Uint8Array([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]), 'NOT_WASM'],
    ['half a module', new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 99]), 'BAD_MODULE'],
  ])('a source that is %s', async (_name, source, expected) => {
    expect(await code(instantiate(source, imports))).toBe(expected);
  });

  test('a string for a source', async () => {
    expect(await failure(instantiate('app.wasm' as unknown as URL))).toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('new URL'),
    });
  });

  test('every missing import is named, with its type', async () => {
    const error = await failure(instantiate(guestSource('core'), { env: { wait: (x: number) => x, note: 5 } }));
    expect(error).toMatchObject({ code: 'MISSING_IMPORTS' });
    for (const part of [
      'env.wait_i64 (function (i64) -> i64)',
      'env.wait_pair (function (i32) -> (i32, i64))',
      'env.opaque',
      'env.note',
    ]) {
      expect(String(error)).toContain(part);
    }
    expect(String(error)).not.toContain('env.wait (');
  });

  test.each([
    ['maxFibers', 0],
    ['maxFibers', 1.5],
    ['stackSize', -1],
    ['stackSize', 100.5],
    ['windowSize', Number.NaN],
    ['slowAfter', 0],
    ['backend', 'other'],
    ['onTrap', 'explode'],
    ['exclusive', 'no'],
    ['debug', 1],
    ['onEvent', 5],
    ['onReject', 'no'],
    ['signal', {}],
    ['maxFiber', 10],
  ])('%s: %s', async (name, value) => {
    const error = await failure(instantiate(guestSource('start'), imports, { [name]: value }));
    expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining(name) });
    expect(String(error)).toContain(String(value));
  });

  test.each([
    ['timeout', '5'],
    ['name', 5],
    ['parent', 5],
    ['nme', 'misspelt'],
  ])('spawn with %s: %s', async (name, value) => {
    const guest = await core(later);
    expect(() => guest.spawn('once', [1], { [name]: value })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(name) }),
    );
    expect(() => guest.spawn('once', 5 as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    expect(() => guest.wrap(5 as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
    expect(guest.fibers).toEqual([]);
  });

  test('an export that is not there, listing those that are', async () => {
    const guest = await core(later);
    expect(() => guest.spawn('runn' as 'once')).toThrow(
      expect.objectContaining({ code: 'NO_SUCH_EXPORT', message: expect.stringContaining('once') }),
    );
  });
});

test('sources: URL, bytes, module, response, and promises of them', async () => {
  const bytes = await loadGuest('start');
  const imports = { env: { wait: (x: number) => x } };
  const response = new Response(bytes, { headers: { 'content-type': 'application/octet-stream' } });
  const url = guestAddress('start');
  for (const source of [
    bytes,
    bytes.buffer,
    new WebAssembly.Module(bytes),
    response,
    url,
    Promise.resolve(bytes),
    Promise.resolve(url),
  ]) {
    const guest = watch(await instantiate<{ value(): number }>(source, imports));
    expect(await guest.exports.value()).toBe(7);
  }
  expect(await code(instantiate(guestAddress('there-is-none'), imports))).toMatch(/BAD_MODULE|NOT_WASM/);
});

describe('a guest with a stack in memory and no allocator', () => {
  const open = async (wait: (x: number) => unknown, options = {}) =>
    watch(
      await instantiate<{ kept(x: number, depth: number): number }>(guestSource('stack'), { env: { wait } }, options),
    );

  test('runs one fiber at a time on its own stack', async () => {
    const guest = await open(later);
    for (let i = 0; i < 5; i++) expect(await guest.exports.kept(i, 300)).toBe(i);
    const exclusive = await open(later, { exclusive: true });
    expect(await Promise.all([1, 2, 3].map((i) => exclusive.exports.kept(i, 10 * i)))).toEqual([1, 2, 3]);
  });

  test('refuses a second one with the remedy, and neither harms the first nor the guest', async () => {
    const gate = new Gate();
    const guest = await open(gate.wait);
    const first = guest.exports.kept(5, 0);
    expect(await failure(guest.exports.kept(6, 0))).toMatchObject({
      code: 'NO_ALLOCATOR',
      message: expect.stringContaining('malloc'),
    });
    expect(guest.sync.kept).toBeTypeOf('function');
    gate.take(5).resolve(0);
    expect(await first).toBe(5);
  });

  test('has its overflow reported before it happens', async () => {
    const guest = await open(later);
    expect(await failure(guest.exports.kept(1, 5000))).toMatchObject({ code: 'SHADOW_STACK_OVERFLOW' });
    expect(await guest.exports.kept(1, 5)).toBe(1);
  });
});
