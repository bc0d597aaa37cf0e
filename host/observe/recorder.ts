/**
 * Records what happens to the fibers of any number of guests.
 *
 * Invariants:
 * - A recording holds text and numbers only: neither fibers nor guests live longer because they are recorded.
 * - The newest `limit` events are kept. Of a fiber that has not ended, its last event is kept too, so that one which waits for
 *   hours is still seen when everything else about it has been dropped.
 */
import { FiberError } from '../errors.ts';
import type { Fiber, FiberEvent, Guest } from '../runtime/api.ts';
import { currentFiber } from '../runtime/current.ts';
import { type RecordedEvent, type RecordedFiber, describeError } from './events.ts';
import { htmlOf } from './page/html.ts';
import { type LiveFiber, type Timeline, timelineOf } from './timeline.ts';
import { type TraceFile, traceFileOf } from './trace-events.ts';

/** Options of `FiberRecorder`. */
export interface RecorderOptions {
  /** Events kept at most: one more drops the oldest. Default 100,000, which take some 10 MB. */
  readonly limit?: number;
}

/** Options of `recorder.toHTML`. */
export interface PageOptions {
  /** What the page is called. Default `Fibers`. */
  readonly title?: string;
}

/** What is known of a guest. */
interface GuestRecord {
  readonly name: string;
  /** The fibers that have not ended, by their numbers. */
  readonly live: Map<number, LiveFiber>;
  /** How many of its events are kept. */
  kept: number;
}

interface Entry {
  readonly event: RecordedEvent;
  readonly guest: GuestRecord;
}

/**
 * Records the fibers of guests that are given its `onEvent`, or a `listener` that names them. A guest without one is as fast
 * as ever.
 *
 * @example
 * const recorder = new FiberRecorder();
 * const guest = await instantiate(url, imports, { onEvent: recorder.listener('app') });
 * await guest.exports.run(1);
 * await writeFile('trace.html', recorder.toHTML({ title: 'one run' }));
 */
export class FiberRecorder {
  /** When the recorder was made, in milliseconds since 1970; all times of events count from there. */
  readonly startedAt: number;
  readonly #origin: number;
  readonly #limit: number;
  /** A ring: once it is full, `#oldest` is where the next one goes. */
  readonly #entries: Entry[] = [];
  #oldest = 0;
  #dropped = 0;
  readonly #guests: WeakMap<Guest, GuestRecord> = new WeakMap();
  /** Those of which something is to be shown. */
  readonly #shown: Set<GuestRecord> = new Set();
  /** How many guests have had each name. */
  readonly #names: Map<string, number> = new Map();

  /** @throws FiberError `INVALID_OPTION` */
  constructor({ limit = 100_000 }: RecorderOptions = {}) {
    if (!Number.isSafeInteger(limit) || limit < 1) {
      throw new FiberError('INVALID_OPTION', `The option limit must be a number of events above 0, not ${limit}.`);
    }
    this.#limit = limit;
    this.#origin = performance.now();
    this.startedAt = performance.timeOrigin + this.#origin;
  }

  /** The `onEvent` of guests that need no name: they are `guest`, `guest 2` and so on. */
  readonly onEvent: (event: FiberEvent) => void = this.listener('guest');

  /**
   * An `onEvent` for a guest that is called so in the recording. Given to a second guest, or asked for twice, it numbers them:
   * `app`, `app 2`.
   *
   * @param name for people
   * @example
   * const guest = await instantiate(url, imports, { onEvent: recorder.listener('app') });
   */
  listener(name: string): (event: FiberEvent) => void {
    return (event) => this.#record(name, event);
  }

  /** What is kept, oldest first. Plain data: `JSON.stringify` makes a log of it. */
  get events(): readonly RecordedEvent[] {
    const { length } = this.#entries;
    return Array.from({ length }, (_, at) => this.#entries[(this.#oldest + at) % length]?.event).filter(
      (event) => event !== undefined,
    );
  }

