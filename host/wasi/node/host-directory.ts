/**
 * A directory of the host as a file system. Names come one at a time and without slashes (see file-system.ts), each is used in
 * a directory that is held (anchor.ts), and no symbolic link is ever followed here: so no program can name anything outside.
 */
import { constants as flags } from 'node:fs';
import {
  type FileHandle,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rmdir,
  symlink,
  unlink,
} from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { FiberError } from '../../errors.ts';
import { FileError } from '../errors.ts';
import type { Directory, Entry, FileSystem, OpenFile, OpenMode, Stat, Times } from '../file-system.ts';
import { readOnly } from '../read-only.ts';
import { type Anchor, anchor, canHold } from './anchor.ts';
import { PreciseTimes, typeOf } from './times.ts';

/** Options of `hostDirectory`. */
export interface HostDirectoryOptions {
  /** The program can change nothing. Default false. */
  readonly readOnly?: boolean;
  /**
   * How directories are held: by their descriptors (`descriptors`, Linux only, where it is the default), or by their paths,
   * which are checked at each use (`paths`, elsewhere).
   */
  readonly hold?: 'descriptors' | 'paths';
}

/** What is read at once. Bytes. */
const MOST_BYTES = 1 << 20;
/** Files of a directory that are asked about at once. */
const AT_ONCE = 32;
/** Nothing that is opened may hang, be a link, or become the terminal of this process. Windows knows none of these. */
const CAREFUL = (flags.O_NOFOLLOW ?? 0) | (flags.O_NONBLOCK ?? 0) | (flags.O_NOCTTY ?? 0);

/**
 * A directory of the host, and what is below it, for a program. Nothing else can be reached: no `..`, no symbolic link and
 * no absolute path leads out of it, whoever makes them, and whatever is renamed meanwhile.
 *
 * @param directory a path or a `file:` URL; must exist when a program starts, which fails with `ENOENT` otherwise
 * @throws FiberError `INVALID_OPTION`
 * @example
 * await run(source, { args: ['wc', 'notes.txt'], files: { '/': hostDirectory('documents', { readOnly: true }) } });
 */
export function hostDirectory(directory: string | URL, options: HostDirectoryOptions = {}): FileSystem {
  const { hold = canHold ? 'descriptors' : 'paths' } = options;
  if (hold === 'descriptors' && !canHold) {
    throw new FiberError('INVALID_OPTION', `Directories cannot be held by their descriptors on ${process.platform}.`);
  }
  const root = path.resolve(directory instanceof URL ? fileURLToPath(directory) : directory);
  const times = new PreciseTimes();
  const files: FileSystem = {
    root: async () => new HostDirectory(await anchor(root, hold === 'descriptors'), times, files),
  };
  return options.readOnly === true ? readOnly(files) : files;
}

class HostDirectory implements Directory {
  readonly #anchor: Anchor;
  readonly #times: PreciseTimes;
  /** The one that it is a part of. */
  readonly #files: FileSystem;

  constructor(held: Anchor, times: PreciseTimes, files: FileSystem) {
    this.#anchor = held;
    this.#times = times;
    this.#files = files;
  }

  async stat(): Promise<Stat> {
    return this.#times.statOf(await this.#anchor.stat());
  }

