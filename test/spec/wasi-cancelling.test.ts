// WASI: what was under way when a fiber or a whole program was ended: files are whole and closed, nothing is written into
// memory that is somebody else's by now, and nobody waits for what may never come.
import { describe, expect, test } from 'vitest';
import type { Fiber } from 'wasm-fibers';
import { type MemoryFiles, memoryFiles, run } from 'wasm-fibers/wasi';
import { Gate, turn } from '../support/core.ts';
import { guestSource, hasGuest } from '../support/guest.ts';
import { HeldFiles } from '../support/slow-files.ts';
import { type Caller, FDFLAG, OPEN, RIGHT, ROOT_FD, caller } from '../support/wasi.ts';

const hasC = await hasGuest('program');
const utf8 = new TextEncoder();

/** A path or text in the guest's memory, as two arguments. */
function text(program: Caller, content: string): [number, number] {
  const bytes = utf8.encode(content);
  const at = program.room(bytes.length);
  program.bytes(at, bytes.length).set(bytes);
  return [at, bytes.length];
}

function vectorOf(program: Caller, content: string): number {
  const { vectors, at } = program.vector(content.length);
  program.bytes(at, content.length).set(utf8.encode(content));
  return vectors;
}

/** One call that is held at the file system; ended, and the program with it. Gives when that has an end. */
async function end(program: Caller, fiber: Fiber): Promise<{ closed: boolean }> {
  fiber.cancel();
  await expect(fiber.result).rejects.toMatchObject({ code: 'CANCELLED' });
  const end = { closed: false };
  void program.program.close().then(() => (end.closed = true));
  for (let n = 0; n < 5; n++) await turn();
  return end;
}

async function finished(end: { readonly closed: boolean }): Promise<void> {
  while (!end.closed) await turn();
}

/** As many as were opened, and the root. */
const everythingIsClosed = (held: HeldFiles): void =>
  expect(held.count(/\.close$/)).toBe(held.count(/\.open(?:Directory|File)$/) + 1);

describe('a program that is ended', () => {
  test.each(['fd_write', 'fd_pwrite', 'append'])('in the middle of %s has written all of it', async (name) => {
    const memory = memoryFiles({ f: '' });
    const held = new HeldFiles(memory, /\.write$/);
    const program = await caller({ files: held.files });
    const fd = await program.open('f', 0, RIGHT.ALL, name === 'append' ? FDFLAG.APPEND : 0);
    const vectors = vectorOf(program, 'whole');
    const offset = name === 'fd_pwrite' ? [0n] : [];
    const fiber = program.guest.spawn(name === 'append' ? 'fd_write' : name, [fd, vectors, 1, ...offset, 64]);
    await held.until(1);
    const ended = await end(program, fiber);
    expect([ended.closed, held.count(/f\.close/)]).toEqual([false, 0]);
    held.release();
    await finished(ended);
    expect(memory.text('f')).toBe('whole');
    expect(held.log.at(-1)).toBe('.close');
    everythingIsClosed(held);
  });

  const CHANGES: readonly [string, (program: Caller) => (number | bigint)[], (files: MemoryFiles) => unknown][] = [
    ['path_rename', (p) => [ROOT_FD, ...text(p, 'a'), ROOT_FD, ...text(p, 'b')], (files) => files.text('b')],
    ['path_create_directory', (p) => [ROOT_FD, ...text(p, 'd')], (files) => (files.write('d/f', 'content'), 'content')],
    [
      'path_unlink_file',
      (p) => [ROOT_FD, ...text(p, 'a')],
      (files) => Object.keys(files.toObject()).join() || 'content',
    ],
    [
      'path_open',
      (p) => [ROOT_FD, 0, ...text(p, 'new'), OPEN.CREAT, RIGHT.WRITE, 0n, 0, 64],
      (files) => `${files.text('new')}content`,
    ],
  ];
  test.each(CHANGES)('in the middle of %s ends when that is done', async (name, argumentsFor, result) => {
    const memory = memoryFiles({ a: 'content' });
    const held = new HeldFiles(memory, /\.(?:rename|createDirectory|removeFile|openFile)$/);
    const program = await caller({ files: held.files });
    const fiber = program.guest.spawn(name, argumentsFor(program));
    await held.until(1);
    const ended = await end(program, fiber);
    expect(ended.closed).toBe(false);
    held.release();
    await finished(ended);
    expect(result(memory)).toBe('content');
    everythingIsClosed(held);
  });

  test('in the middle of a look at where to write begins to write nothing', async () => {
    const memory = memoryFiles({ f: '' });
    const held = new HeldFiles(memory, /\.stat$/);
    const program = await caller({ files: held.files });
    const fd = await program.open('f', 0, RIGHT.ALL, FDFLAG.APPEND);
    const fiber = program.guest.spawn('fd_write', [fd, vectorOf(program, 'x'), 1, 64]);
    await held.until(1);
    await finished(await end(program, fiber));
    held.release();
    await turn();
    expect([held.count(/\.write/), memory.text('f')]).toEqual([0, '']);
  });

  test('while it opens a file to read it has that closed, whenever it comes', async () => {
    const held = new HeldFiles(memoryFiles({ d: { f: 'x' } }), /\.openFile$/);
    const program = await caller({ files: held.files });
    const fiber = program.guest.spawn('path_open', [ROOT_FD, 0, ...text(program, 'd/f'), 0, RIGHT.READ, 0n, 0, 64]);
    await held.until(1);
    await finished(await end(program, fiber));
    held.release();
    while (held.count(/^f\.close/) === 0) await turn();
    await turn();
    everythingIsClosed(held);
    expect(program.view.getUint32(64, true)).toBe(0);
  });

  test('while it reads what may never come does not wait for that', async () => {
    const held = new HeldFiles(memoryFiles({ f: 'content' }), /\.read$/);
    const program = await caller({ files: held.files });
    const fd = await program.open('f');
    const { vectors, at } = program.vector(7);
    const fiber = program.guest.spawn('fd_read', [fd, vectors, 1, 64]);
    await held.until(1);
    await finished(await end(program, fiber));
    everythingIsClosed(held);
    held.release();
    await turn();
    expect(program.textAt(at, 7)).toBe('\0'.repeat(7));
  });

  test.skipIf(!hasC)('by a timeout, in a file that never answers, ends in time', async () => {
    const held = new HeldFiles(memoryFiles({ f: 'content' }), /\.lookup$/);
    const running = run(guestSource('program'), {
      args: ['program', 'save', '/w/f', 'x'],
      files: { '/w': held.files },
      timeout: 30,
    });
    await expect(running).rejects.toMatchObject({ code: 'TIMEOUT' });
  });
});

