/**
 * What a program has open, by number: streams, files and directories. Numbers are given out lowest first, as POSIX has it;
 * a descriptor is closed once, when its number is given up, and after whatever still reads or writes through it.
 */
import {
  ALL_RIGHTS,
  DIRECTORY_RIGHTS,
  FDFLAGS,
  FILETYPE,
  FILE_RIGHTS,
  type Filetype,
  RIGHTS,
  STREAM_RIGHTS,
} from './abi.ts';
import { FileError } from './errors.ts';
import type { Directory, Entry, FileType, OpenFile, Stat } from './file-system.ts';
import type { Input } from './input.ts';
import type { Output } from './output.ts';
import { Lock, type Steps, settle } from './steps.ts';

/** As many as a process usually has. */
const MOST_DESCRIPTORS = 1024;

const FILETYPES: Readonly<Record<FileType, Filetype>> = {
  file: FILETYPE.REGULAR_FILE,
  directory: FILETYPE.DIRECTORY,
  symlink: FILETYPE.SYMBOLIC_LINK,
  'character-device': FILETYPE.CHARACTER_DEVICE,
  'block-device': FILETYPE.BLOCK_DEVICE,
  socket: FILETYPE.SOCKET_STREAM,
  unknown: FILETYPE.UNKNOWN,
};

export const filetypeOf = (type: FileType): Filetype => FILETYPES[type];

export class FileDescriptor {
  readonly kind = 'file';
  readonly filetype: Filetype = FILETYPE.REGULAR_FILE;
  readonly file: OpenFile;
  readonly inheriting: bigint = 0n;
  rights: bigint;
  flags: number;
  /** Bytes from the beginning: where the next read or write is. */
  position = 0;
  /** For whatever uses the position, or the end of the file. */
  readonly lock: Lock = new Lock();

  constructor(file: OpenFile, rights: bigint, flags: number) {
    this.file = file;
    this.rights = rights & FILE_RIGHTS;
    this.flags = flags;
  }

  get appends(): boolean {
    return (this.flags & FDFLAGS.APPEND) !== 0;
  }

  /** Must each write be where it lasts before it returns? */
  get syncs(): boolean {
    return (this.flags & (FDFLAGS.SYNC | FDFLAGS.DSYNC)) !== 0;
  }

  close(): Steps<void> {
    const { file } = this;
    return this.lock.run(function* () {
      yield* settle(file.close?.());
    });
  }
}

export class DirectoryDescriptor {
  readonly kind = 'directory';
  readonly filetype: Filetype = FILETYPE.DIRECTORY;
  readonly directory: Directory;
  /** The path under which it was there from the beginning; null if it was opened. */
  readonly preopen: string | null;
  rights: bigint;
  inheriting: bigint;
  flags: number;
  /** What `fd_readdir` gives: as it was when the reading began. */
  entries: readonly Entry[] | null = null;

  constructor(directory: Directory, preopen: string | null, rights: bigint, inheriting: bigint, flags: number) {
    this.directory = directory;
    this.preopen = preopen;
    this.rights = rights & DIRECTORY_RIGHTS;
    this.inheriting = inheriting & ALL_RIGHTS;
    this.flags = flags;
  }

  /** What was there from the beginning may be mounted as well, and stays open as long as the program runs. */
  *close(): Steps<void> {
    if (this.preopen === null) yield* settle(this.directory.close?.());
  }
}

export class StreamDescriptor {
  readonly kind = 'stream';
  readonly filetype: Filetype;
  readonly input: Input | null;
  readonly output: Output | null;
  readonly inheriting: bigint = 0n;
  rights: bigint;
  flags = 0;

  constructor(stream: Input | Output, isInput: boolean, isTerminal: boolean) {
    this.input = isInput ? (stream as Input) : null;
    this.output = isInput ? null : (stream as Output);
    this.rights = STREAM_RIGHTS | (isInput ? RIGHTS.FD_READ : RIGHTS.FD_WRITE);
    this.filetype = isTerminal ? FILETYPE.CHARACTER_DEVICE : FILETYPE.UNKNOWN;
  }

