/**
 * Instructions whose work depends on an operand. Each is replaced by a call of a function of ours, which pays by size, and works in
 * pieces, between which the fiber may be pre-empted:
 *
 *     fill (to, value, n)
 *       if n <= PIECE    pay n; fill (to, value, n); return
 *       if to + n wraps  fill (to, value, n), which traps
 *       fill (to + n, value, 0)                   traps if there is not so much, before anything was written
 *       loop             pay a piece; fill a piece; to += piece; n -= piece; again if n > 0
 *
 * That the engine itself says, by an operation of size 0, whether a range exists is exact for memories, tables and segments alike,
 * also for those that were dropped or have grown. While the fiber is pre-empted nothing else of its guest runs, so what was there is
 * there still. A copy to a higher address in the same memory goes from the end to the beginning. Tables are filled with references,
 * which Asyncify cannot save: so the first piece is filled before anything is checked, and all others are copied from it.
 *
 * Growth cannot be in pieces, as it succeeds as a whole or not at all: it is paid for by size, and held to the limit. What makes an
 * array that is collected, or changes one, is paid for by its length, and checked with it, but stays whole.
 */
import { FiberError } from '../../errors.ts';
import { numberOfLimit } from '../../runtime/limit-names.ts';
import { Op } from '../binary/code.ts';
import type { Instruction } from '../binary/code.ts';
import type { AddedFunction, Callee, CodeWriter } from '../binary/code-writer.ts';
import type { ModuleEdit } from '../binary/edit.ts';
import type { Limits } from './limits.ts';
import { BYTES_PER_UNIT } from './weights.ts';

/** Bytes that are filled or copied at once: the first touch of a quarter of a MiB takes the operating system half a millisecond. */
const PIECE = 1 << 18;
/** The same for references. */
const TABLE_PIECE = 1 << 14;

/** Elements of an array that need no check of their own. */
const SMALL_ARRAY = 1 << 12;

/** Instructions that make or change an array, its length being the topmost operand. */
const ARRAYS: ReadonlySet<number> = new Set([6, 7, 9, 10, 16, 17, 18, 19].map((sub) => 0xfb_0000 | sub));

/** What functions of ours need of others. */
export interface Payment {
  /** Pays so many units, and checks: (i32). */
  readonly pay: Callee;
  /** Pays without a check, so that it does not suspend: (i32). */
  readonly charge: Callee;
  /** Ends the fiber, which has come to a limit: (i32). */
  readonly limit: Callee;
}

/** Is this one of them, or, of a limit, one whose work is bounded by it? */
export function isBulk(opcode: number, limits: Limits): boolean {
  switch (opcode) {
    case Op.MemoryFill:
    case Op.MemoryCopy:
    case Op.MemoryInit:
    case Op.TableFill:
    case Op.TableCopy:
    case Op.TableInit:
    case Op.TableGrow:
      return true;
    case Op.MemoryGrow:
      return limits.memoryPages !== null;
    default:
      return ARRAYS.has(opcode);
  }
}

/** Does it stay as it is, and is only paid for? */
export function isArrayOperation(opcode: number): boolean {
  return ARRAYS.has(opcode);
}

/** Does it make an array, instead of changing one? */
export function makesArray(opcode: number): boolean {
  return ARRAYS.has(opcode) && (opcode & 0xffff) < 16;
}

/** What an operation costs whose size is known, if it is small enough to stay as it is; else null. */
export function costOf(opcode: number, size: number): number | null {
  const isOfMemory = opcode === Op.MemoryFill || opcode === Op.MemoryCopy || opcode === Op.MemoryInit;
  if (ARRAYS.has(opcode)) return size >= 0 && size <= SMALL_ARRAY ? size >> 1 : null;
  return isOfMemory && size >= 0 && size <= PIECE ? size >> BYTES_PER_UNIT : null;
}

/** The functions in the place of bulk operations, made when they are first asked for. */
export class BulkFunctions {
  readonly #edit: ModuleEdit;
  readonly #limits: Limits;
  readonly #payment: Payment;
  readonly #typeOfTable: (table: number) => string;
  readonly #made = new Map<string, AddedFunction>();

  constructor(edit: ModuleEdit, limits: Limits, payment: Payment, typeOfTable: (table: number) => string) {
    this.#edit = edit;
    this.#limits = limits;
    this.#payment = payment;
    this.#typeOfTable = typeOfTable;
  }

