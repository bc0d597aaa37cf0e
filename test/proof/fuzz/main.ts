/**
 * `npm run fuzz`: random modules, as they are and instrumented, must do the same (see case.ts for what is varied and
 * compare.ts for what is compared).
 *
 *   npm run fuzz -- --minutes 10 --jobs 2     as many as there is time for, from a seed that is printed
 *   npm run fuzz -- --seed 7 --count 1        the case of seed 7 again
 *
 * A run has the seeds from --seed on, one for each case. Exits with 1 if anything differs.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { share } from '../processes.ts';
import type { Done } from '../processes.ts';
import { commandFor } from './report.ts';
import type { Finished } from './worker.ts';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seed: { type: 'string' },
    count: { type: 'string' },
    jobs: { type: 'string' },
  },
});

function number(name: 'minutes' | 'seed' | 'count' | 'jobs', otherwise: number): number {
  const value = Number(options[name] ?? otherwise);
  if (value >= 0 && (name === 'minutes' || Number.isSafeInteger(value) || value === Infinity)) return value;
  console.error(`--${name}: ${options[name]} is no such number`);
  return process.exit(2);
}

/** More failures than this tell nothing new. */
const MOST_FAILURES = 20;

const count = number('count', Infinity);
const minutes = number('minutes', options.count === undefined ? 1 : Infinity);
const seed = number('seed', Math.floor(Date.now() / 1000) * 1000);
const jobs = Math.max(1, Math.min(number('jobs', 1), count));
const until = Date.now() + minutes * 60_000;

const total = { modules: 0, calls: 0, waits: 0, gates: 0, failed: 0 };
const skipped = new Map<string, number>();
const began = Date.now();

console.log(`fuzz: seed ${seed}${count === Infinity ? '' : `, ${count} modules`}, Node ${process.versions.node}`);
const worker = fileURLToPath(new URL('worker.js', import.meta.url));
await share<number, Finished>(worker, jobs, seeds(), (seed, done) => take(seed, finished(done)));

/** In order, while there is time. */
function* seeds(): Generator<number> {
  for (let offset = 0; offset < count && Date.now() < until && total.failed < MOST_FAILURES; offset++) {
    yield seed + offset;
  }
}

/** A module that hangs by itself, or that cannot even be made, proves nothing. */
function finished(done: Done<Finished>): Finished {
  if ('result' in done) return done.result;
  const { phase, lost } = done;
  const innocent = phase === 'generating' || phase === 'running the original';
  const result = innocent
    ? { kind: 'skipped', why: `${phase} ${lost}` }
    : { kind: 'different', what: `${phase} ${lost}` };
  return { result: result as Finished['result'], report: null };
}

function take(seed: number, { result, report }: Finished): void {
  if (result.kind === 'same') {
    total.modules += 1;
    total.calls += result.calls;
    total.waits += result.waits;
    total.gates += result.gates;
  } else if (result.kind === 'skipped') {
    skipped.set(result.why, (skipped.get(result.why) ?? 0) + 1);
  } else {
    total.failed += 1;
    clear();
    console.log(`\nFAILED: seed ${seed}\n${result.what}\n  again: ${commandFor(seed)}`);
    if (report !== null) console.log(`  report: ${report}`);
  }
  if (!process.stdout.isTTY) return;
  const perSecond = total.modules / ((Date.now() - began) / 1000);
  process.stdout.write(`\r\x1b[K${summary()}; ${perSecond.toFixed(1)} modules a second`);
}

function clear(): void {
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
}

function summary(): string {
  const notCompared = [...skipped.values()].reduce((sum, each) => sum + each, 0);
  return `${total.modules} modules the same, ${total.failed} different, ${notCompared} not compared`;
}

clear();
console.log(`${summary()} in ${((Date.now() - began) / 60_000).toFixed(1)} minutes from seed ${seed}`);
console.log(`  ${total.calls} calls compared, with ${total.waits} waits; ${total.gates} waits of fibers at once`);
for (const [why, times] of [...skipped].toSorted(([, a], [, b]) => b - a))
  console.log(`  not compared: ${times} ${why}`);
if (total.modules + total.failed === 0) console.log('FAILED: nothing was compared');
process.exitCode = total.failed === 0 && total.modules > 0 ? 0 : 1;
