/**
 * From a path of the guest to a directory and a name in it.
 *
 * A walk begins at a directory that the guest has open and takes one name at a time. It keeps the directories that it came
 * through, and `..` goes back to the one before: so nothing above the beginning can be reached, whatever the path says and
 * whatever is renamed meanwhile. Symbolic links are read and walked in the same way, from the directory they are in; absolute
 * ones, as absolute paths, lead nowhere (ENOTCAPABLE).
 */
import { FileError } from './errors.ts';
import type { Directory, Stat } from './file-system.ts';
import { type Steps, settle } from './steps.ts';

/** As in Linux. */
const MOST_LINKS = 40;
/** Bytes; where there are only units, of which no path has more. */
export const LONGEST_PATH = 4096;
const LONGEST_NAME = 255;

/** Where a path leads. */
export interface Place {
  readonly directory: Directory;
  /** In that directory; null for the directory itself, where the path ends in `.` or `..`. */
  readonly name: string | null;
  /** The path ends in a slash, so that only a directory can be meant. */
  readonly slash: boolean;
}

/**
 * Walks a path and does something with where it leads; the directories in between are closed afterwards.
 *
 * @param follow is a symbolic link at the end to be followed?
 * @throws FileError `ENOENT`, `ENOTDIR`, `ELOOP`, `ENAMETOOLONG`, `EINVAL` (a NUL in it), `ENOTCAPABLE`
 */
export function* walk<T>(start: Directory, path: string, follow: boolean, work: (place: Place) => Steps<T>): Steps<T> {
  const opened: Directory[] = [];
  try {
    const place = yield* find(start, path, follow, opened);
    return yield* work(place);
  } finally {
    for (const directory of opened) yield* settle(directory.close?.());
  }
}

function* find(start: Directory, path: string, follow: boolean, opened: Directory[]): Steps<Place> {
  const through: Directory[] = [];
  let here = start;
  let links = 0;
  let ahead = split(path);
  let slash = endsInSlash(path);
  for (;;) {
    const name = ahead.pop();
    const isLast = ahead.length === 0;
    if (name === undefined) return { directory: here, name: null, slash };
    if (name === '.') continue;
    if (name === '..') {
      const above = through.pop();
      if (above === undefined) throw new FileError('ENOTCAPABLE', `${path} leads out of the directory`);
      here = above;
      continue;
    }
    if (isLast && !follow && !slash) return { directory: here, name, slash };
    const stat = yield* settle(here.lookup(name));
    if (stat?.type === 'symlink') {
      if (++links > MOST_LINKS) throw new FileError('ELOOP', `${path} leads through too many symbolic links`);
      if (here.readLink === undefined) throw new FileError('EINVAL');
      const target = yield* settle(here.readLink(name));
      ahead = [...ahead, ...split(target)];
      slash ||= isLast && endsInSlash(target);
      continue;
    }
    if (isLast) return { directory: here, name, slash };
    if (stat === null) throw new FileError('ENOENT', `there is no ${name} on the way to ${path}`);
    if (stat.type !== 'directory') throw new FileError('ENOTDIR', `${name} is no directory on the way to ${path}`);
    const next = yield* settle(here.openDirectory(name));
    opened.push(next);
    through.push(here);
    here = next;
  }
}

/** The names of a path, the first one last. */
function split(path: string): string[] {
  if (path === '') throw new FileError('ENOENT', 'the path is empty');
  if (path.includes('\0')) throw new FileError('EINVAL', 'the path has a NUL in it');
  if (path.length > LONGEST_PATH) throw new FileError('ENAMETOOLONG');
  if (path.startsWith('/')) throw new FileError('ENOTCAPABLE', `${path} is absolute`);
  const names = path.split('/').filter((name) => name !== '');
  if (names.some((name) => name.length > LONGEST_NAME)) throw new FileError('ENAMETOOLONG');
  return names.toReversed();
}

const endsInSlash = (path: string): boolean => path.endsWith('/');

/** The directory or file at a place, as it is there. */
export function* statOf({ directory, name, slash }: Place): Steps<Stat> {
  const stat = name === null ? yield* settle(directory.stat()) : yield* settle(directory.lookup(name));
  if (stat === null) throw new FileError('ENOENT', `there is no ${name}`);
  if (slash && stat.type !== 'directory') throw new FileError('ENOTDIR', `${name} is no directory`);
  return stat;
}

/** The name of a place where a name is needed: `.` and `..` can be neither made nor removed. */
export function nameOf({ name }: Place, otherwise: 'EEXIST' | 'EINVAL' | 'EISDIR' | 'EBUSY'): string {
  if (name === null) throw new FileError(otherwise, 'the path ends in . or ..');
  return name;
}
