/** The command line as it is published: the built file, run as a person runs it. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import {
  chmod,
  lstat,
  mkdtemp,
  open,
  readFile,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inspect } from '../../host/instrument/index.ts';
import type { Metadata } from '../../host/instrument/index.ts';
import { readOutline } from '../../host/instrument/binary/module.ts';
import { SHORT_LIVED } from '../support/temporary.ts';
import { assemble } from './instrument-driver.ts';

const MAIN = fileURLToPath(new URL('../../build/host/cli/main.js', import.meta.url));
const GUEST = `(module
  (import "env" "sleep" (func $sleep (param i32) (result i64))) (import "env" "log" (func $log (param i32)))
  (memory (export "memory") 1 10)
  (func $helper (export "run") (param i32) (result i64) (call $log (i32.const 1)) (call $sleep (local.get 0)))
  (func $other (export "pure") (result i32) (i32.const 1)))`;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'wasm-fibers-cli-'));
  await writeFile(at('in.wasm'), assemble(GUEST));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const at = (name: string): string => path.join(folder, name);

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line in the test's folder. Bytes of standard input and output are passed as latin1. */
function cli(
  args: readonly string[],
  options: { input?: Uint8Array; env?: Record<string, string> } = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [...SHORT_LIVED, MAIN, ...args],
      {
        cwd: folder,
        encoding: 'latin1',
        env: { ...process.env, NO_COLOR: '', FORCE_COLOR: '', ...options.env },
        maxBuffer: 1 << 26,
      },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
    child.stdin?.end(options.input);
  });
}

/** The same with standard output and standard error at files or devices of one's choice. */
async function cliInto(args: readonly string[], stdoutPath: string, stderrPath?: string): Promise<Outcome> {
  const stdout = await open(stdoutPath, 'a');
  const stderr = stderrPath === undefined ? null : await open(stderrPath, 'a');
  try {
    return await new Promise((resolve) => {
      const child = spawn(process.execPath, [...SHORT_LIVED, MAIN, ...args], {
        cwd: folder,
        stdio: ['ignore', stdout.fd, stderr?.fd ?? 'pipe'],
        env: { ...process.env, NO_COLOR: '', FORCE_COLOR: '' },
      });
      let text = '';
      child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      child.on('close', (code) => resolve({ code: code ?? -1, stdout: '', stderr: text }));
    });
  } finally {
    await Promise.all([stdout.close(), stderr?.close()]);
  }
}

const leftovers = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name.endsWith('.tmp'));

/** A non-negative number as a Base64 VLQ. */
function vlq(value: number): string {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  let rest = value * 2;
  let encoded = '';
  do {
    encoded += digits[(rest & 31) | (rest > 31 ? 32 : 0)] ?? '';
    rest >>= 5;
  } while (rest > 0);
  return encoded;
}

