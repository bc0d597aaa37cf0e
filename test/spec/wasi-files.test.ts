// WASI: files in memory, paths, descriptors and their rights, and several file systems as one.
import { describe, expect, test } from 'vitest';
import { type Directory, FileError, type FileSystem, type OpenFile, type Stat, memoryFiles } from 'wasm-fibers/wasi';
import { HeldFiles, slow } from '../support/slow-files.ts';
import { type Caller, ERRNO, FDFLAG, OPEN, RIGHT, ROOT_FD, caller } from '../support/wasi.ts';

const DIRECTORY = 3;
const REGULAR = 4;
const SYMLINK = 7;

/** Opening fails with this number. */
async function refusal(program: Caller, path: string, oflags = 0, rights: bigint = RIGHT.ALL): Promise<number> {
  return program.call('path_open', ROOT_FD, 1, path, oflags, rights, RIGHT.ALL, 0, 64);
}

describe('files in memory', () => {
  test('are read, made and written, and the host has them afterwards', async () => {
    const files = memoryFiles({ 'in.txt': 'three lines', data: { 'b.bin': Uint8Array.of(1, 2) } });
    const program = await caller({ files });
    expect(await program.read(await program.open('in.txt'), 5)).toBe('three');
    const out = await program.open('data/out.txt', OPEN.CREAT, RIGHT.WRITE);
    expect(await program.write(out, 'written')).toBe(0);
    expect(await program.list('data')).toEqual(['b.bin', 'out.txt']);
    expect(files.text('data/out.txt')).toBe('written');
    expect(Object.keys(files.toObject()).sort()).toEqual(['data/b.bin', 'data/out.txt', 'in.txt']);
    files.write('more/late.txt', 'x');
    expect(await program.stat('more/late.txt')).toMatchObject({ type: REGULAR, size: 1 });
  });

  test('tell the host what is wrong with a path', () => {
    const files = memoryFiles({ 'a/b': 'c' });
    for (const [path, code] of [
      ['x', 'ENOENT'],
      ['a', 'EISDIR'],
      ['', 'EISDIR'],
      ['a/b/c', 'ENOTDIR'],
      ['../a', 'EINVAL'],
    ] as const) {
      expect(() => files.text(path), path).toThrow(expect.objectContaining({ code }));
    }
    expect(() => memoryFiles({ '../x': '' })).toThrow(FileError);
  });

  test('keep a position for each descriptor, and can be read and written without it', async () => {
    const program = await caller({ files: { f: 'abcdefgh' } });
    const [one, two] = [await program.open('f'), await program.open('f')];
    expect([await program.read(one, 3), await program.read(two, 2), await program.read(one, 3)]).toEqual([
      'abc',
      'ab',
      'def',
    ]);
    expect(await program.result('fd_tell', one)).toBe(6);
    expect(await program.result('fd_seek', one, -2n, 1)).toBe(4);
    expect(await program.result('fd_seek', one, -1n, 2)).toBe(7);
    expect(await program.read(one)).toBe('h');
    const { vectors, at } = program.vector(3);
    expect(await program.result('fd_pread', one, vectors, 1, 1n)).toBe(3);
    expect(program.textAt(at, 3)).toBe('bcd');
    expect(await program.result('fd_pwrite', one, vectors, 1, 0n)).toBe(3);
    expect(await program.result('fd_tell', one)).toBe(8);
    await program.call('fd_seek', one, 0n, 0, 64);
    expect(await program.read(one)).toBe('bcddefgh');
    expect(await program.call('fd_seek', one, -1n, 0, 64)).toBe(ERRNO.INVAL);
    expect(await program.call('fd_seek', one, 0n, 9, 64)).toBe(ERRNO.INVAL);
    expect(await program.call('fd_pread', one, vectors, 1, -1n, 64)).toBe(ERRNO.INVAL);
  });

  test('grow by what is written beyond their end, with zeros between, and are cut off', async () => {
    const files = memoryFiles({ f: 'ab' });
    const program = await caller({ files });
    const fd = await program.open('f');
    await program.call('fd_seek', fd, 4n, 0, 64);
    await program.write(fd, 'z');
    expect(files.text('f')).toBe('ab\0\0z');
    expect(await program.call('fd_filestat_set_size', fd, 1n)).toBe(0);
    expect(await program.call('fd_filestat_set_size', fd, 3n)).toBe(0);
    expect(files.text('f')).toBe('a\0\0');
    expect(await program.call('fd_allocate', fd, 2n, 8n)).toBe(0);
    expect(await program.call('fd_allocate', fd, 0n, 2n)).toBe(0);
    expect(files.bytes('f')).toHaveLength(10);
    expect(await program.call('fd_allocate', fd, 0n, 0n)).toBe(ERRNO.INVAL);
  });

  test('appended to by two descriptors lose nothing', async () => {
    const files = memoryFiles({ log: '0' });
    const program = await caller({ files });
    const open = (): Promise<number> => program.open('log', 0, RIGHT.ALL, FDFLAG.APPEND);
    const [one, two] = [await open(), await open()];
    for (const [fd, part] of [
      [one, '1'],
      [two, '2'],
      [one, '3'],
    ] as const) {
      await program.write(fd, part);
    }
    expect(files.text('log')).toBe('0123');
  });

  test('stay readable when their name is gone, and their room comes back when they are closed', async () => {
    const program = await caller({ files: memoryFiles({ f: 'x'.repeat(60) }, { capacity: 100 }) });
    const fd = await program.open('f');
    expect(await program.call('path_unlink_file', ROOT_FD, 'f')).toBe(0);
    expect(await program.read(fd, 3)).toBe('xxx');
    const other = await program.open('g', OPEN.CREAT);
    expect(await program.write(other, 'y'.repeat(60))).toBe(ERRNO.NOSPC);
    expect(await program.call('fd_close', fd)).toBe(0);
    expect(await program.write(other, 'y'.repeat(60))).toBe(0);
  });

  test('and the targets of symbolic links share what room there is, which comes back with their last name', async () => {
    const program = await caller({ files: memoryFiles({}, { capacity: 100 }) });
    const link = (bytes: number, path: string): Promise<number> =>
      program.call('path_symlink', 'x'.repeat(bytes), ROOT_FD, path);
    expect([await link(61, 'a'), await link(40, 'b'), await link(39, 'b')]).toEqual([0, ERRNO.NOSPC, 0]);
    expect(await program.call('path_link', ROOT_FD, 0, 'a', ROOT_FD, 'again')).toBe(0);
    expect(await program.call('path_unlink_file', ROOT_FD, 'a')).toBe(0);
    expect(await link(1, 'c')).toBe(ERRNO.NOSPC);
    expect(await program.call('path_unlink_file', ROOT_FD, 'again')).toBe(0);
    const fd = await program.open('file', OPEN.CREAT);
    expect([await program.write(fd, 'y'.repeat(62)), await program.write(fd, 'y'.repeat(61))]).toEqual([
      ERRNO.NOSPC,
      0,
    ]);
    expect(await program.call('path_rename', ROOT_FD, 'file', ROOT_FD, 'b')).toBe(0);
    expect([await link(40, 'c'), await link(39, 'c')]).toEqual([ERRNO.NOSPC, 0]);
  });

  test('that are full say so, and nothing half-written is left', async () => {
    const files = memoryFiles({ f: 'abc' }, { capacity: 10 });
    const program = await caller({ files });
    const fd = await program.open('f');
    await program.call('fd_seek', fd, 0n, 2, 64);
    expect(await program.write(fd, '12345678')).toBe(ERRNO.NOSPC);
    expect(await program.call('fd_filestat_set_size', fd, 11n)).toBe(ERRNO.NOSPC);
    expect(await program.call('fd_filestat_set_size', fd, 2n ** 40n)).toBe(ERRNO.FBIG);
    expect(files.text('f')).toBe('abc');
    expect(() => memoryFiles({ f: 'abc' }, { capacity: 2 })).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
  });

  test('have times that can be set, and times that are now', async () => {
    const program = await caller({ files: { f: '' } });
    const times = async (): Promise<bigint[]> => {
      const at = program.room(64);
      await program.call('path_filestat_get', ROOT_FD, 0, 'f', at);
      return [program.view.getBigUint64(at + 40, true), program.view.getBigUint64(at + 48, true)];
    };
    const set = (accessed: bigint, modified: bigint, flags: number): Promise<number> =>
      program.call('path_filestat_set_times', ROOT_FD, 0, 'f', accessed, modified, flags);
    expect(await set(123_456_789_123n, 5n, 1 | 4)).toBe(0);
    expect(await times()).toEqual([123_456_789_123n, 5n]);
    expect(await set(0n, 0n, 8)).toBe(0);
    const [accessed, modified = 0n] = await times();
    expect(accessed).toBe(123_456_789_123n);
    expect(Math.abs(Number(modified) / 1e6 - Date.now())).toBeLessThan(60_000);
    expect([await set(0n, 0n, 1 | 2), await set(0n, 0n, 4 | 8), await set(0n, 0n, 16)]).toEqual(Array(3).fill(28));
  });
});

