/** What the page is given, and the words for it: for whoever writes the page and for its program. */
import type { Outcome, SpanKind } from '../timeline.ts';

/**
 * Compact, since there may be a hundred thousand spans. Lists are parallel: one entry for each fiber, then one for each span.
 * Times are milliseconds since the recording's beginning. Spans of a fiber follow each other without a gap.
 */
export interface PageData {
  readonly duration: number;
  readonly names: readonly string[];
  readonly ids: readonly number[];
  /** Positions in `guestNames`; fibers of a guest stand together. */
  readonly guests: readonly number[];
  readonly guestNames: readonly string[];
  /** Positions in `OUTCOMES`. */
  readonly outcomes: readonly number[];
  readonly errors: readonly (string | null)[];
  /** Units that it has used; 0 if it is not metered. */
  readonly fuel: readonly number[];
  /** The fiber that has spawned it; -1 for none. */
  readonly parents: readonly number[];
  /** The fibers whose beginning was dropped. */
  readonly cut: readonly number[];
  /** The position of its first span. */
  readonly firsts: readonly number[];
  readonly ends: readonly number[];
  /** Positions in `KINDS`. */
  readonly kinds: readonly number[];
  readonly froms: readonly number[];
  /** Positions in `siteNames`; -1 for none. */
  readonly sites: readonly number[];
  readonly siteNames: readonly string[];
  /** The fiber that is waited for; -1 for none. */
  readonly targets: readonly number[];
  readonly marks: readonly (readonly [fiber: number, time: number, text: string])[];
}

interface Kind {
  readonly name: SpanKind;
  readonly meaning: string;
}

export const KINDS: readonly Kind[] = [
  { name: 'running', meaning: 'the guest’s code, and host functions that it calls' },
  { name: 'waiting', meaning: 'at an import that has returned a promise, or for another fiber' },
  { name: 'preempted', meaning: 'its slice was over, and others had their turn' },
  { name: 'queued', meaning: 'ready, while another fiber of its guest runs or has its turn' },
];
export const RUNNING = 0;
export const WAITING = 1;

interface Ending {
  readonly name: Outcome;
  readonly label: string;
  /** A second sign beside the colour. */
  readonly sign: string;
}

export const OUTCOMES: readonly Ending[] = [
  { name: 'ok', label: 'returned', sign: '✓' },
  { name: 'failed', label: 'failed', sign: '✗' },
  { name: 'cancelled', label: 'cancelled', sign: '⊘' },
  { name: 'alive', label: 'not ended', sign: '…' },
];

const UNITS: readonly (readonly [milliseconds: number, name: string])[] = [
  [60_000, 'min'],
  [1000, 's'],
  [1, 'ms'],
  [0.001, 'µs'],
];

/**
 * `1.25 s`, `340 µs`.
 *
 * @param time milliseconds
 * @param step the smallest difference that is to be seen; without it, three digits are
 */
export function showTime(time: number, step?: number): string {
  if (time === 0) return '0';
  // Rounded as it will be shown: 999.99 ms is 1 s.
  const size = Number(Math.abs(time).toPrecision(3));
  const [unit, name] = UNITS.find(([each]) => size >= each) ?? [0.001, 'µs'];
  const value = time / unit;
  if (step === undefined) return `${Number(value.toPrecision(3))} ${name}`;
  const digits = Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9));
  return `${value.toFixed(Math.min(6, digits))} ${name}`;
}
