/** Why a function is instrumented: the library, and the command as it is published. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FiberError, explain, instrument } from '../../host/instrument/index.ts';
import type { Explanation, StudyOptions } from '../../host/instrument/index.ts';
import { hasGuest, loadPlain } from '../support/guest.ts';
import { assemble } from './instrument-driver.ts';

const WAIT = { suspending: ['env.sleep'] } as const;

/** run -> parse -> (table, type $one) fill -> env.sleep; a detour over `long`; `idle` never waits. */
const text = (table: string): string => `(module
  (type $one (func (param i32) (result i32)))
  (type $two (func (param i32 i32) (result i32)))
  (import "env" "log" (func $log (param i32)))
  (import "env" "sleep" (func $sleep (param i32) (result i32)))
  (memory (export "memory") 1)
  (table ${table} 3 funcref) (elem (i32.const 0) $fill $plain $fine)
  (func $fill (type $one) (call $sleep (local.get 0)))
  (func $fine (type $one) (local.get 0))
  (func $plain (type $two) (i32.add (local.get 0) (local.get 1)))
  (func $parse (param i32) (result i32) (call_indirect (type $one) (i32.const 1) (local.get 0)))
  (func $long (param i32) (result i32) (call $parse (local.get 0)))
  (func $only_here (param i32) (result i32) (call $long (call $long (call $long (local.get 0)))))
  (func $run (export "run") (export "main") (param i32) (result i32)
    (i32.add (call $only_here (local.get 0)) (call $parse (local.get 0))))
  (func $adds (param i32) (result i32) (call_indirect (type $two) (i32.const 1) (i32.const 1) (local.get 0)))
  (func $idle (export "idle") (call $log (i32.const 1)))
  (export "adds" (func $adds)))`;
const CLOSED = assemble(text(''));
const OPEN = assemble(text('(export "table")'));

/** The way as names. */
const way = ({ path }: Pick<Explanation, 'path'>): (string | null)[] => [
  ...path.slice(0, 1).map((call) => call.caller.name),
  ...path.map((call) => call.callee?.name ?? null),
];
const cutsOf = ({ cuts }: Explanation): Record<string, string[]> =>
  Object.fromEntries(cuts.map((cut) => [cut.what, cut.largest.map((each) => each.name).sort()]));

describe('the shortest way', () => {
  test('goes from the function to the import, over tables', () => {
    const it = explain(CLOSED, 'run', WAIT);
    expect(it.state).toBe('instrumented');
    expect(it.because).toBe('run is instrumented: it reaches env.sleep.');
    expect(way(it)).toEqual(['run', 'parse', 'fill', 'env.sleep']);
    expect(it.import).toBe('env.sleep');
    expect(it.function).toMatchObject({ exported: ['run', 'main'], imported: false, place: null });
    expect(it.function.bytes).toBeGreaterThan(8);
    expect(it.otherPath).toEqual([]);
  });

  test('names the table, the type, what that call can reach and what of it may wait', () => {
    const [, indirect] = explain(CLOSED, 'run', WAIT).path;
    expect(indirect).toMatchObject({
      kind: 'indirect',
      caller: { name: 'parse' },
      type: '(i32) -> i32',
      table: { index: 0, exported: [], imported: null, unknown: null },
    });
    expect(indirect?.targets.map((each) => each.name)).toEqual(['fill', 'fine']);
    expect(indirect?.waiting.map((each) => each.name)).toEqual(['fill']);
  });

  test('prefers an import to a table that may hold anything, and gives that way too', () => {
    const it = explain(OPEN, 'parse', WAIT);
    expect(way(it)).toEqual(['parse', 'fill', 'env.sleep']);
    expect(it.otherPath).toHaveLength(1);
    expect(it.otherPath[0]?.callee).toBeNull();
    expect(it.otherPath[0]?.table?.unknown).toContain('is exported ("table")');
  });

  test('ends at the table where there is no other way', () => {
    const it = explain(OPEN, 'adds', WAIT);
    expect(it.state).toBe('instrumented');
    expect(it.because).toContain('through table 0, which is exported ("table")');
    expect([way(it), it.import]).toEqual([['adds', null], null]);
    expect(it.cuts.map((each) => each.option)).toContainEqual(['--closed-tables']);
    expect(explain(OPEN, 'adds', { ...WAIT, closedTables: true }).state).toBe('left out');
    expect(explain(CLOSED, 'adds', WAIT).state).toBe('free');
  });
});

