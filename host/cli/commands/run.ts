/** What `wasm-fibers run` takes. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { collect, named } from '../arguments.ts';

export interface RunFlags {
  readonly dir?: readonly string[];
  readonly env?: readonly string[];
  readonly timeout?: number;
  readonly backend: 'auto' | 'asyncify' | 'jspi';
  /** False for --no-cache. */
  readonly cache?: string | false;
  readonly allocator?: string;
  readonly trace?: string;
  readonly quiet?: boolean;
}

/** @param exit takes the exit code of the program */
export function addRun(root: Command, exit: (code: number) => void): void {
  root
    .command('run')
    .summary('run a WASI program')
    .description(
      'Runs a program compiled for WASI preview 1. It has the terminal, and of the files what --dir gives it. Everything ' +
        'that it calls may wait. On engines that have JSPI it runs as it is; elsewhere it is instrumented first, once.',
    )
    .argument('<program>', 'a core WebAssembly module, instrumented or not; - is standard input', named)
    .argument('[arguments...]', 'what follows is the program’s, also options; after -- too')
    .passThroughOptions()
    .option(
      '--dir <host[::guest[::ro]]>',
      'a directory that the program may use, and where it sees it; ro: it may only read it; repeatable',
      collect,
    )
    .option('--env <NAME[=value]>', 'an environment variable; without a value, this process’s; repeatable', collect)
    .option('--timeout <milliseconds>', 'end the program after so long (exit code 124)', milliseconds)
    .addOption(
      new Option('--backend <backend>', 'what suspends the program: auto is jspi where the engine has it')
        .choices(['auto', 'asyncify', 'jspi'])
        .default('auto'),
    )
    .option(
      '--cache <folder>',
      'where instrumented programs are kept (default: wasm-fibers in the user’s cache folder)',
      named,
    )
    .option('--no-cache', 'keep none')
    .option('--allocator <alloc,free>', 'as for instrument', named)
    .option(
      '--trace <file>',
      'record when it ran and what it waited for: .html to look at, .json for Perfetto',
      traceFile,
    )
    .option('-q, --quiet', 'no progress')
    .addHelpText(
      'after',
      `
Ctrl-C ends the program where it waits, or at its next wait; what it has written is then in its files. So does --timeout. Only
Ctrl-\\ ends one that computes without ever waiting.

Examples:
  wasm-fibers run hello.wasm
  wasm-fibers run python.wasm -- -c 'import time; time.sleep(1); print(input())'
  wasm-fibers run --dir .::/ --dir /usr/share/dict::/words::ro grep.wasm -c apple words/british
  wasm-fibers run --env HOME=/ --env LANG --dir work::/ tool.wasm build
  wasm-fibers run --trace trace.html slow.wasm

Exit codes: the program's own; 124 it took too long, 130 Ctrl-C, 143 SIGTERM, 134 it trapped; 1 refused, 2 usage.`,
    )
    .action(async (file: string, args: readonly string[], flags: RunFlags) => {
      const { runCommand } = await import('../run.ts');
      exit(await runCommand(file, args, flags));
    });
}

function milliseconds(value: string): number {
  const time = Number(value);
  if (!(time > 0 && time < 2 ** 31)) throw new InvalidArgumentError('It must be a number of milliseconds above 0.');
  return time;
}

function traceFile(file: string): string {
  if (!/\.(html|json)$/i.test(file)) throw new InvalidArgumentError('It must end with .html or .json.');
  return file;
}
