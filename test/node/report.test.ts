/** What instrumentation costs a module: the numbers, the command, and the page, in a real browser. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type Page, chromium } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { squarify } from '../../host/cli/page/squarify.ts';
import { functionName, readOutline } from '../../host/instrument/binary/module.ts';
import { groupNames, partsOf } from '../../host/instrument/groups.ts';
import { explain, instrument, report } from '../../host/instrument/index.ts';
import type { Group, Report } from '../../host/instrument/index.ts';
import { chromium as findChromium } from '../docs/workshop.ts';
import { hasGuest, loadPlain } from '../support/guest.ts';
import { usePage } from '../support/page-watch.ts';
import { assemble } from './instrument-driver.ts';

const LOCALS = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

/** So much is alive in the loop of `busy` that it gets a second body; `quick` gets none, and `nothing` needs none. */
const LOOPS = `(module
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (memory (export "memory") 1)
  (func $quick (param i32) (result i32) (i32.add (call $wait (local.get 0)) (i32.const 1)))
  (func $busy (export "busy") (param i32 i32) (result i32) (local ${'i32 '.repeat(10)})
    (loop $again
      ${LOCALS.map((at) => `(local.set ${at} (i32.add (local.get ${at}) (i32.mul (local.get 0) (i32.const ${at}))))`).join(' ')}
      (local.set 2 (call $quick (local.get 3)))
      (local.set 4 (call $busy (local.get 5) (local.get 6)))
      (local.set 7 (call $quick (local.get 8)))
      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    ${LOCALS.reduce((sum, at) => `(i32.xor ${sum} (local.get ${at}))`, '(i32.const 0)')})
  (func $nothing (export "nothing") (result i32) (i32.const 7)))`;

/** Two imports that wait, one behind a table; a table that the host can write. */
const APP = assemble(`(module
  (type $one (func (param i32) (result i32)))
  (type $none (func))
  (import "env" "log" (func $log))
  (import "env" "read" (func $read (param i32) (result i32)))
  (import "env" "sleep" (func $sleep))
  (memory (export "memory") 1)
  (table $closed 2 funcref) (elem (table $closed) (i32.const 0) func $file_read)
  (table $open (export "hooks") 2 funcref)
  (func $file_read (type $one) (i32.add (call $read (local.get 0)) (i32.const 1)))
  (func $file_parse (param i32) (result i32) (call_indirect $closed (type $one) (local.get 0) (i32.const 0)))
  (func $file_open (param i32) (result i32) (i32.add (call $file_parse (local.get 0)) (call $file_parse (i32.const 2))))
  (func $task_wait (call $sleep))
  (func $task_both (export "both") (drop (call $file_open (i32.const 1))) (call $task_wait))
  (func $task_hook (export "hook") (call_indirect $open (type $none) (i32.const 0)))
  (func $"core::fmt::write" (export "pure") (call $log)))`);
const WAIT = { suspending: ['env.read', 'env.sleep'] } as const;

const byName = (it: Report): Map<string, Report['functions'][number]> =>
  new Map(it.functions.map((each) => [each.name, each]));

