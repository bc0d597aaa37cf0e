/** A table that is sorted by any of its columns: as many rows as one can look through, more on request. */
import { buttonOf, element } from './elements.ts';

const PAGE = 300;

export interface Column {
  readonly title: string;
  readonly numeric: boolean;
  /** What is sorted by. */
  readonly key: (at: number) => number | string;
  readonly text: (at: number) => string;
}

export class SortedTable {
  readonly #count: number;
  readonly #into: HTMLElement;
  readonly #choose: (at: number) => void;
  readonly #dot: (at: number) => HTMLElement;
  readonly #columns: readonly Column[];
  #matches: ReadonlySet<number> | null = null;
  #chosen = -1;
  #by: number;
  #descending = true;
  #shown = PAGE;

  /**
   * @param columns the first one is the name by which a row is chosen
   * @param count of rows, which are known by their positions
   * @param dot stands before the name
   * @param by the column that the table is sorted by at first, the largest on top
   */
  constructor(
    columns: readonly Column[],
    count: number,
    into: HTMLElement,
    choose: (at: number) => void,
    dot: (at: number) => HTMLElement,
    by: number,
  ) {
    this.#columns = columns;
    this.#count = count;
    this.#into = into;
    this.#choose = choose;
    this.#dot = dot;
    this.#by = by;
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
      const label = `${title}${sorted === 'none' ? '' : this.#descending ? ' ▼' : ' ▲'}`;
      const button = buttonOf('', label, () => this.#sort(place));
      button.dataset['column'] = title;
      cell.append(button);
      head.append(cell);
    }
    const body = element('tbody', '');
    for (const at of order.slice(0, this.#shown)) body.append(this.#row(at));
    const table = element('table', 'rows', null, element('thead', '', null, head), body);
    const rest = order.length - this.#shown;
    const more = buttonOf('more', `show ${Math.min(PAGE, rest)} more of ${rest}`, () => {
      this.#shown += PAGE;
      this.draw();
    });
    more.hidden = rest <= 0;
    this.#into.replaceChildren(table, more);
  }

  #row(at: number): HTMLElement {
    const row = element('tr', at === this.#chosen ? 'chosen' : '');
    for (const [place, { numeric, text }] of this.#columns.entries()) {
      const cell = element('td', numeric ? 'number' : '');
      if (place === 0) {
        cell.append(
          this.#dot(at),
          buttonOf('', element('bdi', '', text(at)), () => this.#choose(at)),
        );
      } else cell.append(element('bdi', '', text(at)));
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
    const order = Array.from({ length: this.#count }, (_, at) => at).filter(
      (at) => matches === null || matches.has(at),
    );
    const key = this.#columns[this.#by]?.key ?? ((at: number) => at);
    const sign = this.#descending ? -1 : 1;
    return order.sort((left, right) => {
      const [one, other] = [key(left), key(right)];
      if (one === other) return left - right;
      return one < other ? -sign : sign;
    });
  }
}
