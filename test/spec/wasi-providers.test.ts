// WASI: other implementations in the place of the files here. They cannot wait; programs over them can.
import { Directory, File, PreopenDirectory, WASI as Shim } from '@bjorn3/browser_wasi_shim';
import * as wasmer from '@wasmer/wasi';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Guest, instantiate } from 'wasm-fibers';
import { type ReadyWasi, type RunOptions, TextOutput, initWasmer, run, wasi } from 'wasm-fibers/wasi';
import { turn } from '../support/core.ts';
import { guestSource, hasGuest } from '../support/guest.ts';
import { type CallerExports, ERRNO } from '../support/wasi.ts';

const hasC = await hasGuest('program');

interface Provider {
  readonly name: string;
  /** A ready object with these arguments, and a directory `/work`. */
  make(args: readonly string[]): ReadyWasi;
  /** What a file has in it. */
  read(ready: ReadyWasi, path: string): string;
}

const PROVIDERS: readonly Provider[] = [
  {
    name: '@wasmer/wasi',
    make(args) {
      const ready = new wasmer.WASI({ args: [...args], env: {}, preopens: { '/': '/' } });
      ready.fs.createDir('/work');
      return ready as unknown as ReadyWasi;
    },
    read: (ready, path) =>
      (ready as unknown as wasmer.WASI).fs.open(path, { read: true, write: false, create: false }).readString(),
  },
  {
    name: '@bjorn3/browser_wasi_shim',
    make(args) {
      const root = new PreopenDirectory('/', new Map([['work', new Directory(new Map())]]));
      // Three descriptors that nobody asks: the streams are given beside it.
      return new Shim([...args], [], [root, root, root, root], { debug: false }) as unknown as ReadyWasi;
    },
    read(ready, path) {
      const [, , , root] = (ready as unknown as Shim).fds as PreopenDirectory[];
      let node: unknown = root?.dir;
      for (const name of path.split('/').slice(1)) if (node instanceof Directory) node = node.contents.get(name);
      return node instanceof File ? new TextDecoder().decode(node.data) : `${path} is no file`;
    },
  },
];

beforeAll(() => initWasmer(wasmer));

test('@wasmer/wasi was made ready without a Buffer being left behind', async () => {
  await initWasmer(wasmer);
  expect('Buffer' in globalThis).toBe(typeof process === 'object' && 'node' in process.versions);
});

describe.skipIf(!hasC).each(PROVIDERS)('a program over $name', ({ make, read }) => {
  async function program(args: readonly string[], options: RunOptions = {}): Promise<[number, string, ReadyWasi]> {
    const stdout = new TextOutput();
    const provider = make(['program', ...args]);
    const code = await run(guestSource('program'), { provider, stdout, stderr: stdout, stdin: '', ...options });
    return [code, stdout.text, provider];
  }

  test('reads input that comes later, inside of a library’s sort', async () => {
    async function* answers(): AsyncGenerator<string> {
      for (;;) {
        await turn();
        yield '<\n';
      }
    }
    const [code, out] = await program(['sort', 'a', 'b'], { stdin: answers() });
    expect([code, out]).toEqual([0, 'a or b?\na\nb\n']);
  });

  test('sleeps and polls without holding up the event loop', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const slept = await program(['sleep', '60']);
    clearInterval(timer);
    expect(slept.slice(0, 2)).toEqual([0, 'slept\n']);
    expect(ticks).toBeGreaterThan(2);
    const polled = await program(['wait', '10'], { stdin: new ReadableStream() });
    expect(polled.slice(0, 2)).toEqual([0, 'poll: timeout\nselect: timeout\n']);
  });

  test('ends with its exit code as a value, and has the environment of the options', async () => {
    expect((await program(['exit', '7'])).slice(0, 2)).toEqual([7, 'goodbye\n']);
    expect((await program(['env', 'NAME'], { env: { NAME: 'value' } })).slice(0, 2)).toEqual([0, 'value\n']);
  });

  test('gets error numbers for addresses and descriptors that there are not', async () => {
    const surroundings = wasi({ provider: make(['program']), onError: () => {} });
    const guest = await instantiate<CallerExports>(guestSource('wasi'), surroundings.imports);
    await surroundings.initialize(guest);
    const { sync } = guest;
    const beyond = 64 * 65_536;
    const answers = [
      sync['fd_filestat_get']?.(3, beyond),
      sync['fd_write']?.(3, beyond, 1, 64),
      sync['path_filestat_get']?.(3, 0, beyond, 10, 64),
      sync['fd_prestat_get']?.(3, -1),
      sync['fd_read']?.(77, 64, 1, 128),
      sync['fd_close']?.(-1),
    ];
    // Which one, and whether it notices at all, is for the other one to say.
    expect(answers.filter((errno) => !(Number(errno) >= 0 && Number(errno) <= ERRNO.NOTCAPABLE))).toEqual([]);
    expect(answers.slice(4)).toEqual([ERRNO.BADF, ERRNO.BADF]);
    await guest.dispose();
    await surroundings.close();
  });

  test('has the files of the other one', async () => {
    const [code, , ready] = await program(['save', '/work/made', 'content']);
    expect(code).toBe(0);
    expect(read(ready, '/work/made')).toBe('content\n');
  });
});