describe('the numbers', () => {
  test('are those of instrumenting', async () => {
    const it = report(APP, WAIT);
    const { functions } = await instrument(APP, { ...WAIT, optimizeLevel: 0 });
    expect([it.total.functions, it.instrumented.functions]).toEqual([functions.total, functions.instrumented]);
    expect(it.instrumented.functions).toBe(6);
    const code = it.functions.reduce((sum, each) => sum + each.bytes, 0);
    expect(it.total.bytes).toBe(code);
    expect(it.instrumented.bytes).toBe(
      it.functions.filter((each) => each.instrumented).reduce((sum, each) => sum + each.bytes, 0),
    );
    expect(it.size).toEqual({ module: APP.length, after: null });
  });

  test('what each import costs alone is what is saved without it', async () => {
    const it = report(APP, WAIT);
    for (const { name, alone, reached } of it.imports) {
      const suspending = WAIT.suspending.filter((each) => each !== name);
      const without = await instrument(APP, { suspending, optimizeLevel: 0 });
      expect([name, it.instrumented.functions - without.functions.instrumented]).toEqual([name, alone.functions]);
      expect(reached.functions).toBeGreaterThanOrEqual(alone.functions);
    }
    expect(it.imports.map((each) => [each.name, each.reached.functions, each.alone.functions])).toEqual([
      ['env.read', 4, 3],
      ['env.sleep', 2, 1],
    ]);
  });

  test('so is what indirect calls and open tables cost', async () => {
    const it = report(APP, WAIT);
    const count = async (more: object): Promise<number> =>
      it.instrumented.functions -
      (await instrument(APP, { ...WAIT, ...more, optimizeLevel: 0 })).functions.instrumented;
    expect(it.indirect.functions).toBe(await count({ ignoreIndirect: true }));
    expect(it.openTables.functions).toBe(await count({ closedTables: true }));
    expect([it.indirect.functions, it.openTables.functions]).toEqual([3, 1]);
    expect(it.indirectCalls).toMatchObject([
      { type: '(i32) -> i32', table: 0, callers: 1, targets: 1, waiting: 1, alone: { functions: 2 } },
      { type: '() -> ()', table: 1, callers: 1, targets: 0, waiting: 0, alone: { functions: 1 } },
    ]);
  });

  test('say of each function why, and lead to the import', () => {
    const it = report(APP, { ...WAIT, remove: ['task_wait'] });
    const states = Object.fromEntries(it.functions.map((each) => [each.name, each.state]));
    expect(states).toEqual({
      file_read: 'direct',
      file_parse: 'indirect',
      file_open: 'indirect',
      task_wait: 'left out',
      task_both: 'indirect',
      task_hook: 'open table',
      'core::fmt::write': 'free',
    });
    const functions = new Map(it.functions.map((each) => [each.index, each]));
    for (const each of it.functions.filter((one) => one.instrumented && one.state !== 'open table')) {
      let at: number | null = each.index;
      for (let steps = 0; at !== null && functions.has(at) && steps < 9; steps++) at = functions.get(at)?.next ?? null;
      expect([each.name, at]).toEqual([each.name, 1]);
    }
    expect(byName(it).get('task_hook')).toMatchObject({ next: null, how: 'calls through table 1 as () -> ()' });
    expect(byName(it).get('core::fmt::write')).toMatchObject({ next: null, how: '' });
  });

  test('show how functions have grown, if the instrumented module is given', async () => {
    const { wasm } = await instrument(APP, { ...WAIT, optimizeLevel: 0 });
    const it = report(APP, { ...WAIT, instrumented: wasm });
    expect(it.size).toEqual({ module: APP.length, after: wasm.length });
    for (const { instrumented, bytes, after } of it.functions) {
      if (instrumented) expect(after).toBeGreaterThan(2 * bytes);
      else expect(after).toBe(bytes);
    }
    expect(() => report(APP, { ...WAIT, instrumented: APP })).toThrow(/"instrumented" must be the same module after/);
  });

  test('of an instrumented module are those of what is in it', async () => {
    const { wasm } = await instrument(APP, WAIT);
    const it = report(wasm);
    expect(it.rewritten).toBe(true);
    expect(it.instrumented.functions).toBe(6);
    expect(it.total.functions).toBe(7);
    expect(it.functions.filter((each) => each.state === 'added').length).toBeGreaterThan(5);
    expect(() => report(wasm, WAIT)).toThrow(/says itself how it was made/);
  });

  const codeOf = (bytes: Uint8Array): number =>
    readOutline(bytes).bodies.reduce((sum, { start, end }) => sum + end - start, 0);

  test('count the bodies that a function was given to the function, and every byte of code once', async () => {
    const { wasm } = await instrument(assemble(LOOPS), { suspending: ['*'] });
    const outline = readOutline(wasm);
    const bodies = new Map(
      outline.bodies.map(({ start, end }, offset) => [
        functionName(outline, outline.importedFunctions + offset),
        end - start,
      ]),
    );
    const [own = 0, resumed = 0] = [bodies.get('busy'), bodies.get('wasm-fibers.resumed:busy')];
    expect(resumed).toBeGreaterThan(100);
    const it = report(wasm);
    const busy = byName(it).get('busy')?.bytes ?? 0;
    expect(busy).toBeGreaterThan(own + resumed);
    // And with that by which the host enters it, which is short.
    expect(busy).toBeLessThan(own + resumed + 30);
    expect(it.functions.map((each) => each.name)).not.toContain('wasm-fibers.resumed:busy');
    expect(it.functions.some((each) => each.name.startsWith('wasm-fibers.part.'))).toBe(false);
    expect([it.total.functions, it.instrumented.functions]).toEqual([3, 2]);
    expect(it.total.bytes + it.added.bytes).toBe(codeOf(wasm));
    expect(it.indirectCalls).toEqual([]);
    expect(byName(it).get('busy')?.next).toBe(byName(it).get('quick')?.index);
    expect(explain(wasm, 'busy').path.map((call) => call.callee?.name)).toEqual(['quick', 'env.wait']);
    expect(explain(wasm, 'wasm-fibers.resumed:busy')).toMatchObject({
      state: 'added',
      because: 'wasm-fibers.resumed:busy comes from instrumentation itself, for busy.',
    });
    const before = report(assemble(LOOPS), { suspending: ['*'], instrumented: wasm });
    expect(byName(before).get('busy')?.after).toBe(busy);
    expect(before.added).toEqual({ functions: 0, bytes: 0 });
  });

  test.each([
    [0, 0, true],
    [1, 0, true],
    [2, 0, true],
    [4, 0, true],
    [2, 2, true],
    [1, 0, false],
    [3, 0, false],
  ] as const)(
    'are the same without names (-O%i, shrinking %i, fast path: %j)',
    async (optimizeLevel, shrinkLevel, fastPath) => {
      const options = { suspending: ['*'], optimizeLevel, shrinkLevel, fastPath };
      const [named, nameless] = await Promise.all(
        [true, false].map(async (names) => {
          const { wasm } = await instrument(assemble(LOOPS, names), options);
          const { total, instrumented, added } = report(wasm);
          expect(total.bytes + added.bytes).toBe(codeOf(wasm));
          return { total, instrumented, added };
        }),
      );
      expect(nameless).toEqual(named);
      expect([named?.total.functions, named?.instrumented.functions]).toEqual([3, 2]);
    },
  );

  test('a name like that of an added function is only a name in a module that is not instrumented', () => {
    const it = report(
      assemble(
        `(module (import "env" "wait" (func $wait)) (memory 1) (func $"wasm-fibers.resumed:f" (call $wait)) (func $"asyncify_mine"))`,
      ),
      { suspending: ['*'] },
    );
    expect(it.functions.map((each) => each.state)).toEqual(['direct', 'free']);
    expect([it.total.functions, it.added.functions]).toEqual([2, 0]);
  });

  test('of a module for jspi are those that may wait', () => {
    const it = report(APP, { ...WAIT, target: 'jspi' });
    expect([it.target, it.instrumented.functions]).toEqual(['jspi', 6]);
  });

  test('what is wrong is refused', () => {
    expect(() => report(APP)).toThrow(/No suspending imports/);
    expect(() => report(APP, { suspendig: ['x'] } as never)).toThrow(
      /no option of report\(\): did you mean "suspending"/,
    );
    expect(() => report(APP, { suspending: ['env.nothing'] })).toThrow(/env\.nothing/);
    expect(() => report(APP.subarray(0, APP.length - 60), WAIT)).toThrow(/truncated|ends|malformed|beyond/i);
    expect(() => report(new TextEncoder().encode('(module)'), WAIT)).toThrow(
      expect.objectContaining({ code: 'NOT_WASM' }),
    );
    expect(() => report(assemble('(module (func $alone))'), { suspending: ['*'] })).toThrow(
      expect.objectContaining({ code: 'NO_SUSPENDING_IMPORTS' }),
    );
    expect(() => report(APP, { ...WAIT, instrumented: APP.subarray(0, 20) })).toThrow(
      expect.objectContaining({ code: 'BAD_MODULE' }),
    );
    expect(() => report('app.wasm' as never, WAIT)).toThrow(/report\(\) takes the bytes of a module.*a string/);
  });
});

