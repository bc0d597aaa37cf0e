// WASI: a directory of the host as a file system. What a program may do in it is done; and whatever it tries, and whoever
// renames directories under it, nothing outside is read, changed or found out.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, renameSync, statSync } from 'node:fs';
import { link, lstat, mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FileSystem, memoryFiles } from 'wasm-fibers/wasi';
import { type HostDirectoryOptions, hostDirectory } from 'wasm-fibers/wasi/node';
import { run, temporaryFolder } from '../support/temporary.ts';
import { type Caller, ERRNO, OPEN, RIGHT, ROOT_FD, caller } from '../support/wasi.ts';

const WAYS: NonNullable<HostDirectoryOptions['hold']>[] =
  process.platform === 'linux' ? ['descriptors', 'paths'] : ['paths'];
const hasDescriptors = WAYS.includes('descriptors');
const hasPipes = process.platform !== 'win32';
const READ_WRITE = RIGHT.READ | RIGHT.WRITE;
const SECRET = 'a secret of the host';

/** Descriptors of this process. */
const descriptors = (): number => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);

describe.each(WAYS)('a directory of the host, held by %s', (hold) => {
  async function open(
    files: Readonly<Record<string, string>> = {},
    options: HostDirectoryOptions = {},
  ): Promise<{ program: Caller; at: (name: string) => string; system: FileSystem }> {
    const folder = await temporaryFolder(files);
    const system = hostDirectory(folder, { hold, ...options });
    return { program: await caller({ files: system }), at: (name) => path.join(folder, name), system };
  }

  test('is read and written, as POSIX has it', async () => {
    const { program, at } = await open({ 'in.txt': 'content', 'dir/a': 'A' });
    expect(await program.read(await program.open('in.txt'), 4)).toBe('cont');
    const fd = await program.open('dir/new', OPEN.CREAT, READ_WRITE | RIGHT.SEEK);
    expect(await program.write(fd, 'written')).toBe(0);
    expect(await program.list('dir')).toEqual(['a', 'new']);
    expect(await program.call('path_rename', ROOT_FD, 'dir/new', ROOT_FD, 'moved')).toBe(0);
    expect(await program.call('path_link', ROOT_FD, 0, 'moved', ROOT_FD, 'dir/second')).toBe(0);
    expect(await program.call('path_symlink', '../moved', ROOT_FD, 'dir/link')).toBe(0);
    expect(await program.read(await program.open('dir/link'))).toBe('written');
    expect(await program.stat('moved')).toMatchObject({ size: 7, links: 2 });
    expect(await program.call('fd_filestat_set_size', await program.open('moved'), 2n)).toBe(0);
    expect(await readFile(at('dir/second'), 'utf8')).toBe('wr');
    expect(await program.call('path_unlink_file', ROOT_FD, 'moved')).toBe(0);
    expect(await program.call('path_create_directory', ROOT_FD, 'dir/sub')).toBe(0);
    expect(await program.call('path_remove_directory', ROOT_FD, 'dir')).toBe(ERRNO.NOTEMPTY);
    expect(await program.call('path_remove_directory', ROOT_FD, 'dir/sub')).toBe(0);
    expect((await readdir(at('dir'))).sort()).toEqual(['a', 'link', 'second']);
  });

  test('keeps times to the nanosecond, and takes those that the host sets', async () => {
    const { program, at } = await open({ f: '' });
    const set = (modified: bigint): Promise<number> =>
      program.call('path_filestat_set_times', ROOT_FD, 0, 'f', 0n, modified, 4);
    const modified = async (): Promise<bigint> => {
      const about = program.room(64);
      await program.call('path_filestat_get', ROOT_FD, 0, 'f', about);
      return program.view.getBigUint64(about + 48, true);
    };
    expect(await set(1_700_000_000_123_456_789n)).toBe(0);
    expect(await modified()).toBe(1_700_000_000_123_456_789n);
    expect(Math.abs((await stat(at('f'))).mtimeMs - 1_700_000_000_123)).toBeLessThan(2);
    await writeFile(at('f'), 'new');
    expect(await modified()).toBeGreaterThan(1_700_000_001_000_000_000n);
  });

  test('is not changed where that is not allowed', async () => {
    const { program, at } = await open({ f: 'content' }, { readOnly: true });
    expect(await program.read(await program.open('f', 0, RIGHT.READ))).toBe('content');
    const path_open = (oflags: number, rights: bigint, name: string): Promise<number> =>
      program.call('path_open', ROOT_FD, 1, name, oflags, rights, 0n, 0, 64);
    const refused = [
      await path_open(0, READ_WRITE, 'f'),
      await path_open(OPEN.TRUNC, RIGHT.READ, 'f'),
      await path_open(OPEN.CREAT, RIGHT.READ, 'new'),
      await program.call('path_unlink_file', ROOT_FD, 'f'),
      await program.call('path_create_directory', ROOT_FD, 'd'),
      await program.call('path_rename', ROOT_FD, 'f', ROOT_FD, 'g'),
      await program.call('path_filestat_set_times', ROOT_FD, 0, 'f', 0n, 0n, 4),
    ];
    expect(refused).toEqual(refused.map(() => ERRNO.ROFS));
    expect(await readdir(at('.'))).toEqual(['f']);
  });

  test('that does not exist, or is a file, is told before the program starts', async () => {
    const folder = await temporaryFolder({ f: '' });
    const none = caller({ files: { '/data': hostDirectory(path.join(folder, 'none'), { hold }) } });
    await expect(none).rejects.toMatchObject({ code: 'ENOENT', message: expect.stringContaining('none') as string });
    await expect(caller({ files: hostDirectory(path.join(folder, 'f'), { hold }) })).rejects.toMatchObject({
      code: 'ENOTDIR',
    });
  });

  test('lets go of every descriptor, and finishes what is being written', async () => {
    const before = descriptors();
    const { program, at, system } = await open({ 'a/b/c/f': 'x' });
    const other = await caller({ files: { '/': system, '/other': memoryFiles({ x: 'y' }) } });
    expect(await other.list('a/b')).toEqual(['c']);
    const fd = await program.open('a/b/c/f');
    const { vectors, at: from } = program.vector(60_000);
    program.bytes(from, 60_000).fill(65);
    const fiber = program.guest.spawn('fd_write', [fd, vectors, 1, 64]);
    fiber.cancel();
    await expect(fiber.result).rejects.toMatchObject({ code: 'CANCELLED' });
    await program.program.close();
    await other.program.close();
    expect(await readFile(at('a/b/c/f'), 'utf8')).toBe('A'.repeat(60_000));
    expect(descriptors()).toBe(before);
  });

  test('is not closed under what is still looking through it', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `f${index}`);
    const { system } = await open(Object.fromEntries(names.map((name) => [name, ''])));
    const root = await system.root();
    const listing = root.list();
    await root.close?.();
    expect((await listing).map(({ name }) => name).sort()).toEqual(names.sort());
    // By a number that may be another directory's now.
    if (hold === 'descriptors') await expect(root.lookup('f1')).rejects.toMatchObject({ code: 'EBADF' });
  });

  test('moves nothing to another one', async () => {
    const [one, two] = [await temporaryFolder({ f: '' }), await temporaryFolder()];
    const program = await caller({
      files: { '/one': hostDirectory(one, { hold }), '/two': hostDirectory(two, { hold }) },
    });
    const errno = await program.call('path_rename', ROOT_FD, 'f', ROOT_FD + 1, 'f');
    expect([errno, await readdir(one), await readdir(two)]).toEqual([ERRNO.XDEV, ['f'], []]);
  });

  test.skipIf(!hasPipes)('opens neither pipes nor devices, which might hang', async () => {
    const { program, at } = await open();
    execFileSync('mkfifo', [at('pipe')]);
    for (const rights of [RIGHT.READ, RIGHT.WRITE]) {
      expect(await program.call('path_open', ROOT_FD, 1, 'pipe', 0, rights, 0n, 0, 64)).toBe(58);
    }
  });
});

