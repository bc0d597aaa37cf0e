// Source to un-instrumented module: asc in this process, clang in its own. Each takes a guest of list.mjs and the path to
// write, and throws with the compiler's own words.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const exec = promisify(execFile);

const GUEST_PART = 'assembly/fibers.ts';
const CLANG = ['--target=wasm32-wasi', '-O2'];

/**
 * Without what npm puts in front: clang runs a wasm-opt that it finds in the path, Binaryen's in this case, which drops the
 * names and inlines what guests are there to show.
 */
const CLANG_ENV = {
  ...process.env,
  PATH: (process.env.PATH ?? '')
    .split(path.delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .join(path.delimiter),
};

export const CLANG_REMEDY = 'install clang lld wasi-libc libclang-rt-dev-wasm32';

/** The files that decide what the guest becomes. */
export function sourcesOf({ source, also = [], library, files }, folder) {
  const own = `test/guests/${source}`;
  if (source.endsWith('.ts')) return [GUEST_PART, own];
  if (library === undefined) return [own, ...also];
  const headers = readdirSync(path.join(ROOT, 'test/guests/c/include')).map((file) => `test/guests/c/include/${file}`);
  const parts = readdirSync(folder).filter((file) => files(file));
  return [own, ...also, ...headers, ...parts.map((file) => path.join(folder, file))];
}

export async function compileAssemblyScript({ name, source, flags }, target) {
  const { default: asc } = await import('assemblyscript/asc');
  let wasm;
  const { error, stderr } = await asc.main(
    [GUEST_PART, `test/guests/${source}`, ...flags, '--baseDir', ROOT, '--outFile', `${name}.wasm`],
    {
      // The repository's asconfig.json is for people; a guest's flags are those in the list.
      readFile(file, folder) {
        const found = path.resolve(folder, file);
        return path.basename(found) === 'asconfig.json' || !existsSync(found) ? null : readFileSync(found, 'utf8');
      },
      writeFile(file, content) {
        if (file.endsWith('.wasm')) wasm = content;
      },
      listFiles: () => null,
    },
  );
  if (error !== null || wasm === undefined) throw new Error(`asc could not compile ${source}:\n${stderr.toString()}`);
  writeFileSync(target, wasm);
}

/**
 * Source to modules for both backends, bindings and types in one step.
 *
 * @param outFile as asc gets it: relative to the repository
 * @returns the files that were written, by name, and the names of those that were read
 */
export async function compileTyped({ source, flags }, outFile, transform) {
  const { default: asc } = await import('assemblyscript/asc');
  const { wasmFibers } = await import(pathToFileURL(transform).href);
  const files = new Map();
  const read = new Set();
  const argv = [`test/guests/${source}`, ...flags, '--baseDir', ROOT, '--outFile', outFile];
  const { error, stderr } = await asc.main(argv, {
    transforms: [wasmFibers({ argv, target: 'both' })],
    readFile(file, folder) {
      const found = path.resolve(folder, file);
      if (path.basename(found) === 'asconfig.json' || !existsSync(found)) return null;
      read.add(path.relative(ROOT, found));
      return readFileSync(found, 'utf8');
    },
    writeFile: (file, content) => files.set(file, content),
    listFiles: () => null,
  });
  if (error !== null) throw new Error(`asc could not compile ${source}:\n${stderr.toString()}`);
  return { files, read: [...read].toSorted() };
}

export async function compileC({ source, library, files, flags }, target, folder) {
  const parts = library === undefined ? [] : readdirSync(folder).filter((file) => files(file));
  const args = [...flags, '-o', target, `test/guests/${source}`];
  if (library !== undefined) args.push(`-I${folder}`, ...parts.map((file) => path.join(folder, file)));
  await clang(args, source);
}

/**
 * Compiles and links for WASI at -O2, in the repository's folder.
 *
 * @param what is compiled, for the message
 */
export async function clang(args, what) {
  try {
    await exec('clang', [...CLANG, ...args], { cwd: ROOT, maxBuffer: 1 << 24, env: CLANG_ENV });
  } catch (error) {
    throw new Error(`clang could not compile ${what}:\n${error.stderr ?? error}`, { cause: error });
  }
}

/** Which clang there is, by its file: to ask it for its version takes longer than everything else that is up to date. */
export function clangIdentity() {
  const file = ['/usr/bin/clang', '/usr/local/bin/clang'].find((each) => existsSync(each));
  return file === undefined ? 'clang' : `${file} ${statSync(file).mtimeMs}`;
}

/** Can clang compile and link for WASI here? Tried, since each of the four packages may be the one that is missing. */
export async function hasClang() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'wasm-fibers-'));
  try {
    const source = path.join(folder, 'try.c');
    writeFileSync(source, '#include <stdlib.h>\nint main(int n, char **v) { return malloc(n) == *v; }\n');
    await exec('clang', [...CLANG, '-o', path.join(folder, 'try.wasm'), source], { env: CLANG_ENV });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
