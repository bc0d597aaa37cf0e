// WASI: standard input from whatever the host has, standard output to whatever it has, and waiting for them and for time.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Clock, type InputSource, TextOutput } from 'wasm-fibers/wasi';
import { Gate, turn } from '../support/core.ts';
import { type Caller, ERRNO, FDFLAG, caller } from '../support/wasi.ts';

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const text = (each: Uint8Array): string => new TextDecoder().decode(each);

/** Everything that is read until the end, so many bytes at a time. */
async function readAll(program: Caller, length: number): Promise<string[]> {
  const parts: string[] = [];
  for (;;) {
    const part = await program.read(0, length);
    if (typeof part === 'number') throw new Error(`fd_read failed with ${part}`);
    if (part === '') return parts;
    parts.push(part);
  }
}

async function* pieces(...parts: string[]): AsyncGenerator<string> {
  for (const part of parts) {
    await turn();
    yield part;
  }
}

const streamOf = (...parts: string[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    pull(controller) {
      const part = parts.shift();
      if (part === undefined) controller.close();
      else controller.enqueue(bytes(part));
    },
  });

describe('standard input', () => {
  test.each<[string, () => InputSource, string[]]>([
    ['text', () => 'hällo', ['häl', 'lo']],
    ['bytes', () => bytes('hällo'), ['häl', 'lo']],
    ['an async iterable', () => pieces('ab', '', 'cdefg'), ['ab', 'cdef', 'g']],
    ['an iterable', () => ['ab', bytes('c')], ['ab', 'c']],
    ['a stream', () => streamOf('abcde', 'f'), ['abcd', 'e', 'f']],
  ])('comes from %s, in pieces as large as the program asks for and no larger than they come', async (_, of, parts) => {
    expect(await readAll(await caller({ stdin: of() }), 4)).toEqual(parts);
  });

  test('is empty where none is given, and stays at its end', async () => {
    const program = await caller();
    expect([await program.read(0), await program.read(0)]).toEqual(['', '']);
  });

  test('is asked for only when the program reads, and the source is ended when the program is', async () => {
    const asked: string[] = [];
    async function* source(): AsyncGenerator<string> {
      try {
        for (let n = 1; ; n++) {
          asked.push(`${n}`);
          yield `${n}`;
        }
      } finally {
        asked.push('ended');
      }
    }
    const program = await caller({ stdin: source() });
    await turn();
    expect(asked).toEqual([]);
    expect(await program.read(0)).toBe('1');
    await program.program.close();
    await turn();
    expect(asked).toEqual(['1', 'ended']);
  });

  test('that fails in the middle is EIO once, then the end; the host is told why', async () => {
    const told: unknown[] = [];
    const cause = new Error('the line is dead');
    async function* source(): AsyncGenerator<string> {
      yield 'before';
      throw cause;
    }
    const program = await caller({ stdin: source(), onError: (error, call) => told.push([call, error]) });
    expect([await program.read(0), await program.read(0), await program.read(0)]).toEqual(['before', ERRNO.IO, '']);
    expect(told).toEqual([['fd_read', cause]]);
  });

  test('that fails while it is polled for is ready: the read says that it failed', async () => {
    const gate = new Gate();
    async function* source(): AsyncGenerator<string> {
      yield String(await gate.wait(1));
    }
    const program = await caller({ stdin: source() });
    const polled = poll(program, { read: 0 });
    await gate.until(1);
    gate.take(1).reject(new Error('the line is dead'));
    expect(await polled).toEqual([[0, 0, 0, 0]]);
    expect([await program.read(0), await program.read(0)]).toEqual([ERRNO.IO, '']);
  });

  test('read by two fibers at once gives no byte twice and loses none', async () => {
    const program = await caller({ stdin: pieces('a', 'b', 'c', 'd') });
    const parts = await Promise.all([program.read(0), program.read(0), program.read(0), program.read(0)]);
    expect(parts.sort()).toEqual(['a', 'b', 'c', 'd']);
  });

  test('that must not be waited for says EAGAIN, and what came meanwhile', async () => {
    const gate = new Gate();
    async function* source(): AsyncGenerator<string> {
      yield String(await gate.wait(1));
    }
    const program = await caller({ stdin: source() });
    expect(await program.call('fd_fdstat_set_flags', 0, FDFLAG.NONBLOCK)).toBe(0);
    expect(await program.read(0)).toBe(ERRNO.AGAIN);
    gate.take(1).resolve('late');
    await turn();
    expect(await program.read(0)).toBe('late');
  });

  test('has no place to go to', async () => {
    const program = await caller({ stdin: 'abc' });
    expect(await program.call('fd_seek', 0, 0n, 0, 64)).toBe(ERRNO.SPIPE);
    expect(await program.write(0, 'x')).toBe(ERRNO.BADF);
    expect(await program.read(1)).toBe(ERRNO.BADF);
  });
});

