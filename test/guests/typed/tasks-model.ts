/**
 * Runs random programs over the guest library (test/support/tasks-model.ts makes them and knows what must happen). Task i
 * runs the steps of program i, three numbers each: what to do, and with what. Each step is told to the host when it has
 * ended, so that the host sees every step of every task in the order in which they happened.
 */
import {
  Channel,
  Condition,
  currentTask,
  defer,
  Event,
  firstOf,
  gatherResults,
  Lock,
  Queue,
  Semaphore,
  spawn,
  Task,
  TaskLocal,
  waitAll,
  yield_,
} from 'wasm-fibers/assembly';

// @ts-ignore: decorator
@external('env', 'note')
declare function note(task: i32, step: i32, value: i32): void;

let programs: i32[][] = [];
let tasks: (Task<i32> | null)[] = [];
let locks: Lock[] = [];
let queues: Queue<i32>[] = [];
let channels: Channel<i32>[] = [];
let semaphore = new Semaphore(1);
let event = new Event();
let condition = new Condition();
const local = new TaskLocal<i32>(0);

export function load(given: i32[][]): void {
  programs = given;
  tasks = [];
  for (let i = 0; i < given.length; i++) tasks.push(null);
  locks = [new Lock('0'), new Lock('1')];
  queues = [new Queue<i32>(), new Queue<i32>(1)];
  channels = [new Channel<i32>(), new Channel<i32>(1)];
  semaphore = new Semaphore(1);
  event = new Event();
  condition = new Condition(locks[0]);
}

export function begin(): void {
  tasks[0] = spawn(body, 0, '0');
}

/** What is left: locks held, permits, items, values. */
export function rest(): i32[] {
  return [
    i32(locks[0].locked),
    i32(locks[1].locked),
    semaphore.available,
    queues[0].size,
    queues[1].size,
    channels[0].size,
    channels[1].size,
  ];
}

export function collect(): void {
  __collect();
}

class Deferred {
  constructor(
    readonly task: i32,
    readonly kind: i32,
  ) {}
}

function cleanUp(what: Deferred): void {
  note(what.task, 1000 + what.kind, 0);
  if ((what.kind & 1) == 0) return;
  yield_();
  note(what.task, 2000 + what.kind, local.get());
}

function body(index: i32): i32 {
  note(index, -2, 0);
  const steps = programs[index];
  const canary = 'task ' + index.toString();
  for (let i = 0; i < steps.length; i += 3) {
    note(index, i / 3, step(index, steps[i], steps[i + 1], steps[i + 2]));
  }
  note(index, -1, i32(canary == 'task ' + index.toString()));
  return index;
}

function step(index: i32, kind: i32, a: i32, b: i32): i32 {
  switch (kind) {
    case 0:
      yield_();
      return 0;
    case 1:
      locks[a].acquire();
      return 0;
    case 2:
      if (!locks[a].held) return -1;
      locks[a].release();
      return 0;
    case 3:
      return i32(locks[a].tryAcquire());
    case 4:
      semaphore.acquire();
      return 0;
    case 5:
      semaphore.release();
      return 0;
    case 6:
      event.set();
      return 0;
    case 7:
      event.clear();
      return 0;
    case 8:
      event.wait();
      return 0;
    case 9:
      queues[a].put(b);
      return 0;
    case 10:
      return queues[a].get();
    case 11:
      return i32(channels[a].send(b));
    case 12: {
      const next = channels[a].receive();
      return next.ok ? next.value : -1;
    }
    case 13:
      return i32(channels[a].close());
    case 14:
      if (tasks[a] != null) return 0;
      tasks[a] = spawn(body, a, a.toString());
      return 1;
    case 15: {
      const task = tasks[a];
      if (!task) return -1;
      task.wait();
      return task.state;
    }
    case 16: {
      const task = tasks[a];
      return task ? i32(task.cancel()) : -1;
    }
    case 17:
      defer(cleanUp, new Deferred(index, b));
      return 0;
    case 18:
      unreachable();
    case 19:
      if (!locks[0].held) return -1;
      condition.wait();
      return 0;
    case 20:
      if (!locks[0].held) return -1;
      condition.notify(1 + a);
      return 0;
    case 21: {
      const next = queues[a].tryGet();
      return next.ok ? next.value : -1;
    }
    case 22:
      return i32(queues[a].tryPut(b));
    case 23: {
      const next = channels[a].tryReceive();
      return next.ok ? next.value : -1;
    }
    case 24:
      return i32(channels[a].trySend(b));
    case 25:
      local.set(b);
      return 0;
    case 26:
      return local.get();
    case 27: {
      const task = tasks[a];
      return task ? task.result() : -1;
    }
    default: {
      const group: Task<i32>[] = [];
      const first = tasks[a];
      const second = tasks[b];
      if (first) group.push(first);
      if (second && b != a) group.push(second);
      if (group.length == 0) return -1;
      if (kind == 28) return firstOf(group).name == a.toString() ? a : b;
      if (kind == 29) waitAll(group);
      else gatherResults(group);
      return 0;
    }
  }
}
