/**
 * The shadow stack pointer, for the host: an accessor pair under names of our own, since toolchains do not export the
 * global, and for LLVM guests the check that each fiber stays inside its region.
 *
 * Every store to the pointer is checked but the ones that only raise it by a constant (epilogues). The limits start as
 * the whole address space, so that nothing traps before the host has set them (`_initialize` runs early).
 *
 *     pointer - low >u size   ->   call stack_overflow (pointer), which throws
 *
 * The check stands where the store is, or in a function of its own: it costs code that never suspends nearly nothing in the
 * one form, and is not copied a thousand times by what rewrites the code after it in the other.
 */
import { Op } from '../binary/code.ts';
import type { CodeWriter } from '../binary/code-writer.ts';
import type { ModuleEdit } from '../binary/edit.ts';
import type { ShadowStack } from '../guest.ts';

const LOW = 'wasm-fibers.stack_low';
const SIZE = 'wasm-fibers.stack_size';
const CHECK = 'wasm-fibers.check_stack';
const OVERFLOW = 'wasm-fibers.stack_overflow';
const GET = 'wasm-fibers.get_stack';
const SET = 'wasm-fibers.set_stack';

/** @param inline should the check stand where the stores are? */
export function addStackPointer(edit: ModuleEdit, { kind, pointer }: ShadowStack, inline: boolean): void {
  const limits = kind === 'llvm' ? addCheck(edit, pointer, inline) : null;
  const get = edit.addFunction(GET, edit.type([], ['i32']), [], (code) => code.op(Op.GlobalGet, pointer));
  const set = edit.addFunction(SET, edit.type(['i32', 'i32', 'i32'], []), [], (code) => {
    code.op(Op.LocalGet, 0).op(Op.GlobalSet, pointer);
    if (limits === null) return;
    code.op(Op.LocalGet, 1).op(Op.GlobalSet, limits.low);
    code.op(Op.LocalGet, 2).op(Op.LocalGet, 1).op(Op.I32Sub).op(Op.GlobalSet, limits.size);
  });
  edit.addExport(GET, 'function', get);
  edit.addExport(SET, 'function', set);
}

function addCheck(edit: ModuleEdit, pointer: number, inline: boolean): { low: number; size: number } {
  const low = edit.addGlobal(LOW, 0);
  const size = edit.addGlobal(SIZE, -1);
  const overflow = edit.addImport('wasm-fibers', 'stack_overflow', edit.type(['i32'], []), OVERFLOW);
  /** Takes the pointer from the stack; it is in a local too. */
  const check = (code: CodeWriter, local: number): void => {
    code.op(Op.GlobalGet, low).op(Op.I32Sub).op(Op.GlobalGet, size).op(Op.I32GtU);
    code.when((beyond) => beyond.op(Op.LocalGet, local).call(overflow));
  };
  const outOfLine = inline
    ? null
    : edit.addFunction(CHECK, edit.type(['i32'], ['i32']), [], (code) => {
        check(code.op(Op.LocalGet, 0), 0);
        code.op(Op.LocalGet, 0);
      });
  edit.watch((body) => {
    // The two instructions before, without an object for each of a million.
    let raised = false;
    let constant = 0;
    let opcode = -1;
    let immediate = 0;
    return (instruction) => {
      if (instruction.opcode === Op.GlobalSet && instruction.immediate === pointer && !raised) {
        const local = opcode === Op.LocalTee || opcode === Op.LocalGet ? immediate : null;
        body.insert(instruction, (code) => {
          if (outOfLine !== null) code.call(outOfLine);
          else if (local !== null) check(code.op(Op.LocalGet, local), local);
          else {
            const scratch = body.scratch();
            check(code.op(Op.LocalTee, scratch), scratch);
            code.op(Op.LocalGet, scratch);
          }
        });
      }
      raised = instruction.opcode === Op.I32Add && constant > 0;
      ({ opcode, immediate } = instruction);
      constant = opcode === Op.I32Const ? immediate : 0;
    };
  });
  return { low, size };
}
