/**
 * The process in which a million calls are suspended at once: `memory-worker.js DRIVER COUNT`, with --expose-gc. Each
 * waits for a promise of its own, whose resolver is kept, and each result is held by its caller. Afterwards all are
 * resumed and their results added up, so that nothing can have been optimised or collected away.
 */
import { instantiate } from '../host/index.ts';
import { load, value, type Exports } from './driver.ts';

/** Calls before the measurement, so that what is made once has been. */
const FIRST = 1000;

const [driver, wanted] = process.argv.slice(2);
const count = Number(wanted);
const resolvers: ((value: number) => void)[] = [];
const results: unknown[] = [];
const wait = (): Promise<number> => new Promise((resolve) => resolvers.push(resolve));

async function once(x: number): Promise<number> {
  return (await wait()) + x - x;
}

async function start(): Promise<(x: number) => Promise<unknown>> {
  if (driver === 'await') return once;
  const imports = { env: { wait, note: value } };
  const { exports } = await instantiate<Exports<number>>(load('fibers'), imports, { maxFibers: count + FIRST });
  return exports.once;
}

function used(): { heap: number; resident: number } {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('memory-worker.js needs node --expose-gc');
  gc();
  gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, resident: rss };
}

const call = await start();
for (let i = 0; i < FIRST; i++) results.push(call(i));
const before = used();
for (let i = 0; i < count; i++) results.push(call(i));
const after = used();
for (const [i, resolve] of resolvers.entries()) resolve(i);
let sum = 0;
for (const each of results) sum += (await each) as number;
const all = count + FIRST;
if (sum !== (all * (all - 1)) / 2) throw new Error(`The results add up to ${sum}.`);
process.send?.({ heap: (after.heap - before.heap) / count, resident: (after.resident - before.resident) / count });
process.disconnect();
