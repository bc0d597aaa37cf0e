// Builds the guests that tests and examples use into build/guests: NAME.wasm as the compiler made it, NAME.fibers.wasm
// instrumented for Asyncify and NAME.jspi.wasm for JSPI by the instrumenter in build/ (which `npm run build` makes).
//
//   node test/guests/build.mjs             all
//   node test/guests/build.mjs qsort lua typed/basic   only these
//   node test/guests/build.mjs c           only those in C
//   node test/guests/build.mjs bench-lua   one of the benches', which no test uses: they are built only when named
//
// Typed AssemblyScript guests are compiled by the transform in build/ into build/guests/typed: NAME.wasm for Asyncify,
// NAME.jspi.wasm, NAME.js and NAME.d.ts.
//
// What holds: a guest is built again exactly when its sources, its flags, its compiler or the instrumenter changed; a
// file in build/guests is never one of an older state; a compiler that is missing is a line that starts with
// 'skipped:', a guest that does not compile is a failure.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  CLANG_REMEDY,
  clangIdentity,
  compileAssemblyScript,
  compileC,
  compileTyped,
  hasClang,
  sourcesOf,
} from './compilers.mjs';
import { REMEDY, fetchSource } from './fetch-sources.mjs';
import { ASSEMBLYSCRIPT, BENCHED, C_GUESTS, LIBRARIES, TARGETS, TYPED } from './list.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TARGET = path.join(ROOT, 'build/guests');
/** What each file in build/guests was built from: a file each, so that two builds at once do not undo each other's. */
const HASHES = path.join(TARGET, 'hashes');
const HOST = path.join(ROOT, 'build/host');
const INSTRUMENTER = path.join(HOST, 'instrument/index.js');
const TRANSFORM = path.join(HOST, 'assemblyscript/transform/index.js');

const ALL_C = 'c';
const wanted = process.argv.slice(2);
const chosen = (guests) => guests.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const chosenC = (guests) => (wanted.includes(ALL_C) ? guests : chosen(guests));
const benched = BENCHED.filter(({ name }) => wanted.includes(name));

mkdirSync(HASHES, { recursive: true });
let built = 0;

function known(name) {
  const file = path.join(HASHES, name);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

const remember = (name, key) => writeFileSync(path.join(HASHES, name), key);

function hash(...parts) {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part).update('\0');
  return digest.digest('hex');
}

const hashFiles = (files) => hash(...files.flatMap((file) => [file, readFileSync(path.resolve(ROOT, file))]));
const versionOf = (name) => createRequire(import.meta.url)(`${name}/package.json`).version;

/** The files below a folder, whose paths end so. */
const filesIn = (folder, extension) =>
  readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith(extension))
    .map((file) => path.join(folder, file))
    .toSorted();

/** Everything that decides what `instrument` makes of a module; null as long as it is not built. */
const instrumenter = (() => {
  if (!existsSync(INSTRUMENTER)) return null;
  const code = [...filesIn(path.join(HOST, 'instrument'), '.js'), path.join(HOST, 'runtime/metadata.js')];
  return hash(hashFiles(code), versionOf('binaryen'));
})();

/** Everything but the sources that decides what the transform makes of a program; null as long as it is not built. */
const transform = (() => {
  if (instrumenter === null || !existsSync(TRANSFORM)) return null;
  const code = [
    ...filesIn(path.join(HOST, 'assemblyscript/transform'), '.js'),
    path.join(HOST, 'assemblyscript/types.js'),
  ];
  return hash(hashFiles([...code, ...filesIn(path.join(ROOT, 'assembly'), '.ts')]), instrumenter);
})();

/** Runs `make` if `file` is not already what `key` stands for; it is whole or not there. */
async function upToDate(file, key, make) {
  const target = path.join(TARGET, file);
  if (known(file) === key && existsSync(target)) return;
  rmSync(target, { force: true });
  const started = performance.now();
  const partial = `${target}.${process.pid}`;
  await make(partial);
  renameSync(partial, target);
  remember(file, key);
  built++;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`built ${file} (${(statSync(target).size / 1000).toFixed(1)} kB, ${seconds} s)`);
}

async function buildGuest(guest, compile, compiler, folder) {
  const { name, flags, suspending, options = {} } = guest;
  const plain = `${name}.wasm`;
  const key = hash(compiler, JSON.stringify(flags), hashFiles(sourcesOf(guest, folder)));
  await upToDate(plain, key, (target) => compile(guest, target, folder));
  if (instrumenter === null || suspending === undefined) return;
  for (const { target, extension } of TARGETS) {
    const settings = { target, suspending, ...options };
    await upToDate(`${name}${extension}`, hash(key, instrumenter, JSON.stringify(settings)), async (file) => {
      const { instrument } = await import(pathToFileURL(INSTRUMENTER).href);
      const { wasm } = await instrument(readFileSync(path.join(TARGET, plain)), settings);
      writeFileSync(file, wasm);
    });
  }
}