/** An inside full of ways out, and an outside that must stay as it is. */
async function fortress(): Promise<{ inside: string; outside: string; state: () => Promise<string> }> {
  const folder = await temporaryFolder({
    'inside/file': 'mine',
    'inside/dir/sub/file': 'mine',
    'outside/secret': SECRET,
    'outside/dir/secret': SECRET,
    secret: SECRET,
  });
  const [inside, outside] = ['inside', 'outside'].map((name) => path.join(folder, name)) as [string, string];
  const links = {
    'to-outside': outside,
    'to-secret': path.join(outside, 'secret'),
    up: '..',
    'up-and-out': '../outside',
    'up-to-secret': '../secret',
    'dir/up': '../..',
    'dir/sub/out': '../../../outside/dir',
    chain: 'dir/up',
    'chain-2': 'chain/outside/secret',
    dangling: '../outside/made-by-link',
    'dangling-absolute': path.join(outside, 'made-by-absolute-link'),
    root: '/',
    'process-root': '/proc/self/root',
    'process-descriptors': '/proc/self/fd',
    inner: 'dir/sub',
  };
  for (const [name, target] of Object.entries(links)) await symlink(target, path.join(inside, name));
  const state = async (): Promise<string> => {
    const lines: string[] = [];
    const look = async (directory: string): Promise<void> => {
      for (const name of (await readdir(directory)).sort()) {
        const each = path.join(directory, name);
        const { mode, mtimeMs, nlink } = await lstat(each);
        const isDirectory = (await stat(each)).isDirectory();
        lines.push(`${each} ${mode} ${mtimeMs} ${nlink} ${isDirectory ? '' : await readFile(each, 'utf8')}`);
        if (isDirectory) await look(each);
      }
    };
    await look(outside);
    lines.push(await readFile(path.join(folder, 'secret'), 'utf8'), String((await readdir(folder)).sort()));
    return lines.join('\n');
  };
  return { inside, outside, state };
}

