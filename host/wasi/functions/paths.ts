/** What is done to names below a directory that the program has open. */
import { ALL_FDFLAGS, ALL_OFLAGS, ALL_RIGHTS, LOOKUPFLAGS, OFLAGS, RIGHTS } from '../abi.ts';
import type { Calls } from '../calls.ts';
import { DirectoryDescriptor, FileDescriptor, filetypeOf } from '../descriptors.ts';
import { FileError } from '../errors.ts';
import type { OpenFile, Stat } from '../file-system.ts';
import { beneathMounts } from '../mounts.ts';
import { LONGEST_PATH, type Place, nameOf, statOf, walk } from '../paths.ts';
import { type Awaitable, type Steps, settle } from '../steps.ts';
import type { Context, WasiFunctions } from './context.ts';
import { timesOf, writable, writeStat } from './descriptors.ts';

const utf8 = new TextEncoder();

const follows = (flags: number): boolean => (flags & LOOKUPFLAGS.SYMLINK_FOLLOW) !== 0;

export function pathFunctions(context: Context): WasiFunctions {
  const { memory, descriptors, clock, calls } = context;

  /** A path that stands in the guest's memory, whose length is looked at before it is read: it may be all of that memory. */
  function textOf(address: number, length: number): string {
    if (length > LONGEST_PATH) throw new FileError('ENAMETOOLONG', `a path of ${length} bytes`);
    return memory.text(address, length);
  }

  /** Walks a path that stands in the guest's memory, from a descriptor that must have these rights. */
  function* at<T>(
    fd: number,
    rights: bigint,
    address: number,
    length: number,
    follow: boolean,
    work: (place: Place) => Steps<T>,
  ): Steps<T> {
    const { directory } = descriptors.directory(fd, rights);
    return yield* walk(directory, textOf(address, length), follow, work);
  }

  return {
    *path_create_directory(fd: number, pathAt: number, length: number): Steps<void> {
      yield* at(fd, RIGHTS.PATH_CREATE_DIRECTORY, pathAt, length, false, function* (place) {
        const { directory } = place;
        const name = nameOf(place, 'EEXIST');
        yield* calls.change(() => writable(directory.createDirectory).call(directory, name));
      });
    },

    *path_filestat_get(fd: number, flags: number, pathAt: number, length: number, resultAt: number): Steps<void> {
      yield* at(fd, RIGHTS.PATH_FILESTAT_GET, pathAt, length, follows(flags), function* (place) {
        const stat = yield* statOf(place);
        writeStat(memory, resultAt, stat, filetypeOf(stat.type));
      });
    },

    *path_filestat_set_times(
      fd: number,
      flags: number,
      pathAt: number,
      length: number,
      accessed: bigint,
      modified: bigint,
      which: number,
    ): Steps<void> {
      yield* at(fd, RIGHTS.PATH_FILESTAT_SET_TIMES, pathAt, length, follows(flags), function* (place) {
        const { directory, name } = place;
        const times = timesOf(accessed, modified, which, clock.realtime());
        yield* statOf(place);
        yield* calls.change(() => writable(directory.setTimes).call(directory, name, times));
      });
    },

    *path_link(
      fd: number,
      flags: number,
      pathAt: number,
      length: number,
      newFd: number,
      newPathAt: number,
      newLength: number,
    ): Steps<void> {
      descriptors.directory(fd, RIGHTS.PATH_LINK_SOURCE);
      descriptors.directory(newFd, RIGHTS.PATH_LINK_TARGET);
      // Not every system can link to what a symbolic link leads to, and wasi-libc never asks for it.
      if (follows(flags)) throw new FileError('EINVAL', 'a link follows no symbolic link');
      yield* at(fd, RIGHTS.PATH_LINK_SOURCE, pathAt, length, false, (from) =>
        at(newFd, RIGHTS.PATH_LINK_TARGET, newPathAt, newLength, false, function* (to) {
          const source = nameOf(from, 'EISDIR');
          if ((yield* statOf(from)).type === 'directory') throw new FileError('EPERM', `${source} is a directory`);
          const name = yield* freeName(to);
          const { directory } = from;
          yield* calls.change(() =>
            writable(directory.link).call(directory, source, beneathMounts(to.directory, name), name),
          );
        }),
      );
    },

    *path_open(
      fd: number,
      lookup: number,
      pathAt: number,
      length: number,
      oflags: number,
      rights: bigint,
      inheriting: bigint,
      fdflags: number,
      resultAt: number,
    ): Steps<void> {
      const from = descriptors.directory(fd, RIGHTS.PATH_OPEN);
      memory.check(resultAt, 4);
      if ((oflags & ~ALL_OFLAGS) !== 0 || (fdflags & ~ALL_FDFLAGS) !== 0) throw new FileError('EINVAL');
      const wanted = { oflags, rights: rights & ALL_RIGHTS, inheriting: inheriting & ALL_RIGHTS, fdflags };
      if (((wanted.rights | wanted.inheriting) & ~from.inheriting) !== 0n) {
        throw new FileError('ENOTCAPABLE', `descriptor ${fd} does not hand on all of these rights`);
      }
      for (const [flag, right] of NEEDED) {
        if ((oflags & flag) !== 0) descriptors.directory(fd, right);
      }
      descriptors.reserve();
      const creates = (oflags & OFLAGS.CREAT) !== 0;
      if (creates && (oflags & OFLAGS.DIRECTORY) !== 0) {
        throw new FileError('EINVAL', 'a directory is not made by opening it');
      }
      const follow = follows(lookup) && !(creates && (oflags & OFLAGS.EXCL) !== 0);
      const opened = yield* at(fd, RIGHTS.PATH_OPEN, pathAt, length, follow, (place) => open(calls, place, wanted));
      try {
        memory.check(resultAt, 4);
        memory.setUint32(resultAt, descriptors.add(opened));
      } catch (error) {
        yield* opened.close();
        throw error;
      }
    },

    *path_readlink(
      fd: number,
      pathAt: number,
      length: number,
      bufferAt: number,
      size: number,
      resultAt: number,
    ): Steps<void> {
      yield* at(fd, RIGHTS.PATH_READLINK, pathAt, length, false, function* (place) {
        const { directory } = place;
        if ((yield* statOf(place)).type !== 'symlink') throw new FileError('EINVAL', 'it is no symbolic link');
        const name = nameOf(place, 'EINVAL');
        const target = utf8.encode(yield* settle(writable(directory.readLink).call(directory, name)));
        const part = target.subarray(0, size);
        memory.check(resultAt, 4);
        memory.bytes(bufferAt, part.length).set(part);
        memory.setUint32(resultAt, part.length);
      });
    },

    *path_remove_directory(fd: number, pathAt: number, length: number): Steps<void> {
      yield* at(fd, RIGHTS.PATH_REMOVE_DIRECTORY, pathAt, length, false, function* (place) {
        const { directory } = place;
        const name = nameOf(place, 'EINVAL');
        if ((yield* statOf(place)).type !== 'directory') throw new FileError('ENOTDIR', `${name} is no directory`);
        yield* calls.change(() => writable(directory.removeDirectory).call(directory, name));
      });
    },

    *path_rename(
      fd: number,
      pathAt: number,
      length: number,
      newFd: number,
      newPathAt: number,
      newLength: number,
    ): Steps<void> {
      yield* at(fd, RIGHTS.PATH_RENAME_SOURCE, pathAt, length, false, (from) =>
        at(newFd, RIGHTS.PATH_RENAME_TARGET, newPathAt, newLength, false, function* (to) {
          const { directory } = from;
          const source = nameOf(from, 'EBUSY');
          const target = nameOf(to, 'EBUSY');
          const { type } = yield* statOf(from);
          if (to.slash && type !== 'directory') throw new FileError('ENOTDIR', `${source} is no directory`);
          const into = beneathMounts(to.directory, target);
          yield* calls.change(() => writable(directory.rename).call(directory, source, into, target));
        }),
      );
    },

    *path_symlink(targetAt: number, targetLength: number, fd: number, pathAt: number, length: number): Steps<void> {
      const target = textOf(targetAt, targetLength);
      yield* at(fd, RIGHTS.PATH_SYMLINK, pathAt, length, false, function* (place) {
        if (target.startsWith('/')) throw new FileError('ENOTCAPABLE', 'the target is absolute');
        if (target === '') throw new FileError('ENOENT', 'the target is empty');
        if (target.includes('\0')) throw new FileError('EINVAL', 'the target has a NUL in it');
        const { directory } = place;
        const name = yield* freeName(place);
        yield* calls.change(() => writable(directory.symlink).call(directory, name, target));
      });
    },

    *path_unlink_file(fd: number, pathAt: number, length: number): Steps<void> {
      yield* at(fd, RIGHTS.PATH_UNLINK_FILE, pathAt, length, false, function* (place) {
        const { directory } = place;
        const name = nameOf(place, 'EISDIR');
        if ((yield* statOf(place)).type === 'directory') throw new FileError('EISDIR', `${name} is a directory`);
        yield* calls.change(() => writable(directory.removeFile).call(directory, name));
      });
    },
  };
}

