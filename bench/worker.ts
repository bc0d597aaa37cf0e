/**
 * The process in which one driver does one operation: `worker.js DRIVER OPERATION SIZE MILLISECONDS CLOCK`. It finds how often
 * it must do it to be busy for that long, says `true` when it is warm (`false` if the driver has no such operation), and
 * then answers each message with the nanoseconds that one operation took: of processor time, in all threads of the
 * process, since the clock on the wall also counts what other programs of the machine do. That clock is for what waits.
 */
import { type Driver, OPERATIONS, type Run } from './driver.ts';

/** Runs before the first that counts, so that the engine has compiled what it will. */
const WARM_UPS = 3;

const [name, wanted, size, budget, clock] = process.argv.slice(2);
const operation = OPERATIONS.find((each) => each === wanted);
if (name === undefined || operation === undefined)
  throw new Error('worker.js DRIVER OPERATION SIZE MILLISECONDS CLOCK');
const { default: driver } = (await import(`./drivers/${name}.js`)) as { default: Driver };
const open = driver[operation];
if (open === undefined) answer(false);
else await serve(await open(Number(size)));

async function serve(run: Run): Promise<void> {
  const enough = Number(budget) * 1e6;
  let times = 100;
  for (let spent = await measure(run, times); spent < enough; spent = await measure(run, times)) {
    times = Math.ceil(times * Math.min(10, Math.max(1.5, enough / Math.max(spent, 1))));
  }
  for (let i = 0; i < WARM_UPS; i++) await measure(run, times);
  process.on('message', () => void measure(run, times).then((spent) => answer(spent / times)));
  answer(true);
}

/** Nanoseconds. */
async function measure(run: Run, times: number): Promise<number> {
  if (clock === 'wall') {
    const start = performance.now();
    await run(times);
    return (performance.now() - start) * 1e6;
  }
  const start = process.cpuUsage();
  await run(times);
  const { user, system } = process.cpuUsage(start);
  return (user + system) * 1000;
}

function answer(message: boolean | number): void {
  process.send?.(message);
  if (message === false) process.disconnect();
}
