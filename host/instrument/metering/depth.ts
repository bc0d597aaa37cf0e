/**
 * A limit for how deep calls may be, which is the same on every engine. Functions that call what is not bounded
 * (bounds.ts) count:
 *
 *     block                                              branches out of the function lead to its end
 *       own = depth += 1; if (own > limit) call limit
 *       ... the function ...                             before each return: depth = own - 1
 *     end                                                what catches an exception: depth = own
 *     depth = own - 1
 *
 * `depth` is a global of which each fiber has its own, as it skips its epilogues when it suspends. That `own` is a local makes frames
 * four bytes larger, but an exception that passes through ten functions needs no help from any of them.
 */
import { Op } from '../binary/code.ts';
import type { Instruction } from '../binary/code.ts';
import type { BodyEdit } from '../binary/code-section.ts';
import type { AddedFunction, CodeWriter } from '../binary/code-writer.ts';
import type { ModuleEdit } from '../binary/edit.ts';
import type { Outline } from '../binary/module.ts';

/** What it is called among the globals that each fiber has for itself. */
export const DEPTH = 'wasm-fibers.depth';

const TAIL_CALLS: ReadonlySet<number> = new Set([Op.ReturnCall, Op.ReturnCallIndirect, Op.ReturnCallRef]);
/** Where a function goes on behind an exception: in a catch body, or at the end of the block that `try_table` names. */
const CATCHES: ReadonlySet<number> = new Set([Op.Catch, Op.CatchAll]);

export class DepthLimit {
  /** Index of the global. */
  readonly global: number;
  readonly #outline: Outline;
  readonly #most: number;
  readonly #refuse: (code: CodeWriter) => void;
  /** The type of a block with these results, for more than one. */
  readonly #typeOf: (results: readonly string[]) => number;

  /** @param number of the limit, for the host */
  constructor(edit: ModuleEdit, most: number, limit: AddedFunction, number: number) {
    this.#outline = edit.outline;
    this.#most = most;
    this.global = edit.addGlobal(DEPTH, 0);
    this.#refuse = (code) => void code.constant(number).call(limit);
    const types = new Map<string, number>();
    for (const type of edit.outline.types) {
      if (type !== null && type.results.length > 1) types.set(type.results.join(), edit.type([], type.results));
    }
    this.#typeOf = (results) => types.get(results.join()) ?? 0;
  }

  /**
   * Counts in one body. Sees its instructions in their order.
   *
   * @param order of the body
   */
  watch(order: number, body: BodyEdit): (instruction: Instruction) => void {
    const { bodies, types, functionTypes, importedFunctions } = this.#outline;
    const results = types[functionTypes[importedFunctions + order] ?? -1]?.results ?? [];
    const end = bodies[order]?.end ?? 0;
    const own = body.scratch('depth');
    let begun = false;
    let caught = false;
    let inTryTable = false;
    return (instruction) => {
      const { opcode } = instruction;
      const isLast = instruction.end === end;
      if (!begun) {
        begun = true;
        body.insert(instruction, (code) => {
          code.block(results, this.#typeOf);
          this.#enter(code, own);
        });
      }
      if (caught) body.insert(instruction, (code) => void code.op(Op.LocalGet, own).op(Op.GlobalSet, this.global));
      inTryTable ||= opcode === Op.TryTable;
      caught = CATCHES.has(opcode) || (inTryTable && opcode === Op.End);
      if (opcode === Op.Return || TAIL_CALLS.has(opcode)) body.insert(instruction, (code) => this.#leave(code, own));
      if (isLast) {
        body.insert(instruction, (code) => {
          code.op(Op.End);
          this.#leave(code, own);
        });
      }
    };
  }

  #enter(code: CodeWriter, own: number): void {
    code.op(Op.GlobalGet, this.global).constant(1).op(Op.I32Add).op(Op.LocalTee, own).op(Op.GlobalSet, this.global);
    code.op(Op.LocalGet, own).constant(this.#most).op(Op.I32GtS);
    code.when(this.#refuse);
  }

  #leave(code: CodeWriter, own: number): void {
    code.op(Op.LocalGet, own).constant(1).op(Op.I32Sub).op(Op.GlobalSet, this.global);
  }
}
