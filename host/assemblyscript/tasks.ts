/**
 * The host half of the guest library (assembly/): tasks are fibers, and the guest knows them by their ids. Who waits for
 * what is decided in the guest; here fibers are started, parked, woken and cancelled, and what they failed with is kept.
 *
 *     guest                     host
 *     spawn(name)          ->   a fiber that calls __fibers_task_run
 *     park(ms, target)     ->   a promise, resolved by wake(fiber) or by a timer
 *     raise(fiber)         ->   throws the error that the fiber failed with
 *     __fibers_task_ended  <-   a fiber has failed, was cancelled, or is a call of the embedder that has ended
 *
 * What holds:
 * - A fiber is in `#tasks` from its start, or from the moment in which it asked who it is, to its end; in `#parking` while it
 *   waits; its error is kept from its end until the guest says that nobody can ask for it any more.
 * - The module's imports take and give numbers only; texts are read from the guest's memory before the import returns.
 */
import type { GuestFunction, HostFunction } from '../backends/backend.ts';
import { FiberError } from '../errors.ts';
import type { Fiber } from '../runtime/api.ts';
import type { BindingHost } from '../runtime/binding.ts';
import { canSuspend, currentFiber } from '../runtime/current.ts';
import { RunnableFiber } from '../runtime/fiber.ts';
import { markWait } from '../runtime/promises.ts';
import { TASKS_MODULE } from './provided.ts';
import { guestError, TaskFailures } from './tasks-failures.ts';
import { Parking } from './tasks-parking.ts';

/** Options of `instantiate` for guests that use `wasm-fibers/assembly`. */
export interface TaskOptions {
  /**
   * What it means when every live fiber of the guest waits in the library, without a time limit, for another task. `wait`
   * (default): the embedder will call the guest and wake one. `deadlock`: the embedder never does, so after a turn of the
   * event loop they all fail with `DEADLOCK`, which says what each waits for.
   */
  readonly whenIdle?: 'wait' | 'deadlock';
  /**
   * Told of a task that failed though nobody has asked for its result: when the guest has no live fiber any more, or no
   * reference to the task. Never of one that was cancelled. Default: the error is reported as an unhandled rejection.
   */
  readonly onTaskError?: (error: unknown, fiber: Fiber) => void;
}

/** As TaskState of assembly/task.ts. */
const State = { DONE: 1, FAILED: 2, CANCELLED: 3 } as const;

/** Parts of `text`, as in assembly/host.ts. */
const Part = { CODE: 0, MESSAGE: 1, NAME: 2 } as const;

/** What `__fibers_task_ended` answers. */
const Flag = { KEPT: 1, SEEN: 2 } as const;

const CLEANUP = 'cleanup of ';

interface KnownTask {
  readonly fiber: Fiber;
  /** A call of the embedder: it ends without telling the guest. */
  readonly adopted: boolean;
}

export class TaskHost {
  /** The module `TASKS_MODULE`. */
  readonly imports: Record<string, HostFunction>;
  readonly #tasks = new Map<number, KnownTask>();
  readonly #parking: Parking;
  readonly #failures: TaskFailures;
  /** The fiber of whose end the guest is being told. */
  #ending: Fiber | null = null;
  /** The trap that the embedder has been told of by the end of one of its calls, as the cause of the guest's poison. */
  #toldTrap: unknown = undefined;
  /** What fibers are failed with because nobody is left to wake them, if others wait for them and fail with it too. */
  readonly #passedOn = new WeakSet<object>();
  #view: Uint16Array = new Uint16Array(0);
  #host: BindingHost | null = null;
  #run: GuestFunction = absent;
  #ended: GuestFunction = absent;
  #notParked: GuestFunction = absent;
  #waitsFor: GuestFunction = absent;
  #awaited: GuestFunction = absent;

