/**
 * Lets the forms of one module do the same and compares all that can be seen of them: the outcome of every call, the imports
 * called and with what, the memory and the globals after it.
 */
import { setImmediate } from 'node:timers/promises';
import { TOO_DEEP, returned, threw } from '../outcome.ts';
import type { Random } from '../random.ts';
import { Gates } from './subjects.ts';
import type { Argument, Callable, Fibers, Subject } from './subjects.ts';

/** The part of the memory that is the runtime's. */
export interface Room {
  readonly from: number;
  readonly to: number;
}

export interface Counts {
  calls: number;
  waits: number;
  /** Waits of several fibers of one guest at once. */
  gates: number;
}

/** What differs, for people. */
export class Difference extends Error {}

/** The engine's stack has ended, and nothing can be compared any more. */
export class TooDeep extends Error {}

const VALUES = [0, 1, -1, 2, 7, 16, 100, -100, 65_536, 2 ** 31 - 1, -(2 ** 31), 0.5, -0, NaN] as const;

function argument(random: Random, type: string): Argument {
  const value = random.chance(0.7) ? random.pick(VALUES) : random.next() | 0;
  return type === 'i64' ? BigInt(Math.round(Number.isNaN(value) ? 0 : value)) : value;
}

export async function compareCalls(
  expected: Subject,
  subjects: readonly Subject[],
  callables: readonly Callable[],
  room: Room,
  random: Random,
  counts: Counts,
  note: (phase: 'running the original' | 'comparing') => void,
): Promise<void> {
  for (let round = 0; round < 2; round++) {
    for (const { name, params } of random.shuffled(callables)) {
      const args = params.map((type) => argument(random, type));
      const what = `${name}(${args.join(', ')}) of round ${round}`;
      for (const { host } of [expected, ...subjects]) host.trace.length = 0;
      note('running the original');
      const outcome = await expected.call(name, args);
      note('comparing');
      // At the same time: guests have nothing in common.
      const outcomes = await Promise.all(subjects.map((each) => each.call(name, args)));
      if ([outcome, ...outcomes].includes(TOO_DEEP)) throw new TooDeep();
      for (const [index, subject] of subjects.entries()) {
        const where = `${what}, ${subject.name}`;
        sameLines(`the imports called by ${where}`, expected.host.trace, subject.host.trace);
        same(`the outcome of ${where}`, outcome, outcomes[index] ?? '');
        same(`the globals after ${where}`, expected.globals(), subject.globals());
        sameMemory(`the memory after ${where}`, expected.memory, subject.memory, room);
        counts.calls += 1;
      }
    }
  }
  for (const { host } of subjects) counts.waits += host.waits;
}

/**
 * Several fibers of one guest at once, in an order that the seed decides. What is right then, no original can say; but forms
 * that were instrumented differently must agree.
 */
export async function compareBursts(
  subjects: readonly Fibers[],
  callables: readonly Callable[],
  room: Room,
  random: Random,
  counts: Counts,
): Promise<void> {
  const calls = random
    .shuffled([...callables, ...callables])
    .slice(0, 2 + random.below(12))
    .map(({ name, params }) => ({ name, args: params.map((type) => argument(random, type)) }));
  const seed = random.next();
  const probability = random.pick([0.2, 0.5, 0.9]);
  const traces: string[][] = [];
  for (const subject of subjects) {
    const gates = new Gates(random.fork(`gates ${seed}`), probability);
    traces.push(await burst(subject, gates, calls));
  }
  const [first, ...others] = subjects;
  if (first === undefined) return;
  if (traces.some((trace) => trace.some((line) => line.endsWith(TOO_DEEP)))) throw new TooDeep();
  for (const [index, subject] of others.entries()) {
    const where = `${calls.length} fibers at once, ${first.name} and ${subject.name}`;
    sameLines(`what happened with ${where}`, traces[0] ?? [], traces[index + 1] ?? []);
    same(`the globals after ${where}`, first.globals(), subject.globals());
    sameMemory(`the memory after ${where}`, first.memory, subject.memory, room);
  }
  counts.gates += first.host.waits;
}

async function burst(
  { guest, host, name }: Fibers,
  gates: Gates,
  calls: readonly { readonly name: string; readonly args: readonly Argument[] }[],
): Promise<string[]> {
  host.manner = gates;
  host.waits = 0;
  host.trace.length = 0;
  const ends: Promise<void>[] = [];
  const quiet = (): Promise<void> => settled(() => host.trace.length + host.waits);
  // One after the other: what follows from one step never depends on when the runtime finds time for it.
  for (const [index, { name, args }] of calls.entries()) {
    const label = `#${index} ${name}`;
    const { result } = guest.spawn(name, [...args], { name: label });
    ends.push(
      result.then(
        (value) => void host.trace.push(`${label} ${returned(value)}`),
        (error: unknown) => void host.trace.push(`${label} ${threw(error)}`),
      ),
    );
    await quiet();
  }
  while (gates.openOne()) await quiet();
  if (guest.fibers.length > 0) {
    throw new Difference(`${name}: fibers wait for nothing: ${guest.fibers.map((each) => each.name).join(', ')}`);
  }
  await Promise.all(ends);
  return [...host.trace];
}

/** All that follows from the last event has happened: nothing has been done for some turns of the event loop. */
async function settled(done: () => number): Promise<void> {
  for (let before = -1; before !== done();) {
    before = done();
    for (let turn = 0; turn < 3; turn++) await setImmediate();
  }
}

function same(what: string, expected: string, actual: string): void {
  if (expected !== actual) throw new Difference(`${what}:\n  expected ${expected}\n  actual   ${actual}`);
}

function sameLines(what: string, expected: readonly string[], actual: readonly string[]): void {
  const at = expected.findIndex((line, index) => line !== actual[index]);
  if (at < 0 && expected.length === actual.length) return;
  const from = at < 0 ? expected.length : at;
  const excerpt = (lines: readonly string[]): string =>
    `${from > 3 ? '... ' : ''}${[...lines.slice(Math.max(0, from - 3), from + 2), ...(lines.length > from + 2 ? ['...'] : [])].join(' ')}`;
  throw new Difference(
    `${what} differ at line ${from} (of ${expected.length} and ${actual.length}):\n  expected ${excerpt(expected)}\n  actual   ${excerpt(actual)}`,
  );
}

function sameMemory(what: string, expected: WebAssembly.Memory, actual: WebAssembly.Memory, room: Room): void {
  const [left, right] = [Buffer.from(expected.buffer), Buffer.from(actual.buffer)];
  if (left.length !== right.length) throw new Difference(`${what}: ${left.length} and ${right.length} bytes`);
  for (const [from, to] of [
    [0, room.from],
    [room.to, left.length],
  ] as const) {
    if (left.compare(right, from, to, from, to) === 0) continue;
    const at = left.subarray(from, to).findIndex((byte, index) => byte !== right[from + index]) + from;
    throw new Difference(
      `${what} differs at ${at}:\n  expected ${left.toString('hex', at, at + 16)}\n  actual   ${right.toString('hex', at, at + 16)}`,
    );
  }
}
