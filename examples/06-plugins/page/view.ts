// What the page shows of plugins: buttons for what can be called, what each may do, and a table of what each has done. Whatever
// comes from a plugin gets into the page as text and in no other way.
import type { PluginLimits } from 'wasm-fibers/plugin';
import type { Loaded, Row } from '../plugins.ts';

export function find<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`The page has no ${kind.name} ${id}.`);
  return found;
}

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export const milliseconds = (value: number): string => `${whole.format(value)} ms`;

/** @param call is told which function of which plugin the user has chosen */
export function controlsOf({ manifest }: Loaded, call: (name: string, entry: string) => void): HTMLFieldSetElement {
  const { name, version, entryPoints = {} } = manifest;
  const buttons = Object.keys(entryPoints).map((entry) => {
    const button = element('button', entry);
    button.type = 'button';
    button.id = `${name}-${entry}`;
    button.addEventListener('click', () => call(name, entry));
    return button;
  });
  const bar = element('div', ...buttons);
  bar.className = 'bar';
  const may = element('p', `It may: ${rightsOf(manifest)}. It limits itself to: ${limitsText(manifest.limits)}.`);
  may.className = 'rights';
  // A script is run by the button below it.
  return element('fieldset', element('legend', `${name} ${version}`), ...(name === 'lua' ? [] : [bar]), may);
}

function rightsOf({ capabilities = {} }: Loaded['manifest']): string {
  const { hostFunctions = [], ...more } = capabilities;
  const rights = [
    ...hostFunctions.map((path) => `call ${path}`),
    ...Object.entries(more).map(([name, value]) => (value === true ? name : `${name}: ${String(value)}`)),
  ];
  return rights.length === 0 ? 'nothing' : rights.join(', ');
}

/** Limits as they are written in manifests. */
export function limitsText(limits: PluginLimits = {}): string {
  return Object.entries(limits)
    .map(([name, value]) => `${name} ${whole.format(Number(value))}`)
    .join(', ');
}

const COLUMNS: readonly (readonly [title: string, of: (row: Row) => string])[] = [
  ['calls', ({ calls }) => whole.format(calls)],
  ['failures', ({ failures }) => whole.format(failures)],
  ['running', ({ running }) => whole.format(running)],
  ['waits', ({ suspensions }) => whole.format(suspensions)],
  ['host calls', ({ hostCalls }) => whole.format(hostCalls)],
  ['slices', ({ slices }) => whole.format(slices)],
  ['own time', ({ guestMs }) => milliseconds(guestMs)],
  ['fuel', ({ fuel }) => whole.format(fuel)],
  ['memory', ({ memory }) => `${whole.format(memory / 1024)} KiB`],
  ['made anew', ({ restarts }) => whole.format(restarts)],
  ['health', ({ health }) => health],
];

export function showStats(table: HTMLTableElement, rows: readonly Row[]): void {
  const heading = (text: string, scope: 'col' | 'row'): HTMLTableCellElement => {
    const cell = element('th', text);
    cell.scope = scope;
    return cell;
  };
  const titles = ['plugin', ...COLUMNS.map(([title]) => title)].map((title) => heading(title, 'col'));
  const lines = rows.map((row) => {
    const line = element('tr', heading(row.name, 'row'), ...COLUMNS.map(([, of]) => element('td', of(row))));
    line.title = row.lastFailure ?? '';
    return line;
  });
  table.replaceChildren(element('thead', element('tr', ...titles)), element('tbody', ...lines));
}
