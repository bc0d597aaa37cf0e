/** The columns of the table of fibers, for those who look for one, or do not see pictures. */
import { RUNNING, WAITING, showTime } from './data.ts';
import { element } from './elements.ts';
import type { Model } from './model.ts';
import { type Column, SortedTable } from './table.ts';

export function fiberTable(model: Model, into: HTMLElement, choose: (fiber: number) => void): SortedTable {
  const { data } = model;
  const fibers = data.names.map((_, fiber) => fiber);
  const lasted = fibers.map((fiber) => model.end(fiber) - model.begin(fiber));
  const ran = fibers.map((fiber) => model.total(fiber, RUNNING));
  const waited = fibers.map((fiber) => model.total(fiber, WAITING));
  const waits = fibers.map((fiber) => model.waits(fiber));
  const time = (title: string, of: (fiber: number) => number): Column => ({
    title,
    numeric: true,
    key: of,
    text: (fiber) => showTime(of(fiber)),
  });
  const name: Column = {
    title: 'fiber',
    numeric: false,
    key: (at) => data.names[at] ?? '',
    text: (at) => model.label(at),
  };
  const guest: Column = { title: 'guest', numeric: false, key: (at) => model.guest(at), text: (at) => model.guest(at) };
  const count: Column = { title: 'waits', numeric: true, key: (at) => waits[at] ?? 0, text: (at) => String(waits[at]) };
  const columns: readonly Column[] = [
    name,
    ...(data.guestNames.length > 1 ? [guest] : []),
    time('began', (at) => model.begin(at)),
    time('lasted', (at) => lasted[at] ?? 0),
    time('ran', (at) => ran[at] ?? 0),
    time('waited', (at) => waited[at] ?? 0),
    count,
    { title: 'end', numeric: false, key: (at) => data.outcomes[at] ?? 0, text: (at) => model.outcome(at).label },
  ];
  const dot = (fiber: number): HTMLElement => {
    const { name, sign } = model.outcome(fiber);
    return element('span', `sign ${name}`, sign);
  };
  return new SortedTable(
    columns,
    model.count,
    into,
    choose,
    dot,
    columns.findIndex(({ title }) => title === 'lasted'),
  );
}
