// wasm-fibers/plugin: values in and out, several calls at once, what there is to be called, and how a plugin ends.
import { describe, expect, test } from 'vitest';
import { FiberError, Plugin, bytesFunction, jsonFunction, textFunction } from 'wasm-fibers/plugin';
import { backend } from '../support/backend.ts';
import { Gate, turn } from '../support/core.ts';
import { loadPlain } from '../support/guest.ts';
import { errorOf, functions, loadPlugin, textPlugin } from '../support/plugin.ts';

describe('values', () => {
  test('text, bytes and JSON come out as they went in, and what they took is given back', async () => {
    const plugin = await textPlugin();
    expect(plugin.backend).toBe(backend);
    expect(await plugin.call('echo', 'grüße, 世界 🌍')).toBe('grüße, 世界 🌍');
    expect(await plugin.call('echo', new Uint8Array([0, 255, 7]))).toEqual(new Uint8Array([0, 255, 7]));
    expect(await plugin.call('echo', { a: [1, null, 'x'] })).toEqual({ a: [1, null, 'x'] });
    expect(await plugin.call('echo', [1, 2], { as: 'json' })).toEqual([1, 2]);
    expect(await plugin.call('same', 'not copied')).toBe('not copied');
    expect(await plugin.call('live', [], { as: 'numbers' })).toBe(0);
  });

  test('nothing is an empty text, no bytes, and no value', async () => {
    const plugin = await textPlugin();
    expect(await plugin.call('same', '')).toBe('');
    expect(await plugin.call('nothing', 'some')).toBe('');
    expect(await plugin.call('same', new Uint8Array())).toEqual(new Uint8Array());
    expect(await plugin.call('same')).toBeUndefined();
    expect(await plugin.call('live', [], { as: 'numbers' })).toBe(0);
  });

  test('in one kind and out in another', async () => {
    const plugin = await textPlugin();
    expect(await plugin.call('echo', '[1, 2]', { as: { input: 'text', output: 'json' } })).toEqual([1, 2]);
    expect(await plugin.call('echo', 'ab', { as: { input: 'text', output: 'bytes' } })).toEqual(
      new Uint8Array([97, 98]),
    );
  });

  test('numbers', async () => {
    const plugin = await textPlugin();
    expect(await plugin.call('add', [2, 3], { as: 'numbers' })).toBe(5);
    expect(await plugin.call('add_long', [2n ** 62n, 1n], { as: 'numbers' })).toBe(2n ** 62n + 1n);
    expect(await plugin.call('pair', [1], { as: 'numbers' })).toEqual([1, 7n]);
    expect(await plugin.call('put', [1], { as: 'numbers' })).toBeUndefined();
  });

  test('bytes that the caller changes meanwhile are those that were given', async () => {
    const plugin = await textPlugin();
    const bytes = new Uint8Array([1, 2, 3]);
    const result = plugin.call('echo', bytes);
    bytes.fill(9);
    expect(await result).toEqual(new Uint8Array([1, 2, 3]));
  });

  test('what does not fit is refused by name', async () => {
    const plugin = await textPlugin();
    const cases: readonly (readonly [unknown, object, RegExp])[] = [
      [1, { as: 'text' }, /echo takes text, not 1/],
      ['x', { as: 'bytes' }, /echo takes bytes, not "x"/],
      [1, { as: 'numbers' }, /takes a list of arguments, not 1/],
      [['x'], { as: 'numbers' }, /a list of numbers and bigints/],
      [1n, { as: 'json' }, /no value that JSON has/],
      ['x', { as: { input: 'text', output: 'numbers' } }, /cannot take text and return numbers/],
      ['x', { as: 'words' }, /as must be one of bytes, text, json, numbers, values/],
      ['x', { timeuot: 3 }, /timeuot is unknown; there are as, timeout, signal, fuel/],
      ['x', { timeout: -1 }, /timeout must be a number of milliseconds/],
    ];
    for (const [input, options, message] of cases) {
      expect(await errorOf(plugin.call('echo', input, options))).toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(message),
      });
    }
    expect(await errorOf(plugin.call('echo', [], { as: 'values' }))).toMatchObject({ code: 'NOT_TYPED' });
    expect(plugin.stats()).toMatchObject({ failures: cases.length + 1, calls: cases.length + 1 });
  });
});

