/**
 * SQLite 3, built as for the tests, with a database in memory; what waits is a function of SQL, `pause()`. It is called for
 * every so many rows, in the middle of the one loop that does all of a statement's work.
 */
import { buildGuest } from './sources.ts';
import type { Program, Workload } from './program.ts';

interface Exports {
  _initialize(): void;
  db_open(name: number): number;
  db_add_pause(db: number): number;
  db_exec(db: number, sql: number): number;
  db_error(db: number): number;
  db_query(db: number, sql: number): number;
  db_free_text(text: number): void;
  malloc(size: number): number;
  free(at: number): void;
}

interface Query extends Workload {
  /** Statements whose rows are the result. */
  readonly sql: string;
}

const ROWS = 50_000;

/** True, and waits once for so many values of a column. */
const now = (column: string, every: number): string => `(${column} % ${every} OR pause())`;

const QUERIES: readonly Query[] = [
  {
    name: 'insert',
    label: 'inserts in a transaction, with an index',
    sql: `BEGIN;
      INSERT INTO copy SELECT id, a, b, word FROM t WHERE id < 15000 AND ${now('id', 500)};
      SELECT count(*), sum(a), min(word) FROM copy;
      ROLLBACK;`,
  },
  {
    name: 'group',
    label: '`GROUP BY` over 50,000 rows',
    sql: `SELECT a, count(*), sum(b), max(word) FROM t WHERE ${now('id', 1500)} GROUP BY a ORDER BY 3 DESC LIMIT 5`,
  },
  {
    name: 'order',
    label: '`ORDER BY` over 50,000 rows',
    sql: `SELECT id, word FROM t WHERE ${now('id', 1500)} ORDER BY b, word LIMIT 5 OFFSET 20000`,
  },
  {
    name: 'recursive',
    label: 'a recursive query',
    sql: `WITH RECURSIVE c(n, x) AS (
        SELECT 0, 1 UNION ALL SELECT n + 1, (x * 1103515245 + 12345) % 2147483648 FROM c WHERE n < 60000 AND ${now('n', 1000)}
      ) SELECT count(*), sum(x), max(x % 1000) FROM c`,
  },
  {
    name: 'text',
    label: 'functions of text',
    sql: `SELECT sum(length(replace(upper(word), 'A', 'bb'))), sum(instr(word, 'e5')), count(DISTINCT substr(word, 2, 3))
      FROM t WHERE id < 50000 AND ${now('id', 700)} AND word LIKE '%1%'`,
  },
  {
    name: 'join',
    label: 'a join through an index',
    sql: `SELECT count(*), sum(other.b) FROM t JOIN t AS other ON other.id = (t.b * 7919) % ${ROWS}
      WHERE t.id < 40000 AND ${now('t.id', 1000)} AND other.a <> t.a`,
  },
];

const SETUP = `
  CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, word TEXT);
  CREATE TABLE copy (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, word TEXT);
  CREATE INDEX copy_word ON copy (word);
  WITH RECURSIVE c(n, x) AS (SELECT 0, 42 UNION ALL SELECT n + 1, (x * 1103515245 + 12345) % 2147483648 FROM c
    WHERE n < ${ROWS - 1})
  INSERT INTO t SELECT n, x % 97, x >> 8, 'w' || hex(x) || 'e' || (x % 13) FROM c;`;

export const program: Program = {
  name: 'sqlite',
  title: 'SQLite 3',
  suspending: ['env.vfs_*', 'env.pause'],
  allocate: 'malloc',
  workloads: QUERIES,
  provide: () => buildGuest('bench-sqlite'),
  async open(link, pause) {
    const none = (): number => -1;
    const { exports, sync, memory } = await link.instantiate<Exports>({
      env: {
        pause: () => pause(1),
        now: () => 0,
        random: (at: number, length: number) => void new Uint8Array(memory.buffer, at, length).fill(42),
        vfs_open: none,
        vfs_delete: none,
        vfs_exists: none,
        vfs_sleep: none,
        vfs_close: none,
        vfs_read: none,
        vfs_write: none,
        vfs_truncate: none,
        vfs_sync: none,
        vfs_size: () => 0n,
        vfs_lock: none,
        vfs_unlock: none,
        reserved: none,
      },
    });
    await exports._initialize();
    const read = (at: number): string => {
      const bytes = new Uint8Array(memory.buffer);
      return new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at)));
    };
    const withText = async <R>(text: string, use: (at: number) => Promise<R>): Promise<R> => {
      const bytes = new TextEncoder().encode(`${text}\0`);
      const at = sync.malloc(bytes.length);
      new Uint8Array(memory.buffer).set(bytes, at);
      const result = await use(at);
      sync.free(at);
      return result;
    };
    const db = await withText(':memory:', (at) => exports.db_open(at));
    const query = async (sql: string): Promise<string> => {
      const text = await withText(sql, (at) => exports.db_query(db, at));
      if (text === 0) throw new Error(`SQLite: ${read(sync.db_error(db))}: ${sql}`);
      const rows = read(text);
      sync.db_free_text(text);
      return rows;
    };
    sync.db_add_pause(db);
    await query(SETUP);
    const texts = new Map(QUERIES.map(({ name, sql }) => [name, sql]));
    return (workload) => query(texts.get(workload) ?? '');
  },
};
