/** What `wasm-fibers explain` takes. */
import type { Command } from 'commander';
import { addStudyOptions, named } from '../arguments.ts';
import type { StudyFlags } from '../arguments.ts';

export interface ExplainFlags extends StudyFlags {
  readonly json?: boolean;
}

export function addExplain(root: Command): void {
  const command = root
    .command('explain')
    .summary('say why a function is instrumented')
    .description(
      'Says why a function is instrumented, or why not: the shortest way from it to a suspending import, through which ' +
        'indirect calls and tables, and what would be spared if one of these calls were not there.',
    )
    .argument('<file>', 'a core WebAssembly module, instrumented or not; - is standard input', named)
    .argument(
      '<function>',
      "a function: its name, an export, an import, a pattern that matches one ('*'), or its index",
      named,
    );
  addStudyOptions(command)
    .option('--json', 'for programs')
    .addHelpText(
      'after',
      `
Give the options that the module is instrumented with. One that is instrumented already knows them itself.

Examples:
  wasm-fibers explain app.wasm parse_row --suspending env.read
  wasm-fibers explain app.wasm 'Parser#next' --suspending env.read -ism app.wasm.map
  wasm-fibers explain app.wasm 212 --suspending 'env.*' --remove 'gc_*'
  wasm-fibers explain app.fibers.wasm malloc
  wasm-fibers explain app.wasm malloc --suspending env.read --json | jq '.path[].callee.name'

Exit codes: 0 done, 1 refused (no such function, no suspending imports, ...), 2 usage.`,
    )
    .action(async (file: string, wanted: string, flags: ExplainFlags) => {
      const { explainCommand } = await import('../explain.ts');
      await explainCommand(file, wanted, flags);
    });
}
