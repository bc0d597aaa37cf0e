/**
 * `poll_oneoff`: waits until at least one of any number of things has happened, by the clock or at a descriptor. sleep, select
 * and poll of libc are made of it.
 */
import { CLOCKID, ERRNO, EVENTRWFLAGS, EVENTTYPE, RIGHTS, SIZE, SUBCLOCKFLAGS } from '../abi.ts';
import { FileError, errnoOf } from '../errors.ts';
import { type Steps, settle } from '../steps.ts';
import { eventLoopTurn } from '../turn.ts';
import type { Context, WasiFunctions } from './context.ts';
import { timeOf } from './process.ts';

/** Of each an object is made, at each waking: more than a program can have descriptors, and clocks enough for all its fibers. */
const MOST_SUBSCRIPTIONS = 4096;

interface Event {
  /** 0 is success. */
  readonly errno: number;
  /** What a read gets without waiting. */
  readonly bytes: number;
  readonly hangup: boolean;
}

interface Subscription {
  readonly userdata: bigint;
  readonly type: number;
  /** What has happened; null as long as nothing has. */
  check(): Event | null;
  /** Resolves when something may have happened; null if only time can tell. */
  happens(): Promise<unknown> | null;
  /** Nanoseconds until the time has come; null if it does not matter. */
  left(): bigint | null;
}

/** An event and whose it is. */
type Happened = readonly [Subscription, Event];

export function pollFunctions(context: Context): WasiFunctions {
  const { memory } = context;

  function subscriptionAt(at: number): Subscription {
    const userdata = memory.getUint64(at);
    const type = memory.getUint8(at + 8);
    if (type === EVENTTYPE.CLOCK) {
      return { userdata, type, ...clockSubscription(context, at + 16) };
    }
    if (type !== EVENTTYPE.FD_READ && type !== EVENTTYPE.FD_WRITE) {
      throw new FileError('EINVAL', `there is no event type ${type}`);
    }
    return { userdata, type, ...descriptorSubscription(context, memory.getUint32(at + 16), type) };
  }

  function writeEvent(at: number, [{ userdata, type }, { errno, bytes, hangup }]: Happened): void {
    memory.bytes(at, SIZE.EVENT).fill(0);
    memory.setUint64(at, userdata);
    memory.setUint16(at + 8, errno);
    memory.setUint8(at + 10, type);
    memory.setUint64(at + 16, BigInt(bytes));
    memory.setUint16(at + 24, hangup ? EVENTRWFLAGS.HANGUP : 0);
  }

  return {
    *poll_oneoff(subscriptionsAt: number, eventsAt: number, count: number, resultAt: number): Steps<void> {
      if (count === 0) throw new FileError('EINVAL', 'nothing to wait for');
      if (count > MOST_SUBSCRIPTIONS) throw new FileError('EINVAL', `${count} things to wait for are too many`);
      memory.check(subscriptionsAt, count * SIZE.SUBSCRIPTION);
      memory.check(eventsAt, count * SIZE.EVENT);
      memory.check(resultAt, 4);
      const subscriptions: Subscription[] = [];
      for (let index = 0; index < count; index++) {
        subscriptions.push(subscriptionAt(subscriptionsAt + index * SIZE.SUBSCRIPTION));
      }
      // Streams first: a time that has come must not keep out what could be had without waiting.
      const ready = check(subscriptions.filter((each) => each.left() === null));
      const happened = ready.length > 0 ? ready : yield* wait(context, subscriptions);
      for (const [index, each] of happened.entries()) writeEvent(eventsAt + index * SIZE.EVENT, each);
      memory.setUint32(resultAt, happened.length);
    },
  };
}

function check(subscriptions: readonly Subscription[]): Happened[] {
  return subscriptions.flatMap((each): Happened[] => {
    const event = each.check();
    return event === null ? [] : [[each, event]];
  });
}

function* wait({ clock, canWait, calls }: Context, subscriptions: readonly Subscription[]): Steps<Happened[]> {
  const cancelled = canWait() ? calls.signal : null;
  for (let isFirst = true; ; isFirst = false) {
    const waits = subscriptions.flatMap((each) => each.happens() ?? []);
    // A program that asks again and again without waiting would keep out what it asks for.
    if (isFirst && canWait()) yield* settle(eventLoopTurn());
    const happened = check(subscriptions);
    // Whoever was cancelled meanwhile is not there to be told.
    if (happened.length > 0 || cancelled?.aborted === true) return happened;
    const over = new AbortController();
    const giveUp = (): void => over.abort();
    cancelled?.addEventListener('abort', giveUp);
    const times = subscriptions.flatMap((each) => each.left() ?? []);
    if (times.length > 0) {
      waits.push(
        clock.wait(
          times.reduce((least, time) => (time < least ? time : least)),
          over.signal,
        ),
      );
    }
    try {
      yield* settle(Promise.race(waits));
    } finally {
      over.abort();
      cancelled?.removeEventListener('abort', giveUp);
    }
  }
}

const HAPPENED: Event = { errno: ERRNO.SUCCESS, bytes: 0, hangup: false };

type Watch = Pick<Subscription, 'check' | 'happens' | 'left'>;

/** Something that is so already, and stays so. */
const already = (event: Event): Watch => ({ check: () => event, happens: () => null, left: () => null });

const failed = (error: unknown): Watch => already({ ...HAPPENED, errno: errnoOf(error) ?? ERRNO.EIO });

function clockSubscription(context: Context, at: number): Watch {
  const { memory } = context;
  const id = memory.getUint32(at);
  const timeout = memory.getUint64(at + 8);
  const isAbsolute = (memory.getUint16(at + 24) & SUBCLOCKFLAGS.ABSTIME) !== 0;
  // How much time passes is nothing that setting the clock should change, and the clock of the day is rounded.
  const own = !isAbsolute && id === CLOCKID.REALTIME ? CLOCKID.MONOTONIC : id;
  try {
    const end = isAbsolute ? timeout : timeOf(context, own) + timeout;
    const left = (): bigint => {
      const time = end - timeOf(context, own);
      return time > 0n ? time : 0n;
    };
    return { check: () => (left() > 0n ? null : HAPPENED), happens: () => null, left };
  } catch (error) {
    return failed(error);
  }
}

function descriptorSubscription({ descriptors, isForeign }: Context, fd: number, type: number): Watch {
  const isRead = type === EVENTTYPE.FD_READ;
  // Whoever answers for it never waits.
  if (isForeign(fd)) return already(HAPPENED);
  try {
    const descriptor = descriptors.get(fd, RIGHTS.POLL_FD_READWRITE | (isRead ? RIGHTS.FD_READ : RIGHTS.FD_WRITE));
    // A file never makes anybody wait.
    if (descriptor.kind !== 'stream') return already(HAPPENED);
    const { input, output } = descriptor;
    return {
      left: () => null,
      happens: () => (isRead ? input?.whenReady() : output?.whenReady()) ?? null,
      check() {
        if (isRead) return input?.ready === true ? { errno: 0, bytes: input.available, hangup: input.ended } : null;
        return output?.ready === true ? { errno: 0, bytes: 0, hangup: output.failed } : null;
      },
    };
  } catch (error) {
    return failed(error);
  }
}