describe('host functions', () => {
  test('take and return text, bytes and JSON, at once or later', async () => {
    for (const later of [false, true]) {
      const give = <T>(value: T): T | Promise<T> => (later ? turn().then(() => value) : value);
      const text = await textPlugin({ ask: textFunction((question) => give(`${question}?`)) });
      expect(await text.call('ask', 'how')).toBe('how?');
      const bytes = await textPlugin({ ask: bytesFunction((given) => give(given.toReversed())) });
      expect(await bytes.call('ask', new Uint8Array([1, 2]))).toEqual(new Uint8Array([2, 1]));
      const json = await textPlugin({ ask: jsonFunction((value) => give({ given: value })) });
      expect(await json.call('ask', [1])).toEqual({ given: [1] });
    }
  });

  test('without a result are only told', async () => {
    const told: string[] = [];
    const plugin = await textPlugin({ tell: textFunction((text) => void told.push(text)) });
    await plugin.call('tell', 'one');
    expect(told).toEqual(['one']);
    const silent = await textPlugin({ ask: textFunction(() => {}) });
    expect(await silent.call('ask', 'x')).toBe('');
  });

  test('of numbers may wait, and any number of calls beside each other', async () => {
    const gate = new Gate();
    const plugin = await textPlugin({ note: gate.wait });
    const calls = [1, 2, 3].map((x) => plugin.call('note', [x], { as: 'numbers' }));
    await gate.until(3);
    expect(plugin.stats()).toMatchObject({ running: 3, pendingCalls: 3, instances: 1 });
    for (const x of [2, 1, 3]) gate.take(x).resolve(x * 10);
    expect(await Promise.all(calls)).toEqual([10, 20, 30]);
    expect(plugin.stats()).toMatchObject({ calls: 3, failures: 0, hostCalls: 3, pendingCalls: 0, running: 0 });
    expect(plugin.stats().suspensions).toBe(3);
    expect(plugin.stats().memory).toBeGreaterThanOrEqual(2 * 65_536);
  });

  test('fail the call with the very error that they threw, on which the plugin is named', async () => {
    const thrown = new Error('no such table');
    const plugin = await textPlugin({ note: () => Promise.reject(thrown) }, { name: 'tables', version: '1.2.0' });
    const error = await errorOf(plugin.call('note', [1], { as: 'numbers' }));
    expect(error).toBe(thrown);
    expect(error['plugin']).toEqual({ name: 'tables', version: '1.2.0' });
    expect(plugin.stats()).toMatchObject({ name: 'tables', version: '1.2.0', health: 'failing', lastFailure: thrown });
  });

  test('may know the fiber that calls them', async () => {
    const { currentFiber } = await import('wasm-fibers');
    let name = '';
    const plugin = await textPlugin({
      note: (x: number) => {
        name = currentFiber()?.name ?? '';
        return x;
      },
    });
    await plugin.call('note', [1], { as: 'numbers' });
    expect(name).toBe('note');
  });
});

describe('what can be called', () => {
  test('is what the module exports, but for its allocator', async () => {
    const plugin = await textPlugin();
    for (const name of ['alloc', 'free', 'memory', 'missing', '__proto__', 'toString', 'wasm-fibers.start']) {
      expect(await errorOf(plugin.call(name, 'x')), name).toMatchObject({
        code: 'NO_SUCH_EXPORT',
        message: expect.stringMatching(/^The plugin "plugin" 0\.0\.0 has no entry point .*It has: .*echo/),
      });
    }
  });

  test('takes numbers where there is no allocator', async () => {
    const plugin = await loadPlugin(await loadPlain('no-memory'), {
      hostFunctions: { env: { wait: (x: number) => x } },
    });
    expect(await plugin.call('once', [3], { as: 'numbers' })).toBe(3);
    expect(await errorOf(plugin.call('once', 'text'))).toMatchObject({
      code: 'NO_SUCH_EXPORT',
      message: expect.stringMatching(/has to export memory and alloc/),
    });
  });
});

