// Waiting for asynchronous code in a function that is not asynchronous, as the question that this project comes from wants
// it, and what the answer of then, a nested event loop, gets wrong.
//
//   npm run example 05
//   npm run example 05 -- --a 100 --b 1000
import { setTimeout } from 'node:timers/promises';
import { readNumbers } from '../arguments.ts';
import { instantiate } from './nested-await.js';
import { NestedLoop } from './nested-loop.ts';

/** How long A and B wait, in milliseconds, and how many wait at once in the end. */
const { a, b, many } = readNumbers({ a: 50, b: 400, many: 20_000 });
/** When B starts, in milliseconds: A waits by then. */
const LATER = 10;
const COLUMNS = 40;

/** When A and B began and ended; milliseconds since the start. */
type Span = readonly [began: number, ended: number];

function nested(): readonly [Span, Span] {
  const loop = new NestedLoop();
  const start = performance.now();
  const spans: Span[] = [];
  const task = (name: 0 | 1, ms: number): void => {
    const began = performance.now() - start;
    loop.sleep(ms);
    spans[name] = [began, performance.now() - start];
  };
  loop.callLater(0, () => task(0, a));
  loop.callLater(LATER, () => task(1, b));
  loop.runUntilComplete(() => spans[0] !== undefined && spans[1] !== undefined);
  return spans as [Span, Span];
}

async function fibers(): Promise<readonly [Span, Span]> {
  const start = performance.now();
  const task = async (delay: number, ms: number): Promise<Span> => {
    await setTimeout(delay);
    const began = performance.now() - start;
    await guest.exports.waitFor(ms);
    return [began, performance.now() - start];
  };
  return Promise.all([task(0, a), task(LATER, b)]);
}

function show(title: string, [first, second]: readonly [Span, Span]): void {
  const end = Math.max(first[1], second[1]);
  const column = (time: number): number => Math.round((time / end) * COLUMNS);
  console.log(`   ${title}`);
  for (const [name, [began, ended]] of [['A', first] as const, ['B', second] as const]) {
    const bar = ' '.repeat(column(began)) + '='.repeat(Math.max(1, column(ended) - column(began)));
    console.log(`     ${name} ${bar.padEnd(COLUMNS)}  ended at ${ended.toFixed(0)} ms`);
  }
}

/** How many can wait at once in a nested loop: each is a part of the one stack. */
function nestedMany(): string {
  const loop = new NestedLoop();
  let waiting = 0;
  const next = (): void => {
    loop.callLater(0, next);
    waiting++;
    loop.sleep(3_600_000);
  };
  try {
    next();
    return `${waiting}`;
  } catch (error) {
    return `${waiting}, then ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
  }
}

// Each of those that wait is two fibers: the call from here, and the task that it starts and waits for.
const guest = await instantiate({}, { maxFibers: 2 * many });

console.log('1. coroutine() calls synchronousCode(), which waits for asynchronousCode(). It prints');
await guest.exports.coroutine();

console.log(`\n2. A waits ${a} ms. B, which starts ${LATER} ms later, waits ${b} ms.`);
show('a nested event loop: A cannot go on before B, which stands on its stack, has ended', nested());
const both = await fibers();
show('wasm-fibers', both);

console.log('\n3. How many can be in the middle of a wait at once');
console.log(`   a nested event loop  ${nestedMany()}`);
const start = performance.now();
const waits = Array.from({ length: many }, () => guest.exports.waitFor(20));
const ended = await Promise.all(waits);
console.log(`   wasm-fibers          ${ended.length}, all done after ${(performance.now() - start).toFixed(0)} ms`);

await guest.dispose();
// A ended in its own time, before B.
if (!(both[0][1] < both[1][1])) process.exitCode = 1;
