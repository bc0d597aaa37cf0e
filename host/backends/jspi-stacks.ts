/**
 * Which of a guest's stacks runs, and what is put back when another one goes on.
 *
 * Nobody tells when a stack that was continued has ended, before the reactions to the promise of its entry run. Therefore
 * `at.task` is the fiber that the guest ran last. While a host function is on the stack (`busy`) it is the one that called
 * it. Else it has ended, or waits for the engine between two of its stacks; before anything else of the guest runs it is
 * put aside (`putAsideLast`).
 */
import { type Backend, type GuestFunction, NO_SHADOW_STACK, type ShadowStack, type Task } from './backend.ts';
import { callAs, currentTask, setCurrent } from './current.ts';
import type { StackSwitching } from './engine.ts';
import type { HostPosition } from './host-functions.ts';
import { FiberStack, type Outcome, Suspension } from './jspi-stack.ts';
import { misused } from './refusals.ts';
import { listen } from './thenable.ts';

/** What a module offers for being switched. */
export interface JspiControls {
  readonly shadow: ShadowStack;
  /** Tells the shim that has called the host function to put the stack aside. Null if the module was not instrumented. */
  readonly setPending: ((token: number) => void) | null;
}

interface Position extends HostPosition {
  /** The fiber that the guest ran last; null if that waits. */
  task: Task | null;
  /** The engine converts the arguments of an entry, which runs the embedder's code. */
  entering: boolean;
}

/** Fibers of this realm that were told to go on, and that the engine has not continued yet. */
let onTheirWay = 0;

export class JspiStacks {
  readonly backend: Backend;
  readonly engine: StackSwitching;
  readonly instrumented: boolean;
  readonly at: Position = { state: 0, host: null, refused: undefined, others: null, task: null, entering: false };
  /** Set when the guest is instantiated. */
  controls: JspiControls = { shadow: NO_SHADOW_STACK, setPending: null };
  /** The stack that the guest is to put aside next. */
  pending: Suspension | null = null;
  readonly #settled: (stack: FiberStack, failed: boolean, value: unknown) => void;
  /** By token; index 0 is never used. */
  readonly #suspensions: (Suspension | null)[] = [null];
  readonly #freeTokens: number[] = [];
  readonly #free: FiberStack[] = [];
  readonly #entries = new WeakMap<GuestFunction, GuestFunction>();

  /** @param settled told when the promise of a fiber's entry has settled */
  constructor(
    backend: Backend,
    engine: StackSwitching,
    instrumented: boolean,
    settled: (stack: FiberStack, failed: boolean, value: unknown) => void,
  ) {
    this.backend = backend;
    this.engine = engine;
    this.instrumented = instrumented;
    this.#settled = settled;
  }

  get shadow(): ShadowStack {
    return this.controls.shadow;
  }

  get busy(): boolean {
    return this.at.host !== null || this.at.entering;
  }

  /** What runs a function of the guest on a stack of its own; null for other functions. Made once: it costs as a call does. */
  promising(fn: GuestFunction): GuestFunction | null {
    let entry = this.#entries.get(fn);
    if (entry === undefined) {
      try {
        entry = this.engine.promising(fn);
      } catch {
        return null;
      }
      this.#entries.set(fn, entry);
    }
    return entry;
  }

  /** A fiber begins. @throws FiberError `MAX_STACKS`, and what the guest's allocator makes fail */
  begin(task: Task): FiberStack {
    this.putAsideLast();
    const stack = this.#free.pop() ?? this.#newStack();
    try {
      stack.begin(task);
      this.shadow.start(task);
    } catch (error) {
      this.end(stack);
      throw error;
    }
    task.unwound = stack;
    return stack;
  }

  /** Nothing of the fiber is left in the engine. */
  end(stack: FiberStack): void {
    stack.giveBack();
    const { own } = stack;
    // Its module lies: it has never asked for what its wait brought.
    if (own.arriving && !own.looks) onTheirWay--;
    own.arriving = own.looks = false;
    stack.task = null;
    this.#free.push(stack);
  }

  /** Calls into the guest on a new stack, as this fiber, until it has ended or is put aside. */
  enter(task: Task, entry: GuestFunction, args: readonly unknown[]): Promise<unknown> {
    const { at } = this;
    const { host, entering } = at;
    at.task = task;
    at.host = null;
    at.entering = true;
    try {
      // What `promising` has made gives a promise.
      return callAs(task, this.backend, entry, args) as Promise<unknown>;
    } catch (error) {
      // V8: arguments that cannot be converted, or no stack left to call it.
      return Promise.reject(error);
    } finally {
      at.host = host;
      at.entering = entering;
    }
  }

  /** No frame of the guest is on the native stack, and something else of it is about to run than what ran last. */
  putAsideLast(): void {
    const { task } = this.at;
    if (task === null) return;
    this.at.task = null;
    const stack = stackOf(task);
    if (stack.generators > 0) {
      this.shadow.suspend(task);
      stack.aside = true;
    } else {
      this.shadow.end(task);
      stack.left = true;
    }
  }

