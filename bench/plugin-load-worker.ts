/**
 * The process that loads a plugin and calls it once: `plugin-load-worker.js WAY`. What it says is what that took from before the
 * library was imported to the result.
 */
import { check, INPUT, type Job, translation } from './plugin-job.ts';

/** Milliseconds, by the clock and of processor time in all threads. */
export interface LoadTime {
  readonly clock: number;
  readonly processor: number;
}

export type LoadWay = 'quickjs' | `${'asyncify' | 'jspi'}${'' | '-ready'}`;

const translate = translation(0);

async function open(way: LoadWay): Promise<Job> {
  if (way === 'quickjs') return (await import('./quickjs-host.ts')).openQuickJS(translate);
  const { openPlugin } = await import('./plugin-host.ts');
  return openPlugin(way.startsWith('jspi') ? 'jspi' : 'asyncify', translate, way.endsWith('-ready'));
}

const started = performance.now();
const used = process.cpuUsage();
const job = await open(process.argv[2] as LoadWay);
await job.shout(INPUT);
const clock = performance.now() - started;
const { user, system } = process.cpuUsage(used);
await check(job);
const time: LoadTime = { clock, processor: (user + system) / 1000 };
process.send?.(time, () => process.exit());
