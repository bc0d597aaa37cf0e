// WASI: a program in C, compiled with wasi-libc, whose blocking calls wait.
import { describe, expect, test } from 'vitest';
import { type RunOptions, TextOutput, memoryFiles, run } from 'wasm-fibers/wasi';
import { Gate, turn } from '../support/core.ts';
import { guestSource, hasGuest } from '../support/guest.ts';

const hasC = await hasGuest('program');

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function program(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [stdout, stderr] = [new TextOutput(), new TextOutput()];
  const code = await run(guestSource('program'), { args: ['program', ...args], stdout, stderr, ...options });
  return { code, out: stdout.text, err: stderr.text };
}

const wellDone = (out: string): Outcome => ({ code: 0, out, err: '' });

describe.skipIf(!hasC)('a program in C', () => {
  test('copies its input to its output, however slowly it comes', async () => {
    async function* slowly(): AsyncGenerator<string> {
      for (const part of ['some', ' words, ', 'more than a buffer holds', '\n']) {
        await turn();
        yield part;
      }
    }
    expect(await program(['copy'], { stdin: slowly() })).toEqual(wellDone('some words, more than a buffer holds\n'));
  });

  test('asks a person inside of a comparator, inside of qsort', async () => {
    const questions: string[] = [];
    const gate = new Gate();
    async function* answers(): AsyncGenerator<string> {
      for (let n = 0; ; n++) yield `${String(await gate.wait(n))}\n`;
    }
    const stdout = (bytes: Uint8Array): void => void questions.push(new TextDecoder().decode(bytes));
    const running = run(guestSource('program'), { args: ['sort', 'sort', 'c', 'a', 'b'], stdin: answers(), stdout });
    const end = { reached: false };
    void running.then(() => (end.reached = true));
    for (let n = 0; ; n++) {
      while (gate.calls.length === 0 && !end.reached) await turn();
      if (end.reached) break;
      const [, left = '', right = ''] = /^(\w) or (\w)\?\n$/.exec(questions.at(-1) ?? '') ?? [];
      expect(left, questions.at(-1)).not.toBe('');
      gate.take(n).resolve(left < right ? '<' : '>');
    }
    expect(await running).toBe(0);
    expect(questions.at(-1)).toBe('a\nb\nc\n');
  });

  test('sleeps, and others meanwhile', async () => {
    const started = performance.now();
    const [one, two, three] = await Promise.all([60, 90, 90].map((ms) => program(['sleep', `${ms}`])));
    expect([one, two, three]).toEqual(Array(3).fill(wellDone('slept\n')));
    expect(performance.now() - started).toBeGreaterThanOrEqual(90);
  });

  test('waits for input by poll and select: until it is there, or for a time', async () => {
    const forever = new ReadableStream<string>();
    expect(await program(['wait', '10'], { stdin: forever })).toEqual(wellDone('poll: timeout\nselect: timeout\n'));
    const soon = new ReadableStream<string>({
      async start(controller) {
        await turn();
        controller.enqueue('x');
      },
    });
    expect(await program(['wait', '20000'], { stdin: soon })).toEqual(wellDone('poll: input\nselect: input\n'));
  });

  test('makes, lists, renames and removes files', async () => {
    const work = memoryFiles();
    const done = await program(['files', '/work'], { files: { '/work': work } });
    expect(done).toEqual(wellDone('line 999\n8890 bytes\n. .. link two.txt \n'));
    expect(work.text('made/two.txt')).toBe('line 0');
  });

  test('knows its environment, and whether it has a terminal', async () => {
    expect(await program(['env', 'NAME'], { env: { NAME: 'value' } })).toEqual(wellDone('value\n'));
    expect(await program(['env', 'NAME'])).toEqual(wellDone('unset\n'));
    expect((await program(['terminal'])).code).toBe(1);
    expect((await program(['terminal'], { terminal: true })).code).toBe(0);
  });

  test('ends with its exit code, after what it does at the end', async () => {
    expect(await program(['exit', '7'])).toEqual({ code: 7, out: 'goodbye\n', err: '' });
    expect(await program(['nothing'])).toEqual({ code: 64, out: '', err: 'program: there is no nothing\n' });
  });

  test('is told of input that fails, and of output that nobody takes', async () => {
    async function* failing(): AsyncGenerator<string> {
      yield 'before';
      throw new Error('the line is dead');
    }
    expect(await program(['copy'], { stdin: failing() })).toEqual({ code: 1, out: 'before', err: 'read: I/O error\n' });
    const stderr = new TextOutput();
    const stdout = (): never => {
      throw new Error('gone');
    };
    expect(await program(['copy'], { stdin: 'x', stdout, stderr })).toMatchObject({ code: 1 });
    expect(stderr.text).toBe('write: Broken pipe\n');
  });

  test('is told that there is no room left, and what fits is kept', async () => {
    const work = memoryFiles({ kept: 'before' }, { capacity: 100 });
    const files = { '/work': work };
    const full = await program(['save', '/work/large', 'x'.repeat(5000)], { files });
    expect(full).toEqual({ code: 1, out: '', err: 'save: No space left on device\n' });
    expect(await program(['save', '/work/small', 'fits'], { files })).toEqual(wellDone(''));
    expect([work.text('kept'), work.text('small')]).toEqual(['before', 'fits\n']);
  });

  test('is ended while it sleeps or reads, by a signal or the clock, and lets go of all it had', async () => {
    let stopped = 0;
    const stdin = new ReadableStream<string>({ cancel: () => void stopped++ });
    await expect(program(['copy'], { stdin, timeout: 20 })).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(stopped).toBe(1);
    const controller = new AbortController();
    const sleeping = program(['sleep', '60000'], { signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 10);
    await expect(sleeping).rejects.toMatchObject({ code: 'CANCELLED', cause: { message: 'enough' } });
  });
});
