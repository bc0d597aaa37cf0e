/**
 * `console.time` and its like, of one instance of a typed plugin. The console's own would do: but its labels belong to all that
 * prints there, so that a plugin could end a timer of the host's or of another plugin's, and nobody takes them back when the plugin
 * is gone. Here they go with the instance, and are few and short; what cannot be done is said by a warning, as the console has it.
 */

/** Labels that are kept at once, and units of one. */
const MOST_LABELS = 100;
const LONGEST_LABEL = 256;

/** The functions of the console that this is about, by their names. */
export type Timers = Readonly<Record<'console.time' | 'console.timeEnd' | 'console.timeLog', (label: unknown) => void>>;

/** @param now milliseconds */
export function timersOf(now: () => number): Timers {
  const began = new Map<string, number>();

  function time(label: string): void {
    if (began.has(label)) warn(label, 'runs already');
    else if (label.length > LONGEST_LABEL) warn(label, `has a label of more than ${LONGEST_LABEL} units`);
    else if (began.size >= MOST_LABELS) warn(label, `is one too many: there are ${MOST_LABELS}`);
    else began.set(label, now());
  }

  function timeLog(label: string): void {
    const start = began.get(label);
    if (start === undefined) warn(label, 'does not run');
    else globalThis.console.log(`${label}: ${(now() - start).toFixed(3)}ms`);
  }

  function timeEnd(label: string): void {
    timeLog(label);
    began.delete(label);
  }

  return { 'console.time': labelled(time), 'console.timeEnd': labelled(timeEnd), 'console.timeLog': labelled(timeLog) };
}

/** A guest may declare the function with another type of parameter. */
function labelled(fn: (label: string) => void): (label: unknown) => void {
  return (label) => fn(typeof label === 'string' ? label : 'default');
}

function warn(label: string, what: string): void {
  globalThis.console.warn(`The timer "${label.slice(0, LONGEST_LABEL)}" ${what}.`);
}