describe('the end of a call', () => {
  test('after its time', async () => {
    const plugin = await textPlugin({ note: () => new Promise(() => {}) });
    expect(await errorOf(plugin.call('note', [1], { as: 'numbers', timeout: 20 }))).toMatchObject({
      code: 'TIMEOUT',
      name: 'TimeoutError',
      message: 'The plugin "plugin" 0.0.0: note did not end within 20 ms.',
      plugin: { name: 'plugin', version: '0.0.0' },
    });
    expect(await plugin.call('add', [1, 2], { as: 'numbers' })).toBe(3);
  });

  test('after the time of its limits, if that is less', async () => {
    const plugin = await textPlugin({ note: () => new Promise(() => {}) }, { limits: { timeout: 20 } });
    const error = await errorOf(plugin.call('note', [1], { as: 'numbers', timeout: 100_000 }));
    expect(error).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('20 ms') });
  });

  test('by a signal, whose reason is the cause', async () => {
    const plugin = await textPlugin({ note: () => new Promise(() => {}) });
    const controller = new AbortController();
    const call = errorOf(plugin.call('note', [1], { as: 'numbers', signal: controller.signal }));
    await turn();
    controller.abort('enough');
    expect(await call).toMatchObject({ code: 'CANCELLED', name: 'AbortError', cause: 'enough' });
    const late = await errorOf(plugin.call('add', [1, 2], { as: 'numbers', signal: controller.signal }));
    expect(late).toMatchObject({ code: 'CANCELLED', cause: 'enough' });
  });

  test('gives back what the call was given, though it failed', async () => {
    const gate = new Gate();
    const plugin = await textPlugin({ ask: textFunction(() => gate.wait(1) as Promise<string>) });
    const call = errorOf(plugin.call('ask', 'x', { timeout: 20 }));
    expect(await call).toMatchObject({ code: 'TIMEOUT' });
    while ((await plugin.call('live', [], { as: 'numbers' })) !== 0) await turn();
    // And the answer that comes too late takes nothing.
    gate.take(1).resolve('late');
    await turn();
    expect(await plugin.call('live', [], { as: 'numbers' })).toBe(0);
  });
});

describe('dispose', () => {
  test('ends calls, and there are no more', async () => {
    const plugin = await textPlugin({ note: () => new Promise(() => {}) });
    const call = errorOf(plugin.call('note', [1], { as: 'numbers' }));
    await turn();
    await plugin.dispose();
    expect(['CANCELLED', 'DISPOSED']).toContain((await call)['code']);
    expect(await errorOf(plugin.call('add', [1, 2], { as: 'numbers' }))).toMatchObject({ code: 'DISPOSED' });
    expect(plugin.stats()).toMatchObject({ health: 'disposed', instances: 0 });
    await plugin.dispose();
  });

  test('by the signal of load, which also ends loading', async () => {
    const controller = new AbortController();
    const plugin = await textPlugin({}, { signal: controller.signal });
    controller.abort();
    expect(await errorOf(plugin.call('add', [1, 2], { as: 'numbers' }))).toMatchObject({ code: 'DISPOSED' });
    const bytes = await loadPlain('plugin');
    await expect(Plugin.load(bytes, { signal: controller.signal })).rejects.toBe(controller.signal.reason);
    const other = new AbortController();
    const never = new Promise<Uint8Array<ArrayBuffer>>(() => {});
    const loading = Plugin.load(never, { hostFunctions: functions(), signal: other.signal });
    other.abort(new Error('changed my mind'));
    await expect(loading).rejects.toThrow('changed my mind');
  });
});

test('errors of the package are one class', async () => {
  const plugin = await textPlugin();
  expect(await errorOf(plugin.call('missing'))).toBeInstanceOf(FiberError);
});
