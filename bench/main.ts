/**
 * `npm run bench`: every figure of docs/costs.md and docs/backends.md, as ratios against named peers that were measured in
 * the same run.
 *
 *   npm run bench -- --quick              a first impression, in some minutes
 *   npm run bench -- --row switch,size    some rows
 *   npm run bench -- --write              and rewrite the tables of the documents
 *
 * Rows of docs/costs.md: switch, enter, value, tasks, values, values-fiber, memory, size, preemption, slices, plugin-calls,
 * plugin-waits, plugin-load; `plugins` is all of the last three. Rows of docs/backends.md: backends-switch, backends-enter,
 * backends-value, backends-compute, backends-memory, module-size; `backends` is all of them.
 */
import { parseArgs } from 'node:util';
import { type Comparison, COMPARISONS } from './comparisons.ts';
import { compete } from './contest.ts';
import { buildGuests } from './guests.ts';
import { hasLua } from './lua.ts';
import { measureMemory, type MemoryDriver, type MemoryUse } from './memory.ts';
import { measureModules } from './module-size.ts';
import { findNodes, type NodeVersion } from './nodes.ts';
import { PLUGIN_CALLS, PLUGIN_WAITS } from './plugin-calls.ts';
import { buildPluginGuest } from './plugin-guest.ts';
import { measurePluginLoad } from './plugin-load.ts';
import { measurePreemption } from './preemption.ts';
import { Missing } from './programs/program.ts';
import { comparisonSection, moduleSizeSection, stackMemorySection } from './report-backends.ts';
import { machineSection, memorySection, rowSection, sizeSection } from './report.ts';
import { type Row, ROWS } from './rows.ts';
import { measureSize } from './size.ts';
import { measureSlices } from './slices.ts';
import { type Section, writeSections } from './tables.ts';

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean' }, row: { type: 'string' }, write: { type: 'boolean' } },
});
const quick = options.quick === true;
const effort = quick ? { heats: 1, rounds: 5, budget: 20 } : { heats: 4, rounds: 7, budget: 40 };

const OF_BACKENDS = [...COMPARISONS.map((each) => each.name), 'backends-memory', 'module-size'];
const OF_PLUGINS = [PLUGIN_CALLS.name, PLUGIN_WAITS.name, 'plugin-load'];
const GROUPS: Readonly<Record<string, readonly string[]>> = { backends: OF_BACKENDS, plugins: OF_PLUGINS };
const names = [...ROWS.map((row) => row.name), 'memory', 'size', 'preemption', 'slices', ...OF_PLUGINS, ...OF_BACKENDS];
const wanted = options.row?.split(',') ?? names;
const chosen = wanted.flatMap((name) => GROUPS[name] ?? [name]);
for (const name of chosen.filter((each) => !names.includes(each))) {
  console.error(`--row: there is no row ${name}; there are ${names.join(', ')}, and ${Object.keys(GROUPS).join(', ')}`);
  process.exit(2);
}

const { nodes, missing } = findNodes();
/** This one and the newest. */
const outermost = [...new Set([nodes[0], nodes.at(-1)])].filter((node) => node !== undefined);

async function measureRow(row: Row): Promise<Section> {
  const measured = [];
  for (const test of row.cases) {
    for (const node of outermost) {
      const drivers = ['wasm-fibers', ...row.peers];
      const { operation, size } = test;
      const outcome = await compete({ node: node.executable, operation, size, drivers, ...effort });
      measured.push({ node, test, outcome });
    }
  }
  return rowSection(row, measured);
}

async function measureComparison(comparison: Comparison, on: readonly NodeVersion[] = nodes): Promise<Section> {
  const drivers = [...comparison.drivers.keys()];
  const compared = [];
  for (const test of comparison.cases) {
    for (const node of on.filter(({ major }) => major >= comparison.since)) {
      const { operation, size } = test;
      const { clock, budget = effort.budget } = comparison;
      const outcome = await compete({ node: node.executable, operation, size, drivers, clock, ...effort, budget });
      compared.push({ node, test, outcome });
    }
  }
  return comparisonSection(comparison, compared);
}

async function measureMemoryRow(): Promise<Section> {
  const count = quick ? 50_000 : 1_000_000;
  const measured = [];
  for (const node of outermost) {
    const use = async (driver: MemoryDriver): Promise<MemoryUse> => {
      const measured = await measureMemory(node.executable, driver, count, 0);
      if (typeof measured !== 'string') return measured;
      throw new Error(`${driver} refused ${count} calls at once: ${measured}`);
    };
    measured.push({ node, ours: await use('wasm-fibers'), bare: await use('await') });
  }
  return memorySection(count, measured);
}

/** How many calls at once, and how deep. */
const STACKS = [
  [1000, 0],
  [5000, 0],
  [10_000, 0],
  [5000, 100],
] as const;

async function measureStackMemory(): Promise<Section> {
  const drivers = new Map<MemoryDriver, string>([
    ['jspi', 'raw JSPI'],
    ['wasm-fibers-jspi', 'wasm-fibers on JSPI'],
    ['wasm-fibers', 'wasm-fibers on Asyncify'],
    ['await', 'bare `await`'],
  ]);
  const measured = [];
  for (const [count, depth] of STACKS) {
    for (const node of nodes.filter(({ major }) => major >= 24)) {
      const use = new Map<string, MemoryUse | string>();
      for (const driver of drivers.keys()) use.set(driver, await measureMemory(node.executable, driver, count, depth));
      measured.push({ node, count, depth, use });
    }
  }
  return stackMemorySection(drivers, measured);
}

const sections: Section[] = [];
/** Shown as soon as it is there: all of them take their time. */
function report(section: Section): void {
  sections.push(section);
  console.log(`\n${section.text}`);
}

async function unlessMissing(name: string, measure: () => Promise<Section>): Promise<void> {
  try {
    report(await measure());
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    missing.push(`${name}: ${error.message}`);
  }
}

missing.push(...(await buildGuests()));
report(machineSection(nodes));
for (const row of ROWS) if (chosen.includes(row.name)) report(await measureRow(row));
if (chosen.includes('memory')) report(await measureMemoryRow());
if (chosen.includes('size')) report(sizeSection(await measureSize()));
if (chosen.includes('preemption')) await unlessMissing('preemption', () => measurePreemption(outermost, quick));
if (chosen.some((name) => name === 'slices' || OF_PLUGINS.includes(name))) await buildPluginGuest();
if (chosen.includes('slices')) report(await measureSlices(outermost, quick));
for (const comparison of [PLUGIN_CALLS, PLUGIN_WAITS]) {
  if (chosen.includes(comparison.name)) report(await measureComparison(comparison, outermost));
}
if (chosen.includes('plugin-load')) report(await measurePluginLoad(outermost, quick));
for (const comparison of COMPARISONS) {
  if (!chosen.includes(comparison.name)) continue;
  if (comparison.name !== 'backends-compute' || hasLua()) report(await measureComparison(comparison));
  else missing.push('Lua: build it by node test/guests/build.mjs lua');
}
if (chosen.includes('backends-memory')) report(await measureStackMemory());
if (chosen.includes('module-size')) {
  const measured = measureModules();
  missing.push(...measured.missing);
  report(moduleSizeSection(measured.modules));
}
for (const each of missing) console.log(`\nNOT MEASURED: ${each}`);
if (options.write === true) {
  if (quick) throw new Error('--write needs a full run: leave out --quick.');
  writeSections(sections);
}
