// The runner must not call a run good that tested nothing, or less than it was asked to. Nothing here starts Vitest:
// with an empty PATH there is no browser to be found.
import { expect, test } from 'vitest';
import { ROOT, run } from '../support/temporary.ts';

const lastLine = (text: string): string | undefined => text.trimEnd().split('\n').at(-1);

function runner(args: readonly string[], env: Readonly<Record<string, string>>): ReturnType<typeof run> {
  return run(process.execPath, ['test/run.mjs', '--no-build', ...args], ROOT, env);
}

test('a missing browser is named with its remedy, and a run that tested nothing fails', async () => {
  const { code, stdout } = await runner(['--only', 'chromium,firefox'], { PATH: '', FIBERS_FORBID_SKIPS: '' });
  expect(stdout).toContain('skipped: Chromium: install chromium\n');
  expect(stdout).toContain('skipped: Firefox: install firefox-esr\n');
  expect(stdout).toContain('FAILED: no test was executed');
  expect(lastLine(stdout)).toBe('0 passed, 1 failed');
  expect(code).toBe(1);
});

test('FIBERS_FORBID_SKIPS makes what was skipped a failure', async () => {
  const { code, stdout } = await runner(['--only', 'firefox'], { PATH: '', FIBERS_FORBID_SKIPS: '1' });
  expect(stdout).toContain('FAILED: FIBERS_FORBID_SKIPS is set');
  expect(lastLine(stdout)).toBe('0 passed, 1 failed');
  expect(code).toBe(1);
});

test('an unknown environment is a usage error that names the known ones', async () => {
  const { code, stderr } = await runner(['--only', 'safari'], {});
  expect(stderr).toContain('there is no environment safari');
  expect(stderr).toContain('chromium, firefox');
  expect(code).toBe(2);
});
