// The guest library, once more, in the simplest form: arrays and no speed. The model is driven by what really happened: for
// every step that a task says it has made, the model must be able to make it, with the same result. So it says nothing
// about who runs when, but everything about what comes of it.
import * as fc from 'fast-check';

/** Kinds of steps, as in test/guests/typed/tasks-model.ts. */
export const Kind = {
  YIELD: 0,
  ACQUIRE: 1,
  RELEASE: 2,
  TRY_ACQUIRE: 3,
  PERMIT: 4,
  GIVE_BACK: 5,
  SET: 6,
  CLEAR: 7,
  AWAIT_EVENT: 8,
  PUT: 9,
  GET: 10,
  SEND: 11,
  RECEIVE: 12,
  CLOSE: 13,
  SPAWN: 14,
  JOIN: 15,
  CANCEL: 16,
  DEFER: 17,
  TRAP: 18,
  AWAIT_CONDITION: 19,
  NOTIFY: 20,
  TRY_GET: 21,
  TRY_PUT: 22,
  TRY_RECEIVE: 23,
  TRY_SEND: 24,
  SET_LOCAL: 25,
  GET_LOCAL: 26,
  RESULT: 27,
  FIRST: 28,
  ALL: 29,
  ALL_RESULTS: 30,
} as const;

export type Step = readonly [kind: number, a: number, b: number];
export type Programs = readonly (readonly Step[])[];

/** How many tasks there are. */
export const TASKS = 6;

const two = fc.nat(1);
const value = fc.integer({ min: 1, max: 99 });
const task = fc.nat(TASKS - 1);
const zero = fc.constant(0);

const of = (kind: number, a: fc.Arbitrary<number>, b: fc.Arbitrary<number>): fc.Arbitrary<Step> =>
  fc.tuple(fc.constant(kind), a, b);

/** How often each kind of step comes, and with what. */
const STEPS: readonly (readonly [weight: number, kind: number, a: fc.Arbitrary<number>, b: fc.Arbitrary<number>])[] = [
  [6, Kind.YIELD, zero, zero],
  [6, Kind.ACQUIRE, two, zero],
  [6, Kind.RELEASE, two, zero],
  [2, Kind.TRY_ACQUIRE, two, zero],
  [3, Kind.PERMIT, zero, zero],
  [3, Kind.GIVE_BACK, zero, zero],
  [2, Kind.SET, zero, zero],
  [1, Kind.CLEAR, zero, zero],
  [2, Kind.AWAIT_EVENT, zero, zero],
  [5, Kind.PUT, two, value],
  [5, Kind.GET, two, zero],
  [5, Kind.SEND, two, value],
  [5, Kind.RECEIVE, two, zero],
  [1, Kind.CLOSE, two, zero],
  [14, Kind.SPAWN, task, zero],
  [6, Kind.JOIN, task, zero],
  [8, Kind.CANCEL, task, zero],
  [4, Kind.DEFER, zero, value],
  [2, Kind.TRAP, zero, zero],
  [3, Kind.AWAIT_CONDITION, zero, zero],
  [3, Kind.NOTIFY, two, zero],
  [1, Kind.TRY_GET, two, zero],
  [1, Kind.TRY_PUT, two, value],
  [1, Kind.TRY_RECEIVE, two, zero],
  [1, Kind.TRY_SEND, two, value],
  [2, Kind.SET_LOCAL, zero, value],
  [2, Kind.GET_LOCAL, zero, zero],
  [2, Kind.RESULT, task, zero],
  [2, Kind.FIRST, task, task],
  [2, Kind.ALL, task, task],
  [2, Kind.ALL_RESULTS, task, task],
];

const COMMON = [Kind.YIELD, Kind.SPAWN, Kind.CANCEL, Kind.DEFER];

/** Programs about one thing meet in it far more often than programs about everything. */
const THEMES: readonly (readonly number[])[] = [
  STEPS.map(([, kind]) => kind),
  [...COMMON, Kind.ACQUIRE, Kind.RELEASE, Kind.TRY_ACQUIRE],
  [...COMMON, Kind.ACQUIRE, Kind.RELEASE, Kind.AWAIT_CONDITION, Kind.NOTIFY],
  [...COMMON, Kind.PERMIT, Kind.GIVE_BACK, Kind.TRAP],
  [...COMMON, Kind.PUT, Kind.GET, Kind.TRY_GET, Kind.TRY_PUT],
  [...COMMON, Kind.SEND, Kind.RECEIVE, Kind.CLOSE, Kind.TRY_RECEIVE, Kind.TRY_SEND],
  [...COMMON, Kind.JOIN, Kind.RESULT, Kind.FIRST, Kind.ALL, Kind.ALL_RESULTS, Kind.TRAP],
  [...COMMON, Kind.JOIN, Kind.ALL, Kind.ACQUIRE, Kind.RELEASE, Kind.SET, Kind.AWAIT_EVENT],
];

