/**
 * What the transform is asked for. asc tells its transforms nothing of its own options, so they are read once more from
 * where asc read them: its arguments and asconfig.json, by asc's own rules.
 */
import { options as known } from 'assemblyscript/asc';
import { addDefaults, merge, parse, resolvePath } from 'assemblyscript/util/options.js';
import path from 'node:path';
import type { TransformContext } from './asc.ts';

/** What `wasmFibers()` and the block "wasm-fibers" of asconfig.json take. */
export interface WasmFibersOptions {
  /** Imports that may wait besides those decorated with `@suspending`: `module.name`, with `*` for any run of characters. */
  readonly suspending?: readonly string[];
  /** Instrument exactly these functions (names or patterns): see `wasm-fibers/instrument`. */
  readonly only?: readonly string[];
  /** Instrument these functions, and all that call them, as well. */
  readonly add?: readonly string[];
  /** Never instrument these functions. */
  readonly remove?: readonly string[];
  /** Take it that no call through a table suspends. Default false. */
  readonly ignoreIndirect?: boolean;
}

/** What `wasmFibers()` takes besides: what only the caller of `asc.main` knows. */
export interface TransformOptions extends WasmFibersOptions {
  /** The arguments that `asc.main` was given. Default: those of the process, if it is asc's. */
  readonly argv?: readonly string[];
}

/** asc's options, as far as we look at them. */
interface AscOptions {
  readonly outFile?: string;
  readonly textFile?: string;
  readonly sourceMap?: string;
  readonly noEmit?: boolean;
  readonly bindings?: readonly string[];
  readonly config?: string;
  readonly target?: string;
  readonly baseDir?: string;
  readonly [option: string]: unknown;
}

/** The same as asc's parser declares it. */
type AscSet = Parameters<typeof merge>[1];

export interface Settings {
  readonly suspending: readonly string[];
  readonly only: readonly string[];
  readonly add: readonly string[];
  readonly remove: readonly string[];
  readonly ignoreIndirect: boolean;
  readonly asc: AscOptions;
}

interface Config {
  readonly extends?: string;
  readonly options?: AscOptions;
  readonly targets?: Readonly<Record<string, AscOptions & { readonly 'wasm-fibers'?: WasmFibersOptions }>>;
  readonly 'wasm-fibers'?: WasmFibersOptions;
}

export async function readSettings(given: TransformOptions, context: TransformContext): Promise<Settings> {
  const argv = [...(given.argv ?? process.argv.slice(2))];
  let asc = parse(argv, known, false).options as AscOptions;
  const blocks: WasmFibersOptions[] = [given];
  const { baseDir } = context;
  let file = resolvePath(asc.config ?? 'asconfig.json', baseDir);
  const seen = new Set<string>();
  const target = asc.target ?? 'release';
  while (!seen.has(file)) {
    seen.add(file);
    const folder = path.dirname(file);
    const text = await context.readFile(path.basename(file), folder);
    if (!text) break;
    // asc has read it before us, and refused it if it were wrong.
    const config = JSON.parse(text) as Config;
    const ofTarget = config.targets?.[target];
    for (const each of [ofTarget, config.options])
      if (each) asc = merge(known, asc as AscSet, each as AscSet, folder) as AscOptions;
    for (const each of [ofTarget?.['wasm-fibers'], config['wasm-fibers']]) if (each) blocks.push(each);
    if (!config.extends) break;
    file = resolvePath(config.extends, folder, true);
  }
  addDefaults(known, asc as AscSet);
  const all = (key: 'suspending' | 'only' | 'add' | 'remove'): string[] => [
    ...new Set(blocks.flatMap((each) => each[key] ?? [])),
  ];
  return {
    suspending: all('suspending'),
    only: all('only'),
    add: all('add'),
    remove: all('remove'),
    ignoreIndirect: blocks.find((each) => each.ignoreIndirect !== undefined)?.ignoreIndirect ?? false,
    asc,
  };
}
