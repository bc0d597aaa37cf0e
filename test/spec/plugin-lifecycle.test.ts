// Instances of a plugin: one for all calls or several with one call each, fresh ones in the place of spoilt ones, and another
// version while calls run.
import { describe, expect, test } from 'vitest';
import type { FiberEvent } from 'wasm-fibers';
import { type Plugin, type PluginOptions, textFunction } from 'wasm-fibers/plugin';
import { backend } from '../support/backend.ts';
import { Gate, turn } from '../support/core.ts';
import { guestAddress, loadGuest, loadPlain } from '../support/guest.ts';
import { errorOf, functions, loadPlugin, sha256, textPlugin } from '../support/plugin.ts';

const numbers = { as: 'numbers' } as const;

describe('a number of instances', () => {
  test('has one call at a time in each, and the others wait in order', async () => {
    const gate = new Gate();
    const plugin = await textPlugin({ note: gate.wait }, { instances: 2 });
    expect(plugin.stats()).toMatchObject({ instances: 1 });
    const ended: number[] = [];
    const calls = [1, 2, 3, 4].map(async (x) => {
      const result = await plugin.call<number>('note', [x], numbers);
      ended.push(result);
      return result;
    });
    await gate.until(2);
    for (let i = 0; i < 20; i++) await turn();
    expect(gate.calls.map(({ x }) => x)).toEqual([1, 2]);
    expect(plugin.stats()).toMatchObject({ instances: 2, running: 4 });
    gate.take(2).resolve(2);
    await gate.until(2);
    expect(gate.calls.map(({ x }) => x)).toEqual([1, 3]);
    gate.take(3).resolve(3);
    await gate.until(2);
    gate.take(4).resolve(4);
    gate.take(1).resolve(1);
    expect(await Promise.all(calls)).toEqual([1, 2, 3, 4]);
    expect(ended).toEqual([2, 3, 4, 1]);
    expect(plugin.stats()).toMatchObject({ instances: 2, running: 0, restarts: 0 });
  });

  test('who is cancelled while it waits has not been in any', async () => {
    const gate = new Gate();
    const plugin = await textPlugin({ note: gate.wait }, { instances: 1 });
    const first = plugin.call('note', [1], numbers);
    await gate.until(1);
    const controller = new AbortController();
    const second = errorOf(plugin.call('note', [2], { ...numbers, signal: controller.signal }));
    const third = errorOf(plugin.call('note', [3], { ...numbers, timeout: 10 }));
    controller.abort();
    expect(await second).toMatchObject({ code: 'CANCELLED' });
    expect(await third).toMatchObject({ code: 'TIMEOUT' });
    const fourth = plugin.call('note', [4], numbers);
    gate.take(1).resolve(1);
    expect(await first).toBe(1);
    await gate.until(1);
    expect(gate.calls.map(({ x }) => x)).toEqual([4]);
    gate.take(4).resolve(4);
    expect(await fourth).toBe(4);
  });

  test('those that wait when it is disposed of are told', async () => {
    const plugin = await textPlugin({ note: () => new Promise(() => {}) }, { instances: 1 });
    const calls = [1, 2].map((x) => errorOf(plugin.call('note', [x], numbers)));
    await turn();
    await plugin.dispose();
    for (const call of calls) expect(['DISPOSED', 'CANCELLED']).toContain((await call)['code']);
  });
});

