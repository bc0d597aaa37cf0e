/** `npm run fuzz`: see HELP; case.ts for what is varied, and compare.ts for what is compared. */
import { fileURLToPath } from 'node:url';
import { Campaign, byNumber } from '../campaign.ts';
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

/** Milliseconds, for a log. */
const REPORT_EVERY = 60_000;

const campaign = new Campaign(HELP);
const { seed, count, jobs, began } = campaign;

const total = { modules: 0, calls: 0, waits: 0, gates: 0 };
const skipped = new Map<string, number>();
/** How often each way was compared at each level. */
const compared = new Map<Way, Map<Level, number>>();

console.log(`fuzz: seed ${seed}${count === Infinity ? '' : `, ${count} modules`}, Node ${process.versions.node}`);
let reported = began;

const worker = fileURLToPath(new URL('worker.js', import.meta.url));
await share<number, Finished>(worker, jobs, campaign.seeds(), (seed, done) => take(seed, finished(done)));

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
    campaign.failures += 1;
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
  return `${total.modules} modules the same, ${campaign.failures} different, ${notCompared} not compared`;
}

clear();
console.log(`${summary()} in ${campaign.minutes} minutes from seed ${seed}`);
console.log(`  ${total.calls} calls compared, with ${total.waits} waits; ${total.gates} waits of fibers at once`);
for (const [way, levels] of compared) {
  const each = ALL_LEVELS.map((level) => `${levels.get(level) ?? 0} at ${level}`);
  console.log(`  ${way}: ${each.join(', ')}`);
}
for (const [why, times] of byNumber(skipped)) console.log(`  not compared: ${times} ${why}`);
if (total.modules + campaign.failures === 0) console.log('FAILED: nothing was compared');
process.exitCode = campaign.failures === 0 && total.modules > 0 ? 0 : 1;
