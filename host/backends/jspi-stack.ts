/**
 * What the JSPI backend keeps of the stacks that the engine puts aside. A fiber has one of them, and one more for each
 * call that a reentrant host function of it has open, since such a call runs on a stack of its own:
 *
 *     export -> f -> import (a generator)        stack of the fiber, waits until the generator has returned
 *                      g -> h -> import          stack of its call, waits for a promise
 *
 * Invariants:
 * - Every stack that is put aside has a Suspension, and is continued by it, once. A stack that nobody continues is never
 *   freed by the engine.
 * - `FiberStack` and its own suspension are used again by later fibers, with their closures: making these at every call
 *   would cost as much as the call.
 */
import { FiberError } from '../errors.ts';
import type { Task } from './backend.ts';

/** A stack that is put aside, or about to be. */
export class Suspension {
  readonly owner: FiberStack;
  /** Identifies it in the guest, which gives it back when it has been continued. Never 0. */
  readonly token: number;
  /** The fiber has been told to go on, and its guest has not yet done so. */
  arriving = false;
  /** How a generator ended; null where the wait of the fiber itself decides. */
  outcome: { readonly failed: boolean; readonly value: unknown } | null = null;
  /** Where a generator was called: the shadow stack pointer. */
  pointer = 0;
  // Replaced by `executor` before anybody can call them.
  resolve: (value?: unknown) => void = unset;
  reject: (error: unknown) => void = unset;
  readonly executor = (resolve: (value?: unknown) => void, reject: (error: unknown) => void): void => {
    this.resolve = resolve;
    this.reject = reject;
  };

  constructor(owner: FiberStack, token: number) {
    this.owner = owner;
    this.token = token;
  }
}

function unset(): never {
  throw new FiberError('INTERNAL', 'A stack was continued before it was put aside.');
}

/** The stacks of one fiber. */
export class FiberStack {
  readonly own: Suspension;
  readonly onValue: (value: unknown) => void;
  readonly onError: (error: unknown) => void;
  task: Task | null = null;
  /** Where the fiber waits. */
  waiting: Suspension | null = null;
  /** Generators that are open: their stacks are put aside while the fiber may be running. */
  generators = 0;
  /** The fiber runs, but something else of the guest has run since it did: its shadow stack is put aside. */
  aside = false;
  /** Nothing of the fiber is on the guest's shadow stack any more. */
  left = false;
  /** The runtime has been told how the fiber ended. */
  reported = false;
  /** Told to go on while a fiber that began later had not ended (see `isolated`). */
  held = false;

  constructor(token: number, ended: (stack: FiberStack, failed: boolean, value: unknown) => void) {
    this.own = new Suspension(this, token);
    this.onValue = (value) => ended(this, false, value);
    this.onError = (error) => ended(this, true, error);
  }

  /** Takes the stack for a fiber. */
  begin(task: Task): void {
    this.task = task;
    this.generators = 0;
    this.aside = this.left = this.reported = this.held = false;
  }
}

/**
 * Stacks of this realm that the engine holds now. A process that holds too many is ended by the engine, without an error
 * that could be caught, when Linux gives it no more memory mappings (65,530 by default, shared by all threads): measured
 * at 16,200 stacks in Firefox 153 (four mappings each), 21,500 in Chromium 156, 32,500 in Node 26. The limit leaves room
 * for a second realm and for what else the process maps.
 */
let stacks = 0;
const MOST_STACKS = 8000;

/** One more stack is about to be made. */
export function takeStack(): void {
  if (stacks >= MOST_STACKS) {
    throw new FiberError(
      'MAX_STACKS',
      `JSPI holds ${stacks} stacks of fibers that have not ended, as many as is safe: with too many the engine ends the process. Wait for some to end, or use Asyncify, which holds a million: instrument with --target asyncify or both, and set the option backend to "asyncify".`,
    );
  }
  stacks++;
}

/** A stack has ended. */
export function giveStackBack(): void {
  stacks--;
}