  /** The streams are the program's, not the descriptor's: they end with the program. */
  *close(): Steps<void> {}
}

export type Descriptor = FileDescriptor | DirectoryDescriptor | StreamDescriptor;

export class DescriptorTable {
  readonly #table = new Map<number, Descriptor>();
  #lowestFree = 0;
  #ended = false;

  /** @throws FileError `EBADF`; `ENOTCAPABLE` if it does not have all of these rights */
  get(fd: number, rights: bigint): Descriptor {
    const found = this.#table.get(fd);
    if (found === undefined) throw new FileError('EBADF', `descriptor ${fd} is not open`);
    if ((found.rights & rights) !== rights) {
      // POSIX has a word for these two, which libraries look for.
      const missing = rights & ~found.rights;
      const isAccess = (missing & (RIGHTS.FD_READ | RIGHTS.FD_WRITE)) !== 0n && found.kind !== 'directory';
      throw new FileError(isAccess ? 'EBADF' : 'ENOTCAPABLE', `descriptor ${fd} is not for that`);
    }
    return found;
  }

  /** @throws FileError also `EISDIR` for a directory, `ESPIPE` for a stream */
  file(fd: number, rights: bigint): FileDescriptor {
    const { kind } = this.get(fd, 0n);
    if (kind === 'directory') throw new FileError('EISDIR', `descriptor ${fd} is a directory`);
    if (kind === 'stream') throw new FileError('ESPIPE', `descriptor ${fd} is a stream`);
    return this.get(fd, rights) as FileDescriptor;
  }

  /** @throws FileError also `ENOTDIR` for anything but a directory */
  directory(fd: number, rights: bigint): DirectoryDescriptor {
    if (this.get(fd, 0n).kind !== 'directory') throw new FileError('ENOTDIR', `descriptor ${fd} is no directory`);
    return this.get(fd, rights) as DirectoryDescriptor;
  }

  /** @throws FileError `EMFILE`; `EINTR` if the program has ended, and nobody would close it */
  add(descriptor: Descriptor): number {
    if (this.#ended) throw new FileError('EINTR', 'the program has ended');
    if (this.#table.size >= MOST_DESCRIPTORS) throw new FileError('EMFILE', 'too many descriptors are open');
    while (this.#table.has(this.#lowestFree)) this.#lowestFree++;
    this.#table.set(this.#lowestFree, descriptor);
    return this.#lowestFree;
  }

  /** Is there room for one more? To be asked before a file is opened, and perhaps made. */
  reserve(): void {
    if (this.#table.size >= MOST_DESCRIPTORS) throw new FileError('EMFILE', 'too many descriptors are open');
  }

  /** Gives the number up, and what it stood for. */
  take(fd: number): Descriptor {
    const found = this.get(fd, 0n);
    this.#table.delete(fd);
    this.#lowestFree = Math.min(this.#lowestFree, fd);
    return found;
  }

  /** Gives a descriptor the number of another one, and what that one stood for. */
  renumber(from: number, to: number): Descriptor | null {
    this.get(from, 0n);
    const replaced = this.get(to, 0n);
    if (from === to) return null;
    this.#table.set(to, this.take(from));
    return replaced;
  }

  /** Takes everything that is open; nothing can be opened any more. */
  takeAll(): Descriptor[] {
    this.#ended = true;
    const all = [...this.#table.values()];
    this.#table.clear();
    this.#lowestFree = 0;
    return all;
  }
}

/** Of a stream, which no file system knows: only what it is. */
export const STREAM_STAT: Omit<Stat, 'type'> = {
  size: 0,
  inode: 0n,
  device: 0n,
  links: 1,
  accessed: 0n,
  modified: 0n,
  changed: 0n,
};
