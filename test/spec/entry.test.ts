// What `import 'wasm-fibers'` gives, reached by the package's own name: the published files, in every environment.
import { expect, test } from 'vitest';
import * as entry from 'wasm-fibers';

// Guest and Fiber are types, which test/house/package.test.ts uses from the packed declarations.
test('the entry point gives its public names, and no others', () => {
  const names = ['FiberError', 'canSuspend', 'currentFiber', 'instantiate', 'reentrant', 'suspending'];
  expect(Object.keys(entry).sort()).toEqual(names);
});
