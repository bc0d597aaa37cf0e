/** How often a program waits while it is measured, and what is to be reached then. */

export interface Condition {
  /** For `--condition`. */
  readonly name: string;
  readonly label: string;
  /** Does the call that comes before all work wait? */
  readonly waitsFirst: boolean;
  /** Do the others? */
  readonly waitsAgain: boolean;
  /** At most this many times as long as un-instrumented, with the instrumenter's defaults, by Node's major version. */
  readonly targets: Readonly<Record<number, number>>;
}

export const CONDITIONS: readonly Condition[] = [
  { name: 'never', label: 'never', waitsFirst: false, waitsAgain: false, targets: { 20: 1.25, 26: 1.1 } },
  { name: 'once', label: 'once', waitsFirst: true, waitsAgain: false, targets: { 20: 1.6, 26: 1.15 } },
  { name: 'often', label: 'often', waitsFirst: true, waitsAgain: true, targets: {} },
];
