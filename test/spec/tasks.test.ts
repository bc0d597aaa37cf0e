// The guest library: tasks, what they come to, and everything that they wait for. Each test runs in every build of the
// guest; where the build collects, a collection is forced at every wait.
import { describe, expect, test } from 'vitest';
import { AssemblyScriptError, FiberError } from 'wasm-fibers/assemblyscript';
import { code, failure, Gate, turn, untilFibers } from '../support/core.ts';
import { afterTime, messageOf, openTasks, REFUSAL, VARIANTS } from '../support/tasks.ts';

const soon = async (x: number): Promise<number> => {
  await turn();
  if (x < 0) throw REFUSAL;
  return x;
};

describe.each(VARIANTS)('tasks (%s)', (variant) => {
  test('return values of every type, and nothing', async () => {
    const { guest, said } = await openTasks(variant);
    expect(await guest.exports.everyType()).toBe('true true true 0 false hello world p true maybe 7');
    expect(said).toEqual(['silent', 'nothing 3']);
  });

  test('begin when the one that starts them waits or ends', async () => {
    const { guest, said } = await openTasks(variant);
    await guest.exports.beginsLater();
    await turn();
    expect(said).toEqual(['caller', 'task', 'caller again', 'second task']);
  });

  test('wait for promises of the host while others run', async () => {
    const gate = new Gate();
    const { guest } = await openTasks(variant, gate.wait);
    const results = [guest.exports.double(1), guest.exports.double(2)];
    await turn();
    gate.take(2).resolve(2);
    expect(await results[1]).toBe(4);
    gate.take(1).resolve(1);
    expect(await results[0]).toBe(2);
  });

  test('fail with the very error of the host, through any number of tasks', async () => {
    const { guest } = await openTasks(variant, soon);
    expect(await failure(guest.exports.chainOf(0))).toBe(REFUSAL);
    expect(await failure(guest.exports.chainOf(1))).toBe(REFUSAL);
    expect(await failure(guest.exports.chainOf(50))).toBe(REFUSAL);
  });

  test('fail with the very trap', async () => {
    const traps: unknown[] = [];
    const { guest } = await openTasks(variant, soon, {
      onEvent: ({ type, error }) => type === 'trap' && traps.push(error),
    });
    const error = await failure(guest.exports.resultOfTrap());
    expect(error).toBeInstanceOf(WebAssembly.RuntimeError);
    expect(traps[0]).toBe(error);
    const thrown = await failure(guest.exports.resultOfAbort());
    expect(thrown).toBeInstanceOf(AssemblyScriptError);
    expect((thrown as AssemblyScriptError).reason).toBe('no such thing');
  });

  test('come to a value or a failure that can be looked at', async () => {
    const { guest } = await openTasks(variant, soon);
    expect(await guest.exports.failures()).toBe(
      'TRAP:; TRAP: no such thing; NO: the host says no; ok 8; ok; CANCELLED; true',
    );
  });

  test('results are unwrapped with the error that they come from, or one of their own', async () => {
    const { guest } = await openTasks(variant, soon);
    expect(await guest.exports.unwrapped(5)).toBe(5);
    expect(await failure(guest.exports.unwrapped(-1))).toBe(REFUSAL);
    expect(await failure(guest.exports.unwrappedOwn())).toMatchObject({
      name: 'TaskError',
      code: 'NOT_FOUND',
      message: 'no user of this name',
    });
    expect(await guest.exports.valueOr()).toBe('3xy');
  });

  test('are waited for with a limit', async () => {
    const gate = new Gate();
    const { guest } = await openTasks(variant, gate.wait);
    const late = guest.exports.waitsFor(5);
    expect(await late).toBe('false false 0');
    gate.take(21).resolve(21);
    const inTime = guest.exports.waitsFor(100_000);
    await turn();
    gate.take(21).resolve(21);
    expect(await inTime).toBe('true true 42');
    expect(await guest.exports.asks()).toBe('falsetruetruetrue');
    expect(await code(guest.exports.waitsFor(NaN))).not.toBe('DEADLOCK');
    await turn();
    gate.calls.splice(0).forEach((call) => call.resolve(0));
    await untilFibers(guest, 0);
  });

  test('are cancelled once, at their wait, with a reason', async () => {
    const ends: unknown[] = [];
    const { guest } = await openTasks(variant, () => new Promise(() => undefined), {
      onEvent: ({ type, fiber, error }) => type === 'end' && fiber.name === 'victim' && ends.push(error),
    });
    expect(await guest.exports.cancels()).toBe('true false false true false CANCELLED');
    expect(ends).toHaveLength(1);
    expect(ends[0]).toMatchObject({ code: 'CANCELLED', cause: 'for a reason' });
  });

  test('are cancelled before they begin', async () => {
    const { guest, said } = await openTasks(variant);
    expect(await guest.exports.cancelsBeforeItBegins()).toBe('true true CANCELLED');
    expect(said).toEqual([]);
  });

  test('that cancel themselves end at their next wait, and count as cancelled if there is none', async () => {
    const { guest, take } = await openTasks(variant);
    expect(await guest.exports.cancelsItself(1)).toBe('CANCELLED true');
    expect(take()).toEqual(['cancelled']);
    expect(await guest.exports.cancelsItself(0)).toBe('CANCELLED true');
    expect(take()).toEqual(['cancelled', 'went on']);
  });

  test('have names in dumps, and calls of the embedder are tasks', async () => {
    const gate = new Gate();
    const { guest } = await openTasks(variant, gate.wait);
    const call = guest.exports.double(1);
    await turn();
    expect(guest.dump().map(({ name, waitsFor }) => [name, waitsFor !== null])).toEqual([
      ['double', true],
      ['twice', false],
    ]);
    gate.take(1).resolve(1);
    await call;
    const fiber = guest.spawn('whoAmI', [], { name: 'asker' });
    expect(await fiber.result).toBe(`asker ${fiber.id} true`);
  });

  test('say in dumps what they wait for in the library', async () => {
    const gate = new Gate();
    const { guest } = await openTasks(variant, gate.wait);
    const holder = guest.spawn('holdLock', [], { name: 'holder' });
    const other = guest.exports.holdLock();
    const sleeper = guest.spawn('sleeps', [100_000]);
    await turn();
    expect(guest.dump().map(({ import: site, waitingFor }) => [site, waitingFor])).toEqual([
      ['env.wait', null],
      ['wasm-fibers:tasks.park', expect.stringContaining(`held by #${holder.id} (holder)`)],
      ['wasm-fibers:tasks.park', expect.any(String)],
    ]);
    gate.take(1).resolve(1);
    await holder.result;
    await gate.until(1);
    gate.take(1).resolve(1);
    await other;
    sleeper.cancel();
    expect(await code(sleeper.result)).toBe('CANCELLED');
  });

  test('cannot be asked for, nor wait, in calls without a fiber', async () => {
    const gate = new Gate();
    const { guest } = await openTasks(variant, gate.wait);
    expect(() => guest.sync.inSync()).toThrow(expect.objectContaining({ code: 'NO_FIBER' }));
    expect(() => guest.sync.sleeps(5)).toThrow(expect.objectContaining({ code: 'SUSPEND_IN_SYNC_CALL' }));
    const call = guest.exports.holdLock();
    await turn();
    expect(() => guest.sync.lockInSync()).toThrow(expect.objectContaining({ code: 'NO_FIBER' }));
    gate.take(1).resolve(1);
    await call;
    expect(await guest.exports.exclusive(3)).toBe(3);
  });

  test('of which several are waited for', async () => {
    const { guest } = await openTasks(variant, afterTime);
    expect(await guest.exports.gathers([3, 1, 2])).toEqual([6, 2, 4]);
    expect(await guest.exports.gathersAll([1, -1, 2])).toEqual(['2', 'NO', '4']);
    expect(await guest.exports.none()).toBe(0);
    await guest.exports.waitsForAll([1, 2]);
    expect(await code(guest.exports.races([]))).not.toBe('DEADLOCK');
  });

  test('of which one fails fail those who gather, at once', async () => {
    const gate = new Gate();
    const { guest } = await openTasks(variant, gate.wait);
    const gathered = guest.exports.gathers([1, 2, 3]);
    await turn();
    gate.take(2).reject(REFUSAL);
    expect(await failure(gathered)).toBe(REFUSAL);
    expect(guest.fibers.map(({ name }) => name)).toEqual(['number 1', 'number 3']);
    gate.take(1).resolve(1);
    gate.take(3).resolve(3);
    await untilFibers(guest, 0);
  });

  test('race', async () => {
    const gate = new Gate();
    const { guest } = await openTasks(variant, gate.wait);
    const raced = guest.exports.races([1, 2, 3]);
    await turn();
    gate.take(2).resolve(2);
    expect(await raced).toBe(4);
    gate.take(1).reject(REFUSAL);
    gate.take(3).resolve(3);
    await untilFibers(guest, 0);
    const first = guest.exports.first([7, 8, 9]);
    await turn();
    gate.take(9).reject(REFUSAL);
    expect(await first).toBe('number 9 2');
    await untilFibers(guest, 0);
  });

  test('that end in any order end nested waits in that order', async () => {
    const { guest, take } = await openTasks(variant);
    expect(await guest.exports.coroutine()).toBe(42);
    expect(await guest.exports.nestedWaits(60, 5)).toBe(65);
    expect(take()).toEqual(['5', '60']);
  });

  test('sleep, and sleep for ever', async () => {
    const { guest } = await openTasks(variant);
    await guest.exports.sleeps(1);
    await guest.exports.sleeps(0);
    await guest.exports.sleeps(-5);
    const fiber = guest.spawn('sleeps', [Infinity]);
    await turn();
    fiber.cancel();
    expect(await code(fiber.result)).toBe('CANCELLED');
    expect(await failure(guest.exports.sleeps(NaN))).toBeInstanceOf(AssemblyScriptError);
  });
});

