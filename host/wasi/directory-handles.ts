/**
 * Directories of the browser, as the File System API has them, as a file system: the origin-private one, and any that a person
 * has picked. What holds:
 *
 * - A file's bytes are in memory as long as somebody has it open; they are written back, whole and in one step, when the last
 *   one closes it, and at a sync. So a program that is cancelled leaves no half of a file.
 * - Symbolic links, which the browser does not know, are small files that begin with a mark. Whoever writes such a file makes a
 *   link, which he could have made anyway.
 * - Moving is copying and removing; a directory is moved file by file. Second names there are none (ENOTSUP).
 * - Times that a program sets, and the numbers of files, last as long as this object.
 */
import { Content } from './content.ts';
import { FileError, type FileErrorCode } from './errors.ts';
import type { Directory, Entry, FileSystem, FileType, OpenFile, OpenMode, Stat, Times } from './file-system.ts';

/** A directory of the browser: `navigator.storage.getDirectory()`, or one that a person has picked. */
export type DirectoryHandle = FileSystemDirectoryHandle;

const LINK_MARK = '!<symlink of wasm-fibers>\n';
const LONGEST_LINK = 8192;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * The origin-private file system of a page, or another directory of the browser, for a program.
 *
 * @param directory default `navigator.storage.getDirectory()`
 * @throws FileError `ENOTSUP` when a program starts, if the platform has no such thing
 * @example
 * const home = await (await navigator.storage.getDirectory()).getDirectoryHandle('home', { create: true });
 * await run(fetch('tool.wasm'), { files: { '/home': browserDirectory(home) } });
 */
export function browserDirectory(directory?: DirectoryHandle | PromiseLike<DirectoryHandle>): FileSystem {
  const tree = new Tree();
  return {
    async root() {
      return new HandleDirectory(tree, await (directory ?? originPrivate()), '');
    },
  };
}

function originPrivate(): Promise<DirectoryHandle> {
  const { navigator } = globalThis as { readonly navigator?: Navigator };
  const storage = navigator?.storage as StorageManager | undefined;
  if (typeof storage?.getDirectory !== 'function') {
    throw new FileError(
      'ENOTSUP',
      'there is no origin-private file system here: it needs a browser, and a page by HTTPS',
    );
  }
  return storage.getDirectory();
}

interface Known {
  readonly inode: bigint;
  /** What a program has set, as long as the browser says of the file what it said then. */
  times: { readonly lastModified: number; readonly accessed: bigint; readonly modified: bigint } | null;
}

let devices = 1n << 32n;
const NANOSECONDS_PER_MILLISECOND = 1_000_000n;

/** What is known beside what the browser keeps, by path. */
class Tree {
  readonly device: bigint = ++devices;
  readonly began: bigint = BigInt(Date.now()) * NANOSECONDS_PER_MILLISECOND;
  readonly open = new Map<string, SharedFile>();
  readonly #known = new Map<string, Known>();
  #inodes = 0n;

  about(path: string): Known {
    let known = this.#known.get(path);
    if (known === undefined) {
      known = { inode: ++this.#inodes, times: null };
      this.#known.set(path, known);
    }
    return known;
  }

  statOf(path: string, type: FileType, size: number, lastModified: number | null): Stat {
    const { inode, times } = this.about(path);
    const now = lastModified === null ? this.began : BigInt(lastModified) * NANOSECONDS_PER_MILLISECOND;
    const set = times !== null && (lastModified === null || times.lastModified === lastModified) ? times : null;
    return {
      type,
      size,
      inode,
      device: this.device,
      links: 1,
      accessed: set?.accessed ?? now,
      modified: set?.modified ?? now,
      changed: now,
    };
  }

  setTimes(path: string, before: Stat, lastModified: number | null, times: Times): void {
    this.about(path).times = {
      lastModified: lastModified ?? 0,
      accessed: times.accessed ?? before.accessed,
      modified: times.modified ?? before.modified,
    };
  }

  forget(path: string): void {
    this.#known.delete(path);
  }

  moved(from: string, to: string): void {
    const known = this.#known.get(from);
    this.#known.delete(from);
    if (known !== undefined) this.#known.set(to, { inode: known.inode, times: null });
  }
}

/** A file that is open, for all that have it open. */
class SharedFile {
  readonly tree: Tree;
  readonly content: Content;
  /** Null when the file has no name any more: it is then written back nowhere. */
  place: { handle: FileSystemFileHandle; path: string } | null;
  lastModified: number;
  users = 0;
  #dirty = false;
  #saving: Promise<void> = Promise.resolve();