  /** How many events were dropped since they were more than `limit`. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Forgets all events. The fibers that have not ended stay known. */
  clear(): void {
    this.#entries.length = this.#oldest = this.#dropped = 0;
    for (const guest of this.#shown) {
      guest.kept = 0;
      this.#forget(guest);
    }
  }

  /**
   * The recording in Chrome's trace event format (its JSON object form), which Perfetto, Chromium's developer tools and
   * speedscope open: a process for each guest and a thread for each fiber.
   *
   * @returns an object for `JSON.stringify`
   * @example
   * await writeFile('trace.json', JSON.stringify(recorder.toTraceEvents()));
   */
  toTraceEvents(): TraceFile {
    return traceFileOf(this.#timeline(), this.startedAt);
  }

  /**
   * The recording as a page: one HTML document that loads nothing, with a lane for each fiber.
   *
   * @returns the document as text
   * @example
   * process.on('exit', () => writeFileSync('trace.html', recorder.toHTML({ title: 'my server' })));
   */
  toHTML({ title = 'Fibers' }: PageOptions = {}): string {
    return htmlOf(this.#timeline(), String(title));
  }

  #timeline(): Timeline {
    const running = currentFiber();
    return timelineOf({
      events: this.events,
      live: [...this.#shown].flatMap((guest) => [...guest.live.values()]),
      running: this.#known(running),
      now: performance.now() - this.#origin,
      dropped: this.#dropped,
    });
  }

  #record(name: string, { type, fiber, import: site, error, reason }: FiberEvent): void {
    const guest = this.#guestOf(name, fiber.guest);
    let live = guest.live.get(fiber.id);
    if (live === undefined) {
      live = { fiber: { guest: guest.name, id: fiber.id, name: fiber.name }, last: null };
      // `poison` is told of a fiber that has ended.
      if (fiber.state !== 'done') guest.live.set(fiber.id, live);
    }
    const target = type === 'suspend' ? fiber.waitingOn : null;
    live.last = {
      time: performance.now() - this.#origin,
      type,
      fiber: live.fiber,
      import: site ?? null,
      waitsFor: typeof target === 'string' ? null : this.#known(target),
      parent: type === 'spawn' ? this.#known(currentFiber()) : null,
      error: error === undefined ? null : describeError(error, type === 'trap'),
      reason: reason ?? null,
      fuel: type === 'end' ? fiber.fuel : 0,
    };
    if (type === 'end') guest.live.delete(fiber.id);
    this.#keep({ event: live.last, guest });
  }

  #keep(entry: Entry): void {
    entry.guest.kept++;
    this.#shown.add(entry.guest);
    if (this.#entries.length < this.#limit) {
      this.#entries.push(entry);
      return;
    }
    const dropped = this.#entries[this.#oldest]?.guest;
    this.#entries[this.#oldest] = entry;
    this.#oldest = (this.#oldest + 1) % this.#limit;
    this.#dropped++;
    if (dropped === undefined) return;
    dropped.kept--;
    this.#forget(dropped);
  }

  /** Nothing is left to be shown of a guest of which no event is kept and no fiber lives. */
  #forget(guest: GuestRecord): void {
    if (guest.kept === 0 && guest.live.size === 0) this.#shown.delete(guest);
  }

  #guestOf(name: string, guest: Guest): GuestRecord {
    const known = this.#guests.get(guest);
    if (known !== undefined) return known;
    const number = (this.#names.get(name) ?? 0) + 1;
    this.#names.set(name, number);
    const record: GuestRecord = { name: number === 1 ? name : `${name} ${number}`, live: new Map(), kept: 0 };
    this.#guests.set(guest, record);
    return record;
  }

  /** What is recorded of a fiber; null if that is nothing. */
  #known(fiber: Fiber | null): RecordedFiber | null {
    return fiber === null ? null : (this.#guests.get(fiber.guest)?.live.get(fiber.id)?.fiber ?? null);
  }
}