describe.each(VARIANTS)('futures (%s)', (variant) => {
  test('are set once, and wake all who wait', async () => {
    const { guest } = await openTasks(variant);
    expect(await guest.exports.askFor(1)).toBe('falsefalse');
    const asked = [guest.exports.ask(), guest.exports.ask()];
    expect(guest.sync.reply(12)).toBe(true);
    expect(guest.sync.reply(13)).toBe(false);
    expect(guest.sync.refuse()).toBe(false);
    expect(await Promise.all(asked)).toEqual([12, 12]);
    expect(await guest.exports.ask()).toBe(12);
    expect(await guest.exports.askFor(0)).toBe('truetrue');
  });

  test('fail those who wait', async () => {
    const { guest } = await openTasks(variant);
    const asked = guest.exports.ask();
    guest.sync.refuse();
    expect(await failure(asked)).toMatchObject({ code: 'REFUSED', message: 'no answer today' });
    expect(await guest.exports.peek()).toBe('REFUSED: no answer today');
  });
});

describe.each(VARIANTS)('guards (%s)', (variant) => {
  test('a limit of time is a failure of its own', async () => {
    const { guest } = await openTasks(variant, afterTime);
    expect(await guest.exports.limited(1000, 2)).toBe('4');
    expect(await guest.exports.limited(1000, -1)).toBe('NO');
    expect(await guest.exports.limited(2, 100_000)).toBe('TIMEOUT');
    expect(await guest.exports.limited(0, 100_000)).toBe('TIMEOUT');
    expect(guest.fibers).toEqual([]);
  });

  test('a limit of time waits for what was deferred', async () => {
    const { guest, said } = await openTasks(variant, () => new Promise(() => undefined));
    expect(await guest.exports.limitedWithCleanup(2)).toBe('TIMEOUT: the time limit of 2 ms is over');
    expect(said).toEqual(['body', 'tidy last', 'tidied last', 'tidy first', 'tidied first', 'after']);
  });

  test('functions are deferred to the end of a task, however it ends', async () => {
    const { guest, take } = await openTasks(variant, (x) => (x === 1 ? new Promise(() => undefined) : soon(x)));
    const tidied = ['body', 'tidy last', 'tidied last', 'tidy first', 'tidied first'];
    expect(await guest.exports.deferred(3)).toBe('3');
    expect(take()).toEqual([...tidied, 'after']);
    expect(await guest.exports.deferred(-1)).toBe('NO');
    expect(take()).toEqual([...tidied, 'after']);
    const fiber = guest.spawn('deferred', [1]);
    await turn();
    guest.fibers.find(({ name }) => name === 'deferring')?.cancel();
    expect(await fiber.result).toBe('CANCELLED');
    expect(take()).toEqual([...tidied, 'after']);
  });

  test('functions deferred by a call of the embedder run when it has ended', async () => {
    const { guest, take } = await openTasks(variant, soon);
    expect(await guest.exports.deferredByCaller(2)).toBe(2);
    expect(guest.fibers.map(({ name }) => name)).toEqual(['cleanup of deferredByCaller']);
    await untilFibers(guest, 0);
    expect(take()).toEqual(['tidy caller', 'tidied caller']);
    expect(await failure(guest.exports.deferredByCaller(-1))).toBe(REFUSAL);
    await untilFibers(guest, 0);
    expect(take()).toEqual(['tidy caller', 'tidied caller']);
  });

  test('deferred functions that fail do not keep the others from running', async () => {
    const reported: unknown[] = [];
    const { guest, take } = await openTasks(variant, soon, { onTaskError: (error) => void reported.push(error) });
    expect(await guest.exports.badCleanup(1)).toBe('TRAP');
    expect(take()).toEqual(['failing inner', 'tidy outer', 'tidied outer']);
    await turn();
    expect(reported).toEqual([]);
    // A second failure has nobody to ask for it.
    expect(await guest.exports.badCleanup(-1)).toBe('NO');
    expect(take()).toEqual(['failing inner', 'tidy outer', 'tidied outer']);
    await turn();
    expect(reported.map((error) => (error as AssemblyScriptError).reason)).toEqual(['cleanup inner']);
  });

  test('deferred functions run as the task that deferred them', async () => {
    const { guest, said } = await openTasks(variant, soon);
    expect(await guest.exports.cleanupAsTheTask()).toBe('NO false');
    expect(said).toEqual(['held true']);
  });

  test('a shielded function goes on when its caller is cancelled, a guarded one does not', async () => {
    const gate = new Gate();
    const { guest } = await openTasks(variant, gate.wait);
    const shielded = guest.spawn('shielded', [1]);
    const guarded = guest.spawn('guarded', [2]);
    await turn();
    expect(guest.fibers.map(({ name }) => name)).toEqual(['shielded', 'shield', 'guarded', 'tryAwait']);
    shielded.cancel();
    guarded.cancel();
    await untilFibers(guest, 1);
    expect(guest.fibers.map(({ name }) => name)).toEqual(['shield']);
    gate.take(1).resolve(1);
    await untilFibers(guest, 0);
  });
});

