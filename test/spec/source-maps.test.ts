// wasm-fibers/source-maps: the guest frames of whatever fails show their places in AssemblyScript's source, after any
// number of waits, at every optimisation level, in every engine.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FiberError, type Guest, type GuestOptions, instantiate, reentrant } from 'wasm-fibers';
import {
  formatError,
  type GuestFrame,
  guestFrames,
  loadSourceMap,
  mapError,
  mapErrors,
  mapFrames,
  type SourceMap,
  traceRejection,
} from 'wasm-fibers/source-maps';
import { onlyOn, perBackend } from '../support/backend.ts';
import { failure, turn, watch } from '../support/core.ts';
import { instantiate as bind } from 'wasm-fibers/assemblyscript';
import { guestAddress } from '../support/guest.ts';

interface TrapExports {
  run(ending: number, waits: number): number;
  deep(depth: number, ending: number, waits: number): number;
  around(ending: number, waits: number): number;
  sorted(ending: number, waits: number): number;
}

const FILE = 'test/guests/typed/traps.ts';
const VARIANTS = ['O0', 'O1', 'O3', 'Oz', 'debug'] as const;
type Variant = (typeof VARIANTS)[number];

/** Each way to end: its number in the guest, and the statement that it ends at. */
const ENDINGS: readonly (readonly [name: string, number: number, statement: string])[] = [
  ['unreachable', 0, 'unreachable();'],
  ['throw', 1, "throw new Error('on purpose');"],
  ['an index', 2, 'return list[list.length + ending];'],
  ['a division', 3, 'return 10 / (ending - Ending.Division);'],
  ['an assertion', 4, "assert(ending < 0, 'asserted');"],
  ['a memory access', 5, 'return <i32>load<u8>(0xffff_fff0);'],
  ['a host error', 6, 'return fail() + 1;'],
  ['null', 7, 'return find(ending)!.value;'],
  ["the language's library", 8, "return 'x'.repeat(-ending).length;"],
];

const LEAF = 'return before + end(ending, list);';
const RUN = [
  LEAF,
  'return leaf(ending, waits) + name.length;',
  'return callback(ending, waits) + 2;',
  'const result = apply(ending, waits);',
];

const address = (variant: Variant): URL => guestAddress(`typed/traps-${variant}`);
const maps = new Map<Variant, SourceMap>();
const mapOf = (variant: Variant): SourceMap => {
  const map = maps.get(variant);
  if (map === undefined) throw new Error(`the map of ${variant} was not loaded`);
  return map;
};

const trace = Error as { stackTraceLimit?: number };
const limit = trace.stackTraceLimit;
beforeAll(async () => {
  for (const variant of VARIANTS) maps.set(variant, await loadSourceMap(address(variant)));
  // Engines without it keep as many by themselves.
  if (limit !== undefined) trace.stackTraceLimit = 100;
});
afterAll(() => {
  if (limit !== undefined) trace.stackTraceLimit = limit;
});

async function open(
  variant: Variant,
  options: GuestOptions = {},
  more: Record<string, (...args: never[]) => unknown> = {},
): Promise<Guest<TrapExports>> {
  const guest: Guest<TrapExports> = await instantiate<TrapExports>(
    address(variant),
    {
      env: {
        pause: (n: number) => turn().then(() => n),
        fail: () => {
          throw new Error('the host said no');
        },
        through: reentrant(function* (call, index: number, ending: number, waits: number) {
          const table = guest.instance.exports['table'] as WebAssembly.Table;
          return yield call(table.get(index) as (ending: number, waits: number) => number, ending, waits);
        }),
        abort: () => {
          throw new Error('the guest aborted');
        },
        ...more,
      },
    },
    options,
  );
  return watch(guest);
}

/** The statements of the frames in the program's own file, innermost first. */
const statements = (frames: readonly GuestFrame[]): string[] =>
  frames.filter(({ file }) => file === FILE).map(({ text }) => (text ?? 'no text').trim());
const places = (frames: readonly GuestFrame[]): string[] =>
  frames.map(({ function: name, file, line, column }) => `${name} ${file}:${line}:${column}`);

