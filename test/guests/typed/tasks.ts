/** Small programs over every part of the guest library; what happens is said to the host, in order. */
import {
  cancelled,
  Channel,
  Condition,
  currentTask,
  defer,
  Event,
  failed,
  firstOf,
  Future,
  gather,
  gatherResults,
  Lock,
  Queue,
  race,
  Result,
  runUntilComplete,
  Semaphore,
  shield,
  sleep,
  spawn,
  start,
  succeeded,
  Task,
  TaskLocal,
  TaskState,
  timeout,
  tryAwait,
  waitAll,
  yield_,
} from 'wasm-fibers/assembly';

// @ts-ignore: decorator
@external('env', 'say')
declare function say(text: string): void;

// @ts-ignore: decorator
@suspending
@external('env', 'wait')
declare function wait(x: i32): i32;

// Tasks of every type.

class Point {
  x: f64 = 0;
  name: string = '';
}

function twice(x: i32): i32 {
  return wait(x) * 2;
}

function asI64(x: i64): i64 {
  yield_();
  return x + 1;
}

function asF64(x: f64): f64 {
  yield_();
  return x / 3;
}

function asF32(x: f32): f32 {
  return x;
}

function asU8(x: u8): u8 {
  return x + 1;
}

function not(x: bool): bool {
  return !x;
}

function greet(name: string): string {
  yield_();
  return 'hello ' + name;
}

function point(name: string): Point {
  const made = new Point();
  yield_();
  made.name = name;
  made.x = 1.5;
  return made;
}

function maybe(x: i32): Point | null {
  return x > 0 ? point('maybe') : null;
}

function nothing(x: i32): void {
  yield_();
  say('nothing ' + x.toString());
}

function seven(): i32 {
  return 7;
}

function silent(): void {
  say('silent');
}

export function everyType(): string {
  const a = spawn(asI64, i64.MAX_VALUE - 1);
  const b = spawn(asF64, 1.0);
  const c = spawn(asF32, <f32>0.1);
  const d = spawn(asU8, <u8>255);
  const e = spawn(not, true);
  const f = spawn(greet, 'world');
  const g = spawn(point, 'p');
  const h = spawn(maybe, 0);
  const i = spawn(maybe, 1);
  const j = spawn(nothing, 3);
  const k = start(seven);
  const l = start(silent);
  j.result();
  l.result();
  const parts: string[] = [
    (a.result() == i64.MAX_VALUE).toString(),
    (b.result() == 1.0 / 3.0).toString(),
    (c.result() == <f32>0.1).toString(),
    d.result().toString(),
    e.result().toString(),
    f.result(),
    g.result().name,
    (h.result() == null).toString(),
    i.result()!.name,
    k.result().toString(),
  ];
  return parts.join(' ');
}

function speak(text: string): void {
  say(text);
}

/** A task begins when the one that starts it waits or ends. */
export function beginsLater(): void {
  spawn(speak, 'task');
  say('caller');
  yield_();
  say('caller again');
  spawn(speak, 'second task');
}

export function double(x: i32): i32 {
  return spawn(twice, x, 'twice').result();
}

/** What a task fails with, through another task. */
export function chainOf(depth: i32): i32 {
  return depth == 0 ? wait(-1) : spawn(chainOf, depth - 1, 'link ' + depth.toString()).result();
}

function trap(x: i32): i32 {
  yield_();
  return load<i32>(0xffffffff) + x;
}

function abort_(message: string): i32 {
  yield_();
  throw new Error(message);
}

export function resultOfTrap(): i32 {
  return spawn(trap, 1).result();
}

export function resultOfAbort(): i32 {
  return spawn(abort_, 'no such thing').result();
}

function describe<T>(result: Result<T>): string {
  const failure = result.failure;
  return result.ok ? 'ok' : failure ? failure.code + ': ' + failure.message : 'neither';
}

/** Every way to fail, as a value. */
export function failures(): string {
  const texts: string[] = [];
  texts.push(describe(tryAwait(trap, 1)).substring(0, 5));
  texts.push(describe(tryAwait(abort_, 'no such thing')).substring(0, 19));
  texts.push(describe(tryAwait(wait, -1)));
  texts.push(describe(tryAwait(twice, 4)) + ' ' + tryAwait(twice, 4).value.toString());
  texts.push(describe(tryAwait(nothing, 4)));
  const task = spawn(twice, 5);
  yield_();
  task.cancel('enough');
  texts.push(describe(task.outcome()).substring(0, 9));
  texts.push((task.state == TaskState.CANCELLED).toString());
  return texts.join('; ');
}

