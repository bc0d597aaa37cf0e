/** The table of functions: sorted by any of its columns, as many rows as one can look through, more on request. */
import { STATES, element, showBytes } from './model.ts';
import type { PageData } from './model.ts';

const PAGE = 300;

interface Column {
  readonly title: string;
  readonly numeric: boolean;
  /** What is sorted by. */
  readonly key: (at: number) => number | string;
  readonly text: (at: number) => string;
}

export class FunctionTable {
  readonly #data: PageData;
  readonly #into: HTMLElement;
  readonly #choose: (at: number) => void;
  readonly #columns: readonly Column[];
  #matches: ReadonlySet<number> | null = null;
  #chosen = -1;
  #by = 1;
  #descending = true;
  #shown = PAGE;

  constructor(data: PageData, into: HTMLElement, choose: (at: number) => void) {
    this.#data = data;
    this.#into = into;
    this.#choose = choose;
    const name = (at: number): string => data.names[at] ?? '';
    const bytes = (at: number): number => data.bytes[at] ?? 0;
    const after = (at: number): number => data.after?.[at] ?? 0;
    const growth = (at: number): number => (after(at) === 0 ? 0 : after(at) / Math.max(1, bytes(at)));
    this.#columns = [
      { title: 'function', numeric: false, key: name, text: name },
      { title: 'size', numeric: true, key: bytes, text: (at) => showBytes(bytes(at)) },
      ...(data.after === null
        ? []
        : [
            {
              title: 'after',
              numeric: true,
              key: after,
              text: (at: number) => (after(at) === 0 ? '' : showBytes(after(at))),
            },
            {
              title: 'growth',
              numeric: true,
              key: growth,
              text: (at: number) => (growth(at) === 0 ? '' : `${growth(at).toFixed(2)}x`),
            },
          ]),
      {
        title: 'state',
        numeric: false,
        key: (at) => data.states[at] ?? 0,
        text: (at) => STATES[data.states[at] ?? 0]?.[0] ?? '',
      },
      { title: 'index', numeric: true, key: (at) => at, text: (at) => String(data.indices[at] ?? '') },
    ];
  }

  show(matches: ReadonlySet<number> | null, chosen: number): void {
    if (matches !== this.#matches) this.#shown = PAGE;
    this.#matches = matches;
    this.#chosen = chosen;
    if (!this.#into.hidden) this.draw();
  }

  draw(): void {
    const order = this.#sorted();
    const head = element('tr', '');
    for (const [place, { title, numeric }] of this.#columns.entries()) {
      const cell = element('th', numeric ? 'number' : '');
      cell.scope = 'col';
      const sorted = this.#by === place ? (this.#descending ? 'descending' : 'ascending') : 'none';
      cell.setAttribute('aria-sort', sorted);
      const button = element('button', '', `${title}${sorted === 'none' ? '' : this.#descending ? ' ▼' : ' ▲'}`);
      button.type = 'button';
      button.dataset['column'] = title;
      button.addEventListener('click', () => this.#sort(place));
      cell.append(button);
      head.append(cell);
    }
    const body = element('tbody', '');
    for (const at of order.slice(0, this.#shown)) body.append(this.#row(at));
    const table = element('table', 'functions', null, element('thead', '', null, head), body);
    const rest = order.length - this.#shown;
    const more = element('button', 'more', `show ${Math.min(PAGE, rest)} more of ${rest}`);
    more.type = 'button';
    more.hidden = rest <= 0;
    more.addEventListener('click', () => {
      this.#shown += PAGE;
      this.draw();
    });
    this.#into.replaceChildren(table, more);
  }

  #row(at: number): HTMLElement {
    const row = element('tr', at === this.#chosen ? 'chosen' : '');
    for (const [place, { numeric, text }] of this.#columns.entries()) {
      const cell = element('td', numeric ? 'number' : '');
      if (place === 0) {
        const button = element('button', '', null, element('bdi', '', text(at)));
        button.type = 'button';
        button.addEventListener('click', () => this.#choose(at));
        cell.append(element('span', `dot ${STATES[this.#data.states[at] ?? 0]?.[1] ?? ''}`), button);
      } else cell.append(text(at));
      row.append(cell);
    }
    return row;
  }

  #sort(place: number): void {
    this.#descending = this.#by === place ? !this.#descending : (this.#columns[place]?.numeric ?? false);
    this.#by = place;
    this.draw();
    const title = this.#columns[place]?.title ?? '';
    this.#into.querySelector<HTMLElement>(`[data-column="${title}"]`)?.focus();
  }

  #sorted(): number[] {
    const matches = this.#matches;
    const order = this.#data.names.map((_, at) => at).filter((at) => matches === null || matches.has(at));
    const key = this.#columns[this.#by]?.key ?? ((at: number) => at);
    const sign = this.#descending ? -1 : 1;
    return order.sort((left, right) => {
      const [one, other] = [key(left), key(right)];
      if (one === other) return left - right;
      return one < other ? -sign : sign;
    });
  }
}
