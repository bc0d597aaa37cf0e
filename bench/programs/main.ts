/**
 * `npm run bench:guests`: what instrumenting costs real programs in time, size and patience, as ratios against the same module
 * un-instrumented, measured in the same run.
 *
 *   npm run bench:guests -- --quick --guest lua --node 26   a first impression, in a minute
 *   npm run bench:guests -- --guest lua,sqlite              some programs
 *   npm run bench:guests -- --workload fib --condition never,once
 *   npm run bench:guests -- --variants source,fibers-O3     some builds (source is what the others are divided by)
 *   npm run bench:guests -- --variant mine=my.wasm          and one that was made by hand
 *   npm run bench:guests -- --fresh                         builds everything anew, for the time that it takes
 *   npm run bench:guests -- --guest cpython                 how long it takes to instrument 26 MB, and in how much memory
 *   npm run bench:guests -- --write                         and rewrites the tables of docs/costs.md
 */
import { parseArgs } from 'node:util';
import { findNodes, type NodeVersion } from '../nodes.ts';
import { type Section, writeSections } from '../tables.ts';
import { type Build, buildOf } from './builds.ts';
import { CONDITIONS } from './conditions.ts';
import { findProgram, PROGRAM_NAMES, USUAL } from './list.ts';
import { Missing, type Program } from './program.ts';
import { type Effort, type Entry, race } from './race.ts';
import { buildSection, type Measured, programSection } from './report.ts';
import { exists, type Variant, VARIANTS } from './variants.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    guest: { type: 'string' },
    node: { type: 'string' },
    workload: { type: 'string' },
    condition: { type: 'string' },
    variants: { type: 'string' },
    variant: { type: 'string', multiple: true, default: [] },
    fresh: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
const effort: Effort = options.quick ? { heats: 1, rounds: 3, warmUp: 300 } : { heats: 2, rounds: 5, warmUp: 400 };

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}

/** Those that a list asks for, in the order of `all`; all of them if there is no list. */
function choose<T>(option: string, all: readonly T[], nameOf: (each: T) => string, list: string | undefined): T[] {
  if (list === undefined) return [...all];
  const names = list.split(',');
  const unknown = names.find((name) => !all.some((each) => nameOf(each) === name));
  if (unknown !== undefined) refuse(`--${option}: there is no ${unknown}; there are ${all.map(nameOf).join(', ')}`);
  return all.filter((each) => names.includes(nameOf(each)));
}

const { nodes: installed, missing } = findNodes();
/** This one and the newest, unless others are named. */
const outermost = [...new Set([installed[0], installed.at(-1)])].filter((node) => node !== undefined);
const nodes =
  options.node === undefined ? outermost : choose('node', installed, (node) => String(node.major), options.node);
const conditions = choose('condition', CONDITIONS, ({ name }) => name, options.condition);
const names = choose('guest', PROGRAM_NAMES, (name) => name, options.guest ?? USUAL.join(','));
const variants = [
  ...(options.variants === undefined
    ? VARIANTS.filter((each) => each.usual && exists(each))
    : choose('variants', VARIANTS, ({ name }) => name, options.variants)),
  ...options.variant.map(handMade),
];
const isPart = [options.variants, options.workload, options.condition, options.node].some((each) => each !== undefined);
if (options.write && (options.quick || isPart || options.variant.length > 0)) {
  refuse('--write needs a full run: leave out everything but --guest and --fresh.');
}

function handMade(text: string): Variant {
  const [name = '', ...rest] = text.split('=');
  const file = rest.join('=');
  if (name === '' || file === '') refuse(`--variant ${text}: must be NAME=FILE`);
  return { name, label: name, recipe: { kind: 'file', file }, usual: true };
}

/** Nothing can wait in a module that is not instrumented: it runs under one condition, against which all are measured. */
function entriesOf(builds: readonly Build[]): Entry[] {
  const [first, ...others] = builds;
  const [never] = CONDITIONS;
  if (first === undefined || never === undefined) refuse('--variants: there is nothing to measure.');
  const canWait = others.filter(({ variant: { recipe } }) => recipe.kind !== 'binaryen' || recipe.asyncify);
  const entries = conditions.flatMap((condition) =>
    (condition === never ? others : canWait).map((build) => ({ build, condition })),
  );
  return [{ build: first, condition: never }, ...entries];
}

async function measure(program: Program, nodes: readonly NodeVersion[]): Promise<Section> {
  const source = await program.provide();
  console.error(`${program.name}: building`);
  const builds = variants.map((variant) => buildOf(program, source, variant, options.fresh));
  if (program.workloads.length === 0) return buildSection(program, builds);
  const entries = entriesOf(builds);
  const workloads = choose('workload', program.workloads, ({ name }) => name, options.workload);
  const measured: Measured[] = [];
  for (const node of nodes) {
    console.error(`${program.name}: Node ${node.version}`);
    measured.push({ node, outcomes: await race(node, program, workloads, entries, effort) });
  }
  return programSection(program, entries, measured);
}

const sections: Section[] = [];
for (const name of names) {
  try {
    const program = await findProgram(name);
    if (program === undefined) throw new Missing('there is no such program');
    const section = await measure(program, nodes);
    sections.push(section);
    console.log(`\n${section.text}`);
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    missing.push(`${name}: ${error.message}`);
  }
}
for (const each of missing) console.log(`\nNOT MEASURED: ${each}`);
if (options.write) writeSections(sections);
