/** The code section of an edited module: bodies of the source with what changes in them, and bodies that were added. */
import type { IndirectCall } from './analysis.ts';
import { Op, decodeBody } from './code.ts';
import type { Instruction } from './code.ts';
import { CodeWriter } from './code-writer.ts';
import type { Callee, Indices } from './code-writer.ts';
import type { Outline } from './module.ts';
import { Reader } from './reader.ts';
import { I32, readValueType, writeValueType } from './types.ts';
import { Writer } from './writer.ts';

export interface NewFunction {
  readonly label: string;
  readonly type: number;
  readonly locals: readonly string[];
  readonly build: (code: CodeWriter) => void;
}

/** A body of the source that is being changed. */
export interface BodyEdit {
  /** Inserts code in front of an instruction. */
  insert(before: Instruction, build: (code: CodeWriter) => void): void;
  /** Writes code in the place of an instruction that calls no function of the module. */
  replace(instruction: Instruction, build: (code: CodeWriter) => void): void;
  /**
   * Index of an additional local of type i32, the same one at each call.
   *
   * @param name for another one
   */
  scratch(name?: string): number;
}

/** Sees the instructions of one body after the other. */
export type Watch = (body: BodyEdit) => (instruction: Instruction) => void;

/** Where a run of code that was copied as it is began before and begins now. */
export interface Move {
  readonly from: number;
  readonly to: number;
}

/** What is called in the place of an indirect call in a function of the source; null if it stays. */
export type StandIn = (caller: number, call: IndirectCall) => Callee | null;

/** The functions of the source as the edited module has them. */
interface Functions extends Indices {
  replaced(source: number): Callee;
  standIn: StandIn;
}

/** @returns the contents of the section, and where in them runs of code are now */
export function writeCode(
  outline: Outline,
  added: readonly NewFunction[],
  functions: Functions,
  watch: Watch | null,
): { readonly bytes: Uint8Array; readonly moves: readonly Move[] } {
  const section = new Writer();
  const moves: Move[] = [];
  section.u32(outline.bodies.length + added.length);
  for (const order of outline.bodies.keys()) {
    const { body, moves: inBody } = copyBody(outline, order, functions, watch);
    section.u32(body.length);
    for (const { from, to } of inBody) moves.push({ from, to: to + section.length });
    section.raw(body);
  }
  for (const { locals, build } of added) {
    const body = new Writer();
    body.u32(locals.length);
    for (const local of locals) {
      body.u32(1);
      writeValueType(body, local);
    }
    build(new CodeWriter(body, functions));
    section.sized(body.byte(Op.End).bytes);
  }
  return { bytes: section.bytes, moves };
}

/** @param order of the body in the source */
function copyBody(
  { bytes, bodies, types, functionTypes, importedFunctions }: Outline,
  order: number,
  functions: Functions,
  watch: Watch | null,
): { readonly body: Uint8Array; readonly moves: readonly Move[] } {
  const { start = 0, end = 0 } = bodies[order] ?? {};
  const reader = new Reader(bytes, start, end);
  const groups = reader.u32();
  const firstGroup = reader.pos;
  let locals = types[functionTypes[importedFunctions + order] ?? -1]?.params.length ?? 0;
  for (let group = 0; group < groups; group++) {
    locals += reader.u32();
    readValueType(reader);
  }
  const code = reader.pos;

  const patches: { readonly from: number; readonly to: number; readonly by: Uint8Array }[] = [];
  const patch = (from: number, to: number, build: (code: CodeWriter) => void): void => {
    const by = new Writer(16);
    build(new CodeWriter(by, functions));
    patches.push({ from, to, by: by.bytes });
  };
  const scratch: string[] = [];
  const see = watch?.({
    insert: (before, build) => patch(before.offset, before.offset, build),
    replace: ({ offset, end: next }, build) => patch(offset, next, build),
    scratch: (name = '') => {
      const known = scratch.indexOf(name);
      return locals + (known < 0 ? scratch.push(name) - 1 : known);
    },
  });
  decodeBody(bytes, start, end, (instruction) => {
    const { opcode, offset, immediate } = instruction;
    see?.(instruction);
    if (opcode === Op.CallIndirect || opcode === Op.ReturnCallIndirect) {
      const standIn = functions.standIn(importedFunctions + order, { type: immediate, table: instruction.second });
      if (standIn === null) return;
      const call = opcode === Op.CallIndirect ? Op.Call : Op.ReturnCall;
      patch(offset, instruction.end, (to) => void to.op(call, functions.indexOf(standIn)));
      return;
    }
    if (opcode !== Op.Call && opcode !== Op.ReturnCall && opcode !== Op.RefFunc) return;
    const moved = functions.indexOf(functions.replaced(immediate));
    if (moved !== immediate) patch(offset, instruction.end, (to) => void to.op(opcode, moved));
  });

  const body = new Writer(end - start + 64);
  body.u32(scratch.length > 0 ? groups + 1 : groups).raw(bytes.subarray(firstGroup, code));
  if (scratch.length > 0) body.u32(scratch.length).byte(I32);
  const moves: Move[] = [];
  let copied = code;
  const copy = (to: number): void => {
    moves.push({ from: copied, to: body.length });
    body.raw(bytes.subarray(copied, to));
  };
  for (const { from, to, by } of patches) {
    copy(from);
    body.raw(by);
    copied = to;
  }
  copy(end);
  return { body: body.bytes, moves };
}