describe('standard output', () => {
  test('is collected as text, whatever the pieces are', async () => {
    const stdout = new TextOutput();
    const program = await caller({ stdout });
    for (const byte of bytes('hä')) {
      const { vectors, at } = program.vector(1);
      program.bytes(at, 1)[0] = byte;
      await program.call('fd_write', 1, vectors, 1, 64);
    }
    expect(stdout.text).toBe('hä');
  });

  test('gathers all vectors of a call, and tells how much was written', async () => {
    const stdout = new TextOutput();
    const program = await caller({ stdout });
    const vectors = program.room(24);
    for (const [index, part] of ['one ', '', 'two'].entries()) {
      const { at } = program.vector(part.length);
      program.bytes(at, part.length).set(bytes(part));
      program.view.setUint32(vectors + index * 8, at, true);
      program.view.setUint32(vectors + index * 8 + 4, part.length, true);
    }
    expect(await program.result('fd_write', 1, vectors, 3)).toBe(7);
    expect(stdout.text).toBe('one two');
  });

  test('and input, and files, take 1024 vectors in one call, and no more', async () => {
    const stdout = new TextOutput();
    const program = await caller({ stdout, stdin: 'x'.repeat(2000), files: { f: 'y'.repeat(2000) } });
    const file = await program.open('f');
    const vectors = program.room(1025 * 8);
    const { at } = program.vector(1);
    program.bytes(at, 1)[0] = 0x61;
    for (let each = vectors; each < vectors + 1025 * 8; each += 8) {
      program.view.setUint32(each, at, true);
      program.view.setUint32(each + 4, 1, true);
    }
    expect(await program.result('fd_write', 1, vectors, 1024)).toBe(1024);
    expect(stdout.text).toBe('a'.repeat(1024));
    expect(await program.result('fd_read', 0, vectors, 1024)).toBe(1024);
    expect(await program.result('fd_pread', file, vectors, 1024, 0n)).toBe(1024);
    expect(await program.result('fd_pwrite', file, vectors, 1024, 0n)).toBe(1024);
    for (const [name, fd] of [
      ['fd_write', 1],
      ['fd_read', 0],
      ['fd_write', file],
      ['fd_read', file],
    ] as const) {
      for (const count of [1025, 20_000_000, -1]) {
        expect(await program.call(name, fd, vectors, count, 64), `${name} of ${count}`).toBe(ERRNO.INVAL);
      }
    }
    expect(await program.call('fd_pread', file, vectors, 1025, 0n, 64)).toBe(ERRNO.INVAL);
    expect(await program.call('fd_pwrite', file, vectors, 1025, 0n, 64)).toBe(ERRNO.INVAL);
    expect(stdout.text).toHaveLength(1024);
  });

  test('holds the program back until a callback has taken it, and keeps the order of writes', async () => {
    const gate = new Gate();
    const taken: string[] = [];
    const program = await caller({
      stdout: async (part) => {
        taken.push(text(part));
        await gate.wait(taken.length);
      },
    });
    const writes = [program.write(1, 'first'), program.write(1, 'second')];
    let ended = 0;
    for (const each of writes) void each.then(() => ended++);
    await turn();
    expect([taken, ended]).toEqual([['first'], 0]);
    gate.take(1).resolve(null);
    await gate.until(1);
    expect([taken, ended]).toEqual([['first', 'second'], 1]);
    gate.take(2).resolve(null);
    expect(await Promise.all(writes)).toEqual([0, 0]);
  });

  test('holds the program back as long as a stream has no room', async () => {
    const gate = new Gate();
    const taken: string[] = [];
    const stream = new WritableStream<Uint8Array>(
      {
        async write(part) {
          taken.push(text(part));
          await gate.wait(taken.length);
        },
      },
      { highWaterMark: 1 },
    );
    const program = await caller({ stdout: stream });
    expect(await program.write(1, 'a')).toBe(0);
    let written = false;
    const second = program.write(1, 'b').then((errno) => {
      written = true;
      return errno;
    });
    await gate.until(1);
    await turn();
    expect(written).toBe(false);
    gate.take(1).resolve(null);
    expect(await second).toBe(0);
    await gate.until(1);
    gate.take(2).resolve(null);
    await program.program.close();
    expect(taken).toEqual(['a', 'b']);
    // It is the host's again.
    await stream.getWriter().close();
  });

  test('that nobody takes any more is EPIPE; the host is told why', async () => {
    const told: unknown[] = [];
    const cause = new Error('the reader has gone');
    const program = await caller({
      stdout: () => {
        throw cause;
      },
      stderr: new WritableStream({
        write: () => Promise.reject(cause),
      }),
      onError: (error, call) => told.push([call, error]),
    });
    expect([await program.write(1, 'x'), await program.write(1, 'y')]).toEqual([ERRNO.PIPE, ERRNO.PIPE]);
    await program.write(2, 'x');
    await turn();
    expect(await program.write(2, 'y')).toBe(ERRNO.PIPE);
    expect(told).toEqual([
      ['fd_write', cause],
      ['fd_write', cause],
      ['fd_write', cause],
    ]);
  });

  test('whose reader goes while the program waits for room is EPIPE, and ready to be told so', async () => {
    const gate = new Gate();
    let control: WritableStreamDefaultController | undefined;
    const stdout = new WritableStream<Uint8Array>(
      { start: (controller) => void (control = controller), write: () => gate.wait(1) as Promise<void> },
      { highWaterMark: 1 },
    );
    const program = await caller({ stdout });
    expect(await program.write(1, 'taken')).toBe(0);
    const waits = [program.write(1, 'not taken'), poll(program, { write: 1 })] as const;
    await turn();
    control?.error(new Error('the reader has gone'));
    expect(await waits[0]).toBe(ERRNO.PIPE);
    expect((await waits[1]).map(([, errno]) => errno)).toEqual([0]);
    expect(await program.write(1, 'x')).toBe(ERRNO.PIPE);
    gate.take(1).resolve(null);
  });

  test('and error in one place are in the order of the writes', async () => {
    const both = new TextOutput();
    const program = await caller({ stdout: both, stderr: both });
    for (const [fd, part] of [
      [1, 'out '],
      [2, 'err '],
      [1, 'out'],
    ] as const) {
      await program.write(fd, part);
    }
    expect(both.text).toBe('out err out');
  });

  test('is a terminal only where the host says so', async () => {
    const program = await caller({ terminal: { stdout: true } });
    const types: number[] = [];
    for (const fd of [0, 1, 2]) {
      const at = program.room(24);
      await program.call('fd_fdstat_get', fd, at);
      types.push(program.view.getUint8(at));
    }
    expect(types).toEqual([0, 2, 0]);
  });
});