function stepsOf(theme: readonly number[]): fc.Arbitrary<Step> {
  const chosen = STEPS.filter(([, kind]) => theme.includes(kind));
  return fc.oneof(...chosen.map(([weight, kind, a, b]) => ({ weight, arbitrary: of(kind, a, b) })));
}

/** Task 0 starts all others somewhere, so that most programs come to something. */
export const programs: fc.Arbitrary<Programs> = fc
  .constantFrom(...THEMES)
  .chain((theme) => fc.array(fc.array(stepsOf(theme), { maxLength: 12 }), { minLength: TASKS, maxLength: TASKS }))
  .map((list) => {
    const spawns = list.slice(1).map((_, i): Step => [Kind.SPAWN, i + 1, 0]);
    const [first = [], ...others] = list;
    return [[...spawns.slice(0, 3), ...first.slice(0, 6), ...spawns.slice(3), ...first.slice(6)], ...others];
  });

const PENDING = 0;
const DONE = 1;
const FAILED = 2;
const CANCELLED = 3;

/** What a task waits for. */
interface Wait {
  readonly task: ModelTask;
  /** The line in which it stands. */
  line: Wait[] | null;
  /** The result of the step, once it is known: the wait is granted. */
  result: number | null;
  /** It will fail when it goes on. */
  deadlocked: boolean;
  /** Those of whom it needs one, or all; null if anybody may end it. */
  needs: (() => ModelTask[]) | null;
  readonly all: boolean;
  /** The value that it offers. */
  readonly offer: number;
  /** The task was cancelled after the wait was granted. */
  readonly undo: ((wait: Wait) => void) | null;
}

class ModelTask {
  state: number = PENDING;
  /** Its fiber has begun, and not ended. */
  status: 'absent' | 'new' | 'running' | 'waiting' | 'ended' = 'absent';
  outcome: number = PENDING;
  at = 0;
  wait: Wait | null = null;
  cancelRequested = false;
  failing = false;
  local = 0;
  deferred: number[] = [];
  /** What it will say next, if it is running. */
  expected: [step: number, value: number] | null = null;
  readonly held: Set<ModelLock> = new Set();
  /** Told when it has ended; what they answer is done when all have been told. */
  readonly watchers: Set<() => (() => void) | void> = new Set();
  readonly index: number;

  constructor(index: number) {
    this.index = index;
  }
}

class ModelLock {
  owner: ModelTask | null = null;
  readonly line: Wait[] = [];
}

interface Pipe {
  readonly capacity: number;
  items: number[];
  readonly takers: Wait[];
  readonly givers: Wait[];
  closed: boolean;
}

export class Model {
  readonly tasks: ModelTask[];
  readonly locks: ModelLock[] = [new ModelLock(), new ModelLock()];
  readonly #programs: Programs;
  readonly #queues: Pipe[] = [pipe(Infinity), pipe(1)];
  readonly #channels: Pipe[] = [pipe(0), pipe(1)];
  readonly #permitLine: Wait[] = [];
  readonly #eventLine: Wait[] = [];
  readonly #conditionLine: Wait[] = [];
  /** Waits for the condition that have been notified. */
  readonly #notified = new Set<Wait>();
  #permits = 1;
  #event = false;

  constructor(programs: Programs) {
    this.#programs = programs;
    this.tasks = programs.map((_, index) => new ModelTask(index));
    this.task(0).status = 'new';
  }

  task(index: number): ModelTask {
    const task = this.tasks[index];
    if (task === undefined) throw new Error(`there is no task ${index}`);
    return task;
  }

