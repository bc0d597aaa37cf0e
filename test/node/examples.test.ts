// The examples run as a reader would run them, with less to do.
import { expect, test, vi } from 'vitest';
import { ROOT, run } from '../support/temporary.ts';

// Compiling takes its time on a machine that does something else.
vi.setConfig({ testTimeout: 120_000 });

test('01-concurrent-sort: compiles, instruments, serves and sorts; every result is what it was alone', async () => {
  const args = ['build/examples/01-concurrent-sort/main.js', '--fibers', '30', '--alone', '2'];
  const { code, stdout, stderr } = await run(process.execPath, args, ROOT);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^ +job 0 [#-]{20,}$/m);
  expect(stdout).toMatch(/at once +30 jobs in \d+\.\d\d s, \d+ times as fast/);
  expect(stdout).toMatch(/suspensions +[1-9]\d{2,}, \d+ in each fiber; up to 30 at once/);
  expect(stdout).toMatch(/suspended fiber +holds [1-9]\d* bytes of stack/);
  expect(stdout).toContain('6 of 6 are what the same job gave when it ran alone');
  expect(stdout).toMatch(/^The last of job 0, .*: \/host\/\S+\.ts \d+$/m);
});

test('01-concurrent-sort: an argument that makes no sense is named', async () => {
  const args = ['build/examples/01-concurrent-sort/main.js', '--fibers', '0.5'];
  const { code, stderr } = await run(process.execPath, args, ROOT);
  expect({ code, stderr }).toEqual({ code: 2, stderr: "--fibers takes a whole number above zero, not '0.5'\n" });
});