describe('the console', () => {
  const { log, error } = console;
  const printed: (readonly [kind: 'log' | 'error', text: string])[] = [];
  beforeEach(() => {
    printed.length = 0;
    console.log = (line: string) => void printed.push(['log', line]);
    console.error = (line: string) => void printed.push(['error', line]);
  });
  afterEach(() => {
    Object.assign(console, { log, error });
  });

  test('gets the whole lines of one write in one call, and what is left at the end', async () => {
    const program = await caller();
    await program.write(1, 'a\n\nb\nhal');
    await program.write(2, 'error\n');
    await program.write(1, 'f a line\nthe end');
    await program.program.close();
    expect(printed).toEqual([
      ['log', 'a\n\nb'],
      ['error', 'error'],
      ['log', 'half a line'],
      ['log', 'the end'],
    ]);
  });

  test('gets letters whole, however they are written', async () => {
    const program = await caller();
    const parts = bytes('ä\n€').reduce<number[][]>((all, byte) => [...all, [byte]], []);
    for (const part of parts) {
      const { vectors, at } = program.vector(1);
      program.bytes(at, 1).set(part);
      await program.call('fd_write', 1, vectors, 1, 64);
    }
    await program.program.close();
    expect(printed).toEqual([
      ['log', 'ä'],
      ['log', '€'],
    ]);
  });

  test('gets a flood of line breaks in one call', async () => {
    const program = await caller();
    await program.write(1, '\n'.repeat(50_000));
    expect(printed).toEqual([['log', '\n'.repeat(49_999)]]);
  });

  test('gets a line that has no end when it is longer than 64 KiB', async () => {
    const program = await caller();
    const part = 'x'.repeat(30_000);
    await program.write(1, part);
    await program.write(1, part);
    expect(printed).toEqual([]);
    await program.write(1, part);
    await program.write(1, 'y\nz');
    await program.program.close();
    expect(printed.map(([, line]) => line)).toEqual([part + part + part, 'y', 'z']);
  });
});