describe('a spoilt instance', () => {
  const ofState = async (plugin: Plugin): Promise<unknown> => plugin.call('get', [], numbers);

  test.each<[string, PluginOptions]>([
    ['one for all calls', {}],
    ['a number of them', { instances: 1 }],
  ])('by a trap is replaced if the embedder wants that: %s', async (_name, options) => {
    const plugin = await textPlugin({}, { onTrap: 'poison', ...options });
    await plugin.call('put', [5], numbers);
    expect(await ofState(plugin)).toBe(5);
    const error = await errorOf(plugin.call('trap', [], numbers));
    expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
    expect(error).toMatchObject({ plugin: { name: 'plugin', version: '0.0.0' } });
    expect(await ofState(plugin)).toBe(0);
    expect(plugin.stats()).toMatchObject({ restarts: 1, instances: 1, health: 'ready', failures: 1 });
  });

  test('ends the calls that ran beside', async () => {
    const gate = new Gate();
    const plugin = await textPlugin({ note: gate.wait }, { onTrap: 'poison' });
    const beside = errorOf(plugin.call('note', [1], numbers));
    await gate.until(1);
    await errorOf(plugin.call('trap', [], numbers));
    expect(await beside).toMatchObject({ code: 'GUEST_POISONED' });
    expect(await plugin.call('add', [1, 1], numbers)).toBe(2);
  });

  test('a trap leaves it otherwise as it was', async () => {
    const plugin = await textPlugin();
    await plugin.call('put', [5], numbers);
    await errorOf(plugin.call('trap', [], numbers));
    expect(await ofState(plugin)).toBe(5);
    expect(plugin.stats()).toMatchObject({ restarts: 0 });
  });

  test('by a call that does not end when it is told to', async () => {
    const plugin = await loadPlugin(await loadPlain('catch'), {
      hostFunctions: { env: { wait: () => new Promise(() => {}) } },
      instances: 1,
    });
    // It catches whatever ends its wait, and waits again.
    const error = await errorOf(plugin.call('swallow_then_wait', [1, 2], { ...numbers, timeout: 20 }));
    expect(error).toMatchObject({ code: 'TIMEOUT' });
    // The instance is in use until it is given up, and this call waits for the next one.
    expect(await plugin.call('cleanups', [], numbers)).toBe(0);
    expect(plugin.stats()).toMatchObject({ restarts: 1 });
  });
});

test('calls beside one that does not end when it is told to are told that their instance was given up', async () => {
  const plugin = await loadPlugin(await loadPlain('catch'), {
    hostFunctions: { env: { wait: () => new Promise(() => {}) } },
  });
  const error = await errorOf(plugin.call('swallow_then_wait', [1, 2], { ...numbers, timeout: 20 }));
  expect(error).toMatchObject({ code: 'TIMEOUT' });
  // Before the instance is given up.
  const beside = await errorOf(plugin.call('swallow_then_wait', [3, 4], numbers));
  expect(beside).toMatchObject({
    code: 'GUEST_POISONED',
    message: expect.stringContaining('swallow_then_wait did not end when it was told to'),
    cause: expect.objectContaining({ code: 'CANCELLED' }),
  });
  expect(await plugin.call('cleanups', [], numbers)).toBe(0);
});

describe('reload', () => {
  test('lets running calls end in the old version, and new ones begin in the new one', async () => {
    const gate = new Gate();
    const plugin = await textPlugin({ note: gate.wait });
    await plugin.call('put', [5], numbers);
    const running = plugin.call('note', [1], numbers);
    await gate.until(1);
    await plugin.reload(await loadPlain('plugin'));
    expect(await plugin.call('get', [], numbers)).toBe(0);
    expect(plugin.stats()).toMatchObject({ instances: 2, running: 1 });
    gate.take(1).resolve(10);
    expect(await running).toBe(10);
    while (plugin.stats().instances > 1) await turn();
  });

  test('that fails leaves the old version', async () => {
    const plugin = await textPlugin({}, { name: 'tables', version: '1.0.0' });
    await plugin.call('put', [5], numbers);
    for (const bad of [new Uint8Array([1, 2, 3]), await loadPlain('plugin-fetch')]) {
      expect(await errorOf(plugin.reload(bad))).toMatchObject({ plugin: { name: 'tables', version: '1.0.0' } });
    }
    expect(await errorOf(plugin.reload({ name: 'chairs', version: '1.0.0', source: bad() }))).toMatchObject({
      code: 'INVALID_MANIFEST',
      message: expect.stringContaining('is not "tables"'),
    });
    expect(await plugin.call('get', [], numbers)).toBe(5);
    expect(plugin.stats()).toMatchObject({ version: '1.0.0', instances: 1, health: 'ready' });
  });

  test('one after the other: what was given last stays', async () => {
    const source = await loadPlain('plugin');
    const plugin = await textPlugin({}, { name: 'tables', version: '1.0.0' });
    const capabilities = { hostFunctions: ['app.note', 'app.ask', 'app.tell'] };
    const reloads = ['1.1.0', '1.2.0'].map((version) =>
      plugin.reload({ name: 'tables', version, source, capabilities }),
    );
    await Promise.all(reloads);
    expect(plugin.version).toBe('1.2.0');
    expect(await plugin.call('ask', 'x')).toBe('X');
    while (plugin.stats().instances > 1) await turn();
  });

  test('may change options', async () => {
    const plugin = await textPlugin();
    await plugin.reload(await loadPlain('plugin'), {
      hostFunctions: functions({ ask: textFunction((text) => `${text}!`) }),
      limits: { inputBytes: 4 },
    });
    expect(await plugin.call('ask', 'hey')).toBe('hey!');
    expect(await errorOf(plugin.call('ask', 'hello'))).toMatchObject({ limit: 'inputBytes' });
  });

  test('after dispose there is none', async () => {
    const plugin = await textPlugin();
    await plugin.dispose();
    expect(await errorOf(plugin.reload(await loadPlain('plugin')))).toMatchObject({ code: 'DISPOSED' });
  });

  const bad = (): Uint8Array<ArrayBuffer> => new Uint8Array([1]);
});

