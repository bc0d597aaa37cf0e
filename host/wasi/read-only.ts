/** A file system without what changes it. */
import type { Directory, FileSystem, OpenFile } from './file-system.ts';
import { perform, settle } from './steps.ts';

/**
 * The same files, for a program that may only read them: everything else fails with EROFS.
 *
 * @example
 * await run(source, { files: { '/data': readOnly(files) } });
 */
export function readOnly(files: FileSystem): FileSystem {
  return {
    root: () =>
      perform(
        (function* () {
          return directory(yield* settle(files.root()));
        })(),
      ),
  };
}

function directory(base: Directory): Directory {
  return {
    stat: () => base.stat(),
    lookup: (name) => base.lookup(name),
    list: () => base.list(),
    readLink: (name) => base.readLink?.(name) ?? '',
    close: () => base.close?.(),
    openDirectory: (name) =>
      perform(
        (function* () {
          return directory(yield* settle(base.openDirectory(name)));
        })(),
      ),
    openFile: (name, { read }) =>
      perform(
        (function* () {
          const mode = { read, write: false, create: false, exclusive: false, truncate: false };
          return file(yield* settle(base.openFile(name, mode)));
        })(),
      ),
  };
}

function file(base: OpenFile): OpenFile {
  return {
    stat: () => base.stat(),
    read: (length, position) => base.read(length, position),
    close: () => base.close?.(),
  };
}
