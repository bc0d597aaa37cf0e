/** The page's program: what is shown follows from the part of the time that is in view, what was chosen, and the search. */
import { KINDS, OUTCOMES, type PageData, showTime } from './data.ts';
import { type Choice, describe } from './detail.ts';
import { buttonOf, element, find, searchBy, tabs } from './elements.ts';
import { fiberTable } from './fibers.ts';
import { listen } from './gestures.ts';
import { Model } from './model.ts';
import { AXIS, Painter, ROW, gutterOf } from './paint.ts';
import { View } from './view.ts';

function start(data: PageData): void {
  const model = new Model(data);
  const view = new View(data.duration);
  const lanes = find('lanes');
  const sizer = find('sizer');
  const search = find('search') as HTMLInputElement;
  const painter = new Painter(sizer.firstElementChild as HTMLCanvasElement, model);
  const table = fiberTable(model, find('table'), (fiber) => choose({ fiber, span: -1 }));
  const legend = new Map<HTMLElement, number>();
  let choice: Choice = { fiber: -1, span: -1 };
  let onlyOutcome = -1;
  let matches: ReadonlySet<number> | null = null;
  let rows: Int32Array = new Int32Array();
  /** Of each fiber, its row; -1 for none. */
  const rowOf = new Int32Array(model.count);
  let frame = 0;

  function redraw(): void {
    if (frame === 0) frame = requestAnimationFrame(draw);
  }

  function draw(): void {
    frame = 0;
    painter.draw({ view, rows, scrolled: lanes.scrollTop, ...choice });
    const step = view.length / 1000;
    const [from, to] = [Math.max(0, view.from), Math.min(data.duration, view.to)];
    find('range').textContent = `${showTime(from, step)} to ${showTime(to, step)} of ${showTime(data.duration)}`;
  }

  /** The rows: fibers that match, by guest. */
  function arrange(): void {
    const found: number[] = [];
    let guest = -1;
    rowOf.fill(-1);
    for (let fiber = 0; fiber < model.count; fiber++) {
      if (matches !== null && !matches.has(fiber)) continue;
      const its = data.guests[fiber] ?? 0;
      if (its !== guest && data.guestNames.length > 1) found.push(~its);
      guest = its;
      rowOf[fiber] = found.push(fiber) - 1;
    }
    rows = Int32Array.from(found);
    sizer.style.height = `${AXIS + rows.length * ROW}px`;
    redraw();
  }

  function look(): void {
    const wanted = search.value.trim().toLowerCase();
    const all = wanted === '' && onlyOutcome < 0;
    const found = new Set<number>();
    for (let fiber = 0; fiber < model.count; fiber++) {
      const fits = !all && (onlyOutcome < 0 || data.outcomes[fiber] === onlyOutcome);
      if (fits && model.matches(fiber, wanted)) found.add(fiber);
    }
    matches = all ? null : found;
    find('found').textContent = all ? '' : found.size === 1 ? '1 fiber' : `${found.size} fibers`;
    for (const [button, outcome] of legend) button.setAttribute('aria-pressed', String(outcome === onlyOutcome));
    table.show(matches, choice.fiber);
    arrange();
  }

  /** @param showsIt does whoever asks not see it already? */
  function choose(next: Choice, showsIt = true): void {
    choice = next;
    find('detail').replaceChildren(describe(model, choice, choose));
    // For screen readers: the pane would be too much at every step.
    find('said').textContent = inWords(choice);
    table.show(matches, choice.fiber);
    if (showsIt) reveal();
    redraw();
  }

  function reveal(): void {
    const { fiber, span } = choice;
    const top = (rowOf[fiber] ?? -1) * ROW;
    if (top >= 0) {
      const most = lanes.clientHeight - AXIS - ROW;
      if (lanes.scrollTop > top || lanes.scrollTop < top - most) lanes.scrollTop = top - most / 2;
    }
    if (span >= 0) view.reveal(model.from(span), model.to(fiber, span));
    else view.reveal(model.begin(fiber), model.end(fiber));
  }

  function at(x: number, y: number): Choice | null {
    const fiber = rows[Math.floor((y - AXIS + lanes.scrollTop) / ROW)] ?? -1;
    if (y < AXIS || fiber < 0) return null;
    const gutter = gutterOf(painter.width);
    const time = view.from + ((x - gutter) / (painter.width - gutter)) * view.length;
    const isOn = x >= gutter && time >= model.begin(fiber) && time <= model.end(fiber);
    return { fiber, span: isOn ? model.at(fiber, time) : -1 };
  }

  listen({
    lanes,
    view,
    changed: redraw,
    clicked(x, y) {
      const found = at(x, y);
      if (found !== null) choose(found, false);
    },
    pointed(x, y) {
      const found = at(x, y);
      find('hover').textContent = found === null ? '' : inWords(found);
    },
  });

  function inWords({ fiber, span }: Choice): string {
    if (span < 0) return model.label(fiber);
    return `${model.label(fiber)}: ${model.words(span)}, ${showTime(model.to(fiber, span) - model.from(span))}`;
  }

  /** To a fiber so many rows further down, and what it did at about the same time. */
  function step(by: number): void {
    let row = choice.fiber < 0 ? Math.floor(lanes.scrollTop / ROW) - 1 : (rowOf[choice.fiber] ?? -1);
    const direction = Math.sign(by);
    for (let left = Math.abs(by); left > 0; left--) {
      do row += direction;
      while ((rows[row] ?? 0) < 0);
      if (rows[row] === undefined) break;
    }
    row = Math.min(
      rows.length - 1,
      Math.max(
        rows.findIndex((each) => each >= 0),
        row,
      ),
    );
    const fiber = rows[row];
    if (fiber === undefined) return;
    const { span } = choice;
    choose({ fiber, span: model.at(fiber, span < 0 ? view.from : model.from(span)) });
  }

  function walk(by: number): void {
    const { fiber, span } = choice;
    if (fiber < 0) step(1);
    else choose({ fiber, span: Math.min(model.last(fiber) - 1, Math.max(model.first(fiber), span + by)) });
  }

  const keys: Readonly<Record<string, (event: KeyboardEvent) => void>> = {
    ArrowUp: () => step(-1),
    ArrowDown: () => step(1),
    PageUp: () => step(-Math.floor(lanes.clientHeight / ROW - 2)),
    PageDown: () => step(Math.floor(lanes.clientHeight / ROW - 2)),
    ArrowLeft: ({ shiftKey }) => (shiftKey ? view.pan(-0.2) : walk(-1)),
    ArrowRight: ({ shiftKey }) => (shiftKey ? view.pan(0.2) : walk(1)),
    Home: () => choice.fiber >= 0 && walk(-Infinity),
    End: () => choice.fiber >= 0 && walk(Infinity),
    Enter() {
      const { fiber, span } = choice;
      if (fiber < 0) step(1);
      else if (span < 0) view.show(model.begin(fiber), model.end(fiber));
      else view.show(model.from(span), model.to(fiber, span));
    },
    '+': () => zoom(0.5),
    '=': () => zoom(0.5),
    '-': () => zoom(2),
    '0': () => view.all(),
  };

  /** Around what was chosen, if that is in view. */
  function zoom(factor: number): void {
    const { fiber, span } = choice;
    const time = span < 0 ? Infinity : (model.from(span) + model.to(fiber, span)) / 2;
    const part = (time - view.from) / view.length;
    view.zoom(factor, part >= 0 && part <= 1 ? part : 0.5);
    redraw();
  }

  lanes.addEventListener('keydown', (event) => {
    const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act(event);
    redraw();
  });
  lanes.addEventListener('scroll', redraw, { passive: true });
  find('in').addEventListener('click', () => zoom(0.5));
  find('out').addEventListener('click', () => zoom(2));
  find('all').addEventListener('click', () => {
    view.all();
    redraw();
  });
  searchBy(search, {
    look,
    choose() {
      const first = rows.find((each) => each >= 0);
      if (first !== undefined) choose({ fiber: first, span: -1 });
    },
    below: lanes,
    isOn: () => matches !== null,
    end: () => (onlyOutcome = -1),
  });

  const used = new Set(data.kinds);
  find('legend').replaceChildren(
    ...OUTCOMES.flatMap(({ name, label, sign }, outcome) => {
      const count = data.outcomes.filter((each) => each === outcome).length;
      if (count === 0) return [];
      const button = buttonOf('', element('span', `sign ${name}`, sign), () => {
        onlyOutcome = onlyOutcome === outcome ? -1 : outcome;
        look();
      });
      button.append(element('span', '', `${label} (${count})`));
      button.setAttribute('aria-pressed', 'false');
      legend.set(button, outcome);
      return [element('li', '', null, button)];
    }),
    ...KINDS.flatMap(({ name, meaning }, kind) => {
      if (!used.has(kind)) return [];
      const key = element('li', '', null, element('span', `dot ${name}`), element('span', '', name));
      key.title = meaning;
      return [key];
    }),
  );
  if (model.count === 0) find('detail').replaceChildren(element('p', 'note', 'Nothing was recorded.'));

  tabs(['timeline', 'table'], (name) => {
    if (name === 'table') table.draw();
    else redraw();
  });
  const recolour = (): void => {
    painter.restyle();
    redraw();
  };
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recolour);
  new ResizeObserver(() => {
    if (lanes.clientWidth === 0) return;
    painter.resize(lanes.clientWidth, lanes.clientHeight);
    // At once: a canvas that has been resized is empty until it is drawn.
    draw();
  }).observe(lanes);
  look();
}

start(JSON.parse(find('data').textContent ?? '') as PageData);