describe('what is told', () => {
  test('everything that happens to its fibers', async () => {
    const events: string[] = [];
    const onEvent = ({ type, fiber }: FiberEvent): void => void events.push(`${type} ${fiber.name}`);
    const plugin = await textPlugin({ note: (x: number) => turn().then(() => x) }, { onEvent });
    await plugin.call('note', [1], numbers);
    expect(events.filter((each) => !each.startsWith('slice'))).toEqual([
      'spawn note',
      'suspend note',
      'resume note',
      'end note',
    ]);
    await plugin.call('same', 'x');
    expect(events).toContain('spawn alloc for same');
    expect(events).toContain('spawn free for same');
  });

  test('places in the source, where there is a map', async () => {
    const trace = Error as { stackTraceLimit?: number };
    const limit = trace.stackTraceLimit;
    if (limit !== undefined) trace.stackTraceLimit = 100;
    try {
      const bytes = await loadGuest('typed/traps-O3');
      const address = guestAddress('typed/traps-O3');
      const map = new URL(`${address.href}.map`);
      const sourceMap =
        map.protocol === 'file:'
          ? process.getBuiltinModule('node:fs').readFileSync(map, 'utf8')
          : await (await fetch(map)).text();
      const plugin = await loadPlugin(bytes, {
        hostFunctions: { env: { pause: (n: number) => turn().then(() => n), fail: () => 0, through: () => 0 } },
        trusted: [await sha256(bytes)],
        sourceMap,
        name: 'traps',
      });
      const error = await errorOf(plugin.call('run', [0, 2], { as: 'numbers' }));
      expect(error).toMatchObject({ plugin: { name: 'traps', version: '0.0.0' } });
      expect(error.stack).toMatch(/test\/guests\/typed\/traps\.ts:\d+:\d+/);
    } finally {
      if (limit !== undefined) trace.stackTraceLimit = limit;
    }
  });
});

describe('typed AssemblyScript', () => {
  const load = async (options: PluginOptions = {}): Promise<Plugin> => {
    const bytes = await loadGuest('typed/basic');
    return loadPlugin(bytes, {
      hostFunctions: {
        env: {
          fetchText: (url: string) => turn().then(() => `Hello from ${url}`),
          sleep: () => turn(),
          load: () => null,
        },
      },
      trusted: [await sha256(bytes)],
      ...options,
    });
  };

  test('passes values of its own types', async () => {
    const plugin = await load();
    expect(plugin.backend).toBe(backend);
    expect(await plugin.call('greet', ['Ada'])).toBe('Hello from greeting/Ada, Ada!');
    expect(await plugin.call('sum', [[1n, 2n, 3n], 2n])).toBe(12n);
    expect(await plugin.call('invert', [new Uint8Array([0, 255])])).toEqual(new Uint8Array([255, 0]));
    expect(await plugin.call('lookUp', [1])).toBeNull();
    expect(await errorOf(plugin.call('greet', [3]))).toBeInstanceOf(TypeError);
    expect(await errorOf(plugin.call('greet', 'Ada'))).toMatchObject({ code: 'INVALID_OPTION' });
  });

  test('keeps the limits of host functions', async () => {
    const plugin = await load({ limits: { callsPerSecond: 2 } });
    expect(await errorOf(plugin.call('sum', [[1n, 2n, 3n, 4n, 5n], 1n]))).toMatchObject({
      code: 'LIMIT_REACHED',
      limit: 'callsPerSecond',
    });
  });
});