describe('groups', () => {
  test.each([
    ['core::fmt::Formatter<a::b>::pad', ['core', 'fmt', 'Formatter<a::b>', 'pad']],
    ['<alloc::vec::Vec<T> as Drop>::drop', ['<alloc::vec::Vec<T> as Drop>', 'drop']],
    ['~lib/rt/itcms/__new', ['~lib', 'rt', 'itcms', '__new']],
    ['assembly/app/Parser#next', ['assembly', 'app', 'Parser', 'next']],
    ['runtime.main', ['runtime', 'main']],
    ['sqlite3VdbeExec', ['sqlite3', 'Vdbe', 'Exec']],
    ['sqlite3_exec', ['sqlite3', 'exec']],
    ['luaV_execute', ['luaV', 'execute']],
    ['__wasm_call_ctors', ['__wasm', 'call_ctors']],
    ['malloc', ['malloc']],
    ['_', ['_']],
    ['/', ['/']],
    ['::', ['::']],
    ['a::', ['a::']],
    ['', ['']],
    ['operator->(a, b::c)', ['operator->(a, b::c)']],
  ])('%s', (name, parts) => {
    expect(partsOf(name)).toEqual(parts);
  });

  test('hold each function once, small ones are dissolved, nested ones joined', () => {
    const names = [
      'a::b::c1',
      'a::b::c2',
      'a::b::c3',
      'x::one',
      'x::two',
      'alone',
      ...'123'.split('').map((n) => `p/q/r${n}`),
    ];
    const root = groupNames(names);
    const all = (group: Group): number[] => [...group.members, ...group.groups.flatMap(all)];
    expect(all(root).sort((left, right) => left - right)).toEqual(names.map((_, at) => at));
    expect(root.groups.map((each) => [each.name, each.members.length])).toEqual([
      ['a/b', 3],
      ['p/q', 3],
    ]);
    expect(root.members).toEqual([3, 4, 5]);
  });

  test('a name of separators only ends', () => {
    expect(partsOf('::'.repeat(1_000_000)).length).toBeLessThan(20);
    expect(partsOf('a/'.repeat(1_000_000)).length).toBeLessThan(20);
  });
});