  /** What is called in the place of this instruction; before the module is written, for each that there is. */
  get({ opcode, immediate, second }: Instruction): AddedFunction {
    const key = `${opcode}.${immediate}.${second}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = this.#make(opcode, immediate, second);
    this.#made.set(key, made);
    return made;
  }

  #make(opcode: number, immediate: number, second: number): AddedFunction {
    const plain = (code: CodeWriter): void => void code.prefixed(opcode, ...operandsOf(opcode, immediate, second));
    const label = `wasm-fibers.bulk.${this.#made.size}`;
    switch (opcode) {
      case Op.MemoryGrow:
        return this.#grow(label, ['i32'], this.#limits.memoryPages, numberOfLimit('memory'), {
          size: (code) => void code.op(Op.MemorySize, immediate),
          grow: (code) => void code.op(Op.MemoryGrow, immediate),
        });
      case Op.TableGrow:
        return this.#grow(
          label,
          [this.#typeOfTable(immediate), 'i32'],
          this.#limits.tableElements,
          numberOfLimit('table'),
          { size: (code) => void code.prefixed(Op.TableSize, immediate), grow: plain },
        );
      case Op.MemoryFill:
        return this.#pieces(label, 'i32', PIECE, BYTES_PER_UNIT, plain, 'fill');
      case Op.TableFill:
        return this.#fillTable(label, immediate, plain);
      case Op.MemoryInit:
        return this.#pieces(label, 'i32', PIECE, BYTES_PER_UNIT, plain, 'copy');
      case Op.TableInit:
        return this.#pieces(label, 'i32', TABLE_PIECE, 1, plain, 'copy');
      case Op.MemoryCopy:
        return this.#pieces(label, 'i32', PIECE, BYTES_PER_UNIT, plain, immediate === second ? 'overlap' : 'copy');
      case Op.TableCopy:
        return this.#pieces(label, 'i32', TABLE_PIECE, 1, plain, immediate === second ? 'overlap' : 'copy');
      default:
        throw new FiberError('INTERNAL', `The instruction ${opcode.toString(16)} is no bulk operation.`);
    }
  }

  /** @param params the last is by how much */
  #grow(
    label: string,
    params: readonly string[],
    most: number | null,
    limit: number,
    { size, grow }: { size(code: CodeWriter): void; grow(code: CodeWriter): void },
  ): AddedFunction {
    const by = params.length - 1;
    const type = this.#edit.type(params, ['i32']);
    return this.#edit.addFunction(label, type, [], (code) => {
      if (most !== null) {
        // More than the limit altogether; or more than the rest of it, as the sum could wrap.
        code.op(Op.LocalGet, by).constant(most).op(Op.I32GtU);
        size(code);
        code.op(Op.LocalGet, by).op(Op.I32Add).constant(most).op(Op.I32GtU).op(Op.I32Or);
        code.when((beyond) => void beyond.constant(limit).call(this.#payment.limit));
      }
      code.op(Op.LocalGet, by).constant(1).op(Op.I32ShrU).call(this.#payment.charge);
      code.parameters(params.length);
      grow(code);
    });
  }

  #fillTable(label: string, table: number, fill: (code: CodeWriter) => void): AddedFunction {
    const [to, value, n, from, now] = [0, 1, 2, 3, 4];
    const type = this.#edit.type(['i32', this.#typeOfTable(table), 'i32'], []);
    return this.#edit.addFunction(label, type, ['i32', 'i32'], (code) => {
      code.op(Op.LocalGet, n).constant(TABLE_PIECE).op(Op.I32LeU);
      code.when(() => {
        code.parameters(3);
        fill(code);
        code.op(Op.LocalGet, n).constant(1).op(Op.I32ShrU).call(this.#payment.pay).op(Op.Return);
      });
      code.op(Op.LocalGet, to).op(Op.LocalGet, n).op(Op.I32Add).op(Op.LocalGet, to).op(Op.I32LtU);
      code.when(() => {
        code.parameters(3);
        fill(code);
        code.op(Op.Return);
      });
      code.op(Op.LocalGet, to).op(Op.LocalGet, n).op(Op.I32Add).op(Op.LocalGet, value).constant(0);
      fill(code);
      code.constant(TABLE_PIECE >> 1).call(this.#payment.charge);
      code.op(Op.LocalGet, to).op(Op.LocalTee, from).op(Op.LocalGet, value).constant(TABLE_PIECE);
      fill(code);
      code.constant(TABLE_PIECE).op(Op.LocalSet, now);
      code.loop(() => {
        code.op(Op.LocalGet, to).op(Op.LocalGet, now).op(Op.I32Add).op(Op.LocalSet, to);
        code.op(Op.LocalGet, n).op(Op.LocalGet, now).op(Op.I32Sub).op(Op.LocalSet, n);
        smaller(code, TABLE_PIECE, n);
        code.op(Op.LocalTee, now).constant(1).op(Op.I32ShrU).call(this.#payment.pay);
        code.op(Op.LocalGet, to).op(Op.LocalGet, from).op(Op.LocalGet, now);
        code.prefixed(Op.TableCopy, table, table);
        code.op(Op.LocalGet, n).op(Op.LocalGet, now).op(Op.I32Sub).op(Op.BrIf, 0);
      });
    });
  }

  /**
   * @param second type of the second parameter
   * @param shift what a unit pays for, as a power of two
   * @param kind `fill`: the second parameter is a value; `copy`: a place that moves on; `overlap`: in the same memory or table
   */
  #pieces(
    label: string,
    second: string,
    piece: number,
    shift: number,
    plain: (code: CodeWriter) => void,
    kind: 'fill' | 'copy' | 'overlap',
  ): AddedFunction {
    const [to, from, n, now, back] = [0, 1, 2, 3, 4];
    const type = this.#edit.type(['i32', second, 'i32'], []);
    const places = kind === 'fill' ? [to] : [to, from];
    return this.#edit.addFunction(label, type, ['i32', 'i32'], (code) => {
      const pay = (of: number): void => {
        code.op(Op.LocalGet, of).constant(shift).op(Op.I32ShrU).call(this.#payment.pay);
      };
      const whole = (): void => {
        code.parameters(3);
        plain(code);
        code.op(Op.Return);
      };
      code.op(Op.LocalGet, n).constant(piece).op(Op.I32LeU);
      code.when(() => {
        pay(n);
        whole();
      });
      for (const place of places) {
        code.op(Op.LocalGet, place).op(Op.LocalGet, n).op(Op.I32Add).op(Op.LocalGet, place).op(Op.I32LtU);
        code.when(whole);
      }
      const ends = (place: number): void => {
        code.op(Op.LocalGet, place);
        if (places.includes(place)) code.op(Op.LocalGet, n).op(Op.I32Add);
      };
      ends(to);
      ends(from);
      code.constant(0);
      plain(code);
      if (kind === 'overlap') {
        code.op(Op.LocalGet, to).op(Op.LocalGet, from).op(Op.I32GtU).op(Op.LocalSet, back);
      }
      code.loop(() => {
        smaller(code, piece, n);
        code.op(Op.LocalSet, now);
        pay(now);
        code.op(Op.LocalGet, n).op(Op.LocalGet, now).op(Op.I32Sub).op(Op.LocalSet, n);
        // From the end: what is left stands before the piece.
        const at = (place: number): void => {
          code.op(Op.LocalGet, place);
          if (kind !== 'overlap' || !places.includes(place)) return;
          code.op(Op.LocalGet, n).constant(0).op(Op.LocalGet, back).op(Op.Select).op(Op.I32Add);
        };
        at(to);
        at(from);
        code.op(Op.LocalGet, now);
        plain(code);
        for (const place of places) {
          code.op(Op.LocalGet, place);
          if (kind === 'overlap') code.constant(0).op(Op.LocalGet, now).op(Op.LocalGet, back).op(Op.Select);
          else code.op(Op.LocalGet, now);
          code.op(Op.I32Add).op(Op.LocalSet, place);
        }
        code.op(Op.LocalGet, n).op(Op.BrIf, 0);
      });
    });
  }
}

/** The smaller one of a constant and a local. */
function smaller(code: CodeWriter, constant: number, local: number): void {
  code.constant(constant).op(Op.LocalGet, local).constant(constant).op(Op.LocalGet, local).op(Op.I32LtU).op(Op.Select);
}

/** As many immediates as the instruction has, in the order in which it has them. */
function operandsOf(opcode: number, immediate: number, second: number): readonly number[] {
  return opcode === Op.MemoryFill || opcode === Op.TableFill || opcode === Op.TableGrow
    ? [immediate]
    : [immediate, second];
}
