// Limits on what the values of one call take: guests in small memories that describe values far larger than those.
import { expect, test } from 'vitest';
import {
  type AssemblyScriptError,
  FiberError,
  type Guest,
  type InstantiateOptions,
  instantiate,
} from 'wasm-fibers/assemblyscript';
import { failure, watch } from '../support/core.ts';
import { guestSource } from '../support/guest.ts';
import { HEADER, list, speech, words } from '../support/amplifier.ts';

/** Bytes that an object counts for, however small its fields are. */
const fields = (count: number): number => HEADER + 8 * count;
const PAIR = fields(2);
/** Bytes that a list of objects counts for. */
const listOf = (length: number, each: number): number => HEADER + length * (4 + each);

const open = async (limits: NonNullable<InstantiateOptions['limits']>, heard?: unknown[], told?: readonly string[]) =>
  watch(await instantiate(await guestSource('typed/amplifier'), speech(heard, told), { limits }));
const errorOf = async (promise: Promise<unknown>): Promise<FiberError> => {
  const error = await failure(promise);
  if (error instanceof FiberError) return error;
  throw error;
};
const limitOf = async (promise: Promise<unknown>): Promise<unknown> => (await errorOf(promise)).limit;
const call = (guest: Guest, name: string, ...args: unknown[]): Promise<unknown> =>
  Promise.resolve(guest.exports[name]?.(...args));

test('what is returned: as often as it passes, and up to the last byte', async () => {
  const limit = list(10, 30);
  const guest = await open({ outputBytes: limit });
  expect(await call(guest, 'repeat', 'abc', 10)).toEqual(Array.from({ length: 10 }, () => 'abc'));
  const error = await errorOf(call(guest, 'repeat', 'abc', 11));
  expect(error).toMatchObject({ code: 'LIMIT_REACHED', limit: 'outputBytes' });
  expect(error.message).toBe(
    `repeat: what it returns takes more bytes of the guest's memory than the limit outputBytes of ${limit}.`,
  );
  // What one call has used up is there for the next.
  expect(await call(guest, 'repeat', 'abc', 10)).toHaveLength(10);
  expect(guest.sync['repeat']?.('abc', 10)).toHaveLength(10);
});

test('a few objects that are 2 ** 30 when they are copied', async () => {
  const guest = await open({ outputBytes: 1 << 16 });
  expect(await call(guest, 'pairs', 3)).toMatchObject({ left: { left: { left: { left: null } } } });
  expect(await limitOf(call(guest, 'pairs', 30))).toBe('outputBytes');
  // As many levels as make fewer pairs than there is room for.
  const most = Math.floor(Math.log2((1 << 16) / PAIR)) - 1;
  await call(guest, 'pairs', most);
  expect(await limitOf(call(guest, 'pairs', most + 1))).toBe('outputBytes');
});

test('objects of many small fields, by their number', async () => {
  const guest = await open({ outputBytes: listOf(10, fields(8)) });
  expect(await call(guest, 'flags', 10)).toHaveLength(10);
  expect(await limitOf(call(guest, 'flags', 11))).toBe('outputBytes');
});

test.each(['secrets', 'secretAgain'])('references as objects of 200 bytes (%s)', async (name) => {
  const guest = await open({ outputBytes: listOf(10, 200) });
  expect(await call(guest, name, 10)).toHaveLength(10);
  expect(await limitOf(call(guest, name, 11))).toBe('outputBytes');
  expect(await call(guest, name, 10)).toHaveLength(10);
});

test('the message of a guest that gives up is cut off', async () => {
  const guest = await open({});
  const reasonOf = async (times: number): Promise<unknown> => {
    const error = await failure(Promise.resolve(call(guest, 'fail', '中', times)));
    return (error as AssemblyScriptError).reason;
  };
  expect(await reasonOf(4096)).toBe('中'.repeat(4096));
  expect(await reasonOf(4097)).toBe(`${'中'.repeat(4096)}...`);
});

test.each([
  ['bytes', 1],
  ['numbers', 8],
])('%s, without being read', async (name, size) => {
  const guest = await open({ outputBytes: HEADER + 100 * size });
  expect(await call(guest, name, 100)).toHaveLength(100);
  expect(await limitOf(call(guest, name, 101))).toBe('outputBytes');
});

test('what a host function is given, which is then not called', async () => {
  const heard: unknown[] = [];
  const guest = await open({ outputBytes: list(10) }, heard);
  await call(guest, 'say', 'x', 10);
  expect(await limitOf(call(guest, 'say', 'x', 11))).toBe('outputBytes');
  expect(heard).toEqual([10]);
  await call(guest, 'say', 'x', 9);
  expect(heard).toEqual([10, 9]);
});

test('arguments, and what a host function returns, at once or later', async () => {
  const limit = list(3);
  const guest = await open({ inputBytes: limit });
  expect(await call(guest, 'count', words)).toBe(3);
  expect(await limitOf(call(guest, 'count', ['x', 'y', 'zz']))).toBe('inputBytes');
  expect(await call(guest, 'listen')).toBe(3);
  expect(await call(guest, 'count', words)).toBe(3);

  const lavish = await open({ inputBytes: limit }, [], ['x', 'y', 'zz']);
  expect(await limitOf(call(lavish, 'listen'))).toBe('inputBytes');
  expect(await call(lavish, 'count', words)).toBe(3);
});

test('many calls at once have an allowance each', async () => {
  const guest = await open({ outputBytes: list(100), inputBytes: list(3) });
  const calls = Array.from({ length: 50 }, (_, i) => call(guest, i % 2 === 0 ? 'listen' : 'say', 'x', 100));
  expect((await Promise.all(calls)).filter((result) => result === 3)).toHaveLength(25);
});

test('getters that call the guest take nothing of what is being made', async () => {
  const limit = list(3);
  const guest = await open({ inputBytes: limit });
  let calls = 0;
  const nested = ['x', 'y', 'z'];
  Object.defineProperty(nested, 1, {
    get: () => {
      calls += Number(guest.sync['count']?.(words));
      return 'y';
    },
  });
  expect(await call(guest, 'count', nested)).toBe(3);
  expect(calls).toBe(3);
  expect(await limitOf(call(guest, 'count', Object.assign(nested, { 2: 'zz' })))).toBe('inputBytes');
});

test('exported variables', async () => {
  const guest = await open({ inputBytes: list(3), outputBytes: list(2) });
  const variable = guest.exports['words'] as unknown as { value: unknown };
  variable.value = ['a', 'b'];
  expect(variable.value).toEqual(['a', 'b']);
  variable.value = words;
  expect(() => variable.value).toThrowError(expect.objectContaining({ limit: 'outputBytes' }));
  expect(() => (variable.value = ['a', 'b', 'cc'])).toThrowError(expect.objectContaining({ limit: 'inputBytes' }));
});

test('0 passes numbers, and nothing', async () => {
  const guest = await open({ inputBytes: 0, outputBytes: 0 });
  expect(await limitOf(call(guest, 'repeat', '', 0))).toBe('inputBytes');
  expect(await limitOf(call(guest, 'bytes', 0))).toBe('outputBytes');
  expect(await call(guest, 'add', 1, 2)).toBe(3);
});

test.each([-1, 1.5, NaN, '16'])('%s is no limit', async (inputBytes) => {
  const limits = { inputBytes: inputBytes as number };
  expect(await errorOf(open(limits))).toMatchObject({ code: 'INVALID_OPTION' });
});