describe.each(VARIANTS)('locks (%s)', (variant) => {
  test('are held by one task at a time', async () => {
    const { guest } = await openTasks(variant, soon);
    expect(await guest.exports.exclusive(50)).toBe(50);
    expect(await guest.exports.locked(4)).toBe(8);
    expect(await guest.exports.isLocked()).toBe(false);
    expect(await failure(guest.exports.locked(-1))).toBe(REFUSAL);
    expect(await guest.exports.isLocked()).toBe(false);
  });

  test('are handed over in the order of arrival, and nobody comes between', async () => {
    const { guest, said } = await openTasks(variant);
    await guest.exports.fair();
    expect(said).toEqual(['false', 'a', 'b', 'caller']);
  });

  test('are released by their holder only', async () => {
    const { guest } = await openTasks(variant);
    expect(((await failure(guest.exports.notMine())) as AssemblyScriptError).reason).toBe(
      "lock 'shared' is not held by the current task",
    );
    await untilFibers(guest, 0);
    expect(await guest.exports.isLocked()).toBe(false);
  });

  test('are waited for with a limit', async () => {
    const { guest } = await openTasks(variant, () => new Promise(() => undefined));
    expect(await guest.exports.limitedLock(2)).toBe('falsefalsefalse');
    expect(await guest.exports.limitedLock(0)).toBe('falsefalsefalse');
  });

  test('are released when their holder traps or is cancelled', async () => {
    const { guest } = await openTasks(variant);
    expect(await guest.exports.trapWithLock()).toBe('TRAP false');
    expect(await guest.exports.cancelledHeir()).toBe('CANCELLED false');
  });
});

