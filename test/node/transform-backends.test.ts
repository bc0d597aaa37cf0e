/** What the transform compiles, run on every backend that the engine has: on the newest Node that is both. */
import { describe, expect, test } from 'vitest';
import type { TransformTarget } from '../../host/assemblyscript/transform/index.ts';
import { instantiate } from 'wasm-fibers/assemblyscript';
import type { BackendKind, SourcePair } from 'wasm-fibers/assemblyscript';
import { engineHasJspi } from '../support/backend.ts';
import { bytesOf, compile, SUSPENDING } from './transform-driver.ts';
import type { Compiled, Settings } from './transform-driver.ts';

const SOURCE = `
${SUSPENDING} declare function ask(question: string): string;
function twice(question: string): string { return ask(question) + ask(question + '?'); }
export function run(question: string): string { return twice(question) + '!'; }
`;

async function make(target: TransformTarget, settings: Settings = {}, source: string = SOURCE): Promise<Compiled> {
  const result = await compile(source, { ...settings, options: { target, ...settings.options } });
  expect([result.error, result.stderr]).toEqual([null, '']);
  return result;
}

describe('on every backend that this engine has', () => {
  const pairOf = (result: Compiled): SourcePair => ({
    asyncify: new Uint8Array(bytesOf(result, 'app.wasm')),
    jspi: new Uint8Array(bytesOf(result, 'app.jspi.wasm')),
  });
  const BACKENDS: readonly BackendKind[] = engineHasJspi ? ['asyncify', 'jspi'] : ['asyncify'];
  const later = async <T>(value: T): Promise<T> => value;

  describe.each(BACKENDS)('%s', (backend) => {
    test.each([
      [],
      ['-O3'],
      ['-O3', '--converge', '--sourceMap'],
      ['--runtime', 'minimal', '--exportRuntime'],
      ['-Oz', '--runtime', 'stub', '--exportTable'],
      ['-O1', '--noExportMemory'],
      ['-O1', '--enable', 'simd,reference-types,threads'],
      ['-O1', '--disable', 'bulk-memory,sign-extension'],
    ] satisfies string[][])('asc %j: calls wait at once', async (...flags: string[]) => {
      const source = pairOf(await make('both', { flags }));
      const ask = (question: string): Promise<string> => later(`<${question}>`);
      const guest = await instantiate<{ run(question: string): string }>(source, { app: { ask } }, { backend });
      expect(guest.backend).toBe(backend);
      const answers = await Promise.all(['a', 'b'].map((each) => guest.exports.run(each)));
      expect(answers).toEqual(['<a><a?>!', '<b><b?>!']);
    });

    test.each([[], ['--exportStart', 'begin']])('asc %j: code at the top level waits', async (...flags: string[]) => {
      const source = `${SUSPENDING} declare function ask(): i32;
        let answer: i32 = ask() + ask();
        export function get(): i32 { return answer; }`;
      const pair = pairOf(await make('both', { flags }, source));
      const guest = await instantiate<{ get(): number }>(pair, { app: { ask: () => later(21) } }, { backend });
      expect(await guest.exports.get()).toBe(42);
    });

    test('optional parameters, imported memory, and an import that is passed on as an export', async () => {
      const source = `${SUSPENDING} export declare function ask(n: i32): i32;
        export function sum(a: i32, b: i32 = 10, text: string = 'x'): string { return text + (ask(a) + ask(b)).toString(); }`;
      const pair = pairOf(await make('both', { flags: ['-O1', '--importMemory', '--initialMemory', '2'] }, source));
      const guest = await instantiate<{
        ask(n: number): number;
        sum(a: number, b?: number, text?: string): string;
      }>(
        pair,
        { app: { ask: (n: number) => later(n) }, env: { memory: new WebAssembly.Memory({ initial: 2 }) } },
        { backend },
      );
      const { sum } = guest.exports;
      expect(await Promise.all([sum(1), sum(1, 2), sum(1, 2, 'y')])).toEqual(['x11', 'x3', 'y3']);
      expect(await guest.exports.ask(7)).toBe(7);
    });

    test('tasks wait for each other', async () => {
      const source = `import { spawn, sleep } from 'wasm-fibers/assembly';
        ${SUSPENDING} declare function ask(n: i32): i32;
        function work(n: i32): i32 { sleep(1); return ask(n) * 2; }
        export function run(): i32 {
          const a = spawn(work, 1); const b = spawn(work, 2);
          return a.result() + b.result();
        }`;
      const pair = pairOf(await make('both', { flags: ['-O2'] }, source));
      const guest = await instantiate<{ run(): number }>(
        pair,
        { app: { ask: (n: number) => later(n + 10) } },
        { backend },
      );
      expect(await guest.exports.run()).toBe(46);
    });
  });

  test('none waits for an import that was not named, and the error says so', async () => {
    const source = 'declare function ask(): i32; export function run(): i32 { return ask(); }';
    for (const target of ['both', 'jspi'] as const) {
      const result = await make(target, {}, source);
      for (const backend of BACKENDS) {
        const given = target === 'both' ? pairOf(result) : new Uint8Array(bytesOf(result, 'app.wasm'));
        if (target === 'jspi' && backend === 'asyncify') continue;
        const guest = await instantiate<{ run(): number }>(given, { app: { ask: () => later(1) } }, { backend });
        await expect(guest.exports.run()).rejects.toMatchObject({ code: 'NOT_SUSPENDING' });
      }
    }
  });
});