export function unwrapped(x: i32): i32 {
  return tryAwait(wait, x).unwrap();
}

export function unwrappedOwn(): i32 {
  return failed<i32>('NOT_FOUND', 'no user of this name').unwrap();
}

export function valueOr(): string {
  return tryAwait(wait, -1).valueOr(3).toString() + succeeded('x').unwrap() + failed<string>('A', 'b').valueOr('y');
}

// Waiting for a task with a limit, cancelling.

export function waitsFor(limit: f64): string {
  const task = spawn(twice, 21, 'slow');
  const first = task.wait(limit);
  const before = task.done;
  const value = first ? task.result() : 0;
  return first.toString() + ' ' + before.toString() + ' ' + value.toString();
}

export function asks(): string {
  const task = spawn(greet, 'x');
  let text = task.wait(0).toString();
  text += task.wait().toString();
  text += task.wait(0).toString();
  return text + task.wait(1).toString();
}

export function cancels(): string {
  const task = spawn(twice, 1, 'victim');
  yield_();
  const first = task.cancel('for a reason');
  const second = task.cancel('again');
  const done = task.done;
  task.wait();
  return [first, second, done, task.done, task.cancel()].join(' ') + ' ' + task.failure!.code;
}

export function cancelsBeforeItBegins(): string {
  const task = spawn(speak, 'never');
  const first = task.cancel();
  return first.toString() + ' ' + task.done.toString() + ' ' + task.failure!.code;
}

function selfish(x: i32): i32 {
  currentTask().cancel('I give up');
  say(cancelled() ? 'cancelled' : 'not cancelled');
  if (x > 0) yield_();
  say('went on');
  return 1;
}

export function cancelsItself(x: i32): string {
  const task = spawn(selfish, x);
  return describe(task.outcome()).substring(0, 9) + ' ' + (task.state == TaskState.CANCELLED).toString();
}

export function whoAmI(): string {
  const task = currentTask();
  return task.name + ' ' + task.id.toString() + ' ' + (currentTask() == task).toString();
}

export function inSync(): i32 {
  return seven() + currentTask().id;
}

const syncLock = new Lock('for sync');

export function holdLock(): void {
  syncLock.acquire();
  wait(1);
  syncLock.release();
}

export function lockInSync(): void {
  syncLock.acquire();
}

// Several tasks.

function delayed(ms: i32): i32 {
  sleep(ms);
  say(ms.toString());
  return ms;
}

function all(list: i32[]): Task<i32>[] {
  const tasks: Task<i32>[] = [];
  for (let i = 0; i < list.length; i++) tasks.push(spawn(twice, list[i], 'number ' + list[i].toString()));
  return tasks;
}

export function gathers(list: i32[]): i32[] {
  return gather(all(list));
}

export function gathersAll(list: i32[]): string[] {
  const results = gatherResults(all(list));
  return results.map<string>(result => (result.ok ? result.value.toString() : result.failure!.code));
}

export function races(list: i32[]): i32 {
  return race(all(list));
}

export function first(list: i32[]): string {
  const tasks = all(list);
  const winner = firstOf(tasks);
  let left = 0;
  for (let i = 0; i < tasks.length; i++) if (tasks[i].cancel()) left++;
  return winner.name + ' ' + left.toString();
}

export function waitsForAll(list: i32[]): void {
  waitAll(all(list));
}

export function none(): i32 {
  return gather<i32>([]).length + gatherResults<i32>([]).length;
}

// The origin's example.

function asynchronousCode(): i32 {
  sleep(1);
  return 42;
}

function synchronousCode(): i32 {
  return runUntilComplete<i32>(start(asynchronousCode));
}

export function coroutine(): i32 {
  return synchronousCode();
}

function nested(ms: i32): i32 {
  return runUntilComplete<i32>(spawn(delayed, ms));
}

/** The wait that began first ends last, and the other way round. */
export function nestedWaits(a: i32, b: i32): i32 {
  const first = spawn(nested, a);
  const second = spawn(nested, b);
  return first.result() + second.result();
}

const answer = new Future<i32>('answer');

export function ask(): i32 {
  return runUntilComplete<i32>(answer);
}

export function reply(value: i32): bool {
  return answer.set(value);
}

