/** What `wasm-fibers instrument` takes. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Target } from '../../instrument/index.ts';
import { collect, named, whole } from '../arguments.ts';
import { CliError } from '../errors.ts';
import { TARGETS } from '../pair.ts';

export interface InstrumentFlags {
  readonly target: Target | 'both';
  readonly output?: string;
  readonly suspending?: readonly string[];
  /** Absent if nothing was said: each target has a default of its own. */
  readonly optimize?: { readonly optimizeLevel: 0 | 1 | 2 | 3 | 4; readonly shrinkLevel: 0 | 1 | 2 };
  /** Absent if nothing was said: it depends on the level. */
  readonly fastPath?: boolean;
  readonly only?: readonly string[];
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
  readonly ignoreIndirect?: boolean;
  readonly closedTables?: boolean;
  readonly stripDebug?: boolean;
  readonly stackPointer?: string;
  readonly shadowStack: 'auto' | 'llvm' | 'assemblyscript' | 'none';
  readonly allocator?: string;
  readonly fiberGlobal?: readonly string[];
  readonly metered?: boolean;
  readonly memoryPages?: number;
  readonly tableElements?: number;
  readonly callDepth?: number;
  readonly inputSourceMap?: string;
  readonly outputSourceMap?: string;
  readonly outputSourceMapUrl?: string;
  readonly cache?: string;
  readonly quiet?: boolean;
}

const LEVELS: Readonly<Record<string, InstrumentFlags['optimize']>> = {
  '0': { optimizeLevel: 0, shrinkLevel: 0 },
  '1': { optimizeLevel: 1, shrinkLevel: 0 },
  '2': { optimizeLevel: 2, shrinkLevel: 0 },
  '3': { optimizeLevel: 3, shrinkLevel: 0 },
  '4': { optimizeLevel: 4, shrinkLevel: 0 },
  s: { optimizeLevel: 2, shrinkLevel: 1 },
  z: { optimizeLevel: 2, shrinkLevel: 2 },
};

function parseLevel(value: string): InstrumentFlags['optimize'] {
  const level = LEVELS[value];
  if (level === undefined) throw new InvalidArgumentError('It must be -O0, -O1, -O2, -O3, -O4, -Os or -Oz.');
  return level;
}