  constructor({ whenIdle = 'wait', onTaskError }: TaskOptions = {}) {
    check('whenIdle', whenIdle, whenIdle === 'wait' || whenIdle === 'deadlock', "'wait' or 'deadlock'");
    check('onTaskError', onTaskError, onTaskError === undefined || typeof onTaskError === 'function', 'a function');
    this.#failures = new TaskFailures(onTaskError);
    this.#parking = new Parking(whenIdle === 'deadlock' ? () => this.#failIfAllWait() : null);
    this.imports = {
      current: () => currentFiber()?.id ?? 0,
      spawn: (name: number) => this.#spawn(this.#read(name)),
      spawn_cleanup: () => this.#spawnCleanup(),
      adopt: (id: number) => this.#adopt(id),
      park: (ms: number, target: number) => this.#park(ms, target),
      wake: (id: number) => this.#parking.wake(id),
      cancel: (id: number, reason: number) => this.#cancel(id, this.#read(reason)),
      cancelled: (id: number) => Number(cancellationOf(this.#tasks.get(id)?.fiber ?? currentFiber()) !== null),
      waits_for: (id: number) => this.#target(id),
      raise: (id: number) => {
        throw this.#failures.see(id);
      },
      fail: (code: number, message: number) => {
        throw guestError(this.#read(code), this.#read(message));
      },
      text: (id: number, part: number, address: number) => this.#text(id, part, address),
      forget: (id: number) => this.#failures.forget(id),
    };
  }

  /** The instance exists. */
  attach(host: BindingHost): void {
    const { exports } = host.guest.instance;
    const find = (name: string): GuestFunction => {
      const value = exports[name];
      return typeof value === 'function' ? (value as GuestFunction) : absent;
    };
    this.#host = host;
    this.#run = find('__fibers_task_run');
    this.#ended = find('__fibers_task_ended');
    this.#notParked = find('__fibers_task_not_parked');
    this.#waitsFor = find('__fibers_task_waits_for');
    this.#awaited = find('__fibers_task_awaited');
  }

  /** A fiber of the guest has ended, whosever it is (`Binding.ended`). */
  ended(fiber: Fiber, failed: boolean, value: unknown): void {
    const { id } = fiber;
    const task = this.#tasks.get(id);
    // Not only of tasks: a call of the embedder may sleep without asking who it is.
    this.#parking.leave(id);
    if (failed && task?.adopted !== false && isPoison(value)) this.#toldTrap = value.cause;
    if (task !== undefined) {
      this.#tasks.delete(id);
      const cancellation = cancellationOf(fiber);
      const outer = this.#ending;
      this.#ending = fiber;
      if (cancellation !== null) this.#tell(task, State.CANCELLED, cancellation);
      else if (failed) this.#tell(task, State.FAILED, value);
      else if (task.adopted) this.#call(this.#ended, [id, State.DONE]);
      this.#ending = outer;
    }
    this.#parking.changed();
    // To count the live fibers takes as long as there are of them.
    if (this.#tasks.size === 0 && this.#failures.unseen && this.#guest.guest.fibers.length === 0)
      this.#failures.report();
  }

  /** What a fiber waits for in the guest library, in words; null if it waits for something else (`Binding.waitingFor`). */
  waitingFor({ id }: Fiber): string | null {
    if (!this.#parking.has(id)) return null;
    return this.#read(Number(this.#call(this.#waitsFor, [id]) ?? 0));
  }

  /** Tells the guest that a task did not end by itself. */
  #tell({ fiber, adopted }: KnownTask, state: number, error: unknown): void {
    // Before, since the guest may ask for it at once. The embedder sees the failures of its own calls.
    this.#failures.add(fiber, error, !adopted && state === State.FAILED && this.#matters(error));
    const answer = this.#call(this.#ended, [fiber.id, state]);
    // It did not fail, its guest did.
    if (answer === undefined && isPoison(error)) this.#failures.see(fiber.id);
    const flags = Number(answer ?? 0);
    if (flags & Flag.SEEN) this.#failures.see(fiber.id);
    if (!(flags & Flag.KEPT)) this.#failures.forgetUnlessUnseen(fiber.id);
  }

  /** Is the failure news, if nobody asks for it? */
  #matters(error: unknown): boolean {
    if (!(error instanceof FiberError)) return error !== this.#toldTrap || error === undefined;
    // A task that waits for a cancelled one fails with the same error.
    return error.code !== 'CANCELLED' && !this.#passedOn.has(error);
  }

  #spawn(name: string): number {
    return this.#start(name === '' ? 'task' : name);
  }

  #start(name: string, parent?: Fiber): number {
    const fiber = this.#guest.spawn(this.#run, name, [], parent);
    this.#tasks.set(fiber.id, { fiber, adopted: false });
    // Whether its failure was seen is for `#failures` to say.
    fiber.result.catch(nothing);
    return fiber.id;
  }

  #spawnCleanup(): number {
    const ending = this.#ending;
    const name = ending?.name ?? '';
    try {
      // Part of the same turn, if there are turns: who comes next may want the locks that it still holds.
      return this.#start(name.startsWith(CLEANUP) ? name : CLEANUP + name, ending ?? undefined);
    } catch (error) {
      if (error instanceof FiberError) return 0;
      throw error;
    }
  }

