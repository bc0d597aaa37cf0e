// Runs before every test file. A rejection that nobody handles fails the test in which it occurs: nothing this
// package does may leave one behind, and a run that merely ends badly does not say which test it was.
import { afterAll, afterEach } from 'vitest';

const unhandled: unknown[] = [];

// Node is asked for by what the listener needs, not by name: test files of the specification have no Node types.
if (typeof window === 'undefined') {
  const listener = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', listener);
  // The next file may be run by the same process.
  afterAll(() => void process.off('unhandledRejection', listener));
  // asc writes in colour wherever this is set, also into files.
  delete process.env['CI'];
} else {
  window.addEventListener('unhandledrejection', (event) => unhandled.push(event.reason));
}

afterEach(async () => {
  // Engines report after the microtasks of the current task, browsers in a task of their own after that.
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
  const [first, ...others] = unhandled.splice(0);
  if (first === undefined && others.length === 0) return;
  throw new Error(`${1 + others.length} unhandled rejection(s) in this test; the first: ${String(first)}`, {
    cause: first,
  });
});