describe('paths', () => {
  const tree = { dir: { sub: { file: 'deep' } }, file: 'top' };

  test.each([
    ['dir/sub/file', 'deep'],
    ['./dir//sub/../sub/./file', 'deep'],
    ['dir/../file', 'top'],
  ])('%s is found', async (path, content) => {
    const program = await caller({ files: tree });
    expect(await program.read(await program.open(path))).toBe(content);
  });

  test.each([
    ['../file', ERRNO.NOTCAPABLE],
    ['dir/../../file', ERRNO.NOTCAPABLE],
    ['/file', ERRNO.NOTCAPABLE],
    ['', ERRNO.NOENT],
    ['none', ERRNO.NOENT],
    ['none/../file', ERRNO.NOENT],
    ['file/', ERRNO.NOTDIR],
    ['file/..', ERRNO.NOTDIR],
    ['file/x', ERRNO.NOTDIR],
    ['fi\0le', ERRNO.INVAL],
  ])('%j is refused', async (path, errno) => {
    const program = await caller({ files: tree });
    expect(await refusal(program, path)).toBe(errno);
    expect(await program.call('path_filestat_get', ROOT_FD, 1, path, 64)).toBe(errno);
  });

  test.each([
    ['a name', 'x'.repeat(300)],
    ['a path', './'.repeat(3000)],
    ['a path of few letters and many bytes', `${'€'.repeat(200)}/`.repeat(7)],
  ])('%s that is too long is refused', async (_, path) => {
    const program = await caller({ files: tree });
    expect(await refusal(program, path)).toBe(ERRNO.NAMETOOLONG);
  });

  test('and targets are refused for their length before they are read', async () => {
    const program = await caller({ files: tree });
    program.bytes(4096, 4097).fill(0xff);
    expect(await program.call('path_filestat_get', ROOT_FD, 1, 4096, 4097, 64)).toBe(ERRNO.NAMETOOLONG);
    expect(await program.call('path_filestat_get', ROOT_FD, 1, 4096, 4096, 64)).toBe(ERRNO.ILSEQ);
    expect(await program.call('path_symlink', 4096, 4097, ROOT_FD, 'new')).toBe(ERRNO.NAMETOOLONG);
    expect(await program.call('path_symlink', 4096, 4096, ROOT_FD, 'new')).toBe(ERRNO.ILSEQ);
  });

  test('that are not UTF-8 are refused', async () => {
    const program = await caller({ files: tree });
    program.bytes(4096, 2).set([0xff, 0xfe]);
    expect(await program.call('path_filestat_get', ROOT_FD, 1, 4096, 2, 64)).toBe(ERRNO.ILSEQ);
  });

  test('begin at the directory they are given with, and do not leave it', async () => {
    const program = await caller({ files: tree });
    const sub = await program.open('dir/sub', OPEN.DIRECTORY, RIGHT.READDIR);
    expect(await program.call('path_open', sub, 1, '../../file', 0, 0n, 0n, 0, 64)).toBe(ERRNO.NOTCAPABLE);
    expect(await program.call('path_open', 0, 1, 'file', 0, 0n, 0n, 0, 64)).toBe(ERRNO.NOTDIR);
    expect(await program.call('path_open', 99, 1, 'file', 0, 0n, 0n, 0, 64)).toBe(ERRNO.BADF);
  });

  test('symbolic links are followed from where they are, but neither out nor round in circles', async () => {
    const program = await caller({ files: tree });
    const link = (target: string, path: string): Promise<number> => program.call('path_symlink', target, ROOT_FD, path);
    for (const [target, path] of [
      ['sub/file', 'dir/near'],
      ['../file', 'dir/up'],
      ['../../file', 'dir/out'],
      ['dir/sub/', 'folder'],
      ['loop', 'loop'],
      ['b', 'a'],
      ['a', 'b'],
      ['none', 'dangling'],
    ] as const) {
      expect(await link(target, path), path).toBe(0);
    }
    expect(await program.read(await program.open('dir/near'))).toBe('deep');
    expect(await program.read(await program.open('dir/up'))).toBe('top');
    expect(await program.read(await program.open('folder/file'))).toBe('deep');
    expect(await refusal(program, 'dir/out')).toBe(ERRNO.NOTCAPABLE);
    expect([await refusal(program, 'loop'), await refusal(program, 'a/x')]).toEqual([ERRNO.LOOP, ERRNO.LOOP]);
    expect(await refusal(program, 'dangling')).toBe(ERRNO.NOENT);
    expect(await program.stat('dir/near')).toMatchObject({ type: SYMLINK, size: 8 });
    expect(await program.stat('dir/near', 1)).toMatchObject({ type: REGULAR });
    expect(await program.call('path_open', ROOT_FD, 0, 'dir/near', 0, 0n, 0n, 0, 64)).toBe(ERRNO.LOOP);
    const buffer = program.room(8);
    expect(await program.result('path_readlink', ROOT_FD, 'dir/near', buffer, 3)).toBe(3);
    expect(program.textAt(buffer, 8)).toBe('sub\0\0\0\0\0');
    expect(await program.call('path_readlink', ROOT_FD, 'file', buffer, 3, 64)).toBe(ERRNO.INVAL);
    expect(await link('/file', 'absolute')).toBe(ERRNO.NOTCAPABLE);
    expect(await link('x', 'file')).toBe(ERRNO.EXIST);
    // One that the host has put there leads nowhere either.
    expect(await program.open('dangling', OPEN.CREAT)).toBeGreaterThan(ROOT_FD);
    expect(await program.stat('none')).toMatchObject({ type: REGULAR });
  });

  test('directories are made, renamed and removed as POSIX has it', async () => {
    const program = await caller({ files: { ...tree, empty: {} } });
    const rename = (from: string, to: string): Promise<number> =>
      program.call('path_rename', ROOT_FD, from, ROOT_FD, to);
    const remove = (path: string): Promise<number> => program.call('path_remove_directory', ROOT_FD, path);
    expect(await program.call('path_create_directory', ROOT_FD, 'new/')).toBe(0);
    expect(await program.call('path_create_directory', ROOT_FD, 'new')).toBe(ERRNO.EXIST);
    expect(await program.call('path_create_directory', ROOT_FD, '.')).toBe(ERRNO.EXIST);
    expect(await rename('dir', 'dir/sub/inside')).toBe(ERRNO.INVAL);
    expect(await rename('dir', 'file')).toBe(ERRNO.NOTDIR);
    expect(await rename('file', 'empty')).toBe(ERRNO.ISDIR);
    expect(await rename('empty', 'dir')).toBe(ERRNO.NOTEMPTY);
    expect(await rename('dir', 'empty')).toBe(0);
    expect(await rename('none', 'x')).toBe(ERRNO.NOENT);
    expect(await rename('.', 'x')).toBe(ERRNO.BUSY);
    expect(await rename('file', 'file')).toBe(0);
    expect(await rename('file', 'other/')).toBe(ERRNO.NOTDIR);
    expect(await remove('empty')).toBe(ERRNO.NOTEMPTY);
    expect(await remove('file')).toBe(ERRNO.NOTDIR);
    expect(await remove('.')).toBe(ERRNO.INVAL);
    expect(await remove('new/')).toBe(0);
    expect(await program.call('path_unlink_file', ROOT_FD, 'empty')).toBe(ERRNO.ISDIR);
    expect(await program.call('path_unlink_file', ROOT_FD, 'file/')).toBe(ERRNO.NOTDIR);
    expect(await program.list('.')).toEqual(['empty', 'file']);
  });

  test('what was removed while it was open takes nothing new', async () => {
    const program = await caller({ files: { gone: {} } });
    const fd = await program.open('gone', OPEN.DIRECTORY, RIGHT.READDIR);
    expect(await program.call('path_remove_directory', ROOT_FD, 'gone')).toBe(0);
    expect(await program.call('fd_filestat_get', fd, 64)).toBe(ERRNO.NOTCAPABLE);
    const all = await caller({ files: { gone: {} } });
    const open = await all.result(
      'path_open',
      ROOT_FD,
      1,
      'gone',
      OPEN.DIRECTORY,
      RIGHT.ALL & ~RIGHT.WRITE,
      RIGHT.ALL,
      0,
    );
    expect(await all.call('path_remove_directory', ROOT_FD, 'gone')).toBe(0);
    expect(await all.call('path_create_directory', open, 'x')).toBe(ERRNO.NOENT);
  });

  test('links are second names of one file', async () => {
    const files = memoryFiles(tree);
    const program = await caller({ files });
    const link = (from: string, to: string): Promise<number> =>
      program.call('path_link', ROOT_FD, 0, from, ROOT_FD, to);
    expect(await link('file', 'dir/second')).toBe(0);
    const [one, two] = [await program.stat('file'), await program.stat('dir/second')];
    expect([one.inode, one.links, two.links]).toEqual([two.inode, 2, 2]);
    expect(await program.call('path_unlink_file', ROOT_FD, 'file')).toBe(0);
    expect(files.text('dir/second')).toBe('top');
    expect([await link('dir', 'x'), await link('dir/second', 'dir'), await link('dir/second', 'new/')]).toEqual([
      ERRNO.PERM,
      ERRNO.EXIST,
      ERRNO.NOENT,
    ]);
  });

  test('a directory is listed as it was when the listing began, in pieces of any size', async () => {
    const names = Array.from({ length: 40 }, (_, n) => `file number ${n}`);
    const program = await caller({ files: Object.fromEntries(names.map((name) => [name, ''])) });
    expect(await program.list('.')).toEqual(names.toSorted());
    const fd = await program.open('.', OPEN.DIRECTORY, RIGHT.READDIR);
    const at = program.room(40);
    expect(await program.result('fd_readdir', fd, at, 40, 0n)).toBe(40);
    await program.call('path_unlink_file', ROOT_FD, names[0] ?? '');
    const large = program.room(4000);
    const used = await program.result('fd_readdir', fd, large, 4000, 2n);
    expect(program.textAt(large, used)).toContain('file number 0');
    expect(await program.result('fd_readdir', fd, large, 4000, 1_000_000n)).toBe(0);
  });
});