/** What a flag of `path_open` asks for beside opening. */
const NEEDED = [
  [OFLAGS.CREAT, RIGHTS.PATH_CREATE_FILE],
  [OFLAGS.TRUNC, RIGHTS.PATH_FILESTAT_SET_SIZE],
] as const;

interface Wanted {
  readonly oflags: number;
  readonly rights: bigint;
  readonly inheriting: bigint;
  readonly fdflags: number;
}

function* open(calls: Calls, place: Place, wanted: Wanted): Steps<FileDescriptor | DirectoryDescriptor> {
  const { directory, name, slash } = place;
  const { oflags, rights, fdflags } = wanted;
  const create = (oflags & OFLAGS.CREAT) !== 0;
  const exclusive = (oflags & OFLAGS.EXCL) !== 0;
  const truncate = (oflags & OFLAGS.TRUNC) !== 0;
  const found = name === null ? null : yield* settle(directory.lookup(name));
  if (name === null || found?.type === 'directory') {
    if (create) throw new FileError(exclusive ? 'EEXIST' : 'EISDIR', 'it is a directory');
    if (truncate || (rights & RIGHTS.FD_WRITE) !== 0n) throw new FileError('EISDIR', 'it is a directory');
    const opened = yield* settle(directory.openDirectory(name));
    return new DirectoryDescriptor(opened, null, rights, wanted.inheriting, fdflags);
  }
  mustBeOpenable(name, found, slash || (oflags & OFLAGS.DIRECTORY) !== 0, create, exclusive);
  // Where nothing can be removed, nothing can be made.
  if (found === null && directory.removeFile === undefined) throw new FileError('EROFS', `${name} cannot be made`);
  const read = (rights & RIGHTS.FD_READ) !== 0n;
  const write = truncate || (rights & (RIGHTS.FD_WRITE | RIGHTS.FD_ALLOCATE | RIGHTS.FD_FILESTAT_SET_SIZE)) !== 0n;
  const mode = { read, write, create, exclusive, truncate };
  const opening = (): Awaitable<OpenFile> => directory.openFile(name, mode);
  const file = create || truncate ? yield* calls.change(opening) : yield* settle(opening());
  if (write && file.write === undefined) {
    yield* settle(file.close?.());
    throw new FileError('EROFS', `${name} cannot be written to`);
  }
  return new FileDescriptor(file, rights, fdflags);
}

/** The file systems check this again; here it is said the same way for all of them. */
function mustBeOpenable(
  name: string,
  found: Stat | null,
  mustBeDirectory: boolean,
  create: boolean,
  exclusive: boolean,
): void {
  if (found === null) {
    if (!create) throw new FileError('ENOENT', `there is no ${name}`);
    if (mustBeDirectory) throw new FileError('EISDIR', `${name} would be a file`);
    return;
  }
  if (create && exclusive) throw new FileError('EEXIST', `${name} exists`);
  if (found.type === 'symlink') throw new FileError('ELOOP', `${name} is a symbolic link`);
  if (mustBeDirectory) throw new FileError('ENOTDIR', `${name} is no directory`);
  // Opening a pipe or a device may hang, or do something.
  if (found.type !== 'file') throw new FileError('ENOTSUP', `${name} is no regular file`);
}

/** A name for something that is no directory: free, and without a slash behind it. */
function* freeName(place: Place): Steps<string> {
  const name = nameOf(place, 'EEXIST');
  const found = yield* settle(place.directory.lookup(name));
  if (found !== null) throw new FileError('EEXIST', `${name} exists`);
  if (place.slash) throw new FileError('ENOENT', `there is no directory ${name}`);
  return name;
}
