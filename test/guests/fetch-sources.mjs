// Real libraries to compile as guests, from Debian's source packages: fetched once into build/sources, never committed.
//
//   node test/guests/fetch-sources.mjs       fetches what is missing and prints where it is
//
// What holds: nothing of the machine's own package lists or configuration is touched (apt works in a folder of its own,
// so that `deb-src` need not be enabled and root is not needed), and apt has verified what was downloaded.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SOURCES = fileURLToPath(new URL('../../build/sources/', import.meta.url));
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const LISTS_LIMIT = 5 * 60_000;

const exec = promisify(execFile);
const run = (command, args, options = {}) =>
  exec(command, args, { maxBuffer: 1 << 26, timeout: LISTS_LIMIT, ...options });

/** Where the C files of each library are in its unpacked source package, and what must be made first. */
const LIBRARIES = {
  'lua5.4': { folder: async (unpacked) => path.join(unpacked, 'src') },
  sqlite3: { folder: makeAmalgamation },
  zlib: { folder: async (unpacked) => unpacked },
};

export const REMEDY = 'run on Debian with network access, and install make tcl xz-utils';

/**
 * The folder with the library's C files.
 *
 * @throws Error that says what failed
 */
export async function fetchSource(library) {
  const done = path.join(SOURCES, `${library}.folder`);
  if (existsSync(done)) {
    const folder = readFileSync(done, 'utf8');
    if (existsSync(folder)) return folder;
  }
  const unpacked = path.join(SOURCES, library);
  rmSync(unpacked, { recursive: true, force: true });
  const archive = await download(library);
  // Beside its final place until it is whole: an interrupted run must not leave half a library behind.
  const partial = `${unpacked}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  await run('tar', ['-xf', archive, '-C', partial, '--strip-components=1']);
  renameSync(partial, unpacked);
  const folder = await LIBRARIES[library].folder(unpacked);
  writeFileSync(done, folder);
  return folder;
}

/** The package's upstream archive, as Debian has it. */
async function download(library) {
  const folder = path.join(SOURCES, 'archives', library);
  mkdirSync(folder, { recursive: true });
  const find = () => readdirSync(folder).find((file) => /\.orig\.tar\.\w+$/.test(file));
  if (find() === undefined) {
    await run('apt-get', [...(await aptOptions()), 'source', '--download-only', library], { cwd: folder });
  }
  const archive = find();
  if (archive === undefined) throw new Error(`apt-get source ${library} brought no .orig.tar`);
  return path.join(folder, archive);
}

let options;

/** Options that give apt-get a list of sources and a state of its own, with up-to-date lists. */
function aptOptions() {
  options ??= prepareApt();
  return options;
}

async function prepareApt() {
  const apt = path.join(SOURCES, 'apt');
  mkdirSync(path.join(apt, 'state/lists/partial'), { recursive: true });
  mkdirSync(path.join(apt, 'cache/archives/partial'), { recursive: true });
  const list = path.join(apt, 'sources.list');
  writeFileSync(list, (await debianSources()).join('\n') + '\n');
  const made = [
    ['Dir::State', path.join(apt, 'state')],
    ['Dir::State::status', '/var/lib/dpkg/status'],
    ['Dir::Cache', path.join(apt, 'cache')],
    ['Dir::Etc::sourcelist', list],
    ['Dir::Etc::sourceparts', '/dev/null'],
    ['APT::Sandbox::User', ''],
  ].flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  await run('apt-get', [...made, '-qq', 'update']);
  return made;
}

/** `deb-src` lines for the Debian mirrors that this machine installs from; else for the official one. */
async function debianSources() {
  const format = '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)';
  const { stdout } = await run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
  const signed = existsSync(KEYRING) ? ` [signed-by=${KEYRING}]` : '';
  const own = new Set(
    stdout
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([origin, , , component]) => origin === 'Debian' && component === 'main')
      .map(([, uri, release]) => `deb-src${signed} ${uri} ${release} main`),
  );
  if (own.size > 0) return [...own];
  const codename = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (codename === undefined) throw new Error('this machine is not a Debian');
  return [`deb-src${signed} http://deb.debian.org/debian ${codename} main`];
}

/** Debian has SQLite as it is developed, in many files and with generated ones: makes the one sqlite3.c out of it. */
async function makeAmalgamation(unpacked) {
  const folder = path.join(unpacked, 'amalgamation');
  mkdirSync(folder, { recursive: true });
  await run(path.join(unpacked, 'configure'), ['--disable-tcl', '--disable-readline', '--quiet'], {
    cwd: folder,
    env: { ...process.env, CC: process.env.CC ?? 'clang' },
  });
  await run('make', ['-s', 'sqlite3.c'], { cwd: folder });
  return folder;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const library of Object.keys(LIBRARIES)) console.log(`${library}: ${await fetchSource(library)}`);
}
