// Host of the SQLite guest: connections as a program would have them, over files whose every access waits.
import { type Guest, instantiate } from 'wasm-fibers';
import { watch } from './core.ts';
import { guestSource } from './guest.ts';
import { type Later, type SqliteFiles, sqliteFiles } from './sqlite-files.ts';

export interface SqliteExports {
  _initialize(): void;
  db_open(name: number): number;
  db_close(db: number): number;
  db_exec(db: number, sql: number): number;
  db_error(db: number): number;
  db_query(db: number, sql: number): number;
  db_free_text(text: number): void;
  malloc(size: number): number;
  free(pointer: number): void;
}

/** One connection, used by one caller at a time, as SQLite without mutexes demands. */
export interface Connection {
  /** Runs statements; rejects with SQLite's own words. */
  exec(sql: string): Promise<void>;
  /** The rows of a query, columns between bars. */
  query(sql: string): Promise<string[]>;
  close(): Promise<void>;
}

export interface Sqlite {
  readonly guest: Guest<SqliteExports>;
  readonly files: SqliteFiles;
  open(name: string): Promise<Connection>;
}

/** @param later ends each access some time later with what the callback then gives */
export async function sqlite(later: Later): Promise<Sqlite> {
  const files = sqliteFiles(() => guest.memory, later);
  const guest: Guest<SqliteExports> = watch(await instantiate<SqliteExports>(guestSource('sqlite'), files.imports));
  await guest.exports._initialize();

  const read = (at: number): string => {
    const bytes = new Uint8Array(guest.memory.buffer);
    return new TextDecoder().decode(bytes.slice(at, bytes.indexOf(0, at)));
  };
  const withText = async <R>(text: string, use: (at: number) => Promise<R>): Promise<R> => {
    const bytes = new TextEncoder().encode(`${text}\0`);
    const at = guest.sync.malloc(bytes.length);
    new Uint8Array(guest.memory.buffer).set(bytes, at);
    try {
      return await use(at);
    } finally {
      guest.sync.free(at);
    }
  };
  const connection = (db: number): Connection => ({
    async exec(sql) {
      const status = await withText(sql, (at) => guest.exports.db_exec(db, at));
      if (status !== 0) throw new Error(`${status}: ${read(guest.sync.db_error(db))}: ${sql}`);
    },
    async query(sql) {
      const text = await withText(sql, (at) => guest.exports.db_query(db, at));
      if (text === 0) throw new Error(`${read(guest.sync.db_error(db))}: ${sql}`);
      const rows = read(text).split('\n').slice(0, -1);
      guest.sync.db_free_text(text);
      return rows;
    },
    async close() {
      const status = await guest.exports.db_close(db);
      if (status !== 0) throw new Error(`the connection does not close: ${status}`);
    },
  });
  return {
    guest,
    files,
    async open(name) {
      const db = await withText(name, (at) => guest.exports.db_open(at));
      if (db === 0) throw new Error(`${name} could not be opened`);
      return connection(db);
    },
  };
}