test('the lists of 64 directories are kept at once, and of those that were closed none', async () => {
  const log: string[] = [];
  const names = Array.from({ length: 10 }, (_, n) => `file number ${n}`);
  const program = await caller({ files: slow(memoryFiles(Object.fromEntries(names.map((name) => [name, '']))), log) });
  const lists = (): number => log.filter((line) => line.endsWith('.list')).length;
  const read = async (fd: number, cookie: bigint): Promise<string> => {
    const at = program.room(80);
    return program.textAt(at, await program.result('fd_readdir', fd, at, 80, cookie));
  };
  const open = (): Promise<number> => program.open('.', OPEN.DIRECTORY, RIGHT.READDIR);
  const fds = await Promise.all(Array.from({ length: 64 }, open));
  for (const fd of fds) await read(fd, 0n);
  expect(lists()).toBe(64);
  for (const fd of fds) expect(await read(fd, 5n)).toContain('file number 3');
  expect(lists()).toBe(64);
  const [first = 0, second = 0, third = 0] = fds;
  await program.call('fd_close', second);
  await read(await open(), 0n);
  expect(await read(first, 6n)).toContain('file number 4');
  expect(lists()).toBe(65);
  await read(await open(), 0n);
  expect(await read(third, 6n)).toContain('file number 4');
  expect(lists()).toBe(66);
  // It goes on where it was, with a list made anew.
  expect(await read(first, 7n)).toContain('file number 5');
  expect(lists()).toBe(67);
});