test.skipIf(!hasC)('@wasmer/wasi has the streams too, where no option names them', async () => {
  const provider = new wasmer.WASI({ args: ['program', 'copy'], env: {}, preopens: {} });
  provider.setStdinString('from its own stdin');
  expect(await run(guestSource('program'), { provider: provider as unknown as ReadyWasi })).toBe(0);
  expect(provider.getStdoutString()).toBe('from its own stdin');
});

test.skipIf(!hasC)('@wasmer/wasi has the files of a MemFS that was passed in, by its own fs', async () => {
  const made = new wasmer.MemFS();
  made.createDir('/work');
  const ready = new wasmer.WASI({
    args: ['program', 'save', '/work/f', 'x'],
    env: {},
    preopens: { '/': '/' },
    fs: made,
  });
  const provider = ready as unknown as ReadyWasi;
  expect(await run(guestSource('program'), { provider, stderr: new TextOutput() })).toBe(0);
  expect(ready.fs.open('/work/f', { read: true, write: false, create: false }).readString()).toBe('x\n');
});

describe('a provider', () => {
  test('of one’s own answers what no option names', async () => {
    const asked: string[] = [];
    const provider = {
      attach(guest: Guest) {
        asked.push(typeof guest.memory);
        return {
          args_sizes_get(count: number, bytes: number) {
            const view = new DataView(guest.memory.buffer);
            view.setUint32(count, 5, true);
            view.setUint32(bytes, 0, true);
            return 0;
          },
          fd_tell: () => {
            throw new Error('it has broken down');
          },
        };
      },
    };
    const told: unknown[] = [];
    const surroundings = wasi({ provider, stdin: 'x', onError: (error, call) => told.push([call, String(error)]) });
    type Exports = Record<string, (...args: (number | bigint)[]) => number>;
    const guest = await instantiate<Exports>(guestSource('wasi'), surroundings.imports);
    const { sync } = guest;
    await surroundings.initialize(guest);
    expect([sync['fd_tell']?.(3, 64), sync['fd_tell']?.(0, 64), sync['fd_sync']?.(3)]).toEqual([29, 70, 52]);
    expect(told).toEqual([['fd_tell', 'Error: it has broken down']]);
    expect(await surroundings.start(guest)).toBe(5);
    expect(asked).toEqual(['object']);
    await guest.dispose();
  });

  test.each<[string, RunOptions]>([
    ['something else', { provider: {} as ReadyWasi }],
    ['together with files', { provider: { attach: () => ({}) }, files: {} }],
  ])('that is %s is refused', async (_, options) => {
    await expect(run(guestSource('wasi'), options)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });
});
