/**
 * The map: groups as frames, functions as areas. One button at a time can be reached by the tabulator key; the arrow keys go
 * from it to the next one in that direction.
 */
import { element } from '../../observe/page/elements.ts';
import { INSTRUMENTED, STATES, showBytes } from './model.ts';
import type { Box, PageData } from './model.ts';
import { squarify } from './squarify.ts';
import type { Rectangle } from './squarify.ts';

const HEADER = 18;
const GAP = 2;
/** Smaller areas are not drawn: the frame that they are in shows through. */
const SMALLEST = 4;
/** Text fits into areas from this size on. */
const TEXT = { width: 34, height: 14 } as const;

export class TreeMap {
  readonly #data: PageData;
  readonly #into: HTMLElement;
  readonly #open: (box: Box) => void;
  readonly #choose: (at: number) => void;
  #box: Box;
  #chosen = -1;
  #matches: ReadonlySet<number> | null = null;
  readonly #buttons = new Map<HTMLElement, Box>();

  constructor(data: PageData, root: Box, into: HTMLElement, open: (box: Box) => void, choose: (at: number) => void) {
    this.#data = data;
    this.#box = root;
    this.#into = into;
    this.#open = open;
    this.#choose = choose;
    into.addEventListener('keydown', (event) => this.#key(event));
    new ResizeObserver(() => this.draw()).observe(into);
  }

  show(box: Box): void {
    this.#box = box;
    this.draw();
  }

  /** @param matches positions of functions; null for all */
  highlight(matches: ReadonlySet<number> | null, chosen: number): void {
    this.#matches = matches;
    this.#chosen = chosen;
    for (const [button, box] of this.#buttons) this.#mark(button, box);
  }

  focus(): void {
    this.#active()?.focus();
  }

  draw(): void {
    const focused = this.#into.contains(document.activeElement);
    this.#buttons.clear();
    this.#into.replaceChildren();
    const { clientWidth: width, clientHeight: height } = this.#into;
    if (width > 0 && height > 0) this.#fill(this.#box, { x: 0, y: 0, width, height }, 0);
    const first = this.#active();
    if (first !== null) first.tabIndex = 0;
    if (focused) first?.focus();
  }

  #active(): HTMLElement | null {
    const buttons = [...this.#buttons.keys()];
    return (
      buttons.find((each) => this.#buttons.get(each)?.at === this.#chosen && this.#chosen >= 0) ??
      buttons.find((each) => each.tabIndex === 0) ??
      buttons[0] ??
      null
    );
  }

  #fill(box: Box, into: Rectangle, depth: number): void {
    const places = squarify(
      box.children.map((each) => each.bytes),
      into,
    );
    for (const [order, child] of box.children.entries()) {
      const place = places[order];
      if (place === undefined || place.width < SMALLEST || place.height < SMALLEST) continue;
      const button = this.#button(child, place, depth);
      if (child.at >= 0) continue;
      const inside = {
        x: place.x + GAP,
        y: place.y + HEADER,
        width: place.width - 2 * GAP,
        height: place.height - HEADER - GAP,
      };
      if (inside.width < 3 * SMALLEST || inside.height < 3 * SMALLEST) continue;
      button.classList.add('framed');
      this.#fill(child, inside, depth + 1);
    }
  }

  #button(box: Box, { x, y, width, height }: Rectangle, depth: number): HTMLElement {
    const [state = '', style = ''] = box.at >= 0 ? (STATES[this.#data.states[box.at] ?? 0] ?? []) : [];
    const instrumented = box.byState.slice(0, INSTRUMENTED);
    const share = Math.round((100 * instrumented.reduce((sum, each) => sum + each, 0)) / Math.max(1, box.bytes));
    const button = element('button', box.at >= 0 ? `cell ${style}` : 'cell group');
    button.type = 'button';
    button.tabIndex = -1;
    Object.assign(button.style, {
      left: `${x}px`,
      top: `${y}px`,
      width: `${Math.max(1, width - 1)}px`,
      height: `${Math.max(1, height - 1)}px`,
      zIndex: String(depth),
    });
    const what =
      box.at >= 0
        ? `${box.name}, ${showBytes(box.bytes)}, ${state}`
        : `${box.name}: ${box.functions} functions, ${showBytes(box.bytes)}, ${share} % instrumented`;
    button.setAttribute('aria-label', what);
    button.title = what;
    if (box.at < 0) {
      // What most of it is, as long as it is too small to show more.
      const most = STATES[instrumented.indexOf(Math.max(...instrumented))]?.[1] ?? '';
      button.style.setProperty('--share', `${share}%`);
      button.style.setProperty('--most', `var(--${most})`);
    }
    if (width >= TEXT.width && height >= TEXT.height) {
      button.append(element('bdi', '', box.label));
      const hasRoom = box.at < 0 ? width >= 3 * TEXT.width : width >= 1.5 * TEXT.width && height >= 2.4 * TEXT.height;
      if (hasRoom) button.append(element('small', '', showBytes(box.bytes)));
    }
    button.addEventListener('click', () => (box.at >= 0 ? this.#choose(box.at) : this.#open(box)));
    this.#mark(button, box);
    this.#into.append(button);
    this.#buttons.set(button, box);
    return button;
  }

  #mark(button: HTMLElement, box: Box): void {
    const matches = this.#matches;
    const has = (each: Box): boolean =>
      matches === null || (each.at >= 0 ? matches.has(each.at) : each.children.some((child) => has(child)));
    button.classList.toggle('dimmed', !has(box));
    button.classList.toggle('found', matches !== null && box.at >= 0 && has(box));
    button.classList.toggle('chosen', box.at >= 0 && box.at === this.#chosen);
    if (box.at >= 0) button.setAttribute('aria-pressed', String(box.at === this.#chosen));
  }

  #key(event: KeyboardEvent): void {
    const steps: Readonly<Record<string, readonly [number, number]>> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const step = steps[event.key];
    if (event.key === 'Backspace' && this.#box.parent !== null) this.#open(this.#box.parent);
    else if (step !== undefined) this.#move(event.target as HTMLElement, step);
    else return;
    event.preventDefault();
  }

  /** To the nearest button that begins further on in a direction; sideways costs more than ahead. */
  #move(from: HTMLElement, [right, down]: readonly [number, number]): void {
    const middle = (each: HTMLElement): readonly [number, number] => {
      const { left, top, width, height } = each.getBoundingClientRect();
      // A frame is where its header is.
      return [left + width / 2, each.classList.contains('framed') ? top + HEADER / 2 : top + height / 2];
    };
    const [x, y] = middle(from);
    let best: HTMLElement | null = null;
    let least = Infinity;
    for (const each of this.#buttons.keys()) {
      const [toX, toY] = middle(each);
      const ahead = (toX - x) * right + (toY - y) * down;
      const aside = Math.abs((toX - x) * down) + Math.abs((toY - y) * right);
      if (each === from || ahead <= 1 || ahead + 2 * aside >= least) continue;
      least = ahead + 2 * aside;
      best = each;
    }
    if (best === null) return;
    from.tabIndex = -1;
    best.tabIndex = 0;
    best.focus();
  }
}
