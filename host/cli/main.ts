#!/usr/bin/env node
/** The command line: arguments and exit codes, nothing else. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { FiberError } from '../instrument/index.ts';
import { collect, named, whole } from './arguments.ts';
import { CliError } from './errors.ts';
import type { ExitCode } from './errors.ts';
import { addExplain } from './explain.ts';
import { inspectCommand } from './inspect.ts';
import type { InspectFlags } from './inspect.ts';
import { instrumentCommand } from './instrument.ts';
import type { InstrumentFlags } from './instrument.ts';
import { writeStandardOutput } from './output.ts';
import { TARGETS } from './pair.ts';
import { addReport } from './report.ts';
import { addRun } from './run.ts';
import { styleFor } from './style.ts';

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

function version(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/**
 * @param print takes what belongs on standard output, such as help that was asked for
 * @param exit takes the exit code of a program that was run
 */
function program(print: (text: string) => void, exit: (code: number) => void): Command {
  const root = new Command('wasm-fibers')
    .description('Lets synchronous WebAssembly modules wait for promises: many fibers in one instance.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showHelpAfterError('(run it with --help to learn what it takes)')
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput({ writeOut: print })
    .addHelpText(
      'after',
      `
Examples:
  wasm-fibers inspect app.wasm                                        what is it, and which imports does it have?
  wasm-fibers instrument app.wasm -o app.fibers.wasm --suspending env.sleep
  wasm-fibers instrument app.wasm -o app.fibers.wasm --suspending 'net.*' --suspending wasi_snapshot_preview1.fd_read
  wasm-fibers instrument app.wasm --target both --suspending env.sleep    app.asyncify.wasm and app.jspi.wasm
  wasm-fibers explain app.wasm parse --suspending env.read            why is parse instrumented?
  wasm-fibers report app.wasm --suspending env.read --html report.html    what does instrumentation cost, and why?
  wasm-fibers run --dir .::/ tool.wasm -- --version                   run a WASI program

Exit codes: 0 done, 1 refused (the message says why and what to do), 2 usage.`,
    );
  addInstrument(root);
  addInspect(root);
  addExplain(root);
  addReport(root);
  addRun(root, exit);
  return root;
}

function addInstrument(root: Command): void {
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
    .action((input: string, flags: InstrumentFlags & { debugNames?: boolean }) => {
      if (flags.debugNames && flags.stripDebug) throw new CliError(2, '-g and --strip-debug contradict each other.');
      return instrumentCommand(input, flags);
    });
}

function addInspect(root: Command): void {
  root
    .command('inspect')
    .summary('say what a module is')
    .description(
      'Prints what a module is: imports and exports with their types, memory, shadow stack, how it was instrumented.',
    )
    .argument('<file>', 'a core WebAssembly module; - is standard input', named)
    .option('--json', 'for programs')
    .addHelpText(
      'after',
      `
Examples:
  wasm-fibers inspect app.wasm
  wasm-fibers inspect app.wasm --json | jq '.imports[] | select(.suspending)'`,
    )
    .action((file: string, flags: InspectFlags) => inspectCommand(file, flags));
}

/** wasm-opt's one-dash spellings of long options, which no option parser of the usual kind reads. */
const SPELLINGS: Readonly<Record<string, string>> = {
  '-ism': '--input-source-map',
  '-osm': '--output-source-map',
  '-osu': '--output-source-map-url',
};

/** What follows `run` may be a program's own. */
function spelledOut(args: readonly string[]): string[] {
  return args[0] === 'run' ? [...args] : args.map((argument) => SPELLINGS[argument] ?? argument);
}

async function main(): Promise<number> {
  const style = styleFor(process.stderr);
  const fail = (code: ExitCode, message: string): ExitCode => {
    process.stderr.write(`${style.red('wasm-fibers:')} ${message}\n`);
    return code;
  };
  // Where standard error fails, nobody can be told; that must not change how the run ends.
  process.stderr.on('error', () => {});
  let printed = '';
  let exitCode = 0;
  const commands = program(
    (text) => (printed += text),
    (code) => (exitCode = code),
  );
  try {
    await commands
      .parseAsync([...process.argv.slice(0, 2), ...spelledOut(process.argv.slice(2))])
      .finally(() => writeStandardOutput(printed));
    return exitCode;
  } catch (error) {
    // Commander has said what there was to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof CliError) return fail(error.exitCode, error.message);
    if (error instanceof FiberError) return fail(1, error.message);
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return fail(1, `an error that should not happen; please report it.\n${text}`);
  }
}

process.exitCode = await main();
