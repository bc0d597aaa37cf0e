// For tests that run a tool on files of their own: a folder that vanishes with the test, and a command's whole result.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export { SHORT_LIVED } from './short-lived.ts';

/** The repository's root. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url));

/** Makes a folder with these files (path to text), removed when the test ends. */
export async function temporaryFolder(files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = await makeFolder(files);
  onTestFinished(() => removeFolder(folder));
  return folder;
}

/** The same for a `beforeAll`, which has no test that could end: remove it in `afterAll`. */
export async function makeFolder(files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = await realpath(await mkdtemp(path.join(os.tmpdir(), 'wasm-fibers-')));
  await writeFiles(folder, files);
  return folder;
}

/** Removes a folder of `makeFolder`. */
export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** Writes files (path relative to `folder`, to text), with the folders they need. */
export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}

/** What a command did: its exit code, and all that it printed. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command without a shell, `env` over this process's; a failing one is an outcome, one that cannot start an error. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd, env: { ...process.env, ...env }, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error === null) resolve({ code: 0, stdout, stderr });
      else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
      else reject(error);
    });
  });
}

/** Runs a JavaScript tool of this repository's node_modules with this Node. */
export function runTool(tool: string, args: readonly string[], cwd: string): Promise<Outcome> {
  return run(process.execPath, [path.join(ROOT, 'node_modules', tool), ...args], cwd);
}
