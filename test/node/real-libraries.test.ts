// Libraries that know nothing of waiting, with many calls in flight at once in one instance: libc's qsort, SQLite and
// Lua, compiled from C as they are.
import { describe, expect, test } from 'vitest';
import { type Guest, instantiate } from 'wasm-fibers';
import { code, failure, turn, watch } from '../support/core.ts';
import { guestSource, hasGuest } from '../support/guest.ts';
import { lua } from '../support/lua.ts';
import { Scatter } from '../support/scatter.ts';
import { sqlite } from '../support/sqlite.ts';

const [hasQsort, hasLua, hasSqlite] = await Promise.all(['qsort', 'lua', 'sqlite'].map((name) => hasGuest(name)));

/** Runs `use` and sees that it leaves the guest's stack pointer where it was. */
async function keepingStack<E, R>(guest: Guest<E>, use: () => Promise<R>): Promise<R> {
  const pointer = guest.instance.exports['wasm-fibers.get_stack'] as () => number;
  const before = pointer();
  const result = await use();
  expect(guest.fibers).toEqual([]);
  expect(pointer()).toBe(before);
  return result;
}

describe.skipIf(!hasQsort)('qsort with a comparator that waits', () => {
  interface Sorts {
    sort_heap(n: number, seed: number): number;
    sort_stack(n: number, seed: number): number;
    sort_at(numbers: number, n: number): void;
    malloc(size: number): number;
    free(pointer: number): void;
  }
  const sorts = async (scatter: Scatter): Promise<Guest<Sorts>> =>
    watch(
      await instantiate<Sorts>(guestSource('qsort'), {
        env: { compare: (a: number, b: number) => (scatter.random(3) === 0 ? a - b : scatter.later(() => a - b)) },
      }),
    );

  test('hundreds of sorts at once, on the heap and on the stack', async () => {
    const scatter = new Scatter(1);
    const guest = await sorts(scatter);
    await keepingStack(guest, async () => {
      const runs = Array.from({ length: 150 }, (_, i) => [
        guest.exports.sort_heap(40, i),
        guest.exports.sort_stack(40, i),
      ]);
      expect(await Promise.all(runs.flat())).toEqual(runs.flatMap(() => [1, 1]));
    });
    expect(scatter.waits).toBeGreaterThan(300 * 100);
    expect(scatter.most).toBe(300);
  });

  test('a comparison that fails ends its own sort and no other', async () => {
    const scatter = new Scatter(2);
    const guest = await sorts(scatter);
    const error = new Error('these two cannot be compared');
    const compare = scatter.later.bind(scatter);
    let comparisons = 0;
    scatter.later = (settle) =>
      compare(() => {
        if (++comparisons === 1000) throw error;
        return settle();
      });
    const outcomes = await keepingStack(guest, () =>
      Promise.allSettled(Array.from({ length: 40 }, (_, i) => guest.exports.sort_stack(30, i))),
    );
    expect(outcomes.filter((each) => each.status === 'rejected')).toEqual([{ status: 'rejected', reason: error }]);
    expect(outcomes.filter((each) => each.status === 'fulfilled' && each.value === 1)).toHaveLength(39);
  });

  test('numbers of the host, each array where it is', async () => {
    const scatter = new Scatter(3);
    const guest = await sorts(scatter);
    const arrays = Array.from({ length: 30 }, () => Array.from({ length: 25 }, () => scatter.random(100)));
    const sorted = await Promise.all(
      arrays.map(async (numbers) => {
        const at = guest.sync.malloc(4 * numbers.length);
        new Int32Array(guest.memory.buffer, at, numbers.length).set(numbers);
        await guest.exports.sort_at(at, numbers.length);
        const result = [...new Int32Array(guest.memory.buffer, at, numbers.length)];
        guest.sync.free(at);
        return result;
      }),
    );
    expect(sorted).toEqual(arrays.map((numbers) => numbers.toSorted((a, b) => a - b)));
  });
});

