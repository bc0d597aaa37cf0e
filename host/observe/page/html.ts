/** A timeline as a page. Names come from guests and embedders: they are cut and made printable here, and shown as text there. */
import { FiberError } from '../../errors.ts';
import type { RecordedError, RecordedFiber } from '../events.ts';
import type { Timeline } from '../timeline.ts';
import { type Fact, documentOf } from './document.ts';
import { KINDS, OUTCOMES, type PageData, showTime } from './data.ts';
import { PROGRAM } from './program.ts';
import { STYLE } from './timeline-style.ts';
import { printable } from './text.ts';

/** Of an error's message. */
const LONGEST_MESSAGE = 1000;

/** @throws FiberError `INTERNAL` if this package was built in parts */
export function htmlOf(timeline: Timeline, title: string): string {
  if (PROGRAM === '') {
    throw new FiberError('INTERNAL', 'The page has no program: wasm-fibers was compiled without `npm run build`.');
  }
  const data = dataOf(timeline);
  return documentOf({
    title: printable(title),
    subtitle: 'timeline of fibers',
    summary: summaryOf(timeline, data),
    style: STYLE,
    data,
    program: PROGRAM,
    footer:
      'Written by <code>wasm-fibers/trace</code>. A fiber runs while its guest’s code runs, and the host functions that this calls.',
    main: MAIN,
  });
}

const MAIN = `<div class="bar">
<div role="tablist" aria-label="view"><button type="button" role="tab" id="to-timeline" aria-controls="timeline" aria-selected="true">Timeline</button><button type="button" role="tab" id="to-table" aria-controls="table" aria-selected="false" tabindex="-1">Table</button></div>
<input id="search" type="search" placeholder="Search fibers, imports, errors" aria-label="Search fibers, imports, errors" autocomplete="off" spellcheck="false">
<div class="zoom" role="group" aria-label="zoom"><button type="button" id="out" aria-label="Zoom out">−</button><button type="button" id="in" aria-label="Zoom in">+</button><button type="button" id="all">All</button></div>
<span id="found" role="status" aria-live="polite"></span>
</div>
<ul id="legend" aria-label="show only fibers that"></ul>
<div class="columns">
<div>
<div id="timeline" role="tabpanel" aria-labelledby="to-timeline">
<div id="lanes" tabindex="0" role="application" aria-label="timeline" aria-roledescription="timeline" aria-describedby="keys" aria-controls="detail"><div id="sizer"><canvas></canvas></div></div>
<p class="line"><span id="range"></span> <bdi id="hover"></bdi></p>
<p id="keys" class="note"><kbd>/</kbd> search, <kbd>↑</kbd> <kbd>↓</kbd> other fibers, <kbd>←</kbd> <kbd>→</kbd> what the fiber did before and after, <kbd>Enter</kbd> shows all of that, <kbd>+</kbd> <kbd>−</kbd> or <kbd>Ctrl</kbd> and the wheel zoom, <kbd>Shift</kbd> <kbd>←</kbd> <kbd>→</kbd> or dragging moves, <kbd>0</kbd> shows everything, <kbd>Esc</kbd> ends the search.</p>
</div>
<div id="table" role="tabpanel" aria-labelledby="to-table" hidden></div>
</div>
<p id="said" role="status"></p>
<aside id="detail" aria-label="what was chosen"><p class="note">Choose a fiber to see what it did.</p></aside>
</div>`;

function dataOf({ from: start, to, lanes }: Timeline): PageData {
  const guests = new Positions();
  const sites = new Positions();
  const keyOf = ({ guest, id }: RecordedFiber): string => `${id} ${guest}`;
  const places = new Map(lanes.map((lane, place) => [keyOf(lane.fiber), place]));
  const placeOf = (fiber: RecordedFiber | null): number => (fiber === null ? -1 : (places.get(keyOf(fiber)) ?? -1));
  // A tenth of a microsecond is as fine as it can be seen.
  const since = (time: number): number => Math.round((time - start) * 1e4) / 1e4;
  const spans = lanes.flatMap((lane) => lane.spans);
  let first = 0;
  return {
    duration: since(to),
    names: lanes.map(({ fiber }) => printable(fiber.name)),
    ids: lanes.map(({ fiber }) => fiber.id),
    guests: lanes.map(({ fiber }) => guests.of(fiber.guest)),
    guestNames: guests.names,
    outcomes: lanes.map(({ outcome }) => OUTCOMES.findIndex(({ name }) => name === outcome)),
    errors: lanes.map(({ error }) => (error === null ? null : textOf(error))),
    fuel: lanes.map((lane) => lane.fuel),
    parents: lanes.map(({ parent }) => placeOf(parent)),
    cut: lanes.flatMap(({ isCut }, place) => (isCut ? [place] : [])),
    firsts: lanes.map((lane) => (first += lane.spans.length) - lane.spans.length),
    ends: lanes.map((lane) => since(lane.spans.at(-1)?.to ?? start)),
    kinds: spans.map(({ kind }) => KINDS.findIndex(({ name }) => name === kind)),
    froms: spans.map(({ from }) => since(from)),
    sites: spans.map((span) => (span.import === null ? -1 : sites.of(span.import))),
    siteNames: sites.names,
    targets: spans.map(({ waitsFor }) => placeOf(waitsFor)),
    marks: lanes.flatMap(({ marks }, place) =>
      marks.map(({ time, type, error, reason, import: site }) => {
        const text = error === null ? (reason ?? site) : textOf(error);
        return [place, since(time), text === null ? type : `${type}: ${printable(text, LONGEST_MESSAGE)}`] as const;
      }),
    ),
  };
}

/** Names that are many times the same, each once, made printable. */
class Positions {
  readonly names: string[] = [];
  readonly #places: Map<string, number> = new Map();

  of(name: string): number {
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    this.#places.set(name, this.names.length);
    return this.names.push(printable(name)) - 1;
  }
}

function textOf({ name, message, code, frames }: RecordedError): string {
  const lines = [`${code ?? name}: ${message}`, ...frames.map((frame) => `at ${frame}`)];
  return lines.map((line) => printable(line, LONGEST_MESSAGE)).join('\n');
}

function summaryOf({ lanes, dropped }: Timeline, data: PageData): readonly Fact[] {
  const spans = lanes.flatMap((lane) => lane.spans);
  const running = spans.reduce((sum, { kind, from, to }) => sum + (kind === 'running' ? to - from : 0), 0);
  const waits = spans.filter(({ kind }) => kind === 'waiting').length;
  const share = data.duration === 0 ? 0 : Math.round((100 * running) / data.duration);
  return [
    ['time', showTime(data.duration)],
    ...(data.guestNames.length > 1 ? [['guests', String(data.guestNames.length)] as const] : []),
    ['fibers', String(lanes.length)],
    ['waits', String(waits)],
    ['running', `${showTime(running)} (${share} %)`],
    ...(dropped > 0 ? [['events dropped', String(dropped)] as const] : []),
  ];
}
