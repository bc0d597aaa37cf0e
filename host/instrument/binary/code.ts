/**
 * Decodes function bodies, one instruction after the other, for analyses that need no expression tree: who calls whom,
 * which features a function uses, where each call stands in the file. It knows every instruction that is standard and
 * says `unknown` for the rest; a body's end is known beforehand, so an unknown instruction costs that body only.
 */
import { Reader } from './reader.ts';
import { isReference, readHeapType, readValueType } from './types.ts';

/** The opcodes that analyses ask for. Prefixed ones are (prefix << 16 | sub). */
export const Op = {
  Unreachable: 0x00,
  Block: 0x02,
  Loop: 0x03,
  If: 0x04,
  Else: 0x05,
  Try: 0x06,
  Catch: 0x07,
  Throw: 0x08,
  Rethrow: 0x09,
  ThrowRef: 0x0a,
  End: 0x0b,
  Br: 0x0c,
  BrIf: 0x0d,
  BrTable: 0x0e,
  Return: 0x0f,
  Call: 0x10,
  CallIndirect: 0x11,
  ReturnCall: 0x12,
  ReturnCallIndirect: 0x13,
  CallRef: 0x14,
  ReturnCallRef: 0x15,
  Delegate: 0x18,
  CatchAll: 0x19,
  Drop: 0x1a,
  Select: 0x1b,
  TryTable: 0x1f,
  LocalGet: 0x20,
  LocalSet: 0x21,
  LocalTee: 0x22,
  GlobalGet: 0x23,
  GlobalSet: 0x24,
  TableGet: 0x25,
  TableSet: 0x26,
  I32Load: 0x28,
  I32Store: 0x36,
  MemorySize: 0x3f,
  MemoryGrow: 0x40,
  I32Const: 0x41,
  I32Eqz: 0x45,
  I32LtS: 0x48,
  I32LtU: 0x49,
  I32GtS: 0x4a,
  I32GtU: 0x4b,
  I32LeU: 0x4d,
  I32GeU: 0x4f,
  I32Add: 0x6a,
  I32Sub: 0x6b,
  I32And: 0x71,
  I32Or: 0x72,
  I32ShrU: 0x76,
  RefFunc: 0xd2,
  RefAsNonNull: 0xd4,
  BrOnNull: 0xd5,
  BrOnNonNull: 0xd6,
  ContNew: 0xe0,
  Switch: 0xe6,
  BrOnCast: 0xfb_0018,
  BrOnCastFail: 0xfb_0019,
  /** Segment, then memory. */
  MemoryInit: 0xfc_0008,
  /** The memory that is written, then the one that is read. */
  MemoryCopy: 0xfc_000a,
  MemoryFill: 0xfc_000b,
  /** Segment, then table. */
  TableInit: 0xfc_000c,
  /** The table that is written, then the one that is read. */
  TableCopy: 0xfc_000e,
  TableGrow: 0xfc_000f,
  TableSize: 0xfc_0010,
  TableFill: 0xfc_0011,
} as const;

/** What a visitor is told of each instruction. */
export interface Instruction {
  opcode: number;
  /** Offset of the first byte in the file. */
  offset: number;
  /** Offset behind the last one. */
  end: number;
  /**
   * First immediate: function, type, global, label, table, memory or segment index, or the i32 constant; of `br_table` the
   * outermost of its labels. 0 if there is none.
   */
  immediate: number;
  /** The second one, of instructions that mean a table: see `Op`. */
  second: number;
}

export interface Body {
  /** Types of the locals declared in the body (without parameters) that are references. */
  readonly referenceLocals: number;
  /** Does it name types of references that came with garbage collection? */
  readonly hasGcReferences: boolean;
  /** Does it name types of references to exceptions? */
  readonly hasExceptionReferences: boolean;
  /** Opcode at which decoding stopped because it is unknown, else null. */
  readonly unknown: number | null;
}

/**
 * Decodes one body.
 *
 * @param visit called for each instruction with the same object, changed in place
 */
export function decodeBody(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (instruction: Instruction) => void,
): Body {
  const reader = new Reader(bytes, start, end);
  let referenceLocals = 0;
  reader.list(() => {
    const count = reader.u32();
    if (isReference(readValueType(reader))) referenceLocals += count;
  });
  const body = (unknown: number | null): Body => ({
    referenceLocals,
    hasGcReferences: reader.hasGcReferences,
    hasExceptionReferences: reader.hasExceptionReferences,
    unknown,
  });
  const instruction: Instruction = { opcode: 0, offset: 0, end: 0, immediate: 0, second: 0 };
  while (!reader.done) {
    if (!readInstruction(reader, instruction)) return body(instruction.opcode);
    visit(instruction);
  }
  return body(null);
}

/** Decodes a constant expression, such as the initial value of a global, to its end. */
export function decodeConstant(reader: Reader, visit: (instruction: Instruction) => void): void {
  const instruction: Instruction = { opcode: 0, offset: 0, end: 0, immediate: 0, second: 0 };
  do {
    if (!readInstruction(reader, instruction)) throw reader.malformed('an unknown instruction in a constant');
    visit(instruction);
  } while (instruction.opcode !== Op.End);
}

/** Reads the next instruction into an object; false if it is unknown. */
function readInstruction(reader: Reader, into: Instruction): boolean {
  into.offset = reader.pos;
  let opcode = reader.byte();
  into.immediate = 0;
  into.second = 0;
  if (opcode >= 0xfb && opcode <= 0xfe) opcode = (opcode << 16) | Math.min(reader.u32(), 0xffff);
  into.opcode = opcode;
  const known = readImmediates(reader, opcode, into);
  into.end = reader.pos;
  return known;
}