describe.each(VARIANTS)('semaphores, events, conditions (%s)', (variant) => {
  test('a semaphore lets in as many as it has permits, and gets them back', async () => {
    const { guest } = await openTasks(variant, (x) => (x < 0 ? soon(x) : new Promise(() => undefined)));
    expect(await guest.exports.atMost(20)).toBe(202);
    expect(await guest.exports.permitsComeBack()).toBe('2NOtruetruefalse2');
  });

  test('an event wakes everybody who waits for it', async () => {
    const { guest, said } = await openTasks(variant);
    expect(await guest.exports.events()).toBe('falsefalsefalsetruetrue');
    expect(said).toEqual(['event', 'event']);
  });

  test('a condition wakes whom it is told to, with the lock', async () => {
    const { guest, said } = await openTasks(variant);
    expect(await guest.exports.conditions()).toBe('falsefalse');
    expect(said).toEqual(['a true', 'b true', 'c true']);
    expect(await failure(guest.exports.notifyWithoutLock())).toBeInstanceOf(AssemblyScriptError);
  });

  test('a notification is not lost with whom it was meant for', async () => {
    const { guest, take } = await openTasks(variant);
    await guest.exports.passesOn();
    expect(take()).toEqual(['b true']);
    expect(await guest.exports.notifiedInTime()).toBe(true);
    expect(take()).toEqual(['limited truetrue']);
  });
});