/** Do the frames show `whole`, or what is left of it when some calls were inlined? */
function expectChain(frames: readonly GuestFrame[], whole: readonly string[], inlined: boolean): void {
  const part = statements(frames);
  if (!inlined) return expect(part).toEqual(whole);
  let at = 0;
  for (const each of part) {
    at = whole.indexOf(each, at) + 1;
    expect(at, `${each} in ${whole.join(' < ')}`).toBeGreaterThan(0);
  }
  // A function of the language's library that was inlined stands in the place of its caller.
  if (frames[0]?.file === FILE) expect(part[0]).toBe(whole[0]);
  expect(part.length).toBeGreaterThan(1);
}

describe.each(VARIANTS)('at %s', (variant) => {
  const inlined = variant !== 'O0' && variant !== 'debug';

  test.each(ENDINGS)('%s shows every call, the same after 0, 1 and 5 waits', async (_, ending, statement) => {
    const seen: string[][] = [];
    for (const waits of [0, 1, 5]) {
      const guest = await open(variant);
      const error = await failure(guest.exports.run(ending, waits));
      expect(mapError(error, mapOf(variant))).toBe(error);
      const frames = guestFrames(error);
      expect(frames.filter(({ file }) => file === null)).toEqual([]);
      expectChain(frames, [statement, ...RUN], inlined);
      for (const { file, line, column } of frames)
        expect((error as Error).stack).toContain(`${file}:${line}:${column}`);
      seen.push(places(frames));
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
  });

  test('through recursion, in a fiber that was spawned', async () => {
    const chain = [LEAF, 'return leaf(ending, waits) + 1;', ...Array.from({ length: 4 }, () => RECURSION), DEEP];
    for (const waits of [0, 1, 5]) {
      const guest = await open(variant);
      const { result } = guest.spawn('deep', [4, 0, waits]);
      const frames = guestFrames(mapError(await failure(result), mapOf(variant)));
      expectChain(frames, ['unreachable();', ...chain], inlined);
      expect(statements(frames).filter((each) => each === RECURSION)).toHaveLength(4);
    }
  });

  onlyOn('asyncify', 'frames on both sides of a generator', () => {
    test('through a host function in the middle of the stack, which stays where it was', async () => {
      for (const waits of [0, 2]) {
        const guest = await open(variant);
        const error = (await failure(guest.exports.around(3, waits))) as Error;
        const frames = guestFrames(mapError(error, mapOf(variant)));
        const chain = [LEAF, 'return leaf(ending, waits) + name.length;', AROUND];
        expectChain(frames, ['return 10 / (ending - Ending.Division);', ...chain], inlined);
        const lines = (error.stack ?? '').split('\n');
        const at = (text: string): number => lines.findIndex((line) => line.includes(text));
        const outer = frames.at(-1);
        const inner = frames.at(-2);
        const between = lines.slice(at(`:${inner?.line}:${inner?.column}`) + 1, at(`:${outer?.line}:${outer?.column}`));
        expect(between.length).toBeGreaterThan(0);
        expect(between.filter((line) => line.includes(FILE))).toEqual([]);
      }
    });
  });

  onlyOn('jspi', 'frames inside of a generator', () => {
    // Each call of it has a stack of its own. Some engines show what was on the other ones as well.
    test('up to a host function in the middle of the stack, at least', async () => {
      for (const waits of [0, 2]) {
        const guest = await open(variant);
        const error = await failure(guest.exports.around(3, waits));
        const frames = guestFrames(mapError(error, mapOf(variant)));
        const inner = frames.filter(({ text }) => text?.trim() !== AROUND);
        const chain = [LEAF, 'return leaf(ending, waits) + name.length;'];
        expectChain(inner, ['return 10 / (ending - Ending.Division);', ...chain], inlined);
      }
    });
  });

  test('through the callback of a library of the language', async () => {
    const guest = await open(variant);
    const frames = guestFrames(mapError(await failure(guest.exports.sorted(0, 3)), mapOf(variant)));
    expect(statements(frames)[0]).toBe('unreachable();');
    expect(frames.map(({ file }) => file)).toContain('~lib/util/sort.ts');
  });

  test('the frames of a waiting fiber', async () => {
    const guest = await open(variant, { debug: true });
    const fiber = guest.spawn('run', [0, 1]);
    const mapped = mapFrames(fiber.stack ?? [], mapOf(variant));
    expect(mapped.length).toBe(fiber.stack?.length);
    expect(mapped.length).toBeGreaterThan(2);
    for (const line of mapped) expect(line).toMatch(/^(\S+ \()?test\/guests\/typed\/traps\.ts:\d+:\d+\)?$/);
    await failure(fiber.result);
  });
});

const RECURSION = 'const below = recurse(depth - 1, ending, waits);';
const DEEP = 'const result = recurse(depth, ending, waits);';
const AROUND = 'const result = through(index, ending, waits);';

describe('names of functions', () => {
  test.each(VARIANTS)('are known at %s, from the module or from its map', async (variant) => {
    const guest = await open(variant);
    const frames = guestFrames(mapError(await failure(guest.exports.run(0, 1)), mapOf(variant)));
    for (const frame of frames) expect(frame.function).toMatch(/^test\/guests\/typed\/traps\/\w+/);
  });
});

describe('what the host rejects with', () => {
  test('shows the guest frames that waited for it, with traceRejection', async () => {
    const pause = (): Promise<never> => turn().then(() => Promise.reject(new Error('HTTP 500')));
    const guest = await open('debug', { onReject: traceRejection }, { pause });
    const error = (await failure(guest.exports.run(0, 1))) as Error;
    expect(error.message).toBe('HTTP 500');
    const frames = guestFrames(mapError(error, mapOf('debug')));
    expect(statements(frames)).toEqual(['total += pause(i);', 'const before = waitFor(waits);', ...RUN.slice(1)]);
    expect(error.stack).toMatch(/async/);
  });

  test('shows where a fiber was cancelled', async () => {
    const guest = await open('debug', { onReject: traceRejection });
    const fiber = guest.spawn('run', [0, 1]);
    fiber.cancel();
    const error = mapError(await failure(fiber.result), mapOf('debug'));
    expect((error as FiberError).code).toBe('CANCELLED');
    expect(statements(guestFrames(error))[0]).toBe('total += pause(i);');
  });

  test('does not show twice what was thrown at once', async () => {
    const guest = await open('debug', { onReject: traceRejection }, { pause: () => Promise.reject(new Error('no')) });
    const error = mapError(await failure(guest.exports.run(0, 1)), mapOf('debug'));
    expect(statements(guestFrames(error)).filter((each) => each === 'total += pause(i);')).toHaveLength(1);
  });

  test('anything else passes', async () => {
    const guest = await open(
      'debug',
      { onReject: traceRejection },
      { pause: () => turn().then(() => Promise.reject(7)) },
    );
    expect(await failure(guest.exports.run(0, 1))).toBe(7);
  });
});

describe('several guests', () => {
  test('on one stack, each with its map', async () => {
    const inner = await open('O3');
    const outer = await open('debug', {}, { fail: () => inner.sync.run(3, 0) });
    const error = await failure(outer.exports.run(6, 2));
    const given = [mapOf('O1'), mapOf('debug'), mapOf('Oz'), mapOf('O3'), mapOf('O0')];
    const frames = guestFrames(mapError(error, ...given));
    const at = frames.findIndex(({ text }) => text?.trim() === 'return fail() + 1;');
    expect(frames.filter(({ file }) => file === null)).toEqual([]);
    expectChain(frames.slice(0, at), ['return 10 / (ending - Ending.Division);', ...RUN], true);
    expectChain(frames.slice(at), ['return fail() + 1;', ...RUN], false);
  });

  test('one map after the other', async () => {
    const inner = await open('O3');
    const outer = await open('debug', {}, { fail: () => inner.sync.run(3, 0) });
    const error = await failure(outer.exports.run(6, 2));
    mapError(error, mapOf('debug'));
    expect(guestFrames(error).some(({ file }) => file === null)).toBe(true);
    mapError(error, mapOf('O3'));
    expect(guestFrames(error).some(({ file }) => file === null)).toBe(false);
  });
});

describe('mapError', () => {
  test('rewrites a stack once', async () => {
    const guest = await open('O3');
    const error = mapError((await failure(guest.exports.run(0, 1))) as Error, mapOf('O3'));
    const { stack } = error;
    expect(stack).toContain(`${FILE}:`);
    expect(mapError(error, mapOf('O3')).stack).toBe(stack);
    expect(mapError(error, mapOf('O0'), mapOf('O3')).stack).toBe(stack);
    expect(error.message).toContain('unreachable');
  });

  test('does not take lines of the message for frames', async () => {
    const guest = await open('debug');
    const { stack = '' } = (await failure(guest.exports.run(0, 0))) as Error;
    const message = `what it said was:\n${stack}`;
    const error = Object.assign(new Error(message), {
      stack: `Error: ${message}\n${stack.replace(/^.*?\n(?=\s+at )/, '')}`,
    });
    mapError(error, mapOf('debug'));
    expect(error.stack.startsWith(`Error: ${message}\n`)).toBe(true);
    expect(guestFrames(error)).toHaveLength(5);
  });

  test('maps causes, and the errors of an AggregateError', async () => {
    const guest = await open('debug');
    const first = (await failure(guest.exports.run(0, 1))) as Error;
    const second = (await failure(guest.exports.run(1, 1))) as Error;
    const both = new AggregateError([second], 'both', { cause: first });
    first.cause = both;
    mapError(both, mapOf('debug'));
    expect(first.stack).toContain(FILE);
    expect(second.stack).toContain(FILE);
  });

  test('leaves everything else as it is, and never throws', async () => {
    const guest = await open('debug');
    const frozen = Object.freeze((await failure(guest.exports.run(0, 0))) as Error);
    expect(mapError(frozen, mapOf('debug'))).toBe(frozen);
    const { stack } = (await failure(guest.exports.run(0, 0))) as Error;
    const fixed = Object.defineProperty(new Error('x'), 'stack', { value: stack, writable: false });
    expect(mapError(fixed, mapOf('debug')).stack).toBe(stack);
    const hostile = Object.defineProperty(new Error('x'), 'stack', {
      get() {
        throw new Error('no stack');
      },
    });
    const strange = [undefined, null, 'text', 7, { stack: 'at x' }, hostile, new Error('from the host')];
    for (const each of strange) {
      expect(mapError(each, mapOf('debug'))).toBe(each);
      expect(guestFrames(each)).toEqual([]);
      expect(typeof formatError(each)).toBe('string');
    }
  });

  test('without maps, names and indices are what there is', async () => {
    const guest = await open('debug');
    const frames = guestFrames(await failure(guest.exports.run(0, 1)));
    expect(frames[0]).toMatchObject({ function: 'test/guests/typed/traps/end', file: null, line: null, text: null });
    expect(frames).toHaveLength(5);
  });

  test('says so when the map is that of another module', async () => {
    const guest = await open('debug');
    const error = (await failure(guest.exports.run(0, 1))) as Error;
    mapError(error, mapOf('Oz'));
    expect(guestFrames(error).filter(({ file }) => file !== null)).toEqual([]);
    expect(error.stack).toContain('no source map was given for the module of these frames');
    mapError(error, mapOf('debug'));
    expect(error.stack).not.toContain('no source map');
    expect(guestFrames(error).filter(({ file }) => file === null)).toEqual([]);
  });

  test('says so when the engine did not keep all frames', async () => {
    const guest = await open('debug');
    const error = (await failure(guest.exports.deep(400, 0, 1))) as Error;
    mapError(error, mapOf('debug'));
    expect(error.stack).toContain('Error.stackTraceLimit');
    expect(statements(guestFrames(error)).at(-1)).toBe(RECURSION);
    const short = (await failure(guest.exports.deep(4, 0, 1))) as Error;
    expect(mapError(short, mapOf('debug')).stack).not.toContain('Error.stackTraceLimit');
  });

  test('a deep stack, which Asyncify passes through its window in pieces', async () => {
    if (limit !== undefined) trace.stackTraceLimit = 3000;
    const guest = await open('O3', { windowSize: 4096 });
    const fiber = guest.spawn('deep', [2000, 0, 2]);
    expect(fiber.frameBytes).toBeGreaterThan(perBackend({ asyncify: 4096, jspi: -1 }));
    const error = mapError(await failure(fiber.result), mapOf('O3'));
    if (limit !== undefined) trace.stackTraceLimit = 100;
    const seen = statements(guestFrames(error));
    expect(seen[0]).toBe('unreachable();');
    // SpiderMonkey keeps 128 frames, whatever it is asked for.
    const kept = /^\s+at /m.test(String((error as Error).stack)) ? 2000 : 100;
    expect(seen.filter((each) => each === RECURSION).length).toBeGreaterThanOrEqual(kept);
  });

  test('an abort shows where AssemblyScript says that it was', async () => {
    const guest = await open(
      'O3',
      {},
      {
        abort: (_message: number, _file: number, lineNumber: number, columnNumber: number) => {
          throw Object.assign(new WebAssembly.RuntimeError('on purpose'), {
            name: 'AssemblyScriptError',
            fileName: FILE,
            lineNumber,
            columnNumber,
          });
        },
      },
    );
    const error = await failure(guest.exports.run(1, 2));
    const [innermost] = guestFrames(mapError(error, mapOf('O3')));
    const { lineNumber: line, columnNumber: column } = error as { lineNumber: number; columnNumber: number };
    expect(innermost).toMatchObject({ file: FILE, line, column, text: "      throw new Error('on purpose');" });
  });

  test('an abort shows the whole stack, however few frames the engine keeps', async () => {
    if (limit !== undefined) trace.stackTraceLimit = 10;
    try {
      const guest = watch(
        await bind<TrapExports>(address('O3'), {
          env: { pause: (n: number) => turn().then(() => n), fail: turn, through: turn },
        }),
      );
      const error = mapError(await failure(guest.exports.deep(40, 1, 2)), mapOf('O3'));
      expect(statements(guestFrames(error)).filter((each) => each === RECURSION).length).toBe(40);
      if (limit !== undefined) expect(trace.stackTraceLimit).toBe(10);
    } finally {
      if (limit !== undefined) trace.stackTraceLimit = 100;
    }
  });

  test('by onEvent, before anybody else sees the error', async () => {
    const guest = await open('O3', { onEvent: ({ error }) => void mapError(error, mapOf('O3')) });
    expect(((await failure(guest.exports.run(0, 1))) as Error).stack).toContain(FILE);
  });
});

describe('mapErrors', () => {
  test('loads maps when the first error comes, and only then', async () => {
    let loads = 0;
    const mapped = mapErrors(() => {
      loads++;
      return loadSourceMap(address('O3'));
    });
    const guest = await open('O3');
    expect(loads).toBe(0);
    for (let count = 0; count < 2; count++) {
      const error = (await failure(guest.exports.run(0, 1).catch(mapped))) as Error;
      expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
      expect(error.stack).toContain(FILE);
    }
    expect(loads).toBe(1);
  });

  test('a map that cannot be loaded does not hide the error', async () => {
    const mapped = mapErrors(loadSourceMap('{"version":2}'), mapOf('O3'));
    const guest = await open('O3');
    const error = (await failure(guest.exports.run(0, 1).catch(mapped))) as Error;
    expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
    expect(error.stack).toContain(FILE);
    expect(error.stack).toContain('not a source map of version 3');
  });
});

describe('loadSourceMap', () => {
  const bytesOf = async (url: URL): Promise<ArrayBuffer> => {
    if (url.protocol !== 'file:') return (await fetch(url)).arrayBuffer();
    const bytes = process.getBuiltinModule('node:fs').readFileSync(url);
    return new Uint8Array(bytes).buffer;
  };
  const mapAddress = (variant: Variant): URL => new URL(`${address(variant).href}.map`);

  test('takes a module or a map, by its address, as bytes, as a response, as text, as an object', async () => {
    const wasm = await bytesOf(address('O3'));
    const bytes = await bytesOf(mapAddress('O3'));
    const text = new TextDecoder().decode(bytes);
    const data = new URL(`data:application/json,${encodeURIComponent(text)}`);
    const object = JSON.parse(text) as object;
    const module = await WebAssembly.compile(wasm);
    const loaded = await Promise.all([
      loadSourceMap(mapAddress('O3')),
      loadSourceMap(bytes),
      loadSourceMap(new Uint8Array(bytes)),
      loadSourceMap(new Response(bytes)),
      loadSourceMap(Promise.resolve(text)),
      loadSourceMap(`)]}'\n${text}`),
      loadSourceMap(object),
      // Here roots are part of the names.
      loadSourceMap({ version: 3, sections: [{ offset: { line: 0, column: 0 }, map: { ...object, sourceRoot: '' } }] }),
      loadSourceMap(data),
      loadSourceMap(wasm, mapAddress('O3')),
      loadSourceMap(new Response(wasm), text),
      loadSourceMap(module, object),
    ]);
    const guest = await open('O3');
    const { stack } = (await failure(guest.exports.run(0, 1))) as Error;
    for (const map of loaded) {
      const error = Object.assign(new Error('unreachable'), { stack });
      expect(statements(guestFrames(mapError(error, map)))[0]).toBe('unreachable();');
    }
  });

  test.each<readonly [string, () => Promise<unknown>, RegExp]>([
    ['no JSON', () => loadSourceMap('{'), /not JSON/],
    ['another version', () => loadSourceMap({ version: 2 }), /version 3/],
    ['no mappings', () => loadSourceMap({ version: 3, sources: [] }), /version 3/],
    ['letters that mean nothing', () => loadSourceMap({ version: 3, sources: [], mappings: '!' }), /Base64/],
    ['a source that is not listed', () => loadSourceMap({ version: 3, sources: [], mappings: 'AAAA' }), /damaged/],
    ['a line below zero', () => loadSourceMap({ version: 3, sources: ['a'], mappings: 'AADA' }), /damaged/],
    ['half a section', () => loadSourceMap({ version: 3, sections: [{}] }), /decoded/],
    ['a path', () => loadSourceMap('app.wasm'), /new URL/],
    ['two maps', () => loadSourceMap({ version: 3, sources: [], mappings: '' }, '{}'), /no module/],
    ['two modules', () => loadSourceMap(address('O3'), address('O3')), /is a module/],
    ['no such file', () => loadSourceMap(new URL(`${address('O3').href}.absent.map`)), /absent/],
    ['a module without an address', async () => loadSourceMap(await bytesOf(address('O3'))), /second argument/],
    [
      'a module without a map',
      () => loadSourceMap(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])),
      /names no source map/,
    ],
    ['the map of another module', () => loadSourceMap(address('O3'), mapAddress('debug')), /another module/],
  ])('refuses %s', async (_, load, sentence) => {
    const error = await failure(load());
    expect(error).toBeInstanceOf(FiberError);
    expect((error as FiberError).code).toBe('BAD_SOURCE_MAP');
    expect((error as FiberError).message).toMatch(sentence);
  });

  test('a module that is cut off is no reason to fail', async () => {
    const wasm = await bytesOf(address('O3'));
    for (let length = 8; length < wasm.byteLength; length += 97) {
      const map = { version: 3, sources: ['a'], mappings: 'AAAA' };
      await loadSourceMap(wasm.slice(0, length), map);
    }
  });
});

