/**
 * What each way of waiting has to offer to be measured: the same operations with the same host functions. A driver is
 * loaded into a process of its own, so that no code is shared between two of them.
 */
import { existsSync, readFileSync } from 'node:fs';

/** Does the operation so many times. */
export type Run = (times: number) => Promise<unknown>;

export const OPERATIONS = [
  'loop',
  'c',
  'assemblyscript',
  'deep',
  'many',
  'enter',
  'call',
  'value',
  'note',
  'joins',
  'yields',
  'messages',
  'handovers',
  'lower',
  'lift',
  'lowerFiber',
  'liftFiber',
  'compute',
  'pluginNumber',
  'pluginText',
  'pluginWait',
  'pluginWaits',
] as const;

/**
 * - `loop`   suspends and resumes in one call, again and again, in host function number `size` of WAITS
 * - `c`, `assemblyscript`   the same in a guest of that language, with something on its shadow stack
 * - `deep`   the same, `size` calls deep
 * - `many`   the same in `size` guests at once
 * - `enter`  enters, suspends once and leaves; `size` as for `loop`
 * - `call`   enters and leaves, without a suspension
 * - `value`  calls an import that may return a promise and returns a plain value
 * - `note`   calls an import that may not return a promise
 * - `joins`  starts a task that returns at once, and waits for its result
 * - `yields`   lets the other one of two tasks go on
 * - `messages`  hands a value from one task to another, over a channel with room for `size`
 * - `handovers`  takes a lock for which another task waits, and gives it back
 * - `lower`, `lift`   passes a value of VALUE_CASES (values-guest.ts), number `size`, to the guest or back, in a `sync` call
 * - `lowerFiber`, `liftFiber`   the same in a call that is a fiber
 * - `compute`  does WORKLOADS number `size` (lua.ts), which never waits
 * - `pluginNumber`, `pluginText`   calls a plugin with a number, with text
 * - `pluginWait`  the same with text, and it waits for a host function that takes `size` milliseconds
 * - `pluginWaits`   the same in many calls at once
 */
export type Operation = (typeof OPERATIONS)[number];

/** A driver, by operation; what is missing cannot be had there. `size` as said above. */
export type Driver = Partial<Record<Operation, (size: number) => Promise<Run>>>;

/** Host functions. Each promise is a fresh one, as any real host function's is. */
export const wait = (x: number): Promise<number> => Promise.resolve(x);
export const value = (x: number): number => x;

/**
 * Host functions that wait for longer and longer, so that what a layer adds weighs less and less: the promise is settled
 * already; an asynchronous function awaits once; a turn of the event loop passes.
 */
export const WAITS: readonly ((x: number) => Promise<number>)[] = [
  wait,
  async (x) => await wait(x),
  (x) => new Promise((resolve) => setImmediate(resolve, x)),
];

function waitOf(size: number): (x: number) => Promise<number> {
  const found = WAITS[size];
  if (found === undefined) throw new Error(`there is no host function ${size}`);
  return found;
}

/** The builds of the guests: guests.ts says what each is. */
export type Build =
  | 'plain'
  | 'asyncify'
  | 'fibers'
  | 'jspi'
  | 'floor-shared'
  | 'floor-own'
  | 'floor-guess'
  | `${'c' | 'assemblyscript'}${'' | '-plain' | '-jspi'}`;

/** Compiled. */
export function load(name: Build): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(fileOf(name)));
}

export function isBuilt(name: Build): boolean {
  return existsSync(fileOf(name));
}

function fileOf(name: string): URL {
  return new URL(`../guests/bench/${name}.wasm`, import.meta.url);
}

/** The guest's exports, promise-returning or not. */
export interface Exports<P> {
  once(x: number): P;
  loop(n: number): P;
  loop_deep(n: number, depth: number): P;
  notes(n: number): P;
  same(x: number): P;
}

/** The operations of whoever calls the guest's exports and gets promises. `open` makes one more guest. */
export function driverOf(open: (wait: (x: number) => unknown) => Promise<Exports<Promise<unknown>>>): Driver {
  return {
    async loop(size) {
      const { loop } = await open(waitOf(size));
      return (times) => loop(times);
    },
    async deep(depth) {
      const { loop_deep: deep } = await open(wait);
      return (times) => deep(times, depth);
    },
    async many(guests) {
      const loops: ((n: number) => Promise<unknown>)[] = [];
      for (let i = 0; i < guests; i++) loops.push((await open(wait)).loop);
      return (times) => Promise.all(loops.map((loop) => loop(Math.ceil(times / guests))));
    },
    async enter(size) {
      const { once } = await open(waitOf(size));
      return async (times) => {
        for (let i = 0; i < times; i++) await once(i);
      };
    },
    async call() {
      const { same } = await open(wait);
      return async (times) => {
        for (let i = 0; i < times; i++) await same(i);
      };
    },
    async value() {
      const { loop } = await open(value);
      return (times) => loop(times);
    },
    async note() {
      const { notes } = await open(value);
      return (times) => notes(times);
    },
  };
}
