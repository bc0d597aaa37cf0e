/** The pane that says all about one function, and the shortest way from it to a wait. */
import { buttonOf, element } from '../../observe/page/elements.ts';
import { FIRST_IMPORT, STATES, showBytes } from './model.ts';
import type { PageData } from './model.ts';

/** A way longer than this is cut; it cannot be, unless the data are not ours. */
const LONGEST = 200;

/** @param choose called with the position of a function on the way that somebody wants to see */
export function describeFunction(data: PageData, at: number, choose: (at: number) => void): HTMLElement {
  const [state = '', style = '', meaning = ''] = STATES[data.states[at] ?? 0] ?? [];
  const bytes = data.bytes[at] ?? 0;
  const after = data.after?.[at] ?? null;
  const facts: (readonly [string, string])[] = [
    ['state', state],
    ['because', meaning],
    [
      'size',
      after === null
        ? showBytes(bytes)
        : `${showBytes(bytes)} → ${showBytes(after)} (${(after / Math.max(1, bytes)).toFixed(2)}x)`,
    ],
    ['index', String(data.indices[at] ?? '')],
  ];
  const place = data.places[at];
  if (place) facts.push(['source', place]);
  const exported = data.exported[at];
  if (exported) facts.push(['exported as', exported]);
  const list = element('dl', '');
  for (const [label, value] of facts) {
    list.append(element('dt', '', label), element('dd', '', null, element('bdi', '', value)));
  }
  const name = element('h2', '', null, element('span', `dot ${style}`), element('bdi', '', data.names[at] ?? ''));
  const pane = element('div', '', null, name, list);
  if (data.next[at] !== -2) pane.append(element('h3', '', 'the shortest way'), pathOf(data, at, choose));
  return pane;
}

function pathOf(data: PageData, from: number, choose: (at: number) => void): HTMLElement {
  const way = element('ol', 'path');
  const seen = new Set<number>();
  let at = from;
  way.append(element('li', '', null, element('bdi', '', data.names[at] ?? '')));
  while (!seen.has(at) && seen.size < LONGEST) {
    seen.add(at);
    const next = data.next[at] ?? -2;
    if (next === -2) break;
    const text = data.hows[data.how[at] ?? 0] ?? '';
    const how = element('span', 'how', text === 'calls' ? 'calls ' : `${text}: `);
    if (next < 0) {
      const name = data.imports[FIRST_IMPORT - next] ?? 'anything';
      way.append(element('li', '', null, how, element('b', 'import', null, element('bdi', '', name))));
      break;
    }
    at = next;
    const target = at;
    const button = buttonOf('link', element('bdi', '', data.names[target] ?? ''), () => choose(target));
    way.append(element('li', '', null, how, button));
  }
  return way;
}