describe('what would spare functions', () => {
  test('is what instrumenting without it really spares', async () => {
    const before = await instrument(CLOSED, { ...WAIT, optimizeLevel: 0 });
    const { cuts } = explain(CLOSED, 'run', WAIT);
    let checked = 0;
    for (const { option, functions } of cuts) {
      if (option === null) continue;
      const [flag, name = ''] = option;
      const list: Partial<StudyOptions> = flag === '--remove' ? { remove: [name] } : { ignoreIndirect: true };
      const after = await instrument(CLOSED, { ...WAIT, ...list, optimizeLevel: 0 });
      expect([option, before.functions.instrumented - after.functions.instrumented]).toEqual([option, functions]);
      checked += 1;
    }
    expect(checked).toBe(4);
  });

  test('is said of each call of the way, with the largest first', () => {
    const it = explain(CLOSED, 'run', WAIT);
    const all = ['fill', 'long', 'only_here', 'parse', 'run'];
    expect(cutsOf(it)).toEqual({
      'without the calls from parse through table 0 as (i32) -> i32': ['long', 'only_here', 'parse', 'run'],
      'without the call from fill to env.sleep': all,
      'if parse never waits': ['long', 'only_here', 'parse', 'run'],
      'if fill never waits': all,
      'if run never waits': ['run'],
      'if no indirect call waits': ['long', 'only_here', 'parse', 'run'],
    });
    const sizes = it.cuts.map((each) => each.bytes);
    expect(sizes).toEqual([...sizes].sort((left, right) => right - left));
    for (const { largest, bytes } of it.cuts) expect(largest.reduce((sum, each) => sum + each.bytes, 0)).toBe(bytes);
  });
});

describe('functions that are not instrumented', () => {
  test.each<[string, StudyOptions, string, RegExp]>([
    ['idle', WAIT, 'free', /Nothing that idle calls/],
    ['run', { ...WAIT, remove: ['run'] }, 'left out', /--remove names it.*UNINSTRUMENTED_FRAME/],
    ['run', { ...WAIT, remove: ['parse'] }, 'left out', /every way .* --remove/],
    ['run', { ...WAIT, only: ['fill'] }, 'left out', /--only does not name it/],
    ['run', { ...WAIT, ignoreIndirect: true }, 'left out', /--ignore-indirect leaves out/],
    ['env.sleep', WAIT, 'suspending', /may return a promise/],
    ['env.log', WAIT, 'import', /not named as suspending/],
  ])('%s with %j: %s', (name, options, state, because) => {
    const it = explain(CLOSED, name, options);
    expect(it.state).toBe(state);
    expect(it.because).toMatch(because);
    // One that is left out shows the way that there would be.
    expect(it.path.length > 0).toBe(state === 'left out');
  });

  test('what an import costs alone', () => {
    const [cut] = explain(CLOSED, 'env.sleep', WAIT).cuts;
    expect(cut?.functions).toBe(5);
  });

  test('a function that is added says so', () => {
    const it = explain(CLOSED, 'idle', { ...WAIT, add: ['idle'] });
    expect([it.state, it.because]).toEqual(['instrumented', 'idle is instrumented: --add names it.']);
    expect(explain(CLOSED, 'fine', { ...WAIT, only: ['fine'] }).because).toContain('--only names it');
  });

  test('for jspi functions may wait, and none is rewritten', () => {
    const it = explain(OPEN, 'run', { ...WAIT, target: 'jspi' });
    expect([it.state, it.cuts]).toEqual(['instrumented', []]);
    expect(it.because).toContain('code for jspi is not rewritten');
  });
});

