/** `npm run fuzz:plugins`: see HELP; trial.ts for what is done and what must hold. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Done, share } from '../processes.ts';
import type { TrialResult } from './trial.ts';

const HELP = `npm run fuzz:plugins -- [options]

Random modules are loaded as plugins, with random host functions and low limits, and their calls are cancelled, timed out and run
out of fuel at random moments. Every call must end, in a known way; nothing may hold the thread longer than two slices, change
anything of the host, or disturb the plugin beside it.

  --minutes N   for so long; 1 unless there is a --count
  --count N     so many plugins
  --seed S      the seed of the first plugin; those that follow count up. One that is new is taken, and printed, if not given
  --jobs N      so many processes at once; 1 if not given
  --help        this

  npm run fuzz:plugins -- --seed 7 --count 1     the plugin of seed 7 again

The seed decides everything but the time: how far a call has come when it is cancelled may differ. Exit codes: 0 all held, 1
something broke or nothing was tried, 2 usage.`;

function readOptions(): Partial<Record<'minutes' | 'seed' | 'count' | 'jobs', string>> & { help?: boolean } {
  const string = { type: 'string' } as const;
  try {
    return parseArgs({
      options: { minutes: string, seed: string, count: string, jobs: string, help: { type: 'boolean', short: 'h' } },
    }).values;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    return process.exit(2);
  }
}

const options = readOptions();
if (options.help === true) {
  console.log(HELP);
  process.exit(0);
}

function number(name: 'minutes' | 'seed' | 'count' | 'jobs', otherwise: number): number {
  const value = Number(options[name] ?? otherwise);
  if (value >= 0 && (name === 'minutes' || Number.isSafeInteger(value) || value === Infinity)) return value;
  console.error(`--${name}: ${options[name]} is no such number`);
  return process.exit(2);
}

const MOST_FAILURES = 20;
const count = number('count', Infinity);
const minutes = number('minutes', options.count === undefined ? 1 : Infinity);
const seed = number('seed', Math.floor(Date.now() / 1000) * 1000);
const jobs = Math.max(1, Math.min(number('jobs', 1), count));
const began = Date.now();
const until = began + minutes * 60_000;

const total = { plugins: 0, calls: 0, slices: 0, restarts: 0, broken: 0, longest: 0 };
const outcomes = new Map<string, number>();
const skipped = new Map<string, number>();

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort());

console.log(
  `fuzz:plugins: seed ${seed}${count === Infinity ? '' : `, ${count} plugins`}, Node ${process.versions.node}`,
);

function* seeds(): Generator<number> {
  for (let offset = 0; offset < count && Date.now() < until && total.broken < MOST_FAILURES; offset++) {
    if (interruption.signal.aborted) return;
    yield seed + offset;
  }
}

function resultOf(done: Done<TrialResult>): TrialResult {
  if ('result' in done) return done.result;
  const what = `${done.phase} ${done.lost}`;
  return done.phase === 'generating' ? { kind: 'skipped', why: what } : { kind: 'broken', what };
}

function add(counts: Map<string, number>, name: string, by: number): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}

const worker = fileURLToPath(new URL('worker.js', import.meta.url));
await share<number, TrialResult>(worker, jobs, seeds(), (seed, done) => {
  const result = resultOf(done);
  if (result.kind === 'held') {
    total.plugins += 1;
    total.calls += result.calls;
    total.slices += result.slices;
    total.restarts += result.restarts;
    total.longest = Math.max(total.longest, result.longest);
    for (const [outcome, times] of result.outcomes) add(outcomes, outcome, times);
  } else if (result.kind === 'skipped') {
    add(skipped, result.why, 1);
  } else {
    total.broken += 1;
    console.log(`\nFAILED: seed ${seed}\n${result.what}\n  again: npm run fuzz:plugins -- --seed ${seed} --count 1`);
  }
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${total.plugins} held, ${total.broken} broke`);
});

if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
const took = ((Date.now() - began) / 60_000).toFixed(1);
console.log(`${total.plugins} plugins held, ${total.broken} broke, in ${took} minutes from seed ${seed}`);
console.log(
  `  ${total.calls} calls in ${total.slices} slices, ${total.restarts} instances made anew; the thread was held for ${total.longest.toFixed(1)} ms at most`,
);
const byNumber = (counts: ReadonlyMap<string, number>): [string, number][] =>
  [...counts].toSorted(([, a], [, b]) => b - a);
console.log(
  `  ended: ${byNumber(outcomes)
    .map(([outcome, times]) => `${times} ${outcome}`)
    .join(', ')}`,
);
for (const [why, times] of byNumber(skipped)) console.log(`  not tried: ${times} ${why}`);
if (total.plugins + total.broken === 0) console.log('FAILED: nothing was tried');
process.exitCode = total.broken === 0 && total.plugins > 0 ? 0 : 1;
