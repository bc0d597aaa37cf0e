/** What the page's program asks of its data again and again: fast for a hundred thousand spans. */
import { KINDS, OUTCOMES, type PageData, RUNNING, WAITING } from './data.ts';

export class Model {
  readonly data: PageData;
  /** Number of fibers. */
  readonly count: number;
  readonly #firsts: Int32Array;
  readonly #froms: Float64Array;
  readonly #kinds: Uint8Array;
  /** Milliseconds that all spans before this one ran. */
  readonly #ran: Float64Array;
  readonly #texts: readonly string[];
  readonly #marks: Map<number, [time: number, text: string][]> = new Map();

  constructor(data: PageData) {
    this.data = data;
    this.count = data.names.length;
    this.#firsts = Int32Array.from([...data.firsts, data.kinds.length]);
    this.#froms = Float64Array.from(data.froms);
    this.#kinds = Uint8Array.from(data.kinds);
    this.#ran = new Float64Array(data.kinds.length + 1);
    for (let fiber = 0; fiber < this.count; fiber++) {
      for (let at = this.first(fiber); at < this.last(fiber); at++) {
        const ran = this.kind(at) === RUNNING ? this.to(fiber, at) - this.from(at) : 0;
        this.#ran[at + 1] = (this.#ran[at] ?? 0) + ran;
      }
    }
    for (const [fiber, time, text] of data.marks) {
      const known = this.#marks.get(fiber);
      if (known === undefined) this.#marks.set(fiber, [[time, text]]);
      else known.push([time, text]);
    }
    this.#texts = data.names.map((_, fiber) => this.#textOf(fiber));
  }

  /** The fiber's first span. */
  first(fiber: number): number {
    return this.#firsts[fiber] ?? 0;
  }

  /** The one after its last. */
  last(fiber: number): number {
    return this.#firsts[fiber + 1] ?? 0;
  }

  kind(at: number): number {
    return this.#kinds[at] ?? 0;
  }

  from(at: number): number {
    return this.#froms[at] ?? 0;
  }

  to(fiber: number, at: number): number {
    return at + 1 < this.last(fiber) ? this.from(at + 1) : this.end(fiber);
  }

  begin(fiber: number): number {
    return this.first(fiber) < this.last(fiber) ? this.from(this.first(fiber)) : this.end(fiber);
  }

  end(fiber: number): number {
    return this.data.ends[fiber] ?? 0;
  }

  /** The span of a fiber at a time; the nearest if it has none there. */
  at(fiber: number, time: number): number {
    let [low, high] = [this.first(fiber), this.last(fiber)];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.from(middle) <= time) low = middle + 1;
      else high = middle;
    }
    return Math.max(this.first(fiber), low - 1);
  }

  /** Milliseconds that a fiber ran between two times at which it lived. */
  ran(fiber: number, from: number, to: number): number {
    return this.#ranUntil(fiber, to) - this.#ranUntil(fiber, from);
  }

  #ranUntil(fiber: number, time: number): number {
    const at = this.at(fiber, time);
    const since = this.kind(at) === RUNNING ? time - this.from(at) : 0;
    return (this.#ran[at] ?? 0) + Math.max(0, since);
  }

  /** Milliseconds of the fiber's spans of a kind. */
  total(fiber: number, kind: number): number {
    let sum = 0;
    for (let at = this.first(fiber); at < this.last(fiber); at++) {
      if (this.kind(at) === kind) sum += this.to(fiber, at) - this.from(at);
    }
    return sum;
  }

  waits(fiber: number): number {
    let count = 0;
    for (let at = this.first(fiber); at < this.last(fiber); at++) count += Number(this.kind(at) === WAITING);
    return count;
  }

  /** What happened to it, with the times. */
  marks(fiber: number): readonly (readonly [time: number, text: string])[] {
    return this.#marks.get(fiber) ?? [];
  }

  /** `#3 job`. */
  label(fiber: number): string {
    return `#${this.data.ids[fiber] ?? 0} ${this.data.names[fiber] ?? ''}`;
  }

  guest(fiber: number): string {
    return this.data.guestNames[this.data.guests[fiber] ?? 0] ?? '';
  }

  outcome(fiber: number): (typeof OUTCOMES)[number] {
    return OUTCOMES[this.data.outcomes[fiber] ?? 0] ?? (OUTCOMES[0] as (typeof OUTCOMES)[number]);
  }

  /** What a span is waiting for; empty if it does not wait. */
  waitsFor(at: number): string {
    const site = this.data.siteNames[this.data.sites[at] ?? -1] ?? '';
    const target = this.data.targets[at] ?? -1;
    if (target < 0) return site;
    return site === '' ? this.label(target) : `${site}, for ${this.label(target)}`;
  }

  /** What a fiber did in a span, in words. */
  words(at: number): string {
    const { name = 'running' } = KINDS[this.kind(at)] ?? {};
    const what = this.waitsFor(at);
    return what === '' ? name : `${name} at ${what}`;
  }

  /** @param text in lower case: does it stand in anything that the fiber is called by? */
  matches(fiber: number, text: string): boolean {
    return this.#texts[fiber]?.includes(text) === true;
  }

  #textOf(fiber: number): string {
    const sites = new Set(this.data.sites.slice(this.first(fiber), this.last(fiber)));
    const names = [...sites].map((site) => this.data.siteNames[site] ?? '');
    const marks = this.marks(fiber).map(([, text]) => text);
    const parts = [this.label(fiber), this.guest(fiber), ...names, this.data.errors[fiber] ?? '', ...marks];
    return parts.join('\n').toLowerCase();
  }
}
