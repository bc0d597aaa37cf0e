/**
 * What a file system is, as types alone: directories that are asked for one name at a time, and open files. Paths, `..`,
 * symbolic links, descriptors, rights and positions are handled above it (paths.ts, descriptors.ts), once for all file
 * systems, so that one of your own cannot be left by any path that a guest makes up.
 *
 * Every method may give its result at once, or a promise of it; at once means that the guest is not suspended. A method fails
 * by throwing (or rejecting with) an error whose `code` is a POSIX name: a `FileError`, or what Node's `fs` throws. Methods
 * that may be missing make the guest's call fail with EROFS: a directory without `removeFile` is never asked to make a file,
 * and a file without `write` is open for reading only.
 */
import type { Awaitable } from './steps.ts';

export type FileType = 'file' | 'directory' | 'symlink' | 'character-device' | 'block-device' | 'socket' | 'unknown';

/** What is known of a file or directory. Times are nanoseconds since 1970. */
export interface Stat {
  readonly type: FileType;
  /** Bytes. */
  readonly size: number;
  /** With `device`, who it is: no two files have both the same. */
  readonly inode: bigint;
  readonly device: bigint;
  readonly links: number;
  readonly accessed: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
}

/** One name in a directory. */
export interface Entry {
  readonly name: string;
  readonly type: FileType;
  readonly inode: bigint;
}

/** Nanoseconds since 1970; what is undefined stays as it is. */
export interface Times {
  readonly accessed?: bigint | undefined;
  readonly modified?: bigint | undefined;
}

/** How a file is opened. */
export interface OpenMode {
  readonly read: boolean;
  readonly write: boolean;
  /** Make it if it is not there. */
  readonly create: boolean;
  /** With `create`: fail with EEXIST if it is there. */
  readonly exclusive: boolean;
  /** Empty it. */
  readonly truncate: boolean;
}

/** A regular file that is open. It stays usable when its name is removed, if the file system can do that. */
export interface OpenFile {
  stat(): Awaitable<Stat>;
  /**
   * At most so many bytes from a position on; fewer only where fewer come easily, none only at the end. What is given is read
   * before anything else happens, so it may be a view of the file's own bytes.
   */
  read(length: number, position: number): Awaitable<Uint8Array>;
  /** Writes all the bytes, which are the file's to keep. What lies between the end and the position becomes zero. */
  write?(bytes: Uint8Array<ArrayBuffer>, position: number): Awaitable<void>;
  /** Cuts it off, or fills it up with zeros. */
  resize?(size: number): Awaitable<void>;
  setTimes?(times: Times): Awaitable<void>;
  /** Resolves when everything written is where it lasts. */
  sync?(): Awaitable<void>;
  /**
   * Called once, at the end, after all writes; what was written is then in the file. A read of a fiber that was cancelled may
   * still be under way: nobody waits for it any more.
   */
  close?(): Awaitable<void>;
}

/**
 * A directory that is open. Names are single: never empty, `.` or `..`, and without a slash or NUL. No method follows a
 * symbolic link: it is what is looked up, removed and renamed, and what cannot be opened (ELOOP, ENOTDIR).
 */
export interface Directory {
  /** Of itself. */
  stat(): Awaitable<Stat>;
  /** Of what has this name. Null if nothing has. */
  lookup(name: string): Awaitable<Stat | null>;
  /** Everything in it, but `.` and `..`. */
  list(): Awaitable<readonly Entry[]>;
  /** @param name null for itself once more */
  openDirectory(name: string | null): Awaitable<Directory>;
  openFile(name: string, mode: OpenMode): Awaitable<OpenFile>;
  createDirectory?(name: string): Awaitable<void>;
  /** Of an empty directory. */
  removeDirectory?(name: string): Awaitable<void>;
  /** Of anything but a directory. */
  removeFile?(name: string): Awaitable<void>;
  /** In one step; what was there under the new name is replaced. `to` is a directory of the same file system. */
  rename?(name: string, to: Directory, newName: string): Awaitable<void>;
  /** A second name. `to` is a directory of the same file system. */
  link?(name: string, to: Directory, newName: string): Awaitable<void>;
  symlink?(name: string, target: string): Awaitable<void>;
  /** The target of a symbolic link; EINVAL if it is something else. */
  readLink?(name: string): Awaitable<string>;
  /** @param name null for itself */
  setTimes?(name: string | null, times: Times): Awaitable<void>;
  sync?(): Awaitable<void>;
  /** Called once for each that was opened. */
  close?(): Awaitable<void>;
}

/**
 * Files for a program.
 *
 * @example
 * // The smallest one: a single file that is fetched when it is opened.
 * const stat = { type: 'directory', size: 0, inode: 1n, device: 99n, links: 1, accessed: 0n, modified: 0n, changed: 0n };
 * const page = { ...stat, type: 'file', inode: 2n };
 * const root = {
 *   stat: () => stat,
 *   lookup: (name) => (name === 'page' ? page : null),
 *   list: () => [{ name: 'page', type: 'file', inode: 2n }],
 *   openDirectory: () => root,
 *   async openFile() {
 *     const bytes = new Uint8Array(await (await fetch('/page')).arrayBuffer());
 *     return { stat: () => ({ ...page, size: bytes.length }), read: (n, from) => bytes.subarray(from, from + n) };
 *   },
 * };
 * await run(program, { files: { '/web': { root: () => root } } });
 */
export interface FileSystem {
  /** Its topmost directory. Opened once for each program and closed at the program's end. */
  root(): Awaitable<Directory>;
}
