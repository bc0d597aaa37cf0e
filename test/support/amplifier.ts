/** What test/guests/typed/amplifier.ts imports, and what its values take in its memory. */
import { turn } from './core.ts';

export const words: readonly string[] = ['x', 'y', 'z'];

/**
 * @param heard gets the number of words that the guest says, each time
 * @param told what the guest is told when it listens
 */
export const speech = (
  heard: unknown[] = [],
  told: readonly string[] = words,
): { env: { hear(said: readonly string[]): Promise<void>; tell(): Promise<readonly string[]> } } => ({
  env: {
    hear: (said: readonly string[]) => turn().then(() => void heard.push(said.length)),
    tell: () => turn().then(() => told),
  },
});

/** Bytes in front of every object. */
export const HEADER = 20;
/** Bytes that a list of strings takes. */
export const list = (length: number, letters: number = length): number => HEADER + length * (4 + HEADER) + 2 * letters;
