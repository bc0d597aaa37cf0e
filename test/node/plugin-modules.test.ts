/** Modules that no compiler writes, given as plugins: what is refused before anything of them runs, and that it takes no time. */
import { describe, expect, test } from 'vitest';
import { Plugin } from 'wasm-fibers/plugin';
import { assembleText } from '../proof/wat.ts';
import { backend } from '../support/backend.ts';
import { errorOf, loadPlugin } from '../support/plugin.ts';
import { assemble } from './instrument-driver.ts';

/** The error that loading this text ends with. */
const refusal = (text: string, options = {}): Promise<Error & Record<string, unknown>> =>
  errorOf(Plugin.load(assembleText(`(module ${text})`), { backend, ...options }));

describe('the package itself is not imported', () => {
  test.each([
    ['wasm-fibers:meter', 'slice'],
    ['wasm-fibers:meter', 'limit'],
    ['wasm-fibers', 'suspend'],
    ['wasm-fibers.types', 'any'],
    ['wasm-fibers:other', 'any'],
  ])('%s.%s', async (module, name) => {
    const error = await refusal(`(import "${module}" "${name}" (func)) (func (export "go"))`);
    expect(error).toMatchObject({ code: 'RESERVED_NAME' });
    expect(error.message).toContain(`"${module}.${name}"`);
  });

  test('nor is what the guest library of AssemblyScript has, by a plugin that says nothing of its values', async () => {
    const error = await refusal('(import "wasm-fibers:tasks" "forget" (func $f)) (func (export "go") (call $f))');
    expect(error).toMatchObject({ code: 'MISSING_IMPORTS' });
  });

  test.each(['wasm-fibers', 'wasm-fibers.budget', 'wasm-fibers:meter'])('nor is %s exported', async (name) => {
    expect(await refusal(`(func (export "${name}"))`)).toMatchObject({ code: 'RESERVED_NAME' });
  });

  test('names that only begin in the same way are names like any other', async () => {
    const plugin = await loadPlugin(
      assembleText('(module (import "wasm-fibers-too" "f" (func $f)) (func (export "wasm-fibers-go") (call $f)))'),
      { hostFunctions: { 'wasm-fibers-too': { f: () => undefined } } },
    );
    await plugin.call('wasm-fibers-go', [], { as: 'numbers' });
  });
});

const CONSOLE = ['log', 'warn', 'error'] as const;

describe('imports in great numbers', () => {
  /** All of which are called: Binaryen leaves out the others. */
  const imports = (count: number, path = (at: number): string => `"app" "f${at}"`): string => {
    const all = Array.from({ length: count }, (_, at) => `(import ${path(at)} (func))`).join(' ');
    return `${all} (func (export "go") ${Array.from({ length: count }, (_, at) => `(call ${at})`).join(' ')})`;
  };

  test('a message names twenty of them, and how many more there are', async () => {
    const error = await refusal(imports(1000));
    expect(error).toMatchObject({ code: 'MISSING_IMPORTS' });
    expect(error.message).toContain('app.f19 () -> () and 980 more');
    expect(error.message.length).toBeLessThan(1000);
  });

  // Binaryen makes one of those that are alike.
  test('and of those that were not granted', async () => {
    const error = await refusal(
      imports(60, (at) => `"env" "console.${CONSOLE[at % CONSOLE.length] ?? ''}"`),
      { backend: 'jspi' },
    );
    expect(error).toMatchObject({ code: 'CAPABILITY_DENIED' });
    expect(error.message).toContain('and 40 more');
  });

  test('four times as many take no more than some four times as long', async () => {
    const time = async (count: number): Promise<number> => {
      const bytes = assembleText(`(module ${imports(count)})`);
      let least = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 2; round++) {
        const before = process.cpuUsage();
        await errorOf(Plugin.load(bytes, { backend: 'jspi' }));
        const { user, system } = process.cpuUsage(before);
        least = Math.min(least, user + system);
      }
      return least;
    };
    const [some, more] = [await time(4000), await time(16_000)];
    // Quadratic, it was more than twelve times as long.
    expect(more / some).toBeLessThan(9);
  });

  test('a name that would stand for others is refused', async () => {
    const error = await refusal('(import "app" "f*" (func)) (func (export "go"))');
    expect(error).toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
    expect(error.message).toContain('"app.f*"');
  });
});

describe('what no limit of memory counts is refused, where the engine knows it', () => {
  test.each([
    ['an object in code', '(type $s (struct)) (func $make (export "go") (drop (struct.new $s)))', '"make"'],
    [
      'an object in a constant',
      '(type $s (struct)) (global (ref $s) (struct.new $s)) (func (export "go"))',
      'global 0',
    ],
    ['a table of exceptions', '(table 1 exnref) (func (export "go"))', 'exnref'],
    ['a large exception', `(tag (param ${'i64 '.repeat(17)})) (func (export "go"))`, '17 values'],
  ])('%s', async (_, text, names) => {
    const isKnown = WebAssembly.validate(assembleText(`(module ${text})`));
    const error = await refusal(text);
    expect(error).toMatchObject({ code: isKnown ? 'UNSUPPORTED_FEATURE' : 'BAD_MODULE' });
    if (isKnown) expect(error.message).toContain(names);
  });
});

describe('tables', () => {
  const tables = (count: number, size: number): string => `(table ${size} funcref) `.repeat(count);

  test('are counted together, as they begin', async () => {
    const limits = { tableElements: 10 };
    const error = await refusal(`${tables(3, 4)} (func (export "go"))`, { limits });
    expect(error).toMatchObject({ code: 'LIMIT_REACHED', limit: 'tableElements' });
    expect(error.message).toContain('12 elements');
    await loadPlugin(assembleText(`(module ${tables(2, 5)} (func (export "go")))`), { limits });
  });

  test('are sixteen at most', async () => {
    const error = await refusal(`${tables(17, 0)} (func (export "go"))`);
    expect(error).toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
    expect(error.message).toContain('17 tables');
    await loadPlugin(assembleText(`(module ${tables(16, 1)} (func (export "go")))`));
  });
});

describe('both forms of exceptions, over which V8 ends the process now and then', () => {
  const OLD = '(func (export "old") (try (do (throw $tag)) (catch_all)))';

  test.each([
    ['an instruction', '(func (block $caught (try_table (catch_all $caught) (throw $tag))))'],
    ['a local', '(func (local exnref))'],
    ['a block', '(func (param i32) (drop (block $out (result exnref) (br $out (ref.null exn)))))'],
    ['a null', '(func (drop (ref.null exn)))'],
    ['a parameter', '(func (param exnref))'],
    ['a global', '(global exnref (ref.null exn))'],
  ])('are refused before the engine is asked, where the new one is that of %s', async (_, text) => {
    const wasm = Uint8Array.from(assemble(`(module (tag $tag) ${OLD} ${text})`));
    const error = await errorOf(Plugin.load(wasm, { backend }));
    expect(error).toMatchObject({ code: 'BAD_MODULE', message: expect.stringContaining('both forms of exceptions') });
  });

  test('one of them is fine', async () => {
    const plugin = await loadPlugin(Uint8Array.from(assemble(`(module (tag $tag) ${OLD})`)));
    await plugin.call('old', [], { as: 'numbers' });
  });
});
