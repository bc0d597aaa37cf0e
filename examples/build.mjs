// Builds the examples: those with an asconfig.json as anybody builds a program of their own (`asc` compiles the guest and writes
// its JavaScript and its types), then `tsc` compiles the hosts against them; those with a build.mjs have more to do afterwards.
//
//   npm run examples
//
// What holds: a guest is compiled again exactly when something that it is made of has changed.
import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { BUILT, PACKAGES, ROOT, hash, ingredients, once, run } from './tools.mjs';

/** asconfig.json says `wasm-fibers/transform`, which asc looks for in node_modules, where npm puts it, but not in a clone. */
function installItself() {
  const link = path.join(PACKAGES, 'wasm-fibers');
  mkdirSync(PACKAGES, { recursive: true });
  if (existsSync(link) && realpathSync(link) === realpathSync(ROOT)) return;
  // One that leads elsewhere, since the clone was moved or copied.
  rmSync(link, { force: true });
  symlinkSync(ROOT, link, 'junction');
}

/** Ends the build where a step fails, which has said why. */
function must(done) {
  if (!done) process.exit(1);
}

const having = (file) =>
  readdirSync(path.join(ROOT, 'examples'))
    .filter((name) => existsSync(path.join(ROOT, 'examples', name, file)))
    .toSorted();

installItself();
const common = ingredients();
for (const name of having('asconfig.json')) {
  const config = `examples/${name}/asconfig.json`;
  await once(path.join(BUILT, name, 'guest.hash'), hash([...common, config]), () => {
    console.log(`asc --config ${config}`);
    must(run('node_modules/assemblyscript/bin/asc.js', ['--config', config]));
  });
}
must(run('node_modules/typescript/bin/tsc', ['-p', 'examples/tsconfig.json']));
for (const name of having('build.mjs')) must(run(`examples/${name}/build.mjs`));
