// Builds the examples that have an asconfig.json, as anybody builds a program of their own: `asc` compiles the guest and
// writes its JavaScript and its types, then `tsc` compiles the host against them.
//
//   npm run examples
//
// What holds: a guest is compiled again exactly when something that it is made of has changed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BUILT = path.join(ROOT, 'build/examples');
const PACKAGES = path.join(BUILT, 'node_modules');

/** asconfig.json says `wasm-fibers/transform`, which asc looks for in node_modules, where npm puts it, but not in a clone. */
function installItself() {
  const link = path.join(PACKAGES, 'wasm-fibers');
  mkdirSync(PACKAGES, { recursive: true });
  if (existsSync(link) && realpathSync(link) === realpathSync(ROOT)) return;
  // One that leads elsewhere, since the clone was moved or copied.
  rmSync(link, { force: true });
  symlinkSync(ROOT, link, 'junction');
}

function filesIn(folder, extension) {
  const names = readdirSync(path.join(ROOT, folder), { recursive: true }).filter((name) => name.endsWith(extension));
  return names.map((name) => path.join(folder, name)).toSorted();
}

/** Everything but its asconfig.json that decides what a guest becomes. */
function ingredients() {
  const code = ['instrument', 'assemblyscript', 'runtime'].flatMap((folder) => filesIn(`build/host/${folder}`, '.js'));
  return [...filesIn('assembly', '.ts'), ...code, 'package-lock.json'];
}

function hash(files) {
  const digest = createHash('sha256');
  for (const file of files) digest.update(`${file}\0`).update(readFileSync(path.join(ROOT, file)));
  return digest.digest('hex');
}

/** Binaryen's ten megabytes of WebAssembly are not optimised for the seconds that they run: that takes longer than it gains. */
const SHORT_LIVED = '--liftoff-only';

function run(tool, args) {
  const env = { ...process.env, NODE_PATH: PACKAGES };
  const { status } = spawnSync(process.execPath, [SHORT_LIVED, `node_modules/${tool}`, ...args], {
    cwd: ROOT,
    env,
    stdio: 'inherit',
  });
  return status === 0;
}

function compileGuest(name, common) {
  const config = `examples/${name}/asconfig.json`;
  const stamp = path.join(BUILT, name, 'guest.hash');
  const key = hash([...common, config]);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return true;
  rmSync(stamp, { force: true });
  console.log(`asc --config ${config}`);
  if (!run('assemblyscript/bin/asc.js', ['--config', config])) return false;
  writeFileSync(stamp, key);
  return true;
}

installItself();
const common = ingredients();
const names = readdirSync(path.join(ROOT, 'examples')).filter((name) =>
  existsSync(path.join(ROOT, 'examples', name, 'asconfig.json')),
);
const built = names.toSorted().every((name) => compileGuest(name, common));
if (!built || !run('typescript/bin/tsc', ['-p', 'examples/tsconfig.json'])) process.exitCode = 1;
