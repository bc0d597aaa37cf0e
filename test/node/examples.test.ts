// The examples run as a reader would run them, with less to do.
import { describe, expect, test, vi } from 'vitest';
import { hasPlugins, startEditor } from '../support/editor.ts';
import { ROOT, run } from '../support/temporary.ts';

// Compiling takes its time on a machine that does something else.
vi.setConfig({ testTimeout: 120_000 });

test('01-concurrent-sort: compiles, instruments, serves and sorts; every result is what it was alone', async () => {
  const args = ['build/examples/01-concurrent-sort/main.js', '--fibers', '30', '--alone', '2'];
  const { code, stdout, stderr } = await run(process.execPath, args, ROOT);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^ +job 0 [#-]{20,}$/m);
  expect(stdout).toMatch(/at once +30 jobs in \d+\.\d\d s, \d+ times as fast/);
  expect(stdout).toMatch(/suspensions +[1-9]\d{2,}, \d+ in each fiber; up to 30 at once/);
  expect(stdout).toMatch(/suspended fiber +holds [1-9]\d* bytes of stack/);
  expect(stdout).toContain('6 of 6 are what the same job gave when it ran alone');
  expect(stdout).toMatch(/^The last of job 0, .*: \/host\/\S+\.ts \d+$/m);
});

test('01-concurrent-sort: an argument that makes no sense is named', async () => {
  const args = ['build/examples/01-concurrent-sort/main.js', '--fibers', '0.5'];
  const { code, stderr } = await run(process.execPath, args, ROOT);
  expect({ code, stderr }).toEqual({ code: 2, stderr: "--fibers takes a whole number above zero, not '0.5'\n" });
});

/** Runs an example that examples/build.mjs has built. */
async function example(name: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(process.execPath, ['examples/run.mjs', name, ...args], ROOT);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  // Escape sequences are for terminals.
  expect(stdout).not.toContain('\u001B');
  return stdout;
}

const numbers = (text: string, pattern: RegExp): number[] => [...text.matchAll(pattern)].map(([, n]) => Number(n));

test('02-crawler: every page of every site is found once, no site is asked for too much, dead links are named', async () => {
  const args = ['--sites', '2', '--pages', '6', '--workers', '5', '--per-site', '2'];
  const output = await example('02', ...args);
  // Six pages of each site, and the dead link of the fifth.
  expect(output).toMatch(/1 worker +14 pages in /);
  expect(output).toMatch(/5 workers +14 pages in .*, \d+\.\d times as fast/);
  const rows = [...output.matchAll(/^ +http:\S+ +(Bridges|Lighthouses) +(\d+) +(\d+) +(\d+)$/gm)];
  expect(rows.map(([, title, pages, links]) => [title, pages, links])).toEqual([
    ['Bridges', '6', '14'],
    ['Lighthouses', '6', '14'],
  ]);
  for (const [, , , , atOnce] of rows) expect(Number(atOnce)).toBeLessThanOrEqual(2);
  expect(output).toContain('  2 dead links\n');
  expect(output.match(/\/entry-40000: 404 Not Found, linked from \/entry-4$/gm)).toHaveLength(2);
});

test('03-channel: the channel never holds more than it may; who is faster waits', async () => {
  const output = await example('03', '--items', '10', '--capacity', '3', '--consumers', '2');
  const [first = '', second = ''] = output.split('Too fast consumers');
  expect(first).toContain('at most 3 of 3 on the way');
  expect(first).toMatch(/^ +producer +#+!+#/m);
  expect(first).toMatch(/^ +on the way [0-3]+$/m);
  expect(second).toMatch(/^ +consumer 2 +\.+#/m);
  for (const shares of output.matchAll(/10 items, (\d+) \+ (\d+);/g)) {
    expect(Number(shares[1]) + Number(shares[2])).toBe(10);
  }
});

test("04-json-callbacks: references are resolved by the parser's callbacks, in many documents at once", async () => {
  const output = await example('04', '--orders', '4', '--latency', '3');
  const documents = [...output.matchAll(/^ {2}\{\n[^]*?^ {2}\}$/gm)].map(([text]) => JSON.parse(text) as unknown);
  expect(documents[0]).toMatchObject({ customer: 'ref:customers/2', shipping: { cents: 490 } });
  expect(documents[1]).toEqual({
    order: 1001,
    customer: { name: 'Karl Müller', address: { street: 'Bahnhofstraße 1', country: 'Switzerland' } },
    items: [
      { amount: 1, article: { title: 'Difference engine, used', cents: 122_106 } },
      { amount: 3, article: { title: 'Lamp "Edison"', cents: 3751 } },
    ],
    shipping: { express: false, cents: 461 },
  });
  expect(output).toMatch(/one after another +4 orders in .*, 1 question at a time/);
  expect(output).toMatch(/at once +4 orders in .*, up to 4 of \d+ questions at a time/);
  expect(output).toMatch(/results +4 of 4 are the same/);
  expect(output).toContain('Error: there is nothing of the name customers/99');
});

test('05-nested-await: what waits for less ends first, which a nested event loop cannot do', async () => {
  const output = await example('05', '--a', '20', '--b', '300', '--many', '1000');
  expect(output).toMatch(/^42$/m);
  const [nestedA = 0, nestedB = 0, a = 0, b = 0] = numbers(output, /ended at (\d+) ms/g);
  expect(nestedA).toBeGreaterThanOrEqual(nestedB);
  expect(a).toBeLessThan(b);
  expect(output).toMatch(/a nested event loop +\d+, then RangeError: Maximum call stack size exceeded/);
  expect(output).toMatch(/wasm-fibers +1000, all done/);
});

describe.skipIf(!hasPlugins)('06-plugins (it needs clang)', () => {
  test('each plugin does its work on the server, waits where it likes, and a runaway ends while requests are answered', async () => {
    const output = await example('06', '--demo', '--latency', '5');
    expect(output).toContain('words, wrap, lua are loaded');
    expect(output).toContain(
      '  | A *plugin* is loaded from a manifest. Its calls are *fibers*: each *fiber* may wait\n',
    );
    expect(output).toContain('each fiber (a call with a stack of its own) may wait');
    expect(output).toMatch(/^ {2}\| a {2}\*plugin\* {2}is {2}loaded from a manifest\. its calls are \*fibers\*:$/m);
    expect(output.match(/^ {2}\| Unknown: fibers$/gm)).toHaveLength(2);
    expect(output).toContain('lua prints: 2 lines are sorted');
    expect(output).toContain("  | script:3: attempt to index a nil value (local 'words')");
    expect(output).toContain('  | TIMEOUT: The plugin "lua" 5.4.4: run did not end within 400 ms.');
    expect(numbers(output, /(\d+) requests were answered while it ran/g)[0]).toBeGreaterThan(0);
    expect(output).toMatch(/^ {2}lua +5 +2 +8 +\d+ +1 +\d+ KiB$/m);
  });

  test('the server calls plugins for whoever asks; what they may not do ends their call and nothing else', async () => {
    const editor = await startEditor('--latency', '5');
    const post = async (path: string, body: string, signal: AbortSignal | null = null): Promise<unknown> => {
      const response = await fetch(`${editor.url}plugins/${path}`, { method: 'POST', body, signal });
      return { status: response.status, ...((await response.json()) as object) };
    };
    const running = async (): Promise<unknown> => {
      const rows = (await (await fetch(`${editor.url}plugins`)).json()) as { name: string; running: number }[];
      return rows.find(({ name }) => name === 'lua')?.running;
    };
    expect(await post('words/statistics', 'a fiber')).toMatchObject({
      status: 200,
      text: '2 words, 2 of them different, in 7 characters.\nThe longest: fiber, a call with a stack of its own.\n',
    });
    expect(await post('lua/run', 'return text:upper()\0some text')).toEqual({ status: 200, text: 'SOME TEXT' });
    expect(await post('lua/run?script=sort-lines', 'b\nC\na\n')).toEqual({ status: 200, text: 'a\nb\nC\n' });
    expect(await post('lua/run', 'error("no")')).toEqual({ status: 422, code: null, message: 'script:1: no' });
    const mistakes = ['nothing/run', 'lua/luaopen_base', 'lua/run?script=../main'].map((path) => post(path, ''));
    expect(await Promise.all(mistakes)).toEqual(mistakes.map(() => expect.objectContaining({ status: 404 })));
    expect(await post('wrap/wrap', 'x'.repeat(2 ** 20 + 1))).toMatchObject({ status: 413 });
    // Many columns, words that do not fit, and characters of more than one byte.
    const justified = (await post('wrap/justify', `${'é '.repeat(500)}${'long'.repeat(30)} end`)) as { text: string };
    const lines = justified.text.trimEnd().split('\n');
    expect(lines.slice(0, 15).map((line) => line.length)).toEqual(Array.from({ length: 15 }, () => 64));
    expect(lines.slice(-2)).toEqual(['long'.repeat(30), 'end']);

    const runaway = post('lua/run?script=runaway&timeout=300', '');
    expect(await post('lua/run', 'return "meanwhile"')).toEqual({ status: 200, text: 'meanwhile' });
    expect(await running()).toBe(1);
    expect(await runaway).toMatchObject({ status: 504, code: 'TIMEOUT' });

    // Ended while it waits, or between two waits; what it leaves behind is in nobody's way.
    const asking = 'while true do pcall(lookup, "fiber") end';
    expect(await post('lua/run?timeout=200', asking)).toMatchObject({ status: 504, code: 'TIMEOUT' });
    expect(await post('lua/run?timeout=5000', asking)).toMatchObject({ status: 422, code: 'LIMIT_REACHED' });
    expect(await post('lua/run', 'return lookup("fuel")')).toMatchObject({ status: 200 });

    const leaving = new AbortController();
    const left = post('lua/run?script=runaway', '', leaving.signal);
    await vi.waitUntil(async () => (await running()) === 1);
    leaving.abort();
    await expect(left).rejects.toThrow(/abort/);
    await vi.waitUntil(async () => (await running()) === 0);
    const { port } = new URL(editor.url);
    const { code, stderr } = await run(process.execPath, ['examples/run.mjs', '06', '--port', port], ROOT);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/cannot be started: EADDRINUSE/) });
    expect(await editor.stop()).toBe(0);
    expect(editor.output).toContain('lua prints: 3 lines are sorted');
  });
});