describe('descriptors', () => {
  test('are 1024 at most', async () => {
    const program = await caller({ files: { a: '' } });
    let last = 0;
    while (last < 1023) last = await program.open('a');
    expect(await refusal(program, 'a')).toBe(ERRNO.MFILE);
    expect(await program.call('fd_close', 500)).toBe(0);
    expect(await program.open('a')).toBe(500);
  });

  test('have the lowest number that is free', async () => {
    const program = await caller({ files: { a: '', b: '' } });
    expect([await program.open('a'), await program.open('b')]).toEqual([4, 5]);
    expect(await program.call('fd_close', 4)).toBe(0);
    expect(await program.open('b')).toBe(4);
    expect(await program.call('fd_close', 9)).toBe(ERRNO.BADF);
  });

  test('are renumbered over another one, which is closed', async () => {
    const program = await caller({ files: { a: 'A', b: 'B' } });
    const [a, b] = [await program.open('a'), await program.open('b')];
    expect(await program.call('fd_renumber', a, b)).toBe(0);
    expect(await program.read(b)).toBe('A');
    expect(await program.read(a)).toBe(ERRNO.BADF);
    expect(await program.call('fd_renumber', b, b)).toBe(0);
    expect([await program.call('fd_renumber', b, 77), await program.call('fd_renumber', 77, b)]).toEqual([8, 8]);
  });

  test('have the rights that they are opened with, and can give them up but not gain them', async () => {
    const program = await caller({ files: { a: 'A' } });
    const fd = await program.open('a', 0, RIGHT.READ);
    expect(await program.write(fd, 'x')).toBe(ERRNO.BADF);
    expect(await program.call('fd_seek', fd, 1n, 0, 64)).toBe(ERRNO.NOTCAPABLE);
    expect(await program.call('fd_fdstat_set_rights', fd, RIGHT.READ | RIGHT.WRITE, 0n)).toBe(ERRNO.NOTCAPABLE);
    expect(await program.call('fd_fdstat_set_rights', fd, 0n, 0n)).toBe(0);
    expect(await program.read(fd)).toBe(ERRNO.BADF);
    expect(await program.call('fd_fdstat_set_rights', ROOT_FD, RIGHT.ALL, 0n)).toBe(ERRNO.NOTCAPABLE);
  });

  test('of directories hand on only what they may', async () => {
    const program = await caller({ files: { dir: { a: 'A' } } });
    const dir = await program.result('path_open', ROOT_FD, 1, 'dir', OPEN.DIRECTORY, 1n << 13n, RIGHT.READ, 0);
    const open = (oflags: number, rights: bigint): Promise<number> =>
      program.call('path_open', dir, 1, 'a', oflags, rights, 0n, 0, 64);
    expect([await open(0, RIGHT.READ), await open(0, RIGHT.WRITE)]).toEqual([0, ERRNO.NOTCAPABLE]);
    expect([await open(OPEN.CREAT, 0n), await open(OPEN.TRUNC, 0n)]).toEqual([ERRNO.NOTCAPABLE, ERRNO.NOTCAPABLE]);
    expect(await program.call('path_unlink_file', dir, 'a')).toBe(ERRNO.NOTCAPABLE);
  });

  test('files and directories are opened only as what they are', async () => {
    const program = await caller({ files: { dir: {}, a: 'A' } });
    expect(await refusal(program, 'dir', 0, RIGHT.READ | RIGHT.WRITE)).toBe(ERRNO.ISDIR);
    expect(await refusal(program, 'dir', OPEN.TRUNC, 0n)).toBe(ERRNO.ISDIR);
    expect(await refusal(program, 'dir', OPEN.CREAT, 0n)).toBe(ERRNO.ISDIR);
    expect(await refusal(program, 'dir', OPEN.CREAT | OPEN.EXCL, 0n)).toBe(ERRNO.EXIST);
    expect(await refusal(program, 'a', OPEN.DIRECTORY, 0n)).toBe(ERRNO.NOTDIR);
    expect(await refusal(program, 'a', OPEN.CREAT | OPEN.EXCL)).toBe(ERRNO.EXIST);
    expect(await refusal(program, 'b', OPEN.CREAT | OPEN.DIRECTORY)).toBe(ERRNO.INVAL);
    expect(await refusal(program, 'b/', OPEN.CREAT)).toBe(ERRNO.ISDIR);
    expect(await refusal(program, 'a', 16)).toBe(ERRNO.INVAL);
    expect(await program.read(ROOT_FD)).toBe(ERRNO.ISDIR);
    expect(await program.call('fd_readdir', 1, 64, 10, 0n, 128)).toBe(ERRNO.NOTDIR);
  });

  test('from the beginning are named; nothing is there where nothing was given', async () => {
    const program = await caller({ files: { a: '' } });
    const at = program.room(8);
    expect(await program.call('fd_prestat_get', ROOT_FD, at)).toBe(0);
    expect([program.view.getUint8(at), program.view.getUint32(at + 4, true)]).toEqual([0, 1]);
    expect(await program.call('fd_prestat_dir_name', ROOT_FD, at, 1)).toBe(0);
    expect(program.textAt(at, 1)).toBe('/');
    expect(await program.call('fd_prestat_dir_name', ROOT_FD, at, 0)).toBe(ERRNO.NAMETOOLONG);
    const without = await caller();
    expect([await without.call('fd_prestat_get', 3, at), await without.call('fd_prestat_get', 1, at)]).toEqual([8, 8]);
  });
});

