/** The page's program: what is shown follows from the group that is open, the function that is chosen, and the search. */
import { buttonOf, element, find, searchBy, tabs } from '../../observe/page/elements.ts';
import { describeFunction } from './detail.ts';
import { functionTable } from './list.ts';
import { TreeMap } from './map.ts';
import { STATES, boxesOf, showBytes } from './model.ts';
import type { Box, PageData } from './model.ts';

function start(data: PageData): void {
  const root = boxesOf(data);
  const search = find('search') as HTMLInputElement;
  const panes = { map: find('map'), table: find('table') };
  let open: Box = root;
  let chosen = -1;
  let matches: ReadonlySet<number> | null = null;
  let onlyState = -1;
  const legend = new Map<HTMLElement, number>();
  const names = data.names.map((name) => name.toLowerCase());

  const map = new TreeMap(data, root, panes.map, enter, choose);
  const table = functionTable(data, panes.table, choose);

  function enter(box: Box): void {
    open = box;
    const crumbs: Box[] = [];
    for (let each: Box | null = box; each !== null; each = each.parent) crumbs.unshift(each);
    find('crumbs').replaceChildren(
      ...crumbs.map((each) => {
        const label = element('bdi', '', each === root ? 'all functions' : each.name);
        const button = buttonOf('link', label, () => enter(each));
        if (each === box) button.setAttribute('aria-current', 'location');
        return element('li', '', null, button);
      }),
      element('li', 'note', `${box.functions} functions, ${showBytes(box.bytes)}`),
    );
    map.show(box);
    map.highlight(matches, chosen);
  }

  function choose(at: number): void {
    chosen = at;
    find('detail').replaceChildren(describeFunction(data, at, choose));
    refresh();
  }

  function refresh(): void {
    map.highlight(matches, chosen);
    table.show(matches, chosen);
  }

  function look(): void {
    const wanted = search.value.trim().toLowerCase();
    const found = new Set<number>();
    const all = wanted === '' && onlyState < 0;
    for (const [at, name] of names.entries()) {
      if (!all && name.includes(wanted) && (onlyState < 0 || data.states[at] === onlyState)) found.add(at);
    }
    matches = all ? null : found;
    const bytes = [...found].reduce((sum, at) => sum + (data.bytes[at] ?? 0), 0);
    const many = found.size === 1 ? '1 function' : `${found.size} functions`;
    find('found').textContent = all ? '' : `${many}, ${showBytes(bytes)}`;
    panes.map.classList.toggle('searched', wanted !== '');
    for (const [button, state] of legend) button.setAttribute('aria-pressed', String(state === onlyState));
    refresh();
  }

  tabs(['map', 'table'], (name) => {
    find('crumbs').hidden = name === 'table';
    if (name === 'table') table.draw();
  });
  searchBy(search, {
    look,
    choose() {
      const [first] = [...(matches ?? [])].sort((left, right) => (data.bytes[right] ?? 0) - (data.bytes[left] ?? 0));
      if (first !== undefined) choose(first);
    },
    below: map,
    isOn: () => matches !== null,
    end: () => (onlyState = -1),
    leave() {
      if (open.parent !== null) enter(open.parent);
    },
  });
  const counts = STATES.map((_, state) => data.states.filter((each) => each === state).length);
  find('legend').replaceChildren(
    ...STATES.flatMap(([name, style, meaning], state) => {
      if (counts[state] === 0) return [];
      const label = element('span', '', `${name} (${counts[state] ?? 0})`);
      const button = buttonOf('', element('span', `dot ${style}`), () => {
        onlyState = onlyState === state ? -1 : state;
        look();
      });
      button.append(label);
      button.title = meaning;
      button.setAttribute('aria-pressed', 'false');
      legend.set(button, state);
      return [element('li', '', null, button)];
    }),
  );
  enter(root);
}

start(JSON.parse(find('data').textContent ?? '') as PageData);