/** A clock that the test moves. */
class TestClock implements Clock {
  time = 1_000_000n;
  readonly waits = new Set<{ readonly until: bigint; readonly resolve: () => void }>();
  readonly realtime = (): bigint => this.time + 1_700_000_000_000_000_000n;
  readonly monotonic = (): bigint => this.time;

  wait(nanoseconds: bigint, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wait = { until: this.time + nanoseconds, resolve };
      this.waits.add(wait);
      signal.addEventListener('abort', () => {
        this.waits.delete(wait);
        resolve();
      });
    });
  }

  /** Until somebody waits. */
  async awaited(): Promise<void> {
    while (this.waits.size === 0) await turn();
  }

  /** Lets time pass, once somebody waits for it. */
  async pass(nanoseconds: bigint): Promise<void> {
    await this.awaited();
    this.time += nanoseconds;
    for (const { until, resolve } of this.waits) if (until <= this.time) resolve();
  }

  /** Ends all waits, whatever the time is. */
  async wake(): Promise<void> {
    await this.awaited();
    for (const { resolve } of this.waits) resolve();
    await turn();
  }
}

interface Wanted {
  readonly clock?: { readonly id: number; readonly timeout: bigint; readonly absolute?: boolean };
  readonly read?: number;
  readonly write?: number;
}

/** Calls poll_oneoff; gives which subscriptions have happened, with error number, bytes and flags. */
async function poll(program: Caller, ...wanted: Wanted[]): Promise<(readonly number[])[]> {
  const at = program.room(48 * wanted.length);
  const events = program.room(32 * wanted.length);
  for (const [index, { clock, read, write }] of wanted.entries()) {
    const from = at + 48 * index;
    program.view.setBigUint64(from, BigInt(index), true);
    program.view.setUint8(from + 8, clock === undefined ? (read === undefined ? 2 : 1) : 0);
    program.view.setUint32(from + 16, clock?.id ?? read ?? write ?? 0, true);
    if (clock === undefined) continue;
    program.view.setBigUint64(from + 24, clock.timeout, true);
    program.view.setUint16(from + 40, clock.absolute === true ? 1 : 0, true);
  }
  const count = await program.result('poll_oneoff', at, events, wanted.length);
  return Array.from({ length: count }, (_, index) => {
    const from = events + 32 * index;
    return [
      Number(program.view.getBigUint64(from, true)),
      program.view.getUint16(from + 8, true),
      Number(program.view.getBigUint64(from + 16, true)),
      program.view.getUint16(from + 24, true),
    ];
  });
}