test.each([
  ['02', '--workers', '0'],
  ['03', '--capacity', '1.5'],
  ['04', '--orders', 'all'],
  ['05', '--many', ''],
  ['06', '--port', 'any'],
])('%s: an argument that makes no sense is named', async (name, option, value) => {
  const { code, stdout, stderr } = await run(process.execPath, ['examples/run.mjs', name, option, value], ROOT);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(`${option} takes a whole number above zero, not '${value}'\nOptions: --`);
});

test('an option that there is not is named, with those that there are', async () => {
  const { code, stderr } = await run(process.execPath, ['examples/run.mjs', '03', '--speed', '2'], ROOT);
  expect(code).toBe(2);
  expect(stderr).toContain("'--speed'");
  expect(stderr).toContain('Options: --items NUMBER, --capacity NUMBER, --consumers NUMBER\n');
});

test('without a number, or with a wrong one, the examples are listed', async () => {
  const listed = await run(process.execPath, ['examples/run.mjs'], ROOT);
  expect(listed.code).toBe(0);
  expect(listed.stdout.match(/^ {2}\d\d-\S+$/gm)).toHaveLength(6);
  expect(listed.stdout).toContain('    A synchronous parser from npm, unchanged, whose callbacks wait:');
  const wrong = await run(process.execPath, ['examples/run.mjs', '77'], ROOT);
  expect({ code: wrong.code, stdout: wrong.stdout }).toEqual({ code: 2, stdout: '' });
  expect(wrong.stderr).toBe(`There is no example 77.\n${listed.stdout}`);
});
