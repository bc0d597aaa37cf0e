/**
 * The row `slices`: how long something that computes holds the thread at a time, and how late a timer is meanwhile, and a
 * deadline; against loops of JavaScript that are written to yield, which is what one does without fibers. A process for each, one
 * after the other, several times in turns; all that they report is thrown together.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { NodeVersion } from './nodes.ts';
import type { SliceTimes, SliceWay } from './slices-worker.ts';
import { type Section, table, withTarget } from './tables.ts';

const WORKER = fileURLToPath(new URL('slices-worker.js', import.meta.url));

/** How many are busy. */
const BUSY = [1, 4] as const;

const WAYS: readonly { readonly way: SliceWay; readonly label: string; readonly since: number }[] = [
  { way: 'asyncify', label: 'plugins, Asyncify', since: 20 },
  { way: 'jspi', label: 'plugins, JSPI', since: 24 },
  { way: 'script', label: 'JavaScript, by hand', since: 20 },
];

/** Milliseconds: slices of 8, give or take 4. */
const LEAST = 4;
const MOST = 12;

export async function measureSlices(nodes: readonly NodeVersion[], quick: boolean): Promise<Section> {
  const rounds = quick ? 1 : 4;
  const duration = quick ? 1000 : 3000;
  const lines: string[][] = [];
  for (const busy of BUSY) {
    for (const node of nodes) {
      const ways = WAYS.filter(({ since }) => node.major >= since);
      const all = new Map(ways.map(({ way }) => [way, [] as SliceTimes[]]));
      for (let round = 0; round < rounds; round++) {
        for (const [way, times] of all) times.push(await run(node, way, busy, duration));
      }
      for (const { way, label } of ways) lines.push(line(node, label, busy, all.get(way) ?? [], way === 'script'));
    }
  }
  const head = [
    'busy',
    'Node',
    'what',
    'slices: 5 % below',
    'median',
    '95 % below',
    'longest',
    'timers late by: median',
    '95 % below',
    'calls end after their deadline: median',
    'longest',
  ];
  return { name: 'slices', text: `${table(head, lines)}\n\nAll in milliseconds.` };
}

function line(node: NodeVersion, label: string, busy: number, times: readonly SliceTimes[], isPeer: boolean): string[] {
  const slices = times.flatMap((each) => each.slices);
  const late = times.flatMap((each) => each.late);
  const overdue = times.flatMap((each) => each.overdue);
  const low = quantile(slices, 0.05);
  const high = quantile(slices, 0.95);
  const cell = (value: number, reached: boolean, target: string): string =>
    isPeer ? value.toFixed(1) : withTarget(value.toFixed(1), reached, target);
  return [
    busy === 1 ? 'one' : `${busy}, in turns`,
    String(node.major),
    label,
    cell(low, low >= LEAST, `${LEAST}`),
    quantile(slices, 0.5).toFixed(1),
    cell(high, high <= MOST, `${MOST}`),
    quantile(slices, 1).toFixed(1),
    quantile(late, 0.5).toFixed(1),
    quantile(late, 0.95).toFixed(1),
    quantile(overdue, 0.5).toFixed(1),
    quantile(overdue, 1).toFixed(1),
  ];
}

/** @param share from 0, the least, to 1, the greatest */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN;
}

function run(node: NodeVersion, way: SliceWay, busy: number, duration: number): Promise<SliceTimes> {
  return new Promise((resolve, reject) => {
    const child = fork(WORKER, [way, String(busy), String(duration)], { execPath: node.executable, execArgv: [] });
    child.once('message', (message) => resolve(message as SliceTimes));
    child.once('exit', (code, signal) => {
      if (code !== 0) reject(new Error(`${way} with ${busy} at once ended with ${String(code ?? signal)}`));
    });
  });
}
