/** The tables of docs/costs.md. */
import { cpus } from 'node:os';
import type { Outcome } from './contest.ts';
import { MEMORY_TARGET, type MemoryUse } from './memory.ts';
import type { NodeVersion } from './nodes.ts';
import { type Case, type Peer, PEER_NAMES, type Row } from './rows.ts';
import { type CoreSize, SIZE_TARGET } from './size.ts';
import { rounded, type Section, table, withTarget } from './tables.ts';

export interface Measured {
  readonly node: NodeVersion;
  readonly test: Case;
  readonly outcome: Outcome;
}

export function rowSection(row: Row, measured: readonly Measured[]): Section {
  const [first] = row.peers;
  const head = [row.title, 'Node', ...row.peers.map((peer) => `÷ ${PEER_NAMES[peer]}`), 'ns'];
  const lines = measured.map(({ node, test, outcome }) => {
    const time = outcome.time('wasm-fibers');
    const cells = row.peers.map((peer) => ratioCell(outcome.ratio('wasm-fibers', peer), test, node, peer));
    const theirs = first === undefined ? undefined : outcome.time(first);
    return [test.label, String(node.major), ...cells, `${rounded(time)} (${rounded(theirs)})`];
  });
  const note = first === undefined ? '' : `ns: ours, and in brackets ${PEER_NAMES[first]}; for orientation only.`;
  return { name: row.name, text: `${table(head, lines)}\n\n${note}` };
}

function ratioCell(ratio: number | undefined, test: Case, node: NodeVersion, peer: Peer): string {
  if (ratio === undefined) return '-';
  const target = test.targets[node.major]?.[peer];
  const figure = `${ratio.toFixed(2)}x`;
  return target === undefined ? figure : withTarget(figure, ratio <= target, `${target}x`);
}

export function memorySection(
  count: number,
  measured: readonly { node: NodeVersion; ours: MemoryUse; bare: MemoryUse }[],
): Section {
  const head = [
    `${count.toLocaleString('en')} suspended at once, bytes each`,
    'Node',
    'a fiber',
    'a bare `await`',
    'ratio',
  ];
  const lines = measured.flatMap(({ node, ours, bare }) => [
    [
      "V8's heap and external memory, after a collection",
      String(node.major),
      withTarget(rounded(ours.heap), ours.heap <= MEMORY_TARGET, String(MEMORY_TARGET)),
      rounded(bare.heap),
      `${(ours.heap / bare.heap).toFixed(2)}x`,
    ],
    [
      'resident set of the process',
      String(node.major),
      rounded(ours.resident),
      rounded(bare.resident),
      `${(ours.resident / bare.resident).toFixed(2)}x`,
    ],
  ]);
  return { name: 'memory', text: table(head, lines) };
}

export function sizeSection(size: CoreSize): Section {
  const head = ['The core entry', 'bytes minified', 'share'];
  const lines = size.files.map(({ name, minified, share }) => [
    `\`${name}\``,
    String(minified),
    `${(share * 100).toFixed(0)} %`,
  ]);
  const total = withTarget(`${size.gzipped} bytes gzipped`, size.gzipped <= SIZE_TARGET, String(SIZE_TARGET));
  const summary = `${size.minified} bytes minified, ${total}; ${size.withoutMessages} without the sentences for people.`;
  return { name: 'size', text: `${summary}\n\n${table(head, lines)}` };
}

export function machineSection(nodes: readonly NodeVersion[]): Section {
  const [cpu] = cpus();
  const versions = nodes.map((node) => `Node ${node.version}`).join(', ');
  return {
    name: 'machine',
    text: `${cpu?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores (virtual, shared), ${process.platform} ${process.arch}; ${versions}.`,
  };
}
