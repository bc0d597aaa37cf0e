// What the examples take from the command line: whole numbers, each with a default, and switches. Anything else is answered with
// a sentence and exit code 2.
import { parseArgs } from 'node:util';

/** Whole numbers above zero. */
export function readNumbers<K extends string>(defaults: Readonly<Record<K, number>>): Record<K, number> {
  return readOptions(defaults, []);
}

/**
 * @param defaults of numbers above zero; a default of zero can only be had by not giving the option
 * @param switches names of options without a value
 */
export function readOptions<K extends string, S extends string>(
  defaults: Readonly<Record<K, number>>,
  switches: readonly S[],
): Record<K, number> & Record<S, boolean> {
  const names = Object.keys(defaults);
  const options = Object.fromEntries([
    ...names.map((name) => [name, { type: 'string' }] as const),
    ...switches.map((name) => [name, { type: 'boolean' }] as const),
  ]);
  try {
    const values: Readonly<Record<string, unknown>> = parseArgs({ options }).values;
    const found: Record<string, number | boolean> = { ...defaults };
    for (const name of switches) found[name] = values[name] === true;
    for (const name of names) {
      const text = values[name];
      if (text === undefined) continue;
      const number = Number(text);
      if (!Number.isInteger(number) || number < 1) {
        throw new TypeError(`--${name} takes a whole number above zero, not '${String(text)}'`);
      }
      found[name] = number;
    }
    // Every name of the two lists is there by now.
    return found as Record<K, number> & Record<S, boolean>;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    const all = [...names.map((name) => `--${name} NUMBER`), ...switches.map((name) => `--${name}`)];
    console.error(`Options: ${all.join(', ')}`);
    return process.exit(2);
  }
}
