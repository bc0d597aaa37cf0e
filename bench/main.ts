/**
 * `npm run bench`: every figure of docs/costs.md, as ratios against named peers that were measured in the same run.
 *
 *   npm run bench -- --quick              a first impression, in a minute
 *   npm run bench -- --row switch,size    some rows: switch, enter, value, tasks, values, memory, size
 *   npm run bench -- --write              and rewrite the tables of docs/costs.md
 */
import { parseArgs } from 'node:util';
import { compete } from './contest.ts';
import { buildGuests } from './guests.ts';
import { measureMemory } from './memory.ts';
import { findNodes, type NodeVersion } from './nodes.ts';
import { machineSection, memorySection, rowSection, type Section, sizeSection, writeSections } from './report.ts';
import { type Row, ROWS } from './rows.ts';
import { measureSize } from './size.ts';

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean' }, row: { type: 'string' }, write: { type: 'boolean' } },
});
const quick = options.quick === true;

const names = [...ROWS.map((row) => row.name), 'memory', 'size'];
const chosen = options.row?.split(',') ?? names;
for (const name of chosen.filter((each) => !names.includes(each))) {
  console.error(`--row: there is no row ${name}; there are ${names.join(', ')}`);
  process.exit(2);
}

async function measureRow(row: Row, nodes: readonly NodeVersion[]): Promise<Section> {
  const measured = [];
  for (const test of row.cases) {
    for (const node of nodes) {
      const drivers = ['wasm-fibers', ...row.peers];
      const { operation, size } = test;
      const effort = quick ? { heats: 1, rounds: 5, budget: 20 } : { heats: 5, rounds: 7, budget: 40 };
      const outcome = await compete({ node: node.executable, operation, size, drivers, ...effort });
      measured.push({ node, test, outcome });
    }
  }
  return rowSection(row, measured);
}

async function measureMemoryRow(nodes: readonly NodeVersion[]): Promise<Section> {
  const count = quick ? 50_000 : 1_000_000;
  const measured = [];
  for (const node of nodes) {
    const ours = await measureMemory(node.executable, 'wasm-fibers', count);
    measured.push({ node, ours, bare: await measureMemory(node.executable, 'await', count) });
  }
  return memorySection(count, measured);
}

const { nodes, missing } = findNodes();
missing.push(...(await buildGuests()));
const sections = [machineSection(nodes)];
for (const row of ROWS) if (chosen.includes(row.name)) sections.push(await measureRow(row, nodes));
if (chosen.includes('memory')) sections.push(await measureMemoryRow(nodes));
if (chosen.includes('size')) sections.push(sizeSection(await measureSize()));
for (const section of sections) console.log(`\n${section.text}`);
for (const each of missing) console.log(`\nNOT MEASURED: ${each}`);
if (options.write === true) {
  if (quick) throw new Error('--write needs a full run: leave out --quick.');
  writeSections(sections);
}
