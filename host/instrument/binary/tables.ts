/**
 * Tables and the functions that the module itself puts into them, read from its bytes: by the table's initial value, by
 * active segments, and by segments that code may copy in later. All eight forms of element segments are decoded.
 */
import { Op, decodeConstant } from './code.ts';
import { readLimits } from './module.ts';
import type { Outline } from './module.ts';
import { Reader } from './reader.ts';
import { readValueType } from './types.ts';

/** What a constant expression may give: these functions, or what is in these globals. */
export interface Given {
  readonly functions: ReadonlySet<number>;
  readonly globals: ReadonlySet<number>;
}

export interface Table {
  readonly type: string;
  /** How many elements it begins with; 0 if it is imported. */
  readonly minimum: number;
  /** `module.name`, if it is imported. */
  readonly imported: string | null;
  readonly exported: readonly string[];
  readonly initial: Given;
}

export interface Segment extends Given {
  /** `declared` ones only announce that code takes references of their functions. */
  readonly mode: 'active' | 'passive' | 'declared';
  /** Of an active one. */
  readonly table: number;
}

export interface Tables {
  readonly tables: readonly Table[];
  readonly segments: readonly Segment[];
  /** What the initial values of all globals give. */
  readonly globals: Given;
}

const TABLES = 4;
const GLOBALS = 6;
const ELEMENTS = 9;
const WITH_INITIAL = 0x40;
const NOT_ACTIVE = 1;
/** Of an active segment: names its table. Of another: only declares. */
const EXPLICIT = 2;
const EXPRESSIONS = 4;

export function readTables(outline: Outline): Tables {
  const tables: Table[] = [];
  const segments: Segment[] = [];
  const globals = { functions: new Set<number>(), globals: new Set<number>() };
  const exported = (index: number): string[] =>
    outline.exports.filter((each) => each.kind === 'table' && each.index === index).map((each) => each.name);
  for (const { kind, module, name, detail } of outline.imports) {
    if (kind !== 'table') continue;
    const imported = `${module}.${name}`;
    tables.push({ type: detail, minimum: 0, imported, exported: exported(tables.length), initial: NOTHING });
  }
  for (const { id, body, end } of outline.sections) {
    const reader = new Reader(outline.bytes, body, end);
    if (id === TABLES) {
      reader.list(() => {
        tables.push({ imported: null, exported: exported(tables.length), ...readTable(reader) });
      });
    } else if (id === GLOBALS) {
      reader.list(() => {
        readValueType(reader);
        reader.byte();
        readGiven(reader, globals);
      });
    } else if (id === ELEMENTS) reader.list(() => segments.push(readSegment(reader)));
  }
  return { tables, segments, globals };
}

const NOTHING: Given = { functions: new Set(), globals: new Set() };

function readTable(reader: Reader): Pick<Table, 'type' | 'minimum' | 'initial'> {
  const hasInitial = reader.bytes[reader.pos] === WITH_INITIAL;
  if (hasInitial) reader.skip(2);
  const type = readValueType(reader);
  const { min: minimum } = readLimits(reader);
  const initial = { functions: new Set<number>(), globals: new Set<number>() };
  if (hasInitial) readGiven(reader, initial);
  return { type, minimum, initial };
}

function readSegment(reader: Reader): Segment {
  const flags = reader.u32();
  const active = (flags & NOT_ACTIVE) === 0;
  const table = active && flags & EXPLICIT ? reader.u32() : 0;
  // Where it begins does not matter: what is in a table may be called through any of its places.
  if (active) decodeConstant(reader, () => undefined);
  const given = { functions: new Set<number>(), globals: new Set<number>() };
  const typed = (flags & (NOT_ACTIVE | EXPLICIT)) !== 0;
  if (flags & EXPRESSIONS) {
    if (typed) readValueType(reader);
    reader.list(() => readGiven(reader, given));
  } else {
    if (typed) reader.byte();
    reader.list(() => given.functions.add(reader.u32()));
  }
  const mode = active ? 'active' : flags & EXPLICIT ? 'declared' : 'passive';
  return { mode, table, ...given };
}

function readGiven(reader: Reader, into: { functions: Set<number>; globals: Set<number> }): void {
  decodeConstant(reader, ({ opcode, immediate }) => {
    if (opcode === Op.RefFunc) into.functions.add(immediate);
    else if (opcode === Op.GlobalGet) into.globals.add(immediate);
  });
}