describe.each(WAYS)('a program that tries to get out of a directory held by %s', (hold) => {
  /** Ways to write a path to something outside. */
  function ways(outside: string): string[] {
    const direct = ['../outside/secret', 'dir/../../outside/secret', './/../outside/secret', `${outside}/secret`];
    const through = [
      'to-outside/secret',
      'to-secret',
      'up-and-out/secret',
      'up-to-secret',
      'up/secret',
      'up/outside/secret',
    ];
    const further = ['dir/up/outside/secret', 'dir/sub/out/secret', 'chain/secret', 'chain-2', 'inner/out/secret'];
    const strange = [
      `root${outside}/secret`,
      `process-root${outside}/secret`,
      `process-descriptors/../..${outside}/secret`,
    ];
    const climbing = ['inner/../../../outside/secret', 'to-outside/../outside/secret', 'dir/sub/../../../secret'];
    return [...direct, ...through, ...further, ...strange, ...climbing];
  }

  test('reads, changes, lists, links and finds out nothing there', async () => {
    const { inside, outside, state } = await fortress();
    const before = await state();
    const program = await caller({ files: hostDirectory(inside, { hold }) });
    const sub = await program.open('dir/sub', OPEN.DIRECTORY, RIGHT.ALL & ~RIGHT.WRITE);
    for (const way of ways(outside)) {
      for (const [fd, target] of [
        [ROOT_FD, way],
        [sub, `../../${way}`],
      ] as const) {
        const outcomes = [
          await program.call('path_open', fd, 1, target, 0, RIGHT.READ, 0n, 0, 64),
          await program.call('path_open', fd, 1, target, OPEN.TRUNC, READ_WRITE, 0n, 0, 64),
          await program.call('path_open', fd, 1, `${target}/x`, OPEN.CREAT, READ_WRITE, 0n, 0, 64),
          await program.call('path_filestat_get', fd, 1, target, 64),
          await program.call('path_filestat_set_times', fd, 1, target, 0n, 0n, 5),
          await program.call('path_readlink', fd, `${target}/../secret`, 64, 8, 128),
        ];
        expect(
          outcomes.filter((errno) => errno === 0),
          way,
        ).toEqual([]);
        // These may make something inside, beside a link.
        await program.call('path_create_directory', fd, `${target}-made`);
        await program.call('path_symlink', 'x', fd, `${target}-made`);
        if (
          (await program.call(
            'path_open',
            fd,
            1,
            path.posix.dirname(target),
            OPEN.DIRECTORY,
            RIGHT.READDIR,
            0n,
            0,
            64,
          )) !== 0
        ) {
          continue;
        }
        const opened = program.view.getUint32(64, true);
        const listed = program.room(1000);
        expect(program.textAt(listed, await program.result('fd_readdir', opened, listed, 1000, 0n)), way).toContain(
          'file',
        );
        await program.call('fd_close', opened);
      }
    }
    expect(await state()).toBe(before);
  });

  test('makes nothing through links that lead to where nothing is yet', async () => {
    const { inside, outside, state } = await fortress();
    const before = await state();
    const program = await caller({ files: hostDirectory(inside, { hold }) });
    for (const name of ['dangling', 'dangling-absolute', 'up-and-out/new', 'to-outside/new', 'up/new']) {
      for (const oflags of [OPEN.CREAT, OPEN.CREAT | OPEN.TRUNC, OPEN.CREAT | OPEN.EXCL]) {
        for (const lookup of [0, 1]) {
          const errno = await program.call('path_open', ROOT_FD, lookup, name, oflags, READ_WRITE, 0n, 0, 64);
          expect(errno, name).not.toBe(0);
        }
      }
    }
    expect(await state()).toBe(before);
    expect(existsSync(path.join(outside, 'new'))).toBe(false);
  });

  test('moves nothing out or in, and removes only links', async () => {
    const { inside, state } = await fortress();
    const before = await state();
    const program = await caller({ files: hostDirectory(inside, { hold }) });
    const attempts: (readonly [string, string])[] = [
      ['file', '../stolen'],
      ['file', 'up/stolen'],
      ['file', 'to-outside/stolen'],
      ['up/secret', 'caught'],
      ['to-outside/secret', 'caught'],
      ['up-and-out/dir', 'caught'],
      ['../outside', 'caught'],
    ];
    for (const [from, to] of attempts) {
      expect(await program.call('path_rename', ROOT_FD, from, ROOT_FD, to), `${from} to ${to}`).not.toBe(0);
      expect(await program.call('path_link', ROOT_FD, 0, from, ROOT_FD, to), `${from} as ${to}`).not.toBe(0);
      expect(await program.call('path_link', ROOT_FD, 1, from, ROOT_FD, to), `${from} as ${to}`).not.toBe(0);
    }
    // A link to a link is that link again.
    expect(await program.call('path_link', ROOT_FD, 0, 'to-secret', ROOT_FD, 'again')).toBe(0);
    expect(await program.call('path_open', ROOT_FD, 1, 'again', 0, RIGHT.READ, 0n, 0, 64)).toBe(ERRNO.NOTCAPABLE);
    for (const name of ['up/secret', 'to-outside/secret', '../secret', 'to-outside/dir/secret']) {
      expect(await program.call('path_unlink_file', ROOT_FD, name), name).not.toBe(0);
    }
    for (const name of ['up/outside', 'to-outside/dir', 'to-outside', 'to-outside/']) {
      expect(await program.call('path_remove_directory', ROOT_FD, name), name).not.toBe(0);
    }
    expect(await program.call('path_unlink_file', ROOT_FD, 'to-secret')).toBe(0);
    expect(await program.call('path_unlink_file', ROOT_FD, 'to-outside')).toBe(0);
    expect(await state()).toBe(before);
  });

  test('with links of its own gets no further', async () => {
    const { inside, outside, state } = await fortress();
    const before = await state();
    const program = await caller({ files: hostDirectory(inside, { hold }) });
    const make = (target: string, name: string): Promise<number> => program.call('path_symlink', target, ROOT_FD, name);
    expect(await make('../..', 'dir/mine')).toBe(0);
    expect(await make('dir/mine/..', 'mine')).toBe(0);
    expect(await make(outside, 'absolute')).toBe(ERRNO.NOTCAPABLE);
    for (const way of ['dir/mine/outside/secret', 'mine', 'mine/outside', 'dir/mine/secret']) {
      expect(await program.call('path_open', ROOT_FD, 1, way, 0, RIGHT.READ, 0n, 0, 64), way).toBe(ERRNO.NOTCAPABLE);
    }
    // Moved, a link that was harmless where it was leads out: and is not followed there either.
    expect(await make('../file', 'dir/harmless')).toBe(0);
    expect(await program.read(await program.open('dir/harmless', 0, RIGHT.READ))).toBe('mine');
    expect(await program.call('path_rename', ROOT_FD, 'dir/harmless', ROOT_FD, 'harmful')).toBe(0);
    expect(await program.call('path_open', ROOT_FD, 1, 'harmful', 0, RIGHT.READ, 0n, 0, 64)).toBe(ERRNO.NOTCAPABLE);
    expect(await state()).toBe(before);
  });

  test('while another program puts a link in the place of a directory again and again, reads only what is inside', async () => {
    const { inside, state } = await fortress();
    await mkdir(path.join(inside, 'swap'));
    await writeFile(path.join(inside, 'swap/secret'), 'mine');
    const before = await state();
    const system = hostDirectory(inside, { hold });
    const [reader, swapper] = [await caller({ files: system }), await caller({ files: system })];
    await swapper.call('path_symlink', '../outside', ROOT_FD, 'link');
    const rename = (from: string, to: string): Promise<number> =>
      swapper.call('path_rename', ROOT_FD, from, ROOT_FD, to);
    const end = performance.now() + 400;
    const seen = new Map<string | number, number>();
    const count = (outcome: string | number): void => void seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
    const swap = async (): Promise<void> => {
      while (performance.now() < end) {
        await rename('swap', 'away');
        await rename('link', 'swap');
        await rename('swap', 'link');
        await rename('away', 'swap');
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    const read = async (): Promise<void> => {
      while (performance.now() < end) {
        const result = reader.room(8);
        const errno = await reader.call('path_open', ROOT_FD, 1, 'swap/secret', 0, RIGHT.READ, 0n, 0, result);
        if (errno !== 0) {
          count(errno);
          continue;
        }
        const fd = reader.view.getUint32(result, true);
        count(await reader.read(fd));
        await reader.call('fd_close', fd);
        await reader.call('path_open', ROOT_FD, 1, 'swap/made', OPEN.CREAT, READ_WRITE, 0n, 0, result);
      }
    };
    await Promise.all([swap(), read(), read()]);
    expect([...seen.keys()].filter((outcome) => typeof outcome === 'string')).toEqual(['mine']);
    expect(await state()).toBe(before);
  });
});

test.skipIf(!hasDescriptors)(
  'a host that puts links in the place of directories at any moment cannot lead a program out of one held by its descriptor',
  async () => {
    const { inside, state, outside } = await fortress();
    await mkdir(path.join(inside, 'swap'));
    await writeFile(path.join(inside, 'swap/secret'), 'mine');
    const before = await state();
    const program = await caller({ files: hostDirectory(inside, { hold: 'descriptors' }) });
    const swapping = run(process.execPath, ['--input-type=module', '-e', SWAP, outside], inside);
    const end = { reached: false };
    void swapping.finally(() => (end.reached = true));
    const seen = new Set<string | number>();
    const enough = performance.now() + 300;
    while (!end.reached) {
      // On a busy machine it takes longer until the program has met both.
      if (seen.size > 1 && performance.now() > enough) await writeFile(path.join(inside, 'stop'), '');
      const result = program.room(8);
      const errno = await program.call('path_open', ROOT_FD, 1, 'swap/secret', 0, RIGHT.READ, 0n, 0, result);
      if (errno !== 0) {
        seen.add(errno);
        continue;
      }
      const fd = program.view.getUint32(result, true);
      seen.add(await program.read(fd));
      await program.call('fd_close', fd);
    }
    expect(await swapping).toEqual({ code: 0, stdout: '', stderr: '' });
    expect([...seen].filter((each) => typeof each === 'string')).toEqual(['mine']);
    expect(seen.size).toBeGreaterThan(1);
    expect(await state()).toBe(before);
  },
);

/** Another process that has a directory be a link to the outside half of the time. */
const SWAP = `
import { existsSync, renameSync, symlinkSync } from 'node:fs';
symlinkSync(process.argv.at(-1), 'link');
for (const end = performance.now() + 20_000; performance.now() < end && !existsSync('stop'); ) {
  renameSync('swap', 'away');
  renameSync('link', 'swap');
  renameSync('swap', 'link');
  renameSync('away', 'swap');
}
`;

test.skipIf(!hasDescriptors)('a directory that is moved away while it is open stays the same one', async () => {
  const folder = await temporaryFolder({ 'inside/dir/f': 'mine', 'elsewhere/f': SECRET });
  const program = await caller({ files: hostDirectory(path.join(folder, 'inside'), { hold: 'descriptors' }) });
  const dir = await program.result(
    'path_open',
    ROOT_FD,
    1,
    'dir',
    OPEN.DIRECTORY,
    RIGHT.ALL & ~RIGHT.WRITE,
    RIGHT.ALL,
    0,
  );
  renameSync(path.join(folder, 'inside/dir'), path.join(folder, 'elsewhere/dir'));
  await link(path.join(folder, 'elsewhere/f'), path.join(folder, 'elsewhere/g'));
  const fd = await program.result('path_open', dir, 1, 'f', 0, RIGHT.READ, 0n, 0);
  expect(await program.read(fd)).toBe('mine');
  expect(await program.call('path_open', dir, 1, '../f', 0, RIGHT.READ, 0n, 0, 64)).toBe(ERRNO.NOTCAPABLE);
  expect(statSync(path.join(folder, 'elsewhere/f')).nlink).toBe(2);
});
