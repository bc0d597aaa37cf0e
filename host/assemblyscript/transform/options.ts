/**
 * What the transform is asked for. asc tells its transforms nothing of its own options, so they are read once more from
 * where asc has read them: its arguments and asconfig.json, by asc's own rules.
 */
import asc, { options as known } from 'assemblyscript/asc';
import { addDefaults, merge, parse, resolvePath } from 'assemblyscript/util/options.js';
import path from 'node:path';
import { nearMatches } from '../../instrument/lists.ts';
import type { InstrumentLimits } from '../../instrument/options.ts';
import type { TransformContext } from './asc.ts';
import { Refusal } from './refusal.ts';

/** asc's declarations lack it. */
const { configToArguments } = asc as unknown as { configToArguments(options: object): string[] };

/** What modules are instrumented for: either, or a pair of modules from which the host takes the one that it needs. */
export type TransformTarget = 'asyncify' | 'jspi' | 'both';

/** What `wasmFibers()` and the block `"wasm-fibers"` of asconfig.json take. Lists of several places are joined. */
export interface WasmFibersOptions {
  /**
   * `asyncify` (default): one module, which runs everywhere. `jspi`: one module, for engines that switch stacks themselves.
   * `both`: the first as app.wasm, the second beside it as app.jspi.wasm; app.js has the host take the one that it needs.
   */
  readonly target?: TransformTarget;
  /**
   * Imports that may wait, besides those decorated with `@suspending`: `module.name`, with `*` for any run of characters.
   * Every entry must match an import.
   */
  readonly suspending?: readonly string[];
  /**
   * Instrument exactly these functions (asc's names, such as `app/run`, or patterns). A wait with any other function on the
   * stack traps. This and what follows is for Asyncify: `jspi` alone is refused with it.
   */
  readonly only?: readonly string[];
  /** Instrument these functions, and all that call them, as well. */
  readonly add?: readonly string[];
  /** Never instrument these functions. A wait with one of them on the stack traps. */
  readonly remove?: readonly string[];
  /** Take it that no call of a function value waits. One that does traps. Default false. */
  readonly ignoreIndirect?: boolean;
  /**
   * Have functions jump to where they go on: nearly as fast as not instrumented where nothing waits. Default true; false is
   * for Binaryen's Asyncify pass.
   */
  readonly fastPath?: boolean;
  /**
   * Have the guest pay for its work, so that its fibers can be pre-empted, and end when their fuel is used up. For every
   * target. Default false.
   */
  readonly metered?: boolean;
  /** What a metered guest may not go beyond, compiled into it. Default none. */
  readonly limits?: InstrumentLimits;
}

/** What `wasmFibers()` takes besides. */
export interface TransformOptions extends WasmFibersOptions {
  /**
   * What `asc.main` was given as its first argument: asc does not tell its transforms where it writes. Default: the
   * arguments of this process, if it is asc.
   */
  readonly argv?: readonly string[] | Readonly<Record<string, unknown>>;
}

/** asc's own options, as far as we look at them. */
export interface AscOptions {
  readonly outFile?: string;
  readonly textFile?: string;
  /** A URL, or empty for asc's default. */
  readonly sourceMap?: string;
  readonly noEmit?: boolean;
  readonly bindings?: readonly string[];
  readonly trapMode?: string;
  readonly zeroFilledMemory?: boolean;
  readonly config?: string;
  readonly target?: string;
  readonly [option: string]: unknown;
}

/** The same as asc's own parser declares it. */
type OptionSet = Parameters<typeof merge>[1];

export interface Settings {
  readonly target: TransformTarget;
  readonly suspending: readonly string[];
  readonly only: readonly string[];
  readonly add: readonly string[];
  readonly remove: readonly string[];
  readonly ignoreIndirect: boolean;
  /** Null if nothing was said. */
  readonly fastPath: boolean | null;
  readonly metered: boolean;
  readonly limits: InstrumentLimits;
  readonly asc: AscOptions;
}

interface Config {
  readonly extends?: string;
  readonly options?: AscOptions;
  readonly targets?: Readonly<Record<string, AscOptions>>;
  readonly 'wasm-fibers'?: unknown;
}

const LISTS = ['suspending', 'only', 'add', 'remove'] as const;
const TARGETS: readonly unknown[] = ['asyncify', 'jspi', 'both'] satisfies TransformTarget[];
const BLOCK = 'wasm-fibers';

/** What a value must be, in words. */
interface Rule {
  readonly wanted: string;
  fits(value: unknown): boolean;
}

const LIST: Rule = {
  wanted: 'an array of non-empty strings',
  fits: (value) => Array.isArray(value) && value.every((each) => typeof each === 'string' && each !== ''),
};

