// The host's side of `lookup`: a glossary that is slow to answer, as one on a network is.
import { setTimeout } from 'node:timers/promises';

const MEANINGS: ReadonlyMap<string, string> = new Map([
  ['backend', 'one of two ways to switch stacks'],
  ['fiber', 'a call with a stack of its own'],
  ['fuel', 'work that a call may do, counted'],
  ['guest', 'an instance of WebAssembly whose calls are fibers'],
  ['plugin', 'code that one does not trust, in limits that hold'],
  ['promise', 'a value that is not there yet'],
  ['resume', 'to go on where it was'],
  ['slice', 'the time until others have their turn'],
  ['suspend', 'to be put aside until a value is there'],
  ['trap', 'the end of a call that has gone wrong'],
]);

/** @param milliseconds until an answer; an aborted signal ends the wait, by an error */
export async function lookUp(word: string, milliseconds: number, signal: AbortSignal | null): Promise<string> {
  await setTimeout(milliseconds, undefined, signal === null ? {} : { signal });
  return MEANINGS.get(word) ?? '';
}
