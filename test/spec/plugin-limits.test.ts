// The limits of the host side: each is one that a hostile plugin, or a hostile caller, tries to pass, while another plugin goes
// on as if nothing were.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Plugin, jsonFunction, textFunction } from 'wasm-fibers/plugin';
import { perBackend } from '../support/backend.ts';
import { Gate, turn } from '../support/core.ts';
import { loadPlain } from '../support/guest.ts';
import { errorOf, loadPlugin, textPlugin } from '../support/plugin.ts';

const numbers = { as: 'numbers' } as const;

/** What each test looks at last: a plugin that has done nothing wrong. */
let bystander: Plugin;
beforeEach(async () => {
  bystander = await textPlugin({}, { name: 'bystander' });
});
afterEach(async () => {
  expect(await bystander.call('ask', 'still there')).toBe('STILL THERE');
  expect(bystander.stats()).toMatchObject({ failures: 0, health: 'ready' });
});

/** The limit whose error this is. */
async function limitOf(promise: PromiseLike<unknown>): Promise<unknown> {
  const error = await errorOf(promise);
  expect(error).toMatchObject({ code: 'LIMIT_REACHED', name: 'FiberError', plugin: expect.anything() });
  // The sentence has the name as well, and how much was allowed.
  expect(error.message).toMatch(/\d/);
  return error['limit'];
}

describe('fibers', () => {
  test('calls at once: one more is refused, and when one ends there is room again', async () => {
    const gate = new Gate();
    const plugin = await textPlugin({ note: gate.wait }, { limits: { fibers: 3 } });
    const calls = [1, 2, 3].map((x) => plugin.call('note', [x], numbers));
    expect(await limitOf(plugin.call('note', [4], numbers))).toBe('fibers');
    await gate.until(3);
    gate.take(2).resolve(2);
    expect(await calls[1]).toBe(2);
    calls.push(plugin.call('note', [5], numbers));
    await gate.until(3);
    for (const x of [1, 3, 5]) gate.take(x).resolve(x);
    expect(await Promise.all(calls)).toEqual([1, 2, 3, 5]);
  });

  test('those that wait for an instance count', async () => {
    const gate = new Gate();
    const plugin = await textPlugin({ note: gate.wait }, { limits: { fibers: 2 }, instances: 1 });
    const calls = [1, 2].map((x) => plugin.call('note', [x], numbers));
    expect(await limitOf(plugin.call('note', [3], numbers))).toBe('fibers');
    await gate.until(1);
    gate.take(1).resolve(1);
    await gate.until(1);
    gate.take(2).resolve(2);
    expect(await Promise.all(calls)).toEqual([1, 2]);
  });
});