  constructor(tree: Tree, handle: FileSystemFileHandle, path: string, content: Content, lastModified: number) {
    this.tree = tree;
    this.place = { handle, path };
    this.content = content;
    this.lastModified = lastModified;
  }

  static async load(tree: Tree, handle: FileSystemFileHandle, path: string): Promise<SharedFile> {
    const file = await handle.getFile();
    const bytes = new Uint8Array(await file.arrayBuffer());
    return new SharedFile(tree, handle, path, new Content(bytes), file.lastModified);
  }

  changed(): void {
    this.#dirty = true;
    this.lastModified = Date.now();
  }

  /** One write-back after the other, of what there is then. */
  save(): Promise<void> {
    this.#saving = this.#saving.catch(() => {}).then(() => this.#write());
    return this.#saving;
  }

  async #write(): Promise<void> {
    if (!this.#dirty || this.place === null) return;
    this.#dirty = false;
    const { handle, path } = this.place;
    try {
      await writeWhole(handle, this.content.bytes.slice());
    } catch (error) {
      this.#dirty = true;
      throw error;
    }
    const { lastModified } = await handle.getFile();
    const about = this.tree.about(path);
    if (about.times?.lastModified === this.lastModified) about.times = { ...about.times, lastModified };
    this.lastModified = lastModified;
  }
}

/** In one step: the browser writes beside the file, and puts it in its place at the end. */
async function writeWhole(handle: FileSystemFileHandle, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const writer = await handle.createWritable();
  try {
    await writer.write(bytes);
  } catch (error) {
    await writer.abort().catch(() => {});
    throw error;
  }
  await writer.close();
}

class HandleFile implements OpenFile {
  readonly #shared: SharedFile;

  constructor(shared: SharedFile) {
    this.#shared = shared;
    shared.users++;
  }

  stat(): Stat {
    const { tree, place, content, lastModified } = this.#shared;
    return tree.statOf(place?.path ?? '', 'file', content.size, lastModified);
  }

  read(length: number, position: number): Uint8Array {
    return this.#shared.content.read(length, position);
  }

  write(bytes: Uint8Array<ArrayBuffer>, position: number): void {
    this.#shared.content.write(bytes, position);
    this.#shared.changed();
  }

  resize(size: number): void {
    this.#shared.content.resize(size);
    this.#shared.changed();
  }

  setTimes(times: Times): void {
    const { tree, place, lastModified } = this.#shared;
    if (place !== null) tree.setTimes(place.path, this.stat(), lastModified, times);
  }

  sync(): Promise<void> {
    return translated(() => this.#shared.save());
  }

  async close(): Promise<void> {
    const shared = this.#shared;
    try {
      await translated(() => shared.save());
    } finally {
      if (--shared.users === 0 && shared.place !== null) shared.tree.open.delete(shared.place.path);
    }
  }
}

class HandleDirectory implements Directory {
  readonly #tree: Tree;
  readonly #handle: DirectoryHandle;
  /** From the root on, with a slash at the end unless it is the root. */
  readonly #path: string;

  constructor(tree: Tree, handle: DirectoryHandle, path: string) {
    this.#tree = tree;
    this.#handle = handle;
    this.#path = path;
  }

  stat(): Stat {
    return this.#tree.statOf(this.#path, 'directory', 0, null);
  }

  lookup(name: string): Promise<Stat | null> {
    return translated(async () => {
      const found = await this.#find(name);
      if (found === null) return null;
      if (found.kind === 'directory') return this.#tree.statOf(this.#below(name), 'directory', 0, null);
      return this.#statOf(name, found);
    });
  }

