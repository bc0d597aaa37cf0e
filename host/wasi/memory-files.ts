/**
 * Files in memory, made from an object and read again by the host when the program has ended. Everything is there at once: a
 * program that only uses these is never suspended by them.
 */
import { Content } from './content.ts';
import { FileError } from './errors.ts';
import type { Directory, Entry, FileSystem, OpenFile, OpenMode, Stat, Times } from './file-system.ts';

/** What is in a directory: text, bytes, or a directory again. */
export interface FileTree {
  readonly [name: string]: string | Uint8Array | FileTree;
}

/** Options of `memoryFiles`. */
export interface MemoryFilesOptions {
  /** Bytes that all files and targets of symbolic links together may hold; more is ENOSPC. Default: what the engine allows. */
  readonly capacity?: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

let devices = 0n;

/** All the bytes there are, and the numbers of the files. */
class Store {
  readonly device: bigint = ++devices;
  readonly #capacity: number;
  #used = 0;
  #inodes = 0n;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  nextInode(): bigint {
    return ++this.#inodes;
  }

  /** Takes bytes, or gives them back. */
  charge(bytes: number): void {
    if (this.#used + bytes > this.#capacity) throw new FileError('ENOSPC', 'the files in memory have no room left');
    this.#used += bytes;
  }
}

const now = (): bigint => BigInt(Date.now()) * 1_000_000n;

abstract class Node {
  abstract readonly type: 'file' | 'directory' | 'symlink';
  abstract readonly size: number;
  readonly store: Store;
  readonly inode: bigint;
  links = 1;
  accessed: bigint = now();
  modified: bigint = this.accessed;
  changed: bigint = this.accessed;

  constructor(store: Store) {
    this.store = store;
    this.inode = store.nextInode();
  }

  stat(): Stat {
    const { type, size, inode, links, accessed, modified, changed } = this;
    return { type, size, inode, device: this.store.device, links, accessed, modified, changed };
  }

  setTimes({ accessed, modified }: Times): void {
    this.accessed = accessed ?? this.accessed;
    this.modified = modified ?? this.modified;
    this.changed = now();
  }

  touch(): void {
    this.modified = this.changed = now();
  }
}

class LinkNode extends Node {
  readonly type = 'symlink';
  readonly target: string;
  readonly size: number;

  /** Takes the bytes of its target. */
  constructor(store: Store, target: string) {
    super(store);
    this.target = target;
    this.size = encoder.encode(target).length;
    store.charge(this.size);
  }

  /** One name less: with the last the bytes are given back. */
  unlinked(): void {
    this.links--;
    this.changed = now();
    if (this.links === 0) this.store.charge(-this.size);
  }
}

class FileNode extends Node {
  readonly type = 'file';
  readonly content: Content;
  #open = 0;

  constructor(store: Store) {
    super(store);
    this.content = new Content(undefined, (bytes) => store.charge(bytes));
  }

  get size(): number {
    return this.content.size;
  }

  opened(): void {
    this.#open++;
  }

  /** One name, or one that has it open, less: with the last the bytes are given back. */
  released(): void {
    this.#open--;
    this.#forget();
  }

  unlinked(): void {
    this.links--;
    this.changed = now();
    this.#forget();
  }

  #forget(): void {
    if (this.links === 0 && this.#open === 0) this.content.forget();
  }
}

class DirectoryNode extends Node {
  readonly type = 'directory';
  readonly size = 0;
  readonly children = new Map<string, MemoryNode>();
  /** Its name was removed: nothing can be made in it any more. */
  removed = false;

  mustBeThere(): void {
    if (this.removed) throw new FileError('ENOENT', 'the directory was removed');
  }

  set(name: string, node: MemoryNode): void {
    this.mustBeThere();
    this.children.set(name, node);
    this.touch();
  }

  delete(name: string): void {
    this.children.delete(name);
    this.touch();
  }

  get(name: string): MemoryNode {
    const node = this.children.get(name);
    if (node === undefined) throw new FileError('ENOENT', `there is no ${name}`);
    return node;
  }

  /** Is it this one, or somewhere below? */
  contains(other: DirectoryNode): boolean {
    return (
      this === other || [...this.children.values()].some((each) => each.type === 'directory' && each.contains(other))
    );
  }
}

type MemoryNode = FileNode | DirectoryNode | LinkNode;

/** A file as one descriptor has it. */
class OpenMemoryFile implements OpenFile {
  readonly #node: FileNode;