describe('wasm-fibers instrument', () => {
  test('writes a module and says what was done', async () => {
    const { code, stdout, stderr } = await cli([
      'instrument',
      'in.wasm',
      '-o',
      'out.wasm',
      '--suspending',
      'env.sleep',
    ]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toMatch(/^instrumented out\.wasm: 1 of 2 functions, \d+ bytes -> .*suspending: env\.sleep\n$/m);
    const module = new WebAssembly.Module(await readFile(at('out.wasm')));
    expect(WebAssembly.Module.customSections(module, 'wasm-fibers')).toHaveLength(1);
  });

  test.each([
    ['-O0', 0, 0],
    ['-O4', 4, 0],
    ['-Os', 2, 1],
    ['-Oz', 2, 2],
  ])("takes the toolchain's spelling %s", async (flag, optimizeLevel, shrinkLevel) => {
    const { code } = await cli(['instrument', 'in.wasm', '-o', `level${flag}.wasm`, '--suspending', '*', flag, '-q']);
    expect(code).toBe(0);
    const { stdout } = await cli(['inspect', `level${flag}.wasm`, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ metadata: { options: { optimizeLevel, shrinkLevel } } });
  });

  test('reads standard input and writes standard output', async () => {
    const { code, stdout, stderr } = await cli(['instrument', '-', '-o', '-', '--suspending', 'env.sleep'], {
      input: await readFile(at('in.wasm')),
    });
    expect(code).toBe(0);
    expect(stderr).toContain('standard output');
    expect(WebAssembly.validate(Buffer.from(stdout, 'latin1'))).toBe(true);
  });

  test('in place, keeping the mode of the file, through a symbolic link', async () => {
    await writeFile(at('same.wasm'), await readFile(at('in.wasm')));
    await chmod(at('same.wasm'), 0o640);
    await symlink('same.wasm', at('link.wasm'));
    const { code } = await cli(['instrument', 'link.wasm', '-o', 'link.wasm', '--suspending', 'env.*', '-q']);
    expect(code).toBe(0);
    expect((await stat(at('same.wasm'))).mode & 0o777).toBe(0o640);
    const { stdout } = await cli(['inspect', 'same.wasm', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'instrumented' });
  });

  test('refused: exit code 1, the sentence, and the good file that was there stays', async () => {
    await writeFile(at('good.wasm'), 'precious');
    const refused = await cli(['instrument', 'in.wasm', '-o', 'good.wasm', '--suspending', 'env.slep']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('wasm-fibers: in.wasm: --suspending env.slep matches no import');
    expect(refused.stderr).toContain('Did you mean "env.sleep"');
    expect(refused.stderr).not.toMatch(/\n\s+at /);
    expect(await readFile(at('good.wasm'), 'utf8')).toBe('precious');
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('without --suspending lists the imports with their types, exit code 1', async () => {
    const { code, stderr } = await cli(['instrument', 'in.wasm', '-o', 'none.wasm']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/env\.sleep +\(i32\) -> i64/);
    expect(stderr).toMatch(/env\.log +\(i32\) -> \(\)/);
    expect(await readdir(folder)).not.toContain('none.wasm');
  });

  test('an already instrumented module is refused', async () => {
    await cli(['instrument', 'in.wasm', '-o', 'twice.wasm', '--suspending', 'env.sleep']);
    const { code, stderr } = await cli(['instrument', 'twice.wasm', '-o', 'twice.wasm', '--suspending', 'env.sleep']);
    expect(code).toBe(1);
    expect(stderr).toContain('already instrumented by wasm-fibers');
  });

  test.each([
    ['no arguments', ['instrument'], /missing required argument 'input'/],
    ['no output', ['instrument', 'in.wasm'], /'-o, --output <file>' not specified/],
    [
      'an unknown target',
      ['instrument', 'in.wasm', '-o', 'x.wasm', '--target', 'wasmfx'],
      /Allowed choices are asyncify/,
    ],
    ['two modules to one stream', ['instrument', 'in.wasm', '-o', '-', '--target', 'both'], /two modules are written/],
    ['a pair without a name', ['instrument', '-', '--target', 'both'], /standard input need a name/],
    [
      'two maps to one stream',
      ['instrument', 'in.wasm', '--target', 'both', '-ism', 'in.map', '-osm', '-'],
      /two source maps are written/,
    ],
    ['no input', ['instrument', '-o', 'x.wasm'], /missing required argument 'input'/],
    ['an unknown option', ['instrument', 'in.wasm', '-o', 'x.wasm', '--suspend', 'a'], /unknown option '--suspend'/],
    ['an unknown level', ['instrument', 'in.wasm', '-o', 'x.wasm', '-O9'], /must be -O0/],
    ['an unknown kind', ['instrument', 'in.wasm', '-o', 'x.wasm', '--shadow-stack', 'go'], /Allowed choices are auto/],
    ['half an allocator', ['instrument', 'in.wasm', '-o', 'x.wasm', '--allocator', 'malloc'], /ALLOC,FREE/],
    [
      'an input that does not exist',
      ['instrument', 'no.wasm', '-o', 'x.wasm', '--suspending', '*'],
      /no\.wasm: no such file/,
    ],
    [
      'an output in no folder',
      ['instrument', 'in.wasm', '-o', 'no/x.wasm', '--suspending', '*'],
      /folder .* does not exist/,
    ],
    ['an output that is a folder', ['instrument', 'in.wasm', '-o', '.', '--suspending', '*'], /is a folder/],
    [
      'half of a source map',
      ['instrument', 'in.wasm', '-o', 'x.wasm', '-ism', 'in.map'],
      /also needs --output-source-map/,
    ],
    ['contradicting options', ['instrument', 'in.wasm', '-o', 'x.wasm', '-g', '--strip-debug'], /contradict/],
    ['an output without a name', ['instrument', 'no.wasm', '-o', ''], /'--?o.*must not be empty/],
    ['an input without a name', ['instrument', '', '-o', 'x.wasm'], /'input'.*must not be empty/],
    ['a file to inspect without a name', ['inspect', ''], /'file'.*must not be empty/],
    [
      'a source map without a name',
      ['instrument', 'no.wasm', '-o', 'x.wasm', '-ism', 'in.map', '-osm', ''],
      /--output-source-map.*must not be empty/,
    ],
    ['an unknown command', ['explode'], /unknown command 'explode'/],
  ])('usage: %s, exit code 2', async (_, args, message) => {
    const { code, stderr, stdout } = await cli(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
  });

  test('source maps are read and written', async () => {
    // One mapping: the first byte of code in the first body (behind its count of locals) is line 17 of guest.c.
    const start = (readOutline(await readFile(at('in.wasm'))).bodies[0]?.start ?? 0) + 1;
    const map = JSON.stringify({ version: 3, sources: ['guest.c'], names: [], mappings: `${vlq(start)}A${vlq(16)}A` });
    await writeFile(at('in.wasm.map'), map);
    const args = ['-ism', 'in.wasm.map', '-osm', 'mapped.wasm.map', '-osu', 'mapped.wasm.map'];
    const { code, stderr } = await cli(['instrument', 'in.wasm', '-o', 'mapped.wasm', '--suspending', '*', ...args]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const written = JSON.parse(await readFile(at('mapped.wasm.map'), 'utf8')) as {
      sources: string[];
      mappings: string;
    };
    expect(written.sources).toEqual(['guest.c']);
    expect(written.mappings).not.toBe('');
    const bare = await cli(['instrument', 'in.wasm', '-o', 'bare.wasm', '--suspending', '*', ...args.slice(0, 4)]);
    expect(bare.code).toBe(0);
    expect(WebAssembly.validate(await readFile(at('bare.wasm')))).toBe(true);
  });

  test('what takes longer than a second shows its progress on standard error, as plain lines in a log', async () => {
    const body = '(local.set 0 (i32.add (local.get 0) (call $sleep (local.get 0))))'.repeat(20);
    const functions = Array.from({ length: 50 }, (_, index) => `(func (export "f${index}") (param i32) ${body})`);
    const wat = `(module (import "env" "sleep" (func $sleep (param i32) (result i32))) (memory (export "memory") 1) ${functions.join('')})`;
    await writeFile(at('large.wasm'), assemble(wat));
    const { code, stderr } = await cli(['instrument', 'large.wasm', '-o', 'large.out.wasm', '--suspending', '*']);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^wasm-fibers: instrumenting \.\.\. \(after \d+ s\)$/m);
    expect(stderr).not.toContain('\r');
  });

  test('colour only where it is wanted', async () => {
    const args = ['instrument', 'in.wasm', '-o', 'colour.wasm', '--suspending', '*'];
    const escape = '\u001b[';
    expect((await cli(args)).stderr).not.toContain(escape);
    expect((await cli(args, { env: { FORCE_COLOR: '1' } })).stderr).toContain(escape);
    expect((await cli(args, { env: { FORCE_COLOR: '1', NO_COLOR: '1' } })).stderr).not.toContain(escape);
  });
});

describe('--target', () => {
  const metadataOf = async (name: string): Promise<Metadata | null> => inspect(await readFile(at(name))).metadata;
  const targetOf = async (name: string): Promise<string | undefined> => (await metadataOf(name))?.target;

  test('jspi writes a module that is not rewritten, and says so', async () => {
    const args = ['instrument', 'in.wasm', '-o', 'for.jspi.wasm', '--target', 'jspi', '--suspending', 'env.sleep'];
    const { code, stdout, stderr } = await cli(args);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toMatch(
      /^instrumented for\.jspi\.wasm for jspi: 1 of 2 functions may wait, none rewritten, \d+ bytes -> .*suspending: env\.sleep\n$/m,
    );
    expect(await targetOf('for.jspi.wasm')).toBe('jspi');
  });

  test('both writes a pair, beside the input unless a name is given, and reports both sizes', async () => {
    const beside = await cli(['instrument', 'in.wasm', '--target', 'both', '--suspending', 'env.sleep']);
    expect(beside.code).toBe(0);
    const sizes = (await Promise.all(['asyncify', 'jspi'].map((target) => stat(at(`in.${target}.wasm`))))).map(
      ({ size }) => (size < 1000 ? `${size} bytes` : `${(size / 1000).toFixed(1)} kB`),
    );
    expect(beside.stderr).toMatch(new RegExp(`^instrumented in\\.asyncify\\.wasm: 1 of 2 .* -> ${sizes[0]} `, 'm'));
    expect(beside.stderr).toMatch(
      new RegExp(`^instrumented in\\.jspi\\.wasm for jspi: 1 of 2 .* -> ${sizes[1]} `, 'm'),
    );
    expect([await targetOf('in.asyncify.wasm'), await targetOf('in.jspi.wasm')]).toEqual(['asyncify', 'jspi']);
  });

  test.each([
    ['named.wasm', 'named'],
    ['bare', 'bare'],
    ['-x', './-x'],
  ])('both writes a pair under the name %s', async (output, stem) => {
    const args = ['--target', 'both', '--suspending', '*', '-q', `--output=${output}`];
    expect(await cli(['instrument', 'in.wasm', ...args])).toEqual({ code: 0, stdout: '', stderr: '' });
    expect([await targetOf(`${stem}.asyncify.wasm`), await targetOf(`${stem}.jspi.wasm`)]).toEqual([
      'asyncify',
      'jspi',
    ]);
  });

  test('both writes a pair of what comes from standard input', async () => {
    const piped = ['instrument', '-', '-o', 'piped.wasm', '--target', 'both', '--suspending', '*', '-q'];
    expect((await cli(piped, { input: await readFile(at('in.wasm')) })).code).toBe(0);
    expect([await targetOf('piped.asyncify.wasm'), await targetOf('piped.jspi.wasm')]).toEqual(['asyncify', 'jspi']);
  });

  test('options that only one of a pair has are for that one', async () => {
    const args = ['--target', 'both', '--suspending', '*', '--remove', 'other', '-O2', '-q', '-o', 'lists.wasm'];
    expect((await cli(['instrument', 'in.wasm', ...args])).code).toBe(0);
    expect((await metadataOf('lists.asyncify.wasm'))?.options).toMatchObject({ remove: ['other'], optimizeLevel: 2 });
    expect((await metadataOf('lists.jspi.wasm'))?.options).toEqual({
      optimizeLevel: 2,
      shrinkLevel: 0,
      suspending: ['*'],
    });
    const alone = await cli([
      'instrument',
      'in.wasm',
      '-o',
      'x.wasm',
      '--target',
      'jspi',
      '--suspending',
      '*',
      '--only',
      'run',
    ]);
    expect(alone).toMatchObject({ code: 1, stderr: expect.stringContaining("means nothing for the target 'jspi'") });
  });

  test('each of a pair has a source map of its own, and its URL', async () => {
    const start = (readOutline(await readFile(at('in.wasm'))).bodies[0]?.start ?? 0) + 1;
    const map = JSON.stringify({ version: 3, sources: ['guest.c'], names: [], mappings: `${vlq(start)}A${vlq(16)}A` });
    await writeFile(at('pair.map'), map);
    const maps = ['-ism', 'pair.map', '-osm', 'pair.wasm.map', '-osu', 'https://x.test/maps/pair.wasm.map?v=1'];
    const args = ['instrument', 'in.wasm', '-o', 'pair.wasm', '--target', 'both', '--suspending', '*', '-q', ...maps];
    expect(await cli(args)).toEqual({ code: 0, stdout: '', stderr: '' });
    for (const target of ['asyncify', 'jspi']) {
      const { sources } = JSON.parse(await readFile(at(`pair.${target}.wasm.map`), 'utf8')) as { sources: string[] };
      expect(sources).toEqual(['guest.c']);
      const module = new WebAssembly.Module(await readFile(at(`pair.${target}.wasm`)));
      const [url] = WebAssembly.Module.customSections(module, 'sourceMappingURL');
      expect(new TextDecoder().decode(url)).toContain(`https://x.test/maps/pair.${target}.wasm.map?v=1`);
    }
  });

  test('a pair is written both or not at all', async () => {
    const tail = `(module (import "env" "sleep" (func $sleep)) (memory (export "memory") 1)
      (func $tail (export "f") (return_call $sleep)))`;
    await writeFile(at('tail.wasm'), assemble(tail));
    await writeFile(at('tail.jspi.wasm'), 'precious');
    const refused = await cli(['instrument', 'tail.wasm', '--target', 'both', '--suspending', '*', '-q']);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('--target jspi') });
    expect(await readFile(at('tail.jspi.wasm'), 'utf8')).toBe('precious');
    expect(await readdir(folder)).not.toContain('tail.asyncify.wasm');
    // Named after what one of the two is too long for.
    const long = 'n'.repeat(255 - '.asyncify.wasm'.length + 1);
    const tooLong = await cli(['instrument', 'in.wasm', '-o', long, '--target', 'both', '--suspending', '*', '-q']);
    expect(tooLong).toMatchObject({ code: 1, stderr: expect.stringContaining('too long') });
    expect((await readdir(folder)).filter((name) => name.startsWith('nnn'))).toEqual([]);
    expect(await leftovers()).toEqual([]);
  });

  test('inspect says what each target is, what an engine needs, and what to do where only one will do', async () => {
    await cli(['instrument', 'in.wasm', '-o', 'looked-at.wasm', '--target', 'jspi', '--suspending', 'env.sleep', '-q']);
    const jspi = (await cli(['inspect', 'looked-at.wasm'])).stdout;
    expect(jspi).toMatch(/^ {2}target +jspi \(the engine switches stacks\)$/m);
    expect(jspi).toMatch(
      /^ {2}needs +JavaScript Promise Integration, JSPI \(Chrome 137, Firefox 153, Safari 27, Node 24/m,
    );
    expect(jspi).toMatch(/^ {2}allocator +none needed$/m);
    expect(jspi).toMatch(/env\.sleep.*may suspend/);
    expect(jspi).not.toContain('largest frame');
    await cli(['instrument', 'in.wasm', '-o', 'looked-at.wasm', '--suspending', 'env.sleep', '-q']);
    const asyncify = (await cli(['inspect', 'looked-at.wasm'])).stdout;
    expect(asyncify).toMatch(/^ {2}target +asyncify \(code was rewritten\)$/m);
    expect(asyncify).toMatch(/^ {2}needs +no more than every engine has$/m);
    await writeFile(
      at('tail-only.wasm'),
      assemble('(module (import "env" "sleep" (func $sleep)) (func $tail (export "f") (return_call $sleep)))'),
    );
    const { stdout } = await cli(['inspect', 'tail-only.wasm']);
    expect(stdout).toMatch(/^ {2}needs +tail calls$/m);
    expect(stdout).toContain(
      'wasm-fibers instrument tail-only.wasm -o tail-only.fibers.wasm --target jspi --suspending env.sleep\n  The function "tail" has a tail call',
    );
    const again = await cli(['instrument', 'for.jspi.wasm', '-o', 'x.wasm', '--suspending', '*', '--target', 'jspi']);
    expect(again).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('already instrumented by wasm-fibers for the target jspi'),
    });
  });
});

describe('output that is no ordinary file', () => {
  const SUSPENDING = ['--suspending', 'env.sleep', '-q'];

  // In this order: where a pipe in the test's folder is replaced by a file, a device of the machine must not be tried.
  test('a pipe, and then a device, is written to and stays what it is, through links as well', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    await symlink('pipe', at('to-pipe'));
    for (const name of ['pipe', 'to-pipe']) {
      // Opened for reading and writing, a pipe never makes anyone wait for its other end.
      const reader = await open(at('pipe'), 'r+');
      const { code, stderr } = await cli(['instrument', 'in.wasm', '-o', name, ...SUSPENDING]);
      const kind = await lstat(at('pipe'));
      expect({ code, stderr, stays: kind.isFIFO() }).toEqual({ code: 0, stderr: '', stays: true });
      const { buffer, bytesRead } = await reader.read(Buffer.alloc(65_536), 0, 65_536, null);
      expect(WebAssembly.validate(buffer.subarray(0, bytesRead))).toBe(true);
      await reader.close();
    }
    expect(await readlink(at('to-pipe'))).toBe('pipe');

    await symlink('/dev/null', at('to-null'));
    expect((await cli(['instrument', 'in.wasm', '-o', 'to-null', ...SUSPENDING])).code).toBe(0);
    await symlink('/dev/full', at('to-full'));
    const full = await cli(['instrument', 'in.wasm', '-o', 'to-full', ...SUSPENDING]);
    expect(full).toMatchObject({
      code: 1,
      stderr: 'wasm-fibers: to-full: cannot be written: no space left on the device.\n',
    });
    expect([(await stat('/dev/null')).isCharacterDevice(), (await stat('/dev/full')).isCharacterDevice()]).toEqual([
      true,
      true,
    ]);
    expect([await readlink(at('to-null')), await readlink(at('to-full'))]).toEqual(['/dev/null', '/dev/full']);
    expect(await leftovers()).toEqual([]);
  });

  test('a path of standard output is standard output, and what stood there before stays', async () => {
    await symlink('/proc/self/fd/1', at('to-stdout'));
    const piped = await cli(['instrument', 'in.wasm', '-o', 'to-stdout', ...SUSPENDING]);
    expect(piped).toMatchObject({ code: 0, stderr: '' });
    expect(WebAssembly.validate(Buffer.from(piped.stdout, 'latin1'))).toBe(true);
    await writeFile(at('log'), 'before');
    expect((await cliInto(['instrument', 'in.wasm', '-o', 'to-stdout', ...SUSPENDING], at('log'))).code).toBe(0);
    expect((await readFile(at('log'), 'latin1')).slice(0, 10)).toBe('before\0asm');
    expect(await readlink(at('to-stdout'))).toBe('/proc/self/fd/1');
  });

  test('a socket is refused at once, exit code 2', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(at('socket'), resolve));
    const { code, stderr } = await cli(['instrument', 'no.wasm', '-o', 'socket', ...SUSPENDING]);
    expect((await stat(at('socket'))).isSocket()).toBe(true);
    await new Promise((resolve) => server.close(resolve));
    expect(code).toBe(2);
    expect(stderr).toBe('wasm-fibers: socket: is a socket; name a file, or - for standard output.\n');
  });

  test('a link to a folder is refused as a folder is', async () => {
    await symlink('.', at('to-folder'));
    const { code, stderr } = await cli(['instrument', 'in.wasm', '-o', 'to-folder', ...SUSPENDING]);
    expect(code).toBe(2);
    expect(stderr).toContain('to-folder: is a folder');
  });

  test('a link to nothing stays, and what it names is made', async () => {
    await symlink('made-by-link.wasm', at('second-link'));
    await symlink('second-link', at('first-link'));
    expect((await cli(['instrument', 'in.wasm', '-o', 'first-link', ...SUSPENDING])).code).toBe(0);
    expect(await readlink(at('first-link'))).toBe('second-link');
    expect(await readlink(at('second-link'))).toBe('made-by-link.wasm');
    expect(WebAssembly.validate(await readFile(at('made-by-link.wasm')))).toBe(true);
    await symlink('no-folder/x.wasm', at('far-link'));
    const far = await cli(['instrument', 'no.wasm', '-o', 'far-link', ...SUSPENDING]);
    expect(far).toMatchObject({ code: 2, stderr: expect.stringMatching(/far-link: the folder .*no-folder does not/) });
    await symlink('circle', at('circle'));
    const circle = await cli(['instrument', 'no.wasm', '-o', 'circle', ...SUSPENDING]);
    expect(circle).toMatchObject({ code: 2, stderr: expect.stringContaining('circle: a symbolic link that leads to') });
  });

  test('a name as long as names can be works, one byte more is explained', async () => {
    const longest = `${'n'.repeat(250)}.wasm`;
    expect((await cli(['instrument', 'in.wasm', '-o', longest, ...SUSPENDING])).code).toBe(0);
    const { code, stderr } = await cli(['instrument', 'in.wasm', '-o', `n${longest}`, ...SUSPENDING]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `wasm-fibers: n${longest}: the name is too long for the file system.\n`,
    });
    const both = await cli(['instrument', 'in.wasm', '-o', '-', '-ism', 'm', '-osm', `n${longest}`, ...SUSPENDING]);
    expect(both).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('too long') });
    expect(await leftovers()).toEqual([]);
  });
});

