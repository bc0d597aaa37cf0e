/**
 * How a directory of the host is held, so that a name in it means that name in that very directory, whatever happens to the
 * path under which it was found: programs share directories with each other and with the host, and whoever may rename one
 * could otherwise put a symbolic link in its place between a check and its use.
 *
 * - On Linux a directory is an open descriptor, and a name in it a path below /proc/self/fd: what openat() does. Nothing has
 *   to be checked, since there is nothing in between that could change.
 * - Elsewhere Node has no such thing. A directory is its real path, and every use looks first whether that is still its own
 *   real path, without a symbolic link in it. Uses are made one after the other, so that no program of this process gets
 *   between the look and the use; another process that renames directories at that very moment can. (docs/wasi.md says so.)
 */
import { existsSync, constants as flags } from 'node:fs';
import { type FileHandle, lstat, open, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import type { BigIntStats } from 'node:fs';
import { FileError } from '../errors.ts';

export interface Anchor {
  /** A path that means this name in this directory, as long as `use` runs; null means the directory itself. */
  at(name: string | null): string;
  /** Does something with paths of `at`, of this one and, if one is given, of another one. */
  use<T>(work: () => Promise<T>, other?: Anchor): Promise<T>;
  /** Fails if a path of `at` would not mean this directory now. */
  verify(): Promise<void>;
  /** The directory of that name; fails if it is none, or a symbolic link. */
  enter(name: string | null): Promise<Anchor>;
  stat(): Promise<BigIntStats>;
  /** For what needs the descriptor; null where there is none. */
  readonly handle: FileHandle | null;
  close(): Promise<void>;
}

const DESCRIPTORS = '/proc/self/fd';

/** Can directories be held by their descriptors here? */
export const canHold: boolean = process.platform === 'linux' && existsSync(DESCRIPTORS);

/** Opens a directory of the host by its path, through whatever symbolic links that has. */
export async function anchor(directory: string, hold: boolean): Promise<Anchor> {
  if (hold) return new HeldDirectory(await open(directory, flags.O_RDONLY | flags.O_DIRECTORY));
  const real = await realpath(directory);
  if (!(await stat(real)).isDirectory()) throw new FileError('ENOTDIR', `${directory} is no directory`);
  return new NamedDirectory(real);
}

/**
 * A directory by its descriptor. Its number means another directory as soon as it is closed and given out again, so it is closed
 * only after everything that was asked for by that number.
 */
class HeldDirectory implements Anchor {
  readonly handle: FileHandle;
  readonly #uses = new Set<Promise<unknown>>();
  #closing: Promise<void> | null = null;

  constructor(handle: FileHandle) {
    this.handle = handle;
  }

  at(name: string | null): string {
    return `${DESCRIPTORS}/${this.handle.fd}/${name ?? '.'}`;
  }

  use<T>(work: () => Promise<T>, other?: Anchor): Promise<T> {
    if (other instanceof HeldDirectory) return this.#hold(() => other.#hold(work));
    return this.#hold(work);
  }

  async verify(): Promise<void> {}

  enter(name: string | null): Promise<Anchor> {
    const mode = flags.O_RDONLY | flags.O_DIRECTORY | flags.O_NOFOLLOW;
    return this.#hold(async () => new HeldDirectory(await open(this.at(name), mode)));
  }

  stat(): Promise<BigIntStats> {
    return this.handle.stat({ bigint: true });
  }

  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#uses).then(() => this.handle.close());
    return this.#closing;
  }

  async #hold<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== null) throw new FileError('EBADF', 'the directory is closed');
    const use = work();
    this.#uses.add(use);
    try {
      return await use;
    } finally {
      this.#uses.delete(use);
    }
  }
}

/** Whoever uses a path last; shared by all programs of this process, which may have directories in common. */
let last: Promise<unknown> = Promise.resolve();

function oneAfterAnother<T>(work: () => Promise<T>): Promise<T> {
  const result = last.then(work);
  last = result.catch(() => {});
  return result;
}

class NamedDirectory implements Anchor {
  readonly handle = null;
  readonly #path: string;

  constructor(directory: string) {
    this.#path = directory;
  }

  at(name: string | null): string {
    return name === null ? this.#path : path.join(this.#path, name);
  }

  use<T>(work: () => Promise<T>, other?: Anchor): Promise<T> {
    return oneAfterAnother(async () => {
      await this.verify();
      await other?.verify();
      return work();
    });
  }

  async verify(): Promise<void> {
    if ((await realpath(this.#path)) === this.#path) return;
    throw new FileError('ENOENT', 'the directory is not where it was any more');
  }

  enter(name: string | null): Promise<Anchor> {
    return this.use(async () => {
      const found = this.at(name);
      const about = await lstat(found);
      if (!about.isDirectory()) throw new FileError(about.isSymbolicLink() ? 'ELOOP' : 'ENOTDIR', `${found} is none`);
      return new NamedDirectory(found);
    });
  }

  stat(): Promise<BigIntStats> {
    return this.use(() => stat(this.#path, { bigint: true }));
  }

  async close(): Promise<void> {}
}