  rest(): number[] {
    const [a, b] = this.locks;
    const sizes = [...this.#queues, ...this.#channels].map(({ items }) => items.length);
    return [Number(a?.owner !== null), Number(b?.owner !== null), this.#permits, ...sizes];
  }

  /** A task says that it has made a step. */
  note(index: number, step: number, value: number): void {
    const task = this.task(index);
    const where = `task ${index}, step ${step} (${String(this.#programs[index]?.[step])})`;
    if (step === -2) {
      check(task.status === 'new', `${where} begins, though it is ${task.status}`);
      task.status = 'running';
      this.#issue(task);
      return;
    }
    if (task.status === 'waiting') {
      check(task.wait?.result !== null, `${where} goes on, though nobody has woken it`);
      check(!task.failing && task.wait?.deadlocked !== true, `${where} goes on, though it cannot`);
      task.expected = [task.at, task.wait?.result ?? 0];
      task.wait = null;
      task.status = 'running';
    } else if (task.status === 'new') {
      // A cleanup.
      check(task.outcome !== PENDING, `${where} goes on without having begun`);
      task.status = 'running';
      this.#defer(task);
    }
    const expected = task.expected;
    check(
      expected !== null && expected[0] === step && expected[1] === value,
      `${where} came to ${value}, expected ${String(expected)} (${task.status})`,
    );
    task.expected = null;
    if (step >= 2000) this.#defer(task);
    else if (step >= 1000) {
      if (step & 1) this.#yield(task, step + 1000, task.local);
      else this.#defer(task);
    } else if (step === -1) {
      if (!task.cancelRequested) this.#defer(task);
    } else {
      task.at++;
      this.#issue(task);
    }
  }

  /** A fiber has ended. */
  end(index: number, failed: boolean): void {
    const task = this.task(index);
    if (task.status === 'ended') return;
    const { cancelRequested } = task;
    check(!failed || cancelRequested || task.failing || task.wait?.deadlocked === true, `task ${index} failed`);
    check(failed || task.expected === null, `task ${index} ended, though it has more to do`);
    this.#ended(task, cancelRequested ? CANCELLED : failed ? FAILED : DONE);
  }

  /** Tasks that can go on and have not. */
  runnable(): number[] {
    const ready = this.tasks.filter(
      ({ status, wait, cancelRequested, failing }) =>
        status === 'new' ||
        status === 'running' ||
        (status === 'waiting' && (cancelRequested || failing || wait?.result !== null)),
    );
    return ready.map(({ index }) => index);
  }

  live(): number[] {
    return this.tasks.filter(({ status }) => status !== 'absent' && status !== 'ended').map(({ index }) => index);
  }

  cancel(index: number): boolean {
    const task = this.task(index);
    if (task.outcome !== PENDING || task.cancelRequested || task.status === 'ended') return false;
    task.cancelRequested = true;
    if (task.status === 'new') this.#ended(task, CANCELLED);
    return true;
  }

  #ended(task: ModelTask, state: number): void {
    const { wait } = task;
    task.wait = null;
    if (wait !== null) {
      leave(wait);
      if (wait.undo !== null) wait.undo(wait);
    }
    if (task.outcome === PENDING) task.outcome = state;
    task.cancelRequested = task.failing = false;
    task.expected = null;
    if (task.deferred.length > 0) {
      task.status = 'new';
      return;
    }
    for (const lock of task.held) this.#handOver(lock);
    task.status = 'ended';
    task.state = task.outcome;
    const checks = [...task.watchers].map((tell) => tell());
    task.watchers.clear();
    for (const check of checks) check?.();
  }

  /** The next deferred function, or the end. */
  #defer(task: ModelTask): void {
    const kind = task.deferred.pop();
    if (kind !== undefined) task.expected = [1000 + kind, 0];
  }

