/** The tests of WebAssembly/wasi-testsuite, branch prod/testsuite-base: preview 1 only, found by their files. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Test } from './trial.ts';

export interface FoundTest extends Test {
  /** The module. */
  readonly file: string;
  /** The folder that the program sees at `/`; null if it sees none. */
  readonly root: string | null;
}

/** What stands beside a module; everything may be missing. */
interface Specification {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly root?: string;
  readonly dirs?: readonly string[];
  readonly exit_code?: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

const FOLDER = 'testsuite/wasm32-wasip1';

/** @param root a checkout of the branch */
export function findTests(root: string): FoundTest[] {
  const tests = path.join(root, 'tests');
  const languages = existsSync(tests) ? readdirSync(tests).toSorted() : [];
  return languages.flatMap((language) => {
    const folder = path.join(tests, language, FOLDER);
    if (!existsSync(folder)) return [];
    const modules = readdirSync(folder).filter((file) => file.endsWith('.wasm'));
    return modules.toSorted().map((file) => testAt(folder, language, path.basename(file, '.wasm')));
  });
}

function testAt(folder: string, language: string, name: string): FoundTest {
  const beside = path.join(folder, `${name}.json`);
  const text = existsSync(beside) ? readFileSync(beside, 'utf8') : '{}';
  // The files are the suite's, whose runner checks them.
  const { args = [], env = {}, root, exit_code = 0, stdout, stderr } = JSON.parse(text) as Specification;
  return {
    name: `${language}/${name}`,
    file: path.join(folder, `${name}.wasm`),
    root: root === undefined ? null : path.join(folder, root),
    args,
    env,
    exitCode: exit_code,
    stdout,
    stderr,
  };
}
