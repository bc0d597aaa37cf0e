// Typed values of plugins: what they take is limited, though a small memory describes values far larger than itself, while another
// plugin goes on as if nothing were.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Plugin, PluginLimits, PluginOptions } from 'wasm-fibers/plugin';
import { list, speech, words } from '../support/amplifier.ts';
import { loadGuest } from '../support/guest.ts';
import { errorOf, loadPlugin, sha256 } from '../support/plugin.ts';

const load = async (
  limits: PluginLimits,
  heard: unknown[] = [],
  clock: NonNullable<PluginOptions['capabilities']>['clock'] = false,
): Promise<Plugin> => {
  const bytes = await loadGuest('typed/amplifier');
  return loadPlugin(bytes, {
    hostFunctions: speech(heard),
    limits,
    capabilities: { output: true, clock },
    trusted: [await sha256(bytes)],
  });
};
const limitOf = async (promise: Promise<unknown>): Promise<unknown> => {
  const error = await errorOf(promise);
  expect(error).toMatchObject({ code: 'LIMIT_REACHED', plugin: expect.anything() });
  return error['limit'];
};

let bystander: Plugin;
beforeEach(async () => {
  bystander = await load({});
});
afterEach(async () => {
  expect(await bystander.call('count', [words])).toBe(3);
  expect(bystander.stats()).toMatchObject({ failures: 0, health: 'ready' });
});

test('16 MiB by default, of what a megabyte of memory describes', async () => {
  const plugin = await load({});
  expect(await limitOf(plugin.call('repeat', ['x'.repeat(1000), 100_000]))).toBe('outputBytes');
  expect(await limitOf(plugin.call('pairs', [40]))).toBe('outputBytes');
  expect(plugin.stats().memory).toBeLessThan(4 << 20);
  expect(await plugin.call('repeat', ['x', 2])).toEqual(['x', 'x']);
});

test('in, and out to host functions', async () => {
  const heard: unknown[] = [];
  const plugin = await load({ inputBytes: list(3), outputBytes: list(10) }, heard);
  expect(await plugin.call('count', [words])).toBe(3);
  expect(await limitOf(plugin.call('count', [[...words, 'z']]))).toBe('inputBytes');
  await plugin.call('say', ['x', 10]);
  expect(await limitOf(plugin.call('say', ['x', 11]))).toBe('outputBytes');
  expect(heard).toEqual([10]);
});

test('a flood of lines on the console ends after as many calls as may be made in a second', async () => {
  const { log } = console;
  let lines = 0;
  console.log = (line: unknown) => void (line === 'spam' && lines++);
  try {
    const plugin = await load({ systemCallsPerSecond: 20 });
    await plugin.call('print', ['spam', 10]);
    expect(lines).toBe(10);
    expect(await limitOf(plugin.call('print', ['spam', 1_000_000]))).toBe('systemCallsPerSecond');
    expect(lines).toBeGreaterThanOrEqual(20);
    expect(lines).toBeLessThan(100_000);
  } finally {
    console.log = log;
  }
});

test('timers of the console are each instance’s own, and few; the host’s are out of reach', async () => {
  const { log, warn, time, timeEnd } = console;
  const lines: string[] = [];
  const ofHost: unknown[] = [];
  console.log = (line: string) => void lines.push(line);
  console.warn = (line: string) => void lines.push(line);
  console.time = console.timeEnd = (label: unknown) => void ofHost.push(label);
  let now = 0n;
  const clock = { realtime: () => now, monotonic: () => now, wait: () => Promise.resolve() };
  try {
    const [one, other] = [await load({}, [], clock), await load({}, [], clock)];
    await one.call('timer', ['begin', 'request']);
    await other.call('timer', ['end', 'request']);
    now += 1_234_000n;
    await one.call('timer', ['look', 'request']);
    await one.call('timer', ['begin', 'request']);
    now += 1_000_000n;
    await one.call('timer', ['end', 'request']);
    await one.call('timer', ['end', 'request']);
    expect(lines.splice(0)).toEqual([
      'The timer "request" does not run.',
      'request: 1.234ms',
      'The timer "request" runs already.',
      'request: 2.234ms',
      'The timer "request" does not run.',
    ]);
    for (let i = 0; i < 101; i++) await one.call('timer', ['begin', `${i}`]);
    await other.call('timer', ['begin', 'x'.repeat(257)]);
    expect(lines.splice(0)).toEqual([
      'The timer "100" is one too many: there are 100.',
      `The timer "${'x'.repeat(256)}" has a label of more than 256 units.`,
    ]);
    await one.call('timer', ['end', '0']);
    await one.call('timer', ['begin', '100']);
    expect(lines).toEqual(['0: 0.000ms']);
    expect(ofHost).toEqual([]);
  } finally {
    Object.assign(console, { log, warn, time, timeEnd });
  }
});
