/**
 * Draws what is in view on a canvas. Only rows that are seen are drawn, and of spans that are narrower than a pixel those of
 * one pixel together, by what part of it was run: so a frame costs as much as there are pixels, not as there are spans.
 */
import { KINDS, RUNNING, WAITING, showTime } from './data.ts';
import type { Model } from './model.ts';
import type { View } from './view.ts';

export const ROW = 20;
export const AXIS = 24;
const BAR = 14;
const FONT = '11.5px system-ui, sans-serif';

/** What there is to draw. */
export interface Scene {
  readonly view: View;
  /** From the top: fibers, and `~guest` where those of a guest begin. */
  readonly rows: Int32Array;
  /** Pixels that are scrolled away. */
  readonly scrolled: number;
  /** The fiber and the span that were chosen; -1 for none. */
  readonly fiber: number;
  readonly span: number;
}

/** The width of the names. */
export function gutterOf(width: number): number {
  return Math.round(Math.min(210, width * 0.28));
}

export class Painter {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #model: Model;
  readonly #widths: Map<string, number> = new Map();
  #colors: Readonly<Record<string, string>> = {};
  #fills: readonly (string | CanvasPattern)[] = [];
  #width = 0;
  #height = 0;

  constructor(canvas: HTMLCanvasElement, model: Model) {
    const context = canvas.getContext('2d', { alpha: false });
    if (context === null) throw new Error('this browser draws on no canvas');
    this.#canvas = canvas;
    this.#context = context;
    this.#model = model;
  }

  get width(): number {
    return this.#width;
  }

