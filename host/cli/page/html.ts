/**
 * A report as one HTML file that needs nothing else. The module that it speaks of may be hostile: names are cut and made
 * printable, and what is text here is escaped.
 */
import { readFile } from 'node:fs/promises';
import type { Group, Report, ReportedState } from '../../instrument/index.ts';
import { type Fact, documentOf } from '../../observe/page/document.ts';
import { escaped, printable } from '../../observe/page/text.ts';
import { bytes } from '../style.ts';
import { FIRST_IMPORT } from './model.ts';
import type { PageData, PageGroup } from './model.ts';
import { STYLE } from './style.ts';

/** The program's parts, in an order in which none needs one that comes later. */
const PARTS = [
  ...['elements', 'table'].map((part) => `../../observe/page/${part}.js`),
  ...['squarify', 'model', 'map', 'list', 'detail', 'main'].map((part) => `./${part}.js`),
];
const ORDER: readonly ReportedState[] = ['direct', 'indirect', 'open table', 'left out', 'free', 'added'];
/** @param name of the file, as a title */
export async function htmlOf(report: Report, name: string): Promise<string> {
  const { title, summary, ...data } = dataOf(report, name);
  return documentOf({
    title,
    subtitle: 'what is instrumented',
    summary,
    style: STYLE,
    data,
    program: await program(),
    footer: `Written by <code>wasm-fibers report</code>. Sizes are those of function bodies${report.rewritten ? ', each with the one in which its function goes on after a wait' : ''}.`,
    main: `<div class="bar">
<div role="tablist" aria-label="view"><button type="button" role="tab" id="to-map" aria-controls="map" aria-selected="true">Map</button><button type="button" role="tab" id="to-table" aria-controls="table" aria-selected="false" tabindex="-1">Table</button></div>
<input id="search" type="search" placeholder="Search functions" aria-label="Search functions" autocomplete="off" spellcheck="false">
<span id="found" role="status" aria-live="polite"></span>
</div>
<ul id="legend" aria-label="show only"></ul>
<nav aria-label="open group"><ol id="crumbs"></ol></nav>
<div class="columns">
<div>
<div id="map" role="tabpanel" aria-labelledby="to-map" aria-describedby="keys"></div>
<div id="table" role="tabpanel" aria-labelledby="to-table" hidden></div>
</div>
<aside id="detail" aria-live="polite" aria-label="chosen function"><p class="note">Choose a function to see why it is instrumented.</p></aside>
</div>
<p id="keys" class="note"><kbd>/</kbd> search, <kbd>←</kbd> <kbd>↑</kbd> <kbd>→</kbd> <kbd>↓</kbd> go to a neighbour, <kbd>Enter</kbd> opens a group or chooses a function, <kbd>Backspace</kbd> or <kbd>Esc</kbd> leaves the group. Areas are bytes of code ${report.rewritten ? 'after' : 'before'} instrumentation.</p>
${importsOf(report)}
${indirectOf(report)}`,
  });
}