describe('the treemap', () => {
  test('areas are as the values, inside, and do not overlap', () => {
    const values = [500, 300, 120, 80, 80, 40, 13, 5, 1, 1].map((each) => each * 7);
    const into = { x: 10, y: 20, width: 640, height: 360 };
    const placed = squarify(values, into);
    const total = values.reduce((sum, value) => sum + value, 0);
    expect(placed).toHaveLength(values.length);
    for (const [at, { x, y, width, height }] of placed.entries()) {
      expect((width * height) / (into.width * into.height)).toBeCloseTo((values[at] ?? 0) / total, 6);
      expect(x).toBeGreaterThanOrEqual(into.x - 1e-6);
      expect(y).toBeGreaterThanOrEqual(into.y - 1e-6);
      expect(x + width).toBeLessThanOrEqual(into.x + into.width + 1e-6);
      expect(y + height).toBeLessThanOrEqual(into.y + into.height + 1e-6);
      for (const other of placed.slice(at + 1)) {
        const wide = Math.min(x + width, other.x + other.width) - Math.max(x, other.x);
        const high = Math.min(y + height, other.y + other.height) - Math.max(y, other.y);
        expect(Math.min(wide, high)).toBeLessThan(1e-6);
      }
    }
    expect(placed.slice(0, 5).every(({ width, height }) => Math.max(width / height, height / width) < 3)).toBe(true);
  });

  test.each([[[]], [[0, 0]], [[5]], [[3, 0, 0]]])('of %j has a rectangle for each', (values) => {
    for (const into of [
      { x: 0, y: 0, width: 100, height: 50 },
      { x: 0, y: 0, width: 0, height: 50 },
    ]) {
      const placed = squarify(values, into);
      expect(placed).toHaveLength(values.length);
      for (const each of placed) for (const value of Object.values(each)) expect(Number.isFinite(value)).toBe(true);
    }
  });
});

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'wasm-fibers-report-'));
  await writeFile(at('app.wasm'), APP);
});
afterAll(() => rm(folder, { recursive: true, force: true }));
const at = (name: string): string => path.join(folder, name);
const MAIN = fileURLToPath(new URL('../../build/host/cli/main.js', import.meta.url));

function cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const options = { cwd: folder, env: { ...process.env, NO_COLOR: '', FORCE_COLOR: '' }, maxBuffer: 1 << 28 };
    execFile(process.execPath, [MAIN, 'report', ...args], options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

const FLAGS = ['--suspending', 'env.read', '--suspending', 'env.sleep'];

describe('the command', () => {
  test('as text', async () => {
    const { code, stdout, stderr } = await cli('app.wasm', ...FLAGS, '--top', '3');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe(`app.wasm
  functions  6 of 7 instrumented (86 %)
  code       49 bytes of 53 bytes (92 %)

suspending imports
             reached by            alone
  env.read            4  38 bytes      3  29 bytes
  env.sleep           2  13 bytes      1   4 bytes

indirect calls that may wait
                table  callers  reaches  waiting  alone
  (i32) -> i32      0        1        1        1      2  20 bytes
  () -> ()          1        1        0        0      1   7 bytes
  if none of them waited, 3 functions, 27 bytes, would be free (--ignore-indirect)
  if the host wrote no table, 1 function, 7 bytes, would be free (--closed-tables)

largest instrumented functions
                  size
  file_open   11 bytes  indirect
  file_read    9 bytes  direct
  file_parse   9 bytes  indirect
  and 3 more (--top)
`);
  });

  test('colour is for terminals, or where it is asked for', async () => {
    const { stdout } = await new Promise<{ stdout: string }>((resolve) =>
      execFile(
        process.execPath,
        [MAIN, 'report', 'app.wasm', ...FLAGS],
        { cwd: folder, env: { ...process.env, NO_COLOR: '', FORCE_COLOR: '1' } },
        (_, text) => resolve({ stdout: text }),
      ),
    );
    expect(stdout).toContain('\u001b[1mapp.wasm\u001b[22m');
  });

  test('as JSON: what report() gives', async () => {
    const { stdout } = await cli('app.wasm', ...FLAGS, '--json');
    expect(JSON.parse(stdout)).toEqual(report(APP, WAIT));
  });

  test('exit codes, and nothing is left of a page that was not written', async () => {
    expect(await cli('app.wasm', '--html', 'no.html')).toMatchObject({ code: 1, stdout: '' });
    expect((await cli('missing.wasm', ...FLAGS, '--html', 'no.html')).code).toBe(2);
    expect((await cli('app.wasm', ...FLAGS, '--html', 'no/such/folder.html')).code).toBe(2);
    expect((await cli('app.wasm', ...FLAGS, '--html', 'no.html', '--json')).code).toBe(2);
    expect((await cli('app.wasm', ...FLAGS, '--top', 'many')).code).toBe(2);
    expect((await cli('app.wasm', ...FLAGS, '--html', '.')).code).toBe(2);
    await writeFile(at('cut.wasm'), APP.subarray(0, 40));
    await writeFile(at('text.wasm'), '(module)');
    for (const file of ['cut.wasm', 'text.wasm']) {
      const outcome = await cli(file, ...FLAGS, '--html', 'app.wasm');
      expect(outcome).toMatchObject({ code: 1, stdout: '' });
      expect(outcome.stderr).toMatch(new RegExp(`^wasm-fibers: ${file}: .+\n$`));
      await rm(at(file));
    }
    // What was there before is there still.
    expect(new Uint8Array(await readFile(at('app.wasm')))).toEqual(APP);
    expect((await readdir(folder)).filter((name) => name !== 'app.wasm' && !name.endsWith('.ready.html'))).toEqual([]);
  });

  test('a page goes to standard output where that is asked for', async () => {
    const { code, stdout, stderr } = await cli('app.wasm', ...FLAGS, '--html', '-');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^<!doctype html>\n/);
  });

  test('an instrumented module says what is its own and what was added, and growth is shown beside names', async () => {
    const { wasm } = await instrument(APP, WAIT);
    await writeFile(at('app.fibers.wasm'), wasm);
    const after = await cli('app.fibers.wasm');
    expect(after.stdout).toMatch(/\n {2}added {6}\d+ bytes in \d+ functions of instrumentation's own\n/);
    const both = await cli('app.wasm', ...FLAGS, '--instrumented', 'app.fibers.wasm');
    expect(both.stdout).toMatch(/\n {2}module {5}\d+ bytes -> .* \(\d+\.\d\dx\)\n/);
    expect(both.stdout).toMatch(/\n {2}file_open +11 bytes +\d+ bytes +indirect\n/);
    await rm(at('app.fibers.wasm'));
  });

  test('help has examples', async () => {
    expect((await cli('--help')).stdout).toContain("Examples:\n  wasm-fibers report app.wasm --suspending 'env.*'");
  });
});

/** Names that try to leave the page, the element, the line, or the machine's memory. */
const HOSTILE = [
  '</script><script>document.title = "broken"</script>',
  '<img src=x onerror="document.title = `broken`">',
  '"\'&<>`${document.title = 1}',
  '\u202egnp.exe\u2066',
  'line\nbreak\u0000\u001b[31m',
  '<!-- <script>',
  '\u2028\u2029',
  '__proto__',
  'constructor::toString::__proto__',
  `long::${'x'.repeat(10_000_000)}`,
];

describe('a page from a hostile module', () => {
  let html = '';
  let wasm: Uint8Array;
  beforeAll(async () => {
    const { Writer } = await import('../../host/instrument/binary/writer.ts');
    const { appendSection } = await import('../../host/instrument/binary/custom-section.ts');
    const plain = assemble(
      `(module (import "</script>" "<b>&\\e2\\80\\ae" (func $wait)) (memory 1) ${HOSTILE.map(() => '(func (call $wait))').join(' ')})`,
      false,
    );
    const list = new Writer().u32(HOSTILE.length);
    for (const [index, name] of HOSTILE.entries()) list.u32(index + 1).name(name);
    wasm = appendSection(plain, 'name', new Writer().byte(1).sized(list.bytes).bytes);
    await writeFile(at('hostile.wasm'), wasm);
    const outcome = await cli('hostile.wasm', '--suspending', '*', '--html', 'hostile.ready.html');
    expect(outcome).toMatchObject({ code: 0, stdout: '' });
    html = await readFile(at('hostile.ready.html'), 'utf8');
  });

  test('has nothing in it that could end its elements, and is not megabytes long', () => {
    expect(html.length).toBeLessThan(100_000);
    expect(html.match(/<script/g)).toHaveLength(2);
    expect(html.match(/<\/script/g)).toHaveLength(2);
    expect(html).not.toContain('<img');
    expect(html).not.toContain('<b>&');
    // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
    expect(html).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202a-\u202e\u2066-\u2069\u2028\u2029]/);
  });

  test('the command shows the same module in lines of bearable length', async () => {
    const { code, stdout } = await cli('hostile.wasm', '--suspending', '*');
    expect(code).toBe(0);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThan(200);
  });

  test('names no other place: whatever it needs is in it', () => {
    const markup = html.replace(/(<script type="application\/json"[^>]*>).*?(<\/script>)/s, '$1$2');
    expect(markup.length).toBeLessThan(html.length);
    expect(markup).not.toMatch(/\b(src|href|action|data)=|url\(|@import|https?:|^(import|export) |\bimport\(/m);
    expect(html).toContain("default-src 'none'");
  });
});

const hasChromium = findChromium() !== undefined;

describe.skipIf(!hasChromium)('the page (it needs chromium)', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: findChromium() ?? '', args: ['--no-sandbox'] });
    await cli('app.wasm', ...FLAGS, '--html', 'app.ready.html');
  });
  afterAll(() => browser?.close());

  /** Opens a page; whatever goes wrong in it, or is loaded, fails the test. */
  async function open(
    file: string,
    use: (page: Page) => Promise<void>,
    colorScheme: 'light' | 'dark' = 'light',
    more: Parameters<Browser['newPage']>[0] = {},
  ): Promise<void> {
    const page = await browser.newPage({ colorScheme, viewport: { width: 1300, height: 900 }, ...more });
    try {
      await usePage(page, at(file), use);
    } finally {
      await page.close();
    }
  }

  const labels = (page: Page): Promise<string[]> =>
    page.locator('#map .cell').evaluateAll((cells) => cells.map((each) => each.getAttribute('aria-label') ?? ''));
  const focused = (page: Page): Promise<string> =>
    page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.id ?? '');

  test('shows every function as an area, in its colour', async () => {
    await open('app.ready.html', async (page) => {
      expect(await page.title()).toBe('app.wasm: what is instrumented');
      expect(await page.locator('h1').textContent()).toBe('app.wasm');
      expect((await labels(page)).filter((each) => /_|::/.test(each.split(',')[0] ?? ''))).toHaveLength(7);
      expect(await page.locator('#legend li').allTextContents()).toEqual([
        'instrumented (3)',
        'instrumented, through a table (2)',
        'instrumented, open table (1)',
        'free (1)',
      ]);
      const [first, second] = await Promise.all(
        ['.cell.direct', '.cell.free'].map((each) =>
          page
            .locator(each)
            .first()
            .evaluate((cell) => getComputedStyle(cell).backgroundColor),
        ),
      );
      expect(first).not.toBe(second);
    });
  });

  test('a function that is chosen shows the way to its import, which can be followed', async () => {
    await open('app.ready.html', async (page) => {
      await page.locator('.cell[aria-label^="task_both,"]').click();
      const way = page.locator('#detail .path li');
      expect(await way.allTextContents()).toEqual(['task_both', 'calls task_wait', 'calls env.sleep']);
      await page.locator('#search').fill('file_open');
      await page.locator('#search').press('Enter');
      expect(await way.allTextContents()).toEqual([
        'file_open',
        'calls file_parse',
        'calls through table 0 as (i32) -> i32: file_read',
        'calls env.read',
      ]);
      await way.nth(1).getByRole('button').click();
      expect(await page.locator('#detail h2').textContent()).toBe('file_parse');
      expect(await page.locator('.cell.chosen').getAttribute('aria-label')).toMatch(/^file_parse,/);
    });
  });

  test('search dims what does not match, says how much does, and Escape ends it', async () => {
    await open('app.ready.html', async (page) => {
      await page.keyboard.press('/');
      expect(await focused(page)).toBe('Search functions');
      await page.keyboard.type('FILE_');
      expect(await page.locator('#found').textContent()).toMatch(/^3 functions, \d+ bytes$/);
      expect(await page.locator('.cell.found').count()).toBe(3);
      expect(await page.locator('.cell.dimmed[aria-label^="core::"]').count()).toBe(1);
      await page.keyboard.press('Escape');
      expect(await page.locator('.cell.dimmed').count()).toBe(0);
      expect(await page.locator('#found').textContent()).toBe('');
    });
  });

  test('a state in the legend shows only its functions, together with the search', async () => {
    await open('app.ready.html', async (page) => {
      const through = page.getByRole('button', { name: 'instrumented, through a table (2)' });
      await through.click();
      expect(await through.getAttribute('aria-pressed')).toBe('true');
      expect(await page.locator('#found').textContent()).toMatch(/^2 functions, /);
      expect(await page.locator('.cell.dimmed[aria-label^="core::"]').count()).toBe(1);
      await page.locator('#search').fill('open');
      expect(await page.locator('#found').textContent()).toBe('1 function, 11 bytes');
      await page.keyboard.press('Escape');
      expect(await through.getAttribute('aria-pressed')).toBe('false');
      expect(await page.locator('.cell.dimmed').count()).toBe(0);
    });
  });

  test('where focus is can be seen, every control has a name, and nothing moves', async () => {
    await open('app.ready.html', async (page) => {
      const names: string[] = [];
      for (let stops = 0; stops < 12; stops++) {
        await page.keyboard.press('Tab');
        const focus = await page.evaluate(() => {
          const on = document.activeElement;
          if (on === null || on === document.body) return null;
          const { outlineStyle, outlineWidth } = getComputedStyle(on);
          const name = on.getAttribute('aria-label') ?? on.textContent ?? '';
          return { name, outline: outlineStyle === 'none' ? '0px' : outlineWidth };
        });
        if (focus === null) break;
        names.push(focus.name);
        expect(focus).toEqual({ name: focus.name, outline: '3px' });
      }
      expect(names).toEqual([
        'Map',
        'Search functions',
        'instrumented (3)',
        'instrumented, through a table (2)',
        'instrumented, open table (1)',
        'free (1)',
        'all functions',
        expect.stringMatching(/^file: 3 functions/),
      ]);
      const moving = await page.locator('*').evaluateAll(
        (all) =>
          all.filter((each) => {
            const { transitionDuration, animationName } = getComputedStyle(each);
            return transitionDuration !== '0s' || animationName !== 'none';
          }).length,
      );
      expect(moving).toBe(0);
    });
  });

  test('fits a narrow window, and is drawn anew when that changes', async () => {
    await open(
      'app.ready.html',
      async (page) => {
        const overflow = (): Promise<number> =>
          page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        expect(await overflow()).toBe(0);
        const width = (): Promise<number> => page.locator('#map').evaluate((map) => map.clientWidth);
        const right = (): Promise<number> =>
          page
            .locator('.cell')
            .evaluateAll((cells) =>
              Math.max(...cells.map((each) => (each as HTMLElement).offsetLeft + (each as HTMLElement).offsetWidth)),
            );
        expect(Math.abs((await right()) - (await width()))).toBeLessThan(4);
        await page.setViewportSize({ width: 1000, height: 700 });
        await expect.poll(async () => Math.abs((await right()) - (await width()))).toBeLessThan(4);
        expect(await width()).toBeGreaterThan(500);
      },
      'light',
      { viewport: { width: 360, height: 640 } },
    );
  });

  test('works from the keyboard: arrows, Enter, Backspace, one stop for the tabulator key', async () => {
    await open('app.ready.html', async (page) => {
      expect(await page.locator('#map .cell[tabindex="0"]').count()).toBe(1);
      await page.locator('#map .cell[tabindex="0"]').focus();
      const first = await focused(page);
      expect(first).toMatch(/^file: 3 functions/);
      await page.keyboard.press('ArrowDown');
      const second = await focused(page);
      expect(second).not.toBe(first);
      expect(await page.locator('#map .cell[tabindex="0"]').count()).toBe(1);
      await page.keyboard.press('ArrowUp');
      expect(await focused(page)).toBe(first);
      await page.keyboard.press('Enter');
      expect(await page.locator('#crumbs li').allTextContents()).toEqual([
        'all functions',
        'file',
        expect.stringMatching(/^3 functions/),
      ]);
      expect(await labels(page)).toHaveLength(3);
      expect(await focused(page)).toMatch(/^file_/);
      await page.keyboard.press('Enter');
      expect(await page.locator('#detail h2').textContent()).toMatch(/^file_/);
      await page.keyboard.press('Backspace');
      expect(await page.locator('#crumbs li').count()).toBe(2);
      await page
        .locator('.cell.group')
        .first()
        .click({ position: { x: 12, y: 8 } });
      await page.keyboard.press('Escape');
      expect(await page.locator('#crumbs li').count()).toBe(2);
    });
  });

  test('the table can be sorted by each column, and keeps the search', async () => {
    await open('app.ready.html', async (page) => {
      await page.locator('#to-map').focus();
      await page.keyboard.press('ArrowRight');
      expect(await focused(page)).toBe('to-table');
      expect(await page.locator('#map').isHidden()).toBe(true);
      const column = (place: number): Promise<string[]> =>
        page.locator(`#table tbody td:nth-child(${place})`).allTextContents();
      const sizes = (await column(2)).map((each) => Number.parseInt(each, 10));
      expect(sizes).toEqual([...sizes].sort((left, right) => right - left));
      await page.locator('#table th button').first().click();
      expect(await page.locator('#table th').first().getAttribute('aria-sort')).toBe('ascending');
      const names = await column(1);
      expect(names).toEqual([...names].sort());
      expect(names).toHaveLength(7);
      await page.locator('#search').fill('task');
      expect(await column(1)).toEqual(['task_both', 'task_hook', 'task_wait']);
      await page.getByRole('button', { name: 'task_hook' }).click();
      expect(await page.locator('#detail .path li').last().textContent()).toBe(
        'calls through table 1 as () -> (): anything',
      );
    });
  });

  test('is dark where the reader is, and text can be read on every colour', async () => {
    for (const scheme of ['light', 'dark'] as const) {
      await open(
        'app.ready.html',
        async (page) => {
          const ratios = await page.evaluate(() => {
            const luminance = (color: string): number => {
              const [r = 0, g = 0, b = 0] = (color.match(/[\d.]+/g) ?? []).map((each) => Number(each) / 255);
              const linear = (each: number): number =>
                each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4;
              return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
            };
            const contrast = (cell: Element): number => {
              const { color, backgroundColor } = getComputedStyle(cell);
              const [one, other] = [luminance(color), luminance(backgroundColor)];
              return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
            };
            const page = getComputedStyle(document.body).backgroundColor;
            return {
              dark: luminance(page) < 0.1,
              cells: [...document.querySelectorAll('.cell:not(.group)')].map(contrast),
            };
          });
          expect(ratios.dark).toBe(scheme === 'dark');
          expect(Math.min(...ratios.cells)).toBeGreaterThan(4.5);
        },
        scheme,
      );
    }
  });

  test('stands a hostile module: nothing of it runs, and its names are shown', async () => {
    await cli('hostile.wasm', '--suspending', '*', '--html', 'hostile.ready.html');
    await open('hostile.ready.html', async (page) => {
      expect(await page.title()).toBe('hostile.wasm: what is instrumented');
      await page.locator('#to-table').click();
      const shown = await page.locator('#table tbody td:first-child').allTextContents();
      expect(shown).toHaveLength(HOSTILE.length);
      expect(shown).toContain(HOSTILE[0]);
      expect(shown).toContain(String.raw`\u{202e}gnp.exe\u{2066}`);
      expect(Math.max(...shown.map((each) => each.length))).toBeLessThan(300);
      for (const button of await page.locator('#table tbody button').all()) await button.click();
    });
  });

  test('stands thousands of functions', { timeout: 120_000 }, async () => {
    const count = 12_000;
    const names = Array.from({ length: count }, (_, index) => `m${index % 40}::t${index % 7}::f${index}`);
    await writeFile(
      at('many.wasm'),
      assemble(`(module (import "env" "wait" (func $wait)) (memory 1)
        ${names.map((name, index) => `(func $"${name}" ${index % 3 === 0 ? '(call $wait)' : ''} ${'(drop (i32.const 1))'.repeat(index % 9)})`).join('\n')})`),
    );
    await cli('many.wasm', '--suspending', '*', '--html', 'many.ready.html');
    await open('many.ready.html', async (page) => {
      expect(await page.locator('#legend li').allTextContents()).toEqual(['instrumented (4000)', 'free (8000)']);
      const started = Date.now();
      await page.locator('#search').fill('::f11999');
      expect(await page.locator('#found').textContent()).toMatch(/^1 function,/);
      await page.locator('#search').fill('');
      await page.locator('#to-table').click();
      expect(await page.locator('#table tbody tr').count()).toBe(300);
      await page.getByRole('button', { name: /show 300 more/ }).click();
      expect(await page.locator('#table tbody tr').count()).toBe(600);
      expect(Date.now() - started).toBeLessThan(30_000);
    });
  });
});

test.skipIf(!(await hasGuest('sqlite')))('SQLite takes seconds, not minutes (it needs clang)', async () => {
  const it = report(await loadPlain('sqlite'), { suspending: ['env.vfs_*'] });
  expect(it.instrumented.functions).toBeGreaterThan(500);
  expect(it.imports.length).toBeGreaterThan(8);
});