describe('poll_oneoff', () => {
  let clock: TestClock;
  beforeEach(() => {
    clock = new TestClock();
  });
  afterEach(() => expect(clock.waits.size, 'timers that were left behind').toBe(0));
  const seconds = (n: number): bigint => BigInt(n) * 1_000_000_000n;
  const after = (n: number, id = 1): Wanted => ({ clock: { id, timeout: seconds(n) } });

  test('waits for the first of several times, and says which it was', async () => {
    const program = await caller({ clock });
    const polled = poll(program, after(3), after(1), after(2));
    await clock.pass(seconds(1));
    expect(await polled).toEqual([[1, 0, 0, 0]]);
  });

  test('waits on when it was woken too soon', async () => {
    const program = await caller({ clock });
    const polled = poll(program, after(2));
    await clock.wake();
    await clock.pass(seconds(1));
    await clock.wake();
    await clock.pass(seconds(1));
    expect(await polled).toEqual([[0, 0, 0, 0]]);
  });

  test('takes absolute times by either clock', async () => {
    const program = await caller({ clock });
    const past = { clock: { id: 0, timeout: clock.realtime() - 1n, absolute: true } };
    const soon = { clock: { id: 0, timeout: clock.realtime() + seconds(1), absolute: true } };
    const later = { clock: { id: 1, timeout: clock.monotonic() + seconds(5), absolute: true } };
    expect(await poll(program, later, past)).toEqual([[1, 0, 0, 0]]);
    const polled = poll(program, later, soon);
    await clock.pass(seconds(1));
    expect(await polled).toEqual([[1, 0, 0, 0]]);
  });

  test('tells of input as soon as it is there, and how much; the time that was not waited for is let go', async () => {
    const gate = new Gate();
    async function* source(): AsyncGenerator<string> {
      yield String(await gate.wait(1));
    }
    const program = await caller({ clock, stdin: source() });
    const polled = poll(program, after(1), { read: 0 });
    await clock.awaited();
    gate.take(1).resolve('input');
    expect(await polled).toEqual([[1, 0, 5, 0]]);
    expect(await program.read(0)).toBe('input');
    expect(await poll(program, after(1), { read: 0 })).toEqual([[1, 0, 0, 1]]);
  });

  test('tells of the time when no input comes, and loses none of it', async () => {
    const gate = new Gate();
    async function* source(): AsyncGenerator<string> {
      yield String(await gate.wait(1));
    }
    const program = await caller({ clock, stdin: source() });
    const polled = poll(program, { read: 0 }, after(1));
    await clock.pass(seconds(1));
    expect(await polled).toEqual([[1, 0, 0, 0]]);
    const read = program.read(0);
    gate.take(1).resolve('input');
    expect(await read).toBe('input');
  });

  test('lets the event loop go on where there is nothing to wait for: a loop that only asks sees the input come', async () => {
    const program = await caller({ clock, stdin: pieces('x') });
    let asked = 0;
    while ((await poll(program, { read: 0 }, after(0)))[0]?.[0] !== 0) {
      if (++asked > 1000) throw new Error('the input never came');
    }
    expect(await program.read(0)).toBe('x');
  });

  test('tells when there is room for output again', async () => {
    const gate = new Gate();
    const program = await caller({ clock, stdout: () => gate.wait(1) });
    expect(await poll(program, { write: 1 })).toEqual([[0, 0, 0, 0]]);
    const write = program.write(1, 'x');
    await gate.until(1);
    let polled: unknown;
    const polling = poll(program, { write: 1 }).then((events) => (polled = events));
    await turn();
    await turn();
    expect(polled).toBeUndefined();
    gate.take(1).resolve(null);
    expect(await polling).toEqual([[0, 0, 0, 0]]);
    expect(await write).toBe(0);
  });

  test('answers at once for files, and for what cannot be waited for, each with its own error', async () => {
    const program = await caller({ clock, files: { a: '' } });
    const fd = await program.open('a');
    expect(await poll(program, { read: fd }, { write: fd }, { read: 99 }, { read: 1 }, { write: 0 })).toEqual([
      [0, 0, 0, 0],
      [1, 0, 0, 0],
      [2, ERRNO.BADF, 0, 0],
      [3, ERRNO.BADF, 0, 0],
      [4, ERRNO.BADF, 0, 0],
    ]);
    expect(await poll(program, { clock: { id: 77, timeout: 0n } })).toEqual([[0, ERRNO.INVAL, 0, 0]]);
  });

  test('refuses to wait for nothing, and for what there is not', async () => {
    const program = await caller({ clock });
    expect(await program.call('poll_oneoff', 4096, 8192, 0, 64)).toBe(ERRNO.INVAL);
    program.view.setUint8(4096 + 8, 9);
    expect(await program.call('poll_oneoff', 4096, 8192, 1, 64)).toBe(ERRNO.INVAL);
  });

  test('waits for 4096 things at once, and for no more', async () => {
    const program = await caller({ clock });
    const at = program.view.byteLength;
    program.guest.memory.grow(8);
    // As it is: times of no length.
    expect(await program.result('poll_oneoff', at, at + 200_000, 4096)).toBe(4096);
    expect(await program.call('poll_oneoff', at, at + 200_000, 4097, 64)).toBe(ERRNO.INVAL);
    expect(await program.call('poll_oneoff', 0, 0, -1, 64)).toBe(ERRNO.INVAL);
  });

  test('that is cancelled lets go of its timer', async () => {
    const program = await caller({ clock });
    const at = program.room(48);
    program.view.setUint32(at + 16, 1, true);
    program.view.setBigUint64(at + 24, seconds(9), true);
    const fiber = program.guest.spawn('poll_oneoff', [at, program.room(32), 1, 64]);
    await clock.awaited();
    fiber.cancel();
    await expect(fiber.result).rejects.toMatchObject({ code: 'CANCELLED' });
    await turn();
    expect(clock.waits.size).toBe(0);
  });
});