function dataOf(
  report: Report,
  name: string,
): PageData & { readonly title: string; readonly summary: readonly Fact[] } {
  const { functions, total, instrumented, added, size, target } = report;
  const hows = new Map<string, number>();
  const how = functions.map((each) => {
    const known = hows.get(each.how) ?? hows.size;
    hows.set(each.how, known);
    return known;
  });
  const positions = new Map(functions.map((each, position) => [each.index, position]));
  for (const [position, each] of report.imports.entries()) positions.set(each.index, FIRST_IMPORT - position);
  const names = functions.map((each) => printable(each.name));
  const percent = (part: number, all: number): string => `${all === 0 ? 0 : Math.round((100 * part) / all)} %`;
  return {
    title: printable(name),
    summary: [
      [
        target === 'jspi' ? 'functions that may wait' : 'functions instrumented',
        `${instrumented.functions} of ${total.functions} (${percent(instrumented.functions, total.functions)})`,
      ],
      [
        'of the code',
        `${bytes(instrumented.bytes)} of ${bytes(total.bytes)} (${percent(instrumented.bytes, total.bytes)})`,
      ],
      [
        'module',
        size.after === null
          ? bytes(size.module)
          : `${bytes(size.module)} → ${bytes(size.after)} (${(size.after / size.module).toFixed(2)}x)`,
      ],
      ...(added.functions === 0
        ? []
        : [["instrumentation's own", `${added.functions} functions, ${bytes(added.bytes)}`] as const]),
    ],
    indices: functions.map((each) => each.index),
    names,
    bytes: functions.map((each) => each.bytes),
    states: functions.map((each) => ORDER.indexOf(each.state)),
    next: functions.map(
      (each) => (each.next === null ? undefined : positions.get(each.next)) ?? (each.how === '' ? -2 : -1),
    ),
    how,
    hows: [...hows.keys()],
    places: functions.map(({ place }) => (place === null ? null : `${printable(place.file)}:${place.line}`)),
    exported: functions.map(({ exported }) =>
      exported.length === 0 ? null : exported.map((name) => printable(name)).join(', '),
    ),
    after: functions.some((each) => each.after !== null) ? functions.map((each) => each.after) : null,
    imports: report.imports.map((each) => printable(each.name)),
    groups: groupOf(report.groups),
  };
}

function groupOf({ name, groups, members }: Group): PageGroup {
  return { name: printable(name), groups: groups.map(groupOf), members };
}

function importsOf({ imports }: Report): string {
  const rows = imports.map(
    ({ name, reached, alone }) =>
      `<tr><td><bdi>${escaped(printable(name))}</bdi></td>${amounts(reached)}${amounts(alone)}</tr>`,
  );
  return section(
    'Suspending imports',
    'How much can reach each, and how much of that would be free if that import alone were not suspending.',
    ['import', 'functions', 'code', 'alone', 'code'],
    rows,
  );
}

function indirectOf({ indirectCalls, indirect, openTables }: Report): string {
  const rows = indirectCalls.map(
    ({ type, table, callers, targets, waiting, alone }) =>
      `<tr><td>${escaped(type)} <span class="note">table ${table}</span></td>${number(callers)}${number(targets)}${number(waiting)}${amounts(alone)}</tr>`,
  );
  return section(
    'Indirect calls that may wait',
    `If none of them waited, ${indirect.functions} functions (${bytes(indirect.bytes)}) would be free; if the host wrote no table, ${openTables.functions} (${bytes(openTables.bytes)}). ` +
      'By type: functions with such a call, what it can reach in its table, what of that may wait, and what would be free if calls of this type did not.',
    ['type', 'callers', 'reaches', 'waiting', 'alone', 'code'],
    rows,
  );
}

function amounts({ functions, bytes: size }: { readonly functions: number; readonly bytes: number }): string {
  return `${number(functions)}<td class="number">${bytes(size)}</td>`;
}

function number(value: number): string {
  return `<td class="number">${value}</td>`;
}

function section(title: string, note: string, columns: readonly string[], rows: readonly string[]): string {
  if (rows.length === 0) return '';
  const head = columns.map((each, place) => `<th scope="col"${place === 0 ? '' : ' class="number"'}>${each}</th>`);
  return `<section aria-label="${title}"><h2>${title}</h2><p class="note">${note}</p><table><thead><tr>${head.join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table></section>`;
}

/** The parts as one module: they import only from each other, and no two of them give anything the same name. */
async function program(): Promise<string> {
  const parts = PARTS.map(async (part) => {
    const text = await readFile(new URL(part, import.meta.url), 'utf8');
    return text.replaceAll(/^import [^;]*;\n/gm, '').replaceAll(/^export (?=const|function|class)/gm, '');
  });
  return (await Promise.all(parts)).join('\n');
}
