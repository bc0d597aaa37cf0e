// `wasm-fibers run`: a WASI program as a command of this machine.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasGuest, loadPlain } from '../support/guest.ts';
import { makeFolder, removeFolder, ROOT, temporaryFolder } from '../support/temporary.ts';

const MAIN = path.join(ROOT, 'build/host/cli/main.js');

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;
let program: string;
beforeAll(async () => {
  folder = await makeFolder();
  program = path.join(folder, 'program.wasm');
  if (await hasGuest('program')) await writeFile(program, await loadPlain('program'));
});
afterAll(() => removeFolder(folder));

function begin(args: readonly string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const cache = path.join(folder, 'cache');
  const env = { ...process.env, XDG_CACHE_HOME: cache, ONLY_HERE: 'this process' };
  const child = spawn(process.execPath, ['--no-warnings', MAIN, 'run', ...args], { env });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data) => (stdout += String(data)));
  child.stderr.on('data', (data) => (stderr += String(data)));
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
  return { child, ended };
}

function runProgram(args: readonly string[], input = ''): Promise<Ended> {
  const { child, ended } = begin(args);
  child.stdin?.end(input);
  return ended;
}

describe.skipIf(!(await hasGuest('program')))('wasm-fibers run', () => {
  test('arguments, standard input and output, the exit code', async () => {
    expect(await runProgram([program, 'exit', '3'])).toMatchObject({ code: 3, stdout: 'goodbye\n' });
    const copied = await runProgram([program, '--', 'copy'], 'one\ntwo\n');
    expect([copied.code, copied.stdout]).toEqual([0, 'one\ntwo\n']);
  });

  test('is instrumented once where the engine needs that, and then comes out of the cache', async () => {
    const args = ['--backend', 'asyncify', program, 'env', 'A'];
    expect(await runProgram(args)).toMatchObject({ code: 0, stdout: 'unset\n' });
    const kept = await readdir(path.join(folder, 'cache/wasm-fibers'), { recursive: true });
    expect(kept.length).toBeGreaterThan(0);
    const again = await runProgram(args);
    expect(again).toEqual({ code: 0, stdout: 'unset\n', stderr: '' });
    expect(await readdir(path.join(folder, 'cache/wasm-fibers'), { recursive: true })).toEqual(kept);
  });

  test('the environment is what it is given', async () => {
    expect((await runProgram([program, 'env', 'ONLY_HERE'])).stdout).toBe('unset\n');
    expect((await runProgram(['--env', 'ONLY_HERE', program, 'env', 'ONLY_HERE'])).stdout).toBe('this process\n');
    expect((await runProgram(['--env', 'A=b=c', program, 'env', 'A'])).stdout).toBe('b=c\n');
  });

  test('directories, of which it sees nothing else, and may not write where it may only read', async () => {
    const work = await temporaryFolder({ 'inside/.keep': '', 'outside.txt': 'secret' });
    const inside = path.join(work, 'inside');
    const files = await runProgram(['--dir', `${inside}::/data`, program, 'files', '/data']);
    expect([files.code, files.stdout.split('\n')[0]]).toEqual([0, 'line 999']);
    expect(await readdir(path.join(inside, 'made'))).toEqual(['two.txt']);
    const saved = await runProgram(['--dir', `${inside}::/data`, program, 'save', '/data/text', 'kept']);
    expect([saved.code, await readFile(path.join(inside, 'text'), 'utf8')]).toEqual([0, 'kept\n']);
    const refused = await runProgram(['--dir', `${inside}::/data::ro`, program, 'save', '/data/text', 'lost']);
    expect([refused.code, await readFile(path.join(inside, 'text'), 'utf8')]).toEqual([1, 'kept\n']);
    const out = await runProgram(['--dir', `${inside}::/data`, program, 'save', '/data/../outside.txt', 'lost']);
    expect([out.code, await readFile(path.join(work, 'outside.txt'), 'utf8')]).toEqual([1, 'secret']);
  });

  test('a timeout ends it with 124, Ctrl-C with 130', async () => {
    expect((await runProgram(['--timeout', '300', program, 'sleep', '60000'])).code).toBe(124);
    const { child, ended } = begin([program, 'copy']);
    // It has begun when it has given back a line.
    child.stdin?.write('begun\n');
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130, stdout: 'begun\n' });
  });

  test('a trap ends it with 134, and says what it was; SIGTERM with 143', async () => {
    // (module (func (export "_start") unreachable))
    const trap = '0061736d0100000001040160000003020100070a01065f737461727400000a05010300000b';
    const trapping = path.join(folder, 'trapping.wasm');
    await writeFile(trapping, Buffer.from(trap, 'hex'));
    const ended = await runProgram([trapping]);
    expect(ended).toMatchObject({ code: 134, stderr: expect.stringMatching(/^trapping\.wasm trapped: .*unreachable/) });
    const waiting = begin([program, 'copy']);
    waiting.child.stdin?.write('begun\n');
    await new Promise((resolve) => waiting.child.stdout?.once('data', resolve));
    waiting.child.kill('SIGTERM');
    expect((await waiting.ended).code).toBe(143);
  });

  test('a reader that goes is a closed pipe for the program', async () => {
    const { child, ended } = begin([program, 'copy']);
    child.stdin?.on('error', () => {}).write('x'.repeat(1000));
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    child.stdout?.destroy();
    // As long as it reads what nobody takes.
    const timer = setInterval(() => child.stdin?.write('x'.repeat(100)), 5);
    expect(await ended).toMatchObject({ code: 1, stderr: 'write: Broken pipe\n' });
    clearInterval(timer);
  });

  test('what cannot run is refused, by name', async () => {
    const work = await temporaryFolder({ 'text.wasm': 'no module' });
    await mkdir(path.join(work, 'folder'));
    const needy = path.join(work, 'needy.wasm');
    await writeFile(needy, await loadPlain('core'));
    const [component, damaged] = [path.join(work, 'component.wasm'), path.join(work, 'damaged.wasm')];
    await writeFile(component, Buffer.from('0061736d0d000100', 'hex'));
    await writeFile(damaged, Buffer.from('0061736d0100000001', 'hex'));
    const refusals: readonly (readonly [number, string, readonly string[]])[] = [
      [2, 'nothing.wasm: no such file', [path.join(work, 'nothing.wasm')]],
      [1, 'text.wasm: This is not a WebAssembly binary', [path.join(work, 'text.wasm')]],
      [1, 'component, not a core module', [component]],
      [1, 'cannot be compiled by this engine', [damaged]],
      [2, 'no such directory', ['--dir', path.join(work, 'none'), program]],
      [2, 'is a file, not a directory', ['--dir', program, program]],
      [2, 'another directory at /', ['--dir', `${work}::/`, '--dir', `${work}::/`, program]],
      [2, 'must be HOST', ['--dir', '::', program]],
      [2, 'milliseconds above 0', ['--timeout', '-1', program]],
      [2, 'NAME=value', ['--env', '=x', program]],
      [2, 'missing required argument', []],
      [1, 'env.wait', [needy]],
      [1, 'env.note', [needy]],
    ];
    for (const [code, message, args] of refusals) {
      const ended = await runProgram(args);
      expect([ended.code, ended.stdout, ended.stderr]).toEqual([code, '', expect.stringContaining(message)]);
    }
  });
});
