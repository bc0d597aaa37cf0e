/**
 * The name section: names of functions, globals and memories. Names are for people, so a malformed section costs the
 * names and nothing else.
 */
import type { Reader } from './reader.ts';

export interface Names {
  readonly functions: ReadonlyMap<number, string>;
  readonly globals: ReadonlyMap<number, string>;
  readonly memories: ReadonlyMap<number, string>;
}

export function readNames(reader: Reader): Names {
  const functions = new Map<number, string>();
  const globals = new Map<number, string>();
  const memories = new Map<number, string>();
  const targets: Readonly<Record<number, Map<number, string>>> = { 1: functions, 6: memories, 7: globals };
  try {
    while (!reader.done) {
      const target = targets[reader.byte()];
      const section: Reader = reader.sub(reader.u32());
      if (target !== undefined) section.list(() => target.set(section.u32(), section.name()));
    }
  } catch {
    // What was read until here stays.
  }
  return { functions, globals, memories };
}
