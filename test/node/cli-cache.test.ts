// `wasm-fibers instrument --cache`: what was made once is not made again, and nothing about the folder can make a run fail or a
// result wrong.
import { appendFile, cp, mkdir, readFile, readdir, rename, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { assemble } from './instrument-driver.ts';
import { type Outcome, ROOT, run, temporaryFolder } from '../support/temporary.ts';

const MAIN = path.join(ROOT, 'build/host/cli/main.js');
const FROM_CACHE = '(from the cache)';

let guest: Uint8Array;
let other: Uint8Array;
beforeAll(() => {
  guest = moduleWith(1);
  other = moduleWith(2);
});

/** With debug information, of which the command warns that it was dropped. */
function moduleWith(constant: number): Uint8Array {
  const module = assemble(`(module
    (import "env" "sleep" (func $sleep (param i32) (result i64))) (import "env" "log" (func $log (param i32)))
    (memory (export "memory") 1 10)
    (func $helper (export "run") (param i32) (result i64)
      (call $log (i32.const ${constant}))
      (call $sleep (local.get 0))))`);
  const name = Buffer.from('.debug_x');
  return Buffer.concat([module, Buffer.from([0, name.length + 1, name.length]), name]);
}

/**
 * A folder with the module in it, and the command run there: for JSPI where nothing else is asked for, which takes milliseconds,
 * and means the same to a cache.
 */
async function workshop(): Promise<{
  at: (name: string) => string;
  instrument: (args?: string[]) => Promise<Outcome>;
}> {
  const folder = await temporaryFolder();
  const at = (name: string): string => path.join(folder, name);
  await writeFile(at('in.wasm'), guest);
  const base = ['instrument', 'in.wasm', '-o', 'out.wasm', '--suspending', 'env.sleep', '--cache', 'cache'];
  const instrument = (args: string[] = []): Promise<Outcome> =>
    run(process.execPath, [MAIN, ...base, '--target', 'jspi', ...args], folder, { NO_COLOR: '1' });
  return { at, instrument };
}

/** What is said of the work while it takes long; how long that is depends on the machine. */
const withoutProgress = (stderr: string): string => stderr.replaceAll(/^wasm-fibers: .*\n/gm, '');

async function entryIn(folder: string): Promise<string> {
  const [entry, ...rest] = await readdir(folder);
  expect(rest).toEqual([]);
  return path.join(folder, entry ?? '');
}

/** A file of the package that is not among those that instrument. */
const CHANGED = 'host/trace.js';

/** The package as it is installed, in another place. */
async function copyOfPackage(folder: string): Promise<{ main: string; change: () => Promise<void> }> {
  await mkdir(folder, { recursive: true });
  await cp(path.join(ROOT, 'build/host'), path.join(folder, 'build/host'), { recursive: true });
  await cp(path.join(ROOT, 'package.json'), path.join(folder, 'package.json'));
  await symlink(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  const change = (): Promise<void> => appendFile(path.join(folder, 'build', CHANGED), '// other\n');
  return { main: path.join(folder, 'build/host/cli/main.js'), change };
}

describe('what was made already', () => {
  test('comes from the cache with the same bytes, summary and warnings', async () => {
    const { at, instrument } = await workshop();
    const first = await instrument();
    expect(first).toMatchObject({ code: 0, stdout: '' });
    expect(first.stderr).toContain('warning: The DWARF debug information was dropped');
    expect(first.stderr).not.toContain(FROM_CACHE);
    const made = await readFile(at('out.wasm'));
    const second = await instrument(['-o', 'again.wasm']);
    expect(second.stderr).toBe(
      withoutProgress(first.stderr).replace('out.wasm for jspi:', `again.wasm for jspi ${FROM_CACHE}:`),
    );
    expect(await readFile(at('again.wasm'))).toEqual(made);
  });

  test('is kept for each target, and both find theirs', async () => {
    const { at, instrument } = await workshop();
    await instrument();
    expect((await instrument(['--target', 'asyncify'])).stderr).not.toContain(FROM_CACHE);
    const { stderr } = await instrument(['--target', 'both', '-o', 'pair.wasm']);
    expect(stderr.split(FROM_CACHE).length - 1).toBe(2);
    expect(await readFile(at('pair.asyncify.wasm'))).toEqual(await readFile(at('out.wasm')));
  });

  test('has its source map with it', async () => {
    const { at, instrument } = await workshop();
    const map = { version: 3, sources: ['a.c'], names: [], mappings: 'AAAA' };
    await writeFile(at('in.map'), JSON.stringify(map));
    const args = ['-ism', 'in.map', '-osm', 'out.map', '-osu', 'out.map'];
    await instrument(args);
    const made = await readFile(at('out.map'), 'utf8');
    await writeFile(at('out.map'), '');
    expect((await instrument(args)).stderr).toContain(FROM_CACHE);
    expect(await readFile(at('out.map'), 'utf8')).toBe(made);
    await writeFile(at('in.map'), JSON.stringify({ ...map, sources: ['b.c'] }));
    expect((await instrument(args)).stderr).not.toContain(FROM_CACHE);
    expect(await readFile(at('out.map'), 'utf8')).toContain('b.c');
  });

  test('is found whether a default was said or not, and not for other options or another module', async () => {
    const { at, instrument } = await workshop();
    await instrument();
    expect((await instrument(['-O0', '--allocator', 'auto'])).stderr).toContain(FROM_CACHE);
    for (const args of [['-O1'], ['--strip-debug'], ['--stack-pointer', 'none'], ['--suspending', 'env.log']]) {
      expect((await instrument(args)).stderr, args.join(' ')).not.toContain(FROM_CACHE);
    }
    await writeFile(at('in.wasm'), other);
    expect((await instrument()).stderr).not.toContain(FROM_CACHE);
  });

  test('is not found by a package whose code is another', async () => {
    const { at, instrument } = await workshop();
    await instrument();
    const entry = await entryIn(at('cache'));
    // The same package elsewhere, with a comment more; node_modules are found from there as from here.
    const copy = await copyOfPackage(at('elsewhere'));
    const args = ['in.wasm', '-o', 'out.wasm', '--suspending', 'env.sleep', '--target', 'jspi', '--cache', 'cache'];
    const same = await run(process.execPath, [copy.main, 'instrument', ...args], at(''), { NO_COLOR: '1' });
    expect(same.stderr).toContain(FROM_CACHE);
    await copy.change();
    const changed = await run(process.execPath, [copy.main, 'instrument', ...args], at(''), { NO_COLOR: '1' });
    expect(changed).toMatchObject({ code: 0, stderr: expect.not.stringContaining(FROM_CACHE) });
    expect((await readdir(at('cache'))).length).toBe(2);
    expect(await readdir(at('cache'))).toContain(path.basename(entry));
  });

  test('a refusal is no result: it is said each time', async () => {
    const { at, instrument } = await workshop();
    for (const _ of [1, 2]) {
      expect(await instrument(['--suspending', 'env.slep'])).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('Did you mean'),
      });
    }
    await expect(readdir(at('cache'))).rejects.toThrow('ENOENT');
  });
});

