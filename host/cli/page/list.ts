/** The columns of the table of functions. */
import { element } from '../../observe/page/elements.ts';
import { type Column, SortedTable } from '../../observe/page/table.ts';
import { STATES, showBytes } from './model.ts';
import type { PageData } from './model.ts';

export function functionTable(data: PageData, into: HTMLElement, choose: (at: number) => void): SortedTable {
  const name = (at: number): string => data.names[at] ?? '';
  const bytes = (at: number): number => data.bytes[at] ?? 0;
  const after = (at: number): number => data.after?.[at] ?? 0;
  const growth = (at: number): number => (after(at) === 0 ? 0 : after(at) / Math.max(1, bytes(at)));
  const state = (at: number): (typeof STATES)[number] | undefined => STATES[data.states[at] ?? 0];
  const grown: readonly Column[] = [
    { title: 'after', numeric: true, key: after, text: (at) => (after(at) === 0 ? '' : showBytes(after(at))) },
    {
      title: 'growth',
      numeric: true,
      key: growth,
      text: (at) => (growth(at) === 0 ? '' : `${growth(at).toFixed(2)}x`),
    },
  ];
  const columns: readonly Column[] = [
    { title: 'function', numeric: false, key: name, text: name },
    { title: 'size', numeric: true, key: bytes, text: (at) => showBytes(bytes(at)) },
    ...(data.after === null ? [] : grown),
    { title: 'state', numeric: false, key: (at) => data.states[at] ?? 0, text: (at) => state(at)?.[0] ?? '' },
    { title: 'index', numeric: true, key: (at) => at, text: (at) => String(data.indices[at] ?? '') },
  ];
  const dot = (at: number): HTMLElement => element('span', `dot ${state(at)?.[1] ?? ''}`);
  return new SortedTable(columns, data.names.length, into, choose, dot, 1);
}
