/** What asc writes with the transform, by its own options: every module waits, whatever asc is asked to do with it. */
import { TraceMap, originalPositionFor } from '@jridgewell/trace-mapping';
import { describe, expect, test } from 'vitest';
import { instantiate } from 'wasm-fibers/assemblyscript';
import { bytesOf, compile, compiled, refused, SUSPENDING, textOf } from './transform-driver.ts';

const SOURCE = `
${SUSPENDING} declare function ask(question: string): string;
function twice(question: string): string { return ask(question) + ask(question + '?'); }
export function run(question: string, times: i32): string[] {
  const answers: string[] = [];
  for (let i = 0; i < times; i++) answers.push(twice(question + i.toString()));
  return answers;
}
`;

interface Run {
  run(question: string, times: number): string[];
}

async function works(wasm: Uint8Array<ArrayBuffer>, imports: object = {}): Promise<void> {
  const { exports } = await instantiate<Run>(wasm, {
    app: { ask: async (question: string) => `<${await Promise.resolve(question)}>` },
    ...imports,
  });
  const [a, b] = await Promise.all([exports.run('a', 2), exports.run('b', 1)]);
  expect(a).toEqual(['<a0><a0?>', '<a1><a1?>']);
  expect(b).toEqual(['<b0><b0?>']);
}

test.each([
  [],
  ['--debug'],
  ['-O0'],
  ['-O1'],
  ['-O2'],
  ['-O3'],
  ['-Os'],
  ['-Oz'],
  ['--optimize'],
  ['-O3', '--converge'],
  ['-O1', '--runPasses', 'inlining,dce'],
  ['-O1', '--trapMode', 'clamp'],
  ['-O2', '--runtime', 'minimal'],
  ['-O2', '--runtime', 'minimal', '--stackSize', '32768'],
  ['-O2', '--runtime', 'stub'],
  ['-O1', '--exportRuntime'],
  ['-O1', '--noExportMemory'],
  ['-O1', '--sourceMap'],
  ['-O1', '--enable', 'simd,reference-types,threads'],
  ['-O1', '--disable', 'bulk-memory,sign-extension'],
  ['-O1', '--noValidate'],
] satisfies string[][])('asc %j', async (...flags: string[]) => {
  const { wasm, section, result } = await compiled(SOURCE, { flags });
  expect(result.stderr).toBe('');
  const runtime = flags.indexOf('--runtime');
  expect(section.runtime).toBe(runtime < 0 ? 'incremental' : flags[runtime + 1]);
  await works(wasm);
});

test('asc --importMemory', async () => {
  const { wasm } = await compiled(SOURCE, { flags: ['-O2', '--importMemory', '--initialMemory', '2'] });
  await works(wasm, { env: { memory: new WebAssembly.Memory({ initial: 2 }) } });
});

describe('names', () => {
  const named = (wasm: Uint8Array): boolean => Buffer.from(wasm).includes('app/twice');
  test('stay with --debug, and go without', async () => {
    expect(named((await compiled(SOURCE, { flags: ['--debug'] })).wasm)).toBe(true);
    expect(named((await compiled(SOURCE)).wasm)).toBe(false);
  });
  test('are what lists speak of', async () => {
    const only = await compiled(SOURCE, { flags: ['-O1'], options: { only: ['app/run', 'app/twice*', '~lib/*'] } });
    await works(only.wasm);
  });
});

test('a program whose start waits', async () => {
  const { wasm } = await compiled(`${SUSPENDING} declare function ask(): i32;
    let answer: i32 = ask() + ask();
    export function get(): i32 { return answer; }`);
  const guest = await instantiate<{ get(): number }>(wasm, { app: { ask: () => Promise.resolve(21) } });
  expect(await guest.exports.get()).toBe(42);
});

test('a program whose start is exported starts when it is instantiated', async () => {
  const { wasm, section } = await compiled(
    `${SUSPENDING} declare function ask(): i32;
    let answer: i32 = ask() + ask();
    export function get(): i32 { return answer; }`,
    { flags: ['--exportStart', 'begin'] },
  );
  expect(section).toMatchObject({ start: 'begin' });
  const guest = await instantiate<{ get(): number }>(wasm, { app: { ask: () => Promise.resolve(21) } });
  expect(await guest.exports.get()).toBe(42);
});

test('a program that never waits is a guest all the same', async () => {
  for (const flags of [[], ['-O3'], ['-O3', '--runtime', 'stub']]) {
    const { wasm } = await compiled('export function greet(name: string): string { return "Hello " + name; }', {
      flags,
    });
    const guest = await instantiate<{ greet(name: string): string }>(wasm);
    expect(await guest.exports.greet('you')).toBe('Hello you');
  }
});

test('a program with tasks', async () => {
  const { wasm, section } = await compiled(
    `import { spawn } from 'wasm-fibers/assembly';
    ${SUSPENDING} declare function ask(n: i32): i32;
    function work(n: i32): i32 { return ask(n) * 2; }
    export function run(): i32 {
      const a = spawn(work, 1); const b = spawn(work, 2);
      return a.result() + b.result();
    }`,
    { flags: ['-O2'] },
  );
  expect(section.imports.map((each) => each.module)).toEqual(expect.not.arrayContaining(['wasm-fibers:tasks']));
  const guest = await instantiate<{ run(): number }>(wasm, { app: { ask: async (n: number) => n + 10 } });
  expect(await guest.exports.run()).toBe(46);
});

