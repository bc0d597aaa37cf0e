/** This package, as it is used. */
import { type FiberExports, instantiate } from '../../host/index.ts';
import { driverOf, isBuilt, load, value, wait, type Driver, type Exports, type Run } from '../driver.ts';

const module = load('fibers');

async function loopIn(name: 'c' | 'assemblyscript'): Promise<Run> {
  const imports = { env: { wait, abort: () => undefined } };
  const { exports } = await instantiate<Pick<Exports<number>, 'loop'>>(load(name), imports);
  return exports.loop;
}

interface Tasks {
  joins(n: number): number;
  yields(n: number): void;
  messages(n: number, capacity: number): number;
  handovers(n: number): void;
}

/** Loaded only where it is measured. */
async function tasks(): Promise<FiberExports<Tasks>> {
  const { instantiate } = await import('../../host/assemblyscript/index.ts');
  const { loadTasks } = await import('../tasks-guest.ts');
  return (await instantiate<Tasks>(loadTasks())).exports;
}

const driver: Driver = {
  ...driverOf(async (wait) => {
    const guest = await instantiate<Exports<number>>(module, { env: { wait, note: value } });
    return guest.exports;
  }),
  joins: async () => (await tasks()).joins,
  yields: async () => (await tasks()).yields,
  async messages(capacity) {
    const { messages } = await tasks();
    return (times) => messages(times, capacity);
  },
  handovers: async () => (await tasks()).handovers,
  ...(isBuilt('c') && { c: () => loopIn('c') }),
  ...(isBuilt('assemblyscript') && { assemblyscript: () => loopIn('assemblyscript') }),
};

export default driver;
