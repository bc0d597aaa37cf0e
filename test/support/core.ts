// What most of the specification needs: the text guests with host functions whose waits the test controls, and the
// promise that every test keeps: at its end no fiber lives.
import { afterEach, expect } from 'vitest';
import { type BackendKind, type FiberEvent, type Guest, type GuestOptions, instantiate, reentrant } from 'wasm-fibers';
import { backend, perBackend } from './backend.ts';
import { guestSource } from './guest.ts';

export interface CoreExports {
  once(x: number): number;
  plus_one(x: number): number;
  twice(x: number): number;
  deep(n: number, x: number): number;
  loop_of(n: number, x: number): number;
  loop(n: number): number;
  wait_i64(x: bigint, add: number): bigint;
  wait_f64(x: number): number;
  wait_void(x: number): void;
  wait_pair(x: number): [number, bigint];
  sum_of(fn: number, n: number): number;
  trap_after(x: number): number;
  trap(): number;
  forever(x: number): number;
  through_call(fn: number, x: number): number;
  through_invoke(fn: number, x: number): number;
  through_opaque(fn: number, x: number): number;
  note(x: number): number;
  wait_then_note(x: number): number;
  grow_across(at: number, pages: number): number;
  count(): number;
  critical(x: number): number;
  table: WebAssembly.Table;
  memory: WebAssembly.Memory;
}

export interface CatchExports {
  guarded(x: number): number;
  tagged(x: number): number;
  swallow_then_wait(x: number, y: number): number;
  cleanup(x: number): number;
  cleanups(): number;
  cleanup_waits(x: number, y: number): number;
  wait_in_catch(x: number): number;
  throw_own(x: number): void;
  tag: WebAssembly.Tag;
}

/** Indices in the table of core.wat. */
export const FN = { once: 0, deepBy5: 1, loop: 2, trapAfter: 3, plusOne: 4, throughCallOnce: 5 } as const;

type Wait = (x: number) => unknown;

const open: Guest[] = [];

afterEach(async () => {
  const live = open.flatMap((guest) => guest.fibers.map((fiber) => `${fiber.name} (${fiber.state})`));
  for (const guest of open.splice(0)) {
    await guest.dispose();
    expect(guest.fibers).toEqual([]);
  }
  expect(live, 'fibers alive at the end of the test').toEqual([]);
});

/** Has the guest checked at the end of the test, and its backend now: no test runs on another one by mistake. */
export function watch<E>(guest: Guest<E>, kind: BackendKind = backend): Guest<E> {
  open.push(guest as unknown as Guest);
  expect(guest.backend).toBe(kind);
  return guest;
}

/**
 * Core.wat with `wait` in all its types; the other imports return their argument unless given. `invoke_ii` is the plain
 * trampoline of unmodified glue, which JSPI cannot pass: there it is a generator.
 */
export async function core(
  wait: Wait,
  options: GuestOptions = {},
  more: Record<string, (...args: never[]) => unknown> = {},
): Promise<Guest<CoreExports>> {
  const functionAt = (index: number): ((x: number) => number) => {
    const fn: unknown =
      guest.instance.exports['table'] instanceof WebAssembly.Table ? guest.exports.table.get(index) : null;
    if (typeof fn !== 'function') throw new Error(`no function at ${index}`);
    return fn as (x: number) => number;
  };
  const guest: Guest<CoreExports> = await instantiate<CoreExports>(
    guestSource('core'),
    {
      env: {
        wait,
        wait_i64: wait as unknown as (x: bigint) => unknown,
        wait_f64: wait,
        wait_void: wait,
        wait_pair: wait,
        call: reentrant(function* (call, fn: number, x: number) {
          return yield call(functionAt(fn), x);
        }),
        invoke_ii: perBackend({
          asyncify: (fn: number, x: number) => functionAt(fn)(x),
          jspi: reentrant(function* (call, fn: number, x: number) {
            return yield call(functionAt(fn), x);
          }),
        }),
        opaque: (fn: number, x: number) => functionAt(fn)(x),
        note: (x: number) => x,
        ...more,
      },
    },
    options,
  );
  return watch(guest);
}

export async function catching(wait: Wait, options: GuestOptions = {}): Promise<Guest<CatchExports>> {
  return watch(await instantiate<CatchExports>(guestSource('catch'), { env: { wait } }, options));
}

/** Waits that the test ends by hand, in any order: `gate.wait` is the host function. */
export class Gate {
  readonly calls: { x: number; resolve(value: unknown): void; reject(error: unknown): void }[] = [];
  readonly wait = (x: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      this.calls.push({ x, resolve, reject });
    });

  /** The oldest wait that was made with this argument and has not been taken. */
  take(x: number): { resolve(value: unknown): void; reject(error: unknown): void } {
    const at = this.calls.findIndex((call) => call.x === x);
    const [call] = this.calls.splice(at, at < 0 ? 0 : 1);
    if (call === undefined) throw new Error(`nobody waits with ${x}`);
    return call;
  }

  /** Waits, turn by turn, until so many waits have been made and not taken: fairness may put off who makes them. */
  async until(count: number): Promise<void> {
    while (this.calls.length < count) await turn();
  }
}

/** A turn of the event loop: every microtask that was due has run. */
export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** Waits, turn by turn, until so many fibers live: how many turns that takes is the scheduler's fairness to decide. */
export async function untilFibers(guest: Pick<Guest, 'fibers'>, count: number): Promise<void> {
  while (guest.fibers.length !== count) await turn();
}

/** What a promise rejects with. */
export async function failure(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('the promise was expected to reject');
}

/** The code of the FiberError that a promise rejects with. */
export async function code(promise: PromiseLike<unknown>): Promise<unknown> {
  const error = await failure(promise);
  return (error as { code?: unknown }).code ?? error;
}

export function recorder(): { events: string[]; onEvent(event: FiberEvent): void } {
  const events: string[] = [];
  return { events, onEvent: (event) => events.push(`${event.type} ${event.fiber.name}`) };
}
