/**
 * The row `preemption`: what it costs to be pre-emptible. The Lua programs of `npm run bench:guests`, which never wait by
 * themselves, in a metered guest whose slices last as long as they do by default, so that each is pre-empted several times; against
 * the same module as its compiler made it, and against it instrumented without metering. Processor time, as there.
 */
import type { NodeVersion } from './nodes.ts';
import { type Build, buildOf } from './programs/builds.ts';
import { CONDITIONS } from './programs/conditions.ts';
import { findProgram } from './programs/list.ts';
import { Missing } from './programs/program.ts';
import { type Effort, type Entry, type Outcome, race } from './programs/race.ts';
import { VARIANTS } from './programs/variants.ts';
import { geometricMean, type Section, table, withTarget } from './tables.ts';

/** At most so many times as long as un-instrumented. */
const TARGET = 1.35;

interface Way {
  readonly label: string;
  /** Names of VARIANTS: with metering and without. */
  readonly metered: string;
  readonly unmetered: string;
  /** The first Node that can do it. */
  readonly since: number;
}

const WAYS: readonly Way[] = [
  { label: 'Asyncify', metered: 'metered', unmetered: 'fibers', since: 20 },
  { label: 'JSPI', metered: 'metered-jspi', unmetered: 'fibers-jspi', since: 24 },
];

/** @throws Missing if Lua cannot be built here */
export async function measurePreemption(nodes: readonly NodeVersion[], quick: boolean): Promise<Section> {
  const program = await findProgram('lua');
  const [condition] = CONDITIONS;
  if (program === undefined || condition === undefined) throw new Missing('there is no Lua');
  const source = await program.provide();
  const names = ['source', ...WAYS.flatMap(({ metered, unmetered }) => [metered, unmetered])];
  const builds = VARIANTS.filter(({ name }) => names.includes(name)).map((each) =>
    buildOf(program, source, each, false),
  );
  const effort: Effort = quick ? { heats: 1, rounds: 3, warmUp: 300 } : { heats: 2, rounds: 7, warmUp: 400 };
  const lines: string[][] = [];
  const means: string[][] = [];
  for (const node of nodes) {
    const ways = WAYS.filter(({ since }) => node.major >= since);
    const wanted = ['source', ...ways.flatMap(({ metered, unmetered }) => [metered, unmetered])];
    const entries = builds
      .filter(({ variant }) => wanted.includes(variant.name))
      .map((build): Entry => ({ build, condition }));
    const outcomes = await race(node, program, program.workloads, entries, effort);
    for (const way of ways) {
      const of = (name: string): Entry => entryOf(entries, name);
      for (const [workload, outcome] of outcomes) {
        const milliseconds = outcome.time(of('source'))?.toFixed(0) ?? '-';
        lines.push([workload.label, ...cells(node, way, [outcome], of), milliseconds]);
      }
      means.push(['geometric mean', ...cells(node, way, [...outcomes.values()], of), '']);
    }
  }
  const head = [
    'Lua 5.4',
    'Node',
    'backend',
    '÷ un-instrumented',
    '÷ not metered',
    'not metered ÷ un-instrumented',
    'ms',
  ];
  const byWorkload = lines.toSorted(([a = ''], [b = '']) => order(program.workloads, a) - order(program.workloads, b));
  return { name: 'preemption', text: `${table(head, [...byWorkload, ...means])}\n\n${sizes(builds)}` };
}

function order(workloads: readonly { readonly label: string }[], wanted: string): number {
  return workloads.findIndex(({ label }) => label === wanted);
}

function entryOf(entries: readonly Entry[], name: string): Entry {
  const found = entries.find(({ build }) => build.variant.name === name);
  if (found === undefined) throw new Error(`${name} was not measured`);
  return found;
}

/** The node, the backend and three ratios, each the mean of these outcomes. */
function cells(node: NodeVersion, way: Way, outcomes: readonly Outcome[], of: (name: string) => Entry): string[] {
  const ratio = (entry: string, peer: string): number =>
    geometricMean(outcomes.map((outcome) => outcome.ratio(of(entry), of(peer)) ?? Number.NaN));
  const figure = (value: number): string => `${value.toFixed(2)}x`;
  const cost = ratio(way.metered, 'source');
  return [
    String(node.major),
    way.label,
    withTarget(figure(cost), cost <= TARGET, `${TARGET}x`),
    figure(ratio(way.metered, way.unmetered)),
    figure(ratio(way.unmetered, 'source')),
  ];
}

function sizes(builds: readonly Build[]): string {
  const bytes = (name: string): string =>
    builds.find(({ variant }) => variant.name === name)?.bytes.toLocaleString('en') ?? '-';
  const each = WAYS.map(
    ({ label, metered, unmetered }) => `${bytes(metered)} for ${label} (${bytes(unmetered)} without metering)`,
  );
  return `ms: un-instrumented, for orientation only. The module: ${each.join(', ')}, ${bytes('source')} as its compiler made it.`;
}