const RULES: Readonly<Record<string, Rule>> = {
  suspending: LIST,
  only: LIST,
  add: LIST,
  remove: LIST,
  ignoreIndirect: { wanted: 'true or false', fits: (value) => typeof value === 'boolean' },
  fastPath: { wanted: 'true or false', fits: (value) => typeof value === 'boolean' },
  metered: { wanted: 'true or false', fits: (value) => typeof value === 'boolean' },
  // What is in it is for the instrumenter to judge.
  limits: {
    wanted: 'an object',
    fits: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  },
  target: { wanted: '"asyncify", "jspi" or "both"', fits: (value) => TARGETS.includes(value) },
} satisfies Record<keyof WasmFibersOptions, Rule>;
const KEYS = Object.keys(RULES);

/** @throws Refusal that names the file and the entry at fault */
export async function readSettings(given: TransformOptions, context: TransformContext): Promise<Settings> {
  let options = parse([...argumentsOf(given)], known, false).options as AscOptions;
  const { argv: _, ...own } = given;
  const blocks = [checkBlock(own, 'wasmFibers()')];
  let file = resolvePath(options.config ?? 'asconfig.json', context.baseDir);
  const seen = new Set<string>();
  const target = options.target ?? 'release';
  while (!seen.has(file)) {
    seen.add(file);
    const folder = path.dirname(file);
    const text = await context.readFile(path.basename(file), folder);
    if (!text) break;
    // asc has read it before us, and has refused it if it is not JSON.
    const config = JSON.parse(text) as Config;
    for (const key of Object.keys(config)) {
      if (key !== BLOCK && nearMatches(key, [BLOCK]).length > 0) {
        throw new Refusal(`${file}: nobody reads "${key}". Did you mean "${BLOCK}"?`);
      }
    }
    const ofTarget = config.targets?.[target];
    if (config.options?.[BLOCK] !== undefined) {
      throw new Refusal(`${file}: "${BLOCK}" stands in "options". Put it beside "options", or into a target.`);
    }
    for (const each of [ofTarget, config.options]) {
      if (each) options = merge(known, options as OptionSet, each as OptionSet, folder) as AscOptions;
    }
    if (ofTarget?.[BLOCK] !== undefined) {
      blocks.push(checkBlock(ofTarget[BLOCK], `${file}: "${BLOCK}" of the target "${target}"`));
    }
    if (config[BLOCK] !== undefined) blocks.push(checkBlock(config[BLOCK], `${file}: "${BLOCK}"`));
    if (!config.extends) break;
    file = resolvePath(config.extends, folder, true);
  }
  addDefaults(known, options as OptionSet);
  const all = (key: (typeof LISTS)[number]): string[] => [...new Set(blocks.flatMap((each) => each[key] ?? []))];
  const nearest = <K extends keyof WasmFibersOptions>(key: K): WasmFibersOptions[K] | undefined =>
    blocks.find((each) => each[key] !== undefined)?.[key];
  return {
    target: nearest('target') ?? 'asyncify',
    suspending: all('suspending'),
    only: all('only'),
    add: all('add'),
    remove: all('remove'),
    ignoreIndirect: nearest('ignoreIndirect') ?? false,
    fastPath: nearest('fastPath') ?? null,
    metered: nearest('metered') ?? false,
    limits: nearest('limits') ?? {},
    asc: options,
  };
}

function argumentsOf({ argv }: TransformOptions): readonly string[] {
  if (Array.isArray(argv)) return argv.map(String);
  if (argv !== undefined) return configToArguments(argv);
  const [, script = ''] = process.argv;
  if (path.basename(script).replace(/\.\w+$/, '') === 'asc') return process.argv.slice(2);
  throw new Refusal(
    'asc.main() does not tell its transforms where it writes. Give the transform the same arguments: ' +
      "import { wasmFibers } from 'wasm-fibers/transform'; asc.main(argv, { transforms: [wasmFibers({ argv })] }).",
  );
}

/** @param where begins the sentence */
function checkBlock(block: unknown, where: string): WasmFibersOptions {
  if (typeof block !== 'object' || block === null || Array.isArray(block)) {
    throw new Refusal(`${where} must be an object with any of ${KEYS.join(', ')}.`);
  }
  for (const [key, value] of Object.entries(block)) {
    const rule = Object.hasOwn(RULES, key) ? RULES[key] : undefined;
    if (rule === undefined) {
      const [near] = nearMatches(key, KEYS);
      const hint = near === undefined ? `known are ${KEYS.join(', ')}` : `did you mean "${near}"?`;
      throw new Refusal(`${where}: there is no option "${key}": ${hint}`);
    }
    if (value === undefined || rule.fits(value)) continue;
    throw new Refusal(`${where}: "${key}" must be ${rule.wanted}, not ${JSON.stringify(value)}.`);
  }
  return block;
}
