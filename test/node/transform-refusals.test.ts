/** What the transform refuses: each with a sentence, the source line where there is one, and nothing written. */
import { describe, expect, test } from 'vitest';
import { compile, compiled, refused, SUSPENDING } from './transform-driver.ts';

const REFERENCES = ['--enable', 'reference-types,simd,gc'];

describe('types that cannot pass', () => {
  test.each([
    ['export function f(a: v128): void {}', 'The parameter "a" of the export "f" is of the type v128', 'app.ts(1,17)'],
    [
      'export function f(): funcref { return null; }',
      'The result of the export "f" is of the type funcref',
      'app.ts(1,17)',
    ],
    ['export let x: v128 = i32x4.splat(0);', 'The exported variable "x" is of the type v128', 'app.ts(1,12)'],
    [
      'declare function g(a: v128): void; export function f(): void { g(i32x4.splat(0)); }',
      'The parameter "a" of the import "app.g" is of the type v128',
      'app.ts(1,18)',
    ],
    [
      'class R { v: v128; } export function f(r: R | null): void {}',
      'has a R, whose field "v" is of the type v128',
      'app.ts(1,38)',
    ],
    ['class R { v: v128; } export function f(r: Array<R>[]): void {}', 'whose field "v"', 'app.ts(1,38)'],
    [
      '@external("env", "s") declare let s: string | null; export function f(): string | null { return s; }',
      'The imported variable "env.s" is of the type string | null',
      'app.ts(1,35)',
    ],
  ])('%s', async (source, sentence, place) => {
    const printed = await refused(source, { flags: REFERENCES });
    expect(printed).toContain(sentence);
    expect(printed).toContain(`in ${place}`);
    expect(printed).not.toContain('User-defined');
  });
});

describe("references of the host's that would be alive across a wait", () => {
  const IMPORTS = `${SUSPENDING} declare function wait(): i32;
declare function get(): externref;
declare function use(x: externref, n: i32): void;
`;
  test.each([
    [
      'export function f(): void {\n  const kept = get(), gone = get();\n  use(gone, 0);\n  wait();\n  use(kept, 0);\n}',
      ['"kept" of the function "app/f"'],
      'app.ts(7,9)',
    ],
    [
      'export function f(given: externref, n: i32): void {\n  while (n--) { use(given, n); wait(); }\n}',
      ['"given" of the function "app/f"'],
      'app.ts(6,19)',
    ],
    [
      'class A { m(): void { let own = get(); if (wait()) use(own, 1); else own = get(); } }\nexport function f(): void { new A().m(); }',
      ['"own" of the function "app/A#m"'],
      'app.ts(6,27)',
    ],
    [
      'let a = get();\n{ const top = get(); wait(); use(top, 1); }\nexport function f(): void { use(a, 1); }',
      ['"top" of the function "start:app"'],
      'app.ts(7,9)',
    ],
    [
      'function inner(): void { wait(); }\nfunction fine(): void { use(get(), 1); inner(); }\nexport function f(): void { fine(); const b = get(); inner(); use(b, 1); }',
      ['"b" of the function "app/f"'],
      'app.ts(8,43)',
    ],
  ])('%s', async (source, sentences, place) => {
    for (const level of ['-O0', '-O2']) {
      const printed = await refused(IMPORTS + source, { flags: [...REFERENCES, level] });
      for (const sentence of sentences) expect(printed).toContain(sentence);
      expect(printed).toContain(`in ${place}`);
      expect(printed.match(/ERROR AS102/g)).toHaveLength(1);
    }
  });

  test('in the middle of an expression, where it has no name', async () => {
    const printed = await refused(`${IMPORTS}export function f(): void { use(get(), wait()); }`, { flags: REFERENCES });
    expect(printed).toContain('"app/f"');
    expect(printed).toContain('a reference');
  });

  test('are named also where an earlier compilation was optimised and this one is not', async () => {
    await compiled('export function f(): void {}', { flags: ['-O3'] });
    const source = `${IMPORTS}export function f(): void { const kept = get(); wait(); use(kept, 0); }`;
    expect(await refused(source, { flags: REFERENCES })).toContain('"kept" of the function "app/f"');
  });

  test('are fine before and after it, and in globals', async () => {
    await compiled(
      `${IMPORTS}let kept: externref = null;
export function f(): void { use(get(), 1); kept = get(); wait(); use(kept, 1); use(get(), 1); }`,
      { flags: REFERENCES },
    );
  });
});

