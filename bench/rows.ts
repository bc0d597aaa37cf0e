/**
 * What is measured and what is to be reached: the rows of DESIGN that concern switching. A target is a ratio against
 * the peer in the same run, by the major version of Node.
 */
import type { Operation } from './driver.ts';
import { VALUE_CASES } from './values-guest.ts';

export const PEERS = ['await', 'asyncify-wasm', 'jspi', 'unwrapped', 'asc'] as const;
export type Peer = (typeof PEERS)[number];

export interface Case {
  readonly label: string;
  readonly operation: Operation;
  /** Calls deep, guests at once; 0 where it means nothing. */
  readonly size: number;
  /** At most this many times as long as the peer, by Node's major version. */
  readonly targets: Readonly<Record<number, Partial<Record<Peer, number>>>>;
}

export interface Row {
  /** For `--row`. */
  readonly name: string;
  readonly title: string;
  readonly peers: readonly Peer[];
  readonly cases: readonly Case[];
}

export const PEER_NAMES: Readonly<Record<Peer, string>> = {
  await: 'bare `await`',
  'asyncify-wasm': 'asyncify-wasm 1.2.1',
  jspi: 'raw JSPI',
  unwrapped: 'un-wrapped',
  asc: "asc's glue",
};

const VALUE_TARGETS = { 20: { asc: 1.5 }, 26: { asc: 1.5 } };

/** The last is the call alone, which has no target: it has no value to be lowered. */
function valueCases(operation: Operation, direction: 'to' | 'from', targets: Case['targets']): Case[] {
  return VALUE_CASES.map(({ label, value }, size) => ({
    label: `${label}, ${direction} the guest`,
    operation,
    size,
    targets: typeof value === 'number' ? {} : targets,
  }));
}

export const ROWS: readonly Row[] = [
  {
    name: 'switch',
    title: 'One suspend and resume, in a loop',
    peers: ['await', 'asyncify-wasm', 'jspi'],
    cases: [
      {
        label: 'in the exported function',
        operation: 'loop',
        size: 0,
        targets: { 20: { await: 1.8, 'asyncify-wasm': 0.5 }, 26: { await: 1.8, 'asyncify-wasm': 0.5, jspi: 0.9 } },
      },
      { label: 'a C guest, with a buffer on its stack', operation: 'c', size: 0, targets: {} },
      { label: 'an AssemblyScript guest, with a string', operation: 'assemblyscript', size: 0, targets: {} },
      { label: '10 calls deep', operation: 'deep', size: 10, targets: {} },
      { label: '100 calls deep', operation: 'deep', size: 100, targets: {} },
      {
        label: 'ten guests at once',
        operation: 'many',
        size: 10,
        targets: { 20: { await: 2.5 }, 26: { await: 2.5 } },
      },
    ],
  },
  {
    name: 'enter',
    title: 'Enter, one suspend and resume, leave',
    peers: ['await', 'asyncify-wasm', 'jspi'],
    cases: [
      {
        label: 'one call after the other',
        operation: 'enter',
        size: 0,
        targets: { 20: { 'asyncify-wasm': 1.1 }, 26: { 'asyncify-wasm': 0.8, jspi: 0.4 } },
      },
    ],
  },
  {
    name: 'value',
    title: 'An import that returns a plain value',
    peers: ['unwrapped', 'jspi'],
    cases: [
      {
        label: 'the import may return a promise',
        operation: 'value',
        size: 0,
        targets: { 20: { unwrapped: 2 }, 26: { unwrapped: 2 } },
      },
      {
        label: 'the import may not',
        operation: 'note',
        size: 0,
        targets: { 20: { unwrapped: 2 }, 26: { unwrapped: 2 } },
      },
    ],
  },
  {
    name: 'tasks',
    title: 'Tasks of the guest library (AssemblyScript)',
    peers: ['await'],
    cases: [
      { label: 'start a task and wait for its result', operation: 'joins', size: 0, targets: {} },
      { label: 'let the other one of two tasks go on', operation: 'yields', size: 0, targets: {} },
      { label: 'a value over a channel, hand to hand', operation: 'messages', size: 0, targets: {} },
      { label: 'a value over a channel with room for 64', operation: 'messages', size: 64, targets: {} },
      { label: 'a lock that two tasks want', operation: 'handovers', size: 0, targets: {} },
    ],
  },
  {
    name: 'values',
    title: 'A value between JavaScript and AssemblyScript, in a call of `guest.sync`',
    peers: ['asc'],
    cases: [...valueCases('lower', 'to', VALUE_TARGETS), ...valueCases('lift', 'from', VALUE_TARGETS)],
  },
  {
    name: 'values-fiber',
    title: 'The same in a call of `guest.exports`, which is a fiber',
    peers: ['asc'],
    cases: [...valueCases('lowerFiber', 'to', {}), ...valueCases('liftFiber', 'from', {})],
  },
];
