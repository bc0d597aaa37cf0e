/**
 * The guest's allocator as the host calls it: `malloc(size) -> pointer` and `free(pointer)`. Where the guest exports such a
 * pair, nothing is added. Otherwise it is exported under our names, wrapped if it is called differently:
 *
 *     block:  [ size of the whole block i32 | 12 unused | what the host gets, 16-byte aligned ... ]
 */
import { Op } from '../binary/code.ts';
import type { CodeWriter } from '../binary/code-writer.ts';
import type { ModuleEdit } from '../binary/edit.ts';
import type { Allocator } from '../guest.ts';

const MALLOC = 'wasm-fibers.malloc';
const FREE = 'wasm-fibers.free';
const HEADER = 16;
const ALIGN = 16;
/** Immediates of a load or store of an i32 at the address itself: alignment as a power of two, and offset. */
const AT = [2, 0] as const;

export function addAllocator(edit: ModuleEdit, allocator: NonNullable<Allocator> & { kind: 'functions' }): void {
  const { alloc, free, shape } = allocator;
  if (shape === 'plain') {
    if (alloc.exported === null) edit.addExport(MALLOC, 'function', alloc.index);
    if (free !== null && free.exported === null) edit.addExport(FREE, 'function', free.index);
    return;
  }
  const bodies: Readonly<Record<typeof shape, (code: CodeWriter) => void>> = {
    block: (code) => void code.op(Op.LocalGet, 0).call(alloc.index),
    object: (code) => void code.op(Op.LocalGet, 0).constant(0).call(alloc.index),
    realloc: (code) => void code.constant(0).constant(0).constant(ALIGN).op(Op.LocalGet, 0).call(alloc.index),
    aligned: (code) => {
      code.op(Op.LocalGet, 0).constant(HEADER).op(Op.I32Add).op(Op.LocalTee, 0);
      code.constant(ALIGN).call(alloc.index).op(Op.LocalTee, 1);
      code.when((found) => {
        found
          .op(Op.LocalGet, 1)
          .op(Op.LocalGet, 0)
          .op(Op.I32Store, ...AT);
        found.op(Op.LocalGet, 1).constant(HEADER).op(Op.I32Add).op(Op.LocalSet, 1);
      });
      code.op(Op.LocalGet, 1);
    },
  };
  edit.addExport(MALLOC, 'function', edit.addFunction(MALLOC, edit.type(['i32'], ['i32']), ['i32'], bodies[shape]));
  const release = (code: CodeWriter): void => {
    if (free === null || shape !== 'aligned') return;
    code.op(Op.LocalGet, 0).constant(HEADER).op(Op.I32Sub).op(Op.LocalTee, 0);
    code
      .op(Op.LocalGet, 0)
      .op(Op.I32Load, ...AT)
      .constant(ALIGN)
      .call(free.index);
  };
  edit.addExport(FREE, 'function', edit.addFunction(FREE, edit.type(['i32'], []), [], release));
}