  /** The fiber waits from now on. */
  suspend(stack: FiberStack, task: Task, suspension: Suspension): void {
    stack.waiting = suspension;
    this.shadow.suspend(task);
    this.at.task = null;
    setCurrent(null, null);
  }

  /** The fiber runs on, on another one of its stacks. */
  goOn(stack: FiberStack, task: Task, pointer: number): void {
    if (this.at.task !== task) this.putAsideLast();
    this.at.task = task;
    setCurrent(task, this.backend);
    if (stack.aside) {
      stack.aside = false;
      task.pointer = pointer;
      this.shadow.resume(task);
    } else this.shadow.restore(pointer);
  }

  /** The fiber has ended. Returns what went wrong with the guest's switching code, if anything. */
  leave(stack: FiberStack, task: Task): { readonly cause: unknown } | null {
    let damage: { readonly cause: unknown } | null = null;
    stack.reported = true;
    task.unwound = null;
    try {
      if (!stack.left) this.shadow.end(task);
    } catch (cause) {
      damage = { cause };
    }
    stack.left = true;
    if (this.at.task === task) this.at.task = null;
    if (currentTask === task) setCurrent(null, null);
    return damage;
  }

  /** A suspension for a stack that waits for another one of its own fiber. */
  pass(owner: FiberStack, pointer: number, outcome: Outcome | null): Suspension {
    const suspension = new Suspension(owner, this.#newToken());
    this.#suspensions[suspension.token] = suspension;
    suspension.pointer = pointer;
    suspension.outcome = outcome;
    owner.generators++;
    return suspension;
  }

  pend(suspension: Suspension): void {
    this.pending = suspension;
    this.controls.setPending?.(suspension.token);
  }

  /** What the engine is to wait for. */
  promiseOf(suspension: Suspension): Promise<unknown> {
    const promise = new Promise(suspension.executor);
    if (!this.instrumented) {
      // Registered before the engine's own reaction: the guest is the very next to run.
      const onTurn = (): void => this.arrived(suspension);
      listen(promise, onTurn, onTurn);
    }
    return promise;
  }

  /** The same for a guest that has looked in vain: its wait may be over, and only be behind others. */
  promiseOfLook(suspension: Suspension): Promise<unknown> {
    const promise = this.promiseOf(suspension);
    if (suspension.arriving) {
      onTheirWay++;
      suspension.resolve?.();
    }
    return promise;
  }

  /** @param give what a guest without shims is given, or what is thrown in it; the shims of the others ask for it */
  letGoOn(suspension: Suspension, give: () => unknown): void {
    suspension.arriving = true;
    const { resolve, reject } = suspension;
    // A module that lies may not have put the stack aside: it finds out when it does.
    if (suspension.looks || resolve === null) return;
    onTheirWay++;
    if (this.instrumented) resolve();
    else {
      try {
        resolve(give());
      } catch (error) {
        reject?.(error);
      }
    }
  }

  /** The suspension that the guest names. */
  find(token: number): Suspension {
    const suspension = this.#suspensions[token] ?? null;
    if (suspension === null || !(suspension.arriving || suspension.looks)) throw misused();
    return suspension;
  }

  /**
   * The guest looks whether its wait is over. It may not overtake fibers that were told earlier to go on, and which the
   * engine continues later.
   *
   * @returns whether it may go on; if not, it waits for a promise of ours
   */
  look(suspension: Suspension): boolean {
    suspension.looks = false;
    if (suspension.arriving && onTheirWay === 0) {
      onTheirWay++;
      return true;
    }
    this.pend(suspension);
    return false;
  }

  /** A stack goes on: what the guest left is put back. */
  arrived(suspension: Suspension): void {
    if (suspension.arriving) onTheirWay--;
    suspension.arriving = false;
    const { owner } = suspension;
    if (suspension !== owner.own) {
      owner.generators--;
      this.#freeTokens.push(suspension.token);
      this.#suspensions[suspension.token] = null;
    }
    const { task } = owner;
    if (task === null || owner.reported) return;
    if (suspension.outcome === null) {
      this.putAsideLast();
      this.at.task = task;
      this.shadow.resume(task);
      setCurrent(task, this.backend);
    } else this.goOn(owner, task, suspension.pointer);
  }

  #newStack(): FiberStack {
    const stack = new FiberStack(this.#newToken(), this.#settled);
    this.#suspensions[stack.own.token] = stack.own;
    return stack;
  }

  #newToken(): number {
    return this.#freeTokens.pop() ?? this.#suspensions.push(null) - 1;
  }
}

export function stackOf(task: Task): FiberStack {
  const stack = task.unwound;
  // Nobody but this backend writes it.
  if (stack !== null) return stack as FiberStack;
  throw misused();
}

export function outcomeOf({ outcome }: Suspension): unknown {
  if (outcome?.failed === true) throw outcome.value;
  return outcome?.value;
}
