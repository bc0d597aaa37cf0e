/**
 * From events to what each fiber did when: spans that follow each other without a gap, from its first event to its end.
 *
 * The core tells when a fiber is spawned and when its wait has ended, not when its code begins: it may have to let another
 * fiber of its guest come to a stop first. But at most one fiber of a guest runs at a time, so a fiber that stops has begun
 * after the one that stopped before it. What lies between is told as `queued`.
 */
import type { RecordedError, RecordedEvent, RecordedFiber } from './events.ts';

/**
 * `running`: in the guest's code, or in a host function that it called. `waiting`: at an import, or for another fiber.
 * `preempted`: its slice was over. `queued`: nothing but other fibers of its guest kept it from running.
 */
export type SpanKind = 'running' | 'waiting' | 'preempted' | 'queued';

/** `alive`: it had not ended when the recording was read. */
export type Outcome = 'ok' | 'failed' | 'cancelled' | 'alive';

export interface Span {
  readonly kind: SpanKind;
  /** Milliseconds, as in the events. */
  readonly from: number;
  readonly to: number;
  /** Of `waiting`: the import. */
  readonly import: string | null;
  /** Of `waiting`: the fiber whose result is waited for. */
  readonly waitsFor: RecordedFiber | null;
}

export interface Lane {
  readonly fiber: RecordedFiber;
  readonly parent: RecordedFiber | null;
  readonly spans: readonly Span[];
  readonly outcome: Outcome;
  readonly error: RecordedError | null;
  /** Units, of a fiber that has ended; 0 in a guest that is not metered. */
  readonly fuel: number;
  /** What is of one moment: `trap`, `slow`, `limit`, `exclusive`, `poison`. */
  readonly marks: readonly RecordedEvent[];
  /** Was its beginning dropped? */
  readonly isCut: boolean;
}

export interface Timeline {
  readonly from: number;
  readonly to: number;
  /** By guest, and in each in the order of the fibers' numbers. */
  readonly lanes: readonly Lane[];
  readonly dropped: number;
}

/** A fiber that has not ended, and what has happened to it last. */
export interface LiveFiber {
  readonly fiber: RecordedFiber;
  last: RecordedEvent | null;
}

/** What a timeline is made of. */
export interface Recording {
  readonly events: readonly RecordedEvent[];
  readonly live: readonly LiveFiber[];
  /** The fiber in whose host function the recording is read. */
  readonly running: RecordedFiber | null;
  readonly now: number;
  readonly dropped: number;
}

/** These end a fiber from outside, also one that never ran. */
const CANCELLED: ReadonlySet<string> = new Set(['CANCELLED', 'TIMEOUT', 'DISPOSED']);
const WITHOUT_RUNNING: ReadonlySet<string> = new Set([...CANCELLED, 'GUEST_POISONED']);

export function timelineOf({ events, live, running, now, dropped }: Recording): Timeline {
  const from = events[0]?.time ?? live[0]?.last?.time ?? 0;
  const guests = new Map<string, GuestLanes>();
  const laneOf = (fiber: RecordedFiber): LaneBuilder => {
    let guest = guests.get(fiber.guest);
    if (guest === undefined) guests.set(fiber.guest, (guest = { lanes: new Map(), lastStop: -Infinity }));
    let lane = guest.lanes.get(fiber.id);
    if (lane === undefined) guest.lanes.set(fiber.id, (lane = new LaneBuilder(guest, fiber, from)));
    return lane;
  };
  for (const event of events) laneOf(event.fiber).take(event);
  for (const each of live) laneOf(each.fiber).stay(each, each.fiber === running, now);
  const lanes = [...guests.values()].flatMap((guest) =>
    [...guest.lanes.values()].sort((left, right) => left.fiber.id - right.fiber.id),
  );
  const to = live.length > 0 ? now : (events.at(-1)?.time ?? from);
  return { from, to: Math.max(from, to), lanes, dropped };
}

interface GuestLanes {
  readonly lanes: Map<number, LaneBuilder>;
  /** When a fiber of it left its code last. */
  lastStop: number;
}

