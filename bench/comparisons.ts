/**
 * The rows of docs/backends.md: many ways of doing the same, each as a multiple of the first. Targets are those of this
 * package on JSPI.
 */
import type { Clock } from './contest.ts';
import type { Operation } from './driver.ts';
import { WORKLOADS } from './lua.ts';

export interface Comparison {
  /** For `--row`. */
  readonly name: string;
  readonly title: string;
  /** The heading of each driver's column. The first is what the others are divided by. */
  readonly drivers: ReadonlyMap<string, string>;
  readonly cases: readonly ComparedCase[];
  /** The oldest Node that can do it. */
  readonly since: number;
  /** Milliseconds of one driver in one round; as for all others if nothing is said. */
  readonly budget?: number;
  /** What is measured; processor time if nothing is said. */
  readonly clock?: Clock;
}

export interface ComparedCase {
  readonly label: string;
  readonly operation: Operation;
  readonly size: number;
  /** At most this multiple, by driver. */
  readonly targets: Readonly<Record<string, number>>;
}

/** The first Node that has JSPI without a flag. */
const FIRST_JSPI = 24;

const JSPI: readonly [string, string] = ['wasm-fibers-jspi', 'wasm-fibers on JSPI'];
const ASYNCIFY: readonly [string, string] = ['wasm-fibers', 'wasm-fibers on Asyncify'];
const RAW: readonly [string, string] = ['jspi', 'raw JSPI'];
const FLOORS: readonly (readonly [string, string])[] = [
  ['floor-shared', 'least, cannot be cancelled'],
  ['floor-own', 'least, can be cancelled'],
  ['floor-guess', 'least, guesses'],
];

const SWITCH = { [JSPI[0]]: 1.3 };
const ENTER = { [JSPI[0]]: 1.2 };
const VALUE = { [JSPI[0]]: 0.25 };

export const COMPARISONS: readonly Comparison[] = [
  {
    name: 'backends-switch',
    title: 'One suspend and resume, in a loop',
    drivers: new Map([RAW, ...FLOORS, JSPI, ASYNCIFY]),
    since: FIRST_JSPI,
    cases: [
      { label: 'the promise is settled already', operation: 'loop', size: 0, targets: SWITCH },
      { label: 'an asynchronous function that awaits once', operation: 'loop', size: 1, targets: SWITCH },
      { label: 'a turn of the event loop (`setImmediate`)', operation: 'loop', size: 2, targets: SWITCH },
      { label: 'settled, 10 calls deep', operation: 'deep', size: 10, targets: SWITCH },
      { label: 'settled, 100 calls deep', operation: 'deep', size: 100, targets: SWITCH },
      { label: 'settled, ten guests at once', operation: 'many', size: 10, targets: SWITCH },
      { label: 'settled, a C guest with a buffer on its stack', operation: 'c', size: 0, targets: SWITCH },
      {
        label: 'settled, an AssemblyScript guest with a string',
        operation: 'assemblyscript',
        size: 0,
        targets: SWITCH,
      },
    ],
  },
  {
    name: 'backends-enter',
    title: 'One call of an export',
    drivers: new Map([RAW, ...FLOORS, JSPI, ASYNCIFY]),
    since: FIRST_JSPI,
    cases: [
      { label: 'that waits once, for a settled promise', operation: 'enter', size: 0, targets: ENTER },
      { label: 'that waits for an asynchronous function', operation: 'enter', size: 1, targets: ENTER },
      { label: 'that does not wait', operation: 'call', size: 0, targets: ENTER },
    ],
  },
  {
    name: 'backends-value',
    title: 'An import that returns a plain value',
    drivers: new Map([RAW, ...FLOORS, JSPI, ASYNCIFY]),
    since: FIRST_JSPI,
    cases: [
      { label: 'the import may return a promise', operation: 'value', size: 0, targets: VALUE },
      { label: 'the import may not', operation: 'note', size: 0, targets: {} },
    ],
  },
  {
    name: 'backends-compute',
    title: 'Lua 5.4, a program that never waits',
    drivers: new Map([['source', 'not instrumented'], JSPI, ASYNCIFY]),
    since: 20,
    cases: WORKLOADS.map(({ label }, size) => ({ label, operation: 'compute', size, targets: {} })),
  },
];
