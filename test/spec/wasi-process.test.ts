// WASI: a program's surroundings and its end; and that nothing that a guest passes is an exception for the host.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FiberError, type Guest, instantiate } from 'wasm-fibers';
import { FileError, type RunOptions, TextOutput, memoryFiles, run, suspendingImports, wasi } from 'wasm-fibers/wasi';
import { iterations } from '../support/backend.ts';
import { Gate, turn, watch } from '../support/core.ts';
import { guestSource, loadPlain } from '../support/guest.ts';
import { HeldFiles } from '../support/slow-files.ts';
import { type Caller, ERRNO, ROOT_FD, caller } from '../support/wasi.ts';

const BEYOND = 64 * 65_536;

describe('arguments, environment, random bytes', () => {
  /** The strings that a list of C has. */
  function strings(program: Caller, at: number, count: number): string[] {
    return Array.from({ length: count }, (_, index) => {
      const from = program.view.getUint32(at + index * 4, true);
      const bytes = program.bytes(from, 100);
      return program.textAt(from, bytes.indexOf(0));
    });
  }

  test('arrive as they are, also empty and beyond ASCII', async () => {
    const program = await caller({ args: ['näme', '', 'x y'], env: { A: 'ä=b', EMPTY: '' } });
    for (const [list, expected] of [
      ['args', ['näme', '', 'x y']],
      ['environ', ['A=ä=b', 'EMPTY=']],
    ] as const) {
      const [count, size] = [program.room(4), program.room(4)];
      expect(await program.call(`${list}_sizes_get`, count, size)).toBe(0);
      expect(program.view.getUint32(count, true)).toBe(expected.length);
      const bytes = new TextEncoder().encode(expected.map((each) => `${each}\0`).join(''));
      expect(program.view.getUint32(size, true)).toBe(bytes.length);
      const [pointers, buffer] = [program.room(16), program.room(bytes.length)];
      expect(await program.call(`${list}_get`, pointers, buffer)).toBe(0);
      expect(strings(program, pointers, expected.length)).toEqual(expected);
    }
  });

  test('random bytes are random, of any number', async () => {
    const program = await caller();
    const length = 100_000;
    expect(await program.call('random_get', 4096, length)).toBe(0);
    const seen = new Set(program.bytes(4096, length));
    expect(seen.size).toBe(256);
    expect(await program.call('random_get', 4096, 0)).toBe(0);
  });

  test('more random bytes than a call should take without others running are refused', async () => {
    const program = await caller();
    // Within what may be asked for, but more than the guest has memory.
    expect(await program.call('random_get', 0, 16 << 20)).toBe(ERRNO.FAULT);
    expect(await program.call('random_get', 0, (16 << 20) + 1)).toBe(ERRNO.INVAL);
    expect(await program.call('random_get', 0, -1)).toBe(ERRNO.INVAL);
  });

  test('random bytes come from the host’s own source, if it has one', async () => {
    const program = await caller({ random: (bytes) => void bytes.fill(7) });
    await program.call('random_get', 4096, 3);
    expect([...program.bytes(4095, 5)]).toEqual([0, 7, 7, 7, 0]);
  });
});

