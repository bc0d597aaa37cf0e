// WASI: a directory of the browser as a file system. In browsers it is the origin-private one.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { instantiate } from 'wasm-fibers';
import { TextOutput, browserDirectory, run, wasi } from 'wasm-fibers/wasi';
import { watch } from '../support/core.ts';
import { guestSource, hasGuest } from '../support/guest.ts';
import { emptyDirectory, fakeDirectory, hasOriginPrivate } from '../support/handles.ts';
import { Caller, type CallerExports, ERRNO, OPEN, RIGHT, ROOT_FD, caller } from '../support/wasi.ts';

const hasC = await hasGuest('program');
const SYMLINK = 7;
const READ_WRITE = RIGHT.READ | RIGHT.WRITE | RIGHT.SEEK;

let directory: FileSystemDirectoryHandle;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ directory, remove } = await emptyDirectory());
});
afterEach(() => remove());

const open = (): Promise<Caller> => caller({ files: browserDirectory(directory) });

/** What the host finds in a file. */
async function contentOf(name: string, folder: FileSystemDirectoryHandle = directory): Promise<string> {
  return (await (await folder.getFileHandle(name)).getFile()).text();
}

async function put(name: string, content: string): Promise<void> {
  const writer = await (await directory.getFileHandle(name, { create: true })).createWritable();
  await writer.write(new TextEncoder().encode(content));
  await writer.close();
}