  #adopt(id: number): void {
    const fiber = currentFiber();
    if (fiber?.id === id) this.#tasks.set(id, { fiber, adopted: true });
  }

  #park(ms: number, target: number): Promise<void> {
    const fiber = currentFiber();
    if (fiber === null || !canSuspend()) {
      // The core refuses the promise, with the reason, and the guest's call fails.
      if (fiber !== null) this.#call(this.#notParked, [fiber.id]);
      return Promise.resolve();
    }
    if (ms === 0) return Promise.resolve();
    const promise = this.#parking.park(fiber.id, ms);
    const task = target === 0 ? undefined : this.#tasks.get(target);
    if (task !== undefined) markWait(promise, task.fiber);
    return promise;
  }

  #cancel(id: number, reason: string): number {
    return Number(this.#tasks.get(id)?.fiber.cancel(reason === '' ? undefined : reason) === true);
  }

  /** The task whose end a fiber waits for in a host function of the embedder, maybe through fibers that are no tasks. */
  #target(id: number): number {
    const start = this.#tasks.get(id)?.fiber;
    let next = start?.waitingOn ?? null;
    while (next !== null && typeof next !== 'string' && next !== start) {
      if (next.guest === this.#guest.guest && this.#tasks.has(next.id)) return next.id;
      next = next.waitingOn;
    }
    return next === start ? id : 0;
  }

  #text(id: number, part: number, address: number): number {
    const text =
      part === Part.NAME
        ? (this.#tasks.get(id)?.fiber.name ?? '')
        : this.#failures.describe(id)[part === Part.CODE ? 'code' : 'message'];
    if (address !== 0) {
      const units = this.#units;
      const start = address >>> 1;
      // It is as long as it was when the guest asked how long; and never is more written than there is room for.
      const length = Math.min(text.length, this.#lengthAt(units, address));
      for (let i = 0; i < length; i++) units[start + i] = text.charCodeAt(i);
    }
    return text.length;
  }

  /** All fibers of the guest wait for each other. */
  #failIfAllWait(): void {
    const waiting = this.#parking.waiting;
    const { fibers } = this.#guest.guest;
    if (waiting.length === 0 || waiting.length !== fibers.length) return;
    const lines = fibers.map((fiber) => `#${fiber.id} (${fiber.name}) waits for ${this.waitingFor(fiber)}`);
    const message = `All tasks wait, and nobody is left to wake them: ${lines.join('; ')}.`;
    // All are asked before the first one fails and waits for nobody any more.
    const errors = waiting.map((id) => {
      const error = new FiberError('DEADLOCK', message);
      if (this.#call(this.#awaited, [id]) === 1) this.#passedOn.add(error);
      return error;
    });
    waiting.forEach((id, index) => this.#parking.fail(id, errors[index]));
  }

  /** Calls into the guest; undefined if it cannot run any more. */
  #call(fn: GuestFunction, args: readonly unknown[]): unknown {
    try {
      return this.#guest.callSync(fn, args);
    } catch (error) {
      if (error instanceof FiberError && (error.code === 'DISPOSED' || error.code === 'GUEST_POISONED'))
        return undefined;
      // A guest without memory, or with a damaged heap.
      void Promise.reject(error);
      return undefined;
    }
  }

  /** The string at an address. */
  #read(address: number): string {
    if (address === 0) return '';
    const units = this.#units;
    const start = address >>> 1;
    const end = start + this.#lengthAt(units, address);
    let text = '';
    for (let i = start; i < end; i++) text += String.fromCharCode(units[i] as number);
    return text;
  }

  /** UTF-16 code units of the string at an address: the number of its bytes lies before it. */
  #lengthAt(units: Uint16Array, address: number): number {
    const start = address >>> 1;
    const bytes = ((units[start - 2] as number) | ((units[start - 1] as number) << 16)) >>> 0;
    return Math.min(bytes >>> 1, units.length - start);
  }

  /** The guest's memory as it is now. */
  get #units(): Uint16Array {
    const { buffer } = this.#memory;
    if (this.#view.buffer !== buffer) this.#view = new Uint16Array(buffer);
    return this.#view;
  }

  get #memory(): WebAssembly.Memory {
    const { memory } = this.#guest;
    if (memory === null) throw new FiberError('BAD_METADATA', `A guest that imports ${TASKS_MODULE} has a memory.`);
    return memory;
  }

  get #guest(): BindingHost {
    if (this.#host === null) {
      throw new FiberError(
        'NO_FIBER',
        'Tasks cannot be used in a start section, where nothing can wait: compile with --exportStart _start.',
      );
    }
    return this.#host;
  }
}

/** Why a fiber ends, or has ended, before its time. */
function cancellationOf(fiber: Fiber | null): FiberError | null {
  return fiber instanceof RunnableFiber ? fiber.cancellation : null;
}

/** What a guest that is poisoned ends its fibers with, this guest or another one. */
function isPoison(error: unknown): error is FiberError {
  return error instanceof FiberError && error.code === 'GUEST_POISONED';
}

function check(name: string, value: unknown, fits: boolean, expected: string): void {
  if (fits) return;
  throw new FiberError('INVALID_OPTION', `The option ${name} must be ${expected}; it is ${String(value)}.`);
}

function absent(): never {
  throw new FiberError(
    'BAD_METADATA',
    `The guest imports ${TASKS_MODULE} but does not export what it needs: compile assembly/exports.ts in as an entry file, as the transform does.`,
  );
}

function nothing(): void {}
