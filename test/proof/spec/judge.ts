/**
 * Runs a script in all forms and judges: what it claims must be so as the modules are, or nothing can be said; and then it must
 * be so in every instrumented form.
 */
import { readFileSync } from 'node:fs';
import type { List } from './sexpr.ts';
import { Constants, showValue } from './values.ts';
import { parseScript } from './wast.ts';
import type { Command } from './wast.ts';
import type { Level } from '../variants.ts';
import { World } from './world.ts';
import type { Form, Happened } from './world.ts';

export interface Tally {
  readonly form: Form;
  passed: number;
  waits: number;
  readonly failures: { readonly line: number; readonly what: string }[];
  /** By reason. */
  readonly notApplicable: Map<string, number>;
}

/** @param note told of what is being done */
export async function judgeScript(
  file: string,
  forms: readonly Form[],
  seed: number,
  note: (phase: string) => void,
): Promise<Tally[]> {
  const commands = parseScript(readFileSync(file, 'utf8'));
  const constants = new Constants(commands.flatMap(constantsOf));
  const run = (form: Form | null, name: string): Promise<Happened[]> => {
    note(name);
    return runAll(new World(form, constants, `${seed} ${name}`), commands, () => note(name));
  };
  const expected = await run(null, 'as it is');
  /** What Binaryen's optimiser makes of it by itself, by level. */
  const alone = new Map<Level, Happened[]>();
  const tallies: Tally[] = [];
  for (const form of forms) {
    const name = `${form.way} ${form.level}`;
    note(name);
    const world = new World(form, constants, `${seed} ${name}`);
    const actual = await runAll(world, commands, () => note(name));
    const judgements = commands.map((command, at) =>
      judge(constants, command, expected[at] ?? MISSING, actual[at] ?? MISSING),
    );
    if (judgements.some((each) => each?.kind === 'failed') && !alone.has(form.level)) {
      alone.set(form.level, await run({ level: form.level, way: null }, `only ${form.level}`));
    }
    const tally: Tally = { form, passed: 0, waits: world.waits, failures: [], notApplicable: new Map() };
    for (const [at, judgement] of judgements.entries()) {
      const command = commands[at];
      if (judgement === null || command === undefined) continue;
      count(tally, command, judgement, isBroken(constants, command, alone.get(form.level)?.[at]));
    }
    tallies.push(tally);
  }
  return tallies;
}

const MISSING: Happened = { kind: 'impossible', why: 'the script ended' };

type Judgement =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly what: string }
  | { readonly kind: 'not applicable'; readonly why: string };

/** @param isBinaryen does it fail in the same way without having been instrumented? */
function count(tally: Tally, { line }: Command, judgement: Judgement, isBinaryen: boolean): void {
  const skip = (why: string): void => void tally.notApplicable.set(why, (tally.notApplicable.get(why) ?? 0) + 1);
  if (judgement.kind === 'passed') tally.passed += 1;
  else if (judgement.kind === 'not applicable') skip(judgement.why);
  else if (isBinaryen) skip('Binaryen alone, at the same level, fails too');
  else tally.failures.push({ line, what: judgement.what });
}

function isBroken(constants: Constants, command: Command, alone: Happened | undefined): boolean {
  if (alone === undefined || alone.kind === 'impossible') return false;
  return isAssertion(command) ? !isAsClaimed(constants, command, alone) : alone.kind === 'failed';
}

function constantsOf(command: Command): readonly List[] {
  const args = 'action' in command ? command.action.args : [];
  return command.type === 'returns' ? [...args, ...command.expected] : args;
}

/** Ends of the event loop are awaited now and then, so that whoever waits for this process sees that it lives. */
async function runAll(world: World, commands: readonly Command[], alive = (): void => undefined): Promise<Happened[]> {
  const happened: Happened[] = [];
  for (const command of commands) {
    happened.push(await world.run(command));
    if (happened.length % 1000 === 0) alive();
  }
  return happened;
}

/** @returns null if there is nothing to judge */
function judge(constants: Constants, command: Command, before: Happened, after: Happened): Judgement | null {
  const fail = (what: string): Judgement => ({ kind: 'failed', what });
  const skip = (why: string): Judgement => ({ kind: 'not applicable', why });
  if (!isAssertion(command)) {
    // A module that comes to be must come to be, or all that is said of it would be left out silently.
    return after.kind === 'failed' && before.kind !== 'failed' ? fail(`${command.type}: ${show(after)}`) : null;
  }
  if (before.kind === 'impossible') return skip(before.why);
  if (!isAsClaimed(constants, command, before)) return skip('the engine itself does something else');
  if (after.kind === 'impossible') return skip(after.why);
  if (isAsClaimed(constants, command, after)) return { kind: 'passed' };
  if (command.type === 'unlinked' && isTypeOfFunction(before)) {
    return skip('the runtime wraps functions that are imported, so the engine does not compare their types');
  }
  if ('doubt' in after && after.doubt !== undefined) return skip(after.doubt);
  return fail(`${describe(command)}: ${show(after)}, and ${show(before)} as it is`);
}

function isTypeOfFunction(before: Happened): boolean {
  return before.kind === 'failed' && before.error.includes('imported function does not match the expected type');
}

function isAssertion(command: Command): boolean {
  return !['module', 'definition', 'instance', 'register'].includes(command.type);
}

function isAsClaimed(constants: Constants, command: Command, happened: Happened): boolean {
  switch (command.type) {
    case 'action':
      return happened.kind === 'returned';
    case 'returns':
      return (
        happened.kind === 'returned' &&
        happened.values.length === command.expected.length &&
        command.expected.every((each, at) => constants.matches(each, happened.values[at]))
      );
    case 'fails':
    case 'unlinked':
      return happened.kind === 'failed' && happened.how === command.how;
    default:
      return false;
  }
}

function describe(command: Command): string {
  return 'action' in command ? `${command.type} ${command.action.kind} "${command.action.name}"` : command.type;
}

function show(happened: Happened): string {
  switch (happened.kind) {
    case 'returned':
      return `returned (${happened.values.map(showValue).join(', ')})`;
    case 'failed':
      return `failed with ${happened.how} (${happened.error})`;
    case 'impossible':
      return `impossible (${happened.why})`;
    default:
      return 'done';
  }
}