  #yield(task: ModelTask, step: number, value: number): void {
    task.at = step;
    this.#block(task, { result: value });
  }

  #block(task: ModelTask, wait: Partial<Wait>, line: Wait[] | null = null): Wait {
    const made: Wait = {
      task,
      line,
      result: null,
      deadlocked: false,
      needs: null,
      all: false,
      offer: 0,
      undo: null,
      ...wait,
    };
    task.wait = made;
    task.status = 'waiting';
    line?.push(made);
    if (made.needs !== null && !this.#canGoOn(task)) task.failing = true;
    return made;
  }

  #canGoOn(task: ModelTask): boolean {
    const free = new Set<ModelTask>();
    let size: number;
    do {
      size = free.size;
      for (const each of this.tasks) {
        const { wait } = each;
        if (each.status !== 'waiting' || wait === null || wait.needs === null || wait.result !== null) free.add(each);
        else if (each !== task && each.cancelRequested) free.add(each);
        else {
          const needs = wait.needs().filter(({ status }) => status !== 'ended');
          const go = (other: ModelTask): boolean => free.has(other);
          if (wait.all || needs.length === 0 ? needs.every(go) : needs.some(go)) free.add(each);
        }
      }
    } while (free.size > size);
    return free.has(task);
  }

  /** Does the next step of a task, as far as it can be done now. */
  #issue(task: ModelTask): void {
    const step = this.#programs[task.index]?.[task.at];
    if (step === undefined) {
      task.expected = [-1, 1];
      return;
    }
    const result = this.#do(task, step);
    if (result !== null) task.expected = [task.at, result];
  }

  /** Null if it waits, or fails. */
  #do(task: ModelTask, [kind, a, b]: Step): number | null {
    const lock = at(this.locks, a & 1);
    const queue = at(this.#queues, a & 1);
    const channel = at(this.#channels, a & 1);
    switch (kind) {
      case Kind.YIELD:
        this.#block(task, { result: 0 });
        return null;
      case Kind.ACQUIRE:
        if (lock.owner === null) return this.#own(lock, task);
        this.#block(task, this.#lockWait(lock), lock.line);
        return null;
      case Kind.RELEASE:
        if (lock.owner !== task) return -1;
        this.#handOver(lock);
        return 0;
      case Kind.TRY_ACQUIRE:
        if (lock.owner !== null) return 0;
        this.#own(lock, task);
        return 1;
      case Kind.PERMIT:
        if (this.#permits > 0) {
          this.#permits--;
          return 0;
        }
        this.#block(task, { undo: ({ result }) => result !== null && this.#giveBack() }, this.#permitLine);
        return null;
      case Kind.GIVE_BACK:
        this.#giveBack();
        return 0;
      case Kind.SET:
        this.#event = true;
        grantAll(this.#eventLine, 0);
        return 0;
      case Kind.CLEAR:
        this.#event = false;
        return 0;
      case Kind.AWAIT_EVENT:
        if (this.#event) return 0;
        this.#block(task, {}, this.#eventLine);
        return null;
      case Kind.PUT:
        return give(queue, b) ? 0 : this.#offer(task, queue, b);
      case Kind.GET:
        return this.#take(queue) ?? this.#wantFrom(task, queue);
      case Kind.SEND:
        if (channel.closed) return 0;
        return give(channel, b) ? 1 : this.#offer(task, channel, b);
      case Kind.RECEIVE:
        return this.#take(channel) ?? (channel.closed ? -1 : this.#wantFrom(task, channel));
      case Kind.CLOSE:
        if (channel.closed) return 0;
        channel.closed = true;
        grantAll(channel.takers, -1);
        grantAll(channel.givers, 0);
        return 1;
      case Kind.SPAWN: {
        const other = this.task(a);
        if (other.status !== 'absent') return 0;
        other.status = 'new';
        other.local = task.local;
        return 1;
      }
      case Kind.JOIN:
      case Kind.RESULT:
        return this.#join(task, this.task(a), kind === Kind.RESULT);
      case Kind.CANCEL:
        return this.task(a).status === 'absent' ? -1 : Number(this.cancel(a));
      case Kind.DEFER:
        task.deferred.push(b);
        return 0;
      case Kind.TRAP:
        task.failing = true;
        return null;
      case Kind.AWAIT_CONDITION: {
        const first = at(this.locks, 0);
        if (first.owner !== task) return -1;
        const undo = (wait: Wait): void => {
          if (wait.result !== null) this.#handOver(first);
          // Somebody else must hear it instead.
          if (this.#notified.has(wait)) this.#notify();
        };
        this.#block(task, { undo }, this.#conditionLine);
        this.#handOver(first);
        return null;
      }
      case Kind.NOTIFY:
        if (at(this.locks, 0).owner !== task) return -1;
        for (let count = 1 + a; count > 0 && this.#conditionLine.length > 0; count--) this.#notify();
        return 0;
      case Kind.TRY_GET:
        return this.#take(queue) ?? -1;
      case Kind.TRY_PUT:
        return Number(give(queue, b));
      case Kind.TRY_RECEIVE:
        return this.#take(channel) ?? -1;
      case Kind.TRY_SEND:
        return Number(!channel.closed && give(channel, b));
      case Kind.SET_LOCAL:
        task.local = b;
        return 0;
      case Kind.GET_LOCAL:
        return task.local;
      default: {
        const group = [...new Set([a, b])].map((each) => this.task(each)).filter(({ status }) => status !== 'absent');
        return group.length === 0 ? -1 : this.#joinGroup(task, group, kind);
      }
    }
  }

  #own(lock: ModelLock, task: ModelTask): number {
    lock.owner = task;
    task.held.add(lock);
    return 0;
  }

  #lockWait(lock: ModelLock): Pick<Wait, 'needs' | 'undo'> {
    return {
      needs: () => (lock.owner === null ? [] : [lock.owner]),
      undo: ({ result }) => result !== null && this.#handOver(lock),
    };
  }

  #handOver(lock: ModelLock): void {
    lock.owner?.held.delete(lock);
    lock.owner = null;
    const next = lock.line[0];
    if (next === undefined) return;
    this.#own(lock, next.task);
    grant(next, 0);
  }

  #notify(): void {
    const lock = at(this.locks, 0);
    const wait = this.#conditionLine[0];
    if (wait === undefined) return;
    leave(wait);
    this.#notified.add(wait);
    // From now on it is a wait for the lock.
    wait.needs = this.#lockWait(lock).needs;
    if (lock.owner === null) {
      this.#own(lock, wait.task);
      grant(wait, 0);
    } else {
      wait.line = lock.line;
      lock.line.push(wait);
    }
  }

  #giveBack(): void {
    const next = this.#permitLine[0];
    if (next === undefined) this.#permits++;
    else grant(next, 0);
  }

  #offer(task: ModelTask, pipe: Pipe, value: number): null {
    this.#block(task, { offer: value }, pipe.givers);
    return null;
  }

  #take(pipe: Pipe): number | null {
    const told = this.#channels.includes(pipe) ? 1 : 0;
    const giver = pipe.givers[0];
    const value = pipe.items.shift();
    if (value === undefined) {
      if (giver === undefined) return null;
      grant(giver, told);
      return giver.offer;
    }
    if (giver !== undefined && pipe.items.length < pipe.capacity) {
      grant(giver, told);
      pipe.items.push(giver.offer);
    }
    return value;
  }

  #wantFrom(task: ModelTask, pipe: Pipe): null {
    this.#block(
      task,
      {
        undo: ({ result }) => {
          if (result === null || result === -1) return;
          const taker = pipe.takers[0];
          if (taker === undefined) pipe.items.unshift(result);
          else grant(taker, result);
        },
      },
      pipe.takers,
    );
    return null;
  }

  #join(task: ModelTask, other: ModelTask, result: boolean): number | null {
    const value = (): number => (result ? other.index : other.state);
    const come = (): boolean => !result || other.state === DONE;
    if (other.status === 'absent') return -1;
    if (other.status === 'ended') {
      if (come()) return value();
      task.failing = true;
      return null;
    }
    const wait = this.#block(task, { needs: () => [other] });
    other.watchers.add(() => {
      if (task.wait !== wait) return;
      wait.result = value();
      if (!come()) wait.deadlocked = true;
    });
    return null;
  }

  #joinGroup(task: ModelTask, group: ModelTask[], kind: number): number | null {
    const pending = (): ModelTask[] => group.filter(({ status }) => status !== 'ended');
    const failed = (): boolean => group.some(({ status, state }) => status === 'ended' && state !== DONE);
    const over = (): boolean =>
      kind === Kind.FIRST ? pending().length < group.length : pending().length === 0 || (kind === Kind.ALL && failed());
    if (over()) {
      if (kind === Kind.FIRST) return group.find(({ status }) => status === 'ended')?.index ?? -1;
      if (kind !== Kind.ALL || !failed()) return 0;
      task.failing = true;
      return null;
    }
    const wait = this.#block(task, { needs: pending, all: kind === Kind.ALL_RESULTS });
    for (const other of group) {
      other.watchers.add(() => {
        if (task.wait !== wait || wait.result !== null) return;
        if (over()) {
          wait.result = kind === Kind.FIRST ? other.index : 0;
          wait.deadlocked = kind === Kind.ALL && failed();
          return;
        }
        return () => {
          if (kind !== Kind.ALL || wait.result !== null || this.#canGoOn(task)) return;
          wait.result = 0;
          wait.deadlocked = true;
        };
      });
    }
    return null;
  }
}

function give(pipe: Pipe, value: number): boolean {
  const taker = pipe.takers[0];
  if (taker !== undefined) grant(taker, value);
  else if (pipe.items.length < pipe.capacity) pipe.items.push(value);
  else return false;
  return true;
}

function pipe(capacity: number): Pipe {
  return { capacity, items: [], takers: [], givers: [], closed: false };
}

function grant(wait: Wait, result: number): void {
  leave(wait);
  wait.result = result;
}

function grantAll(line: Wait[], result: number): void {
  for (let first = line[0]; first !== undefined; first = line[0]) grant(first, result);
}

function leave(wait: Wait): void {
  if (wait.line !== null) wait.line.splice(wait.line.indexOf(wait), 1);
  wait.line = null;
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new Error(`there is nothing at ${index}`);
  return found;
}

function check(holds: boolean, message: string): void {
  if (!holds) throw new Error(message);
}
