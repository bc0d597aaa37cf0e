/**
 * The least that a layer over JSPI can do, to tell what a layer must cost from what this one costs. All floors keep the
 * guest's stack pointer and the current fiber over a wait, take no microtask for a plain value, and are told when a call
 * has ended. They have no limits, no fairness, no events, no deadlocks, no errors, and one fiber at a time. So they do the
 * same in the guest, by a shim in the place of the import, and differ in what the engine waits for:
 *
 * - `floor-shared`: for the promise that the host function has returned. Nobody can end that wait before its time: the
 *   engine's reaction to a promise cannot be taken back, and a promise that others made cannot be settled. No `cancel`, no
 *   `timeout`, no `dispose`; and since a stack that nobody continues is never freed, no way to give up a host function that
 *   never answers.
 * - `floor-own`: for a promise of the layer's own, which a reaction to the host function's settles, or somebody who ends
 *   the wait. That is a promise with its two functions, a promise that `then` makes, a call of JavaScript and a second
 *   microtask more.
 * - `floor-guess`: the same, without the promise of its own where the host function's has settled already. It lets the engine
 *   wait for one resolved promise, the same each time, and by then the reaction to the host function's has run; or not, and
 *   then the shim waits a second time, for a promise of the layer's own.
 *
 * There is no way around what is left:
 * - JavaScript cannot ask whether a promise has settled, so that some reaction to it is needed, and `then` always makes a
 *   promise for its outcome. An asynchronous function in its place makes one as well, and takes longer.
 * - What the engine waits for cannot be exchanged during a wait.
 * - A promise without functions that settle it (an asynchronous function's, one that `then` makes) is settled by another
 *   promise only, and so no sooner.
 * - `Promise.race`, `Promise.withResolvers` and a thenable take longer than `new Promise`.
 */
import { type Build, driverOf, type Exports, load, value, type Driver } from './driver.ts';
import { jspi, promisingExports } from './jspi.ts';

export type Floor = Extract<Build, `floor-${string}`>;

const HEAD = `(import "env" "wait" (func $host (param i32) (result i32)))
  (import "floor" "suspend" (func $suspend))
  (import "floor" "suspend_for" (func $suspend_for (result i32)))
  (import "floor" "arrive" (func $arrive (result i32)))
  (global $pending (mut i32) (i32.const 0))
  (global $stack_pointer (export "stack_pointer") (mut i32) (i32.const 65536))
  (global $fiber (export "fiber") (mut i32) (i32.const 1))
  (func (export "set_pending") (param i32) (global.set $pending (local.get 0)))`;

/** In the place of the import `env.wait` (guests.ts). The host function is called first: it may have a plain value. */
const shim = (wait: string): string => `${HEAD}
  (func $wait (param i32) (result i32) (local $result i32) (local $pointer i32) (local $own i32)
    (local.set $result (call $host (local.get 0)))
    (loop $again
      (if (global.get $pending)
        (then
          (global.set $pending (i32.const 0))
          (local.set $pointer (global.get $stack_pointer))
          (local.set $own (global.get $fiber))
          ${wait}
          (global.set $stack_pointer (local.get $pointer))
          (global.set $fiber (local.get $own))
          (br $again))))
    (local.get $result))`;

const ARRIVES = shim('(call $suspend) (local.set $result (call $arrive))');

export const SHIMS: Readonly<Record<Floor, string>> = {
  'floor-shared': shim('(local.set $result (call $suspend_for))'),
  'floor-own': ARRIVES,
  'floor-guess': ARRIVES,
};

/** What the layer keeps of its only fiber. */
interface Host {
  /** Makes the guest's import of a host function. */
  link(wait: (x: number) => unknown): (x: number) => unknown;
  /** What the engine waits for. */
  suspend(): Promise<unknown>;
  /** What the wait has brought. */
  arrive(): unknown;
}

/** @param pend tells the shim to suspend */
type MakeHost = (pend: () => void) => Host;

const nativeThen = Promise.prototype.then;
const RESOLVED: Promise<unknown> = Promise.resolve();

/** Keeps the promise that a host function has returned, and has the shim suspend. */
function linking(keep: (promise: Promise<unknown>) => void, pend: () => void): Host['link'] {
  return (wait) => (x) => {
    const result = wait(x);
    if (!(result instanceof Promise)) return result;
    keep(result);
    pend();
    return 0;
  };
}

const shared: MakeHost = (pend) => {
  let promise = RESOLVED;
  return { link: linking((given) => (promise = given), pend), suspend: () => promise, arrive: () => undefined };
};

/** @param retries after so many waits for promises of its own it guesses again; 0: it never guesses */
const interruptible =
  (retries: number): MakeHost =>
  (pend) => {
    let promise = RESOLVED;
    let settled: unknown;
    let failed = false;
    let resolve = (): void => undefined;
    /** Is the reaction to the host function's promise still to come? */
    let open = false;
    /** Does the engine wait for a promise of our own? */
    let own = false;
    let untilGuess = 0;
    // Made once: closures at each wait would cost as much again.
    const executor = (settle: () => void): void => void (resolve = settle);
    const onValue = (result: unknown): void => {
      settled = result;
      open = false;
      if (own) resolve();
    };
    const onError = (error: unknown): void => {
      failed = true;
      onValue(error);
    };
    return {
      link: linking((given) => (promise = given), pend),
      suspend() {
        // Open: it has guessed wrong, and the reaction is registered.
        if (!open) {
          open = true;
          own = retries === 0 || untilGuess-- > 0;
          nativeThen.call(promise, onValue, onError);
          if (!own) return RESOLVED;
        }
        own = true;
        return new Promise<void>(executor);
      },
      arrive() {
        if (open) {
          untilGuess = retries;
          pend();
          return 0;
        }
        if (!own) untilGuess = 0;
        if (failed) throw settled;
        return settled;
      },
    };
  };

const HOSTS: Readonly<Record<Floor, MakeHost>> = {
  'floor-shared': shared,
  'floor-own': interruptible(0),
  'floor-guess': interruptible(16),
};

export function floorDriver(floor: Floor): Driver {
  if (jspi === null) return {};
  const { Suspending } = jspi;
  const module = load(floor);
  let live = 0;
  const ended = (value: unknown): unknown => {
    live--;
    return value;
  };
  const failed = (error: unknown): never => {
    live--;
    throw error;
  };
  const told = (fn: (...args: number[]) => Promise<unknown>) => (a: number, b: number) => {
    live++;
    return nativeThen.call(fn(a, b), ended, failed);
  };
  return driverOf(async (wait) => {
    let setPending = (_token: number): void => undefined;
    const host = HOSTS[floor](() => setPending(1));
    const suspend = new Suspending(() => host.suspend());
    const instance = await WebAssembly.instantiate(module, {
      env: { wait: host.link(wait), note: value },
      floor: { suspend, suspend_for: suspend, arrive: () => host.arrive() },
    } as WebAssembly.Imports);
    setPending = instance.exports['set_pending'] as (token: number) => void;
    const { once, loop, loop_deep, notes, same } = promisingExports(instance);
    const exports = {
      once: told(once),
      loop: told(loop),
      loop_deep: told(loop_deep),
      notes: told(notes),
      same: told(same),
    };
    return exports as Exports<Promise<unknown>>;
  });
}