describe('a directory of the browser', () => {
  test('is read and written; what is written is there for the host when the file is closed', async () => {
    await put('in', 'content');
    const program = await open();
    expect(await program.read(await program.open('in', 0, RIGHT.READ), 4)).toBe('cont');
    const fd = await program.open('out', OPEN.CREAT, READ_WRITE);
    expect(await program.write(fd, 'some words')).toBe(0);
    const [other, words] = [await program.open('out', 0, RIGHT.READ), 'some words'];
    expect(await program.read(other)).toBe(words);
    expect(await program.stat('out')).toMatchObject({ type: 4, size: words.length });
    expect(await contentOf('out')).toBe('');
    expect(await program.call('fd_close', fd)).toBe(0);
    expect(await contentOf('out')).toBe(words);
    expect(await program.list('.')).toEqual(['in', 'out']);
  });

  test('is written at a sync, and when a program is cancelled: nothing half-written is left', async () => {
    const program = await open();
    const fd = await program.open('f', OPEN.CREAT, RIGHT.ALL & ~(1n << 14n));
    await program.write(fd, 'one');
    expect(await program.call('fd_sync', fd)).toBe(0);
    expect(await contentOf('f')).toBe('one');
    await program.write(fd, ' two');
    const reading = program.guest.spawn('poll_oneoff', [4096, 8192, 0, 64]);
    reading.cancel();
    await reading.result.catch(() => {});
    await program.program.close();
    expect(await contentOf('f')).toBe('one two');
  });

  test('has directories, which are made, moved with all that is in them, and removed', async () => {
    const program = await open();
    const make = (path: string): Promise<number> => program.call('path_create_directory', ROOT_FD, path);
    const rename = (from: string, to: string): Promise<number> =>
      program.call('path_rename', ROOT_FD, from, ROOT_FD, to);
    expect([await make('a'), await make('a/b'), await make('a'), await make('x/y')]).toEqual([
      0,
      0,
      ERRNO.EXIST,
      ERRNO.NOENT,
    ]);
    const fd = await program.open('a/b/f', OPEN.CREAT, READ_WRITE);
    await program.write(fd, 'before');
    expect(await rename('a', 'a/b/inside')).toBe(ERRNO.INVAL);
    expect(await rename('a', 'c')).toBe(0);
    await program.write(fd, ' and after');
    await program.call('fd_close', fd);
    const moved = await (await directory.getDirectoryHandle('c')).getDirectoryHandle('b');
    expect(await contentOf('f', moved)).toBe('before and after');
    expect(await program.call('path_remove_directory', ROOT_FD, 'c/b')).toBe(ERRNO.NOTEMPTY);
    expect(await rename('c/b/f', 'g')).toBe(0);
    expect([await make('d'), await rename('c', 'd'), await rename('g', 'd'), await rename('d', 'g')]).toEqual([
      0,
      0,
      ERRNO.ISDIR,
      ERRNO.NOTDIR,
    ]);
    expect(await program.list('.')).toEqual(['d', 'g']);
    expect(await program.call('path_remove_directory', ROOT_FD, 'd/b')).toBe(0);
    expect(await program.call('path_remove_directory', ROOT_FD, 'd')).toBe(0);
    expect(await program.call('path_unlink_file', ROOT_FD, 'g')).toBe(0);
    expect(await program.list('.')).toEqual([]);
  });

  test('has symbolic links, which stay when they are moved', async () => {
    await put('f', 'content');
    const program = await open();
    expect(await program.call('path_symlink', 'f', ROOT_FD, 'link')).toBe(0);
    expect(await program.stat('link')).toMatchObject({ type: SYMLINK, size: 1 });
    expect(await program.call('path_rename', ROOT_FD, 'link', ROOT_FD, 'moved')).toBe(0);
    const other = await open();
    expect(await other.read(await other.open('moved', 0, RIGHT.READ))).toBe('content');
    expect(await other.call('path_open', ROOT_FD, 0, 'moved', 0, RIGHT.READ, 0n, 0, 64)).toBe(ERRNO.LOOP);
    const at = other.room(8);
    expect(await other.result('path_readlink', ROOT_FD, 'moved', at, 8)).toBe(1);
    expect(await other.call('path_link', ROOT_FD, 0, 'f', ROOT_FD, 'second')).toBe(58);
    expect(await other.call('path_symlink', '../out', ROOT_FD, 'out')).toBe(0);
    expect(await other.call('path_open', ROOT_FD, 1, 'out', 0, RIGHT.READ, 0n, 0, 64)).toBe(ERRNO.NOTCAPABLE);
  });

  test('keeps a file that is open when its name goes to another one or is removed', async () => {
    await put('f', 'old');
    await put('g', 'new');
    const program = await open();
    const fd = await program.open('f', 0, READ_WRITE);
    expect(await program.call('path_rename', ROOT_FD, 'g', ROOT_FD, 'f')).toBe(0);
    await program.write(fd, 'OLD');
    await program.call('fd_seek', fd, 0n, 0, 64);
    expect(await program.read(fd)).toBe('OLD');
    expect(await program.call('fd_close', fd)).toBe(0);
    expect(await contentOf('f')).toBe('new');
    const removed = await program.open('f', 0, READ_WRITE);
    expect(await program.call('path_unlink_file', ROOT_FD, 'f')).toBe(0);
    expect(await program.read(removed)).toBe('new');
    await program.call('fd_close', removed);
    expect(await program.list('.')).toEqual([]);
  });

  test('keeps the times that a program sets, until the file is changed', async () => {
    await put('f', 'x');
    const program = await open();
    const modified = async (): Promise<bigint> => {
      const at = program.room(64);
      await program.call('path_filestat_get', ROOT_FD, 0, 'f', at);
      return program.view.getBigUint64(at + 48, true);
    };
    expect(await program.call('path_filestat_set_times', ROOT_FD, 0, 'f', 0n, 123_456_789n, 4)).toBe(0);
    expect(await modified()).toBe(123_456_789n);
    const fd = await program.open('f', 0, READ_WRITE);
    await program.write(fd, 'y');
    await program.call('fd_close', fd);
    expect(await modified()).toBeGreaterThan(1_600_000_000_000_000_000n);
  });

  test.skipIf(!hasC)('is a disk for a program in C: stdio, directories, links', async () => {
    const stdout = new TextOutput();
    const files = { '/work': browserDirectory(directory) };
    const code = await run(guestSource('program'), { args: ['program', 'files', '/work'], stdout, files });
    expect([code, stdout.text]).toEqual([0, 'line 999\n8890 bytes\n. .. link two.txt \n']);
    expect(await contentOf('two.txt', await directory.getDirectoryHandle('made'))).toBe('line 0');
  });

  test('that is full says so when a file is written back, and what was there stays', async () => {
    const full = fakeDirectory(10);
    const program = await caller({ files: browserDirectory(full) });
    const fd = await program.open('f', OPEN.CREAT, RIGHT.ALL & ~RIGHT.READDIR);
    expect([await program.write(fd, 'small'), await program.call('fd_sync', fd)]).toEqual([0, 0]);
    expect(await program.write(fd, ' and too large')).toBe(0);
    expect(await program.call('fd_sync', fd)).toBe(ERRNO.NOSPC);
    expect(await contentOf('f', full)).toBe('small');
    expect(await program.call('fd_filestat_set_size', fd, 8n)).toBe(0);
    expect(await program.call('fd_close', fd)).toBe(0);
    expect(await contentOf('f', full)).toBe('small an');
  });

  test('that is full when the program has ended is told to the host', async () => {
    const full = fakeDirectory(10);
    const surroundings = wasi({ files: browserDirectory(full), args: [] });
    const guest = watch(await instantiate<CallerExports>(guestSource('wasi'), surroundings.imports));
    await surroundings.initialize(guest);
    const program = new Caller(surroundings, guest);
    await program.write(await program.open('f', OPEN.CREAT, READ_WRITE), 'more than there is room for');
    await expect(surroundings.start(guest)).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await contentOf('f', full)).toBe('');
  });

  test('says what it cannot name', async () => {
    const program = await open();
    expect(await program.call('path_open', ROOT_FD, 1, 'none', 0, RIGHT.READ, 0n, 0, 64)).toBe(ERRNO.NOENT);
    expect(await program.call('path_open', ROOT_FD, 1, 'none/x', OPEN.CREAT, RIGHT.READ, 0n, 0, 64)).toBe(ERRNO.NOENT);
  });
});

test('the origin-private one is the default where there is one, and refused where there is none', async () => {
  const started = run(guestSource('wasi'), { args: [], files: browserDirectory() });
  await (hasOriginPrivate
    ? expect(started).resolves.toBe(0)
    : expect(started).rejects.toMatchObject({ code: 'ENOTSUP' }));
});
