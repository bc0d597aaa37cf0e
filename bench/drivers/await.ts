/** The guest's functions as asynchronous JavaScript: what one pays who can rewrite everything. */
import { driverOf, value, type Driver, type Exports } from '../driver.ts';
import { tasks } from '../tasks-js.ts';

function translated(wait: (x: number) => unknown): Exports<Promise<unknown>> {
  const deep = async (depth: number, x: number): Promise<number> =>
    depth > 0 ? (1 + (await deep(depth - 1, x))) | 0 : ((await wait(x)) as number);
  return {
    once: async (x) => await wait(x),
    same: async (x) => x,
    async loop(n) {
      let sum = 0;
      for (; n > 0; n--) sum = (sum + ((await wait(n)) as number)) | 0;
      return sum;
    },
    async loop_deep(n, depth) {
      let sum = 0;
      for (; n > 0; n--) sum = (sum + (await deep(depth, n))) | 0;
      return sum;
    },
    async notes(n) {
      let sum = 0;
      for (; n > 0; n--) sum = (sum + value(n)) | 0;
      return sum;
    },
  };
}

const same: Driver = driverOf(async (wait) => translated(wait));

const driver: Driver = { ...same, ...tasks, ...(same.loop && { c: same.loop, assemblyscript: same.loop }) };

export default driver;
