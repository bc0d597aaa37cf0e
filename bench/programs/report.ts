/** A program's table: a line for each workload, a column for each build under each condition. */
import type { NodeVersion } from '../nodes.ts';
import { geometricMean, type Section, table, withTarget } from '../tables.ts';
import type { Build } from './builds.ts';
import type { Program, Workload } from './program.ts';
import type { Entry, Outcome } from './race.ts';
import { OURS } from './variants.ts';

export interface Measured {
  readonly node: NodeVersion;
  readonly outcomes: ReadonlyMap<Workload, Outcome>;
}

/** Of what Binaryen's Asyncify makes, gzipped. */
const SIZE_TARGET = 1.25;
/** Of the time that Binaryen takes. */
const TIME_TARGET = 2;

/** @param entries the first is what the others are divided by */
export function programSection(program: Program, entries: readonly Entry[], measured: readonly Measured[]): Section {
  const [first, ...others] = entries;
  if (first === undefined) throw new Error('nothing was measured');
  const head = [
    `${program.title}, ÷ ${first.build.variant.label}`,
    'Node',
    ...others.map(({ build, condition }) => `${condition.label}: ${build.variant.label}`),
    'ms',
  ];
  const workloads = [...new Set(measured.flatMap(({ outcomes }) => [...outcomes.keys()]))];
  const lines = workloads.flatMap((workload) =>
    measured.map(({ node, outcomes }) => {
      const outcome = outcomes.get(workload);
      const cells = others.map((entry) => ratioCell(outcome?.ratio(entry), entry, node));
      return [workload.label, String(node.major), ...cells, outcome?.time(first)?.toFixed(0) ?? '-'];
    }),
  );
  const means = measured.map(({ node, outcomes }) => {
    const ratios = (entry: Entry): number[] => [...outcomes.values()].map((each) => each.ratio(entry) ?? Number.NaN);
    const cells = others.map((entry) => ratioCell(geometricMean(ratios(entry)), entry, node));
    return ['geometric mean', String(node.major), ...cells, ''];
  });
  const builds = [...new Set(entries.map(({ build }) => build))];
  const text = [
    table(head, [...lines, ...means]),
    `ms: ${first.build.variant.label}, for orientation only.`,
    buildTable(program, builds),
  ];
  return { name: `guest-${program.name}`, text: text.join('\n\n') };
}

function ratioCell(ratio: number | undefined, { build, condition }: Entry, node: NodeVersion): string {
  if (ratio === undefined) return '-';
  const figure = `${ratio.toFixed(2)}x`;
  const target = build.variant.name === OURS ? condition.targets[node.major] : undefined;
  return target === undefined ? figure : withTarget(figure, ratio <= target, `${target}x`);
}

/** Of a program that is not run. */
export function buildSection(program: Program, builds: readonly Build[]): Section {
  return { name: `guest-${program.name}`, text: buildTable(program, builds) };
}

/** What the builds weigh, and what it took to make them. */
function buildTable(program: Program, builds: readonly Build[]): string {
  const plain = builds.find(({ variant }) => variant.name === 'asyncify');
  const head = [
    `${program.title}, the module`,
    'bytes',
    'gzipped',
    '÷ plain Asyncify',
    'made in',
    '÷ plain Asyncify',
    'memory',
  ];
  const lines = builds.map((build) => {
    const { variant, bytes, gzipped, made } = build;
    const ratio = plain === undefined ? undefined : gzipped / plain.gzipped;
    const figure = ratio === undefined ? '-' : `${ratio.toFixed(2)}x`;
    const cell =
      ratio !== undefined && variant.name === OURS
        ? withTarget(figure, ratio <= SIZE_TARGET, `${SIZE_TARGET}x`)
        : figure;
    return [
      variant.label,
      bytes.toLocaleString('en'),
      gzipped.toLocaleString('en'),
      cell,
      made === null ? '-' : `${made.seconds.toFixed(1)} s`,
      build === plain ? '' : timeCell(build, plain),
      made === null ? '-' : `${made.megabytes.toFixed(0)} MB`,
    ];
  });
  return table(head, lines);
}

function timeCell({ made, variant }: Build, plain: Build | undefined): string {
  if (!made || !plain?.made) return '-';
  const ratio = made.seconds / plain.made.seconds;
  const figure = `${ratio.toFixed(2)}x`;
  return variant.name === OURS ? withTarget(figure, ratio <= TIME_TARGET, `${TIME_TARGET}x`) : figure;
}