describe('which function is meant', () => {
  const refusal = (wasm: Uint8Array, wanted: string | number, options: StudyOptions = WAIT): FiberError => {
    try {
      explain(wasm, wanted, options);
    } catch (error) {
      if (error instanceof FiberError) return error;
      throw error;
    }
    throw new Error('it was not refused');
  };

  test.each(['main', 'ru*', 8, '8', 'function 8', 'wasm-function[8]'])('%s', (wanted) => {
    expect(explain(CLOSED, wanted, WAIT).function.name).toBe('run');
  });

  test('a misspelt name, with those that are near', () => {
    const { code, message } = refusal(CLOSED, 'prase');
    expect([code, message]).toEqual(['NO_MATCH', expect.stringContaining('Did you mean "parse"?')]);
  });

  test('a pattern that matches several, with their indices', () => {
    expect(refusal(CLOSED, 'f*').message).toMatch(/means 2 functions: "fill" \(2\), "fine" \(3\)\. Name one/);
  });

  test('an index that is none', () => {
    expect(refusal(CLOSED, '99').message).toContain('There is no function 99: this module has 11');
    expect(refusal(CLOSED, -1).code).toBe('NO_MATCH');
  });

  test('a module without names says what to do', () => {
    expect(refusal(assemble(text(''), false), 'parse').message).toContain('compile it with -g, or give an index');
  });

  test('options that do not exist, or do not fit', () => {
    expect(refusal(CLOSED, 'run', { suspendig: [] } as never).message).toContain('did you mean "suspending"');
    expect(refusal(CLOSED, 'run', {}).code).toBe('NO_SUSPENDING_IMPORTS');
    expect(refusal(CLOSED, 'run', { suspending: ['env.sleeep'] }).message).toContain('env.sleep');
    expect(refusal(CLOSED, 'run', { ...WAIT, only: ['a'], remove: ['b'] }).code).toBe('INVALID_OPTION');
  });
});

describe('a module that is instrumented already', () => {
  test('knows its options itself, and the functions are those that were rewritten', async () => {
    for (const optimizeLevel of [0, 1, 3] as const) {
      const { wasm } = await instrument(CLOSED, { ...WAIT, remove: ['long'], optimizeLevel });
      const it = explain(wasm, 'run');
      expect(it.state).toBe('instrumented');
      expect(it.import).toBe('env.sleep');
      expect(explain(wasm, 'idle').state).toBe('free');
    }
    const { wasm } = await instrument(CLOSED, { ...WAIT, remove: ['long'], optimizeLevel: 0 });
    expect(explain(wasm, 'long').because).toContain('--remove names it');
    expect(explain(wasm, 'wasm-fibers.push').state).toBe('added');
    expect(explain(wasm, 'asyncify_start_unwind').state).toBe('added');
  });

  test('refuses options that it cannot follow any more', async () => {
    const { wasm } = await instrument(CLOSED, WAIT);
    expect(() => explain(wasm, 'run', { suspending: ['env.log'] })).toThrow(/"suspending" is for a module that is not/);
  });

  test('without names it says where there are some', async () => {
    const { wasm } = await instrument(CLOSED, { ...WAIT, debugNames: false });
    expect(() => explain(wasm, 'parse')).toThrow(/ask of the module from before|without --strip-debug/);
    expect(explain(wasm, 'run').state).toBe('instrumented');
  });

  test('for jspi it says what may wait', async () => {
    const { wasm } = await instrument(CLOSED, { ...WAIT, target: 'jspi' });
    expect(explain(wasm, 'run')).toMatchObject({ state: 'instrumented', import: 'env.sleep' });
  });

  test('by another tool: is refused with what to take instead', async () => {
    const names = ['start_unwind', 'stop_unwind', 'start_rewind', 'stop_rewind'];
    const wasm = assemble(
      `(module (func $f) ${names.map((each) => `(export "asyncify_${each}" (func $f))`).join('')})`,
    );
    expect(() => explain(wasm, 'f', WAIT)).toThrow(/by another tool/);
  });
});