class LaneBuilder implements Lane {
  readonly fiber: RecordedFiber;
  parent: RecordedFiber | null = null;
  readonly spans: Span[] = [];
  outcome: Outcome = 'alive';
  error: RecordedError | null = null;
  fuel = 0;
  readonly marks: RecordedEvent[] = [];
  isCut = true;
  readonly #guest: GuestLanes;
  /** What it does since when; null before its first event and after its end. */
  #open: Omit<Span, 'to'> | null = null;
  readonly #begin: number;

  /** @param begin when the recording begins */
  constructor(guest: GuestLanes, fiber: RecordedFiber, begin: number) {
    this.#guest = guest;
    this.fiber = fiber;
    this.#begin = begin;
  }

  take(event: RecordedEvent): void {
    const { type, time } = event;
    if (type === 'spawn') {
      this.isCut = false;
      this.parent = event.parent;
      this.#open = span('running', time);
      return;
    }
    if (this.#open === null && this.outcome === 'alive') this.#open = before(event, this.#begin);
    if (type === 'suspend') {
      this.#stop(time);
      this.#open = span('waiting', time, event.import, event.waitsFor);
    } else if (type === 'slice') {
      this.#stop(time);
      this.#open = span('preempted', time);
    } else if (type === 'resume') {
      this.#close(time);
      this.#open = span('running', time);
    } else if (type === 'end') this.#end(event);
    else this.marks.push(event);
  }

  /** It has not ended. */
  stay({ last }: LiveFiber, isRunning: boolean, now: number): void {
    // Nothing of it was kept but this.
    if (this.#open === null && last !== null) this.#open = after(last, this.#begin);
    // Had it begun, it would have stopped before anybody could read the recording.
    const hasBegun = isRunning || this.spans.length > 0 || last?.type !== 'spawn';
    if (this.#open?.kind === 'running' && hasBegun) this.#stop(now);
    else this.#close(now, this.#open?.kind === 'running' ? 'queued' : undefined);
  }

  #end({ time, error, fuel }: RecordedEvent): void {
    this.error = error;
    this.fuel = fuel;
    this.outcome = error === null ? 'ok' : CANCELLED.has(error.code ?? '') ? 'cancelled' : 'failed';
    const neverRan = this.spans.length === 0 && !this.isCut && WITHOUT_RUNNING.has(error?.code ?? '');
    if (this.#open?.kind === 'running' && !neverRan) this.#stop(time);
    else this.#close(time, neverRan ? 'queued' : undefined);
  }

  /** It was told to run, and has come to a stop. */
  #stop(time: number): void {
    const since = this.#open?.from ?? time;
    const began = Math.min(time, Math.max(since, this.#guest.lastStop));
    if (began > since) this.#close(began, 'queued');
    this.#open = span('running', began);
    this.#close(time);
    this.#guest.lastStop = time;
  }

  #close(to: number, kind?: SpanKind): void {
    const open = this.#open;
    this.#open = null;
    if (open === null) return;
    // Not spread: there may be a hundred thousand.
    const { from, import: site, waitsFor } = open;
    this.spans.push({ kind: kind ?? open.kind, from, to, import: site, waitsFor });
  }
}

function span(
  kind: SpanKind,
  from: number,
  site: string | null = null,
  waitsFor: RecordedFiber | null = null,
): Omit<Span, 'to'> {
  return { kind, from, import: site, waitsFor };
}

/** What a fiber did before the first event of it that was kept. */
function before({ type, import: site }: RecordedEvent, from: number): Omit<Span, 'to'> {
  if (type === 'resume' || type === 'slow')
    return site === null ? span('preempted', from) : span('waiting', from, site);
  return span('running', from);
}

/** What it has done since the last one. */
function after({ type, import: site, waitsFor }: RecordedEvent, from: number): Omit<Span, 'to'> {
  if (type === 'suspend' || type === 'slow') return span('waiting', from, site, waitsFor);
  return span(type === 'slice' ? 'preempted' : 'running', from);
}