describe('an entry that is not what it says', () => {
  const wholesome = async (): Promise<{
    made: Buffer;
    entry: string;
    content: Buffer;
    at: (name: string) => string;
    again: () => Promise<Outcome>;
  }> => {
    const { at, instrument } = await workshop();
    await instrument();
    const entry = await entryIn(at('cache'));
    return { at, made: await readFile(at('out.wasm')), entry, content: await readFile(entry), again: instrument };
  };

  test('is made anew and replaced, wherever it was cut off or changed', async () => {
    const { at, made, entry, content, again } = await wholesome();
    const end = content.length;
    const flipped = (place: number): Buffer => {
      const copy = Buffer.from(content);
      copy[place] = (copy[place] ?? 0) ^ 1;
      return copy;
    };
    const damaged = [
      Buffer.alloc(0),
      content.subarray(0, 1),
      content.subarray(0, 64),
      content.subarray(0, 65),
      content.subarray(0, end - 1),
      Buffer.concat([content, Buffer.from('more')]),
      flipped(0),
      flipped(70),
      flipped(end - 1),
      Buffer.from('some other file'),
    ];
    for (const [index, bytes] of damaged.entries()) {
      await writeFile(entry, bytes);
      const outcome = await again();
      expect({ index, code: outcome.code, hit: outcome.stderr.includes(FROM_CACHE) }).toEqual({
        index,
        code: 0,
        hit: false,
      });
      expect(await readFile(at('out.wasm'))).toEqual(made);
      expect(await readFile(entry)).toEqual(content);
    }
    expect((await again()).stderr).toContain(FROM_CACHE);
  });

  test("is another module's under this one's name", async () => {
    const { at, made, entry, again } = await wholesome();
    await writeFile(at('in.wasm'), other);
    await again();
    const [foreign] = (await readdir(at('cache'))).filter((name) => name !== path.basename(entry));
    await rename(path.join(at('cache'), foreign ?? ''), entry);
    await writeFile(at('in.wasm'), guest);
    expect((await again()).stderr).not.toContain(FROM_CACHE);
    expect(await readFile(at('out.wasm'))).toEqual(made);
  });
});

