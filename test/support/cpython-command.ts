// `wasm-fibers run` with CPython: what people try first.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { PYTHON } from './cpython.ts';
import { ROOT } from './temporary.ts';

/** `script` of util-linux makes a terminal; elsewhere that command takes other arguments. */
const hasTerminal =
  process.platform === 'linux' &&
  (process.env['PATH'] ?? '').split(path.delimiter).some((folder) => existsSync(path.join(folder, 'script')));
const MAIN = path.join(ROOT, 'build/host/cli/main.js');

/** A person at a terminal, or what sits in their place. */
class Session {
  readonly ended: Promise<number | null>;
  /** All that was printed, without what a terminal adds. */
  text = '';
  readonly #write: (text: string) => void;
  #seen = 0;
  #arrived: () => void = () => {};

  constructor(command: string, args: readonly string[]) {
    const child = spawn(command, args, { stdio: 'pipe' });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.text += text.replaceAll('\r', '');
        this.#arrived();
      });
    }
    this.#write = (text) => void child.stdin.write(text);
    this.ended = new Promise((resolve) => {
      child.on('close', (code) => {
        resolve(code);
        this.#arrived();
      });
    });
  }

  /** Waits until this was printed, after what was waited for before; then types. */
  async at(prompt: string, text: string): Promise<void> {
    for (;;) {
      const found = this.text.indexOf(prompt, this.#seen);
      if (found >= 0) {
        this.#seen = found + prompt.length;
        break;
      }
      const arrived = new Promise<void>((resolve) => (this.#arrived = resolve));
      const isOver = await Promise.race([arrived.then(() => false), this.ended.then(() => true)]);
      if (isOver && !this.text.includes(prompt, this.#seen)) {
        throw new Error(`it ended before it printed ${prompt}:\n${this.text}`);
      }
    }
    this.#write(text);
  }
}

/** @param flags those of `run` */
export function describePythonCommand(title: string, flags: () => readonly string[]): void {
  const command = (args: readonly string[]): string[] => ['--no-warnings', MAIN, 'run', ...flags(), PYTHON, ...args];

  describe(title, () => {
    test('sleeps, reads and prints', async () => {
      const script = 'import time; print("waits", flush=True); time.sleep(1); print(input())';
      const session = new Session(process.execPath, command(['--', '-c', script]));
      await session.at('waits\n', 'an answer\n');
      await session.at('an answer\n', '');
      expect([await session.ended, session.text]).toEqual([0, 'waits\nan answer\n']);
    });

    test('talks to a pipe', async () => {
      const session = new Session(process.execPath, command(['--', '-i', '-q']));
      await session.at('>>> ', 'print(6 * 7)\n');
      await session.at('42\n>>> ', 'import sys; sys.exit(5)\n');
      expect(await session.ended).toBe(5);
    });

    test.skipIf(!hasTerminal)('talks to a person at a terminal, who can interrupt it', async () => {
      const line = [process.execPath, ...command(['--', '-q'])].map((each) => `'${each}'`).join(' ');
      const session = new Session('script', ['-qec', line, '/dev/null']);
      await session.at('>>> ', 'name = input("who? ")\n');
      await session.at('who? ', 'me\n');
      await session.at('>>> ', 'print("hello", name)\n');
      await session.at('hello me\n>>> ', 'import time; time.sleep(3600)\n');
      await session.at('3600)\n', '\u0003');
      expect(await session.ended).toBe(130);
    });
  });
}
