// Tasks that have ended leave nothing behind, neither in the guest nor in the host: 200,000 of them, a quarter of which
// returned, trapped, were cancelled, or ran within a limit of time. In a process of its own, with a collector to ask.
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { backend } from '../support/backend.ts';
import { run } from '../support/temporary.ts';

const SCRIPT = fileURLToPath(new URL('leaks/tasks.mjs', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A pointer would be eight bytes. */
const NOTHING = 4;

test('R.1 a task leaves no byte behind', async () => {
  const { code, stdout, stderr } = await run(process.execPath, ['--expose-gc', SCRIPT, backend], ROOT);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const measured = JSON.parse(stdout) as { bytesPerTask: number; pages: number; fibers: number };
  expect(measured.bytesPerTask).toBeLessThan(NOTHING);
  expect(measured).toMatchObject({ pages: 0, fibers: 0 });
}, 120_000);
