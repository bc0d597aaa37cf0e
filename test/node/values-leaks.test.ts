// Values leave nothing behind, neither in the host nor in the guest: 100,000 round trips, of values that are refused too,
// and of references that nobody disposes of.
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { backend } from '../support/backend.ts';
import { run } from '../support/temporary.ts';

const SCRIPT = fileURLToPath(new URL('leaks/values.mjs', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

test.each([
  ['steps', 'mixed'],
  ['O3', 'refused'],
  ['O3', 'references'],
])(
  '100,000 round trips (%s, %s)',
  async (variant, what) => {
    const { code, stdout, stderr } = await run(process.execPath, ['--expose-gc', SCRIPT, backend, variant, what], ROOT);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const { bytesPerCycle, grown } = JSON.parse(stdout) as { bytesPerCycle: number; grown: number };
    // A leak of one pointer each time is eight bytes; what a heap wavers by is less than half of it.
    expect(bytesPerCycle).toBeLessThan(4);
    expect(grown).toBe(0);
  },
  120_000,
);