test('text shows the instrumented module, with names', async () => {
  const result = await compile(SOURCE, { flags: ['--textFile', 'app.wat', '-O1'] });
  expect(result.error).toBeNull();
  const text = textOf(result, 'app.wat');
  expect(text).toContain('wasm-fibers');
  expect(text).toContain('$app/');
  const wast = await compile(SOURCE, { flags: ['--textFile', 'app.wast'], outFile: null });
  expect(textOf(wast, 'app.wast')).toContain('(module');
  expect([...wast.files.keys()]).toEqual(['app.wast']);
});

test('to standard output', async () => {
  const text = await compile(SOURCE, { outFile: null });
  expect(text.stdout).toContain('(module');
  expect(text.stderr).toContain('Skipped JavaScript and TypeScript bindings');
  expect([...text.files.keys()]).toEqual([]);
});

test('--noEmit checks and writes nothing', async () => {
  const result = await compile(SOURCE, { flags: ['--noEmit'] });
  expect([result.error, result.stderr, [...result.files.keys()]]).toEqual([null, '', []]);
  expect(await refused('export function f(a: v128): void {}', { flags: ['--noEmit', '--enable', 'simd'] })).toContain(
    'v128',
  );
});

test('the files are called after the module', async () => {
  const result = await compile(SOURCE, { outFile: "out/my 'app'.v2.wasm" });
  expect([...result.files.keys()]).toEqual(["out/my 'app'.v2.js", "out/my 'app'.v2.d.ts", "out/my 'app'.v2.wasm"]);
  expect(textOf(result, "out/my 'app'.v2.js")).toContain("new URL('./my%20\\'app\\'.v2.wasm', import.meta.url)");
});

test('another transform that changes the module afterwards is not lost', async () => {
  class Adds {
    afterCompile(module: { addFunctionExport(name: string, as: string): void }): void {
      module.addFunctionExport('app/run', 'again');
    }
  }
  const { wasm } = await compiled(SOURCE, { flags: ['-O1'], transforms: [Adds] });
  expect(WebAssembly.Module.exports(new WebAssembly.Module(wasm)).map((each) => each.name)).toContain('again');
  await works(wasm);
});

test('several compilations at once do not mix', async () => {
  const all = await Promise.all(
    ['a', 'b', 'c'].map((name) => compiled(`export function ${name}(): string { return '${name}'; }`)),
  );
  expect(all.map(({ section }) => section.exports.map((each) => each.name))).toEqual([['a'], ['b'], ['c']]);
});

describe('source maps', () => {
  const LINES = `@external('env', 'ask') @suspending declare function ask(): i32;
export function outer(n: i32): i32 {
  const before = ask();
  return middle(n + before) +
    ask();
}
function middle(n: i32): i32 {
  ask();
  if (n > 0) {
    return boom(n);
  }
  return ask();
}
function boom(n: i32): i32 {
  ask();
  unreachable();
  return 0;
}
`;
  // At -O1 the functions are inlined into one.
  test.each([
    [[], [16, 10, 4]],
    [['--debug'], [16, 10, 4]],
    [['-O1'], [16]],
  ])('lead from each frame of a trap to its line, with %j to %j', async (flags, expected) => {
    const { wasm, result } = await compiled(LINES, { flags: [...flags, '--sourceMap', '--exportRuntime'] });
    const map = new TraceMap(textOf(result, 'app.wasm.map'));
    expect(map.sources).toContain('app.ts');
    const guest = await instantiate<{ outer(n: number): number }>(wasm, { env: { ask: () => Promise.resolve(1) } });
    const error: unknown = await guest.exports.outer(1).then(
      () => null,
      (reason: unknown) => reason,
    );
    const offsets = [...String((error as Error).stack).matchAll(/wasm-function\[\d+\]:0x([0-9a-f]+)/g)].map((match) =>
      Number.parseInt(match[1] ?? '', 16),
    );
    const lines = offsets
      .map((column) => originalPositionFor(map, { line: 1, column }))
      .filter((each) => each.source?.endsWith('/app.ts') === true)
      .map((each) => each.line);
    expect(lines).toEqual(expected);
  });

  test('hold the sources, ours too, and are named in the module', async () => {
    const { wasm, result } = await compiled(LINES, { flags: ['--sourceMap', 'https://maps.example/x.map'] });
    const map = JSON.parse(textOf(result, 'x.map')) as { sources: string[]; sourcesContent: string[] };
    expect(map.sourcesContent[map.sources.indexOf('app.ts')]).toBe(LINES);
    const [url] = WebAssembly.Module.customSections(new WebAssembly.Module(wasm), 'sourceMappingURL');
    expect(new TextDecoder().decode(url)).toContain('https://maps.example/x.map');
  });
});

test('the module that is written is what app.js loads', async () => {
  const result = await compile(SOURCE);
  expect(WebAssembly.validate(new Uint8Array(bytesOf(result, 'app.wasm')))).toBe(true);
  expect(textOf(result, 'app.js'))
    .toBe(`// Made by wasm-fibers/transform together with app.wasm and its .d.ts: change the source, not this.
import { instantiate as instantiateModule } from 'wasm-fibers/assemblyscript';

export function instantiate(imports = {}, options = {}) {
  const source = options.source ?? new URL('./app.wasm', import.meta.url);
  return instantiateModule(source, imports, options);
}
`);
});
