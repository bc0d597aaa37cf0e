// Guests of the guest library (test/guests/typed/tasks*.ts): what they say, and waits that the test ends.
import { expect } from 'vitest';
import { type Guest, type InstantiateOptions, instantiate } from 'wasm-fibers/assemblyscript';
import { watch } from './core.ts';
import { guestSource } from './guest.ts';

type Strings = Record<
  | 'everyType'
  | 'failures'
  | 'valueOr'
  | 'asks'
  | 'cancels'
  | 'cancelsBeforeItBegins'
  | 'whoAmI'
  | 'peek'
  | 'cleanupAsTheTask'
  | 'trapWithLock'
  | 'cancelledHeir'
  | 'permitsComeBack'
  | 'events'
  | 'conditions'
  | 'bounded'
  | 'nothingIsLost'
  | 'closing'
  | 'rendezvous'
  | 'undelivered'
  | 'joinCycle'
  | 'selfJoin'
  | 'lockCycle'
  | 'lockTwice'
  | 'mixedCycle'
  | 'groupCycle'
  | 'limitedCycle',
  () => string
>;

type OfNumber = Record<
  | 'waitsFor'
  | 'cancelsItself'
  | 'askFor'
  | 'limitedWithCleanup'
  | 'deferred'
  | 'badCleanup'
  | 'guarded'
  | 'limitedLock'
  | 'queueOfWork'
  | 'produceAndConsume'
  | 'hostCycle',
  (x: number) => string
>;

type Numbers = Record<
  | 'double'
  | 'chainOf'
  | 'unwrapped'
  | 'deferredByCaller'
  | 'shielded'
  | 'exclusive'
  | 'locked'
  | 'atMost'
  | 'many'
  | 'churn',
  (x: number) => number
>;

type Plain = Record<
  'resultOfTrap' | 'resultOfAbort' | 'unwrappedOwn' | 'inSync' | 'none' | 'coroutine' | 'ask' | 'awaitTarget' | 'used',
  () => number
>;

type Voids = Record<
  | 'beginsLater'
  | 'holdLock'
  | 'lockInSync'
  | 'fair'
  | 'notMine'
  | 'passesOn'
  | 'notifyWithoutLock'
  | 'tooOften'
  | 'waitForNever'
  | 'setNever'
  | 'carelessDeferred'
  | 'collect',
  () => void
>;

export interface Tasks extends Strings, OfNumber, Numbers, Plain, Voids {
  gathers(list: number[]): number[];
  gathersAll(list: number[]): string[];
  races(list: number[]): number;
  first(list: number[]): string;
  waitsForAll(list: number[]): void;
  nestedWaits(a: number, b: number): number;
  reply(value: number): boolean;
  refuse(): boolean;
  limited(ms: number, x: number): string;
  isLocked(): boolean;
  notifiedInTime(): boolean;
  locals(name: string): string;
  waitForChannel(): boolean;
  careless(x: number, look: boolean): void;
  sleeps(ms: number): void;
}

export interface Opened {
  readonly guest: Guest<Tasks>;
  /** What it has said. */
  readonly said: string[];
  /** What it has said since this was last called. */
  take(): string[];
}

/** Builds of tasks.ts. */
export const VARIANTS = ['O3', 'debug', 'minimal', 'stub'] as const;
export type Variant = (typeof VARIANTS)[number];

/** @param wait what `env.wait` does; a collection is forced at each, where the build collects at all */
export async function openTasks(
  variant: Variant,
  wait: (x: number) => unknown = (x) => x,
  options: InstantiateOptions = {},
): Promise<Opened> {
  const said: string[] = [];
  let taken = 0;
  const collects = variant === 'O3' || variant === 'debug';
  const env = {
    say: (text: string) => void said.push(text),
    wait(x: number): unknown {
      if (collects) guest.sync.collect();
      return wait(x);
    },
  };
  const guest: Guest<Tasks> = await instantiate<Tasks>(guestSource(`typed/tasks-${variant}`), { env }, options);
  watch(guest);
  return {
    guest,
    said,
    take() {
      const since = said.slice(taken);
      taken = said.length;
      return since;
    },
  };
}

/** Waits of `env.wait` that end after as many milliseconds as their argument says; negative ones fail with `REFUSAL`. */
export const REFUSAL: Error & { readonly code: string } = Object.assign(new Error('the host says no'), { code: 'NO' });

export function afterTime(x: number): Promise<number> {
  return new Promise((resolve, reject) => {
    setTimeout(() => (x < 0 ? reject(REFUSAL) : resolve(x)), Math.max(0, x));
  });
}

/** What a FiberError says, after its code. */
export async function messageOf(promise: PromiseLike<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    return (error as Error).message;
  }
  throw new Error('the promise was expected to reject');
}
