// What the builds of examples have in common: where things are, what a result depends on, and how tools are run.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const BUILT = path.join(ROOT, 'build/examples');
/** Where this package is found by its name, as npm would put it. */
export const PACKAGES = path.join(BUILT, 'node_modules');

/** Binaryen's ten megabytes of WebAssembly are not optimised for the seconds that they run: that takes longer than it gains. */
const SHORT_LIVED = '--liftoff-only';

/** Runs a program of JavaScript, by its path in the repository; false if it failed. */
export function run(program, args = []) {
  const env = { ...process.env, NODE_PATH: PACKAGES };
  const { status } = spawnSync(process.execPath, [SHORT_LIVED, program, ...args], { cwd: ROOT, env, stdio: 'inherit' });
  return status === 0;
}

export function filesIn(folder, extension) {
  const names = readdirSync(path.join(ROOT, folder), { recursive: true }).filter((name) => name.endsWith(extension));
  return names.map((name) => path.join(folder, name)).toSorted();
}

/** The hash of files, by their paths in the repository, and of whatever else counts. */
export function hash(files, ...more) {
  const digest = createHash('sha256');
  for (const file of files) digest.update(`${file}\0`).update(readFileSync(path.resolve(ROOT, file)));
  for (const each of more) digest.update(`\0${each}`);
  return digest.digest('hex');
}

/** Everything of this repository, but a guest's own sources, that decides what a guest becomes. */
export function ingredients() {
  const code = ['instrument', 'assemblyscript'].flatMap((folder) => filesIn(`build/host/${folder}`, '.js'));
  // The format of the section that says what a module is, and which of them this package reads.
  const format = 'build/host/runtime/metadata.js';
  return [...filesIn('assembly', '.ts'), ...code, format, 'package-lock.json'];
}

/** Runs `make` unless it did so for the same key before; what failed, or was interrupted, is made again. */
export async function once(stamp, key, make) {
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return;
  rmSync(stamp, { force: true });
  await make();
  writeFileSync(stamp, key);
}
