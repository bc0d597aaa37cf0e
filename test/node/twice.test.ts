// SEMANTICS S.10: the package loaded twice, as happens when two dependencies bring a version each.
import { cp } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import * as first from 'wasm-fibers';
import { loadGuest } from '../support/guest.ts';
import { ROOT, temporaryFolder } from '../support/temporary.ts';

interface Exports {
  guarded(x: number): number;
  swallow_then_wait(x: number, y: number): number;
}

test('S.10 two copies of the package do not notice each other, though their fibers call each other', async () => {
  const folder = await temporaryFolder({ 'package.json': '{ "type": "module" }' });
  await cp(path.join(ROOT, 'build/host'), path.join(folder, 'host'), { recursive: true });
  const second = (await import(pathToFileURL(path.join(folder, 'host/index.js')).href)) as typeof first;
  expect(second.instantiate).not.toBe(first.instantiate);

  const bytes = await loadGuest('catch');
  const seen: (readonly [string | undefined, string | undefined])[] = [];
  const look = (): void => void seen.push([first.currentFiber()?.name, second.currentFiber()?.name]);
  const inner = await second.instantiate<Exports>(bytes, {
    env: {
      wait: (x: number) => {
        look();
        return Promise.resolve(x);
      },
    },
  });
  const outer = await first.instantiate<Exports>(bytes, {
    env: {
      wait: (x: number) => {
        look();
        const nested = inner.spawn('swallow_then_wait', [x, x], { name: `inner ${x}` });
        look();
        return nested.result;
      },
    },
  });
  expect(await outer.spawn('swallow_then_wait', [1, 2], { name: 'outer' }).result).toBe(2);
  expect(seen).toEqual([
    ['outer', undefined],
    // The other copy's fiber runs inside of this one's host function.
    ['outer', 'inner 1'],
    ['outer', undefined],
    [undefined, 'inner 1'],
    ['outer', undefined],
    ['outer', 'inner 2'],
    ['outer', undefined],
    [undefined, 'inner 2'],
  ]);
  expect([first.currentFiber(), second.currentFiber()]).toEqual([null, null]);
  await Promise.all([outer.dispose(), inner.dispose()]);
});
