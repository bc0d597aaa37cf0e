/** This package, as it is used. */
import { type FiberExports, instantiate, type UntypedExports } from '../../host/index.ts';
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

/** The same. */
async function values(which: 'take' | 'give', size: number, fiber: boolean): Promise<Run> {
  const { instantiate } = await import('../../host/assemblyscript/index.ts');
  const { loadValues, VALUE_CASES } = await import('../values-guest.ts');
  const { exports, sync } = await instantiate<UntypedExports>(loadValues('values'), { env: { wait } });
  const test = VALUE_CASES[size];
  if (test === undefined) throw new Error(`there is no case ${size}`);
  const { value, [which]: name } = test;
  if (fiber) {
    return async (times) => {
      for (let i = 0; i < times; i++) await exports[name]?.(value);
    };
  }
  return async (times) => {
    for (let i = 0; i < times; i++) sync[name]?.(value);
  };
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
  lower: (size) => values('take', size, false),
  lift: (size) => values('give', size, false),
  lowerFiber: (size) => values('take', size, true),
  liftFiber: (size) => values('give', size, true),
  ...(isBuilt('c') && { c: () => loopIn('c') }),
  ...(isBuilt('assemblyscript') && { assemblyscript: () => loopIn('assemblyscript') }),
};

export default driver;
