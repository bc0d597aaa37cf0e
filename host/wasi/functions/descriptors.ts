/** What is asked of a descriptor as such: flags, rights, size, times, the list of a directory, and its end. */
import {
  ALL_FDFLAGS,
  ALL_FSTFLAGS,
  ALL_RIGHTS,
  FSTFLAGS,
  LAST_ADVICE,
  PREOPEN_DIRECTORY,
  RIGHTS,
  SIZE,
} from '../abi.ts';
import { type Descriptor, type DirectoryDescriptor, STREAM_STAT, filetypeOf } from '../descriptors.ts';
import { FileError } from '../errors.ts';
import type { Entry, Stat, Times } from '../file-system.ts';
import type { GuestMemory } from '../memory.ts';
import { type Steps, perform, settle } from '../steps.ts';
import { type Context, type WasiFunctions } from './context.ts';
import { positionOf } from './data.ts';

const utf8 = new TextEncoder();

/** Directories in the middle of being listed, whose lists are kept: a list may be long, and descriptors are many. */
const MOST_LISTS = 64;

export function descriptorFunctions(context: Context): WasiFunctions {
  const { memory, descriptors, clock, calls } = context;
  /** Those whose lists are kept, the oldest first. */
  const listed = new Set<Descriptor>();

  /** What is found in a directory, from now on until it is asked for anew, closed, or the oldest of too many. */
  function* list(descriptor: DirectoryDescriptor): Steps<readonly Entry[]> {
    const entries = yield* entriesOf(descriptor);
    descriptor.entries = entries;
    listed.delete(descriptor);
    listed.add(descriptor);
    if (listed.size > MOST_LISTS) {
      for (const oldest of listed) {
        forget(oldest);
        break;
      }
    }
    return entries;
  }

  function forget(descriptor: Descriptor): void {
    listed.delete(descriptor);
    if (descriptor.kind === 'directory') descriptor.entries = null;
  }

  function preopen(fd: number): { readonly path: Uint8Array } {
    const descriptor = descriptors.get(fd, 0n);
    if (descriptor.kind !== 'directory' || descriptor.preopen === null) {
      throw new FileError('EBADF', `descriptor ${fd} was not there from the beginning`);
    }
    return { path: utf8.encode(descriptor.preopen) };
  }

  return {
    fd_advise(fd: number, _offset: bigint, _length: bigint, advice: number) {
      descriptors.file(fd, RIGHTS.FD_ADVISE);
      if (advice > LAST_ADVICE) throw new FileError('EINVAL', `there is no advice ${advice}`);
    },

    *fd_allocate(fd: number, offset: bigint, length: bigint): Steps<void> {
      const { file, lock } = descriptors.file(fd, RIGHTS.FD_ALLOCATE);
      if (length === 0n) throw new FileError('EINVAL', 'no bytes to allocate');
      const end = positionOf(offset + length);
      yield* lock.run(function* () {
        if ((yield* calls.look(file.stat())).size >= end) return;
        yield* calls.change(() => writable(file.resize).call(file, end));
      });
    },

    *fd_close(fd: number): Steps<void> {
      const descriptor = descriptors.take(fd);
      forget(descriptor);
      yield* calls.change(() => perform(descriptor.close()));
    },

    *fd_datasync(fd: number): Steps<void> {
      yield* sync(context, fd, RIGHTS.FD_DATASYNC);
    },

    *fd_sync(fd: number): Steps<void> {
      yield* sync(context, fd, RIGHTS.FD_SYNC);
    },

    fd_fdstat_get(fd: number, resultAt: number) {
      const { filetype, flags, rights, inheriting } = descriptors.get(fd, 0n);
      memory.bytes(resultAt, SIZE.FDSTAT).fill(0);
      memory.setUint8(resultAt, filetype);
      memory.setUint16(resultAt + 2, flags);
      memory.setUint64(resultAt + 8, rights);
      memory.setUint64(resultAt + 16, inheriting);
    },

    fd_fdstat_set_flags(fd: number, flags: number) {
      const descriptor = descriptors.get(fd, RIGHTS.FD_FDSTAT_SET_FLAGS);
      if ((flags & ~ALL_FDFLAGS) !== 0) throw new FileError('EINVAL', `there are no flags ${flags}`);
      descriptor.flags = flags;
    },

    /** Rights can be given up, never gained. */
    fd_fdstat_set_rights(fd: number, rights: bigint, inheriting: bigint) {
      const descriptor = descriptors.get(fd, 0n);
      const gained = (rights & ~descriptor.rights) | (inheriting & ~descriptor.inheriting);
      if ((gained & ALL_RIGHTS) !== 0n) throw new FileError('ENOTCAPABLE', `descriptor ${fd} cannot gain rights`);
      descriptor.rights = rights;
      if (descriptor.kind === 'directory') descriptor.inheriting = inheriting;
    },

    *fd_filestat_get(fd: number, resultAt: number): Steps<void> {
      const descriptor = descriptors.get(fd, RIGHTS.FD_FILESTAT_GET);
      memory.check(resultAt, SIZE.FILESTAT);
      if (descriptor.kind === 'stream') {
        writeStat(memory, resultAt, STREAM_STAT, descriptor.filetype);
        return;
      }
      const about = descriptor.kind === 'file' ? descriptor.file : descriptor.directory;
      const stat = yield* settle(about.stat());
      writeStat(memory, resultAt, stat, descriptor.filetype);
    },

    *fd_filestat_set_size(fd: number, size: bigint): Steps<void> {
      const { file, lock } = descriptors.file(fd, RIGHTS.FD_FILESTAT_SET_SIZE);
      const bytes = positionOf(size);
      const resize = writable(file.resize);
      yield* lock.run(() => calls.change(() => resize.call(file, bytes)));
    },

    *fd_filestat_set_times(fd: number, accessed: bigint, modified: bigint, flags: number): Steps<void> {
      const descriptor = descriptors.get(fd, RIGHTS.FD_FILESTAT_SET_TIMES);
      const times = timesOf(accessed, modified, flags, clock.realtime());
      if (descriptor.kind === 'file') {
        const { file } = descriptor;
        yield* calls.change(() => writable(file.setTimes).call(file, times));
      } else if (descriptor.kind === 'directory') {
        const { directory } = descriptor;
        yield* calls.change(() => writable(directory.setTimes).call(directory, null, times));
      } else throw new FileError('EINVAL', 'a stream has no times');
    },

    fd_prestat_get(fd: number, resultAt: number) {
      const { path } = preopen(fd);
      memory.bytes(resultAt, SIZE.PRESTAT).fill(0);
      memory.setUint8(resultAt, PREOPEN_DIRECTORY);
      memory.setUint32(resultAt + 4, path.length);
    },

    fd_prestat_dir_name(fd: number, at: number, length: number) {
      const { path } = preopen(fd);
      if (length < path.length) throw new FileError('ENAMETOOLONG', 'the path is longer than that');
      memory.bytes(at, path.length).set(path);
    },

    *fd_readdir(fd: number, at: number, length: number, cookie: bigint, resultAt: number): Steps<void> {
      const descriptor = descriptors.directory(fd, RIGHTS.FD_READDIR);
      memory.check(at, length);
      memory.check(resultAt, 4);
      // From the beginning: as it is now. What has been begun goes on as it was, so that nothing is told twice or missed.
      const kept = cookie === 0n ? null : descriptor.entries;
      const entries = kept ?? (yield* list(descriptor));
      const buffer = memory.bytes(at, length);
      let used = 0;
      for (let index = Number(cookie); index < entries.length && used < length; index++) {
        const entry = entries[index];
        if (entry === undefined) break;
        const bytes = direntOf(entry, BigInt(index + 1));
        // One that does not fit is cut off, by which the program sees that there is more.
        const part = bytes.subarray(0, length - used);
        buffer.set(part, used);
        used += part.length;
      }
      memory.setUint32(resultAt, used);
    },

    *fd_renumber(from: number, to: number): Steps<void> {
      const replaced = descriptors.renumber(from, to);
      if (replaced === null) return;
      forget(replaced);
      yield* calls.change(() => perform(replaced.close()));
    },
  };
}

