// npm start: two hundred calls of synchronous code in one WebAssembly instance, all at once, each waiting for HTTP in the
// middle of a sort. First some of them one after another, so that there is something to compare with.
//
//   npm start -- --fibers 50 --alone 5
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Guest, instantiate } from 'wasm-fibers';
import { compile } from './compile.ts';
import { makeImports } from './imports.ts';
import { Recorder } from './record.ts';
import { JOBS, startServer } from './server.ts';
import { timeline } from './timeline.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const MODULES = fileURLToPath(new URL('.', import.meta.url));
const SOURCES = ['assembly/fibers.ts', 'assembly/examples/sort.ts'];
const COLUMNS = 64;
/** Bars of the many that are shown. */
const BARS = 10;

interface Exports {
  _start(): void;
  run(job: number): void;
}

const { values } = parseArgs({
  options: { fibers: { type: 'string', default: '200' }, alone: { type: 'string', default: '10' } },
});
const fibers = count('fibers');
const alone = Math.min(count('alone'), JOBS);

function count(name: 'fibers' | 'alone'): number {
  const given = Number(values[name]);
  if (Number.isInteger(given) && given > 0) return given;
  console.error(`--${name} takes a whole number above zero, not '${values[name]}'`);
  process.exit(2);
}

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`;
const jobs = (n: number): string => `${n} job${n === 1 ? '' : 's'}`;

async function timed<T>(work: () => Promise<T>): Promise<[took: number, result: T]> {
  const start = performance.now();
  const result = await work();
  return [performance.now() - start, result];
}

console.log(`Compiling ${SOURCES.join(' and ')}, and instrumenting the result ...`);
const [compiling, { functions, size }] = await timed(() => compile(ROOT, SOURCES, MODULES, ['env.http_get']));
console.log(
  `  ${seconds(compiling)}: ${functions.instrumented} of ${functions.total} functions can be suspended, ` +
    `${(size.before / 1000).toFixed(1)} kB became ${(size.after / 1000).toFixed(1)} kB`,
);

await using server = await startServer(ROOT);
console.log(`Serving this repository's sources at ${server.url}, each answer after 20 to 40 ms`);

const recorder = new Recorder();
const results = new Map<number, string>();
const imports = makeImports(
  server.url,
  // The guest exists before it calls anything.
  () => guest as unknown as Guest,
  (job, text) => results.set(job, text),
);
const module = new URL('sort.fibers.wasm', import.meta.url);
const guest: Guest<Exports> = await instantiate<Exports>(module, imports, { onEvent: recorder.onEvent });
await guest.exports._start();
const run = (job: number): Promise<void> => guest.spawn('run', [job], { name: `job ${job}` }).result;

console.log(`\nRunning ${jobs(alone)} one after another: each sorts files by sizes that it asks for by HTTP ...`);
recorder.take();
const [tookAlone] = await timed(async () => {
  for (let job = 0; job < alone; job++) await run(job);
});
const tracksAlone = recorder.take();
const expected = new Map(results);
const requestsAlone = server.requests;
results.clear();

console.log(`Running ${jobs(fibers)} at once, in the same instance ...`);
const sampling = setInterval(() => recorder.look(guest.dump()), 20);
const [tookTogether] = await timed(() => Promise.all(Array.from({ length: fibers }, (_, job) => run(job))));
clearInterval(sampling);
const { suspensions, peak } = recorder;
const tracksTogether = recorder.take();

const plain = process.stdout.isTTY !== true;
const step = Math.floor(fibers / BARS) + 1;
const shown = tracksTogether.filter((_, i) => i % step === 0);
console.log('\nOne after another');
for (const line of timeline(tracksAlone, COLUMNS, plain)) console.log(`  ${line}`);
console.log(`At once, ${shown.length} of the ${fibers} (${plain ? '#: went on, -: waited' : '█ went on, ░ waited'})`);
for (const line of timeline(shown, COLUMNS, plain)) console.log(`  ${line}`);

const each = { alone: tookAlone / alone, together: tookTogether / fibers };
const figures: readonly (readonly [string, string])[] = [
  [
    'one after another',
    `${jobs(alone)} in ${seconds(tookAlone)}; ${fibers} would take ${seconds(each.alone * fibers)}`,
  ],
  ['at once', `${jobs(fibers)} in ${seconds(tookTogether)}, ${(each.alone / each.together).toFixed(0)} times as fast`],
  ['requests', `${server.requests - requestsAlone}`],
  [
    'suspensions',
    `${suspensions}, ${(suspensions / fibers).toFixed(0)} in each fiber; up to ${peak.suspended} at once`,
  ],
  ['suspended fiber', `holds ${(peak.bytes / peak.suspended).toFixed(0)} bytes of stack, ${peak.largest} at most`],
];
console.log('');
for (const [name, value] of figures) console.log(`  ${name.padEnd(18)} ${value}`);

// Jobs repeat, so that every one of those at once has a twin that ran undisturbed.
const twins = [...results].filter(([job]) => expected.has(job % JOBS));
const same = twins.filter(([job, text]) => expected.get(job % JOBS) === text);
console.log(`  ${'results'.padEnd(18)} ${same.length} of ${twins.length} are what the same job gave when it ran alone`);
console.log(
  `\nThe last of job 0, a file and its size with that of what it imports: ${results.get(0)?.split('\n').at(-1)}`,
);
await guest.dispose();
if (results.size !== fibers || same.length !== twins.length) process.exitCode = 1;