  constructor(node: FileNode) {
    this.#node = node;
    node.opened();
  }

  stat(): Stat {
    return this.#node.stat();
  }

  read(length: number, position: number): Uint8Array {
    return this.#node.content.read(length, position);
  }

  write(bytes: Uint8Array, position: number): void {
    this.#node.content.write(bytes, position);
    this.#node.touch();
  }

  resize(size: number): void {
    this.#node.content.resize(size);
    this.#node.touch();
  }

  setTimes(times: Times): void {
    this.#node.setTimes(times);
  }

  sync(): void {}

  close(): void {
    this.#node.released();
  }
}

class MemoryDirectory implements Directory {
  readonly node: DirectoryNode;

  constructor(node: DirectoryNode) {
    this.node = node;
  }

  stat(): Stat {
    return this.node.stat();
  }

  lookup(name: string): Stat | null {
    return this.node.children.get(name)?.stat() ?? null;
  }

  list(): Entry[] {
    return [...this.node.children].map(([name, { type, inode }]) => ({ name, type, inode }));
  }

  openDirectory(name: string | null): Directory {
    if (name === null) return this;
    const node = this.node.get(name);
    if (node.type !== 'directory') throw new FileError('ENOTDIR', `${name} is no directory`);
    return new MemoryDirectory(node);
  }

  openFile(name: string, mode: OpenMode): OpenFile {
    let node = this.node.children.get(name);
    if (node !== undefined && mode.create && mode.exclusive) throw new FileError('EEXIST', `${name} exists`);
    if (node === undefined) {
      if (!mode.create) throw new FileError('ENOENT', `there is no ${name}`);
      node = new FileNode(this.node.store);
      this.node.set(name, node);
    }
    if (node.type !== 'file') throw new FileError(node.type === 'directory' ? 'EISDIR' : 'ELOOP', `${name} is no file`);
    if (mode.truncate) {
      node.content.resize(0);
      node.touch();
    }
    return new OpenMemoryFile(node);
  }

  createDirectory(name: string): void {
    this.#mustBeFree(name);
    this.node.set(name, new DirectoryNode(this.node.store));
  }

  removeDirectory(name: string): void {
    const node = this.node.get(name);
    if (node.type !== 'directory') throw new FileError('ENOTDIR', `${name} is no directory`);
    if (node.children.size > 0) throw new FileError('ENOTEMPTY', `${name} is not empty`);
    node.removed = true;
    this.node.delete(name);
  }

  removeFile(name: string): void {
    const node = this.node.get(name);
    if (node.type === 'directory') throw new FileError('EISDIR', `${name} is a directory`);
    this.node.delete(name);
    node.unlinked();
  }

  rename(name: string, to: Directory, newName: string): void {
    const target = ofSameFiles(this, to).node;
    const node = this.node.get(name);
    const replaced = target.children.get(newName);
    if (node === replaced) return;
    if (node.type === 'directory' && node.contains(target)) {
      throw new FileError('EINVAL', `${name} cannot be moved into itself`);
    }
    if (replaced !== undefined) {
      if (replaced.type === 'directory') {
        if (node.type !== 'directory') throw new FileError('EISDIR', `${newName} is a directory`);
        if (replaced.children.size > 0) throw new FileError('ENOTEMPTY', `${newName} is not empty`);
      } else if (node.type === 'directory') throw new FileError('ENOTDIR', `${newName} is no directory`);
    }
    target.set(newName, node);
    this.node.delete(name);
    if (replaced?.type === 'directory') replaced.removed = true;
    else replaced?.unlinked();
  }

  link(name: string, to: Directory, newName: string): void {
    const target = ofSameFiles(this, to);
    const node = this.node.get(name);
    if (node.type === 'directory') throw new FileError('EPERM', `${name} is a directory`);
    target.#mustBeFree(newName);
    target.node.set(newName, node);
    node.links++;
    node.changed = now();
  }

  symlink(name: string, target: string): void {
    this.#mustBeFree(name);
    // Before it takes bytes that nobody would give back.
    this.node.mustBeThere();
    this.node.set(name, new LinkNode(this.node.store, target));
  }

  readLink(name: string): string {
    const node = this.node.get(name);
    if (node.type !== 'symlink') throw new FileError('EINVAL', `${name} is no symbolic link`);
    return node.target;
  }

  setTimes(name: string | null, times: Times): void {
    (name === null ? this.node : this.node.get(name)).setTimes(times);
  }