describe('a file system of one’s own', () => {
  test('may take its time for everything: the guest waits, and all that was opened is closed', async () => {
    const log: string[] = [];
    const files = memoryFiles({ a: { b: { c: 'content' } } });
    const program = await caller({ files: slow(files, log) });
    const fd = await program.open('a/b/c');
    expect(await program.read(fd, 3)).toBe('con');
    expect(await program.call('path_create_directory', ROOT_FD, 'a/new')).toBe(0);
    expect(await program.list('a')).toEqual(['b', 'new']);
    await program.program.close();
    const count = (pattern: RegExp): number => log.filter((line) => pattern.test(line)).length;
    // The root, which was there from the beginning, is closed too.
    expect(count(/\.close$/)).toBe(count(/\.open(?:Directory|File)$/) + 1);
  });

  test('read by two fibers through one descriptor gives each byte once', async () => {
    const program = await caller({ files: slow(memoryFiles({ f: 'abcdef' })) });
    const fd = await program.open('f');
    const parts = await Promise.all([program.read(fd, 2), program.read(fd, 2), program.read(fd, 2)]);
    expect(parts).toEqual(['ab', 'cd', 'ef']);
  });

  test('written by two fibers that append loses nothing', async () => {
    const files = memoryFiles({ f: '' });
    const program = await caller({ files: slow(files) });
    const fd = await program.open('f', 0, RIGHT.ALL, FDFLAG.APPEND);
    await Promise.all(['one ', 'two ', 'three'].map((part) => program.write(fd, part)));
    expect(files.text('f')).toBe('one two three');
  });

  test.each(['fd_write', 'fd_pwrite'])(
    'closed by one fiber while %s of another one is under way has all of it',
    async (name) => {
      const files = memoryFiles({ f: '' });
      const held = new HeldFiles(files, /\.write$/);
      const program = await caller({ files: held.files });
      const fd = await program.open('f');
      const { vectors, at } = program.vector(5);
      program.bytes(at, 5).set(new TextEncoder().encode('whole'));
      const offset = name === 'fd_pwrite' ? [0n] : [];
      const writing = program.call(name, fd, vectors, 1, ...offset, 64);
      await held.until(1);
      const closing = program.call('fd_close', fd);
      expect(held.count(/\.close$/)).toBe(0);
      held.release();
      expect([await writing, await closing, held.log.at(-1), files.text('f')]).toEqual([0, 0, 'f.close', 'whole']);
    },
  );

  test('a write that is under way when the program is cancelled is finished, and the file closed', async () => {
    const log: string[] = [];
    const files = memoryFiles({ f: '' });
    const program = await caller({ files: slow(files, log) });
    const fd = await program.open('f');
    const { vectors, at } = program.vector(5);
    program.bytes(at, 5).set(new TextEncoder().encode('whole'));
    const fiber = program.guest.spawn('fd_write', [fd, vectors, 1, 64]);
    fiber.cancel();
    await expect(fiber.result).rejects.toMatchObject({ code: 'CANCELLED' });
    await program.program.close();
    expect(files.text('f')).toBe('whole');
    expect(log).toContain('f.close');
  });

  const stat: Stat = {
    type: 'directory',
    size: 0,
    inode: 1n,
    device: 99n,
    links: 1,
    accessed: 0n,
    modified: 0n,
    changed: 0n,
  };

  function readOnly(open: () => OpenFile): FileSystem {
    const root: Directory = {
      stat: () => stat,
      lookup: (name) => (name === 'page' ? { ...stat, type: 'file', inode: 2n } : null),
      list: () => [{ name: 'page', type: 'file', inode: 2n }],
      openDirectory: () => root,
      openFile: open,
    };
    return { root: () => root };
  }

  test('needs no method that writes: the guest is told that it cannot', async () => {
    const program = await caller({
      files: readOnly(() => ({
        stat: () => ({ ...stat, type: 'file', size: 5 }),
        read: (length, from) => new TextEncoder().encode('hello').subarray(from, from + length),
      })),
    });
    const times = 1n << 23n;
    const fd = await program.open('page', 0, RIGHT.READ | times);
    expect(await program.read(fd)).toBe('hello');
    const refused = [
      await refusal(program, 'page', 0, RIGHT.READ | RIGHT.WRITE),
      await refusal(program, 'page', OPEN.TRUNC, RIGHT.READ),
      await refusal(program, 'new', OPEN.CREAT, RIGHT.READ),
      await program.call('fd_filestat_set_times', fd, 0n, 0n, 1),
      await program.call('path_create_directory', ROOT_FD, 'x'),
      await program.call('path_unlink_file', ROOT_FD, 'page'),
      await program.call('path_rename', ROOT_FD, 'page', ROOT_FD, 'x'),
      await program.call('path_link', ROOT_FD, 0, 'page', ROOT_FD, 'x'),
      await program.call('path_symlink', 'page', ROOT_FD, 'x'),
      await program.call('path_filestat_set_times', ROOT_FD, 0, 'page', 0n, 0n, 1),
    ];
    expect(refused).toEqual(refused.map(() => ERRNO.ROFS));
    expect(await program.call('fd_write', fd, 64, 0, 128)).toBe(ERRNO.BADF);
  });

  test('that fails in its own way is EIO for the guest, and told to the host', async () => {
    const told: unknown[] = [];
    const mistake = new TypeError('undefined is not a function');
    const program = await caller({
      files: readOnly(() => {
        throw mistake;
      }),
      onError: (error, call) => told.push([call, error]),
    });
    expect(await refusal(program, 'page', 0, RIGHT.READ)).toBe(ERRNO.IO);
    expect(told).toEqual([['path_open', mistake]]);
  });

  test('that fails with a POSIX code, as Node’s do, passes it on', async () => {
    const program = await caller({
      files: readOnly(() => {
        throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
      }),
    });
    expect(await refusal(program, 'page', 0, RIGHT.READ)).toBe(ERRNO.ACCES);
  });
});

