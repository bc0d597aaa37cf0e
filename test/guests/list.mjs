// The guests that tests use: where each comes from, how it is compiled, and which of its imports may wait.

/** What every guest is instrumented for, and what the file is then called. */
export const TARGETS = [
  { target: 'asyncify', extension: '.fibers.wasm' },
  { target: 'jspi', extension: '.jspi.wasm' },
];

const SUSPENDING_AS = ['env.wait_*'];

/** AssemblyScript, compiled with the guest-side part first. `flags` are those of asc. */
export const ASSEMBLYSCRIPT = [
  { name: 'basic', source: 'as/basic.ts', flags: ['-O3', '--exportTable'], suspending: SUSPENDING_AS },
  { name: 'growing', source: 'as/growing.ts', flags: ['-O3'], suspending: SUSPENDING_AS },
  // A reference that the collector loses shows at one optimisation level and hides at another.
  { name: 'strings', source: 'as/strings.ts', flags: ['-O3'], suspending: SUSPENDING_AS },
  { name: 'strings-debug', source: 'as/strings.ts', flags: ['--debug'], suspending: SUSPENDING_AS },
  { name: 'strings-small', source: 'as/strings.ts', flags: ['-Oz', '--exportRuntime'], suspending: SUSPENDING_AS },
  {
    name: 'strings-minimal',
    source: 'as/strings.ts',
    flags: ['-O3', '--runtime', 'minimal', '--stackSize', '32768'],
    suspending: SUSPENDING_AS,
  },
  { name: 'strings-stub', source: 'as/strings.ts', flags: ['-O3', '--runtime', 'stub'], suspending: SUSPENDING_AS },
  { name: 'results', source: 'as/results.ts', flags: ['-O3'], suspending: SUSPENDING_AS },
  { name: 'toplevel', source: 'as/toplevel.ts', flags: ['-O3'], suspending: SUSPENDING_AS },
  {
    name: 'toplevel-start',
    source: 'as/toplevel.ts',
    flags: ['-O3', '--exportStart', '_start'],
    suspending: SUSPENDING_AS,
  },
];

/** In small steps the collector is found in every state that it can be in. */
const SMALL_STEPS = ['steps', '-O3', '--use', 'ASC_GC_GRANULARITY=64', '--use', 'ASC_GC_SWEEPFACTOR=100'].concat(
  '--maximumMemory',
  '200',
);

/** AssemblyScript, compiled by the transform with types on both sides. `flags` are those of asc. */
export const TYPED = [
  { name: 'basic', source: 'typed/basic.ts', flags: ['-O3'] },
  { name: 'amplifier', source: 'typed/amplifier.ts', flags: ['-O3'] },
  { name: 'outcomes-O3', source: 'typed/outcomes.ts', flags: ['-O3'] },
  { name: 'outcomes-debug', source: 'typed/outcomes.ts', flags: ['--debug'] },
  // What the collector loses at one optimisation level hides at another.
  ...[
    ['O0'],
    ['O1', '-O1'],
    ['O2', '-O2'],
    ['O3', '-O3', '--exportRuntime'],
    ['Os', '-Os'],
    ['Oz', '-Oz', '--converge'],
    ['debug', '--debug'],
    ['tiny', '-O3', '--maximumMemory', '4'],
    ['minimal', '-O3', '--runtime', 'minimal', '--stackSize', '32768'],
    ['stub', '-O3', '--runtime', 'stub'],
  ].map(([variant, ...flags]) => ({ name: `soundness-${variant}`, source: 'typed/soundness.ts', flags })),
  ...[
    ['O0'],
    ['O3', '-O3'],
    ['Oz', '-Oz', '--exportStart', 'begin'],
    ['debug', '--debug'],
    SMALL_STEPS,
    ['minimal', '-O3', '--runtime', 'minimal', '--stackSize', '32768', '--exportRuntime'],
    ['stub', '-O3', '--runtime', 'stub'],
  ].map(([variant, ...flags]) => ({ name: `values-${variant}`, source: 'typed/values.ts', flags })),
  // The guest library.
  ...[
    ['O3', '-O3'],
    ['debug', '--debug'],
    ['tiny', '-O3', '--maximumMemory', '4'],
    ['minimal', '-O3', '--runtime', 'minimal', '--stackSize', '32768'],
    ['stub', '-O3', '--runtime', 'stub'],
  ].map(([variant, ...flags]) => ({ name: `tasks-${variant}`, source: 'typed/tasks.ts', flags })),
  ...[
    ['O3', '-O3'],
    ['debug', '--debug'],
  ].map(([variant, ...flags]) => ({ name: `tasks-edges-${variant}`, source: 'typed/tasks-edges.ts', flags })),
  ...[['O3', '-O3'], ['debug', '--debug'], SMALL_STEPS].map(([variant, ...flags]) => ({
    name: `tasks-model-${variant}`,
    source: 'typed/tasks-model.ts',
    flags,
  })),
  // Each optimisation level inlines something else.
  ...[['O0'], ['O1', '-O1'], ['O3', '-O3'], ['Oz', '-Oz'], ['debug', '--debug']].map(([variant, ...flags]) => ({
    name: `traps-${variant}`,
    source: 'typed/traps.ts',
    flags: [...flags, '--sourceMap', '--exportTable'],
  })),
];