describe.each(VARIANTS)('queues and channels (%s)', (variant) => {
  test('a queue gives each item to one task, in order, and knows when all are done', async () => {
    const { guest, said } = await openTasks(variant);
    expect(await guest.exports.queueOfWork(6)).toBe('0 EMPTY');
    expect(said.map((line) => line.slice(2))).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(new Set(said.map((line) => line[0]))).toEqual(new Set(['a', 'b']));
    await untilFibers(guest, 0);
  });

  test('a queue may be bounded', async () => {
    const { guest } = await openTasks(variant);
    expect(await guest.exports.bounded()).toBe('truefalsefalsetrueatruefalsefalsefalse');
    expect(await failure(guest.exports.tooOften())).toBeInstanceOf(AssemblyScriptError);
  });

  test('an item for a task that was cancelled goes to the next', async () => {
    const { guest } = await openTasks(variant);
    expect(await guest.exports.nothingIsLost()).toBe('ab0');
    expect(await guest.exports.undelivered()).toBe('aEMPTY');
  });

  test.each([0, 1, 2, 10])('a channel with room for %i carries values and its end', async (capacity) => {
    const { guest } = await openTasks(variant);
    expect(await guest.exports.produceAndConsume(capacity)).toBe('v0v1v2v3v45CLOSED');
  });

  test('closing a channel ends every wait at it', async () => {
    const { guest, said } = await openTasks(variant);
    expect(await guest.exports.closing()).toBe('truefalsetruexCLOSEDfalse');
    expect(said.toSorted()).toEqual(['CLOSED', 'sent false', 'sent true']);
  });

  test('without room a value is handed over when both are there', async () => {
    const { guest, said } = await openTasks(variant);
    expect(await guest.exports.rendezvous()).toBe('falsefalseEMPTYEMPTYtruextrue');
    expect(said).toEqual(['b', 'sent true']);
  });
});

