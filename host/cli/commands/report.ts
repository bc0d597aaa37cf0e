/** What `wasm-fibers report` takes. */
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { addStudyOptions, named } from '../arguments.ts';
import type { StudyFlags } from '../arguments.ts';

export interface ReportFlags extends StudyFlags {
  readonly instrumented?: string;
  readonly top: number;
  readonly json?: boolean;
  readonly html?: string;
}

export function addReport(root: Command): void {
  const command = root
    .command('report')
    .summary('say what instrumentation costs a module, and why')
    .description(
      'Says how many functions of a module are instrumented and how large they are, what each suspending import and each kind ' +
        'of indirect call is answerable for, and which functions are the largest. --html writes a page with a map of them all.',
    )
    .argument('<file>', 'a core WebAssembly module, instrumented or not; - is standard input', named);
  addStudyOptions(command)
    .option('--instrumented <file>', 'the same module after instrumentation: shows how functions have grown', named)
    .option('--top <count>', 'how many functions to list', count, 15)
    .option('--json', 'for programs: everything')
    .option('--html <file>', 'write a page that shows it, with nothing to load; - is standard output', named)
    .addHelpText(
      'after',
      `
Give the options that the module is instrumented with. One that is instrumented already knows them itself.
"alone" is what would not be instrumented if that import, or calls of that type, did not wait.

Examples:
  wasm-fibers report app.wasm --suspending 'env.*'
  wasm-fibers report app.wasm --suspending env.read --html report.html
  wasm-fibers report app.wasm --suspending env.read --instrumented app.fibers.wasm --html report.html
  wasm-fibers report app.fibers.wasm --top 40
  wasm-fibers report app.wasm --suspending env.read --json | jq '.functions | map(select(.instrumented)) | length'

Exit codes: 0 done, 1 refused, 2 usage.`,
    )
    .action(async (file: string, flags: ReportFlags) => {
      const { reportCommand } = await import('../report.ts');
      await reportCommand(file, flags);
    });
}

function count(value: string): number {
  if (!/^\d{1,6}$/.test(value)) throw new InvalidArgumentError('It must be a number.');
  return Number(value);
}
