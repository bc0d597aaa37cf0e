/** This package on Asyncify, with its tasks and its values. */
import type { FiberExports, UntypedExports } from '../../host/index.ts';
import { wait, type Driver, type Run } from '../driver.ts';
import { fibersDriver } from '../fibers.ts';
import { computing } from '../lua.ts';

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
  ...fibersDriver('asyncify'),
  ...computing('asyncify'),
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
};

export default driver;
