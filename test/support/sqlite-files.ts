// Files for the SQLite guest: in memory, every access answered after a while, locks as SQLite's documentation has them
// (any number of readers; one who is about to write; a pending writer keeps new readers out; a writer is alone).
import type { Imports } from 'wasm-fibers';

const OK = 0;
const BUSY = 5;
const NONE = 0;
const SHARED = 1;
const RESERVED = 2;
const PENDING = 3;
const EXCLUSIVE = 4;

interface Content {
  bytes: Uint8Array<ArrayBuffer>;
  size: number;
  readonly locks: Map<number, number>;
}

/** Ends a wait some time later with what the callback then gives. */
export type Later = <T>(settle: () => T) => Promise<T>;

export interface SqliteFiles {
  readonly imports: Imports;
  /** Files that are open. */
  readonly open: number;
  /** Accesses that waited. */
  readonly waits: number;
  /** Times that a lock was refused. */
  readonly refusals: number;
}

/** @param memory the guest's memory, asked for at each access */
export function sqliteFiles(memory: () => WebAssembly.Memory, later: Later): SqliteFiles {
  const contents = new Map<string, Content>();
  const handles = new Map<number, Content>();
  const state = { waits: 0, refusals: 0 };
  let nextHandle = 1;

  const text = (at: number): string => {
    const bytes = new Uint8Array(memory().buffer);
    return new TextDecoder().decode(bytes.slice(at, bytes.indexOf(0, at)));
  };
  const fileOf = (handle: number): Content => {
    const content = handles.get(handle);
    if (content === undefined) throw new Error(`file ${handle} is not open`);
    return content;
  };
  const resize = (content: Content, size: number): void => {
    if (size > content.bytes.length) {
      const grown = new Uint8Array(Math.max(size, content.bytes.length * 2));
      grown.set(content.bytes);
      content.bytes = grown;
    }
    content.size = size;
  };
  const lock = (handle: number, level: number): number => {
    const { locks } = fileOf(handle);
    const others = [...locks].filter(([owner]) => owner !== handle).map(([, held]) => held);
    const highest = Math.max(NONE, ...others);
    if (level === SHARED && highest >= PENDING) return refuse();
    if (level === RESERVED && highest >= RESERVED) return refuse();
    if (level >= PENDING && highest >= RESERVED) return refuse();
    if (level === EXCLUSIVE && highest >= SHARED) {
      // The readers there are may finish; no new ones come.
      locks.set(handle, PENDING);
      return refuse();
    }
    locks.set(handle, level);
    return OK;
  };
  const refuse = (): number => {
    state.refusals++;
    return BUSY;
  };

  /** The access happens at the end of the wait, through a view made then: memory may have grown meanwhile. */
  const waiting =
    <A extends unknown[], R>(access: (...args: A) => R) =>
    (...args: A): Promise<R> => {
      state.waits++;
      return later(() => access(...args));
    };

  return {
    get open() {
      return handles.size;
    },
    get waits() {
      return state.waits;
    },
    get refusals() {
      return state.refusals;
    },
    imports: {
      env: {
        vfs_open: waiting((name: number): number => {
          const path = name === 0 ? `temporary ${nextHandle}` : text(name);
          let content = contents.get(path);
          if (content === undefined) {
            content = { bytes: new Uint8Array(4096), size: 0, locks: new Map() };
            contents.set(path, content);
          }
          handles.set(nextHandle, content);
          return nextHandle++;
        }),
        vfs_close: waiting((handle: number): number => {
          fileOf(handle).locks.delete(handle);
          handles.delete(handle);
          return OK;
        }),
        vfs_read: waiting((handle: number, at: number, length: number, offset: bigint): number => {
          const { bytes, size } = fileOf(handle);
          const from = Number(offset);
          const part = bytes.subarray(from, Math.min(size, from + length));
          new Uint8Array(memory().buffer, at, length).set(part);
          return part.length;
        }),
        vfs_write: waiting((handle: number, at: number, length: number, offset: bigint): number => {
          const content = fileOf(handle);
          const from = Number(offset);
          resize(content, Math.max(content.size, from + length));
          content.bytes.set(new Uint8Array(memory().buffer, at, length), from);
          return OK;
        }),
        vfs_truncate: waiting((handle: number, size: bigint): number => {
          const content = fileOf(handle);
          resize(content, Number(size));
          content.bytes.fill(0, content.size);
          return OK;
        }),
        vfs_sync: waiting((): number => OK),
        vfs_size: waiting((handle: number): bigint => BigInt(fileOf(handle).size)),
        vfs_lock: waiting(lock),
        vfs_unlock: waiting((handle: number, level: number): number => {
          fileOf(handle).locks.set(handle, level);
          return OK;
        }),
        vfs_delete: waiting((name: number): number => {
          contents.delete(text(name));
          return OK;
        }),
        vfs_exists: waiting((name: number): number => Number(contents.has(text(name)))),
        vfs_sleep: waiting((): void => undefined),
        reserved: (handle: number): number =>
          Number([...fileOf(handle).locks.values()].some((held) => held >= RESERVED)),
        random: (at: number, length: number): void => {
          new Uint8Array(memory().buffer, at, length).fill(42);
        },
        now: (): number => 1_700_000_000_000,
      },
    },
  };
}
