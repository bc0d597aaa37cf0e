/** `npm run fuzz`: see HELP; case.ts for what is varied, and compare.ts for what is compared. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { share } from '../processes.ts';
import type { Done } from '../processes.ts';
import { ALL_LEVELS } from '../variants.ts';
import type { Level, Way } from '../variants.ts';
import { commandFor } from './report.ts';
import type { Finished } from './worker.ts';

const HELP = `npm run fuzz -- [options]

Random modules must do the same as they are and instrumented, whichever of their imports wait. Each case has a seed, from
which all of it follows: the module (Binaryen's fuzzer, then random passes), the level and the way of instrumenting, which
imports may wait and when, and what they answer. Compared are the outcome of every call, the imports called and with what,
the memory and the globals; and, with several fibers of one guest at once, what happened in which order.

  --minutes N   for so long; 1 unless there is a --count
  --count N     so many cases
  --seed S      the seed of the first case; those that follow count up. One that is new is taken, and printed, if not given
  --jobs N      so many processes at once; 1 if not given
  --help        this

  npm run fuzz -- --minutes 10 --jobs 2     as many as there is time for
  npm run fuzz -- --seed 7 --count 1        the case of seed 7 again

Newer engines run more: with JSPI that way is tried too, and with garbage-collected types modules that have them. A case
that was not compared is counted by why. A difference is printed with the command that shows it again, and a report with
the module, and a smaller one if there is any, is left in build/fuzz. Interrupted, it ends with what it has. Exit codes: 0 all the same, 1 a difference or nothing
compared, 2 usage.`;

const options = readOptions();
if (options.help === true) {
  console.log(HELP);
  process.exit(0);
}

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

function number(name: 'minutes' | 'seed' | 'count' | 'jobs', otherwise: number): number {
  const value = Number(options[name] ?? otherwise);
  if (value >= 0 && (name === 'minutes' || Number.isSafeInteger(value) || value === Infinity)) return value;
  console.error(`--${name}: ${options[name]} is no such number`);
  return process.exit(2);
}

/** Milliseconds, for a log. */
const REPORT_EVERY = 60_000;

/** More failures than this tell nothing new. */
const MOST_FAILURES = 20;

const count = number('count', Infinity);
const minutes = number('minutes', options.count === undefined ? 1 : Infinity);
const seed = number('seed', Math.floor(Date.now() / 1000) * 1000);
const jobs = Math.max(1, Math.min(number('jobs', 1), count));
const until = Date.now() + minutes * 60_000;

const total = { modules: 0, calls: 0, waits: 0, gates: 0, failed: 0 };
const skipped = new Map<string, number>();
/** How often each way was compared at each level. */
const compared = new Map<Way, Map<Level, number>>();
const began = Date.now();

console.log(`fuzz: seed ${seed}${count === Infinity ? '' : `, ${count} modules`}, Node ${process.versions.node}`);
const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort());
let reported = began;

const worker = fileURLToPath(new URL('worker.js', import.meta.url));
await share<number, Finished>(worker, jobs, seeds(), (seed, done) => take(seed, finished(done)));

/** In order, while there is time. */
function* seeds(): Generator<number> {
  for (
    let offset = 0;
    offset < count && Date.now() < until && !interruption.signal.aborted && total.failed < MOST_FAILURES;
    offset++
  ) {
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
    for (const { way, level } of result.forms) {
      const levels = compared.get(way) ?? new Map<Level, number>();
      compared.set(way, levels.set(level, (levels.get(level) ?? 0) + 1));
    }
  } else if (result.kind === 'skipped') {
    skipped.set(result.why, (skipped.get(result.why) ?? 0) + 1);
  } else {
    total.failed += 1;
    clear();
    console.log(`\nFAILED: seed ${seed}\n${result.what}\n  again: ${commandFor(seed)}`);
    if (report !== null) console.log(`  report: ${report}`);
  }
  if (!process.stdout.isTTY) {
    if (Date.now() - reported < REPORT_EVERY) return;
    reported = Date.now();
    console.log(`up to seed ${seed}: ${summary()}`);
    return;
  }
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
for (const [way, levels] of compared) {
  const each = ALL_LEVELS.map((level) => `${levels.get(level) ?? 0} at ${level}`);
  console.log(`  ${way}: ${each.join(', ')}`);
}
for (const [why, times] of [...skipped].toSorted(([, a], [, b]) => b - a))
  console.log(`  not compared: ${times} ${why}`);
if (total.modules + total.failed === 0) console.log('FAILED: nothing was compared');
process.exitCode = total.failed === 0 && total.modules > 0 ? 0 : 1;