/** Removes what could not be brought up to date, so that no test runs on an older state of it. */
function skip(guests, line) {
  for (const { name } of guests) {
    for (const extension of ['.wasm', ...TARGETS.map((each) => each.extension)]) {
      rmSync(path.join(TARGET, `${name}${extension}`), { force: true });
    }
  }
  console.log(`skipped: ${line}`);
}

async function buildTextGuests() {
  if (instrumenter === null || wanted.length > 0) return;
  const folder = path.join(ROOT, 'test/guests/wat');
  const files = readdirSync(folder).map((file) => path.join(folder, file));
  const key = hash(hashFiles([...files.toSorted(), 'test/guests/wat.mjs']), instrumenter);
  const outputs = known('wat').split('\n');
  if (outputs.shift() === key && outputs.every((file) => existsSync(path.join(TARGET, file)))) return;
  const { buildTextGuests: make } = await import('./wat.mjs');
  const written = await make();
  remember('wat', [key, ...written].join('\n'));
  built += written.length;
  console.log(`built ${files.length} text guests`);
}

async function buildAssemblyScript() {
  const compiler = `asc ${versionOf('assemblyscript')}`;
  const ours = benched.filter(({ source }) => source.endsWith('.ts'));
  for (const guest of [...chosen(ASSEMBLYSCRIPT), ...ours]) await buildGuest(guest, compileAssemblyScript, compiler);
}

/** The files of a typed guest come from one run of asc: they are all of one state, or not there. */
async function buildTypedGuest({ name, source, flags }, compiler) {
  const key = hash(compiler, transform, source, JSON.stringify(flags));
  const [stamp, ...sources] = known(`typed-${name}`).split('\n');
  const isCurrent =
    sources.every((file) => existsSync(path.join(ROOT, file))) && stamp === hash(key, hashFiles(sources));
  const modules = ['wasm', 'jspi.wasm'].map((extension) => path.join(TARGET, `typed/${name}.${extension}`));
  const outputs = [...modules, ...['js', 'd.ts'].map((extension) => path.join(TARGET, `typed/${name}.${extension}`))];
  if (isCurrent && outputs.every((file) => existsSync(file))) return;
  for (const file of [...outputs, ...modules.map((each) => `${each}.map`)]) rmSync(file, { force: true });
  const started = performance.now();
  const { files, read } = await compileTyped({ source, flags }, `build/guests/typed/${name}.wasm`, TRANSFORM);
  for (const [file, content] of files) {
    const target = path.join(ROOT, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(`${target}.${process.pid}`, content);
    renameSync(`${target}.${process.pid}`, target);
  }
  remember(`typed-${name}`, [hash(key, hashFiles(read)), ...read].join('\n'));
  built += files.size;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`built typed/${name} (${(statSync(outputs[0]).size / 1000).toFixed(1)} kB, ${seconds} s)`);
}

/** One that does not compile does not keep the others from being built. */
async function buildTyped() {
  if (transform === null) return;
  const compiler = `asc ${versionOf('assemblyscript')}`;
  const guests = TYPED.filter(({ name }) => wanted.length === 0 || wanted.includes(`typed/${name}`));
  for (const guest of guests) {
    try {
      await buildTypedGuest(guest, compiler);
    } catch (error) {
      console.error(error.message);
      process.exitCode = 1;
    }
  }
}

async function buildC() {
  const ours = benched.filter(({ source }) => source.endsWith('.c'));
  const plain = [...chosenC(C_GUESTS), ...ours.filter(({ library }) => library === undefined)];
  const real = [...chosenC(LIBRARIES), ...ours.filter(({ library }) => library !== undefined)];
  if (plain.length + real.length === 0) return;
  const compiler = clangIdentity();
  if (known('clang') !== compiler) {
    if (!(await hasClang())) return skip([...plain, ...real], `C guests: ${CLANG_REMEDY}`);
    remember('clang', compiler);
  }
  // The largest first.
  for (const guest of real.toReversed()) {
    let folder;
    try {
      folder = await fetchSource(guest.library);
    } catch (error) {
      const why = String(error.stderr || error.message || error)
        .trim()
        .split('\n')[0];
      skip([guest], `C guest ${guest.name} (source package ${guest.library}): ${REMEDY} (${why})`);
      continue;
    }
    await buildGuest(guest, compileC, compiler, folder);
  }
  for (const guest of plain) await buildGuest(guest, compileC, compiler);
}

/** Half of the work, in a process of its own beside this one: SQLite alone takes a third of it. */
function buildCBeside() {
  const child = spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), ALL_C], {
    stdio: 'inherit',
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0) process.exitCode = 1;
      resolve();
    });
  });
}

const beside = wanted.length === 0 && os.availableParallelism() > 1 ? buildCBeside() : null;
await buildTextGuests();
await buildAssemblyScript();
await buildTyped();
await (beside ?? buildC());
if (instrumenter === null) console.log('guests are not instrumented: build/ has no instrumenter yet (npm run build)');
const which = wanted.includes(ALL_C) ? 'guests in C' : beside === null ? 'guests' : 'other guests';
console.log(built === 0 ? `${which} are up to date` : `${which}: ${built} files built`);
