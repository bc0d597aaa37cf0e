// Builds the plugins and the page of this example into build/examples/06-plugins; a step of examples/build.mjs, after `tsc`.
//
// What holds: a plugin is made again exactly when its sources, its compiler or the instrumenter changed. Beside each module is its
// manifest with the module's SHA-256, and the same module instrumented for engines without JSPI, whose SHA-256 is in
// instrumented.json: the embedder's own list of what it trusts. A compiler that is missing costs its plugins and nothing else.
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build as bundle } from 'esbuild';
import { CLANG_REMEDY, clang, clangIdentity, hasClang } from '../../test/guests/compilers.mjs';
import { REMEDY, fetchSource } from '../../test/guests/fetch-sources.mjs';
import { BUILT, ROOT, hash, ingredients, once, run } from '../tools.mjs';

const HERE = 'examples/06-plugins';
const SOURCES = `${HERE}/plugins`;
const TARGET = path.join(BUILT, '06-plugins');
const PLUGINS = path.join(TARGET, 'plugins');
const SITE = path.join(TARGET, 'site');
const PAGE = 65_536;

const REACTOR = ['-mexec-model=reactor', '-Wl,--export=malloc,--export=free,--strip-debug'];
/** Its errors jump by WebAssembly's exceptions (setjmp.c). WASI has no signals, and no clock for it to choose pivots by. */
const LUA = ['-mexception-handling', '-mllvm', '-wasm-enable-sjlj', `-I${SOURCES}/include`, '-w'].concat(
  '-Dl_signalT=int',
  '-Dl_randomizePivot()=0u',
);
/** The interpreter, and the libraries that need no operating system. */
const isPartOfLua = (file) => /^l.*\.c$/.test(file) && !/^(lua|luac|linit|liolib|loslib|loadlib|ldblib)\.c$/.test(file);

/** What cannot be made here, and what to do about that. */
class Lacking extends Error {}

/** What each plugin is made of; `suspending` are its imports that may return a promise. */
const RECIPES = [
  {
    name: 'words',
    suspending: ['editor.lookup'],
    sources: () => [`${SOURCES}/words.ts`, `${SOURCES}/asconfig.json`],
    compile([, config]) {
      if (!run('node_modules/assemblyscript/bin/asc.js', ['--config', config])) throw new Error('asc failed');
    },
  },
  {
    name: 'wrap',
    suspending: [],
    sources: () => [`${SOURCES}/wrap.c`],
    compile: (sources, target) =>
      compileC([...REACTOR, '-Wall', '-Wextra', '-Werror', ...sources, '-o', target], 'wrap.c'),
  },
  {
    name: 'lua',
    suspending: ['editor.lookup'],
    async sources() {
      const folder = await fetchSource('lua5.4').catch((error) => {
        throw new Lacking(
          `Lua's source cannot be fetched: ${REMEDY} (${
            String(error.stderr || error.message)
              .trim()
              .split('\n')[0]
          })`,
        );
      });
      const parts = readdirSync(folder).filter(isPartOfLua);
      return [`${SOURCES}/lua.c`, `${SOURCES}/setjmp.c`, ...parts.map((file) => path.join(folder, file))];
    },
    compile(sources, target) {
      const folder = path.dirname(sources.at(-1));
      return compileC([...REACTOR, ...LUA, `-I${folder}`, ...sources, '-o', target], 'Lua');
    },
  },
];

async function compileC(args, what) {
  if (!(await hasClang())) throw new Lacking(`there is no C compiler for WebAssembly: ${CLANG_REMEDY}`);
  await clang(args, what);
}

const sha256 = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');
const inPlugins = (file) => path.join(PLUGINS, file);

async function makePlugin({ name, suspending, sources, compile }, common) {
  const files = await sources();
  const headers = readdirSync(path.join(ROOT, SOURCES, 'include')).map((file) => `${SOURCES}/include/${file}`);
  const all = [...common, ...files, ...headers, `${SOURCES}/${name}.json`, `${HERE}/build.mjs`];
  await once(inPlugins(`${name}.hash`), hash(all, clangIdentity()), async () => {
    console.log(`plugin ${name}`);
    const plain = inPlugins(`${name}.wasm`);
    await compile(files, plain);
    const manifest = JSON.parse(readFileSync(path.join(ROOT, SOURCES, `${name}.json`), 'utf8'));
    const { instrument } = await import(new URL('../../build/host/instrument/index.js', import.meta.url));
    const { wasm } = await instrument(readFileSync(plain), {
      target: 'asyncify',
      suspending,
      metered: true,
      limits: { memoryPages: manifest.limits.memory / PAGE },
    });
    writeFileSync(inPlugins(`${name}.asyncify.wasm`), wasm);
    writeJson(`${name}.json`, { ...manifest, sha256: sha256(plain) });
  });
}

const writeJson = (file, value) => writeFileSync(inPlugins(file), `${JSON.stringify(value, null, 2)}\n`);

/** Nothing of an older state is left of a plugin that cannot be made. */
function forget(name) {
  for (const end of ['wasm', 'asyncify.wasm', 'json', 'hash']) rmSync(inPlugins(`${name}.${end}`), { force: true });
}

async function makePlugins() {
  const common = ingredients();
  const instrumented = {};
  for (const recipe of RECIPES) {
    const { name } = recipe;
    try {
      await makePlugin(recipe, common);
      const source = `${name}.asyncify.wasm`;
      instrumented[name] = { source, sha256: sha256(inPlugins(source)) };
    } catch (error) {
      forget(name);
      if (!(error instanceof Lacking)) throw error;
      console.log(`skipped: the plugin ${name}: ${error.message}`);
    }
  }
  writeJson('instrumented.json', instrumented);
}

async function makePage() {
  for (const file of ['index.html', 'style.css']) cpSync(path.join(ROOT, HERE, 'page', file), path.join(SITE, file));
  await bundle({
    entryPoints: [path.join(TARGET, 'page/main.js')],
    outfile: path.join(SITE, 'page.js'),
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    // It is loaded where a module has to be instrumented for Asyncify; here, all are.
    external: ['binaryen'],
    logLevel: 'warning',
  });
}

for (const folder of [PLUGINS, SITE]) mkdirSync(folder, { recursive: true });
await makePlugins();
cpSync(path.join(ROOT, HERE, 'scripts'), path.join(TARGET, 'scripts'), { recursive: true });
await makePage();