  lookup(name: string): Promise<Stat | null> {
    return this.#anchor.use(async () => {
      try {
        return this.#times.statOf(await lstat(this.#at(name), { bigint: true }));
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    });
  }

  list(): Promise<readonly Entry[]> {
    return this.#anchor.use(async () => {
      const names = await readdir(this.#at(null));
      const entries: Entry[] = [];
      for (let from = 0; from < names.length; from += AT_ONCE) {
        const some = names.slice(from, from + AT_ONCE).map((name) => this.#entry(name));
        // What has gone meanwhile is not there.
        for (const each of await Promise.all(some)) if (each !== null) entries.push(each);
      }
      return entries;
    });
  }

  async openDirectory(name: string | null): Promise<Directory> {
    return new HostDirectory(await this.#anchor.enter(name), this.#times, this.#files);
  }

  openFile(name: string, mode: OpenMode): Promise<OpenFile> {
    return this.#anchor.use(async () => {
      const handle = await open(this.#at(name), flagsOf(mode) | CAREFUL, 0o666);
      try {
        // It was one when it was looked at; now it is certain.
        if ((await handle.stat()).isFile()) return new HostFile(handle, this.#times);
      } catch (error) {
        await handle.close();
        throw error;
      }
      await handle.close();
      throw new FileError('ENOTSUP', `${name} is no regular file`);
    });
  }

  createDirectory(name: string): Promise<void> {
    return this.#anchor.use(() => mkdir(this.#at(name)).then(() => undefined));
  }

  removeDirectory(name: string): Promise<void> {
    return this.#anchor.use(() => rmdir(this.#at(name)));
  }

  removeFile(name: string): Promise<void> {
    return this.#anchor.use(() => unlink(this.#at(name)));
  }

  rename(name: string, to: Directory, newName: string): Promise<void> {
    const target = this.#sameFiles(to);
    return this.#anchor.use(() => rename(this.#at(name), target.#at(newName)), target.#anchor);
  }

  link(name: string, to: Directory, newName: string): Promise<void> {
    const target = this.#sameFiles(to);
    return this.#anchor.use(() => link(this.#at(name), target.#at(newName)), target.#anchor);
  }

  symlink(name: string, target: string): Promise<void> {
    return this.#anchor.use(() => symlink(target, this.#at(name)));
  }

  readLink(name: string): Promise<string> {
    return this.#anchor.use(() => readlink(this.#at(name)));
  }

  setTimes(name: string | null, times: Times): Promise<void> {
    const { handle } = this.#anchor;
    return this.#anchor.use(() =>
      this.#times.change(
        times,
        () =>
          name === null && handle !== null ? handle.stat({ bigint: true }) : lstat(this.#at(name), { bigint: true }),
        (accessed, modified) =>
          name === null && handle !== null
            ? handle.utimes(accessed, modified)
            : lutimes(this.#at(name), accessed, modified),
      ),
    );
  }

  async sync(): Promise<void> {
    await this.#anchor.handle?.sync();
  }

  close(): Promise<void> {
    return this.#anchor.close();
  }

  #at(name: string | null): string {
    return this.#anchor.at(name);
  }

  async #entry(name: string): Promise<Entry | null> {
    try {
      const stats = await lstat(this.#at(name), { bigint: true });
      return { name, type: typeOf(stats), inode: stats.ino };
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  #sameFiles(to: Directory): HostDirectory {
    if (to instanceof HostDirectory && to.#files === this.#files) return to;
    throw new FileError('EXDEV', 'the two are in different file systems');
  }
}

class HostFile implements OpenFile {
  readonly #handle: FileHandle;
  readonly #times: PreciseTimes;

  constructor(handle: FileHandle, times: PreciseTimes) {
    this.#handle = handle;
    this.#times = times;
  }

  async stat(): Promise<Stat> {
    return this.#times.statOf(await this.#handle.stat({ bigint: true }));
  }

  async read(length: number, position: number): Promise<Uint8Array> {
    const buffer = new Uint8Array(Math.min(length, MOST_BYTES));
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, position);
    return buffer.subarray(0, bytesRead);
  }

  async write(bytes: Uint8Array<ArrayBuffer>, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }

  resize(size: number): Promise<void> {
    return this.#handle.truncate(size);
  }

  setTimes(times: Times): Promise<void> {
    return this.#times.change(
      times,
      () => this.#handle.stat({ bigint: true }),
      (accessed, modified) => this.#handle.utimes(accessed, modified),
    );
  }

  sync(): Promise<void> {
    return this.#handle.sync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

function flagsOf({ read, write, create, exclusive, truncate }: OpenMode): number {
  const access = write ? (read ? flags.O_RDWR : flags.O_WRONLY) : flags.O_RDONLY;
  return (
    access | (create ? flags.O_CREAT : 0) | (create && exclusive ? flags.O_EXCL : 0) | (truncate ? flags.O_TRUNC : 0)
  );
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';
