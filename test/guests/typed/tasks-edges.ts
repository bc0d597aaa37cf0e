/** Tasks that end, wait or are asked for where little programs seldom go. */
import {
  AnyTask,
  currentTask,
  defer,
  Event,
  gather,
  gatherResults,
  Lock,
  Result,
  Semaphore,
  shield,
  sleep,
  spawn,
  start,
  Task,
  TaskLocal,
  timeout,
  tryAwait,
  yield_,
} from 'wasm-fibers/assembly';

// @ts-ignore: decorator
@external('env', 'say')
declare function say(text: string): void;

// @ts-ignore: decorator
@suspending
@external('env', 'wait')
declare function wait(x: i32): i32;

function identity(x: i32): i32 {
  return x;
}

function yields(x: i32): i32 {
  yield_();
  yield_();
  return x;
}

function traps(x: i32): i32 {
  yield_();
  return load<i32>(0xffffffff) + x;
}

function describe<T>(result: Result<T>): string {
  const failure = result.failure;
  return result.ok ? 'ok' : failure ? failure.code + ': ' + failure.message : 'neither';
}

// Time.

export function sleeps(ms: f64): void {
  sleep(ms);
}

const event = new Event('event');

export function waitForEvent(): i32 {
  event.wait();
  return 7;
}

export function waitThenSet(): i32 {
  const value = wait(1);
  event.set();
  return value;
}

// Poison.

function parked(x: i32): void {
  event.wait();
}

export function park(count: i32): void {
  for (let i = 0; i < count; i++) spawn(parked, i, 'parked');
}

export function trap(): void {
  unreachable();
}

export function resultOfTrap(): i32 {
  return spawn(traps, 1, 'trapping').result();
}

export function startTrap(): void {
  spawn(traps, 1, 'trapping');
}

export function double(x: i32): i32 {
  return spawn(wait, x, 'waiting').result() * 2;
}

export function startWait(x: i32): void {
  spawn(wait, x, 'waiting');
}

// Without a fiber.

const permits = new Semaphore(1);

export function runPermitted(): i32 {
  return permits.runExclusive<i32, i32>(identity, 3);
}

export function available(): i32 {
  return permits.available;
}

export function tries(): string {
  return describe(tryAwait(identity, 1));
}

export function limits(): string {
  return describe(timeout(5, identity, 1));
}

export function shields(): i32 {
  return shield(identity, 1);
}

const local = new TaskLocal<i32>(1);

export function setLocal(value: i32): void {
  local.set(value);
}

export function getLocal(): i32 {
  return local.get();
}

function sayLocal(x: i32): void {
  say('local ' + local.get().toString());
}

export function kick(): i32 {
  return spawn(sayLocal, 1).id;
}

// Deadlocks of several.

let main: Task<i32> | null = null;
let other: Task<i32> | null = null;

function asksMain(x: i32): i32 {
  return main!.result();
}

function asksOther(x: i32): i32 {
  return other!.result();
}

function gathersWith(askers: i32): i32 {
  const tasks: Task<i32>[] = [];
  for (let i = 0; i < askers; i++) tasks.push(spawn(asksMain, i, 'asker'));
  tasks.push(spawn(yields, 3, 'quick'));
  return gather(tasks).length;
}

export function gatherOfAskers(askers: i32): string {
  main = spawn(gathersWith, askers, 'main');
  const text = describe(main!.outcome());
  main = null;
  return text;
}

function gathersOne(x: i32): i32 {
  return gather([spawn(asksOther, 1, 'asks other'), spawn(yields, 1, 'quick')]).length;
}

function gathersOther(x: i32): i32 {
  return gather([spawn(asksMain, 1, 'asks main'), spawn(wait, x, 'slow')]).length;
}

/** Each of two gathers a task that asks for the other one. */
export function crossedGathers(): string {
  main = spawn(gathersOne, 1, 'main');
  other = spawn(gathersOther, 1, 'other');
  const texts = describe(main!.outcome()) + ' | ' + describe(other!.outcome());
  main = other = null;
  return texts;
}

