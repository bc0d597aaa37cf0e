/** The pane that says all about one fiber, and what it did span by span: what the canvas shows, as text. */
import { KINDS, WAITING, showTime } from './data.ts';
import { buttonOf, element } from './elements.ts';
import type { Model } from './model.ts';

/** Spans listed around the chosen one. */
const AROUND = 50;
/** Imports listed, those waited at for the longest. */
const MOST = 8;

export interface Choice {
  readonly fiber: number;
  /** -1: the fiber as a whole. */
  readonly span: number;
}

/** @param choose called with what somebody wants to see */
export function describe(model: Model, { fiber, span }: Choice, choose: (choice: Choice) => void): HTMLElement {
  const { data } = model;
  const { name: outcome, label, sign } = model.outcome(fiber);
  const signed = element('span', `sign ${outcome}`, sign);
  const pane = element('div', '', null, element('h2', '', null, signed, element('bdi', '', model.label(fiber))));
  const link = (to: number): HTMLElement =>
    buttonOf('link', element('bdi', '', model.label(to)), () => choose({ fiber: to, span: -1 }));
  const [begin, end] = [model.begin(fiber), model.end(fiber)];
  const parent = data.parents[fiber] ?? -1;
  const fuel = data.fuel[fiber] ?? 0;

  if (span >= 0) pane.append(...aboutSpan(model, fiber, span, link));
  pane.append(element('h3', '', 'the fiber'));
  pane.append(
    facts([
      ['guest', model.guest(fiber)],
      ['ended', outcome === 'alive' ? 'not yet' : label],
      [data.cut.includes(fiber) ? 'began before' : 'spawned at', showTime(begin)],
      ...(outcome === 'alive' ? [] : [['ended at', showTime(end)] as const]),
      ['lasted', showTime(end - begin)],
      ...KINDS.map(({ name }, kind) => [name, model.total(fiber, kind)] as const)
        .filter(([, time]) => time > 0)
        .map(([name, time]) => [name, `${showTime(time)} (${percent(time, end - begin)})`] as const),
      ['waits', String(model.waits(fiber))],
      ...(fuel === 0 ? [] : [['fuel', String(fuel)] as const]),
      ...(parent < 0 ? [] : [['spawned by', link(parent)] as const]),
    ]),
  );
  const error = data.errors[fiber] ?? null;
  if (error !== null) pane.append(element('h3', '', 'why it failed'), element('pre', '', error));
  const marks = model.marks(fiber);
  if (marks.length > 0) {
    pane.append(element('h3', '', 'what happened'));
    for (const [time, text] of marks.slice(0, AROUND)) pane.append(element('pre', '', `${showTime(time)}  ${text}`));
  }
  const sites = waitsOf(model, fiber);
  if (sites.length > 0) {
    pane.append(element('h3', '', 'where it waited'));
    pane.append(rows(sites.slice(0, MOST).map(([name, time, count]) => [name, `${count} ×`, showTime(time)])));
  }
  pane.append(element('h3', '', 'what it did'), spansOf(model, fiber, span, choose));
  return pane;
}

function aboutSpan(model: Model, fiber: number, span: number, link: (to: number) => HTMLElement): readonly Node[] {
  const { name = '', meaning = '' } = KINDS[model.kind(span)] ?? {};
  const site = model.data.siteNames[model.data.sites[span] ?? -1];
  const target = model.data.targets[span] ?? -1;
  return [
    facts([
      ['does', name],
      ...(site === undefined ? [] : [['at', site] as const]),
      ...(target < 0 ? [] : [['for', link(target)] as const]),
      ['from', showTime(model.from(span))],
      ['for so long', showTime(model.to(fiber, span) - model.from(span))],
    ]),
    element('p', 'note', meaning),
  ];
}

/** Import, time and number of waits, the longest first. */
function waitsOf(model: Model, fiber: number): readonly (readonly [name: string, time: number, count: number])[] {
  const sums = new Map<number, [time: number, count: number]>();
  for (let at = model.first(fiber); at < model.last(fiber); at++) {
    if (model.kind(at) !== WAITING) continue;
    const site = model.data.sites[at] ?? -1;
    const [time, count] = sums.get(site) ?? [0, 0];
    sums.set(site, [time + model.to(fiber, at) - model.from(at), count + 1]);
  }
  const names = model.data.siteNames;
  return [...sums]
    .map(([site, [time, count]]) => [names[site] ?? 'a fiber', time, count] as const)
    .sort(([, left], [, right]) => right - left);
}

function spansOf(model: Model, fiber: number, span: number, choose: (choice: Choice) => void): HTMLElement {
  const [first, last] = [model.first(fiber), model.last(fiber)];
  const from = Math.max(first, Math.min(span - AROUND / 2, last - AROUND));
  const to = Math.min(last, from + AROUND);
  const lines: (readonly (string | HTMLElement)[])[] = [];
  for (let at = from; at < to; at++) {
    const words = buttonOf('', element('bdi', '', model.words(at)), () => choose({ fiber, span: at }));
    lines.push([words, showTime(model.from(at)), showTime(model.to(fiber, at) - model.from(at))]);
  }
  const table = rows(lines, ['', 'at', 'for']);
  table.querySelectorAll('tbody tr')[span - from]?.classList.add('chosen');
  const before = from - first;
  const after = last - to;
  if (before + after === 0) return table;
  const note = element('p', 'note', `${before} before that, ${after} after it`);
  return element('div', '', null, table, note);
}

function facts(all: readonly (readonly [label: string, value: string | Node])[]): HTMLElement {
  const list = element('dl', '');
  for (const [label, value] of all) {
    const shown = typeof value === 'string' ? element('bdi', '', value) : value;
    list.append(element('dt', '', label), element('dd', '', null, shown));
  }
  return list;
}

function rows(lines: readonly (readonly (string | HTMLElement)[])[], titles: readonly string[] = []): HTMLElement {
  const body = element('tbody', '');
  for (const line of lines) {
    const row = element('tr', '');
    for (const [place, each] of line.entries()) {
      const cell = element('td', place === 0 ? '' : 'number');
      cell.append(typeof each === 'string' ? element('bdi', '', each) : each);
      row.append(cell);
    }
    body.append(row);
  }
  const head = element('tr', '');
  for (const [place, title] of titles.entries()) head.append(element('th', place === 0 ? '' : 'number', title));
  return titles.length === 0
    ? element('table', 'rows', null, body)
    : element('table', 'rows', null, element('thead', '', null, head), body);
}

function percent(part: number, all: number): string {
  return `${all === 0 ? 0 : Math.round((100 * part) / all)} %`;
}
