// SEMANTICS I.1 and R.1 on guests that compilers made: what a stack in linear memory holds survives every order of
// suspending and resuming. The guests check themselves (test/guests); what they export answers with what they lost.
import { describe, expect, test } from 'vitest';
import { type Guest, type GuestOptions, type Imports, instantiate, reentrant } from 'wasm-fibers';
import { code, failure, turn, watch } from '../support/core.ts';
import { guestSource, hasGuest } from '../support/guest.ts';
import { Scatter, sequence } from '../support/scatter.ts';
import { Exit, wasiStubs } from '../support/wasi-stubs.ts';

const FIBERS = 300;
const hasC = await hasGuest('buffers');

/** The shadow stack pointer, which the instrumenter exported for the runtime. */
function stackPointer(guest: Guest<never>): number {
  const get = guest.instance.exports['wasm-fibers.get_stack'];
  if (typeof get !== 'function') throw new Error('the guest has no shadow stack');
  return get() as number;
}

/** Instantiates a guest, runs `use`, and sees that no fiber is left and the stack pointer is where it was. */
async function using<E>(
  name: string,
  imports: (guest: () => Guest<E>) => Imports,
  use: (guest: Guest<E>) => Promise<void>,
  options: GuestOptions = {},
): Promise<void> {
  let made: Guest<E> | null = null;
  const known = (): Guest<E> => {
    if (made === null) throw new Error('the guest calls an import before it exists');
    return made;
  };
  const guest = await instantiate<E>(guestSource(name), imports(known), options);
  made = watch(guest);
  const initialize = guest.instance.exports['_initialize'];
  if (typeof initialize === 'function') await guest.wrap(initialize as () => void)();
  const before = stackPointer(guest as Guest<never>);
  await use(guest);
  expect(guest.fibers).toEqual([]);
  expect(stackPointer(guest as Guest<never>)).toBe(before);
}

interface Buffers {
  run(seed: number, rounds: number): number;
}

function abort(): never {
  throw new Error('the guest aborted');
}

/** Fills a stack buffer as the guest wants it, now or later, with a view of the memory as it then is. */
function filling(scatter: Scatter, guest: () => Guest<Buffers>): Imports {
  const fill = (at: number, length: number, seed: number): void => {
    const bytes = new Uint8Array(guest().memory.buffer, at, length);
    for (let i = 0; i < length; i++) bytes[i] = seed + i * 7;
  };
  return {
    env: {
      fill: (at: number, length: number, seed: number) =>
        scatter.random(4) === 0 ? fill(at, length, seed) : scatter.later(() => fill(at, length, seed)),
    },
  };
}

