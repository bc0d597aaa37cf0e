// Plugins that want to do harm: to the host's memory, its objects, its time, and to other plugins. Modelled on what wasmtime
// tests of its own limits (iloop, fuel, epoch_interruption, limits, async_functions), by behaviour.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { currentFiber } from 'wasm-fibers';
import {
  FiberError,
  type HostFunctions,
  Plugin,
  type PluginOptions,
  jsonFunction,
  textFunction,
} from 'wasm-fibers/plugin';
import { onlyOn, perBackend } from '../support/backend.ts';
import { turn } from '../support/core.ts';
import { loadPlain } from '../support/guest.ts';
import { errorOf, functions, loadPlugin, textPlugin } from '../support/plugin.ts';
import { withSections } from '../support/sections.ts';

const numbers = { as: 'numbers' } as const;
const SIZE = 2 * 65_536;

let bystander: Plugin;
beforeEach(async () => {
  bystander = await textPlugin({}, { name: 'bystander' });
});
afterEach(async () => {
  expect(await bystander.call('ask', 'still there')).toBe('STILL THERE');
  expect(bystander.stats()).toMatchObject({ failures: 0, restarts: 0 });
  // Nothing of the platform has changed.
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

/** An address and a length as the guest reads them from its input. */
const pair = (at: number, length: number): Uint8Array => new Uint8Array(new Uint32Array([at, length]).buffer);

describe('addresses and lengths', () => {
  const BEYOND: readonly (readonly [number, number])[] = [
    [SIZE, 1],
    [SIZE - 1, 2],
    [0, SIZE + 1],
    [SIZE + 1, 0],
    [0xffff_ffff, 1],
    [0xffff_ffff, 0xffff_ffff],
    [1, 0xffff_ffff],
    [0x8000_0000, 0x8000_0000],
    [0x7fff_ffff, 1],
  ];
  const limits = { outputBytes: 2 ** 32, inputBytes: 2 ** 24 };

  test('of a result, at every boundary', async () => {
    const plugin = await textPlugin({}, { limits });
    for (const [at, length] of BEYOND) {
      const call = plugin.call('lie', pair(at, length), { as: 'bytes' });
      if (length === 0) expect(await call).toEqual(new Uint8Array());
      else expect(await errorOf(call), `${length} at ${at}`).toMatchObject({ code: 'CORRUPT_VALUE' });
    }
    for (const [at, length] of [
      [0, SIZE],
      [SIZE - 1, 1],
      [SIZE, 0],
    ] as const) {
      const result = await plugin.call<Uint8Array>('lie', pair(at, length), { as: 'bytes' });
      expect(result).toHaveLength(length);
    }
  });

  test('of what a host function is given, at every boundary: the function is not called', async () => {
    let called = 0;
    const ask = textFunction(() => void called++);
    const plugin = await textPlugin({ ask }, { limits });
    for (const [at, length] of BEYOND) {
      const error = await errorOf(plugin.call('lie_to_host', pair(at, length)));
      expect(error, `${length} at ${at}`).toMatchObject({ code: 'CORRUPT_VALUE' });
    }
    expect(called).toBe(0);
    await plugin.call('lie_to_host', pair(SIZE - 1, 1));
    expect(called).toBe(1);
  });

  test.each([SIZE, SIZE - 3, -1, -4, 0x7fff_fff0, -0x8000_0000])('of what alloc answers: %d', async (answer) => {
    const plugin = await textPlugin();
    await plugin.call('answer', [answer], numbers);
    const error = await errorOf(plugin.call('same', 'four'));
    expect(error['code']).toBe('CORRUPT_VALUE');
  });

  test('text that is no UTF-8, and JSON that is none', async () => {
    const plugin = await textPlugin();
    const broken = new Uint8Array([0xff, 0xfe]);
    for (const output of ['text', 'json'] as const) {
      const error = await errorOf(plugin.call('echo', broken, { as: { input: 'bytes', output } }));
      expect(error).toMatchObject({ code: 'CORRUPT_VALUE' });
    }
    expect(await errorOf(plugin.call('echo', '{', { as: { input: 'text', output: 'json' } }))).toMatchObject({
      code: 'CORRUPT_VALUE',
    });
    expect(await errorOf(plugin.call('ask', broken))).toMatchObject({ code: 'CORRUPT_VALUE' });
    // As deep as no stack is.
    const deep = '['.repeat(1_000_000);
    const error = await errorOf(plugin.call('echo', deep, { as: { input: 'text', output: 'json' } }));
    expect(error).toMatchObject({ code: 'CORRUPT_VALUE', plugin: { name: 'plugin' } });
  });

  test('a result of the wrong type', async () => {
    const plugin = await textPlugin();
    expect(await errorOf(plugin.call('add', 'text'))).toMatchObject({ code: 'CORRUPT_VALUE' });
  });

  test('results are copies: what the plugin does later does not change them, nor the other way round', async () => {
    const plugin = await textPlugin();
    const first = await plugin.call<Uint8Array>('same', new Uint8Array([1, 2, 3]));
    const second = await plugin.call<Uint8Array>('lie', pair(0, SIZE), { as: 'bytes' });
    second.fill(9);
    first.fill(7);
    expect(await plugin.call('same', new Uint8Array([4]))).toEqual(new Uint8Array([4]));
    expect(first).toEqual(new Uint8Array([7, 7, 7]));
    expect(first.buffer.byteLength).toBe(3);
  });
});

describe('objects of the host', () => {
  const names = ['__proto__.polluted', 'constructor.constructor', 'app.__proto__', 'app.toString', 'toString.call'];

  test('are not reached by the names of imports', async () => {
    for (const hostFunctions of [{}, { app: {} }, { app: functions()['app'] ?? {} }] satisfies HostFunctions[]) {
      const error = await errorOf(loadPlugin(await loadPlain('plugin-names'), { hostFunctions }));
      expect(error).toMatchObject({ code: 'MISSING_IMPORTS' });
      for (const name of names) expect(error.message).toContain(name);
    }
  });

  test('are not changed by functions of such names, which may be given', async () => {
    const called: string[] = [];
    const note =
      (name: string) =>
      (x: number): number => {
        called.push(name);
        return x + 1;
      };
    // As JSON.parse makes them: own properties.
    const own = (entries: readonly (readonly [string, unknown])[]): object =>
      Object.defineProperties(
        {},
        Object.fromEntries(entries.map(([name, value]) => [name, { value, enumerable: true }])),
      );
    const hostFunctions = own([
      ['__proto__', own([['polluted', note('a')]])],
      ['constructor', own([['constructor', note('b')]])],
      [
        'app',
        own([
          ['__proto__', note('c')],
          ['toString', note('d')],
        ]),
      ],
      ['toString', own([['call', note('e')]])],
    ]) as HostFunctions;
    const plugin = await loadPlugin(await loadPlain('plugin-names'), { hostFunctions });
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'then', 'toString']) {
      expect(await plugin.call(name, [1], numbers)).toBe(2);
    }
    expect(called).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('a host function has no this, and no more than its arguments', async () => {
    let seen: unknown[] = [];
    const note = function (this: unknown, ...args: unknown[]): number {
      seen = [this, ...args];
      return 1;
    };
    const plugin = await textPlugin({ note });
    await plugin.call('note', [5], numbers);
    expect(seen).toEqual([undefined, 5]);
  });

  test('do not come into the plugin as results', async () => {
    const results: readonly unknown[] = [
      {},
      [],
      () => 1,
      new Date(0),
      { valueOf: () => 1 },
      new Proxy({}, {}),
      Object.create(null),
    ];
    for (const result of results) {
      for (const given of [result, Promise.resolve(result)]) {
        const plugin = await textPlugin({ note: () => given });
        const error = await errorOf(plugin.call('note', [1], numbers));
        expect(error).toMatchObject({ code: 'HOST_FUNCTION_FAILED' });
      }
    }
  });

  test('JSON of a plugin is data: names of prototypes are properties of it', async () => {
    const heard: unknown[] = [];
    const plugin = await textPlugin({ ask: jsonFunction((value) => void heard.push(value)) });
    const hostile = '{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}';
    const result = await plugin.call<object>('echo', hostile, { as: { input: 'text', output: 'json' } });
    await plugin.call('ask', hostile);
    for (const value of [result, heard[0]]) {
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(Object.hasOwn(value as object, '__proto__')).toBe(true);
    }
  });

  onlyOn('jspi', 'references across waits', () => {
    test('and functions of the plugin do not get out, nor references in', async () => {
      const seen: unknown[] = [];
      const take = (value: unknown): number => seen.push(value);
      const plugin = await loadPlugin(await loadPlain('plugin-references'), {
        hostFunctions: { app: { take, take_function: take, give: () => ({ secret: true }) } },
      });
      expect(await errorOf(plugin.call('function', [], numbers))).toMatchObject({ code: 'CORRUPT_VALUE' });
      expect(await errorOf(plugin.call('both', [], numbers))).toMatchObject({ code: 'CORRUPT_VALUE' });
      expect(await errorOf(plugin.call('pass_function', [], numbers))).toMatchObject({ code: 'CORRUPT_VALUE' });
      expect(await errorOf(plugin.call('pass_given', [], numbers))).toMatchObject({ code: 'HOST_FUNCTION_FAILED' });
      expect(seen).toEqual([]);
      expect(await plugin.call('secret', [], numbers)).toBe(42);
    });
  });
});

describe('host functions that throw', () => {
  const frozen = Object.freeze(new Error('frozen'));
  const EXOTIC: readonly (readonly [string, unknown])[] = [
    ['undefined', undefined],
    ['null', null],
    ['a number', 7],
    ['text', 'no'],
    ['a symbol', Symbol('no')],
    ['an object', { message: 'no' }],
    ['a function', () => 1],
    ['a promise', Promise.resolve(1)],
    ['a frozen error', frozen],
    ['an object without a prototype', Object.create(null)],
  ];

  test.each(EXOTIC)('%s: the call fails with an error that has it as its cause', async (_name, thrown) => {
    for (const note of [
      (): never => {
        throw thrown;
      },
      (): Promise<never> => Promise.reject(thrown),
      () => turn().then(() => Promise.reject(thrown)),
    ]) {
      const plugin = await textPlugin({ note });
      const error = await errorOf(plugin.call('note', [1], numbers));
      expect(error).toBeInstanceOf(FiberError);
      expect(error).toMatchObject({ code: 'HOST_FUNCTION_FAILED', plugin: { name: 'plugin', version: '0.0.0' } });
      expect(error.cause === thrown).toBe(true);
      expect(await plugin.call('add', [1, 2], numbers)).toBe(3);
    }
  });

  test('what cannot even be looked at: the call fails, and the next one does not', async () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const plugin = await textPlugin({ note: () => Promise.reject(proxy) });
    expect(await errorOf(plugin.call('note', [1], numbers))).toMatchObject({ plugin: { name: 'plugin' } });
    expect(await plugin.call('add', [1, 2], numbers)).toBe(3);
  });

  test('results whose getters throw fail the call', async () => {
    // oxlint-disable-next-line unicorn/no-thenable -- the subject of the test
    const hostile = Object.defineProperty({}, 'then', {
      get(): never {
        throw new Error('no then');
      },
    });
    const plugin = await textPlugin({ note: () => hostile });
    expect((await errorOf(plugin.call('note', [1], numbers))).message).toBe('no then');
    expect(await plugin.call('add', [1, 2], numbers)).toBe(3);
  });

  test('thenables that settle twice, at once or never count as one promise', async () => {
    // oxlint-disable-next-line unicorn/no-thenable -- the subject of the test
    const twice = Object.defineProperty({}, 'then', {
      value(resolve: (value: number) => void, reject: (reason: unknown) => void): void {
        resolve(1);
        resolve(2);
        reject(new Error('late'));
      },
    });
    const plugin = await textPlugin({ note: () => twice }, { limits: { pendingCalls: 1 } });
    expect(await plugin.call('notes', [5], numbers)).toBe(5);
    expect(plugin.stats()).toMatchObject({ pendingCalls: 0, hostCalls: 5 });
  });
});

describe('modules that lie about what they are', () => {
  const section = (text: string): Uint8Array => new TextEncoder().encode(text);

  test('a forged section of ours makes it an instrumented module from a stranger', async () => {
    const plain = await loadPlain('plugin');
    for (const content of ['', '{}', '{"version":3}', '[]', '\0', '{"version":3,"metered":true,"imports":[]}']) {
      const error = await errorOf(
        loadPlugin(withSections(plain, 'wasm-fibers', section(content)), { hostFunctions: functions() }),
      );
      expect(error).toMatchObject({ code: 'UNTRUSTED_MODULE' });
    }
    const twice = withSections(plain, 'wasm-fibers', section('{}'), section('{}'));
    expect(await errorOf(loadPlugin(twice, { hostFunctions: functions() }))).toMatchObject({
      code: 'UNTRUSTED_MODULE',
    });
  });

  test('forged types, names and maps change nothing', async () => {
    let forged = await loadPlain('plugin');
    for (const name of ['wasm-fibers.types', 'name', 'sourceMappingURL', 'producers']) {
      forged = withSections(forged, name, section('{"version":1,"runtime":"incremental"}'));
    }
    const plugin = await loadPlugin(forged, { hostFunctions: functions() }).catch((error: unknown) => error);
    // A section of names that is none may be refused; nothing else may happen.
    if (plugin instanceof Plugin) expect(await plugin.call('ask', 'x')).toBe('X');
    else expect(plugin).toMatchObject({ code: expect.stringMatching(/BAD_MODULE|BAD_SOURCE_MAP/) });
    const types = withSections(await loadPlain('plugin'), 'wasm-fibers.types', section('{"version":1}'));
    const typed = await loadPlugin(types, { hostFunctions: functions() });
    expect(await typed.call('ask', 'x')).toBe('X');
    expect(await errorOf(typed.call('ask', [], { as: 'values' }))).toMatchObject({ code: 'NOT_TYPED' });
  });
});

describe('time', () => {
  const load = async (options: PluginOptions = {}, more: HostFunctions['app'] = {}): Promise<Plugin> =>
    loadPlugin(await loadPlain('plugin-hostile'), { hostFunctions: functions(more), ...options });

  /** Turns of the event loop while something goes on. */
  async function turnsDuring(work: Promise<unknown>): Promise<number> {
    let turns = 0;
    const going = { on: true };
    const ended = work.then(
      () => (going.on = false),
      () => (going.on = false),
    );
    while (going.on) {
      await turn();
      turns++;
    }
    await ended;
    return turns;
  }

  test('a loop without end lets others have their turn, is ended at its deadline, and the next call has a fresh instance', async () => {
    const plugin = await load();
    await plugin.call('put', [5], numbers);
    const call = errorOf(plugin.call('worst', [1], { ...numbers, timeout: 100 }));
    const beside = bystander.call('ask', 'meanwhile');
    expect(await turnsDuring(call)).toBeGreaterThan(2);
    expect(await beside).toBe('MEANWHILE');
    expect(await call).toMatchObject({ code: 'TIMEOUT', plugin: { name: 'plugin' } });
    expect(await plugin.call('get', [], numbers)).toBe(0);
    expect(plugin.stats()).toMatchObject({ restarts: 1, instances: 1 });
    expect(plugin.stats().slices).toBeGreaterThan(0);
    expect(plugin.stats().guestMs).toBeGreaterThan(0);
  });

  test('so is one by a signal, and one by dispose', async () => {
    const plugin = await load();
    const controller = new AbortController();
    const call = errorOf(plugin.call('worst', [1], { ...numbers, signal: controller.signal }));
    await turn();
    controller.abort();
    expect(await call).toMatchObject({ code: 'CANCELLED' });
    const other = errorOf(plugin.call('worst', [1], numbers));
    await turn();
    await plugin.dispose();
    expect(await other).toMatchObject({ code: expect.stringMatching(/CANCELLED|DISPOSED/) });
  });

  test('calls beside one that was ended fail, and say why', async () => {
    const plugin = await load({}, { note: () => new Promise(() => {}) });
    const beside = errorOf(plugin.call('calls_forever', [], numbers));
    await turn();
    await errorOf(plugin.call('worst', [1], { ...numbers, timeout: 30 }));
    expect(await beside).toMatchObject({ code: 'GUEST_POISONED' });
  });

  test.each([
    ['its allocator', 1, 0],
    ['its own free', 0, 1],
  ])('in %s', async (_where, alloc, free) => {
    const plugin = await load();
    await plugin.call('set_modes', [alloc, free], numbers);
    const call = errorOf(plugin.call('same', 'text', { timeout: 100 }));
    expect(await turnsDuring(call)).toBeGreaterThan(0);
    expect(await call).toMatchObject({ code: 'TIMEOUT' });
    expect(await plugin.call('same', 'text')).toBe('text');
  });

  test('in its allocator, when a result of the host is brought', async () => {
    const plugin = await load(
      {},
      {
        ask: textFunction((text) =>
          turn()
            .then(() => plugin.call('set_modes', [1, 0], numbers))
            .then(() => text),
        ),
      },
    );
    const call = errorOf(plugin.call('ask', 'text', { timeout: 200 }));
    await turnsDuring(call);
    expect(await call).toMatchObject({ code: 'TIMEOUT' });
    expect(await plugin.call('same', 'text')).toBe('text');
  });

  test('in its allocator, when the runtime itself needs room for another fiber', async () => {
    const plugin = await load({}, { ask: textFunction(() => new Promise(() => {})) });
    await plugin.call('set_modes', [1, 0], numbers);
    const started = performance.now();
    // As many as nobody would wait for, were each of them to have its time.
    const calls = Array.from({ length: 50 }, () => errorOf(plugin.call('ask', '', { timeout: 200 })));
    for (const call of calls) {
      expect(await call).toMatchObject({ code: expect.stringMatching(/^(OUT_OF_MEMORY|GUEST_POISONED|TIMEOUT)$/) });
    }
    expect(performance.now() - started).toBeLessThan(4000);
    expect(await plugin.call('same', 'text')).toBe('text');
  });

  test('in its start function, before there is a plugin', async () => {
    const loading = errorOf(
      loadPlugin(await loadPlain('plugin-start'), { limits: { loadMs: perBackend({ asyncify: 3000, jspi: 300 }) } }),
    );
    expect(await turnsDuring(loading)).toBeGreaterThan(2);
    expect(await loading).toMatchObject({ code: 'LIMIT_REACHED', limit: 'loadMs' });
  });

  test('fuel ends it at the same place in every run', async () => {
    const plugin = await load({ limits: { fuel: 100_000 } });
    expect(await errorOf(plugin.call('worst', [1], numbers))).toMatchObject({
      code: 'OUT_OF_FUEL',
      plugin: { name: 'plugin' },
    });
    const used = async (): Promise<number> => {
      const before = plugin.stats().fuel;
      await plugin.call('fill', [20], numbers);
      return plugin.stats().fuel - before;
    };
    const first = await used();
    expect(first).toBeGreaterThan(1000);
    expect(await used()).toBe(first);
    expect(await plugin.call('fill', [20], { ...numbers, fuel: first })).toBeUndefined();
    expect(await errorOf(plugin.call('fill', [20], { ...numbers, fuel: first - 1000 }))).toMatchObject({
      code: 'OUT_OF_FUEL',
    });
    // The embedder's limit is the most that a call can ask for.
    expect(await errorOf(plugin.call('worst', [1], { ...numbers, fuel: 10 ** 12 }))).toMatchObject({
      code: 'OUT_OF_FUEL',
    });
  });

  test('fuel is that of a whole call: making room and giving it back is paid by it', async () => {
    const plugin = await load({ limits: { fuel: 100_000 } });
    await plugin.call('set_modes', [1, 0], numbers);
    expect(await errorOf(plugin.call('same', 'text'))).toMatchObject({ code: 'OUT_OF_FUEL' });
    await plugin.call('set_modes', [0, 1], numbers);
    expect(await errorOf(plugin.call('same', 'text'))).toMatchObject({ code: 'OUT_OF_FUEL' });
  });

  test('many that loop share the thread, and those that do not are answered', async () => {
    const busy = await Promise.all([1, 2, 3].map(() => load()));
    const calls = busy.map((each) => errorOf(each.call('worst', [1], { ...numbers, timeout: 300 })));
    for (let i = 0; i < 5; i++) expect(await bystander.call('echo', 'x')).toBe('x');
    for (const call of calls) expect(await call).toMatchObject({ code: 'TIMEOUT' });
    for (const each of busy) expect(each.stats().slices).toBeGreaterThan(0);
  });

  test('calls of the host without end are ended by their number', async () => {
    const plugin = await load({ limits: { callsPerSecond: 1000 } });
    expect(await errorOf(plugin.call('calls_forever', [], numbers))).toMatchObject({ limit: 'callsPerSecond' });
  });
});

describe('room', () => {
  const load = async (limits: PluginOptions['limits'] = {}): Promise<Plugin> =>
    loadPlugin(await loadPlain('plugin-hostile'), { hostFunctions: functions(), limits });

  test('memory ends at its limit, at once and page by page', async () => {
    const plugin = await load({ memory: 50 * 65_536 });
    expect(await plugin.call('grow', [2], numbers)).toBeGreaterThanOrEqual(40);
    for (const [name, args] of [
      ['grow', [1000]],
      ['grow', [-1]],
      ['grow_forever', []],
    ] as const) {
      expect(await errorOf(plugin.call(name, [...args], numbers))).toMatchObject({
        code: 'LIMIT_REACHED',
        limit: 'memory',
      });
    }
    expect(plugin.stats().memory).toBeLessThanOrEqual(50 * 65_536);
    expect(plugin.stats()).toMatchObject({ instances: 1 });
  });

  test('a memory or table that begins beyond its limit is not loaded', async () => {
    expect(await errorOf(load({ memory: 65_536 }))).toMatchObject({ code: 'LIMIT_REACHED', limit: 'memory' });
    expect(await errorOf(load({ tableElements: 3 }))).toMatchObject({ code: 'LIMIT_REACHED', limit: 'tableElements' });
  });

  test('tables end at their limit', async () => {
    const plugin = await load({ tableElements: 100 });
    expect(await plugin.call('grow_table', [10], numbers)).toBe(4);
    expect(await errorOf(plugin.call('grow_table', [1000], numbers))).toMatchObject({
      code: 'LIMIT_REACHED',
      limit: 'tableElements',
    });
  });

  test('calls end at their depth', async () => {
    const plugin = await load({ callDepth: 50 });
    expect(await errorOf(plugin.call('worst', [3], numbers))).toMatchObject({
      code: 'LIMIT_REACHED',
      limit: 'callDepth',
    });
    expect(await plugin.call('get', [], numbers)).toBe(0);
  });

  test('and without one at the engine’s', async () => {
    const plugin = await load();
    const error = await errorOf(plugin.call('worst', [3], numbers));
    expect(error).toMatchObject({ plugin: { name: 'plugin' } });
    expect(await plugin.call('get', [], numbers)).toBe(0);
  });
});

test('a host function of one plugin has nothing of another', async () => {
  const fibers: string[] = [];
  const note = (x: number): number => {
    fibers.push(currentFiber()?.name ?? 'none');
    return x;
  };
  const [one, other] = [await textPlugin({ note }), await textPlugin({ note })];
  await Promise.all([one.call('note', [1], numbers), other.call('note', [2], numbers)]);
  expect(fibers).toEqual(['note', 'note']);
  expect([one.stats().hostCalls, other.stats().hostCalls]).toEqual([1, 1]);
});
