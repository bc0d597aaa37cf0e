// The rules of the Trace Event Format (its JSON object form), as far as its specification states any for the kinds of events
// that are written here: what a reader may rely on, whichever it is.
import type { TraceEvent, TraceFile } from 'wasm-fibers/trace';

/** Every rule that a file breaks, in words. */
export function violations(file: TraceFile): string[] {
  const found: string[] = [];
  const threads = new Map<string, TraceEvent[]>();
  const open = new Map<string, TraceEvent>();
  const arrows = new Map<string, TraceEvent>();
  const say = (event: TraceEvent, what: string): void => void found.push(`${what}: ${JSON.stringify(event)}`);
  const threadOf = ({ pid, tid }: TraceEvent): string => `${pid}/${tid}`;
  const timeOf = (event: TraceEvent): number => event.ts ?? Number.NaN;

  for (const event of file.traceEvents) {
    if (!Number.isInteger(event.pid) || !Number.isInteger(event.tid)) say(event, 'no process or thread');
    if (typeof event.name !== 'string') say(event, 'no name');
    if (event.ph === 'M') {
      const { name, args = {} } = event;
      if (name.endsWith('_name') && typeof args['name'] !== 'string') say(event, 'a name that is no text');
      if (name.endsWith('_sort_index') && !Number.isInteger(args['sort_index'])) say(event, 'an index that is none');
      continue;
    }
    if (!Number.isFinite(event.ts)) say(event, 'no time');
    if (typeof event.cat !== 'string' || event.cat === '') say(event, 'no category');
    if (event.ph === 'X') {
      if (!((event.dur ?? -1) >= 0)) say(event, 'no duration');
      threads.set(threadOf(event), [...(threads.get(threadOf(event)) ?? []), event]);
    }
    if (event.ph === 'i' && event.s !== 't') say(event, 'no scope');
    if (!['b', 'e', 's', 'f'].includes(event.ph)) continue;
    const key = `${event.cat} ${event.id}`;
    if (event.id === undefined) say(event, 'no id');
    if (event.ph === 'b') {
      if (open.has(key)) say(event, 'begins twice');
      open.set(key, event);
    } else if (event.ph === 'e') {
      const begin = open.get(key);
      if (begin === undefined) say(event, 'ends without having begun');
      else if (begin.name !== event.name) say(event, 'ends under another name');
      else if (timeOf(begin) > timeOf(event)) say(event, 'ends before it begins');
      open.delete(key);
    } else if (event.ph === 's') arrows.set(key, event);
    else {
      const start = arrows.get(key);
      if (start === undefined) say(event, 'an arrow from nowhere');
      else if (timeOf(start) > timeOf(event)) say(event, 'an arrow back in time');
      if (event.bp !== 'e') say(event, 'an arrow to the next event instead of the one around it');
      arrows.delete(key);
    }
  }
  for (const event of open.values()) say(event, 'does not end');
  for (const event of arrows.values()) say(event, 'an arrow to nowhere');

  for (const events of threads.values()) {
    events.sort((left, right) => timeOf(left) - timeOf(right));
    for (const [place, event] of events.entries()) {
      const next = events[place + 1];
      // Compared in nanoseconds: sums of such numbers are not exact.
      if (next !== undefined && Math.round(1000 * (timeOf(event) + (event.dur ?? 0))) > Math.round(1000 * timeOf(next)))
        say(next, 'begins before the event ends that it follows');
    }
  }
  for (const event of file.traceEvents) {
    if (event.ph !== 's' && event.ph !== 'f') continue;
    const around = (threads.get(threadOf(event)) ?? []).some(
      (each) =>
        Math.round(1000 * timeOf(each)) <= Math.round(1000 * timeOf(event)) &&
        Math.round(1000 * timeOf(event)) <= Math.round(1000 * (timeOf(each) + (each.dur ?? 0))),
    );
    if (!around) say(event, 'an arrow with nothing at its end');
  }
  return found;
}
