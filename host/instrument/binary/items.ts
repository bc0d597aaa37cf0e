/**
 * Sections that are lists of items, in which an edit replaces numbers and adds items: what it must find in an item is the
 * type of a function import, and the functions that constants mean.
 */
import { Op, decodeConstant } from './code.ts';
import { readLimits } from './module.ts';
import type { Reader } from './reader.ts';
import { readValueType } from './types.ts';
import { Writer } from './writer.ts';

/** Told of each number of the kind, and of the offsets where it begins and ends. */
export type Visit = (index: number, from: number, to: number) => void;

const WITH_INITIAL = 0x40;
const PASSIVE = 1;
const EXPLICIT = 2;
const EXPRESSIONS = 4;

/**
 * The contents of a section with some of its numbers replaced, and items behind its own.
 *
 * @param old the old contents; null if there is no such section
 * @param read reads an item and tells each number that is replaced, with its successor; null if none is
 */
export function patched(
  old: Reader | null,
  read: ((reader: Reader, replace: Visit) => void) | null,
  items: readonly ((writer: Writer) => void)[],
): Uint8Array {
  const writer = new Writer();
  if (old === null) writer.u32(items.length);
  else {
    const start = old.pos;
    writer.u32(old.u32() + items.length);
    let copied = old.pos;
    if (read !== null) {
      old.pos = start;
      old.list(() =>
        read(old, (number, from, to) => {
          writer.raw(old.bytes.subarray(copied, from)).u32(number);
          copied = to;
        }),
      );
    }
    writer.raw(old.bytes.subarray(copied, old.end));
  }
  for (const item of items) item(writer);
  return writer.bytes;
}

/** Tells the type of an import if that is a function. */
export function readImportType(reader: Reader, visit: Visit): void {
  reader.name();
  reader.name();
  const kind = reader.byte();
  const from = reader.pos;
  if (kind === 0) visit(reader.u32(), from, reader.pos);
  else if (kind === 1) {
    readValueType(reader);
    readLimits(reader);
  } else if (kind === 2) readLimits(reader);
  else if (kind === 3) {
    readValueType(reader);
    reader.byte();
  } else {
    reader.byte();
    reader.u32();
  }
}

export function readTable(reader: Reader, visit: Visit): void {
  const hasInitial = reader.bytes[reader.pos] === WITH_INITIAL;
  if (hasInitial) reader.skip(2);
  readValueType(reader);
  readLimits(reader);
  if (hasInitial) readConstant(reader, visit);
}

export function readGlobal(reader: Reader, visit: Visit): void {
  readValueType(reader);
  reader.byte();
  readConstant(reader, visit);
}

export function readElements(reader: Reader, visit: Visit): void {
  const flags = reader.u32();
  if ((flags & PASSIVE) === 0) {
    if (flags & EXPLICIT) reader.u32();
    readConstant(reader, visit);
  }
  // Active segments of the first table, in their short form, do not say what they hold.
  const typed = (flags & (PASSIVE | EXPLICIT)) !== 0;
  if (flags & EXPRESSIONS) {
    if (typed) readValueType(reader);
    reader.list(() => readConstant(reader, visit));
    return;
  }
  if (typed) reader.byte();
  reader.list(() => {
    const from = reader.pos;
    visit(reader.u32(), from, reader.pos);
  });
}

function readConstant(reader: Reader, visit: Visit): void {
  decodeConstant(reader, ({ opcode, immediate, offset, end }) => {
    if (opcode === Op.RefFunc) visit(immediate, offset + 1, end);
  });
}
