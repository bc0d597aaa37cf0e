/** The tables of docs/backends.md. */
import type { ComparedCase, Comparison } from './comparisons.ts';
import type { Outcome } from './contest.ts';
import type { MemoryUse } from './memory.ts';
import { type ModuleSize, TARGETS } from './module-size.ts';
import type { NodeVersion } from './nodes.ts';
import { rounded, type Section, table, withTarget } from './tables.ts';

export interface Compared {
  readonly node: NodeVersion;
  readonly test: ComparedCase;
  readonly outcome: Outcome;
}

export function comparisonSection(comparison: Comparison, compared: readonly Compared[]): Section {
  const [[base, baseName] = ['', ''], ...others] = comparison.drivers;
  const head = [comparison.title, 'Node', `${baseName}, ns`, ...others.map(([, label]) => label)];
  const lines = compared.map(({ node, test, outcome }) => {
    const cells = others.map(([driver]) => ratioCell(outcome.ratio(driver, base), test.targets[driver]));
    return [test.label, String(node.major), rounded(outcome.time(base)), ...cells];
  });
  return { name: comparison.name, text: `${table(head, lines)}\n\nAll but ns: times as long as ${baseName}.` };
}

function ratioCell(ratio: number | undefined, target: number | undefined): string {
  if (ratio === undefined) return '-';
  const figure = `${ratio.toFixed(2)}x`;
  return target === undefined ? figure : withTarget(figure, ratio <= target, `${target}x`);
}

export interface StackMemory {
  readonly node: NodeVersion;
  readonly count: number;
  readonly depth: number;
  /** By driver: what each took, or why it was refused. */
  readonly use: ReadonlyMap<string, MemoryUse | string>;
}

/** @param drivers and the headings of their columns */
export function stackMemorySection(drivers: ReadonlyMap<string, string>, measured: readonly StackMemory[]): Section {
  const head = ['Suspended at once, resident bytes each', 'Node', ...drivers.values()];
  const lines = measured.map(({ node, count, depth, use }) => {
    const where = depth === 0 ? 'in the exported function' : `${depth} calls deep`;
    const cells = [...drivers.keys()].map((driver) => memoryCell(use.get(driver)));
    return [`${count.toLocaleString('en')}, ${where}`, String(node.major), ...cells];
  });
  return { name: 'backends-memory', text: table(head, lines) };
}

function memoryCell(use: MemoryUse | string | undefined): string {
  if (use === undefined) return '-';
  return typeof use === 'string' ? `\`${use}\`` : Math.round(use.resident).toLocaleString('en');
}

export function moduleSizeSection(modules: readonly ModuleSize[]): Section {
  const head = ['Bytes (gzipped)', ...TARGETS.map(({ label }) => label)];
  const lines = modules.map(({ label, sizes }) => {
    const [source] = sizes;
    const cells = sizes.map(({ bytes, gzipped }) => {
      const sizes = `${bytes.toLocaleString('en')} (${gzipped.toLocaleString('en')})`;
      if (source === undefined || source.bytes === bytes) return sizes;
      return `${sizes}, ${(bytes / source.bytes).toFixed(2)}x (${(gzipped / source.gzipped).toFixed(2)}x)`;
    });
    return [label, ...cells];
  });
  return { name: 'module-size', text: table(head, lines) };
}