  sync(): void {}

  #mustBeFree(name: string): void {
    if (this.node.children.has(name)) throw new FileError('EEXIST', `${name} exists`);
  }
}

function ofSameFiles(from: MemoryDirectory, to: Directory): MemoryDirectory {
  if (to instanceof MemoryDirectory && to.node.store === from.node.store) return to;
  throw new FileError('EXDEV', 'the two are in different file systems');
}

/** What `memoryFiles` makes: for a program, and for the host, which may read and write at any time. */
export class MemoryFiles implements FileSystem {
  readonly #root: DirectoryNode;

  constructor(tree: FileTree = {}, { capacity = Number.POSITIVE_INFINITY }: MemoryFilesOptions = {}) {
    this.#root = new DirectoryNode(new Store(capacity));
    for (const [path, content] of Object.entries(tree)) this.#put(path, content);
  }

  root(): Directory {
    return new MemoryDirectory(this.#root);
  }

  /**
   * The bytes of a file; a copy.
   *
   * @param path from the root on, such as `out/report.txt`; symbolic links are not followed
   * @throws FileError `ENOENT`, `ENOTDIR`, `EISDIR`
   */
  bytes(path: string): Uint8Array<ArrayBuffer> {
    const names = namesOf(path);
    const name = names.pop();
    const node = name === undefined ? this.#root : this.#directory(names, false).get(name);
    if (node.type !== 'file') throw new FileError('EISDIR', `${path} is no file`);
    return node.content.bytes.slice();
  }

  /** The same as text. */
  text(path: string): string {
    return decoder.decode(this.bytes(path));
  }

  /** Writes a file, with the directories that it needs. */
  write(path: string, content: string | Uint8Array): void {
    this.#put(path, content);
  }

  /** Makes a directory, with those on the way to it, unless it is there. */
  makeDirectory(path: string): void {
    this.#directory(namesOf(path), true);
  }

  /** Everything that is there: the path of each file, and its bytes. Directories without files are left out. */
  toObject(): Record<string, Uint8Array<ArrayBuffer>> {
    const files: Record<string, Uint8Array<ArrayBuffer>> = Object.create(null);
    const collect = (directory: DirectoryNode, prefix: string): void => {
      for (const [name, node] of directory.children) {
        if (node.type === 'directory') collect(node, `${prefix}${name}/`);
        else if (node.type === 'file') files[prefix + name] = node.content.bytes.slice();
      }
    };
    collect(this.#root, '');
    return files;
  }

  #put(path: string, content: string | Uint8Array | FileTree): void {
    const names = namesOf(path);
    if (typeof content === 'string' || content instanceof Uint8Array) {
      const name = names.pop();
      if (name === undefined) throw new FileError('EISDIR', `${path} is the root`);
      const directory = new MemoryDirectory(this.#directory(names, true));
      const file = directory.openFile(name, {
        read: false,
        write: true,
        create: true,
        exclusive: false,
        truncate: true,
      });
      void file.write?.(typeof content === 'string' ? encoder.encode(content) : new Uint8Array(content), 0);
      void file.close?.();
      return;
    }
    this.#directory(names, true);
    for (const [name, each] of Object.entries(content)) this.#put(`${path}/${name}`, each);
  }

  #directory(names: readonly string[], create: boolean): DirectoryNode {
    let here = this.#root;
    for (const name of names) {
      if (create && !here.children.has(name)) here.set(name, new DirectoryNode(here.store));
      const next = here.get(name);
      if (next.type !== 'directory') throw new FileError('ENOTDIR', `${name} is no directory`);
      here = next;
    }
    return here;
  }
}

function namesOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..') || path.includes('\0')) throw new FileError('EINVAL', `${path} is no path from the root on`);
  return names;
}

/**
 * Files in memory.
 *
 * @param tree names (or paths such as `etc/motd`) and what they hold: text, bytes, or an object of the same kind for a
 * directory
 * @throws FileError `EINVAL` for a path with `..` or NUL in it, `ENOSPC` if the tree is larger than the capacity
 * @example
 * const files = memoryFiles({ 'in.txt': 'three\nlines\nof text\n', tmp: {} });
 * await run(source, { args: ['sort', 'in.txt', '-o', 'out.txt'], files });
 * console.log(files.text('out.txt'));
 */
export function memoryFiles(tree?: FileTree, options?: MemoryFilesOptions): MemoryFiles {
  return new MemoryFiles(tree, options);
}