describe('a folder that cannot be used', () => {
  test.each([
    ['is a file', 'in.wasm', 'is below a file'],
    ['is below a file', 'in.wasm/cache', 'is below a file'],
    ['cannot be made', '/proc/none/cache', 'no such file'],
  ])('%s: a warning, and the module is written', async (_, cache, why) => {
    const { at, instrument } = await workshop();
    const { code, stderr } = await instrument(['--cache', cache]);
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('warning: The cache was of no use'),
    });
    expect(stderr).toContain(why);
    expect((await stat(at('out.wasm'))).size).toBeGreaterThan(guest.length);
    expect(await instrument(['--cache', cache, '--quiet'])).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('has no room left: a warning, and nothing half written stays', async () => {
    const { at } = await workshop();
    // No file may grow beyond so many blocks; what comes out of standard output is no file.
    const command = `trap '' XFSZ; ulimit -f 0; "$0" "$@"`;
    const args = [MAIN, 'instrument', 'in.wasm', '-o', '-', '--suspending', 'env.sleep', '--cache', 'cache'].concat(
      '--target',
      'jspi',
    );
    const { code, stdout, stderr } = await run('sh', ['-c', command, process.execPath, ...args], at(''));
    expect(code).toBe(0);
    expect(stdout.length).toBeGreaterThan(guest.length);
    expect(stderr).toContain('warning: The cache was of no use');
    expect(await readdir(at('cache'))).toEqual([]);
  });

  test('has a folder where the entry should be: a warning each time', async () => {
    const { at, instrument } = await workshop();
    await instrument();
    const entry = await entryIn(at('cache'));
    await rename(entry, at('entry'));
    await mkdir(entry);
    expect(await instrument()).toMatchObject({ code: 0, stderr: expect.stringContaining('is a folder') });
  });
});

test('runs at the same time leave one whole entry, and all of them their module', async () => {
  const { at, instrument } = await workshop();
  const outputs = ['a', 'b', 'c', 'd'].map((name) => `${name}.wasm`);
  const outcomes = await Promise.all(outputs.map((output) => instrument(['-o', output])));
  expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  const [first, ...others] = await Promise.all(outputs.map((output) => readFile(at(output))));
  for (const each of others) expect(each).toEqual(first);
  await entryIn(at('cache'));
  expect((await instrument()).stderr).toContain(FROM_CACHE);
});

test('entries that nobody used for a month go when one is made, and no file of anybody else', async () => {
  const { at, instrument } = await workshop();
  await instrument();
  const old = await entryIn(at('cache'));
  const long = new Date(Date.now() - 31 * 24 * 3600_000);
  await utimes(old, long, long);
  const others = [path.join(at('cache'), 'notes.txt'), path.join(at('cache'), 'app.wasm')];
  for (const file of others) {
    await writeFile(file, 'mine');
    await utimes(file, long, long);
  }
  // Using it makes it young again.
  expect((await instrument()).stderr).toContain(FROM_CACHE);
  expect((await stat(old)).mtimeMs).toBeGreaterThan(long.getTime());
  await utimes(old, long, long);
  await instrument(['--strip-debug']);
  const names = await readdir(at('cache'));
  expect(names).not.toContain(path.basename(old));
  expect(names).toEqual(expect.arrayContaining(['notes.txt', 'app.wasm']));
  expect(names.length).toBe(3);
});