describe('a fiber that is cancelled while others live', () => {
  test('loses no input: what comes is for the next one who reads', async () => {
    const gate = new Gate();
    async function* source(): AsyncGenerator<string> {
      yield String(await gate.wait(1));
    }
    const program = await caller({ stdin: source() });
    const { vectors, at } = program.vector(5);
    const fiber = program.guest.spawn('fd_read', [0, vectors, 1, 64]);
    await gate.until(1);
    fiber.cancel();
    await expect(fiber.result).rejects.toMatchObject({ code: 'CANCELLED' });
    const next = program.read(0);
    gate.take(1).resolve('input');
    expect(await next).toBe('input');
    expect(program.textAt(at, 5)).toBe('\0'.repeat(5));
  });

  const ANSWERS: readonly [string, RegExp, (program: Caller, at: number, fd: number) => (number | bigint)[]][] = [
    ['fd_pread', /\.read$/, (p, at, fd) => [fd, p.vector(8).vectors, 1, 0n, at]],
    ['fd_filestat_get', /\.stat$/, (_, at, fd) => [fd, at]],
    ['fd_seek', /\.stat$/, (_, at, fd) => [fd, 0n, 2, at]],
    ['fd_readdir', /\.list$/, (_, at) => [ROOT_FD, at, 64, 0n, at + 64]],
    ['path_filestat_get', /\.lookup$/, (p, at) => [ROOT_FD, 0, ...text(p, 'f'), at]],
    ['path_readlink', /\.readLink$/, (p, at) => [ROOT_FD, ...text(p, 'link'), at, 64, at + 64]],
  ];
  test.each(ANSWERS)('has no answer of %s written into its memory any more', async (name, pattern, argumentsFor) => {
    const memory = memoryFiles({ f: 'content' });
    await (await caller({ files: memory })).call('path_symlink', 'f', ROOT_FD, 'link');
    const held = new HeldFiles(memory, pattern);
    const program = await caller({ files: held.files });
    const fd = name.startsWith('fd_') ? await program.open('f') : 0;
    const at = program.room(128);
    const fiber = program.guest.spawn(name, argumentsFor(program, at, fd));
    await held.until(1);
    fiber.cancel();
    await expect(fiber.result).rejects.toMatchObject({ code: 'CANCELLED' });
    held.release();
    for (let n = 0; n < 5; n++) await turn();
    expect(Math.max(...program.bytes(at, 128))).toBe(0);
  });

  test('has no input and no event written into it, and no number of a file', async () => {
    const gate = new Gate();
    async function* source(): AsyncGenerator<string> {
      yield String(await gate.wait(1));
    }
    const held = new HeldFiles(memoryFiles({ f: '' }), /\.openFile$/);
    const program = await caller({ stdin: source(), files: held.files });
    const at = program.room(256);
    program.view.setUint8(at + 8, 1);
    const polling = program.guest.spawn('poll_oneoff', [at, at + 64, 1, at + 128]);
    const opening = program.guest.spawn('path_open', [
      ROOT_FD,
      0,
      ...text(program, 'f'),
      0,
      RIGHT.READ,
      0n,
      0,
      at + 128,
    ]);
    await gate.until(1);
    await held.until(1);
    for (const fiber of [polling, opening]) {
      fiber.cancel();
      await expect(fiber.result).rejects.toMatchObject({ code: 'CANCELLED' });
    }
    gate.take(1).resolve('input');
    held.release();
    while (held.count(/^f\.close/) === 0) await turn();
    expect(Math.max(...program.bytes(at + 64, 128))).toBe(0);
  });
});