const WARNINGS = ['-Wall', '-Wextra', '-Werror'];
const REACTOR = ['-mexec-model=reactor'];
const ALLOCATOR = ['-Wl,--export=malloc,--export=free'];
const C = [...WARNINGS, ...REACTOR, ...ALLOCATOR, '-Wl,--strip-debug,--export-table'];

/** What shows where the stack is. */
const OPEN_STACK = ['-mmutable-globals', '-Wl,--export=__stack_pointer,--no-check-features'];

/** C, compiled by clang for WASI at -O2. Without `suspending` it is not instrumented: JSPI runs such guests too. */
export const C_GUESTS = [
  { name: 'qsort', source: 'c/qsort.c', flags: C, suspending: ['env.compare'] },
  { name: 'buffers', source: 'c/buffers.c', flags: C, suspending: ['env.fill'] },
  {
    // As release builds are, without names.
    name: 'buffers-stripped',
    source: 'c/buffers.c',
    flags: [...WARNINGS, ...REACTOR, ...ALLOCATOR, '-Wl,--strip-all'],
    suspending: ['env.fill'],
  },
  { name: 'buffers-open', source: 'c/buffers.c', flags: [...C, ...OPEN_STACK] },
  { name: 'buffers-alone', source: 'c/buffers.c', flags: [...WARNINGS, ...REACTOR, ...OPEN_STACK] },
  {
    // malloc and free are linked in but not exported: found by their names.
    name: 'startup',
    source: 'c/startup.c',
    flags: [...WARNINGS, ...REACTOR, '-Wl,--strip-debug'],
    suspending: ['env.wait'],
  },
  {
    name: 'startup-command',
    source: 'c/startup.c',
    flags: [...WARNINGS, '-DCOMMAND', '-Wl,--strip-debug'],
    suspending: ['env.wait'],
  },
  {
    name: 'program',
    source: 'c/program.c',
    flags: [...WARNINGS, ...ALLOCATOR, '-Wl,--strip-debug'],
    suspending: ['close', 'filestat_set_size', 'read', 'readdir', 'seek', 'write']
      .map((name) => `fd_${name}`)
      .concat(['path_*', 'poll_oneoff'])
      .map((name) => `wasi_snapshot_preview1.${name}`),
  },
  { name: 'deep', source: 'c/deep.c', flags: C, suspending: ['env.wait'] },
  { name: 'callbacks', source: 'c/callbacks.c', flags: C, suspending: ['env.wait', 'env.each'] },
  { name: 'overflow', source: 'c/overflow.c', flags: C, suspending: ['env.wait'] },
  { name: 'leaf', source: 'c/leaf.c', flags: C, suspending: ['env.wait'] },
];

const LIBRARY = [...REACTOR, ...ALLOCATOR, '-Wl,--strip-debug,--export-table', '-w'];

const LUA = {
  source: 'c/lua.c',
  library: 'lua5.4',
  files: (file) => /^l.*\.c$/.test(file) && !/^(lua|luac|linit|liolib|loslib|loadlib|ldblib|lutf8lib)\.c$/.test(file),
  flags: [...LIBRARY, '-include', 'test/guests/c/include/lua-host.h', '-Itest/guests/c/include'],
};

const SQLITE = {
  source: 'c/sqlite.c',
  library: 'sqlite3',
  files: (file) => file === 'sqlite3.c',
  flags: [
    ...LIBRARY,
    '-DSQLITE_OS_OTHER=1',
    '-DSQLITE_THREADSAFE=0',
    '-DSQLITE_TEMP_STORE=3',
    '-DSQLITE_DEFAULT_MEMSTATUS=0',
    '-DSQLITE_DQS=0',
    '-DSQLITE_OMIT_DEPRECATED',
    '-DSQLITE_OMIT_JSON',
    '-DSQLITE_OMIT_LOAD_EXTENSION',
    '-DSQLITE_OMIT_LOCALTIME',
    '-DSQLITE_OMIT_SHARED_CACHE',
    '-DSQLITE_OMIT_WAL',
  ],
};

/** Real libraries from Debian's sources (fetch-sources.mjs). `files` picks the library's own files from its folder. */
export const LIBRARIES = [
  { name: 'lua', ...LUA, suspending: ['env.http_get', 'env.sleep', 'env.protected_call'] },
  { name: 'sqlite', ...SQLITE, suspending: ['env.vfs_*'] },
];

/** What `npm run bench:guests` measures. Built only when named, and not instrumented: the bench does that in its own ways. */
export const BENCHED = [
  { name: 'bench-lua', ...LUA },
  { name: 'bench-sqlite', ...SQLITE, source: 'c/bench-sqlite.c', also: ['test/guests/c/sqlite.c'] },
  {
    name: 'bench-zlib',
    source: 'c/bench-zlib.c',
    library: 'zlib',
    files: (file) => /^(adler32|crc32|deflate|infback|inffast|inftrees|trees|zutil)\.c$/.test(file),
    flags: LIBRARY,
  },
  { name: 'bench-calls', source: 'c/bench-calls.c', flags: C },
  { name: 'bench-as', source: 'as/bench.ts', flags: ['-O3'] },
];
