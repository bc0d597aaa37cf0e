/** `npm run fuzz:plugins`: see HELP; trial.ts for what is done and what must hold. */
import { fileURLToPath } from 'node:url';
import { Campaign, byNumber } from '../campaign.ts';
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

const campaign = new Campaign(HELP);
const { seed, count, jobs } = campaign;

const total = { plugins: 0, calls: 0, slices: 0, restarts: 0, longest: 0 };
const outcomes = new Map<string, number>();
const skipped = new Map<string, number>();

console.log(
  `fuzz:plugins: seed ${seed}${count === Infinity ? '' : `, ${count} plugins`}, Node ${process.versions.node}`,
);

function resultOf(done: Done<TrialResult>): TrialResult {
  if ('result' in done) return done.result;
  const what = `${done.phase} ${done.lost}`;
  return done.phase === 'generating' ? { kind: 'skipped', why: what } : { kind: 'broken', what };
}

function add(counts: Map<string, number>, name: string, by: number): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}

const worker = fileURLToPath(new URL('worker.js', import.meta.url));
await share<number, TrialResult>(worker, jobs, campaign.seeds(), (seed, done) => {
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
    campaign.failures += 1;
    console.log(`\nFAILED: seed ${seed}\n${result.what}\n  again: npm run fuzz:plugins -- --seed ${seed} --count 1`);
  }
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${total.plugins} held, ${campaign.failures} broke`);
});

if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
console.log(
  `${total.plugins} plugins held, ${campaign.failures} broke, in ${campaign.minutes} minutes from seed ${seed}`,
);
console.log(
  `  ${total.calls} calls in ${total.slices} slices, ${total.restarts} instances made anew; the thread was held for ${total.longest.toFixed(1)} ms at most`,
);
console.log(
  `  ended: ${byNumber(outcomes)
    .map(([outcome, times]) => `${times} ${outcome}`)
    .join(', ')}`,
);
for (const [why, times] of byNumber(skipped)) console.log(`  not tried: ${times} ${why}`);
if (total.plugins + campaign.failures === 0) console.log('FAILED: nothing was tried');
process.exitCode = campaign.failures === 0 && total.plugins > 0 ? 0 : 1;
