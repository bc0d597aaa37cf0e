/**
 * QuickJS as quickjs-emscripten publishes it: a module that Emscripten has optimised for size and stripped, with names of one
 * letter, and its glue, which is used as it is. What waits is a function of JavaScript, `pause()`.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { Imports } from '../../host/index.ts';
import type { Link, Linked, Pause, Program } from './program.ts';
import { KERNELS, SETUP } from './quickjs-kernels.ts';

const { resolve } = createRequire(import.meta.url);
const GLUE = resolve('@jitl/quickjs-wasmfile-release-sync/emscripten-module').replace(/\.cjs$/, '.mjs');
const WASM = resolve('@jitl/quickjs-wasmfile-release-sync/wasm');

type Numbers = (...args: number[]) => number;
type Exports = Record<string, Numbers>;
type Names = 'malloc' | 'free' | `QTS_${string}`;

interface GlueOptions {
  readonly callbacks: { callFunction(): number | Promise<number> };
  instantiateWasm(imports: Imports, done: (instance: { readonly exports: unknown }) => void): unknown;
}
type MakeGlue = (options: GlueOptions) => Promise<unknown>;

/** By which letters the glue knows an import or an export. */
function lettersOf(pattern: RegExp): string {
  const letters = pattern.exec(readFileSync(GLUE, 'utf8'))?.[1];
  if (letters === undefined) throw new Error(`the glue of QuickJS has no ${pattern.source}`);
  return letters;
}
const exported = (name: Names): string => lettersOf(new RegExp(`\\._${name}=\\w+\\.([\\w$]+)`));

export const program: Program = {
  name: 'quickjs',
  title: 'QuickJS',
  suspending: [`a.${lettersOf(/(\w+):function\([^)]*\)\{return \w+\.callbacks\.callFunction/)}`],
  allocator: [exported('malloc'), exported('free')],
  allocate: exported('malloc'),
  workloads: KERNELS,
  provide: () => Promise.resolve(WASM),
  async open(link, pause) {
    const { exports, sync, memory } = await start(link, pause);
    const find = <F>(functions: Readonly<Record<string, F>>, name: Names): F => {
      const found = functions[exported(name)];
      if (found === undefined) throw new Error(`QuickJS exports no ${name}`);
      return found;
    };
    const functions: Exports = sync;
    const call = (name: Names, ...args: number[]): number => find(functions, name)(...args);
    const store = (text: string): readonly [at: number, length: number] => {
      const bytes = new TextEncoder().encode(`${text}\0`);
      const at = call('malloc', bytes.length);
      new Uint8Array(memory.buffer).set(bytes, at);
      return [at, bytes.length - 1];
    };
    const context = call('QTS_NewContext', call('QTS_NewRuntime'), 0);
    const [pauseName] = store('pause');
    const pauseFunction = call('QTS_NewFunction', context, pauseName, 0, 0, 1);
    call(
      'QTS_SetProp',
      context,
      call('QTS_GetGlobalObject', context),
      call('QTS_NewString', context, pauseName),
      pauseFunction,
    );
    const [file] = store('bench.js');
    const evalWaiting = find(exports, 'QTS_Eval');
    const textOf = (value: number): string => {
      const at = call('QTS_GetString', context, value);
      const bytes = new Uint8Array(memory.buffer);
      const text = new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at)));
      call('QTS_FreeCString', context, at);
      return text;
    };
    const evaluate = async (code: string): Promise<string> => {
      const [at, length] = store(code);
      const value = await evalWaiting(context, at, length, file, 0, 0);
      call('free', at);
      const error = call('QTS_ResolveException', context, value);
      if (error !== 0) throw new Error(`QuickJS: ${textOf(error)}`);
      const text = textOf(value);
      call('QTS_FreeValuePointer', context, value);
      return text;
    };
    await evaluate(SETUP);
    return (workload) => evaluate(`run('${workload}', ${KERNELS.find(({ name }) => name === workload)?.units ?? 0})`);
  },
};

/** Starts the guest by way of the glue, which supplies all imports, among them the memory. */
async function start(link: Link, pause: Pause): Promise<Linked<Exports>> {
  const { default: makeGlue } = (await import(pathToFileURL(GLUE).href)) as { default: MakeGlue };
  return new Promise((resolve, reject) => {
    let guest: Linked<Exports> | null = null;
    const instantiate = async (imports: Imports): Promise<Linked<Exports>['sync']> => {
      guest = await link.instantiate<Exports>(imports);
      return guest.sync;
    };
    makeGlue({
      // Null is `undefined`.
      callbacks: { callFunction: () => pause(0) },
      // The glue has no word for an instance that cannot be made.
      instantiateWasm: async (imports, done) => {
        try {
          done({ exports: await instantiate(imports) });
        } catch (error) {
          reject(error as Error);
        }
      },
    }).then(() => {
      if (guest !== null) resolve(guest);
    }, reject);
  });
}