describe('the end of a program', () => {
  const source = (): ReturnType<typeof guestSource> => guestSource('wasi');

  test('is its exit code, as a value', async () => {
    expect(await run(source(), { args: [] })).toBe(0);
    expect(await run(source(), { args: ['a', 'b', 'c'] })).toBe(3);
  });

  test('gets past every handler of the guest, and ends it', async () => {
    const program = wasi({ args: ['x', 'y'] });
    const guest = watch(await instantiate<{ handled: WebAssembly.Global<'i32'> }>(source(), program.imports));
    expect(await program.start(guest)).toBe(2);
    expect(program.exitCode).toBe(2);
    expect(guest.exports.handled.value).toBe(0);
  });

  test('ends the other fibers, and whoever calls WASI later', async () => {
    const gate = new Gate();
    const program = await caller({ args: ['x'], stdout: () => gate.wait(1) });
    const { vectors } = program.vector(1);
    const waiting = program.guest.spawn('fd_write', [1, vectors, 1, 64]);
    await gate.until(1);
    expect(await program.program.start(program.guest)).toBe(1);
    await expect(waiting.result).rejects.toMatchObject({ code: 'CANCELLED', cause: 'the program has exited' });
    await expect(program.call('args_sizes_get', 0, 4)).rejects.toThrow(WebAssembly.RuntimeError);
    gate.take(1).resolve(null);
  });

  test('ends all that others wait for: input, time, files, room in the output', async () => {
    const held = new HeldFiles(memoryFiles({ f: 'x' }), /\.read$/);
    const program = await caller({
      args: ['x'],
      stdin: new ReadableStream<string>(),
      stdout: () => new Promise(() => {}),
      files: held.files,
    });
    const fd = await program.open('f');
    const { vectors } = program.vector(1);
    const at = program.room(48);
    program.view.setUint32(at + 16, 1, true);
    program.view.setBigUint64(at + 24, 3_600_000_000_000n, true);
    const fibers = [
      program.guest.spawn('fd_read', [0, vectors, 1, 64]),
      program.guest.spawn('fd_write', [1, vectors, 1, 64]),
      program.guest.spawn('fd_write', [1, vectors, 1, 64]),
      program.guest.spawn('fd_read', [fd, vectors, 1, 64]),
      program.guest.spawn('poll_oneoff', [at, program.room(32), 1, 64]),
    ];
    await held.until(1);
    expect(await program.program.start(program.guest)).toBe(1);
    for (const fiber of fibers) await expect(fiber.result).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(held.count(/^(?:f)?\.close/)).toBe(2);
  });

  test('comes by a signal and by the clock', async () => {
    const forever = async function* (): AsyncGenerator<string> {
      yield await new Promise<string>(() => {});
    };
    const controller = new AbortController();
    const program = await caller({ stdin: forever() });
    const { vectors } = program.vector(1);
    const read = program.guest.spawn('fd_read', [0, vectors, 1, 64], { signal: controller.signal });
    const timed = program.guest.spawn('fd_read', [0, vectors, 1, 64], { timeout: 10 });
    await turn();
    controller.abort();
    await expect(read.result).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(timed.result).rejects.toMatchObject({ code: 'TIMEOUT' });
    await expect(run(source(), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  test('a trap stays the guest’s own', async () => {
    // (module (func (export "_start") unreachable))
    const trap = new Uint8Array([
      0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 10, 1, 6, 95, 115, 116, 97, 114, 116, 0, 0, 10, 5,
      1, 3, 0, 0, 11,
    ]);
    await expect(run(trap)).rejects.toThrow(WebAssembly.RuntimeError);
  });
});

describe('what cannot be run', () => {
  test('a program that needs an import nobody provides: all are named', async () => {
    const failed = run(loadPlain('core'), { imports: { env: { wait: () => 0 } } });
    await expect(failed).rejects.toMatchObject({ code: 'MISSING_IMPORTS' });
    await expect(failed).rejects.toThrow(/env\.note.*env\.wait_i64|env\.wait_i64.*env\.note/);
  });

  test('a library', async () => {
    // (module)
    const empty = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
    await expect(run(empty)).rejects.toMatchObject({ code: 'NO_SUCH_EXPORT' });
  });

  test('a program whose file system cannot be opened', async () => {
    const files = { root: () => Promise.reject(new FileError('ENOENT', 'there is no /data')) };
    await expect(run(guestSource('wasi'), { files })).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('one program’s surroundings for another', async () => {
    const program = await caller();
    const other = await caller();
    await expect(program.program.start(other.guest)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });

  test.each<[string, unknown]>([
    ['args', ['a\0b']],
    ['args', 'a b'],
    ['env', { 'A=B': 'c' }],
    ['env', { A: 1 }],
    ['stdin', 7],
    ['stdout', 'text'],
    ['stderr', {}],
    ['files', 'here'],
    ['files', { '/': memoryFiles(), a: 'in it' }],
    ['files', { a: 5 }],
    ['terminal', 'yes'],
    ['clock', { now: 1 }],
    ['random', 4],
    ['onError', 'log'],
    ['arguments', []],
  ])('the option %s as %j', async (name, value) => {
    await expect(run(guestSource('wasi'), { [name]: value } as RunOptions)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining(name) as string,
    });
  });
});

test('the imports that may wait are found in a module, for the instrumenter', async () => {
  const found = suspendingImports(await WebAssembly.compile(await loadPlain('wasi')));
  expect(found).toHaveLength(26);
  expect(found).toContain('wasi_snapshot_preview1.poll_oneoff');
  expect(found).not.toContain('wasi_snapshot_preview1.clock_time_get');
  expect(suspendingImports(await WebAssembly.compile(await loadPlain('core')))).toEqual([]);
});

test('what a program may not do in a call that cannot wait is refused by name, what needs no wait is done', async () => {
  const stdout = new TextOutput();
  const program = await caller({ stdout, stdin: new ReadableStream() });
  const { sync } = program.guest;
  const { vectors, at } = program.vector(2);
  program.bytes(at, 2).set([104, 105]);
  expect(sync['fd_write']?.(1, vectors, 1, 64)).toBe(0);
  expect(stdout.text).toBe('hi');
  expect(sync['sched_yield']?.()).toBe(0);
  expect(() => sync['fd_read']?.(0, vectors, 1, 64)).toThrow(
    expect.objectContaining({ code: 'SUSPEND_IN_SYNC_CALL' }) as FiberError,
  );
});

/** What each function takes: f a descriptor, p an address, n a number, N a 64-bit number. */
const SIGNATURES = {
  args_get: 'pp',
  args_sizes_get: 'pp',
  environ_get: 'pp',
  environ_sizes_get: 'pp',
  clock_res_get: 'np',
  clock_time_get: 'nNp',
  fd_advise: 'fNNn',
  fd_allocate: 'fNN',
  fd_close: 'f',
  fd_datasync: 'f',
  fd_fdstat_get: 'fp',
  fd_fdstat_set_flags: 'fn',
  fd_fdstat_set_rights: 'fNN',
  fd_filestat_get: 'fp',
  fd_filestat_set_size: 'fN',
  fd_filestat_set_times: 'fNNn',
  fd_pread: 'fpnNp',
  fd_prestat_get: 'fp',
  fd_prestat_dir_name: 'fpn',
  fd_pwrite: 'fpnNp',
  fd_read: 'fpnp',
  fd_readdir: 'fpnNp',
  fd_renumber: 'ff',
  fd_seek: 'fNnp',
  fd_sync: 'f',
  fd_tell: 'fp',
  fd_write: 'fpnp',
  path_create_directory: 'fpn',
  path_filestat_get: 'fnpnp',
  path_filestat_set_times: 'fnpnNNn',
  path_link: 'fnpnfpn',
  path_open: 'fnpnnNNnp',
  path_readlink: 'fpnpnp',
  path_remove_directory: 'fpn',
  path_rename: 'fpnfpn',
  path_symlink: 'pnfpn',
  path_unlink_file: 'fpn',
  poll_oneoff: 'ppnp',
  proc_raise: 'n',
  sched_yield: '',
  random_get: 'pn',
  sock_accept: 'fnp',
  sock_recv: 'fpnnpp',
  sock_send: 'fpnnp',
  sock_shutdown: 'fn',
} as const;

type Name = keyof typeof SIGNATURES;
const NAMES = Object.keys(SIGNATURES) as Name[];

describe('a guest that passes anything', () => {
  test('a descriptor that is not open is EBADF, whatever the function', async () => {
    const program = await caller({ files: {} });
    for (const name of NAMES.filter((each) => SIGNATURES[each].includes('f'))) {
      const args = [...SIGNATURES[name]].map((kind) =>
        kind === 'f' ? 77 : kind === 'N' ? 1n : kind === 'p' ? 4096 : 1,
      );
      expect(await program.call(name, ...args), name).toBe(ERRNO.BADF);
    }
  });

  test('an address that it does not have is EFAULT, whatever the function', async () => {
    const program = await caller({ args: ['a'], env: { A: 'b' }, stdin: 'x', files: { f: 'content' } });
    const file = await program.open('f');
    const ofDirectories = /^(?:path_|fd_readdir|fd_prestat)/;
    const tried: Name[] = [];
    for (const name of NAMES.filter((each) => SIGNATURES[each].includes('p') && !each.startsWith('sock_'))) {
      const fd = ofDirectories.test(name) ? ROOT_FD : file;
      for (const address of [BEYOND, -1, -(2 ** 31)]) {
        const args = [...SIGNATURES[name]].map((kind) =>
          kind === 'f' ? fd : kind === 'N' ? 0n : kind === 'p' ? address : 1,
        );
        // Not as a flag: links follow nothing.
        if (name === 'path_link') args[1] = 0;
        expect(await program.call(name, ...args), `${name} at ${address}`).toBe(ERRNO.FAULT);
        tried.push(name);
      }
    }
    expect(new Set(tried).size).toBeGreaterThan(20);
  });

  test('sockets there are none', async () => {
    const program = await caller({ files: {} });
    for (const name of ['sock_accept', 'sock_recv', 'sock_send', 'sock_shutdown'] as const) {
      const args = [...SIGNATURES[name]].map((kind) => (kind === 'f' ? 1 : kind === 'p' ? 4096 : 1));
      expect(await program.call(name, ...args), name).toBe(ERRNO.NOTSOCK);
    }
    expect(await program.call('proc_raise', 9)).toBe(ERRNO.NOSYS);
  });

  test('any call with any arguments is answered with an error number', async () => {
    const address = fc.oneof(
      fc.integer({ min: 0, max: 2 * 65_536 + 64 }),
      fc.constantFrom(4096, 8192, -1, 2 ** 31 - 1, -(2 ** 31)),
    );
    const small = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer());
    const kinds: Readonly<Record<string, fc.Arbitrary<number | bigint>>> = {
      f: fc.oneof(fc.integer({ min: 0, max: 8 }), fc.integer()),
      p: address,
      n: small,
      N: fc.oneof(
        fc.bigInt({ min: -5n, max: 100n }),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.constant((1n << 30n) - 1n),
      ),
    };
    const call = fc
      .constantFrom(...NAMES)
      .chain((name) =>
        fc.tuple(fc.constant(name), ...[...SIGNATURES[name]].map((kind) => kinds[kind] ?? fc.constant(0))),
      );
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 100 }), async (calls) => {
        const told: unknown[] = [];
        const clock = { realtime: () => 1n, monotonic: () => 1n, wait: () => Promise.reject(new Error('no time')) };
        const options = { files: memoryFiles({ d: { f: 'x' } }, { capacity: 1 << 16 }), stdin: 'some input', clock };
        const program = await caller({
          ...options,
          stdout: () => {},
          stderr: () => {},
          onError: (error) => told.push(error),
        });
        const path = new TextEncoder().encode('d/f');
        program.bytes(4096, path.length).set(path);
        program.bytes(8192, 8).set([0, 48, 0, 0, 9, 0, 0, 0]);
        for (const [name, ...args] of calls) {
          const errno = await program.call(name, ...(args as (number | bigint)[]));
          expect(errno).toBeGreaterThanOrEqual(0);
          expect(errno).toBeLessThanOrEqual(ERRNO.NOTCAPABLE);
        }
        const strange = told.filter((error) => !(error instanceof FileError || String(error).includes('no time')));
        expect(strange.filter((error) => !(error instanceof TypeError && String(error).includes('UTF-8')))).toEqual([]);
        await (program.guest as Guest).dispose();
      }),
      { numRuns: iterations(40) },
    );
  });
});