describe.skipIf(!hasC)('I.1 C: every fiber has a stack of its own, and its addresses stay valid while it waits', () => {
  test.each(['buffers', 'buffers-stripped'])('buffers that the host fills meanwhile (%s)', async (name) => {
    const scatter = new Scatter(1);
    await using<Buffers>(
      name,
      (guest) => filling(scatter, guest),
      async (guest) => {
        const runs = Array.from({ length: FIBERS }, (_, i) => guest.exports.run(i, 3));
        expect((await Promise.all(runs)).filter((wrong) => wrong !== 0)).toEqual([]);
        expect(scatter.most).toBeGreaterThan(FIBERS / 2);
      },
    );
  });

  test('some of them cancelled, others taking over their stacks', async () => {
    const scatter = new Scatter(2);
    await using<Buffers>(
      'buffers',
      (guest) => filling(scatter, guest),
      async (guest) => {
        const fibers = Array.from({ length: FIBERS }, (_, i) => guest.spawn('run', [i, 3]));
        await turn();
        const cancelled = new Set(fibers.filter((fiber) => scatter.random(3) === 0 && fiber.cancel()));
        const more = Array.from({ length: FIBERS }, (_, i) => guest.spawn('run', [FIBERS + i, 2]));
        for (const fiber of [...fibers, ...more]) {
          if (cancelled.has(fiber)) expect(await code(fiber.result)).toBe('CANCELLED');
          else expect(await fiber.result).toBe(0);
        }
        expect(cancelled.size).toBeGreaterThan(FIBERS / 10);
      },
    );
  });

  interface Leaf {
    leaf(seed: number): number;
    leaf_and_wait(seed: number, rounds: number): number;
    leaf_at_the_end(bytes: number, seed: number): number;
  }

  test('what a leaf function keeps below the stack pointer is safe from fibers, and from sync calls in between', async () => {
    const scatter = new Scatter(3);
    await using<Leaf>(
      'leaf',
      (guest) => ({
        env: {
          wait(value: number) {
            expect(guest().sync.leaf(value)).toBe(24);
            return scatter.later(() => {
              expect(guest().sync.leaf(-value)).toBe(24);
              return value;
            });
          },
        },
      }),
      async (guest) => {
        const runs = Array.from({ length: 100 }, (_, i) => guest.exports.leaf_and_wait(i, 10));
        expect(await Promise.all(runs)).toEqual(runs.map(() => 240));
      },
    );
  });

  test('a leaf at the very end of its stack does not reach the stack next to it', async () => {
    const scatter = new Scatter(17);
    await using<Leaf>(
      'leaf',
      () => ({ env: { wait: (value: number) => scatter.later(() => value) } }),
      async (guest) => {
        const overflows = async (bytes: number): Promise<boolean> =>
          guest.exports.leaf_at_the_end(bytes, 1).then(
            () => false,
            () => true,
          );
        let most = 65_536;
        while (await overflows(most)) most -= 16;
        const runs = Array.from({ length: 30 }, (_, i) => guest.exports.leaf_at_the_end(most, i));
        expect(await Promise.all(runs)).toEqual(runs.map(() => 24));
        expect(await code(guest.exports.leaf_at_the_end(most + 16, 1))).toBe('SHADOW_STACK_OVERFLOW');
        expect(most).toBeGreaterThan(65_000);
      },
    );
  });

  interface Overflow {
    take(bytes: number, wait: number): number;
    recurse(n: number, wait: number): number;
  }
  const harmless = (scatter: Scatter): Imports => ({
    env: { wait: (value: number) => scatter.later(() => value), look() {} },
  });

  test('R.2 a stack that is too small is an error of the fiber that needs more; the others keep theirs', async () => {
    const scatter = new Scatter(4);
    await using<Overflow>(
      'overflow',
      () => harmless(scatter),
      async (guest) => {
        const neighbours = Array.from({ length: 20 }, () => guest.exports.take(30_000, 1));
        const tooLarge = Array.from({ length: 10 }, () => guest.exports.take(70_000, 1));
        const tooDeep = Array.from({ length: 10 }, () => guest.exports.recurse(80, 1));
        for (const each of [...tooLarge, ...tooDeep]) expect(await code(each)).toBe('SHADOW_STACK_OVERFLOW');
        expect(await Promise.all(neighbours)).toEqual(neighbours.map(() => 1));
        // And so do those that come after.
        expect(await Promise.all([guest.exports.take(30_000, 1), guest.exports.recurse(50, 1)])).toEqual([1, 50]);
      },
    );
  });

  test('R.2 the option stackSize gives each fiber what it needs', async () => {
    const scatter = new Scatter(5);
    await using<Overflow>(
      'overflow',
      () => harmless(scatter),
      async (guest) => {
        const runs = Array.from({ length: 8 }, () => guest.exports.take(200_000, 1));
        expect(await Promise.all(runs)).toEqual(runs.map(() => 1));
        expect(await Promise.all([guest.exports.recurse(200, 1), guest.exports.recurse(200, 1)])).toEqual([200, 200]);
      },
      { stackSize: 262_144 },
    );
  });

  test('frames deeper than the window, each with an address in the one above', async () => {
    const scatter = new Scatter(6);
    interface Deep {
      deep(n: number, seed: number): number;
      deep_plain(n: number, seed: number): number;
    }
    await using<Deep>(
      'deep',
      () => ({ env: { wait: (value: number) => scatter.later(() => value) } }),
      async (guest) => {
        const depths = [0, 1, 50, 300, 900];
        const sums = depths.map((n) => guest.exports.deep(n, 7));
        const plain = depths.map((n) => guest.exports.deep_plain(n, 7));
        expect(await Promise.all(sums)).toEqual(depths.map((n) => 7 + (n * (n + 1)) / 2));
        expect(await Promise.all(plain)).toEqual(
          depths.map((n) => {
            let sum = 7;
            for (let i = 1; i <= n; i++) sum = i - sum;
            return sum;
          }),
        );
      },
      { windowSize: 512 },
    );
  });
});

