// The runner must not call a run good that tested nothing, or less than it was asked to. Nothing here starts a test of
// another environment: with an empty PATH there is no browser to be found.
import { expect, test } from 'vitest';
import { ROOT, run, runTool } from '../support/temporary.ts';

const lastLine = (text: string): string | undefined => text.trimEnd().split('\n').at(-1);

function runner(args: readonly string[], env: Readonly<Record<string, string>>): ReturnType<typeof run> {
  return run(process.execPath, ['test/run.mjs', '--no-build', ...args], ROOT, env);
}

test('a missing browser is named with its remedy, for each backend, and a run that tested nothing fails', async () => {
  const { code, stdout } = await runner(['--only', 'chromium,firefox'], { PATH: '', FIBERS_FORBID_SKIPS: '' });
  expect(stdout).toContain('skipped: Chromium, Asyncify: install chromium\n');
  expect(stdout).toContain('skipped: Chromium, JSPI: install chromium\n');
  expect(stdout).toContain('skipped: Firefox, Asyncify: install firefox-esr\n');
  expect(stdout).toContain('skipped: Firefox, JSPI: install firefox-esr\n');
  expect(stdout).toContain('skipped: Firefox without JSPI, Asyncify: install firefox-esr\n');
  expect(stdout).toContain('\n5 skipped:\n');
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

/** The environments that `npm test -- --list` names. */
async function listed(...args: readonly string[]): Promise<string[]> {
  const { code, stdout } = await runner(['--list', ...args], {});
  expect(code).toBe(0);
  return stdout.trimEnd().split('\n');
}
const namesIn = (lines: readonly string[]): string[] => lines.map((text) => text.split(' ')[0] ?? '');

test.each([
  ['firefox-no-jspi', ['firefox-no-jspi']],
  ['chromium', ['chromium-asyncify', 'chromium-jspi']],
  ['firefox-asyncify,chromium-jspi', ['chromium-jspi', 'firefox-asyncify']],
  ['jspi', ['node24-jspi', 'node26-jspi', 'chromium-jspi', 'firefox-jspi']],
])('--only %s: an environment, all of a runtime, or all of a backend', async (only, names) => {
  expect(namesIn(await listed('--only', only))).toEqual(names);
});

test("--only node: both environments of this machine's Node, which together run every test", async () => {
  const own = `node${process.versions.node.split('.')[0]}`;
  const named = namesIn(await listed('--only', 'node'));
  expect(named.slice(0, 2)).toEqual([`${own}-tools`, `${own}-asyncify`]);
  expect(named.every((name) => name.startsWith(own))).toBe(true);
  const filesOf = async (config: string): Promise<string[]> => {
    const { stdout } = await runTool('vitest/vitest.mjs', ['list', '--filesOnly', '--config', config], ROOT);
    return stdout.trimEnd().split('\n').toSorted();
  };
  const [tools, others, all] = await Promise.all([
    filesOf('test/environments/tools.config.ts'),
    filesOf('test/environments/machine-node.config.ts'),
    filesOf('vitest.config.ts'),
  ]);
  expect(tools).toContain('test/house/runner.test.ts');
  expect(others).toContain('test/spec/model.test.ts');
  expect([...tools, ...others].toSorted()).toEqual(all);
});

test('random tests do half of their iterations on each backend somewhere, --list says where less, and all of them in the slow tests', async () => {
  const half = (await listed()).filter((text) => text.includes(' 0.5 of their iterations')).join('\n');
  expect(half).toContain(', JSPI');
  expect(half).toContain(', Asyncify');
  const slow = (await listed('--slow')).join('\n');
  expect(slow).toContain(', JSPI');
  expect(slow).toContain(', Asyncify');
  expect(slow).not.toContain('of their iterations');
});

test.each([
  [['--only', 'safari'], 'there is no environment safari', 'chromium-asyncify, chromium-jspi, firefox-asyncify'],
  [['--lanes', '0'], '--lanes: 0', ''],
])('what there is not is a usage error that names what there is: %s', async (args, sentence, known) => {
  const { code, stderr } = await runner(args, {});
  expect(stderr).toContain(sentence);
  expect(stderr).toContain(known);
  expect(code).toBe(2);
});