/** What the last of them waits for ends in the same moment as the one before it. */
export function gatherOfAsker(): i32 {
  other = spawn(yields, 5, 'quick');
  const results = gather([spawn(asksOther, 1, 'asker'), other!]);
  other = null;
  return results[0] * 10 + results[1];
}

function gathersBoth(x: i32): i32 {
  return gather([other!, spawn(asksOther, 1, 'asker')]).length;
}

/** Two gather the same tasks, one of which waits for the other. */
export function gatherTwice(): i32 {
  other = spawn(yields, 5, 'quick');
  const both: Task<i32>[] = [spawn(gathersBoth, 1), spawn(gathersBoth, 2)];
  const results = gather(both);
  other = null;
  return results[0] + results[1];
}

const shared = new Lock('shared');

function locks(x: i32): i32 {
  shared.acquire();
  yield_();
  shared.release();
  return x;
}

function gathersTwo(x: i32): i32 {
  const tasks: Task<i32>[] = [spawn(yields, x), spawn(locks, x)];
  return gather(tasks)[1];
}

function looksAtTwo(x: i32): i32 {
  const tasks: Task<i32>[] = [spawn(locks, x), spawn(yields, x)];
  return gatherResults(tasks)[0].value;
}

/** So many tasks at once: each plain, at a lock, or gathering others. */
export function gatherMany(count: i32, kind: i32): i32 {
  const fn = kind == 0 ? yields : kind == 1 ? locks : kind == 2 ? gathersTwo : looksAtTwo;
  const tasks = new Array<Task<i32>>();
  for (let i = 0; i < count; i++) tasks.push(spawn(fn, i));
  const results = gather(tasks);
  let sum = 0;
  for (let i = 0; i < count; i++) sum += results[i];
  return sum;
}

export function oneByOne(count: i32): i32 {
  const tasks = new Array<Task<i32>>();
  for (let i = 0; i < count; i++) tasks.push(spawn(yields, i));
  let sum = 0;
  for (let i = 0; i < count; i++) sum += tasks[i].result();
  return sum;
}

// Texts of errors.

export function failureOfWait(x: i32): string {
  const outcome = tryAwait(wait, x);
  return describe(outcome) + (describe(outcome) == describe(outcome)).toString();
}

/** What lies beside the texts in memory. */
export function heap(): string {
  const texts: string[] = [];
  for (let i = 0; i < 100; i++) texts.push('abc' + i.toString());
  return texts.join('');
}

// Nobody is left.

const never = new Event('never');

function waitsForNever(x: i32): i32 {
  never.wait();
  return x;
}

function asksWaiter(x: i32): i32 {
  return spawn(waitsForNever, x, 'inner').result();
}

export function waitsThrough(): i32 {
  return spawn(asksWaiter, 1, 'middle').result();
}

export function waitsAlone(): void {
  spawn(asksWaiter, 1, 'outer');
}

// Ends of the embedder's calls.

export function isLocked(): bool {
  return shared.locked;
}

export function holdLock(): i32 {
  shared.acquire();
  return wait(1);
}

function tidy(name: string): void {
  say(name + ' ' + shared.held.toString());
  yield_();
  say(name + ' tidied');
}

export function holdLockAndDefer(): i32 {
  defer(tidy, 'caller');
  return holdLock();
}

export function takeLock(): bool {
  shared.acquire();
  const held = shared.held;
  shared.release();
  return held;
}

function holdsAndDefers(x: i32): i32 {
  defer(tidy, 'task');
  shared.acquire();
  return wait(x);
}

export function outcomeOfHolder(): string {
  const text = describe(spawn(holdsAndDefers, 1, 'holder').outcome());
  return text + ' ' + shared.locked.toString();
}

export function startHolder(): void {
  spawn(holdsAndDefers, 1, 'holder');
}

export function ownName(): string {
  const task: AnyTask = currentTask();
  return task.name;
}

export function startNothing(): void {
  start(nothing);
}

function nothing(): void {}

export function collect(): void {
  if (ASC_RUNTIME == 2) __collect();
}