function* sync({ descriptors }: Context, fd: number, right: bigint): Steps<void> {
  const descriptor = descriptors.get(fd, right);
  if (descriptor.kind === 'file') yield* descriptor.lock.run(() => settle(descriptor.file.sync?.()));
  else if (descriptor.kind === 'directory') yield* settle(descriptor.directory.sync?.());
}

function* entriesOf({ directory }: DirectoryDescriptor): Steps<readonly Entry[]> {
  const { inode } = yield* settle(directory.stat());
  const listed = yield* settle(directory.list());
  // What is above is nobody's business here.
  const dots = ['.', '..'].map((name): Entry => ({ name, type: 'directory', inode }));
  return [...dots, ...listed];
}

function direntOf({ name, type, inode }: Entry, next: bigint): Uint8Array {
  const text = utf8.encode(name);
  const bytes = new Uint8Array(SIZE.DIRENT + text.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, next, true);
  view.setBigUint64(8, inode, true);
  view.setUint32(16, text.length, true);
  view.setUint8(20, filetypeOf(type));
  bytes.set(text, SIZE.DIRENT);
  return bytes;
}

export function writeStat(memory: GuestMemory, at: number, stat: Omit<Stat, 'type'>, filetype: number): void {
  memory.bytes(at, SIZE.FILESTAT).fill(0);
  memory.setUint64(at, stat.device);
  memory.setUint64(at + 8, stat.inode);
  memory.setUint8(at + 16, filetype);
  memory.setUint64(at + 24, BigInt(stat.links));
  memory.setUint64(at + 32, BigInt(stat.size));
  memory.setUint64(at + 40, stat.accessed);
  memory.setUint64(at + 48, stat.modified);
  memory.setUint64(at + 56, stat.changed);
}

/** Which times are to be set, and to what. */
export function timesOf(accessed: bigint, modified: bigint, flags: number, now: bigint): Times {
  const given = (set: number, toNow: number, value: bigint): bigint | undefined => {
    if ((flags & set) !== 0 && (flags & toNow) !== 0) throw new FileError('EINVAL', 'a time, or the present one');
    if ((flags & toNow) !== 0) return now;
    return (flags & set) === 0 ? undefined : value;
  };
  if ((flags & ~ALL_FSTFLAGS) !== 0) throw new FileError('EINVAL', `there are no flags ${flags}`);
  return {
    accessed: given(FSTFLAGS.ATIM, FSTFLAGS.ATIM_NOW, accessed),
    modified: given(FSTFLAGS.MTIM, FSTFLAGS.MTIM_NOW, modified),
  };
}

/** A method that file systems which cannot be written to do not have. */
export function writable<T>(method: T | undefined): T {
  if (method === undefined) throw new FileError('EROFS', 'the file system cannot be written to');
  return method;
}
