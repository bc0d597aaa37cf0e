/**
 * Reentrant generators on JSPI. A JavaScript frame cannot be put aside, so each guest call that a generator asks for runs on
 * a stack of its own, on the same region of the shadow stack, and the fiber can wait in it; the stack that called the
 * generator is put aside until it has returned. Where the fiber cannot wait anyway the calls are plain ones.
 *
 *   guest                     host                                        stacks
 *   import (a generator) ->   generator: yield call(fn)
 *                             promising fn(...)  ->  fn ... waits          2 waits for a promise
 *                        <-   a token                                      1 waits for the generator
 *                             fn has ended: generator goes on, returns
 *   arrive(token)        <-   its result                                   1 goes on
 */
import type { BackendHooks, GuestFunction, HostFunction, Site } from './backend.ts';
import { call } from './call.ts';
import { setCurrent } from './current.ts';
import { behindAnother } from './host-functions.ts';
import type { FiberStack, Suspension } from './jspi-stack.ts';
import { type JspiStacks, outcomeOf, stackOf } from './jspi-stacks.ts';
import { giveStackBack, takeStack } from './stack-limit.ts';
import { ignore, isThenable, listen } from './thenable.ts';
import { type ReentrantGenerator, step } from './trampolines.ts';

/** A call of a generator. */
interface Passage {
  readonly generator: ReentrantGenerator;
  readonly site: Site;
  /** The fiber whose waits may pass it; null if none may. */
  readonly stack: FiberStack | null;
  /** What stands between its calls and the fiber's beginning. */
  readonly between: Site;
  /** The shadow stack pointer where it was called. */
  readonly pointer: number;
  /** The stack that called it, once that has to be put aside. */
  suspension: Suspension | null;
}

/** In place of the result of a generator: a call of it has not ended. */
const OPEN_CALL: unique symbol = Symbol('open call');

export class Passages {
  readonly #stacks: JspiStacks;
  readonly #hooks: BackendHooks;
  readonly #wait: (site: Site, promise: PromiseLike<unknown>) => unknown;
  readonly #refuse: () => unknown;

  /** @param wait for what a generator returns at once; @param refuse throws why no host function is called any more */
  constructor(
    stacks: JspiStacks,
    hooks: BackendHooks,
    wait: (site: Site, promise: PromiseLike<unknown>) => unknown,
    refuse: () => unknown,
  ) {
    this.#stacks = stacks;
    this.#hooks = hooks;
    this.#wait = wait;
    this.#refuse = refuse;
  }

  link(site: Site, start: (...args: never[]) => ReentrantGenerator): HostFunction {
    const behind = behindAnother(site);
    const stacks = this.#stacks;
    const { at } = stacks;
    return (...args) => {
      if (at.state !== 0) return this.#refuse();
      const { task, host } = at;
      const passage: Passage = {
        generator: start(...args),
        site: host === null ? site : behind,
        stack: site.suspending && task !== null && host === null ? stackOf(task) : null,
        between: host ?? site,
        pointer: stacks.shadow.save(),
        suspension: null,
      };
      let result: unknown;
      try {
        result = this.#drive(passage, false, undefined);
      } finally {
        at.host = host;
      }
      if (result !== OPEN_CALL) return isThenable(result) ? this.#wait(site, result) : result;
      // It has one as long as a call is open.
      stacks.pend(passage.suspension!);
      return site.placeholder;
    };
  }

  /** Runs a generator until it returns, or a call of it has to be waited for. */
  #drive(passage: Passage, failed: boolean, value: unknown): unknown {
    const { generator, site, stack, between, pointer } = passage;
    const { at, shadow } = this.#stacks;
    for (;;) {
      at.host = site;
      const next = step(generator, site, failed, value);
      if (next.done === true) return next.value;
      const { fn, args } = next.value;
      failed = false;
      try {
        // What is no function of a guest is called as any function is, and cannot be passed.
        const entry = stack === null ? null : this.#stacks.promising(fn);
        if (stack !== null && entry !== null) {
          this.#open(passage, stack, entry, args);
          return OPEN_CALL;
        }
        at.host = between;
        value = call(fn, args);
      } catch (error) {
        failed = true;
        value = error;
        shadow.restore(pointer);
      }
    }
  }

  #open(passage: Passage, stack: FiberStack, entry: GuestFunction, args: readonly unknown[]): void {
    const { task } = stack;
    if (task === null) return;
    takeStack();
    passage.suspension ??= this.#stacks.pass(stack, passage.pointer, null);
    const { suspension } = passage;
    const ended = (failed: boolean, value: unknown): void => this.#close(passage, stack, suspension, failed, value);
    listen(
      this.#stacks.enter(task, entry, args),
      (value) => ended(false, value),
      (error) => ended(true, error),
    );
  }

  /** A call has ended: the generator goes on. */
  #close(passage: Passage, stack: FiberStack, suspension: Suspension, failed: boolean, value: unknown): void {
    giveStackBack();
    const stacks = this.#stacks;
    const { task } = stack;
    if (task === null) return;
    if (!stack.reported) {
      stacks.goOn(stack, task, passage.pointer);
      try {
        const result = this.#drive(passage, failed, value);
        if (result === OPEN_CALL) return;
        if (isThenable(result)) {
          try {
            this.#hooks.wait(task, passage.site, result);
          } catch (error) {
            this.#hooks.unwait(task);
            ignore(result);
            throw error;
          }
          stacks.suspend(stack, task, suspension);
          this.#hooks.suspended(task);
          return;
        }
        suspension.outcome = { failed: false, value: result };
      } catch (error) {
        suspension.outcome = { failed: true, value: error };
      } finally {
        stacks.at.host = null;
        setCurrent(null, null);
      }
    }
    stacks.letGoOn(suspension, () => outcomeOf(suspension));
  }
}