export function refuse(): bool {
  return answer.fail('REFUSED', 'no answer today');
}

export function askFor(ms: f64): string {
  return answer.wait(ms).toString() + answer.done.toString();
}

export function peek(): string {
  return describe(answer.outcome());
}

// Guards.

export function limited(ms: f64, x: i32): string {
  const result = timeout(ms, twice, x);
  return result.ok ? result.value.toString() : result.failure!.code;
}

function tidy(name: string): void {
  say('tidy ' + name);
  sleep(1);
  say('tidied ' + name);
}

function withCleanup(x: i32): i32 {
  defer(tidy, 'first');
  defer(tidy, 'last');
  say('body');
  return wait(x);
}

export function limitedWithCleanup(ms: f64): string {
  const result = timeout(ms, withCleanup, 1);
  say('after');
  return describe(result);
}

export function deferred(x: i32): string {
  const outcome = spawn(withCleanup, x, 'deferring').outcome();
  say('after');
  return outcome.ok ? outcome.value.toString() : outcome.failure!.code;
}

export function deferredByCaller(x: i32): i32 {
  defer(tidy, 'caller');
  return wait(x);
}

function failing(name: string): void {
  say('failing ' + name);
  throw new Error('cleanup ' + name);
}

function withBadCleanup(x: i32): i32 {
  defer(tidy, 'outer');
  defer(failing, 'inner');
  return wait(x);
}

export function badCleanup(x: i32): string {
  const outcome = spawn(withBadCleanup, x, 'bad').outcome();
  return outcome.ok ? 'ok' : outcome.failure!.code;
}

function releaseIt(lock: Lock): void {
  say('held ' + lock.held.toString());
  lock.release();
}

function lockAndFail(lock: Lock): i32 {
  lock.acquire();
  defer(releaseIt, lock);
  return wait(-1);
}

export function cleanupAsTheTask(): string {
  const lock = new Lock();
  const outcome = spawn(lockAndFail, lock).outcome();
  return outcome.failure!.code + ' ' + lock.locked.toString();
}

export function shielded(x: i32): i32 {
  return shield(twice, x);
}

export function guarded(x: i32): string {
  return describe(tryAwait(twice, x));
}

// Locks.

const lock = new Lock('shared');
let balance = 0;

function add(amount: i32): void {
  lock.acquire();
  const before = balance;
  yield_();
  yield_();
  balance = before + amount;
  lock.release();
}

export function exclusive(n: i32): i32 {
  balance = 0;
  const tasks: Task<void>[] = [];
  for (let i = 0; i < n; i++) tasks.push(spawn(add, 1));
  waitAll(tasks);
  return balance;
}

function enter(name: string): void {
  lock.acquire();
  say(name);
  yield_();
  lock.release();
}

export function fair(): void {
  lock.acquire();
  const a = spawn(enter, 'a');
  const b = spawn(enter, 'b');
  yield_();
  lock.release();
  // The lock is a's, although it has not gone on yet.
  say(lock.tryAcquire().toString());
  enter('caller');
  waitAll([a, b]);
}

export function notMine(): void {
  const other = spawn(holdFor, 5.0);
  yield_();
  lock.release();
  other.result();
}

function holdFor(ms: f64): void {
  lock.acquire();
  sleep(ms);
  lock.release();
}

export function limitedLock(ms: f64): string {
  const other = start(holdAndWait);
  yield_();
  const got = lock.tryAcquire(ms);
  const text = got.toString() + lock.held.toString();
  if (got) lock.release();
  other.cancel();
  other.wait();
  return text + lock.locked.toString();
}

function holdAndWait(): void {
  lock.acquire();
  wait(1);
  lock.release();
}

export function locked(x: i32): i32 {
  return lock.runExclusive(twice, x);
}

export function isLocked(): bool {
  return lock.locked;
}

export function trapWithLock(): string {
  const outcome = spawn(lockThenTrap, 1).outcome();
  return outcome.failure!.code + ' ' + lock.locked.toString();
}

function lockThenTrap(x: i32): i32 {
  lock.acquire();
  return trap(x);
}

/** The lock is handed to a task which is cancelled before it goes on. */
export function cancelledHeir(): string {
  lock.acquire();
  const heir = spawn(enter, 'heir');
  const next = spawn(enter, 'next');
  yield_();
  lock.release();
  heir.cancel();
  next.result();
  return heir.failure!.code + ' ' + lock.locked.toString();
}

