// `npm run wasi-tests`: finds the tests of a checkout, runs them, and counts rightly. The suite itself is not in this repository.
import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasGuest, loadPlain } from '../support/guest.ts';
import { type Outcome, ROOT, run, temporaryFolder } from '../support/temporary.ts';

const MAIN = path.join(ROOT, 'build/test/proof/wasi/main.js');
const FOLDER = 'tests/c/testsuite/wasm32-wasip1';

/** A suite of tests that are one program each; the ways in which they can pass and fail. */
async function suite(tests: Readonly<Record<string, object>>): Promise<string> {
  const root = await temporaryFolder({ [`${FOLDER}/files.dir/f`]: 'content' });
  const program = await loadPlain('program');
  for (const [name, specification] of Object.entries(tests)) {
    await writeFile(path.join(root, FOLDER, `${name}.wasm`), program);
    await writeFile(path.join(root, FOLDER, `${name}.json`), JSON.stringify(specification));
  }
  return root;
}

const conformance = (...args: string[]): Promise<Outcome> =>
  run(process.execPath, ['--no-warnings', MAIN, ...args, '--way', 'plain'], ROOT);

describe.skipIf(!(await hasGuest('program')))('the conformance tests', () => {
  test('pass and fail by exit code and output, each on files of its own', async () => {
    const root = await suite({
      exits: { args: ['exit', '3'], exit_code: 3, stdout: 'goodbye\n' },
      'has-files': { args: ['files', '/'], root: 'files.dir', env: { A: 'b' } },
      'has-files-too': { args: ['files', '/'], root: 'files.dir' },
      'wrong-code': { args: ['exit', '3'] },
      'wrong-output': { args: ['env', 'A'], env: { A: 'b' }, stdout: 'c\n' },
    });
    const { code, stdout } = await conformance(root, '--files', 'memory', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      tests: 5,
      rows: [
        {
          system: 'memory',
          way: 'plain',
          passed: 3,
          failures: {
            'c/wrong-code': expect.stringContaining('exit code 3, not 0') as string,
            'c/wrong-output': 'stdout "b\\n"',
          },
        },
      ],
    });
    expect(code).toBe(1);
    const enough = await conformance(root, '--files', 'memory', '--least', '3', '--only', 'c/');
    expect(enough).toMatchObject({ code: 0, stdout: expect.stringMatching(/^memory +plain +3$/m) as string });
  });

  test('are not taken for passed where there are none', async () => {
    const empty = await temporaryFolder();
    await mkdir(path.join(empty, 'tests'));
    const { code, stderr } = await conformance(empty);
    expect([code, stderr]).toEqual([2, `There are no tests of preview 1 in ${empty}.\n`]);
    expect((await conformance()).code).toBe(2);
    const root = await suite({ exits: {} });
    await cp(root, path.join(empty, 'copy'), { recursive: true });
    expect((await conformance(root, '--files', 'floppy')).code).toBe(2);
  });
});
