/**
 * What takes memory of the host that no limit counts, so that a stranger's module must not have it: objects that the engine collects
 * (structs, arrays), exceptions that are kept for as long as the module likes, and tables without number. Looked for in the bytes,
 * before a module that can be limited is made of them.
 *
 * An exception stays for as long as something refers to it. A local or an operand holds one, until its function returns; tables,
 * globals and other exceptions could hold chains of any length. That exceptions are small keeps those on the stack few bytes each.
 */
import { FiberError } from '../../errors.ts';
import { decodeBody, decodeConstant } from '../binary/code.ts';
import { functionName, readLimits, readOutline } from '../binary/module.ts';
import type { Outline } from '../binary/module.ts';
import { Reader } from '../binary/reader.ts';
import { readValueType } from '../binary/types.ts';

/** Instructions that make an object. */
const OBJECTS: ReadonlyMap<number, string> = new Map([
  [0xfb_0000, 'struct.new'],
  [0xfb_0001, 'struct.new_default'],
  [0xfb_0006, 'array.new'],
  [0xfb_0007, 'array.new_default'],
  [0xfb_0008, 'array.new_fixed'],
  [0xfb_0009, 'array.new_data'],
  [0xfb_000a, 'array.new_elem'],
]);

/** Tables of one module: compilers make one or two. */
const MOST_TABLES = 16;
/** Values that an exception has: those of C++ have one. */
const MOST_VALUES = 16;

const TABLES = 4;
const GLOBALS = 6;
const ELEMENTS = 9;
const TAGS = 13;
const TABLE_WITH_INITIAL = 0x40;
const EXPRESSIONS = 4;

/**
 * @param mostElements that all tables may have together from the beginning
 * @throws FiberError `UNSUPPORTED_FEATURE`; `LIMIT_REACHED` for the tables' elements; `BAD_MODULE`
 */
export function refuseUncounted(bytes: Uint8Array, mostElements: number): void {
  const outline = readOutline(bytes);
  refuseTables(outline, mostElements);
  refuseKeptExceptions(outline);
  refuseObjects(outline);
}

function refuseTables(outline: Outline, most: number): void {
  const minimums = tablesOf(outline).map(({ minimum }) => minimum);
  if (minimums.length > MOST_TABLES) {
    throw unsupported(`has ${minimums.length} tables, of which ${MOST_TABLES} are the most that a plugin may have`);
  }
  const elements = minimums.reduce((sum, each) => sum + each, 0);
  if (elements <= most) return;
  throw new FiberError(
    'LIMIT_REACHED',
    `This module begins with ${elements} elements in its tables, and the limit "tableElements" is ${most}. Raise the limit, or build the module with less.`,
    { limit: 'tableElements' },
  );
}

function refuseKeptExceptions(outline: Outline): void {
  const why = 'no limit of memory counts the exceptions that are kept there';
  for (const [index, { type }] of tablesOf(outline).entries()) {
    if (isException(type)) throw unsupported(`has a table (${index}) of exceptions (${type}): ${why}`);
  }
  for (const [index, { type }] of outline.globals.entries()) {
    if (!isException(type)) continue;
    const name = outline.names.globals.get(index) ?? String(index);
    throw unsupported(`has a global ("${name}") of the type ${type}: ${why}`);
  }
  for (const [index, params] of tagsOf(outline).entries()) {
    const kept = params.find(isException);
    if (kept !== undefined) throw unsupported(`has a tag (${index}) with a value of the type ${kept}: ${why}`);
    if (params.length > MOST_VALUES) {
      throw unsupported(
        `has a tag (${index}) with ${params.length} values, of which ${MOST_VALUES} are the most that an exception of a plugin may have: no limit of memory counts them`,
      );
    }
  }
}

function refuseObjects(outline: Outline): void {
  const refuse = (opcode: number, where: () => string): void => {
    const instruction = OBJECTS.get(opcode);
    if (instruction === undefined) return;
    throw unsupported(
      `makes objects that the engine collects (${instruction} ${where()}): no limit of memory counts them`,
    );
  };
  for (const [order, { start, end }] of outline.bodies.entries()) {
    // At what it does not know it stops, and such a function is refused as a whole (refuse.ts).
    decodeBody(outline.bytes, start, end, ({ opcode }) => {
      refuse(opcode, () => `in the function "${functionName(outline, outline.importedFunctions + order)}"`);
    });
  }
  const readConstant = (reader: Reader, where: string): void => {
    decodeConstant(reader, ({ opcode }) => refuse(opcode, () => where));
  };
  for (const { id, body, end } of outline.sections) {
    const reader = new Reader(outline.bytes, body, end);
    if (id === TABLES) {
      reader.list((index) => {
        if (readTable(reader).hasInitial) readConstant(reader, `in the initial value of table ${index}`);
      });
    } else if (id === GLOBALS) {
      reader.list((index) => {
        readValueType(reader);
        reader.byte();
        readConstant(reader, `in the initial value of global ${index}`);
      });
    } else if (id === ELEMENTS) {
      reader.list((index) => readElements(reader, () => readConstant(reader, `in the element segment ${index}`)));
    }
  }
}

interface Table {
  readonly type: string;
  readonly minimum: number;
  readonly hasInitial: boolean;
}

/** Its own; a plugin that imports one is refused for that. */
function tablesOf(outline: Outline): Table[] {
  const section = outline.sections.find(({ id }) => id === TABLES);
  if (section === undefined) return [];
  const reader = new Reader(outline.bytes, section.body, section.end);
  return reader.list(() => {
    const table = readTable(reader);
    if (table.hasInitial) decodeConstant(reader, () => undefined);
    return table;
  });
}

/** Up to its initial value. */
function readTable(reader: Reader): Table {
  const hasInitial = reader.bytes[reader.pos] === TABLE_WITH_INITIAL;
  if (hasInitial) reader.skip(2);
  const type = readValueType(reader);
  return { type, minimum: readLimits(reader).min, hasInitial };
}

/** The types of the values of each tag of its own. */
function tagsOf(outline: Outline): (readonly string[])[] {
  const section = outline.sections.find(({ id }) => id === TAGS);
  if (section === undefined) return [];
  const reader = new Reader(outline.bytes, section.body, section.end);
  return reader.list(() => {
    reader.byte();
    return outline.types[reader.u32()]?.params ?? [];
  });
}

/** One segment, in any of the eight forms that tables.ts tells apart. */
function readElements(reader: Reader, readConstant: () => void): void {
  const flags = reader.u32();
  const isActive = (flags & 1) === 0;
  if (isActive && (flags & 2) !== 0) reader.u32();
  if (isActive) readConstant();
  const hasExpressions = (flags & EXPRESSIONS) !== 0;
  if ((flags & 3) !== 0) {
    if (hasExpressions) readValueType(reader);
    else reader.byte();
  }
  reader.list(() => (hasExpressions ? readConstant() : void reader.u32()));
}

function isException(type: string): boolean {
  return /^(?:no)?exnref$|^\(ref (?:null )?(?:no)?exn\)$/.test(type);
}

function unsupported(has: string): FiberError {
  return new FiberError('UNSUPPORTED_FEATURE', `This module ${has}. Build it without.`);
}