describe('standard output that fails', () => {
  const COMMANDS = [
    [['inspect', 'in.wasm']],
    [['inspect', 'in.wasm', '--json']],
    [['instrument', 'in.wasm', '-o', '-', '--suspending', 'env.sleep', '-q']],
    [['--help']],
    [['--version']],
  ];

  test.each(COMMANDS)('%j into a full device is a sentence, exit code 1', async (args) => {
    expect(await cliInto(args, '/dev/full')).toMatchObject({
      code: 1,
      stderr: 'wasm-fibers: standard output: cannot be written: no space left on the device.\n',
    });
  });

  test.each(COMMANDS)('%j for a reader that has gone ends quietly', async (args) => {
    const outcome = await new Promise<Outcome>((resolve) => {
      const child = spawn(process.execPath, [...SHORT_LIVED, MAIN, ...args], {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child.stdout.destroy();
      let text = '';
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      child.on('close', (code) => resolve({ code: code ?? -1, stdout: '', stderr: text }));
    });
    expect(outcome).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('a standard error that fails does not undo what was done', async () => {
    const args = ['instrument', 'in.wasm', '-o', 'unsaid.wasm', '--suspending', 'env.sleep'];
    expect((await cliInto(args, at('log'), '/dev/full')).code).toBe(0);
    expect(WebAssembly.validate(await readFile(at('unsaid.wasm')))).toBe(true);
    expect((await cliInto(['inspect', 'no.wasm'], at('log'), '/dev/full')).code).toBe(2);
  });
});

describe('wasm-fibers inspect', () => {
  test('says what a plain module is, and the next command', async () => {
    const { code, stdout, stderr } = await cli(['inspect', 'in.wasm']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('not instrumented');
    expect(stdout).toMatch(/env\.sleep +\(i32\) -> i64/);
    expect(stdout).toMatch(/pure +\(\) -> i32/);
    expect(stdout).toContain('wasm-fibers instrument in.wasm -o in.fibers.wasm --suspending env.sleep');
  });

  test('says how an instrumented module was made', async () => {
    await cli(['instrument', 'in.wasm', '-o', 'made.wasm', '--suspending', 'env.sleep', '-q']);
    const { stdout } = await cli(['inspect', 'made.wasm']);
    expect(stdout).toContain('instrumented by wasm-fibers (format 3)');
    expect(stdout).toMatch(/env\.sleep.*may suspend/);
    expect(stdout).toMatch(/env\.log +\(i32\) -> \(\)\n/);
    expect(stdout).toContain('suspending [env.sleep]');
    expect(stdout).toMatch(/source SHA-256 +[0-9a-f]{64}/);
  });

  test('quotes what a shell would take apart, and what a URL would', async () => {
    const odd = "it's $(x).wasm";
    await writeFile(at(odd), assemble(`(module (import "a b" "c$d" (func)) (memory 1) (func (export "f")))`));
    const plain = await cli(['inspect', odd]);
    expect(plain.stdout).toContain(
      String.raw`wasm-fibers instrument 'it'\''s $(x).wasm' -o 'it'\''s $(x).fibers.wasm' --suspending 'a b.c$d'`,
    );
    // The proof: a shell that is given the line runs it.
    const line = /^ *wasm-fibers (instrument .*)$/m.exec(plain.stdout)?.[1] ?? '';
    execFileSync('sh', ['-c', `"$0" "$1" ${line} -q`, process.execPath, MAIN], { cwd: folder });
    const made = await cli(['inspect', "it's $(x).fibers.wasm"]);
    expect(made.stdout).toContain("new URL('it%27s%20%24(x).fibers.wasm', import.meta.url)");
    await writeFile(at('-dash.wasm'), await readFile(at('in.wasm')));
    expect((await cli(['inspect', './-dash.wasm'])).stdout).toContain(
      'instrument ./-dash.wasm -o ./-dash.fibers.wasm ',
    );
    expect((await cli(['inspect', '--', '-dash.wasm'])).stdout).toContain('instrument ./-dash.wasm -o ./-dash.fibers');
  });

  test('of standard input suggests no file called -', async () => {
    const plain = await cli(['inspect', '-'], { input: await readFile(at('in.wasm')) });
    expect(plain.stdout).toMatch(/^standard input\n/);
    expect(plain.stdout).toContain('wasm-fibers instrument in.wasm -o out.wasm --suspending env.sleep\n');
    await cli(['instrument', 'in.wasm', '-o', 'piped.wasm', '--suspending', '*', '-q']);
    const made = await cli(['inspect', '-'], { input: await readFile(at('piped.wasm')) });
    expect(made.stdout).not.toContain("'-'");
    expect(made.stdout).toContain("new URL('out.wasm', import.meta.url)");
  });

  test('suggests an import that could wait, if there is one', async () => {
    const imports = (names: readonly string[]): Uint8Array =>
      assemble(`(module ${names.map((name) => `(import "env" "${name}" (func))`).join('')} (memory 1 2))`);
    await writeFile(at('as.wasm'), imports(['abort', 'seed', 'trace', 'proc_exit', 'console.log', 'httpGet', 'later']));
    expect((await cli(['inspect', 'as.wasm'])).stdout).toContain('--suspending env.httpGet\n');
    await writeFile(at('as.wasm'), imports(['abort', 'seed']));
    expect((await cli(['inspect', 'as.wasm'])).stdout).toContain('--suspending env.abort\n');
  });

  test.each([
    ['names of its own', '(func $own)', true, ' with names', 'with names'],
    ['names of imports only', '(func)', true, 'The name section of this module names', 'without names of their own'],
    ['no names', '(func)', false, 'This module has no name section', 'no name section'],
  ])('says of %s what --remove says', async (_, own, names, refusal, description) => {
    const wat = `(module (import "env" "sleep" (func $sleep)) (memory (export "memory") 1) ${own})`;
    await writeFile(at('names.wasm'), assemble(wat, names));
    const { stdout } = await cli(['inspect', 'names.wasm']);
    expect(stdout).toContain(description);
    const json = JSON.parse((await cli(['inspect', 'names.wasm', '--json'])).stdout) as Record<string, unknown>;
    expect(json).toMatchObject({ functions: { count: 1, named: description === 'with names' } });
    const args = ['--suspending', '*', '--remove', 'zzz*'];
    const { stderr } = await cli(['instrument', 'names.wasm', '-o', 'x.wasm', ...args]);
    if (description === 'with names') expect(stderr).not.toContain('name section');
    else expect(stderr).toContain(refusal);
  });

  test('--json is for programs', async () => {
    const { stdout } = await cli(['inspect', 'in.wasm', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'plain', functions: { count: 2, named: true }, refusal: null });
  });

  test('what is no module is refused with a sentence', async () => {
    await writeFile(at('page.wasm'), '<!doctype html>');
    const { code, stderr } = await cli(['inspect', 'page.wasm']);
    expect(code).toBe(1);
    expect(stderr).toBe(
      'wasm-fibers: page.wasm: This is not a WebAssembly binary: it is an HTML page, perhaps the error page of a download.\n',
    );
  });
});

describe('wasm-fibers', () => {
  test.each([[['--help']], [['instrument', '--help']], [['inspect', '--help']], [['help', 'instrument']]])(
    '%j teaches with examples',
    async (args) => {
      const { code, stdout, stderr } = await cli(args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain('Examples:');
    },
  );

  test('says how long it takes, in the same words as the reference', async () => {
    const words = 'some 20 to 30 seconds per megabyte';
    expect((await cli(['instrument', '--help'])).stdout.replace(/\s+/g, ' ')).toContain(words);
    expect(await readFile(new URL('../../host/instrument/index.ts', import.meta.url), 'utf8')).toContain(words);
  });

  test('--version is that of the package', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(await cli(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('without a command prints the help, exit code 2', async () => {
    const { code, stderr } = await cli([]);
    expect(code).toBe(2);
    expect(stderr).toContain('Usage: wasm-fibers');
  });
});