// Semaphores.

const permits = new Semaphore(2, 'permits');
let inside = 0;
let most = 0;

function occupy(x: i32): i32 {
  permits.acquire();
  inside++;
  most = max(most, inside);
  yield_();
  yield_();
  inside--;
  permits.release();
  return x;
}

export function atMost(n: i32): i32 {
  most = 0;
  const tasks: Task<i32>[] = [];
  for (let i = 0; i < n; i++) tasks.push(spawn(occupy, i));
  gather(tasks);
  return most * 100 + permits.available;
}

function permitted(x: i32): i32 {
  return permits.runExclusive(wait, x);
}

/** Permits come back from tasks that fail and that are cancelled, also between being given one and going on. */
export function permitsComeBack(): string {
  const bad = spawn(permitted, -1);
  const victim = spawn(permitted, 1);
  yield_();
  victim.cancel();
  bad.wait();
  victim.wait();
  yield_();
  permits.acquire();
  permits.acquire();
  const heir = spawn(permitted, 1);
  yield_();
  permits.release();
  heir.cancel();
  heir.wait();
  permits.release();
  return permits.available.toString() + bad.failure!.code + permits.tryAcquire(1).toString() + permits.tryAcquire().toString() + permits.tryAcquire(1).toString() + back(2);
}

function back(count: i32): string {
  permits.release(count);
  return permits.available.toString();
}

// Events and conditions.

function awaitEvent(event: Event): void {
  event.wait();
  say('event');
}

export function events(): string {
  const event = new Event('ready');
  const a = spawn(awaitEvent, event);
  const b = spawn(awaitEvent, event);
  yield_();
  let text = event.wait(0).toString() + event.wait(1).toString();
  event.set();
  event.clear();
  waitAll([a, b]);
  text += event.isSet.toString();
  event.set();
  return text + event.wait().toString() + event.wait(1).toString();
}

const changed = new Condition(lock);
let stock = 0;

function consume(name: string): void {
  lock.acquire();
  while (stock == 0) changed.wait();
  stock--;
  say(name + ' ' + lock.held.toString());
  lock.release();
}

export function conditions(): string {
  const a = spawn(consume, 'a');
  const b = spawn(consume, 'b');
  const c = spawn(consume, 'c');
  yield_();
  lock.acquire();
  let text = changed.wait(1).toString();
  stock = 1;
  changed.notify();
  lock.release();
  a.result();
  lock.acquire();
  stock = 2;
  changed.notifyAll();
  lock.release();
  waitAll([b, c]);
  return text + lock.locked.toString();
}

function waitOnce(name: string): void {
  lock.acquire();
  const heard = changed.wait();
  say(name + ' ' + heard.toString());
  lock.release();
}

function waitLimited(ms: f64): bool {
  lock.acquire();
  const heard = changed.wait(ms);
  say('limited ' + heard.toString() + lock.held.toString());
  lock.release();
  return heard;
}

/** Who was notified and is cancelled then passes it on. */
export function passesOn(): void {
  const a = spawn(waitOnce, 'a');
  const b = spawn(waitOnce, 'b');
  yield_();
  lock.acquire();
  changed.notify();
  lock.release();
  a.cancel();
  b.result();
}

/** Notified in time, though the lock comes late. */
export function notifiedInTime(): bool {
  const a = spawn(waitLimited, 5.0);
  yield_();
  lock.acquire();
  changed.notify();
  sleep(15);
  lock.release();
  return a.result();
}

export function notifyWithoutLock(): void {
  changed.notify();
}

// Queues.

function worker(queue: Queue<i32>): void {
  for (;;) {
    const item = queue.get();
    say(currentTask().name + ' ' + item.toString());
    yield_();
    queue.taskDone();
  }
}

export function queueOfWork(n: i32): string {
  const queue = new Queue<i32>(2);
  const a = spawn(worker, queue, 'a');
  const b = spawn(worker, queue, 'b');
  for (let i = 0; i < n; i++) queue.put(i);
  queue.join();
  const rest = queue.size;
  a.cancel();
  b.cancel();
  return rest.toString() + ' ' + queue.tryGet().failure!.code;
}

export function bounded(): string {
  const queue = new Queue<string>(1, 'small');
  let text = queue.tryPut('a').toString() + queue.tryPut('b').toString() + queue.tryPut('c', 1).toString();
  text += queue.full.toString() + queue.get() + queue.empty.toString();
  return text + queue.tryGet(1).ok.toString() + queue.join(1).toString() + queue.join(0).toString();
}

