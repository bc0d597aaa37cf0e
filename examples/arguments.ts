// What the examples take from the command line: whole numbers above zero, each with a default. Anything else is answered
// with a sentence and exit code 2.
import { parseArgs } from 'node:util';

export function readNumbers<K extends string>(defaults: Readonly<Record<K, number>>): Record<K, number> {
  const names = Object.keys(defaults);
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' } as const]));
  try {
    const { values } = parseArgs({ options });
    const numbers: Record<string, number> = { ...defaults };
    for (const [name, text] of Object.entries(values)) {
      const number = Number(text);
      if (!Number.isInteger(number) || number < 1) {
        throw new TypeError(`--${name} takes a whole number above zero, not '${String(text)}'`);
      }
      numbers[name] = number;
    }
    return numbers;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.error(`Options: ${names.map((name) => `--${name} NUMBER`).join(', ')}`);
    return process.exit(2);
  }
}
