// Which backend runs a guest: what the engine has, what the module was made for, and what the embedder wants. These tests
// are the same in every environment, and come to what its engine can do.
import { describe, expect, test } from 'vitest';
import { currentFiber, instantiate, reentrant, type SourcePair } from 'wasm-fibers';
import { instantiate as instantiateTyped } from 'wasm-fibers/assemblyscript';
import { engineHasJspi, onlyOn } from '../support/backend.ts';
import { failure, turn, watch } from '../support/core.ts';
import { guestAddress, loadGuestFor } from '../support/guest.ts';

interface Exports {
  guarded(x: number): number;
  swallow_then_wait(x: number, y: number): number;
}

const later = <T>(value: T): Promise<T> => turn().then(() => value);
const imports = { env: { wait: later } };
const KINDS = ['asyncify', 'jspi'] as const;
const best = engineHasJspi ? 'jspi' : 'asyncify';
const nowhere = guestAddress('there-is-none');
const pair = (name: string): SourcePair => ({
  asyncify: guestAddress(name, 'asyncify'),
  jspi: guestAddress(name, 'jspi'),
});

test('the engine is the one that the environment says', () => {
  const { Suspending, promising } = WebAssembly as { Suspending?: unknown; promising?: unknown };
  const expected = engineHasJspi ? 'function' : 'undefined';
  expect([typeof Suspending, typeof promising]).toEqual([expected, expected]);
});

describe('auto', () => {
  test.each([{}, { backend: 'auto' } as const])(
    'takes the best of a pair that the engine can do (%o)',
    async (options) => {
      const guest = watch(await instantiate<Exports>(pair('catch'), imports, options), best);
      expect(await guest.exports.guarded(1)).toBe(0);
    },
  );

  test('does not fetch the other one, nor wait for it', async () => {
    const never = new Promise<never>(() => undefined);
    for (const other of [nowhere, never]) {
      const source = { asyncify: other, jspi: other, [best]: guestAddress('catch', best) };
      const guest = watch(await instantiate<Exports>(source, imports), best);
      expect(await guest.exports.swallow_then_wait(1, 2)).toBe(2);
    }
  });

  test('takes Asyncify where an import is a plain trampoline, which only Asyncify can pass', async () => {
    const source = { asyncify: guestAddress('catch', 'asyncify'), jspi: nowhere };
    const inner = (x: number): number => (guest.instance.exports['guarded'] as (x: number) => number)(x);
    const wait = reentrant((x: number): unknown => (x === 1 ? inner(2) : later(x)));
    const guest = watch(await instantiate<Exports>(source, { env: { wait } }), 'asyncify');
    expect(await guest.exports.swallow_then_wait(1, 5)).toBe(5);
  });

  test('takes what the one module that it is given is for', async () => {
    watch(await instantiate(loadGuestFor('asyncify', 'catch'), imports), 'asyncify');
    const jspi = instantiate(loadGuestFor('jspi', 'catch'), imports);
    if (engineHasJspi) watch(await jspi, 'jspi');
    else expect(await failure(jspi)).toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  });

  test('is the same for typed guests', async () => {
    const env = { fetchText: async (url: string) => `from ${url}`, sleep: async () => undefined, load: () => null };
    const guest = await instantiateTyped<{ greet(name: string): string }>(pair('typed/basic'), { env });
    expect(watch(guest, best).backend).toBe(best);
    expect(await guest.exports.greet('you')).toBe('from greeting/you, you!');
  });
});

describe('a backend that is asked for', () => {
  test('is taken from a pair, without fetching the other one', async () => {
    for (const kind of KINDS) {
      const source = { asyncify: nowhere, jspi: nowhere, [kind]: guestAddress('catch', kind) };
      const opening = instantiate<Exports>(source, imports, { backend: kind });
      if (kind === 'asyncify' || engineHasJspi) {
        const guest = watch(await opening, kind);
        expect(await guest.exports.guarded(1)).toBe(0);
      } else await expectUnavailable(opening, [/has no JSPI/, 'Leave out the option backend']);
    }
  });

  test.each([
    ['jspi', 'asyncify', ['instrumented for Asyncify', 'cannot run on JSPI', '--target jspi']],
    ['asyncify', 'jspi', ['instrumented for JSPI', 'cannot run on Asyncify', '--target asyncify']],
  ] as const)(
    '%s is refused with a module for %s, naming engine, module and remedy',
    async (backend, target, words) => {
      const opening = instantiate(loadGuestFor(target, 'catch'), imports, { backend });
      await expectUnavailable(opening, backend === 'jspi' && !engineHasJspi ? [/has no JSPI/] : words);
    },
  );

  test('is refused if the pair is the wrong way round', async () => {
    const swapped = { asyncify: guestAddress('catch', 'jspi'), jspi: guestAddress('catch', 'asyncify') };
    const asked = best === 'jspi' ? 'instrumented for Asyncify' : 'instrumented for JSPI';
    await expectUnavailable(instantiate(swapped, imports), [asked, 'other way round']);
  });
});

async function expectUnavailable(opening: Promise<unknown>, words: readonly (string | RegExp)[]): Promise<void> {
  const error = await failure(opening);
  expect(error).toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  const engine = typeof window === 'undefined' ? `Node ${process.version}` : /Firefox|Chrome/;
  for (const word of [engine, ...words]) expect(String(error)).toMatch(word);
}

test.each([
  ['one of two', { asyncify: nowhere }, 'asyncify'],
  ['none', {}, 'pair'],
  ['other names', { a: nowhere, b: nowhere }, 'a, b'],
])('a pair that is none (%s) is refused', async (_what, source, word) => {
  expect(await failure(instantiate(source as SourcePair, imports))).toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining(word),
  });
});

onlyOn('jspi', 'both backends in one program', () => {
  describe('guests of both backends in one program', () => {
    const opened = (wait: (x: number) => unknown) =>
      Promise.all(
        KINDS.map(async (backend) =>
          watch(await instantiate<Exports>(pair('catch'), { env: { wait } }, { backend }), backend),
        ),
      );

    test('wait, fail and go on beside each other, each with its own current fiber', async () => {
      const seen: string[] = [];
      const guests = await opened((x) => {
        seen.push(`${currentFiber()?.name}`);
        return x < 0 ? turn().then(() => Promise.reject(new Error('no'))) : later(x);
      });
      const fibers = Array.from({ length: 20 }, (_, i) =>
        guests[i % 2]?.spawn('swallow_then_wait', [i % 3 === 0 ? -1 : i, i], { name: `${i}` }),
      );
      expect(await Promise.all(fibers.map((fiber) => fiber?.result))).toEqual(fibers.map((_, i) => i));
      expect(seen.toSorted()).toEqual(fibers.flatMap((_, i) => [`${i}`, `${i}`]).toSorted());
      expect(currentFiber()).toBeNull();
    });

    test('call each other, at any depth', async () => {
      let depth = 0;
      const guests = await opened((x) => {
        depth++;
        return x === 0 ? later(0) : guests[x % 2]?.exports.swallow_then_wait(x - 1, 0);
      });
      expect(await guests[0]?.exports.swallow_then_wait(20, 0)).toBe(0);
      expect(depth).toBeGreaterThan(20);
    });
  });
});