describe.each(VARIANTS)('task-local variables (%s)', (variant) => {
  test('are inherited at the start, and changed for oneself', async () => {
    const { guest } = await openTasks(variant);
    const expected = (name: string): string => `nobody ${name}>${name}11 later>own11 later 10`;
    const names = ['x', 'y', 'z'];
    expect(await Promise.all(names.map((name) => guest.exports.locals(name)))).toEqual(names.map(expected));
  });
});

describe.each(VARIANTS)('deadlocks (%s)', (variant) => {
  test('tasks that wait for each other, or for themselves', async () => {
    const { guest } = await openTasks(variant);
    const cycle = await guest.exports.joinCycle();
    expect(cycle.replace(/#\d+/g, '#')).toBe(
      'DEADLOCK: The wait would never end: # (right) waits for # (left), # (left) waits for # (right). | DEADLOCK: The wait would never end: # (right) waits for # (left), # (left) waits for # (right).',
    );
    expect((await guest.exports.selfJoin()).replace(/#\d+/g, '#')).toBe(
      'DEADLOCK: The wait would never end: # (narcissus) waits for # (narcissus).',
    );
  });

  test('locks that are taken in different orders, or twice', async () => {
    const { guest } = await openTasks(variant);
    expect((await guest.exports.lockCycle()).replace(/#\d+/g, '#')).toBe(
      "ok | DEADLOCK: The wait would never end: # (second) waits for lock 'a' held by # (first), # (first) waits for lock 'b' held by # (second). | falsefalse",
    );
    expect((await guest.exports.lockTwice()).replace(/#\d+/g, '#')).toBe(
      "DEADLOCK: The wait would never end: # (tryAwait) waits for lock 'twice' held by # (tryAwait).",
    );
  });

  test('locks and tasks mixed', async () => {
    const { guest } = await openTasks(variant);
    const text = (await guest.exports.mixedCycle()).replace(/#\d+/g, '#');
    expect(text).toContain("# (taker) waits for lock 'mixed' held by # (holder), # (holder) waits for # (taker)");
  });

  test('one of several that are waited for, as soon as nothing else can end the wait', async () => {
    const { guest } = await openTasks(variant, soon);
    const text = (await guest.exports.groupCycle()).replace(/#\d+/g, '#');
    expect(text).toContain('# (group) waits for # (member), # (member) waits for # (group)');
  });

  test('not if one of the waits has a limit', async () => {
    const { guest } = await openTasks(variant);
    expect(await guest.exports.limitedCycle()).toBe('ok | ok');
  });

  test('through the embedder, whoever waits last', async () => {
    let late: (() => void) | null = null;
    const { guest } = await openTasks(variant, (x) =>
      x === 1
        ? guest.exports.awaitTarget()
        : new Promise((resolve) => (late = () => resolve(guest.exports.awaitTarget()))),
    );
    expect(await guest.exports.hostCycle(1)).toContain('DEADLOCK');
    // Hidden behind a promise of the host's own, nobody can see it; the task can be cancelled.
    const hidden = guest.exports.hostCycle(2);
    await turn();
    (late as (() => void) | null)?.();
    await turn();
    guest.fibers.find(({ name }) => name === 'through host')?.cancel();
    expect(await hidden).toContain('CANCELLED');
    await untilFibers(guest, 0);
  });
});

describe.each(VARIANTS)('options (%s)', (variant) => {
  test('whenIdle: all asleep is a deadlock that says what each waits for', async () => {
    const { guest } = await openTasks(variant, (x) => x, { whenIdle: 'deadlock' });
    const waits = [guest.exports.waitForNever(), guest.exports.waitForChannel(), guest.exports.ask()];
    const errors = await Promise.all(waits.map(failure));
    for (const error of errors) {
      expect(error).toBeInstanceOf(FiberError);
      expect((error as FiberError).code).toBe('DEADLOCK');
      expect((error as FiberError).message.replace(/#\d+/g, '#')).toBe(
        "All tasks wait, and nobody is left to wake them: # (waitForNever) waits for event 'never'; # (waitForChannel) waits for a value of channel 'empty'; # (ask) waits for future 'answer'.",
      );
    }
  });

  test('whenIdle: not while one sleeps, or waits for the host, or is about to be woken', async () => {
    const gate = new Gate();
    const { guest } = await openTasks(variant, gate.wait, { whenIdle: 'deadlock' });
    const waiting = guest.exports.waitForNever();
    const sleeping = guest.exports.sleeps(20);
    const other = guest.exports.double(1);
    await sleeping;
    await turn();
    await turn();
    expect(guest.fibers.map(({ name }) => name)).toEqual(['waitForNever', 'double', 'twice']);
    gate.take(1).resolve(1);
    await other;
    await guest.exports.setNever();
    await waiting;
  });

  test('whenIdle: when the last that could have woken them ends', async () => {
    const gate = new Gate();
    const { guest } = await openTasks(variant, gate.wait, { whenIdle: 'deadlock' });
    const waiting = messageOf(guest.exports.waitForNever());
    const other = guest.exports.double(1);
    await turn();
    gate.take(1).resolve(1);
    await other;
    expect(await waiting).toContain('All tasks wait');
  });

  test('whenIdle: by default they wait for the embedder', async () => {
    const { guest } = await openTasks(variant);
    const waiting = guest.exports.waitForNever();
    for (let i = 0; i < 5; i++) await turn();
    await guest.exports.setNever();
    await waiting;
  });

  test('onTaskError is told of failures that nobody looked at, once all have ended', async () => {
    const reported: [unknown, string][] = [];
    const gate = new Gate();
    const { guest } = await openTasks(variant, gate.wait, {
      onTaskError: (error, fiber) => void reported.push([error, fiber.name]),
    });
    await guest.exports.careless(1, false);
    await guest.exports.careless(2, false);
    const looked = guest.exports.careless(3, true);
    await untilFibers(guest, 4);
    await gate.until(3);
    gate.take(1).reject(REFUSAL);
    await untilFibers(guest, 3);
    expect(reported).toEqual([]);
    guest.fibers[0]?.cancel();
    gate.take(3).reject(REFUSAL);
    await looked;
    await untilFibers(guest, 0);
    await turn();
    expect(reported).toEqual([[REFUSAL, 'careless']]);
  });

  test('of the wrong kind are refused', async () => {
    expect(await code(openTasks(variant, (x) => x, { whenIdle: 'sleep' as 'wait' }))).toBe('INVALID_OPTION');
    expect(await code(openTasks(variant, (x) => x, { onTaskError: 3 as unknown as () => void }))).toBe(
      'INVALID_OPTION',
    );
  });
});

describe.each(['O3', 'debug'] as const)('many tasks (%s)', (variant) => {
  test('five thousand at once', async () => {
    const { guest } = await openTasks(variant);
    expect(await guest.exports.many(5000)).toBe(5000);
    expect(guest.fibers).toEqual([]);
  });
});

test('a guest that is disposed of ends its tasks, and reports none of them', async () => {
  const reported: unknown[] = [];
  const { guest } = await openTasks('O3', () => new Promise(() => undefined), {
    onTaskError: (error) => void reported.push(error),
  });
  const calls = [guest.exports.deferred(1), guest.exports.waitForNever(), guest.exports.gathers([1, 2])];
  const ends = Promise.all(calls.map(code));
  await turn();
  await guest.dispose();
  expect(await ends).toEqual(['CANCELLED', 'CANCELLED', 'CANCELLED']);
  expect(guest.fibers).toEqual([]);
  await turn();
  expect(reported).toEqual([]);
});

test('onReject is not asked about the waits of the library', async () => {
  const gate = new Gate();
  const asked: unknown[] = [];
  const { guest } = await openTasks('O3', gate.wait, { onReject: (error) => asked.push(error) });
  const holder = guest.exports.holdLock();
  const waiting = guest.spawn('holdLock');
  await turn();
  waiting.cancel();
  expect(await code(waiting.result)).toBe('CANCELLED');
  expect(gate.calls.length).toBe(1);
  gate.take(1).resolve(1);
  await holder;
  expect(asked).toEqual([]);
});
