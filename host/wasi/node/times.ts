/**
 * Times of files to the nanosecond. Node reads them so, but sets them by a number of seconds, which has room for some hundred
 * nanoseconds, and can set neither of the two times alone. What a program has set is therefore remembered beside what the disk
 * made of it, and told as long as the disk still says that.
 */
import type { BigIntStats } from 'node:fs';
import type { FileType, Stat, Times } from '../file-system.ts';

interface Remembered {
  readonly accessed: readonly [disk: bigint, set: bigint];
  readonly modified: readonly [disk: bigint, set: bigint];
}

/** So many files at most; the oldest are forgotten. */
const MOST_FILES = 10_000;

const NANOSECONDS = 1e9;

export class PreciseTimes {
  readonly #files = new Map<string, Remembered>();

  /** What is known of a file. */
  statOf(stats: BigIntStats): Stat {
    const known = this.#files.get(keyOf(stats));
    const tell = (disk: bigint, remembered: readonly [bigint, bigint] | undefined): bigint =>
      remembered?.[0] === disk ? remembered[1] : disk;
    return {
      type: typeOf(stats),
      size: Number(stats.size),
      inode: stats.ino,
      device: stats.dev,
      links: Number(stats.nlink),
      accessed: tell(stats.atimeNs, known?.accessed),
      modified: tell(stats.mtimeNs, known?.modified),
      changed: stats.ctimeNs,
    };
  }

  /**
   * Sets times.
   *
   * @param set with seconds since 1970, as Node takes them
   */
  async change(
    times: Times,
    read: () => Promise<BigIntStats>,
    set: (accessed: number, modified: number) => Promise<void>,
  ): Promise<void> {
    const before = this.statOf(await read());
    const { accessed = before.accessed, modified = before.modified } = times;
    await set(Number(accessed) / NANOSECONDS, Number(modified) / NANOSECONDS);
    const after = await read();
    const key = keyOf(after);
    this.#files.delete(key);
    this.#files.set(key, { accessed: [after.atimeNs, accessed], modified: [after.mtimeNs, modified] });
    for (const oldest of this.#files.keys()) {
      if (this.#files.size <= MOST_FILES) break;
      this.#files.delete(oldest);
    }
  }
}

const keyOf = ({ dev, ino }: BigIntStats): string => `${dev} ${ino}`;

export function typeOf(stats: Pick<BigIntStats, 'isFile' | 'isDirectory' | 'isSymbolicLink'> & Devices): FileType {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isCharacterDevice()) return 'character-device';
  if (stats.isBlockDevice()) return 'block-device';
  return stats.isSocket() ? 'socket' : 'unknown';
}

type Devices = Pick<BigIntStats, 'isCharacterDevice' | 'isBlockDevice' | 'isSocket'>;
