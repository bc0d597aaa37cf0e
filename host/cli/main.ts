#!/usr/bin/env node
/**
 * The command line: arguments and exit codes, nothing else. What a command does is loaded when it is asked for: whoever asks for help
 * does not wait for an instrumenter.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { FiberError } from '../errors.ts';
import { addExplain } from './commands/explain.ts';
import { addInspect } from './commands/inspect.ts';
import { addInstrument } from './commands/instrument.ts';
import { addReport } from './commands/report.ts';
import { addRun } from './commands/run.ts';
import { CliError } from './errors.ts';
import type { ExitCode } from './errors.ts';
import { writeStandardOutput } from './output.ts';
import { styleFor } from './style.ts';

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
