/** What several commands take: values of options, and the options that decide which functions are instrumented. */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { StudyOptions } from '../instrument/index.ts';
import { readInput } from './files.ts';
import { TARGETS } from './pair.ts';
import type { Target } from '../instrument/index.ts';

export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, named(value)];
}

export function named(value: string): string {
  if (value === '') throw new InvalidArgumentError('It must not be empty.');
  return value;
}

/** A whole number; what it may be is for `instrument` to say. */
export function whole(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(value);
}

/** What is the same as for `instrument`. */
export interface StudyFlags {
  readonly suspending?: readonly string[];
  readonly target?: Target;
  readonly only?: readonly string[];
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
  readonly ignoreIndirect?: boolean;
  readonly closedTables?: boolean;
  readonly inputSourceMap?: string;
}

export function addStudyOptions(command: Command): Command {
  return command
    .option(
      '--suspending <module.name>',
      "as for instrument: an import that may return a promise; repeatable, '*'",
      collect,
    )
    .addOption(new Option('--target <target>', 'as for instrument (default: asyncify)').choices(TARGETS))
    .option('--only <function>', 'as for instrument', collect)
    .option('--add <function>', 'as for instrument', collect)
    .option('--remove <function>', 'as for instrument', collect)
    .option('--ignore-indirect', 'as for instrument')
    .option('--closed-tables', 'as for instrument')
    .option('--input-source-map <file>', "the module's source map, to name places in the source (also -ism)", named);
}

export async function studyOptions(flags: StudyFlags): Promise<StudyOptions> {
  const { suspending, target, only, add, remove, ignoreIndirect, closedTables, inputSourceMap } = flags;
  const sourceMap =
    inputSourceMap === undefined ? undefined : new TextDecoder().decode(await readInput(inputSourceMap));
  const given = { suspending, target, only, add, remove, ignoreIndirect, closedTables, sourceMap };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