describe.skipIf(!hasC)('I.4 C: function pointers, trampolines and code before main suspend', () => {
  interface Callbacks {
    callback(which: number): number;
    apply(which: number, value: number): number;
    apply_all(value: number): number;
    through_host(which: number, n: number): number;
    __indirect_function_table: WebAssembly.Table;
  }
  const at = (guest: Guest<Callbacks>, index: number): ((value: number) => number) =>
    // The guest's table holds functions of this type only.
    guest.exports.__indirect_function_table.get(index) as (value: number) => number;
  const withEach =
    (scatter: Scatter) =>
    (guest: () => Guest<Callbacks>): Imports => ({
      env: {
        wait: (value: number) => scatter.later(() => value),
        each: reentrant(function* (call, fn: number, n: number) {
          let sum = 0;
          for (let i = 0; i < n; i++) sum += (yield call(at(guest(), fn), i)) as number;
          return sum;
        }),
      },
    });

  test('called by the guest through its table, and by the host with wrap', async () => {
    await using<Callbacks>('callbacks', withEach(new Scatter(7)), async (guest) => {
      expect(await guest.exports.apply(1, 21)).toBe(42);
      expect(await guest.exports.apply_all(4)).toBe(11);
      const doubled = guest.wrap(at(guest, guest.sync.callback(1)));
      expect(await Promise.all([doubled(1), doubled(2), doubled(3)])).toEqual([2, 4, 6]);
    });
  });

  test('with a host function in the middle of the stack, many at once', async () => {
    await using<Callbacks>('callbacks', withEach(new Scatter(8)), async (guest) => {
      const runs = Array.from({ length: 100 }, (_, i) => guest.exports.through_host(i % 3, 8));
      const expected = [36, 56, 36];
      expect(await Promise.all(runs)).toEqual(runs.map((_, i) => expected[i % 3]));
    });
  });

  test('a trap below the host function ends that fiber alone', async () => {
    await using<Callbacks>('callbacks', withEach(new Scatter(9)), async (guest) => {
      const good = guest.exports.through_host(1, 5);
      expect(await failure(guest.exports.through_host(3, 5))).toBeInstanceOf(WebAssembly.RuntimeError);
      expect(await good).toBe(20);
    });
  });

  interface Startup {
    _initialize(): void;
    _start(): void;
    constructed(): number;
    add_later(a: number, b: number): number;
  }
  const startup = async (name: string): Promise<{ guest: Guest<Startup>; text: () => string }> => {
    const wasi = wasiStubs(() => guest.memory);
    const wait = (value: number): Promise<number> => turn().then(() => value);
    const guest: Guest<Startup> = watch(
      await instantiate<Startup>(guestSource(name), {
        env: { wait },
        wasi_snapshot_preview1: wasi.imports,
      }),
    );
    return { guest, text: () => wasi.text };
  };

  test('constructors, in _initialize; malloc is found by its name', async () => {
    const { guest } = await startup('startup');
    await guest.exports._initialize();
    expect(guest.sync.constructed()).toBe(42);
    const sums = [1, 2, 3, 4].map((a) => guest.exports.add_later(a, 10 * a));
    expect(await Promise.all(sums)).toEqual([11, 22, 33, 44]);
  });

  test('main, in _start, which prints between its waits and exits with its result', async () => {
    const { guest, text } = await startup('startup-command');
    expect(await failure(guest.exports._start())).toEqual(new Exit(3));
    expect(text()).toBe('1: 42, 10\n2: 42, 20\n3: 42, 30\n');
  });
});

interface Strings {
  run(seed: number, steps: number): number;
  hold(n: number): number;
  collectAndLitter(): void;
}

/** Collects when a fiber is about to wait, and again while it waits, before others run. */
function collecting(scatter: Scatter, guest: () => Guest<Strings>, collect = true): Imports {
  return {
    env: {
      wait_i32(value: number) {
        if (collect) guest().sync.collectAndLitter();
        if (scatter.random(4) === 0) return value;
        return scatter.later(() => {
          if (collect) guest().sync.collectAndLitter();
          return value;
        });
      },
      abort,
    },
  };
}