describe.skipIf(!hasSqlite)('SQLite over files whose every access waits', () => {
  test('many databases at once, each with its own statements in flight', async () => {
    const scatter = new Scatter(4);
    const { guest, files, open } = await sqlite((settle) => scatter.later(settle));
    await keepingStack(guest, async () => {
      const job = async (i: number): Promise<string[]> => {
        const db = await open(`database ${i}`);
        await db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT, n INTEGER); CREATE INDEX byWord ON t (word)');
        await db.exec(
          `WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 300)
           INSERT INTO t SELECT x, 'word ' || (x * ${i + 7} % 101), x * ${i} FROM c`,
        );
        await db.exec('BEGIN; DELETE FROM t WHERE id % 3 = 0; ROLLBACK');
        await db.exec(`DELETE FROM t WHERE id > 200`);
        const rows = await db.query(
          'SELECT count(*), sum(n), count(DISTINCT word), max(length(word)) FROM t UNION ALL SELECT 0, 0, 0, 0',
        );
        expect(await db.query('PRAGMA integrity_check')).toEqual(['ok']);
        await db.close();
        return rows;
      };
      const results = await Promise.all(Array.from({ length: 25 }, (_, i) => job(i)));
      expect(results).toEqual(
        results.map((_, i) => {
          const words = new Set(Array.from({ length: 200 }, (_each, x) => ((x + 1) * (i + 7)) % 101));
          const longest = Math.max(...[...words].map((word) => `word ${word}`.length));
          return [`200|${(200 * 201 * i) / 2}|${words.size}|${longest}`, '0|0|0|0'];
        }),
      );
    });
    expect(files.open).toBe(0);
    expect(scatter.most).toBe(25);
  });

  test('many connections to one database: transactions do not see each other half done', async () => {
    const scatter = new Scatter(5);
    const { guest, files, open } = await sqlite((settle) => scatter.later(settle));
    await keepingStack(guest, async () => {
      const first = await open('bank');
      await first.exec('CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER)');
      await first.exec('INSERT INTO account VALUES (0, 100), (1, 100), (2, 100), (3, 100)');
      const transfer = async (i: number): Promise<void> => {
        const db = await open('bank');
        for (let n = 0; n < 4; n++) {
          await db.exec('BEGIN IMMEDIATE');
          await db.exec(`UPDATE account SET amount = amount - ${n + 1} WHERE id = ${i % 4}`);
          await db.exec(`UPDATE account SET amount = amount + ${n + 1} WHERE id = ${(i + 1) % 4}`);
          await db.exec(n === 3 ? 'ROLLBACK' : 'COMMIT');
        }
        await db.close();
      };
      const audit = async (): Promise<string[]> => {
        const db = await open('bank');
        const seen: string[] = [];
        for (let n = 0; n < 6; n++) seen.push(...(await db.query('SELECT sum(amount) FROM account')));
        await db.close();
        return seen;
      };
      const audits = Array.from({ length: 4 }, audit);
      await Promise.all(Array.from({ length: 8 }, (_, i) => transfer(i)));
      expect(new Set((await Promise.all(audits)).flat())).toEqual(new Set(['400']));
      expect(await first.query('SELECT group_concat(amount) FROM account')).toEqual(['100,100,100,100']);
      expect(await first.query('PRAGMA integrity_check')).toEqual(['ok']);
      await first.close();
    });
    expect(files.open).toBe(0);
    expect(files.refusals).toBeGreaterThan(0);
  });

  test('a statement that is wrong says so while others are at work', async () => {
    const scatter = new Scatter(6);
    const { guest, open } = await sqlite((settle) => scatter.later(settle));
    await keepingStack(guest, async () => {
      const good = await open('good');
      const bad = await open('bad');
      const [created, failed] = await Promise.allSettled([
        good.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)'),
        bad.exec('SELECT x FROM nowhere'),
      ]);
      expect(created.status).toBe('fulfilled');
      expect(String((failed as PromiseRejectedResult).reason)).toContain('no such table: nowhere');
      await Promise.all([good.close(), bad.close()]);
    });
  });
});