export function addInstrument(root: Command): void {
  root
    .command('instrument')
    .summary('rewrite a module so that its calls can wait')
    .description(
      'Rewrites a module so that the imports named may return promises. The result runs with `instantiate` of wasm-fibers, ' +
        'on every engine, or, with --target jspi, on those that switch stacks themselves. Takes some 20 to 30 seconds per ' +
        'megabyte; for jspi a fraction of a second.',
    )
    .argument('<input>', 'a core WebAssembly module; - is standard input', named)
    .option(
      '-o, --output <file>',
      'where to write the result; - is standard output. With --target both, FILE.wasm stands for FILE.asyncify.wasm and ' +
        'FILE.jspi.wasm (default: beside the input)',
      named,
    )
    .addOption(
      new Option('--target <target>', 'what suspends the guest: asyncify, jspi, or a module for each (both)')
        .choices([...TARGETS, 'both'])
        .default('asyncify'),
    )
    .option(
      '--suspending <module.name>',
      "an import that may return a promise; repeatable, * is a wildcard, '*' means all",
      collect,
    )
    .addOption(
      new Option(
        '-O, --optimize <level>',
        'optimise: -O0 to -O4, -Os, -Oz as in wasm-opt (default: -O1, since the module is optimised already; -O0 for jspi, ' +
          'which leaves its code as it is)',
      ).argParser(parseLevel),
    )
    .option('-g, --debug-names', 'keep function names (the default)')
    .option('--strip-debug', 'drop function names: smaller, but errors and stack traces show numbers')
    .option('--fast-path', 'have functions jump to where they go on: fast where nothing waits (the default)')
    .option('--no-fast-path', "use Binaryen's Asyncify pass instead: slower where nothing waits")
    .option('--only <function>', 'instrument these functions only; repeatable, * is a wildcard', collect)
    .option('--add <function>', 'instrument these functions too, and all that call them', collect)
    .option('--remove <function>', 'never instrument these; a suspension above one traps and names it', collect)
    .option('--ignore-indirect', 'take it that calls through tables never wait; one that does traps')
    .option('--closed-tables', 'take it that the host puts no function into a table; a wait through one traps')
    .option('--stack-pointer <global>', 'the shadow stack pointer: a name, an index, auto or none (default: auto)')
    .addOption(
      new Option('--shadow-stack <kind>', 'whose shadow stack it is')
        .choices(['auto', 'llvm', 'assemblyscript', 'none'])
        .default('auto'),
    )
    .option('--allocator <alloc,free>', "the guest's allocator: two functions, memory.grow or auto (default: auto)")
    .option('--fiber-global <global>', 'a mutable global of which each fiber has its own value; repeatable', collect)
    .option('--metered', 'have the guest pay for its work: its fibers can be pre-empted, and run out of fuel')
    .option('--memory-pages <n>', 'of a metered guest: pages of 64 KiB that a memory may have', whole)
    .option('--table-elements <n>', 'of a metered guest: elements that a table may have', whole)
    .option('--call-depth <n>', 'of a metered guest: how deep calls may be', whole)
    .option('--input-source-map <file>', "the module's source map (also -ism)", named)
    .option('--output-source-map <file>', 'where to write the source map of the result (also -osm)', named)
    .option('--output-source-map-url <url>', 'its URL, to be written into the module (also -osu)')
    .option(
      '--cache <folder>',
      'keep results there, and take from there what was made already of the same module',
      named,
    )
    .option('-q, --quiet', 'no summary and no progress')
    .addHelpText(
      'after',
      `
Which imports? Those whose host function returns a promise. Name them exactly, or the module grows and slows more than it
needs to: only functions that can reach one of them are instrumented. 'wasm-fibers inspect' lists them.

Which target?
  asyncify  rewrites the code. Runs on every engine; holds a million suspended fibers; code that can reach a wait grows and slows.
  jspi      leaves the code as it is and has the engine switch stacks: Chrome 137, Firefox 153, Safari 27, Node 24 and later.
            No cost where nothing waits; tail calls, try_table and references may be anywhere. Some thousand fibers at once.
            --only, --add, --remove, --ignore-indirect and --closed-tables are refused:
            it has no use for them (with both they are for the Asyncify half).
  both      the pair NAME.asyncify.wasm and NAME.jspi.wasm, for instantiate({ asyncify, jspi }), which fetches the one that the
            engine is better at. Written both or not at all.

Examples:
  wasm-fibers instrument app.wasm -o app.fibers.wasm --suspending env.httpGet
  wasm-fibers instrument app.wasm -o app.wasm --suspending 'env.*' -Os         in place: written whole or not at all
  wasm-fibers instrument app.wasm -o out.wasm --suspending env.read --remove 'gc_*'
  wasm-fibers instrument app.wasm -o app.jspi.wasm --target jspi --suspending env.httpGet
  wasm-fibers instrument app.wasm --target both --suspending env.httpGet
  wasm-fibers instrument app.wasm -o app.fibers.wasm --suspending env.httpGet --cache ~/.cache/wasm-fibers
  wasm-fibers instrument plugin.wasm -o plugin.fibers.wasm --suspending 'env.*' --metered --memory-pages 256
  wasm-fibers instrument app.wasm -ism app.wasm.map -o out.wasm -osm out.wasm.map --suspending env.sleep`,
    )
    .action(async (input: string, flags: InstrumentFlags & { debugNames?: boolean }) => {
      if (flags.debugNames && flags.stripDebug) throw new CliError(2, '-g and --strip-debug contradict each other.');
      const { instrumentCommand } = await import('../instrument.ts');
      await instrumentCommand(input, flags);
    });
}