function getOne(queue: Queue<string>): string {
  return queue.get();
}

/** An item given to a task that is cancelled before it goes on is not lost, and keeps its place. */
export function nothingIsLost(): string {
  const queue = new Queue<string>();
  const victim = spawn(getOne, queue);
  yield_();
  queue.put('a');
  queue.put('b');
  victim.cancel();
  victim.wait();
  return queue.get() + queue.get() + queue.size.toString();
}

export function tooOften(): void {
  new Queue<i32>().taskDone();
}

// Channels.

function produce(channel: Channel<string>): i32 {
  let sent = 0;
  for (let i = 0; i < 5; i++) if (channel.send('v' + i.toString())) sent++;
  channel.close();
  return sent;
}

export function produceAndConsume(capacity: i32): string {
  const channel = new Channel<string>(capacity, 'values');
  const producer = spawn(produce, channel);
  let text = '';
  for (let next = channel.receive(); next.ok; next = channel.receive()) text += next.value;
  return text + producer.result().toString() + channel.tryReceive().failure!.code;
}

function sendOne(channel: Channel<string>): bool {
  const delivered = channel.send('x');
  say('sent ' + delivered.toString());
  return delivered;
}

function receiveOne(channel: Channel<string>): string {
  const next = channel.receive();
  say(next.ok ? next.value : next.failure!.code);
  return next.ok ? next.value : '';
}

export function closing(): string {
  const sending = new Channel<string>(1);
  const a = spawn(sendOne, sending);
  const b = spawn(sendOne, sending);
  const receiving = new Channel<string>();
  const c = spawn(receiveOne, receiving);
  yield_();
  const text = sending.close().toString() + sending.close().toString() + receiving.close().toString();
  waitAll([a, b]);
  c.result();
  return text + sending.receive().value + sending.receive().failure!.code + sending.send('y').toString();
}

export function rendezvous(): string {
  const channel = new Channel<string>();
  let text = channel.trySend('a').toString() + channel.trySend('a', 1).toString();
  text += channel.tryReceive().failure!.code + channel.tryReceive(1).failure!.code;
  const receiver = spawn(receiveOne, channel);
  yield_();
  text += channel.trySend('b').toString();
  receiver.result();
  const sender = spawn(sendOne, channel);
  yield_();
  text += channel.tryReceive().value;
  return text + sender.result().toString();
}

export function undelivered(): string {
  const channel = new Channel<string>();
  const victim = spawn(receiveOne, channel);
  yield_();
  channel.send('a');
  victim.cancel();
  victim.wait();
  const gone = spawn(sendOne, channel);
  yield_();
  gone.cancel();
  gone.wait();
  return channel.receive().value + channel.tryReceive().failure!.code;
}

// Task-local variables.

const user = new TaskLocal<string>('nobody');
const level = new TaskLocal<i32>(1);

function whose(name: string): string {
  const inherited = user.get();
  if (name.length > 0) user.set(name);
  yield_();
  level.set(level.get() + 1);
  return inherited + '>' + user.get() + level.get().toString();
}

export function locals(name: string): string {
  const before = user.get();
  user.set(name);
  level.set(10);
  const a = spawn(whose, '');
  user.set('later');
  const b = spawn(whose, 'own');
  const results = gather([a, b]);
  return [before, results[0], results[1], user.get(), level.get().toString()].join(' ');
}

// Deadlocks.

class Pair {
  constructor(
    readonly mine: Lock,
    readonly other: Lock,
  ) {}
}

let left: Task<i32> | null = null;
let right: Task<i32> | null = null;

function joinRight(x: i32): i32 {
  yield_();
  return right!.result();
}

function joinLeft(x: i32): i32 {
  yield_();
  return left!.result();
}

export function joinCycle(): string {
  left = spawn(joinRight, 1, 'left');
  right = spawn(joinLeft, 1, 'right');
  const texts = describe(left!.outcome()) + ' | ' + describe(right!.outcome());
  left = right = null;
  return texts;
}

function joinSelf(x: i32): i32 {
  yield_();
  return left!.result();
}

export function selfJoin(): string {
  left = spawn(joinSelf, 1, 'narcissus');
  const text = describe(left!.outcome());
  left = null;
  return text;
}

