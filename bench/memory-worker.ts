/**
 * The process in which many calls are suspended at once: `memory-worker.js DRIVER COUNT DEPTH`, with --expose-gc. Each
 * waits for a promise of its own, that many calls deep, whose resolver is kept, and each result is held by its caller.
 * Afterwards all are resumed and their results added up, so that nothing can have been optimised or collected away. Says
 * how many bytes each took, or the code of the error with which one was refused.
 */
import { FiberError, instantiate } from '../host/index.ts';
import { load, value, type Exports } from './driver.ts';
import { jspi, promisingExports } from './jspi.ts';

/** Calls before the measurement, so that what is made once has been. */
const FIRST = 1000;

const [driver, wanted, levels] = process.argv.slice(2);
const count = Number(wanted);
const depth = Number(levels);
const resolvers: ((value: number) => void)[] = [];
const results: unknown[] = [];
const wait = (): Promise<number> => new Promise((resolve) => resolvers.push(resolve));

/** The same in JavaScript. */
async function deep(level: number): Promise<number> {
  return level > 0 ? 1 + (await deep(level - 1)) : await wait();
}

/** A call of which the result is that of its `wait`, and one for each level. */
type Call = () => Promise<unknown>;

async function start(): Promise<Call> {
  if (driver === 'await') return () => deep(depth);
  if (driver === 'jspi') {
    if (jspi === null) throw new Error('this engine has no JSPI');
    const imports = { env: { wait: new jspi.Suspending(wait), note: value } } as WebAssembly.Imports;
    return callOf(promisingExports(await WebAssembly.instantiate(load('plain'), imports)));
  }
  const backend = driver === 'wasm-fibers-jspi' ? 'jspi' : 'asyncify';
  const options = { backend, maxFibers: count + FIRST } as const;
  const module = load(backend === 'jspi' ? 'jspi' : 'fibers');
  const { exports } = await instantiate<Exports<number>>(module, { env: { wait, note: value } }, options);
  return callOf(exports);
}

function callOf({ once, loop_deep: loop }: Pick<Exports<Promise<unknown>>, 'once' | 'loop_deep'>): Call {
  return depth === 0 ? () => once(0) : () => loop(1, depth);
}

function used(): { heap: number; resident: number } {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('memory-worker.js needs node --expose-gc');
  gc();
  gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, resident: rss };
}

async function measure(): Promise<unknown> {
  const call = await start();
  for (let i = 0; i < FIRST; i++) results.push(call());
  const before = used();
  for (let i = 0; i < count; i++) results.push(call());
  const after = used();
  for (const [i, resolve] of resolvers.entries()) resolve(i);
  let sum = 0;
  for (const result of await Promise.all(results)) sum += Number(result) - depth;
  const all = count + FIRST;
  if (sum !== (all * (all - 1)) / 2) throw new Error(`The results add up to ${sum}.`);
  return { heap: (after.heap - before.heap) / count, resident: (after.resident - before.resident) / count };
}

function refusal(error: unknown): unknown {
  if (error instanceof FiberError) return error.code;
  throw error;
}

process.send?.(await measure().catch(refusal), () => process.exit());
