// What `import 'wasm-fibers'` gives, reached by the package's own name: the published files, in every environment.
import { expect, test } from 'vitest';
import * as entry from 'wasm-fibers';

test('the entry point gives its public names, and no others', () => {
  const names = [
    'Fiber',
    'FiberError',
    'Guest',
    'canSuspend',
    'currentFiber',
    'instantiate',
    'reentrant',
    'suspending',
  ];
  expect(Object.keys(entry).sort()).toEqual(names);
});
