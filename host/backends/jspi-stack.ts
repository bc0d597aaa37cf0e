/**
 * What is kept of the stacks that the engine puts aside. A fiber has one of them, and one more for each call that a
 * reentrant host function of it has open, since such a call runs on a stack of its own:
 *
 *     export -> f -> import (a generator)        stack of the fiber, waits until the generator has returned
 *                      g -> h -> import          stack of its call, waits for a promise
 *
 * Invariants:
 * - Every stack that is put aside has a Suspension, and is continued by it, once. A stack that nobody continues is never
 *   freed by V8.
 * - `FiberStack` and its own suspension are used again by later fibers, with their closures: making these at every call
 *   would cost as much as the call.
 */
import type { Task } from './backend.ts';
import { giveStackBack, takeStack } from './stack-limit.ts';

/** What a stack is continued with. */
export interface Outcome {
  readonly failed: boolean;
  readonly value: unknown;
}

/** A stack that is put aside, or about to be. */
export class Suspension {
  readonly owner: FiberStack;
  /** Identifies it in the guest, which gives it back when it has been continued. Never 0. */
  readonly token: number;
  /** The fiber has been told to go on, and its guest has not yet done so. */
  arriving = false;
  /** The engine was given a promise that is settled already: the guest looks soon whether the wait is over. */
  looks = false;
  /** How a generator ended; null where the wait of the fiber itself decides. */
  outcome: Outcome | null = null;
  /** Where a generator was called: the shadow stack pointer. */
  pointer = 0;
  /** Null until the stack has been put aside. */
  resolve: ((value?: unknown) => void) | null = null;
  reject: ((error: unknown) => void) | null = null;
  readonly executor = (resolve: (value?: unknown) => void, reject: (error: unknown) => void): void => {
    this.resolve = resolve;
    this.reject = reject;
  };

  constructor(owner: FiberStack, token: number) {
    this.owner = owner;
    this.token = token;
  }
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
  /** The runtime knows how the fiber has ended. */
  reported = false;
  /** The engine has it still. */
  #counted = false;

  constructor(token: number, settled: (stack: FiberStack, failed: boolean, value: unknown) => void) {
    this.own = new Suspension(this, token);
    this.onValue = (value) => settled(this, false, value);
    this.onError = (error) => settled(this, true, error);
  }

  /** Takes it for a fiber. @throws FiberError `MAX_STACKS` */
  begin(task: Task): void {
    takeStack();
    this.#counted = true;
    this.task = task;
    this.generators = 0;
    this.aside = this.left = this.reported = false;
    this.waiting = null;
  }

  /** It has ended: it counts no more. */
  giveBack(): void {
    if (!this.#counted) return;
    this.#counted = false;
    giveStackBack();
  }
}