test('places come from the source map: of the function, and of each call', async () => {
  const { default: asc } = await import('assemblyscript/asc');
  const files = new Map<string, string | Uint8Array>();
  const source = `@external("env", "sleep")\ndeclare function sleep(n: i32): i32;\n
@inline\nfunction never(): void {}\n
function deep(n: i32): i32 {\n  never();\n  return sleep(n) + 1;\n}\n
export function run(n: i32): i32 {\n  if (n) n++;\n  return deep(n) * deep(n + 1);\n}\n`;
  await asc.main(['guest.ts', '-o', 'guest.wasm', '--sourceMap', '--debug', '--runtime', 'stub'], {
    readFile: (name) => (name === 'guest.ts' ? source : null),
    writeFile: (name, contents) => void files.set(name, contents),
    listFiles: () => [],
  });
  const sourceMap = String(files.get('guest.wasm.map'));
  const it = explain(files.get('guest.wasm') as Uint8Array, 'run', { ...WAIT, sourceMap });
  expect(way(it)).toEqual(['guest/run', 'guest/deep', 'env.sleep']);
  expect(it.path.map((call) => `${call.place?.file}:${call.place?.line}`)).toEqual(['guest.ts:14', 'guest.ts:9']);
  expect(it.function.place).toMatchObject({ file: 'guest.ts', line: 13 });
});

test.skipIf(!(await hasGuest('sqlite')))('SQLite, in less than a few seconds (it needs clang)', async () => {
  const it = explain(await loadPlain('sqlite'), 'sqlite3_exec', { suspending: ['env.vfs_*'] });
  expect(it.import).toMatch(/^env\.vfs_/);
  expect(it.otherPath.at(-1)?.callee).toBeNull();
});

describe('the command', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'wasm-fibers-explain-'));
    await writeFile(path.join(folder, 'app.wasm'), CLOSED);
    const name = String.raw`evil\1b[31m\e2\80\ae\0anext`;
    await writeFile(
      path.join(folder, 'evil.wasm'),
      assemble(`(module (import "env" "sleep" (func $sleep)) (memory 1) (func $"${name}" (export "f") (call $sleep)))`),
    );
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const main = fileURLToPath(new URL('../../build/host/cli/main.js', import.meta.url));
  const cli = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const environment = { ...process.env, NO_COLOR: '', FORCE_COLOR: '' };
      execFile(
        process.execPath,
        [main, 'explain', ...args],
        { cwd: folder, env: environment },
        (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      );
    });

  test('as text', async () => {
    const { code, stdout, stderr } = await cli('app.wasm', 'run', '--suspending', 'env.sleep');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe(`run  function 8, 11 bytes, exported as run, main
run is instrumented: it reaches env.sleep.

the shortest way
  run
    calls parse
    calls through table 0 as (i32) -> i32: fill
      1 of the 2 functions of that type in the table may wait: fill
    calls env.sleep

what would spare functions
  without the call from fill to env.sleep
    5 functions, 42 bytes: run, only_here, parse, fill, long
  if fill never waits (--remove fill)
    5 functions, 42 bytes: run, only_here, parse, fill, long
  without the calls from parse through table 0 as (i32) -> i32
    4 functions, 36 bytes: run, only_here, parse, long
  if parse never waits (--remove parse)
    4 functions, 36 bytes: run, only_here, parse, long
  if no indirect call waits (--ignore-indirect)
    4 functions, 36 bytes: run, only_here, parse, long
  if run never waits (--remove run)
    1 function, 11 bytes: run
`);
  });

  test('as JSON: what explain() gives', async () => {
    const { stdout } = await cli('app.wasm', '8', '--suspending', 'env.sleep', '--json');
    expect(JSON.parse(stdout)).toEqual(explain(CLOSED, 8, WAIT));
  });

  test('names cannot write on the terminal', async () => {
    const { code, stdout } = await cli('evil.wasm', 'f', '--suspending', '*');
    expect(code).toBe(0);
    expect(stdout).toContain(String.raw`evil\u{1b}[31m\u{202e}\u{a}next`);
    // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  });

  test('exit codes: 1 for what is refused, 2 for usage', async () => {
    const refused = await cli('app.wasm', 'prase', '--suspending', '*');
    expect([refused.code, refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toContain('app.wasm: No function of this module is called "prase". Did you mean "parse"?');
    expect((await cli('app.wasm', 'run')).code).toBe(1);
    expect((await cli('missing.wasm', 'run')).code).toBe(2);
    expect((await cli('app.wasm')).code).toBe(2);
    expect((await cli('app.wasm', 'run', '--target', 'both')).code).toBe(2);
  });

  test('help has examples', async () => {
    const { code, stdout } = await cli('--help');
    expect(code).toBe(0);
    expect(stdout).toContain('Examples:\n  wasm-fibers explain app.wasm parse_row --suspending env.read');
  });
});