describe('pendingCalls', () => {
  test('a flood of promises: the call that would make one more fails, before the host function has done anything', async () => {
    const gate = new Gate();
    let called = 0;
    const note = (x: number): Promise<unknown> => {
      called++;
      return gate.wait(x);
    };
    const plugin = await textPlugin({ note }, { limits: { pendingCalls: 5 } });
    const calls = Array.from({ length: 50 }, (_, x) => plugin.call('note', [x], numbers));
    const outcomes = Promise.allSettled(calls);
    await gate.until(5);
    expect(plugin.stats()).toMatchObject({ pendingCalls: 5 });
    for (const [x, call] of calls.entries()) if (x >= 5) expect(await limitOf(call)).toBe('pendingCalls');
    expect(called).toBe(5);
    for (let x = 0; x < 5; x++) gate.take(x).resolve(x);
    expect((await outcomes).filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    expect(plugin.stats()).toMatchObject({ pendingCalls: 0 });
  });

  test('what nobody waits for any more counts until it has settled', async () => {
    const gate = new Gate();
    const plugin = await textPlugin({ note: gate.wait }, { limits: { pendingCalls: 1 } });
    expect(await errorOf(plugin.call('note', [1], { ...numbers, timeout: 10 }))).toMatchObject({ code: 'TIMEOUT' });
    expect(await limitOf(plugin.call('note', [2], numbers))).toBe('pendingCalls');
    gate.take(1).reject(new Error('late'));
    await turn();
    const call = plugin.call('note', [3], numbers);
    await gate.until(1);
    gate.take(3).resolve(3);
    expect(await call).toBe(3);
  });

  test('0 lets a plugin wait for nothing, and call all the same', async () => {
    const plugin = await textPlugin({}, { limits: { pendingCalls: 1 } });
    expect(await plugin.call('notes', [10], numbers)).toBe(55);
    const silent = await textPlugin({}, { limits: { pendingCalls: 0 } });
    expect(await limitOf(silent.call('note', [1], numbers))).toBe('pendingCalls');
  });
});

describe('inputBytes', () => {
  test('of a call: the guest is not even asked for room', async () => {
    const plugin = await textPlugin({}, { limits: { inputBytes: 4 } });
    expect(await plugin.call('echo', 'fits')).toBe('fits');
    for (const input of ['fits!', 'üüü', new Uint8Array(5), [1, 2, 3]]) {
      expect(await limitOf(plugin.call('echo', input))).toBe('inputBytes');
    }
    expect(await plugin.call('live', [], numbers)).toBe(0);
  });

  test('of what a host function returns', async () => {
    const plugin = await textPlugin({ ask: textFunction((text) => text.repeat(10)) }, { limits: { inputBytes: 20 } });
    expect(await plugin.call('ask', 'ab')).toBe('ab'.repeat(10));
    expect(await limitOf(plugin.call('ask', 'abc'))).toBe('inputBytes');
  });
});

describe('outputBytes', () => {
  test('of a result, which is not read', async () => {
    const plugin = await textPlugin({}, { limits: { outputBytes: 4 } });
    expect(await plugin.call('echo', 'fits')).toBe('fits');
    expect(await limitOf(plugin.call('echo', 'fits!'))).toBe('outputBytes');
    // A length that no memory has is too long before it is wrong.
    const lie = new Uint8Array(new Uint32Array([0, 0xffff_ffff]).buffer);
    expect(await limitOf(plugin.call('lie', lie))).toBe('outputBytes');
  });

  test('of what a host function is given', async () => {
    const heard: unknown[] = [];
    const plugin = await textPlugin(
      { ask: jsonFunction((value) => heard.push(value)) },
      { limits: { outputBytes: 4 } },
    );
    await plugin.call('ask', 1234);
    expect(await limitOf(plugin.call('ask', 12345))).toBe('outputBytes');
    expect(heard).toEqual([1234]);
  });
});

describe('jsonValues', () => {
  const parsed = { as: { input: 'text', output: 'json' } } as const;

  test.each([
    ['1', 1],
    ['[1,2,3]', 4],
    ['[[ ],{\n}]', 3],
    ['{"a":[{},"b"]}', 5],
    ['["],[{:,\\"[","\\\\",{"\\\\\\"[":null}]', 6],
    // Without an end, which is found by counting already.
    ['"[[[[[[', 1],
  ])('%s has %i at most', async (text, values) => {
    const enough = await textPlugin({}, { limits: { jsonValues: values } });
    const result = enough.call('echo', text, parsed);
    if (text.startsWith('"[')) expect(await errorOf(result)).toMatchObject({ code: 'CORRUPT_VALUE' });
    else expect(await result).toEqual(JSON.parse(text));
    const less = await textPlugin({}, { limits: { jsonValues: values - 1 } });
    expect(await limitOf(less.call('echo', text, parsed))).toBe('jsonValues');
  });

  test('a long key counts for as many as engines take for it; a long text that is none does not', async () => {
    const plugin = await textPlugin({}, { limits: { jsonValues: 20 } });
    const long = 'k'.repeat(2000);
    expect(await plugin.call('echo', JSON.stringify([long, long]), parsed)).toEqual([long, long]);
    expect(await limitOf(plugin.call('echo', JSON.stringify({ [long]: 1 }), parsed))).toBe('jsonValues');
    const blank = ' \t\n\r'.repeat(500);
    expect(await plugin.call('echo', `[${blank}]${blank}`, parsed)).toEqual([]);
  });

  test('whatever it is that makes many, and whether it is JSON at all; one long text is one', async () => {
    const plugin = await textPlugin({}, { limits: { jsonValues: 300 } });
    for (const text of ['{},', '[],', '"",', '"":"",', ',,,', ':', '[', '{"a":']) {
      const flood = `[${text.repeat(3000 / text.length)}0]`;
      expect([text, await limitOf(plugin.call('echo', flood, parsed))]).toEqual([text, 'jsonValues']);
    }
    const long = 'long, [and] {harmless}: \\ '.repeat(100);
    expect(await plugin.call('echo', JSON.stringify(long), parsed)).toBe(long);
  });

  test('of what a host function is given', async () => {
    const heard: unknown[] = [];
    const ask = jsonFunction((value) => void heard.push(value));
    const plugin = await textPlugin({ ask }, { limits: { jsonValues: 3 } });
    await plugin.call('ask', [1, 2], { as: { input: 'json', output: 'text' } });
    expect(await limitOf(plugin.call('ask', [1, 2, 3], { as: { input: 'json', output: 'text' } }))).toBe('jsonValues');
    expect(heard).toEqual([[1, 2]]);
  });
});

describe('callsPerSecond', () => {
  test('a loop of calls ends after as many', async () => {
    let called = 0;
    const plugin = await textPlugin({ note: (x: number) => (called++, x) }, { limits: { callsPerSecond: 100 } });
    expect(await limitOf(plugin.call('notes', [1_000_000], numbers))).toBe('callsPerSecond');
    expect(called).toBeGreaterThanOrEqual(100);
    // As slow as a machine may be, it does not take a thousand seconds.
    expect(called).toBeLessThan(100_000);
  });

  test('after a while there is room again', async () => {
    const plugin = await textPlugin({}, { limits: { callsPerSecond: 50 } });
    expect(await limitOf(plugin.call('notes', [1000], numbers))).toBe('callsPerSecond');
    const started = performance.now();
    for (;;) {
      const result = await plugin.call('note', [7], numbers).catch(() => null);
      if (result === 7) break;
      expect(performance.now() - started).toBeLessThan(20_000);
      await turn();
    }
  });

  test('0 allows none', async () => {
    const plugin = await textPlugin({}, { limits: { callsPerSecond: 0 } });
    expect(await limitOf(plugin.call('note', [1], numbers))).toBe('callsPerSecond');
  });
});

describe('systemCallsPerSecond', () => {
  test('a loop of calls of WASI ends after as many, and those of host functions go on', async () => {
    let printed = 0;
    const output = { stdout: () => void printed++ };
    const plugin = await loadPlugin(await loadPlain('plugin-wasi'), {
      capabilities: { output },
      limits: { systemCallsPerSecond: 30 },
    });
    const outcomes = [];
    for (let i = 0; i < 1000; i++) outcomes.push(await plugin.call('print', 'spam').catch((error) => error.limit));
    expect(outcomes).toContain('systemCallsPerSecond');
    expect(printed).toBeGreaterThanOrEqual(20);
    expect(printed).toBeLessThan(1000);
  });

  test('0 allows none', async () => {
    const plugin = await loadPlugin(await loadPlain('plugin-language'), {
      capabilities: { clock: true, random: true },
      hostFunctions: { app: { wait: (x: number) => x } },
      limits: { systemCallsPerSecond: 0 },
    });
    expect(await limitOf(plugin.call('now', [], numbers))).toBe('systemCallsPerSecond');
    expect(await limitOf(plugin.call('seed', [], numbers))).toBe('systemCallsPerSecond');
    expect(await plugin.call('sqrt', [9], numbers)).toBe(3);
    expect(await plugin.call('wait', [4], numbers)).toBe(4);
  });
});

describe('moduleBytes', () => {
  test('of bytes, and of what is sent without end', async () => {
    const bytes = await loadPlain('plugin');
    const limits = { moduleBytes: 100 };
    expect(await limitOf(loadPlugin(bytes, { limits }))).toBe('moduleBytes');
    expect(await limitOf(loadPlugin(Promise.resolve(bytes.buffer), { limits }))).toBe('moduleBytes');
    let sent = 0;
    const endless = new ReadableStream({
      pull(controller) {
        sent += 10;
        controller.enqueue(new Uint8Array(10));
      },
    });
    expect(await limitOf(loadPlugin(new Response(endless), { limits }))).toBe('moduleBytes');
    expect(sent).toBeLessThan(1000);
  });

  test('of a manifest, if that is less', async () => {
    const manifest = {
      name: 'small',
      version: '1.0.0',
      source: await loadPlain('plugin'),
      limits: { moduleBytes: 100 },
    };
    expect(await limitOf(loadPlugin(manifest))).toBe('moduleBytes');
  });
});

describe('loadMs', () => {
  test('a module that never comes', async () => {
    expect(await limitOf(loadPlugin(new Promise(() => {}), { limits: { loadMs: 20 } }))).toBe('loadMs');
  });

  test('a module whose beginning never ends', async () => {
    const loading = loadPlugin(await loadPlain('start'), {
      hostFunctions: { env: { wait: () => new Promise(() => {}) } },
      // Instrumenting is part of it.
      limits: { loadMs: perBackend({ asyncify: 3000, jspi: 500 }) },
    });
    expect(await limitOf(loading)).toBe('loadMs');
  });
});

describe('stackSize', () => {
  test('a function that takes more of its stack than there is', async () => {
    const plugin = await loadPlugin(await loadPlain('plugin-stack'), {
      hostFunctions: { env: { wait: (x: number) => turn().then(() => x) } },
      limits: { stackSize: 4096 },
    });
    expect(await plugin.call('array', [1024], numbers)).toBe(1024);
    expect(await limitOf(plugin.call('array', [8192], numbers))).toBe('stackSize');
    expect(await plugin.call('array', [1024], numbers)).toBe(1024);
  });
});

test('a manifest may ask for less than the embedder gives, and not for more', async () => {
  const source = await loadPlain('plugin');
  const app = ['app.note', 'app.ask', 'app.tell'];
  const load = (asked: number, granted: number): Promise<Plugin> =>
    loadPlugin(
      { name: 'asks', version: '1.0.0', source, limits: { inputBytes: asked }, capabilities: { hostFunctions: app } },
      {
        hostFunctions: { app: { note: () => 0, ask: textFunction(() => {}), tell: textFunction(() => {}) } },
        limits: { inputBytes: granted },
      },
    );
  for (const plugin of [await load(4, 100), await load(100, 4)]) {
    expect(await plugin.call('same', 'four')).toBe('four');
    expect(await limitOf(plugin.call('same', 'five!'))).toBe('inputBytes');
  }
});
