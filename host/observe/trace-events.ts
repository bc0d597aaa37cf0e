/**
 * A timeline in the Trace Event Format, as its JSON object form: a process for each guest, a thread for each fiber. Where it
 * runs is a complete event (`X`) of its thread, where it waits an asynchronous one (`b`, `e`), since threads do not wait in this
 * format; an arrow (`s`, `f`) leads from the fiber that another one waited for, or was spawned by, to that one.
 *
 * What holds: times are microseconds, in whole nanoseconds, and events of a thread do not overlap, after rounding too.
 */
import type { RecordedError, RecordedFiber } from './events.ts';
import type { Lane, Span, Timeline } from './timeline.ts';

/** One event of the format; which fields it has depends on `ph`. */
export interface TraceEvent {
  readonly ph: 'X' | 'b' | 'e' | 'i' | 's' | 'f' | 'M';
  readonly name: string;
  readonly cat?: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds. */
  readonly ts?: number;
  readonly dur?: number;
  /** Of asynchronous events and arrows: what belongs together. */
  readonly id?: string;
  /** Of arrows that end: in the event around this moment, not in the next one. */
  readonly bp?: 'e';
  /** Of events of one moment: of the thread. */
  readonly s?: 't';
  readonly args?: Readonly<Record<string, unknown>>;
}

/** The file, for `JSON.stringify`. */
export interface TraceFile {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: 'ms';
  readonly otherData: Readonly<Record<string, string | number>>;
}

/** @param startedAt milliseconds since 1970 */
export function traceFileOf(timeline: Timeline, startedAt: number): TraceFile {
  const writer = new Writer();
  for (const lane of timeline.lanes) writer.describe(lane);
  for (const lane of timeline.lanes) writer.write(lane);
  return {
    traceEvents: writer.events,
    displayTimeUnit: 'ms',
    otherData: { recorder: 'wasm-fibers', startedAt: new Date(startedAt).toISOString(), dropped: timeline.dropped },
  };
}

/** Milliseconds as microseconds; a thousandth of them is as fine as clocks are. */
function microseconds(time: number): number {
  return Math.round(time * 1e6) / 1e3;
}

/** Where an event is: a fiber, in the format's terms. */
type At = Pick<TraceEvent, 'pid' | 'tid'>;

class Writer {
  readonly events: TraceEvent[] = [];
  /** By guest: its number as a process, and its lanes by the numbers of their fibers. */
  readonly #guests: Map<string, { readonly pid: number; readonly lanes: Map<number, Lane> }> = new Map();
  #ids = 0;