function lockBoth(pair: Pair): i32 {
  pair.mine.acquire();
  yield_();
  pair.other.acquire();
  pair.other.release();
  pair.mine.release();
  return 1;
}

export function lockCycle(): string {
  const a = new Lock('a');
  const b = new Lock('b');
  const first = spawn(lockBoth, new Pair(a, b), 'first');
  const second = spawn(lockBoth, new Pair(b, a), 'second');
  const outcomes = gatherResults([first, second]);
  return describe(outcomes[0]) + ' | ' + describe(outcomes[1]) + ' | ' + a.locked.toString() + b.locked.toString();
}

export function lockTwice(): string {
  return describe(tryAwait(acquireTwice, new Lock('twice')));
}

function acquireTwice(lock: Lock): void {
  lock.acquire();
  lock.acquire();
}

function lockAndJoin(lock: Lock): i32 {
  lock.acquire();
  yield_();
  return right!.result();
}

function acquireOnly(lock: Lock): i32 {
  yield_();
  lock.acquire();
  return 1;
}

/** A holds a lock and waits for B, which waits for the lock. */
export function mixedCycle(): string {
  const lock = new Lock('mixed');
  left = spawn(lockAndJoin, lock, 'holder');
  right = spawn(acquireOnly, lock, 'taker');
  const texts = describe(left!.outcome()) + ' | ' + describe(right!.outcome());
  left = right = null;
  return texts;
}

function joinBoth(x: i32): i32 {
  yield_();
  const results = gather([left!, spawn(twice, x, 'free')]);
  return results[0] + results[1];
}

/** One of two that are waited for is stuck: found when the other one has ended. */
export function groupCycle(): string {
  right = spawn(joinBoth, 4, 'group');
  left = spawn(joinRight, 1, 'member');
  const texts = describe(left!.outcome()) + ' | ' + describe(right!.outcome());
  left = right = null;
  return texts;
}

/** With a time limit nothing waits for ever. */
function joinRightLimited(x: i32): i32 {
  yield_();
  return right!.wait(5) ? 1 : 0;
}

export function limitedCycle(): string {
  left = spawn(joinRightLimited, 1, 'left');
  right = spawn(joinLeft, 1, 'right');
  const texts = describe(left!.outcome()) + ' | ' + describe(right!.outcome());
  left = right = null;
  return texts;
}

let target: Task<i32> | null = null;

/** Waits for a task by way of the embedder, who returns the promise of `await_`. */
function throughHost(x: i32): i32 {
  yield_();
  return wait(x);
}

export function awaitTarget(): i32 {
  return target!.result();
}

export function hostCycle(x: i32): string {
  target = spawn(throughHost, x, 'through host');
  const text = describe(target!.outcome());
  target = null;
  return text;
}

// Nobody is left.

const never = new Event('never');

export function waitForNever(): void {
  never.wait();
}

export function waitForChannel(): bool {
  return new Channel<i32>(0, 'empty').receive().ok;
}

export function setNever(): void {
  never.set();
}

/** Starts a task that fails, and looks at it or not. */
export function careless(x: i32, look: bool): void {
  const task = spawn(wait, x, 'careless');
  if (look) task.outcome();
}

export function carelessDeferred(): void {
  spawn(withBadCleanup, -1, 'bad');
}

// Numbers.

function one(x: i32): i32 {
  yield_();
  return 1;
}

export function many(n: i32): i32 {
  const tasks: Task<i32>[] = [];
  for (let i = 0; i < n; i++) tasks.push(spawn(one, i));
  const results = gather(tasks);
  let sum = 0;
  for (let i = 0; i < n; i++) sum += results[i];
  return sum;
}

/** Tasks of every fate, a few at once, none of which is kept. */
export function churn(n: i32): i32 {
  let ended = 0;
  for (let i = 0; i < n; i += 4) {
    const a = spawn(one, i);
    const b = spawn(abort_, 'on purpose');
    const c = spawn(worker, new Queue<i32>());
    ended += a.result();
    yield_();
    c.cancel();
    if (!b.outcome().ok) ended++;
    if (timeout(1000, one, i).ok) ended++;
    if (c.wait()) ended++;
  }
  return ended;
}

/** Pages of memory. */
export function used(): i32 {
  return i32(memory.size());
}

/** Where the collector knows the stack. */
export function collect(): void {
  if (ASC_RUNTIME == 2) __collect();
}

export function sleeps(ms: f64): void {
  sleep(ms);
}