describe('formatError', () => {
  test('shows the statement in the program with a caret, then the stack', async () => {
    const guest = await open('debug');
    const error = mapError(await failure(guest.exports.run(8, 1)), mapOf('debug'));
    const text = formatError(error, { context: 1 });
    const [innermost] = guestFrames(error).filter(({ file }) => file === FILE);
    const lines = text.split('\n');
    expect(lines[0]).toBe('Error: the guest aborted');
    expect(lines[2]).toBe(`  ${FILE}:${innermost?.line}:${innermost?.column}`);
    expect(lines.slice(3, 7).map((line) => line.replace(/\d/g, '0'))).toEqual([
      '  00 |     case Ending.Library:',
      "> 00 |       return 'x'.repeat(-ending).length;",
      '     |              ^',
      '  00 |   }',
    ]);
    expect(text).toContain(`    at test/guests/typed/traps/run (${FILE}:`);
    expect(text).not.toContain('\u001b');
  });

  test('colours where asked, and shows codes and causes', async () => {
    const cause = new Error('the reason');
    const error = new FiberError('TIMEOUT', 'too late', { cause });
    expect(formatError(error)).toMatch(/^TimeoutError \[TIMEOUT\]: too late\n[^]*\ncaused by: Error: the reason/);
    expect(formatError(error, { colour: true })).toContain('\u001b[1;31mTimeoutError [TIMEOUT]\u001b[0m: too late');
    cause.cause = error;
    expect(formatError(error).match(/too late/g)).toHaveLength(1);
    expect(formatError('text')).toBe('text');
  });
});
