/** The row `plugin-calls`: what it takes to call a small plugin, against the same plugin in quickjs-emscripten. */
import type { ComparedCase, Comparison } from './comparisons.ts';
import type { Driver } from './driver.ts';
import { check, INPUT, type Job, type Translate, translation } from './plugin-job.ts';

/** Calls at once. */
const MANY = 100;
/** Milliseconds: a call goes through much code, which engines compile only when it has run some ten thousand times. */
const BUDGET = 200;

export function pluginDriver(open: (translate: Translate) => Promise<Job>): Driver {
  const opened = async (milliseconds: number): Promise<Job> => check(await open(translation(milliseconds)));
  return {
    async pluginNumber() {
      const job = await opened(0);
      return async (times) => {
        for (let i = 0; i < times; i++) {
          const result = job.next(i);
          if (typeof result !== 'number') await result;
        }
      };
    },
    async pluginText() {
      const job = await opened(0);
      return async (times) => {
        for (let i = 0; i < times; i++) {
          const result = job.shout(INPUT);
          if (typeof result !== 'string') await result;
        }
      };
    },
    async pluginWait(milliseconds) {
      const job = await opened(milliseconds);
      return async (times) => {
        for (let i = 0; i < times; i++) await job.shoutInGerman(INPUT);
      };
    },
    async pluginWaits(milliseconds) {
      const job = await opened(milliseconds);
      const all = async (count: number): Promise<void> => {
        if (job.waitsTogether) await Promise.all(Array.from({ length: count }, () => job.shoutInGerman(INPUT)));
        else for (let i = 0; i < count; i++) await job.shoutInGerman(INPUT);
      };
      return async (times) => {
        for (let done = 0; done < times; done += MANY) await all(Math.min(MANY, times - done));
      };
    },
  };
}

const CASES: readonly ComparedCase[] = [
  { label: 'a number in, a number out', operation: 'pluginNumber', size: 0, targets: {} },
  { label: '100 bytes of text in, 101 out', operation: 'pluginText', size: 0, targets: {} },
  { label: 'the same, waiting for a host function once', operation: 'pluginWait', size: 0, targets: {} },
  { label: `${MANY} such calls at once, each`, operation: 'pluginWaits', size: 0, targets: {} },
];

const DRIVERS = new Map([
  ['quickjs', 'quickjs-emscripten 0.32'],
  ['plugin-asyncify', 'wasm-fibers, Asyncify'],
  ['plugin-jspi', 'wasm-fibers, JSPI'],
]);

export const PLUGIN_CALLS: Comparison = {
  name: 'plugin-calls',
  title: 'One call of a plugin, processor time',
  drivers: DRIVERS,
  since: 20,
  cases: CASES,
  budget: BUDGET,
};

/** By the clock on the wall: what is saved by waiting at the same time is no work. */
export const PLUGIN_WAITS: Comparison = {
  name: 'plugin-waits',
  title: 'One call of a plugin that waits for 1 ms, by the clock',
  drivers: DRIVERS,
  since: 20,
  cases: [
    { label: 'one after the other', operation: 'pluginWait', size: 1, targets: {} },
    { label: `${MANY} at once, each`, operation: 'pluginWaits', size: 1, targets: {} },
  ],
  budget: BUDGET,
  clock: 'wall',
};