describe('what cannot be', () => {
  test.each([
    [
      'threads',
      'export function f(): void {}',
      ['--sharedMemory', '--enable', 'threads', '--maximumMemory', '10'],
      '--sharedMemory',
    ],
    [
      "bindings of asc's",
      'export function f(): void {}',
      ['--bindings', 'esm'],
      '--bindings would overwrite app.js and app.d.ts',
    ],
    ['an unknown trap mode', 'export function f(): void {}', ['--trapMode', 'soft'], 'Unsupported trap mode "soft"'],
    [
      'a tail call',
      `${SUSPENDING}declare function w(): void; export function f(): void { w(); }`,
      ['--noSuchFlag'],
      null,
    ],
    ['a name of ours', 'export function __fibers_mine(): void {}', [], 'names that begin with "__fibers_"'],
    ["a name of Asyncify's", 'export function asyncify_start(): void {}', [], 'exports "asyncify_start"'],
    [
      'code in a decorator',
      '@external.js("return 1") @external("env", "one") declare function one(s: string): i32; export function f(): void { one(""); }',
      [],
      'no @external.js',
    ],
    [
      'two declarations of one import',
      '@external("env", "log") declare function a(s: string): void; @external("env", "log") declare function b(n: i32): void; export function f(): void { a(""); b(1); }',
      [],
      'The import "env.log" is declared twice, as (string) => void and as (i32) => void',
    ],
  ])('%s', async (_, source, flags, sentence) => {
    if (sentence === null) {
      // asc warns of arguments that it does not know, and so does nothing else.
      expect((await compile(source, { flags })).error).toBeNull();
      return;
    }
    expect(await refused(source, { flags })).toContain(sentence);
  });

  test('two declarations of one import and of one type are one', async () => {
    const { section } = await compiled(
      '@external("env", "log") declare function a(s: string): void; @external("env", "log") declare function b(s: string): void; export function f(): void { a(""); b(""); }',
    );
    expect(section.imports.filter((each) => each.name === 'log')).toHaveLength(1);
  });

  test('to collect with a collector that looks at no stack', async () => {
    const source = 'function tidy(): void { __collect(); }\nexport function f(): void { tidy(); }';
    for (const flags of [[], ['-O3'], ['--exportRuntime']]) {
      const printed = await refused(source, { flags: ['--runtime', 'minimal', ...flags] });
      expect(printed).toContain('The function "app/tidy" calls __collect().');
      expect(printed).toContain('in app.ts(1,10)');
    }
    const top = await refused('export function f(): void {}\n__collect();', { flags: ['--runtime', 'minimal'] });
    expect(top).toContain('The function "start:app" calls __collect().');
    await compiled(source);
    await compiled('if (ASC_RUNTIME == 2) __collect(); export function f(): void {}', {
      flags: ['--runtime', 'minimal', '--exportRuntime'],
    });
  });

  test("a runtime of the program's own", async () => {
    const files = { 'app.ts': 'export function f(): void {}', 'mine.ts': 'import "rt/tlsf"; import "rt/itcms";' };
    expect(await refused(files, { flags: ['--runtime', 'mine'] })).toContain(
      'The runtime "mine.ts" is not one of asc\'s',
    );
  });

  test("errors of asc's own stay what they are", async () => {
    expect(await refused('export function f(): i32 { return "x"; }')).toContain(
      "Type '~lib/string/String' is not assignable to type 'i32'",
    );
    expect(await refused('export function f(: void {}')).toContain('parse error');
    expect(await refused('import { x } from "./missing"; export function f(): void { x(); }')).toContain(
      "File 'missing.ts' not found",
    );
  });
});

describe('@suspending', () => {
  test.each([
    ['@suspending export function f(): void {}', '"@suspending" says of an import that it may wait', 'app.ts(1,1)'],
    ['@suspending class A {} export function f(): void {}', '"@suspending" says of an import', 'app.ts(1,1)'],
    [
      'namespace n { @suspending export function g(): void {} } export function f(): void { n.g(); }',
      '"@suspending" says of an import',
      'app.ts(1,15)',
    ],
    [
      '@suspending("env") declare function g(): void; export function f(): void { g(); }',
      'takes no arguments',
      'app.ts(1,1)',
    ],
  ])('misplaced: %s', async (source, sentence, place) => {
    const printed = await refused(source);
    expect(printed).toContain(sentence);
    expect(printed).toContain(`in ${place}`);
  });

  test('a near miss is warned of', async () => {
    const { error, stderr } = await compile('@suspend declare function g(): void; export function f(): void { g(); }');
    expect(error).toBeNull();
    expect(stderr).toContain('The decorator "@suspend" has no effect. Did you mean "@suspending"?');
  });

  test('on an import that nothing calls is fine', async () => {
    const { section } = await compiled('@suspending declare function g(): void; export function f(): void {}');
    expect(section.imports.map((each) => each.name)).not.toContain('g');
  });
});
