/**
 * Several file systems as one: where one is mounted, its root stands in the place of whatever the one below has there. What
 * is mounted cannot be removed or renamed, nor can anything be moved or linked from one file system into another (EXDEV).
 */
import { FileError } from './errors.ts';
import type { Directory, Entry, OpenFile, OpenMode, Stat, Times } from './file-system.ts';
import { type Awaitable, perform, settle } from './steps.ts';

/** The mounts below a directory, by name: a root, or further names on the way to one. */
interface Mounts {
  root: Directory | null;
  readonly below: Map<string, Mounts>;
}

/**
 * A directory with others mounted below it.
 *
 * @param mounts paths without a leading slash, and the roots there
 */
export function mount(base: Directory, mounts: ReadonlyMap<string, Directory>): Directory {
  const top: Mounts = { root: null, below: new Map() };
  for (const [path, root] of mounts) {
    let here = top;
    for (const name of path.split('/')) {
      let next = here.below.get(name);
      if (next === undefined) {
        next = { root: null, below: new Map() };
        here.below.set(name, next);
      }
      here = next;
    }
    here.root = root;
  }
  return top.below.size === 0 ? base : new MountedDirectory(base, top);
}

/** A directory that has mounts in it or below it; others are given as they are. */
class MountedDirectory implements Directory {
  /** Null on the way to a mount where the file system below has no such directory. */
  readonly #base: Directory;
  readonly #mounts: Mounts;

  constructor(base: Directory, mounts: Mounts) {
    this.#base = base;
    this.#mounts = mounts;
  }

  stat(): Awaitable<Stat> {
    return this.#base.stat();
  }

  lookup(name: string): Awaitable<Stat | null> {
    return this.#mounts.below.get(name)?.root?.stat() ?? this.#base.lookup(name);
  }

  list(): Awaitable<readonly Entry[]> {
    const { below } = this.#mounts;
    const base = this.#base;
    return perform(
      (function* () {
        const entries = (yield* settle(base.list())).filter(({ name }) => !(below.get(name)?.root ?? false));
        for (const [name, { root }] of below) {
          if (root !== null) entries.push({ name, type: 'directory', inode: (yield* settle(root.stat())).inode });
        }
        return entries;
      })(),
    );
  }

  openDirectory(name: string | null): Awaitable<Directory> {
    const mounts = name === null ? this.#mounts : this.#mounts.below.get(name);
    if (mounts === undefined) return this.#base.openDirectory(name);
    const opened = (mounts.root ?? this.#base).openDirectory(mounts.root === null ? name : null);
    if (mounts.below.size === 0) return opened;
    return perform(
      (function* () {
        return new MountedDirectory(yield* settle(opened), mounts);
      })(),
    );
  }

  openFile(name: string, mode: OpenMode): Awaitable<OpenFile> {
    this.#mustNotBeMount(name, 'EISDIR');
    return this.#base.openFile(name, mode);
  }

  createDirectory(name: string): Awaitable<void> {
    this.#mustNotBeMount(name, 'EEXIST');
    return has(this.#base.createDirectory).call(this.#base, name);
  }

  removeDirectory(name: string): Awaitable<void> {
    this.#mustNotBeMount(name, 'EBUSY');
    return has(this.#base.removeDirectory).call(this.#base, name);
  }

  removeFile(name: string): Awaitable<void> {
    this.#mustNotBeMount(name, 'EISDIR');
    return has(this.#base.removeFile).call(this.#base, name);
  }

  rename(name: string, to: Directory, newName: string): Awaitable<void> {
    this.#mustNotBeMount(name, 'EBUSY');
    return has(this.#base.rename).call(this.#base, name, to, newName);
  }

  link(name: string, to: Directory, newName: string): Awaitable<void> {
    this.#mustNotBeMount(name, 'EPERM');
    return has(this.#base.link).call(this.#base, name, to, newName);
  }

  symlink(name: string, target: string): Awaitable<void> {
    this.#mustNotBeMount(name, 'EEXIST');
    return has(this.#base.symlink).call(this.#base, name, target);
  }

  readLink(name: string): Awaitable<string> {
    this.#mustNotBeMount(name, 'EINVAL');
    return has(this.#base.readLink).call(this.#base, name);
  }

  setTimes(name: string | null, times: Times): Awaitable<void> {
    const root = name === null ? null : (this.#mounts.below.get(name)?.root ?? null);
    return root === null
      ? has(this.#base.setTimes).call(this.#base, name, times)
      : has(root.setTimes).call(root, null, times);
  }

  sync(): Awaitable<void> {
    return this.#base.sync?.();
  }

  close(): Awaitable<void> {
    return this.#base.close?.();
  }

  /** The directory that the file system below knows, if nothing is mounted under the name. */
  beneath(name: string): Directory {
    this.#mustNotBeMount(name, 'EBUSY');
    return this.#base;
  }

  #mustNotBeMount(name: string, code: 'EBUSY' | 'EEXIST' | 'EINVAL' | 'EISDIR' | 'EPERM'): void {
    const mounts = this.#mounts.below.get(name);
    if (mounts !== undefined) throw new FileError(code, `a file system is mounted at ${name}`);
  }
}

/**
 * The directory that its own file system knows, into which something is to be moved or linked.
 *
 * @param name the new name there
 * @throws FileError `EBUSY` if a file system is mounted at that name
 */
export function beneathMounts(directory: Directory, name: string): Directory {
  return directory instanceof MountedDirectory ? directory.beneath(name) : directory;
}

function has<T>(method: T | undefined): T {
  if (method === undefined) throw new FileError('EROFS', 'the file system cannot be written to');
  return method;
}