  list(): Promise<Entry[]> {
    return translated(async () => {
      const entries: Entry[] = [];
      for await (const [name, handle] of entriesOf(this.#handle)) {
        const isDirectory = handle.kind === 'directory';
        const type = isDirectory ? 'directory' : (await linkTarget(handle)) === null ? 'file' : 'symlink';
        const { inode } = this.#tree.about(isDirectory ? this.#below(name) : this.#path + name);
        entries.push({ name, type, inode });
      }
      return entries;
    });
  }

  openDirectory(name: string | null): Promise<Directory> {
    return translated(async () => {
      if (name === null) return new HandleDirectory(this.#tree, this.#handle, this.#path);
      return new HandleDirectory(this.#tree, await this.#handle.getDirectoryHandle(name), this.#below(name));
    }, 'ENOTDIR');
  }

  openFile(name: string, { create, exclusive, truncate }: OpenMode): Promise<OpenFile> {
    return translated(async () => {
      const path = this.#path + name;
      const found = await this.#find(name);
      if (found !== null && create && exclusive) throw new FileError('EEXIST', `${name} exists`);
      if (found === null && !create) throw new FileError('ENOENT', `there is no ${name}`);
      if (found?.kind === 'directory') throw new FileError('EISDIR', `${name} is a directory`);
      const handle = found ?? (await this.#handle.getFileHandle(name, { create: true }));
      if ((await linkTarget(handle)) !== null) throw new FileError('ELOOP', `${name} is a symbolic link`);
      const shared = this.#tree.open.get(path) ?? (await SharedFile.load(this.#tree, handle, path));
      // Another fiber may have opened it meanwhile.
      const only = this.#tree.open.get(path) ?? shared;
      this.#tree.open.set(path, only);
      const file = new HandleFile(only);
      if (truncate) file.resize(0);
      return file;
    });
  }

  createDirectory(name: string): Promise<void> {
    return translated(async () => {
      await this.#mustBeFree(name);
      await this.#handle.getDirectoryHandle(name, { create: true });
    });
  }

  removeDirectory(name: string): Promise<void> {
    return translated(async () => {
      await this.#handle.removeEntry(name);
      this.#tree.forget(this.#below(name));
    });
  }

  removeFile(name: string): Promise<void> {
    return translated(async () => {
      await this.#handle.removeEntry(name);
      this.#detach(name);
    });
  }

  rename(name: string, to: Directory, newName: string): Promise<void> {
    return translated(async () => {
      if (!(to instanceof HandleDirectory) || to.#tree !== this.#tree) {
        throw new FileError('EXDEV', 'the two are in different file systems');
      }
      if (this.#path + name === to.#path + newName) return;
      const [source, target] = [await this.#find(name), await to.#find(newName)];
      if (source === null) throw new FileError('ENOENT', `there is no ${name}`);
      if (source.kind === 'file') {
        if (target?.kind === 'directory') throw new FileError('EISDIR', `${newName} is a directory`);
        await this.#moveFile(name, source, to, newName);
        return;
      }
      if (target?.kind === 'file') throw new FileError('ENOTDIR', `${newName} is no directory`);
      if (to.#path.startsWith(this.#below(name))) throw new FileError('EINVAL', `${name} cannot be moved into itself`);
      if (target !== null && !(await isEmpty(target))) throw new FileError('ENOTEMPTY', `${newName} is not empty`);
      await this.#moveDirectory(name, source, to, newName);
    });
  }

  link(): never {
    throw new FileError('ENOTSUP', 'a file of the browser has one name');
  }

  symlink(name: string, target: string): Promise<void> {
    return translated(async () => {
      await this.#mustBeFree(name);
      const handle = await this.#handle.getFileHandle(name, { create: true });
      await writeWhole(handle, encoder.encode(LINK_MARK + target));
    });
  }

  readLink(name: string): Promise<string> {
    return translated(async () => {
      const target = await linkTarget(await this.#handle.getFileHandle(name));
      if (target === null) throw new FileError('EINVAL', `${name} is no symbolic link`);
      return target;
    });
  }

  setTimes(name: string | null, times: Times): Promise<void> {
    return translated(async () => {
      const found = name === null ? this.#handle : await this.#find(name);
      if (found === null) throw new FileError('ENOENT', `there is no ${name}`);
      if (found.kind === 'directory') {
        const path = name === null ? this.#path : this.#below(name);
        this.#tree.setTimes(path, this.#tree.statOf(path, 'directory', 0, null), null, times);
        return;
      }
      const path = `${this.#path}${name}`;
      const lastModified = this.#tree.open.get(path)?.lastModified ?? (await found.getFile()).lastModified;
      this.#tree.setTimes(path, this.#tree.statOf(path, 'file', 0, lastModified), lastModified, times);
    });
  }

  #below(name: string): string {
    return `${this.#path}${name}/`;
  }

  async #find(name: string): Promise<FileSystemFileHandle | DirectoryHandle | null> {
    try {
      return await this.#handle.getFileHandle(name);
    } catch (error) {
      if (isNamed(error, 'NotFoundError')) return null;
      if (!isNamed(error, 'TypeMismatchError')) throw error;
      return this.#handle.getDirectoryHandle(name);
    }
  }

  async #statOf(name: string, handle: FileSystemFileHandle): Promise<Stat> {
    const path = this.#path + name;
    const open = this.#tree.open.get(path);
    if (open !== undefined) return this.#tree.statOf(path, 'file', open.content.size, open.lastModified);
    const { size, lastModified } = await handle.getFile();
    const target = await linkTarget(handle);
    if (target === null) return this.#tree.statOf(path, 'file', size, lastModified);
    return this.#tree.statOf(path, 'symlink', encoder.encode(target).length, lastModified);
  }

  async #mustBeFree(name: string): Promise<void> {
    if ((await this.#find(name)) !== null) throw new FileError('EEXIST', `${name} exists`);
  }

  /** The name is gone, or another file's. */
  #detach(name: string): void {
    const path = this.#path + name;
    const open = this.#tree.open.get(path);
    if (open !== undefined) open.place = null;
    this.#tree.open.delete(path);
    this.#tree.forget(path);
  }

  async #moveFile(name: string, source: FileSystemFileHandle, to: HandleDirectory, newName: string): Promise<void> {
    const [path, newPath] = [this.#path + name, to.#path + newName];
    const open = this.#tree.open.get(path);
    await open?.save();
    const bytes = new Uint8Array(await (await source.getFile()).arrayBuffer());
    const handle = await to.#handle.getFileHandle(newName, { create: true });
    await writeWhole(handle, bytes);
    await this.#handle.removeEntry(name);
    to.#detach(newName);
    this.#tree.moved(path, newPath);
    if (open === undefined) return;
    open.place = { handle, path: newPath };
    this.#tree.open.delete(path);
    this.#tree.open.set(newPath, open);
  }

  async #moveDirectory(name: string, source: DirectoryHandle, to: HandleDirectory, newName: string): Promise<void> {
    const handle = await to.#handle.getDirectoryHandle(newName, { create: true });
    const from = new HandleDirectory(this.#tree, source, this.#below(name));
    const into = new HandleDirectory(this.#tree, handle, to.#below(newName));
    const entries: (readonly [string, FileSystemFileHandle | DirectoryHandle])[] = [];
    for await (const entry of entriesOf(source)) entries.push(entry);
    for (const [child, each] of entries) {
      await (each.kind === 'file'
        ? from.#moveFile(child, each, into, child)
        : from.#moveDirectory(child, each, into, child));
    }
    await this.#handle.removeEntry(name);
    this.#tree.moved(from.#path, into.#path);
  }
}

/** Where a symbolic link leads; null for any other file. */
async function linkTarget(handle: FileSystemFileHandle): Promise<string | null> {
  const file = await handle.getFile();
  if (file.size < LINK_MARK.length || file.size > LONGEST_LINK) return null;
  const text = decoder.decode(await file.arrayBuffer());
  return text.startsWith(LINK_MARK) ? text.slice(LINK_MARK.length) : null;
}

async function isEmpty(directory: DirectoryHandle): Promise<boolean> {
  for await (const _ of entriesOf(directory)) return false;
  return true;
}

function entriesOf(
  directory: DirectoryHandle,
): AsyncIterable<readonly [string, FileSystemFileHandle | DirectoryHandle]> {
  return directory.entries() as AsyncIterable<readonly [string, FileSystemFileHandle | DirectoryHandle]>;
}

const CODES: Readonly<Record<string, FileErrorCode>> = {
  NotFoundError: 'ENOENT',
  TypeMismatchError: 'EISDIR',
  InvalidModificationError: 'ENOTEMPTY',
  NoModificationAllowedError: 'EBUSY',
  NotAllowedError: 'EACCES',
  SecurityError: 'EACCES',
  QuotaExceededError: 'ENOSPC',
};

/** Does something of the browser's, whose errors have names of their own. */
async function translated<T>(work: () => Promise<T>, mismatch: FileErrorCode = 'EISDIR'): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isNamed(error, 'TypeMismatchError')) throw new FileError(mismatch, 'it is something else', { cause: error });
    const name = error instanceof Error ? error.name : '';
    const code = Object.hasOwn(CODES, name) ? CODES[name] : undefined;
    // A name that the browser cannot have.
    if (code === undefined && error instanceof TypeError)
      throw new FileError('EINVAL', error.message, { cause: error });
    throw code === undefined ? error : new FileError(code, `the browser says ${name}`);
  }
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}
