/**
 * Output of the command line: `-` is standard output, and a file is written whole or not at all: beside its place under
 * another name, then renamed. A run that fails leaves what was there before. What is no ordinary file, such as a pipe or a
 * device, is written to: a rename would put a file in its stead.
 */
import { randomBytes } from 'node:crypto';
import { constants, fstatSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { copyFile, link, open, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { CliError } from './errors.ts';
import { codeOf, explain } from './files.ts';

/** One file to be written; several are put in place together, the last one last. */
export interface Output {
  readonly file: string;
  readonly contents: Uint8Array | string;
}

/** Where an output goes: a file that is replaced, what is written to as it is, or standard output. */
type Place =
  | { readonly kind: 'file'; readonly target: string; readonly mode: number }
  | { readonly kind: 'direct' }
  | { readonly kind: 'stdout' };

/** A file that is complete on disk and waits to take its place. */
interface Pending {
  readonly temporary: string;
  readonly target: string;
  readonly file: string;
}

/**
 * Writes files, each atomically, and all of them or none: they are complete on disk before the first takes its place, and
 * should one not get there after all, those before it are put back as they were.
 */
export async function writeOutputs(outputs: readonly Output[]): Promise<void> {
  const pending: Pending[] = [];
  const streams: (() => Promise<void>)[] = [];
  try {
    for (const { file, contents } of outputs) {
      const place = await findPlace(file);
      if (place.kind === 'stdout') streams.push(() => writeStandardOutput(contents));
      else if (place.kind === 'direct') streams.push(() => writeThere(file, constants.O_WRONLY, 0, contents));
      else {
        const temporary = temporaryFor(place.target);
        pending.push({ temporary, target: place.target, file });
        await writeThere(file, 'wx', place.mode, contents, temporary);
      }
    }
    for (const write of streams) await write();
    await putInPlace(pending);
  } catch (error) {
    await remove(pending.map(({ temporary }) => temporary));
    throw error;
  }
}

/** A name beside the target, whose length does not depend on the target's: that may be as long as names can be. */
function temporaryFor(target: string): string {
  return path.join(path.dirname(target), `.${randomBytes(6).toString('hex')}.tmp`);
}

async function putInPlace(pending: readonly Pending[]): Promise<void> {
  const undo: (() => Promise<void>)[] = [];
  const copies: string[] = [];
  try {
    for (const [index, { temporary, target, file }] of pending.entries()) {
      // The last one has nobody behind it that could fail.
      const before = index + 1 < pending.length ? await keepCopy(target, file) : null;
      if (before !== null) copies.push(before);
      await rename(temporary, target).catch((error: unknown) => {
        throw new CliError(1, `${file}: ${explain(error, 'written')}`);
      });
      undo.push(() => (before === null ? rm(target, { force: true }) : rename(before, target)));
    }
  } catch (error) {
    for (const put of undo) await put().catch(() => undefined);
    throw error;
  } finally {
    await remove(copies);
  }
}

/** A second name for what stands at a path; null if nothing does. */
async function keepCopy(target: string, file: string): Promise<string | null> {
  const copy = temporaryFor(target);
  try {
    // Where a file system has no links, a copy does as well.
    await link(target, copy).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') throw error;
      return copyFile(target, copy, constants.COPYFILE_EXCL);
    });
    return copy;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw new CliError(1, `${file}: ${explain(error, 'written')}`);
  }
}

/** One that cannot be removed must not hide why the run failed. */
async function remove(files: readonly string[]): Promise<void> {
  await Promise.all(files.map((file) => rm(file, { force: true }).catch(() => undefined)));
}

/** Refuses an output path that cannot work, before any time is spent on the contents. */
export async function checkOutput(file: string): Promise<void> {
  const place = await findPlace(file);
  if (place.kind === 'stdout' && process.stdout.isTTY) {
    throw new CliError(2, 'standard output is a terminal: redirect it, or name a file with -o.');
  }
}

/** Writes to standard output, and waits until it has been taken. A reader that leaves early has all that it wants. */
export async function writeStandardOutput(contents: Uint8Array | string): Promise<void> {
  if (contents.length === 0) return;
  try {
    await new Promise<void>((resolve, reject) => {
      // The error is also an event, which would end the process if nobody listened.
      process.stdout.on('error', reject);
      process.stdout.write(contents, (error) => (error ? reject(error) : resolve()));
    });
  } catch (error) {
    if (codeOf(error) === 'EPIPE') return;
    throw new CliError(1, `standard output: ${explain(error, 'written')}`);
  }
}

async function findPlace(file: string): Promise<Place> {
  if (file === '-') return { kind: 'stdout' };
  const found = await stat(file).catch((error: unknown) => {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    if (code === 'ELOOP') throw new CliError(2, `${file}: a symbolic link that leads to itself.`);
    throw new CliError(1, `${file}: ${explain(error, 'written')}`);
  });
  // /dev/stdout and the like: replacing the file behind it would drop what others have written there.
  if (found !== null && isStandardOutput(found)) return { kind: 'stdout' };
  if (found?.isDirectory()) throw new CliError(2, `${file}: is a folder; name a file.`);
  if (found?.isSocket()) throw new CliError(2, `${file}: is a socket; name a file, or - for standard output.`);
  if (found !== null && !found.isFile()) return { kind: 'direct' };
  // Through symbolic links the file that they name is replaced, not a link. One that is open but has no name any more
  // (behind /dev/fd) can only be written to.
  const target = await realpath(file).catch(() => (found === null ? followLinks(file) : null));
  if (target === null) return { kind: 'direct' };
  const folder = path.dirname(target);
  const isFolder = await stat(folder).then(
    (each) => each.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new CliError(2, `${file}: the folder ${folder} does not exist.`);
  return { kind: 'file', target, mode: found?.mode ?? 0o666 };
}

function isStandardOutput(found: Stats): boolean {
  try {
    const own = fstatSync(1);
    return own.ino !== 0 && own.ino === found.ino && own.dev === found.dev;
  } catch {
    // Standard output is closed.
    return false;
  }
}

/** What a path means whose last link leads to nothing yet. `stat` has made sure that the links have an end. */
async function followLinks(file: string): Promise<string> {
  let place = path.resolve(file);
  for (;;) {
    const next = await readlink(place).catch(() => null);
    if (next === null) return place;
    // A relative link counts from the folder that it is really in.
    const folder = await realpath(path.dirname(place));
    place = path.resolve(folder, next);
  }
}

async function writeThere(
  file: string,
  flags: string | number,
  mode: number,
  contents: Uint8Array | string,
  place: string = file,
): Promise<void> {
  try {
    const handle = await open(place, flags, mode);
    try {
      await handle.writeFile(contents);
      // A pipe or a device has nothing to synchronise.
      if (place !== file) await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new CliError(1, `${file}: ${explain(error, 'written')}`);
  }
}
