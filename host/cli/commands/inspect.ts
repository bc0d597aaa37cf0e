/** What `wasm-fibers inspect` takes. */
import type { Command } from 'commander';
import { named } from '../arguments.ts';

export interface InspectFlags {
  readonly json?: boolean;
}

export function addInspect(root: Command): void {
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
    .action(async (file: string, flags: InspectFlags) => {
      const { inspectCommand } = await import('../inspect.ts');
      await inspectCommand(file, flags);
    });
}
