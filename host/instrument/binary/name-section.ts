/** The name section of a module whose functions have moved, with names for what was added. */
import type { Reader } from './reader.ts';
import { Writer } from './writer.ts';

export interface NewNames {
  /** Where a function of the source is now. */
  shifted(index: number): number;
  readonly functions: readonly (readonly [index: number, name: string])[];
  readonly globals: readonly (readonly [index: number, name: string])[];
}

const FUNCTIONS = 1;
const LOCALS = 2;
const LABELS = 3;
const GLOBALS = 7;

/**
 * Names are for people, so a malformed section costs the subsections from there on and nothing else.
 *
 * @param old behind the section's own name; null if there is none whose names are to stay
 */
export function editedNames(old: Reader | null, names: NewNames): Uint8Array {
  const sections = new Map<number, Uint8Array>();
  if (old !== null) readSections(old, names, sections);
  if (!sections.has(FUNCTIONS)) sections.set(FUNCTIONS, moved(null, STAYS, readName, names.functions));
  if (!sections.has(GLOBALS)) sections.set(GLOBALS, moved(null, STAYS, readName, names.globals));
  const writer = new Writer();
  for (const [id, contents] of [...sections].sort(([left], [right]) => left - right)) writer.byte(id).sized(contents);
  return writer.bytes;
}

function readSections(old: Reader, names: NewNames, into: Map<number, Uint8Array>): void {
  try {
    while (!old.done) {
      const id = old.byte();
      const section = old.sub(old.u32());
      if (id === FUNCTIONS) into.set(id, moved(section, names, readName, names.functions));
      else if (id === LOCALS || id === LABELS) into.set(id, moved(section, names, readMap));
      else if (id === GLOBALS) into.set(id, moved(section, STAYS, readName, names.globals));
      else into.set(id, section.bytes.subarray(section.pos, section.end));
    }
  } catch {
    // What was read until here stays.
  }
}

const STAYS: Pick<NewNames, 'shifted'> = { shifted: (index) => index };

/** A map from indices to what `skip` reads, with every index moved, and more names. */
function moved(
  old: Reader | null,
  { shifted }: Pick<NewNames, 'shifted'>,
  skip: (reader: Reader) => void,
  added: readonly (readonly [index: number, name: string])[] = [],
): Uint8Array {
  const entries: (readonly [number, Uint8Array])[] = [];
  old?.list(() => {
    const index = shifted(old.u32());
    const from = old.pos;
    skip(old);
    entries.push([index, old.bytes.subarray(from, old.pos)]);
  });
  for (const [index, name] of added) entries.push([index, new Writer().name(name).bytes]);
  const writer = new Writer().u32(entries.length);
  for (const [index, contents] of entries.sort(([left], [right]) => left - right)) writer.u32(index).raw(contents);
  return writer.bytes;
}

function readName(reader: Reader): void {
  reader.skip(reader.u32());
}

function readMap(reader: Reader): void {
  reader.list(() => {
    reader.u32();
    readName(reader);
  });
}