function readImmediates(reader: Reader, opcode: number, into: Instruction): boolean {
  if (opcode >= 0x45 && opcode <= 0xc4) return true;
  if (opcode >= 0x28 && opcode <= 0x3e) return skipMemoryArgument(reader);
  switch (opcode) {
    case Op.Unreachable:
    case 0x01:
    case Op.Else:
    case Op.ThrowRef:
    case Op.End:
    case Op.Return:
    case Op.CatchAll:
    case 0x1a:
    case 0x1b:
    case 0xd1:
    case 0xd3:
    case 0xd4:
      return true;
    case Op.Block:
    case Op.Loop:
    case Op.If:
    case Op.Try:
      skipBlockType(reader);
      return true;
    case Op.TryTable:
      skipBlockType(reader);
      reader.list(() => {
        if (reader.byte() < 2) reader.u32();
        reader.u32();
      });
      return true;
    case Op.BrTable:
      into.immediate = greatest(reader.list(() => reader.u32()));
      into.immediate = Math.max(into.immediate, reader.u32());
      return true;
    case Op.CallIndirect:
    case Op.ReturnCallIndirect:
      into.immediate = reader.u32();
      into.second = reader.u32();
      return true;
    case 0x1c:
      reader.list(() => readValueType(reader));
      return true;
    case Op.I32Const:
      into.immediate = reader.s33();
      return true;
    case 0x42:
      reader.skipLeb();
      return true;
    case 0x43:
      reader.skip(4);
      return true;
    case 0x44:
      reader.skip(8);
      return true;
    case 0xd0:
      readHeapType(reader);
      return true;
    case 0xe1:
      reader.u32();
      reader.u32();
      return true;
    case 0xe3:
    case 0xe4:
    case 0xe5:
      into.immediate = reader.u32();
      if (opcode === 0xe4) reader.u32();
      reader.list(() => {
        if (reader.byte() === 0) reader.u32();
        reader.u32();
      });
      return true;
    case Op.Switch:
      reader.u32();
      reader.u32();
      return true;
    case 0x09:
    case 0x07:
    case 0x08:
    case Op.Br:
    case 0x0d:
    case Op.Call:
    case Op.ReturnCall:
    case Op.CallRef:
    case Op.ReturnCallRef:
    case Op.Delegate:
    case 0x20:
    case 0x21:
    case 0x22:
    case Op.GlobalGet:
    case Op.GlobalSet:
    case 0x25:
    case 0x26:
    case Op.MemorySize:
    case Op.MemoryGrow:
    case Op.RefFunc:
    case 0xd5:
    case 0xd6:
    case Op.ContNew:
    case 0xe2:
      into.immediate = reader.u32();
      return true;
    default:
      return opcode > 0xff && readPrefixed(reader, opcode >> 16, opcode & 0xffff, into);
  }
}

function readPrefixed(reader: Reader, prefix: number, sub: number, into: Instruction): boolean {
  if (prefix === 0xfc) return readMisc(reader, sub, into);
  if (prefix === 0xfb) return readGc(reader, sub, into);
  if (prefix === 0xfe) {
    if (sub === 3) reader.byte();
    else skipMemoryArgument(reader);
    return true;
  }
  // SIMD; the relaxed operations, from 0x100, take no immediates.
  if (sub <= 11 || sub === 92 || sub === 93) return skipMemoryArgument(reader);
  if (sub === 12 || sub === 13) reader.skip(16);
  else if (sub >= 21 && sub <= 34) reader.byte();
  else if (sub >= 84 && sub <= 91) {
    skipMemoryArgument(reader);
    reader.byte();
  }
  return true;
}

function readMisc(reader: Reader, sub: number, into: Instruction): boolean {
  if (sub <= 7 || (sub >= 19 && sub <= 22)) return true;
  if (sub > 18) return false;
  into.immediate = reader.u32();
  if (sub === 8 || sub === 10 || sub === 12 || sub === 14) into.second = reader.u32();
  return true;
}

function readGc(reader: Reader, sub: number, into: Instruction): boolean {
  if (sub <= 1 || sub === 6 || sub === 7 || (sub >= 11 && sub <= 14) || sub === 16) reader.u32();
  else if ((sub >= 2 && sub <= 5) || (sub >= 8 && sub <= 10) || (sub >= 17 && sub <= 19)) {
    reader.u32();
    reader.u32();
  } else if (sub >= 20 && sub <= 23) readHeapType(reader);
  else if (sub === 24 || sub === 25) {
    reader.byte();
    into.immediate = reader.u32();
    readHeapType(reader);
    readHeapType(reader);
  } else if (sub !== 15 && (sub < 26 || sub > 30)) return false;
  return true;
}

function greatest(numbers: readonly number[]): number {
  return numbers.reduce((most, each) => Math.max(most, each), 0);
}

function skipBlockType(reader: Reader): void {
  const code = reader.bytes[reader.pos] ?? 0;
  if (code === 0x40) reader.pos += 1;
  else if (code >= 0x40 && code < 0x80) readValueType(reader);
  else reader.s33();
}

function skipMemoryArgument(reader: Reader): boolean {
  const flags = reader.u32();
  if (flags & 0x40) reader.u32();
  reader.skipLeb();
  return true;
}