describe('mounts', () => {
  const mounted = (): ReturnType<typeof caller> =>
    caller({
      files: {
        'plain.txt': 'plain',
        '/data': memoryFiles({ in: 'data' }),
        'deep/er': slow(memoryFiles({ f: 'deep' })),
      },
    });

  test('are directories in the one above, and have a descriptor of their own', async () => {
    const program = await mounted();
    expect(await program.list('.')).toEqual(['data', 'deep', 'plain.txt']);
    expect(await program.list('deep')).toEqual(['er']);
    expect(await program.read(await program.open('data/in'))).toBe('data');
    expect(await program.read(await program.open('deep/er/../../deep/er/f'))).toBe('deep');
    const names: string[] = [];
    for (let fd = ROOT_FD; ; fd++) {
      const at = program.room(16);
      if ((await program.call('fd_prestat_get', fd, at)) !== 0) break;
      const length = program.view.getUint32(at + 4, true);
      await program.call('fd_prestat_dir_name', fd, at, 16);
      names.push(program.textAt(at, length));
    }
    expect(names).toEqual(['/', '/data', '/deep/er']);
    expect(await program.stat('data')).toMatchObject({ type: DIRECTORY });
  });

  test('cannot be left by the path of their own descriptor', async () => {
    const program = await mounted();
    expect(await program.call('path_open', ROOT_FD + 1, 1, '../plain.txt', 0, 0n, 0n, 0, 64)).toBe(ERRNO.NOTCAPABLE);
  });

  test('cannot be removed or replaced, nor files moved between them', async () => {
    const program = await mounted();
    const rename = (from: string, to: string): Promise<number> =>
      program.call('path_rename', ROOT_FD, from, ROOT_FD, to);
    expect(await rename('data', 'other')).toBe(ERRNO.BUSY);
    expect(await rename('plain.txt', 'data')).toBe(ERRNO.BUSY);
    expect(await rename('plain.txt', 'data/x')).toBe(ERRNO.XDEV);
    expect(await rename('data/in', 'deep/er/in')).toBe(ERRNO.XDEV);
    expect(await rename('plain.txt', 'deep/plain.txt')).toBe(0);
    expect(await rename('deep/plain.txt', 'plain.txt')).toBe(0);
    expect(await program.call('path_remove_directory', ROOT_FD, 'data')).toBe(ERRNO.BUSY);
    expect(await program.call('path_link', ROOT_FD, 0, 'plain.txt', ROOT_FD, 'data/x')).toBe(ERRNO.XDEV);
    expect(await program.call('path_create_directory', ROOT_FD, 'data')).toBe(ERRNO.EXIST);
  });

  test('stay there when the program closes their descriptor', async () => {
    const program = await mounted();
    expect(await program.call('fd_close', ROOT_FD + 1)).toBe(0);
    expect(await program.read(await program.open('data/in'))).toBe('data');
  });

  test('a file system may be all there is', async () => {
    const program = await caller({ files: { '/': memoryFiles({ a: 'A' }), '/b': memoryFiles({ c: 'C' }) } });
    expect(await program.list('.')).toEqual(['a', 'b']);
    const only = await caller({ files: { '/only/here': memoryFiles({ a: 'A' }) } });
    const at = only.room(16);
    expect(await only.call('fd_prestat_dir_name', ROOT_FD, at, 16)).toBe(0);
    expect(only.textAt(at, 10)).toBe('/only/here');
  });
});