  /** The colours are those of the style sheet; they are other ones in the dark. */
  restyle(): void {
    const style = getComputedStyle(this.#canvas);
    const names = [
      'card',
      'ink',
      'soft',
      'line',
      'frame',
      'accent',
      'mark',
      'queued-line',
      'ok',
      'failed',
      'cancelled',
      'alive',
    ];
    const kinds = KINDS.flatMap(({ name }) => [name, `${name}-line`]);
    this.#colors = Object.fromEntries([...names, ...kinds].map((each) => [each, style.getPropertyValue(`--${each}`)]));
    this.#fills = KINDS.map(({ name }, kind) => this.#fill(this.#color(name), this.#color(`${name}-line`), kind));
  }

  resize(width: number, height: number): void {
    const ratio = globalThis.devicePixelRatio;
    this.#width = width;
    this.#height = height;
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    this.#canvas.style.width = `${width}px`;
    this.#canvas.style.height = `${height}px`;
    this.restyle();
  }

  draw(scene: Scene): void {
    const context = this.#context;
    const ratio = globalThis.devicePixelRatio;
    const gutter = gutterOf(this.#width);
    const room = this.#width - gutter;
    const x = (time: number): number => gutter + ((time - scene.view.from) / scene.view.length) * room;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = FONT;
    context.textBaseline = 'middle';
    context.fillStyle = this.#color('card');
    context.fillRect(0, 0, this.#width, this.#height);
    const step = this.#grid(scene.view, room, x);
    const first = Math.floor(scene.scrolled / ROW);
    const last = Math.min(scene.rows.length, first + Math.ceil(this.#height / ROW) + 1);
    for (let row = first; row < last; row++) {
      const top = AXIS + row * ROW - scene.scrolled;
      const fiber = scene.rows[row] ?? 0;
      if (fiber < 0) this.#guest(~fiber, top, gutter);
      else this.#lane(scene, fiber, top, gutter, x);
    }
    this.#axis(scene.view, step, gutter, x);
  }

  /** Lines at round times; gives the distance of two. */
  #grid(view: View, room: number, x: (time: number) => number): number {
    const least = (view.length * 90) / Math.max(90, room);
    const power = 10 ** Math.floor(Math.log10(least));
    const step = ([1, 2, 5].find((each) => each * power >= least) ?? 10) * power;
    this.#context.fillStyle = this.#color('frame');
    for (let at = Math.ceil(view.from / step); at * step <= view.to; at++) {
      this.#context.fillRect(Math.round(x(at * step)), AXIS, 1, this.#height);
    }
    return step;
  }

  #axis(view: View, step: number, gutter: number, x: (time: number) => number): void {
    const context = this.#context;
    context.fillStyle = this.#color('card');
    context.fillRect(0, 0, this.#width, AXIS);
    context.fillStyle = this.#color('line');
    context.fillRect(0, AXIS - 1, this.#width, 1);
    context.fillRect(gutter - 1, 0, 1, this.#height);
    context.fillStyle = this.#color('soft');
    for (let at = Math.ceil(view.from / step); at * step <= view.to; at++) {
      const text = showTime(at * step, step);
      const left = x(at * step) - this.#measure(text) / 2;
      if (left > gutter && left + this.#measure(text) < this.#width) context.fillText(text, left, AXIS / 2);
    }
  }

  #guest(guest: number, top: number, gutter: number): void {
    this.#context.fillStyle = this.#color('frame');
    this.#context.fillRect(0, top, this.#width, ROW);
    this.#context.fillStyle = this.#color('ink');
    this.#context.font = `600 ${FONT}`;
    const name = this.#model.data.guestNames[guest] ?? '';
    // It may be as wide as it likes: nothing stands beside it.
    this.#context.fillText(this.#cut(name, this.#width - 16), 8, top + ROW / 2, Math.max(gutter, this.#width - 16));
    this.#context.font = FONT;
  }

  #lane(
    { view, fiber: chosen, span }: Scene,
    fiber: number,
    top: number,
    gutter: number,
    x: (time: number) => number,
  ): void {
    const context = this.#context;
    if (fiber === chosen) {
      context.fillStyle = this.#color('accent');
      context.globalAlpha = 0.14;
      context.fillRect(0, top, this.#width, ROW);
      context.globalAlpha = 1;
    }
    context.save();
    context.beginPath();
    context.rect(gutter, top, this.#width - gutter, ROW);
    context.clip();
    this.#spans(view, fiber, top + (ROW - BAR) / 2, x);
    this.#marks(fiber, top, x);
    if (fiber === chosen && span >= 0) {
      context.strokeStyle = this.#color('ink');
      context.lineWidth = 2;
      const [from, to] = [x(this.#model.from(span)), x(this.#model.to(fiber, span))];
      context.strokeRect(from - 1, top + 2, Math.max(3, to - from + 2), ROW - 4);
    }
    context.restore();
    const { name, sign } = this.#model.outcome(fiber);
    context.fillStyle = this.#color(name);
    context.fillText(sign, 8, top + ROW / 2);
    context.fillStyle = this.#color('ink');
    context.fillText(this.#cut(this.#model.label(fiber), gutter - 30), 24, top + ROW / 2);
  }

  #spans(view: View, fiber: number, top: number, x: (time: number) => number): void {
    const context = this.#context;
    const model = this.#model;
    const last = model.last(fiber);
    const runs: [left: number, height: number][] = [];
    const perPixel = view.length / (this.#width - gutterOf(this.#width));
    let at = model.at(fiber, view.from);
    while (at < last && model.from(at) <= view.to) {
      const [from, to] = [model.from(at), model.to(fiber, at)];
      if (to - from >= perPixel) {
        this.#span(at, Math.max(x(from), -4), Math.min(x(to), this.#width + 4), top);
        at++;
        continue;
      }
      // What is less than a pixel is drawn with all that begins in the same one.
      const end = Math.min(from + perPixel, model.end(fiber));
      const part = end > from ? model.ran(fiber, from, end) / (end - from) : Number(model.kind(at) === RUNNING);
      const left = Math.round(x(from));
      context.fillStyle = this.#color('waiting-line');
      context.fillRect(left, top, 1, BAR);
      // So that a run of microseconds is seen in a recording of hours.
      if (part > 0 || model.kind(at) === RUNNING) runs.push([left, Math.max(BAR / 2, BAR * part)]);
      at = Math.max(at + 1, model.at(fiber, end));
    }
    // Afterwards, since the next span begins in the same pixel.
    context.fillStyle = this.#color('running');
    for (const [left, height] of runs) context.fillRect(left, top + BAR - height, 1, height);
    const { sign, name } = model.outcome(fiber);
    if (name === 'alive' || model.end(fiber) < view.from || model.end(fiber) > view.to) return;
    context.fillStyle = this.#color(name);
    context.fillText(sign, x(model.end(fiber)) + 3, top + BAR / 2);
  }

  #span(at: number, left: number, right: number, top: number): void {
    const context = this.#context;
    const kind = this.#model.kind(at);
    // Two that follow each other share the pixel between them, so nothing lies bare.
    context.fillStyle = this.#fills[kind] ?? '';
    context.fillRect(left, top, Math.max(1, right - left), BAR);
    if (kind === RUNNING) return;
    context.strokeStyle = this.#color(`${KINDS[kind]?.name ?? ''}-line`);
    context.lineWidth = 1;
    if (right - left > 2) context.strokeRect(left + 0.5, top + 0.5, right - left - 1, BAR - 1);
    if (kind !== WAITING || right - left < 40) return;
    const start = Math.max(left, gutterOf(this.#width));
    const text = this.#cut(this.#model.waitsFor(at), right - start - 10);
    if (text === '') return;
    context.fillStyle = this.#color('waiting');
    context.fillRect(start + 3, top + 1, this.#measure(text) + 4, BAR - 2);
    context.fillStyle = this.#color('ink');
    context.fillText(text, start + 5, top + BAR / 2 + 0.5);
  }

  #marks(fiber: number, top: number, x: (time: number) => number): void {
    this.#context.fillStyle = this.#color('mark');
    for (const [time] of this.#model.marks(fiber)) {
      const at = x(time);
      if (at < 0 || at > this.#width) continue;
      this.#context.beginPath();
      this.#context.moveTo(at - 4, top + 1);
      this.#context.lineTo(at + 4, top + 1);
      this.#context.lineTo(at, top + 8);
      this.#context.fill();
    }
  }

  /** Running is solid; everything else is hatched, each kind in its way. */
  #fill(color: string, line: string, kind: number): string | CanvasPattern {
    if (kind === RUNNING) return color;
    const tile = document.createElement('canvas');
    tile.width = tile.height = 6;
    const context = tile.getContext('2d');
    if (context === null) return color;
    context.fillStyle = color;
    context.fillRect(0, 0, 6, 6);
    context.fillStyle = line;
    for (let at = 0; at < 6; at++) {
      if (kind === WAITING) context.fillRect(5 - at, at, 1, 1);
      else if (kind === WAITING + 1) context.fillRect(at, at, 2, 1);
    }
    if (kind > WAITING + 1) context.fillRect(2, 2, 1, 1);
    return this.#context.createPattern(tile, 'repeat') ?? color;
  }

  #color(name: string): string {
    return this.#colors[name] ?? '#888';
  }

  #measure(text: string): number {
    let width = this.#widths.get(text);
    if (width === undefined) {
      // Of a hundred thousand names only those that were seen are measured, and not all of these kept.
      if (this.#widths.size > 5000) this.#widths.clear();
      this.#widths.set(text, (width = this.#context.measureText(text).width));
    }
    return width;
  }

  /** As much of a text as there is room for; nothing if that would say nothing. */
  #cut(text: string, room: number): string {
    const width = this.#measure(text);
    if (width <= room) return text;
    const kept = Math.floor((text.length * room) / width) - 2;
    return kept < 3 ? '' : `${text.slice(0, kept)}…`;
  }
}