describe('I.1 AssemblyScript: what only the stack refers to outlives every collection', () => {
  test.each(['strings', 'strings-debug', 'strings-small'])(
    'strings and arrays in mid-expression (%s)',
    async (name) => {
      const scatter = new Scatter(11);
      await using<Strings>(
        name,
        (guest) => collecting(scatter, guest),
        async (guest) => {
          const runs = Array.from({ length: 200 }, (_, i) => guest.exports.run(i, 2));
          expect((await Promise.all(runs)).filter((wrong) => wrong !== 0)).toEqual([]);
          expect(scatter.most).toBeGreaterThan(100);
        },
      );
    },
  );

  test.each(['strings-minimal', 'strings-stub'])(
    'with a runtime that collects only when told to, between the fibers (%s)',
    async (name) => {
      const scatter = new Scatter(12);
      await using<Strings>(
        name,
        (guest) => collecting(scatter, guest, false),
        async (guest) => {
          for (let round = 0; round < 3; round++) {
            const runs = Array.from({ length: 100 }, (_, i) => guest.exports.run(i + round, 2));
            expect((await Promise.all(runs)).filter((wrong) => wrong !== 0)).toEqual([]);
            guest.sync.collectAndLitter();
          }
        },
      );
    },
  );

  test('some of them cancelled', async () => {
    const scatter = new Scatter(13);
    await using<Strings>(
      'strings',
      (guest) => collecting(scatter, guest),
      async (guest) => {
        const random = sequence(14);
        const fibers = Array.from({ length: 200 }, (_, i) => guest.spawn('run', [i, 2]));
        await turn();
        const cancelled = new Set(fibers.filter((fiber) => random(3) === 0 && fiber.cancel()));
        for (const fiber of fibers) {
          if (cancelled.has(fiber)) expect(await code(fiber.result)).toBe('CANCELLED');
          else expect(await fiber.result).toBe(0);
        }
      },
    );
  });

  test('stacks of hundreds of frames, each with a reference', async () => {
    const scatter = new Scatter(15);
    await using<Strings>(
      'strings',
      (guest) => collecting(scatter, guest),
      async (guest) => {
        const depths = Array.from({ length: 60 }, (_, i) => (i * 37) % 500);
        expect(await Promise.all(depths.map((n) => guest.exports.hold(n)))).toEqual(depths.map(() => 0));
      },
    );
  });

  test('what is kept for one fiber makes the memory grow while another resumes: that one does not wait again', async () => {
    let waits = 0;
    const wait = (): Promise<void> => {
      waits++;
      return Promise.resolve();
    };
    await using<{ laps(count: number): number }>(
      'growing',
      () => ({ env: { wait_void: wait, abort } }),
      async (guest) => {
        const { byteLength } = guest.memory.buffer;
        await Promise.all(Array.from({ length: 3 }, () => guest.exports.laps(6000)));
        expect(guest.memory.buffer.byteLength).toBeGreaterThanOrEqual(byteLength * 16);
      },
    );
    expect(waits).toBe(3 * 6000);
  });

  test('R.1 the guest does not grow: what is kept for a suspended fiber is garbage afterwards', async () => {
    const scatter = new Scatter(16);
    await using<Strings>(
      'strings',
      (guest) => collecting(scatter, guest, false),
      async (guest) => {
        const round = async (seed: number, fibers: number): Promise<number> => {
          await Promise.all(Array.from({ length: fibers }, (_, i) => guest.exports.run(seed + i, 2)));
          guest.sync.collectAndLitter();
          return guest.memory.buffer.byteLength;
        };
        // More than later need at once, however they meet.
        const settled = await round(0, 120);
        for (let i = 1; i < 20; i++) await round(i, 50);
        expect(await round(20, 50)).toBe(settled);
      },
    );
  });
});

describe('I.4 AssemblyScript: top-level code suspends', () => {
  const wait = (value: number): Promise<number> => turn().then(() => value);

  test('in the start section, before instantiate has returned', async () => {
    const guest = await instantiate<{ textLength(): number }>(guestSource('toplevel'), {
      env: { wait_i32: wait, abort },
    });
    expect(watch(guest).sync.textLength()).toBe(32);
  });

  test('in an exported start function', async () => {
    const guest = await instantiate<{ _start(): void; textLength(): number }>(guestSource('toplevel-start'), {
      env: { wait_i32: wait, abort },
    });
    await watch(guest).exports._start();
    expect(guest.sync.textLength()).toBe(32);
  });
});