describe('time', () => {
  test('two sleeps take as long as the longer one, and no less than was asked for', async () => {
    const program = await caller();
    const started = performance.now();
    const sleep = (ms: number): Promise<unknown> =>
      poll(program, { clock: { id: 1, timeout: BigInt(ms) * 1_000_000n } });
    await Promise.all([sleep(60), sleep(100)]);
    const took = performance.now() - started;
    expect(took).toBeGreaterThanOrEqual(100);
    expect(took).toBeLessThan(160 + 2000);
  });

  test('sched_yield lets a timer have its turn', async () => {
    const program = await caller();
    const timer = { fired: false };
    setTimeout(() => (timer.fired = true));
    for (let n = 0; n < 100_000 && !timer.fired; n++) await program.call('sched_yield');
    expect(timer.fired).toBe(true);
  });

  test('the clocks go, and there is none beyond them', async () => {
    const program = await caller();
    const at = (clock: number): Promise<number> => program.call('clock_time_get', clock, 0n, 64);
    const times: bigint[] = [];
    for (const clock of [0, 1, 2, 3]) {
      expect(await at(clock)).toBe(0);
      times.push(program.view.getBigUint64(64, true));
      expect(await program.call('clock_res_get', clock, 64)).toBe(0);
      expect(program.view.getBigUint64(64, true)).toBeGreaterThan(0n);
    }
    expect(Math.abs(Number(times[0]) / 1e6 - Date.now())).toBeLessThan(60_000);
    expect(await at(1)).toBe(0);
    expect(program.view.getBigUint64(64, true)).toBeGreaterThanOrEqual(times[1] ?? 0n);
    expect([await at(4), await program.call('clock_res_get', 4, 64)]).toEqual([ERRNO.INVAL, ERRNO.INVAL]);
  });
});