describe.skipIf(!hasLua)('Lua with an http_get that waits', () => {
  const bodies = (scatter: Scatter) => (url: string) =>
    scatter.later(() => {
      if (url.includes('missing')) throw new Error('404');
      return `<${url}>`.repeat(1 + (url.length % 3));
    });

  test('inside comparators, string building, coroutines and protected calls; many states at once', async () => {
    const scatter = new Scatter(7);
    const { guest, run, text } = await lua(bodies(scatter));
    const program = (i: number): string => `
      local urls = {}
      for n = 1, 8 do urls[n] = 'page' .. (n * 7 + ${i}) % 10 end
      table.sort(urls, function(a, b) return #http_get(a) + a:byte(5) / 256 < #http_get(b) + b:byte(5) / 256 end)
      local ok, message = pcall(function() return 'a' .. http_get('missing') .. 'b' end)
      local nested = { pcall(function()
        local _, inner = pcall(http_get, 'missing too')
        error({ inner = inner, got = http_get('x') })
      end) }
      local pages = coroutine.wrap(function() for n = 1, 3 do coroutine.yield(http_get('c' .. n)) end end)
      local replaced = ('1-2-3'):gsub('%d', function(digit) return #http_get(digit) end)
      return table.concat({ table.concat(urls, ','), tostring(ok), message, nested[2].inner, nested[2].got,
        pages() .. pages() .. pages(), replaced }, ';')`;
    await keepingStack(guest, async () => {
      const job = async (i: number): Promise<string> => {
        const state = await guest.exports.lua_new();
        const { status, result } = await run(state, program(i));
        expect(status).toBe(0);
        await guest.exports.lua_free(state);
        return result;
      };
      const results = await Promise.all(Array.from({ length: 60 }, (_, i) => job(i)));
      const expected = (i: number): string => {
        const urls = Array.from({ length: 8 }, (_, n) => `page${((n + 1) * 7 + i) % 10}`);
        const rest =
          'false;chunk:5: no answer from missing;no answer from missing too;<x><x>;<c1><c1><c1><c2><c2><c2><c3><c3><c3>';
        return `${urls.toSorted().join(',')};${rest};6-6-6`;
      };
      expect(results).toEqual(results.map((_, i) => expected(i)));
    });
    expect(text).toBe('');
    expect(scatter.most).toBeGreaterThan(50);
  });

  test('many threads of one state share its globals, and its collector', async () => {
    const scatter = new Scatter(8);
    const { guest, run } = await lua(bodies(scatter));
    const main = await guest.exports.lua_new();
    await keepingStack(guest, async () => {
      expect(await run(main, 'seen = {}; count = 0')).toMatchObject({ status: 0 });
      const job = async (i: number): Promise<string> => {
        const thread = await guest.exports.lua_thread(main);
        const { status, result } = await run(
          thread,
          `local mine = {}
           for n = 1, 5 do
             mine[n] = http_get('p' .. n) .. ${i}
             collectgarbage('step', 100)
             seen[#seen + 1] = mine[n]
           end
           count = count + 1
           return table.concat(mine)`,
        );
        expect(status).toBe(0);
        return result;
      };
      const results = await Promise.all(Array.from({ length: 80 }, (_, i) => job(i)));
      const page = (n: number): string => `<p${n}>`.repeat(3);
      expect(results).toEqual(results.map((_, i) => [1, 2, 3, 4, 5].map((n) => page(n) + i).join('')));
      expect(await run(main, 'return count .. "," .. #seen')).toEqual({ status: 0, result: '80,400' });
    });
  });

  test('errors that nobody catches are the status of the run; print goes to standard output', async () => {
    const lua54 = await lua(bodies(new Scatter(9)));
    const { guest, run } = lua54;
    const state = await guest.exports.lua_new();
    await keepingStack(guest, async () => {
      expect(await run(state, 'return http_get(')).toMatchObject({ status: 3 });
      expect(await run(state, 'print(http_get("x")); local t = nil; return t.x')).toEqual({
        status: 2,
        result: "chunk:1: attempt to index a nil value (local 't')",
      });
      expect(await run(state, 'return http_get("missing")')).toEqual({
        status: 2,
        result: 'chunk:1: no answer from missing',
      });
      expect(await run(state, 'return 1 + 1')).toEqual({ status: 0, result: '2' });
    });
    expect(lua54.text).toBe('<x><x>\n');
  });

  test('a cancelled run passes through every protected call; other states go on', async () => {
    const { guest, run } = await lua((url) => turn().then(() => url));
    const [lost, kept] = [await guest.exports.lua_new(), await guest.exports.lua_new()];
    const running = run(lost, 'while true do pcall(http_get, "x") end');
    await turn();
    expect(guest.fibers).toHaveLength(1);
    guest.fibers[0]?.cancel('enough');
    expect(await code(running)).toBe('CANCELLED');
    expect(await run(kept, 'return http_get("y")')).toEqual({ status: 0, result: 'y' });
    expect(await failure(running)).toMatchObject({ cause: 'enough' });
  });
});
