/**
 * The row `plugin-load`: how long it takes until a plugin has answered its first call. Each time is that of a fresh process; they
 * take turns, and a ratio is the median of the ratios of each turn.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { median } from './contest.ts';
import type { NodeVersion } from './nodes.ts';
import type { LoadTime, LoadWay } from './plugin-load-worker.ts';
import { rounded, type Section, table } from './tables.ts';

const WORKER = fileURLToPath(new URL('plugin-load-worker.js', import.meta.url));
const PEER = 'quickjs';

const WAYS: readonly { readonly way: LoadWay; readonly label: string; readonly since: number }[] = [
  { way: PEER, label: 'quickjs-emscripten 0.32', since: 20 },
  { way: 'asyncify', label: 'wasm-fibers, Asyncify: instrumented when it is loaded', since: 20 },
  { way: 'asyncify-ready', label: 'wasm-fibers, Asyncify: instrumented before', since: 20 },
  { way: 'jspi', label: 'wasm-fibers, JSPI: instrumented when it is loaded', since: 24 },
  { way: 'jspi-ready', label: 'wasm-fibers, JSPI: instrumented before', since: 24 },
];

export async function measurePluginLoad(nodes: readonly NodeVersion[], quick: boolean): Promise<Section> {
  const rounds = quick ? 3 : 15;
  const lines: string[][] = [];
  for (const node of nodes) {
    const ways = WAYS.filter(({ since }) => node.major >= since);
    const all = new Map(ways.map(({ way }) => [way, [] as LoadTime[]]));
    for (let round = 0; round < rounds; round++) {
      for (const [way, times] of all) times.push(await load(node, way));
    }
    const peer = all.get(PEER) ?? [];
    for (const { way, label } of ways) {
      const times = all.get(way) ?? [];
      const ratio = (of: (time: LoadTime) => number): string => {
        const ratios = times.flatMap((time, round) => (peer[round] === undefined ? [] : [of(time) / of(peer[round])]));
        return way === PEER ? '-' : `${median(ratios)?.toFixed(2) ?? '-'}x`;
      };
      lines.push([
        label,
        String(node.major),
        rounded(median(times.map(({ clock }) => clock))),
        ratio(({ clock }) => clock),
        rounded(median(times.map(({ processor }) => processor))),
        ratio(({ processor }) => processor),
      ]);
    }
  }
  const head = ['To the first result', 'Node', 'ms by the clock', '÷ quickjs', 'ms of processor time', '÷ quickjs'];
  return { name: 'plugin-load', text: table(head, lines) };
}

function load(node: NodeVersion, way: LoadWay): Promise<LoadTime> {
  return new Promise((resolve, reject) => {
    const child = fork(WORKER, [way], { execPath: node.executable, execArgv: [] });
    child.once('message', (message) => resolve(message as LoadTime));
    child.once('exit', (code, signal) => {
      if (code !== 0) reject(new Error(`${way} ended with ${String(code ?? signal)}`));
    });
  });
}