  /** Names for people; and everything is to be known before arrows can be drawn. */
  describe(lane: Lane): void {
    const { fiber } = lane;
    let guest = this.#guests.get(fiber.guest);
    if (guest === undefined) {
      guest = { pid: this.#guests.size + 1, lanes: new Map() };
      this.#guests.set(fiber.guest, guest);
      this.events.push({ ph: 'M', name: 'process_name', pid: guest.pid, tid: 0, args: { name: fiber.guest } });
    }
    guest.lanes.set(fiber.id, lane);
    const at = this.#at(fiber);
    this.events.push({ ph: 'M', name: 'thread_name', ...at, args: { name: labelOf(fiber) } });
    this.events.push({ ph: 'M', name: 'thread_sort_index', ...at, args: { sort_index: fiber.id } });
  }

  write(lane: Lane): void {
    const { fiber, parent, spans, outcome, error, fuel } = lane;
    const at = this.#at(fiber);
    const [first] = spans;
    if (parent !== null && first !== undefined) this.#arrow('spawn', parent, first.from, lane, 0);
    for (const [place, span] of spans.entries()) {
      if (span.kind === 'running') this.#run(span, at, fiber.name);
      else this.#wait(span, at);
      const target = span.waitsFor === null ? undefined : this.#laneOf(span.waitsFor);
      const end = target?.spans.at(-1)?.to;
      // Where it was cancelled, it did not go on because of the other one.
      if (target !== undefined && target.outcome !== 'alive' && end !== undefined && end <= span.to) {
        this.#arrow('result', target.fiber, end, lane, place);
      }
    }
    for (const { type, time, import: site, error, reason } of lane.marks) {
      const frames = error !== null && error.frames.length > 0 ? { frames: error.frames } : {};
      this.#moment(type, 'fiber', at, time, {
        ...(site !== null && { import: site }),
        ...(reason !== null && { reason }),
        ...(error !== null && { error: textOf(error) }),
        ...frames,
      });
    }
    const last = spans.at(-1);
    if (outcome === 'alive' || last === undefined) return;
    const used = fuel > 0 ? { fuel } : {};
    this.#moment(outcome, 'end', at, last.to, { ...used, ...(error !== null && { error: textOf(error) }) });
  }

  #run({ from, to }: Span, at: At, name: string): void {
    const ts = microseconds(from);
    // The difference of two rounded numbers is not a rounded one.
    const dur = microseconds((microseconds(to) - ts) / 1000);
    this.events.push({ ph: 'X', name, cat: 'fiber', ...at, ts, dur });
  }

  #wait({ kind, import: site, waitsFor, from, to }: Span, at: At): void {
    const name = kind === 'waiting' ? (site ?? 'a wait') : kind;
    const both = { name, cat: kind, ...at, id: this.#newId() };
    const args = waitsFor === null ? {} : { args: { 'waits for': labelOf(waitsFor) } };
    this.events.push({ ph: 'b', ...both, ts: microseconds(from), ...args });
    this.events.push({ ph: 'e', ...both, ts: microseconds(to) });
  }

  #moment(name: string, cat: string, at: At, time: number, args: Readonly<Record<string, unknown>>): void {
    this.events.push({ ph: 'i', name, cat, ...at, ts: microseconds(time), s: 't', args });
  }

  /** From what `source` ran at a moment to where `lane` runs first, from the place among its spans on. */
  #arrow(name: string, source: RecordedFiber, time: number, lane: Lane, place: number): void {
    const begin = runningAt(this.#laneOf(source)?.spans ?? [], time);
    let next = lane.spans[place];
    while (next !== undefined && next.kind !== 'running') next = lane.spans[++place];
    if (begin === undefined || next === undefined || begin.to < time) return;
    const both = { name, cat: 'wake', id: this.#newId() };
    // Inside of what it belongs to, not at its very end: readers look for an event that is open.
    const from = Math.max(microseconds(begin.from), microseconds(Math.min(time, begin.to)) - 0.001);
    this.events.push({ ph: 's', ...both, ...this.#at(source), ts: microseconds(from / 1000) });
    this.events.push({ ph: 'f', ...both, ...this.#at(lane.fiber), ts: microseconds(next.from), bp: 'e' });
  }

  #laneOf({ guest, id }: RecordedFiber): Lane | undefined {
    return this.#guests.get(guest)?.lanes.get(id);
  }

  #at({ guest, id }: RecordedFiber): At {
    return { pid: this.#guests.get(guest)?.pid ?? 0, tid: id };
  }

  /** Only within a file need they differ. */
  #newId(): string {
    return `0x${(++this.#ids).toString(16)}`;
  }
}

/** The last span in which the fiber ran that began at or before this time; there may be a hundred thousand. */
function runningAt(spans: readonly Span[], time: number): Span | undefined {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((spans[middle]?.from ?? Infinity) <= time) low = middle + 1;
    else high = middle;
  }
  let at = low - 1;
  while (spans[at] !== undefined && spans[at]?.kind !== 'running') at--;
  return spans[at];
}

function labelOf({ id, name }: RecordedFiber): string {
  return `#${id} ${name}`;
}

function textOf({ name, message, code }: RecordedError): string {
  return `${code ?? name}: ${message}`;
}
