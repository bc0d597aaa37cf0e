/** Writes instructions. Functions are meant as an edit means them, so that their indices need not be known yet. */
import { Op } from './code.ts';
import { writeValueType } from './types.ts';
import type { Writer } from './writer.ts';

/** A function that an edit has added. */
export interface AddedFunction {
  readonly imported: boolean;
  readonly order: number;
}

/** A function by its index in the source, or an added one. */
export type Callee = number | AddedFunction;

/** What knows the index that a function will have. */
export interface Indices {
  indexOf(callee: Callee): number;
}

export class CodeWriter {
  readonly #writer: Writer;
  readonly #indices: Indices;

  constructor(writer: Writer, indices: Indices) {
    this.#writer = writer;
    this.#indices = indices;
  }

  /** An instruction of one byte with unsigned immediates. */
  op(opcode: number, ...immediates: number[]): this {
    this.#writer.byte(opcode);
    for (const immediate of immediates) this.#writer.u32(immediate);
    return this;
  }

  /** An instruction with a prefix, as `Op` has it. */
  prefixed(opcode: number, ...immediates: number[]): this {
    this.#writer.byte(opcode >> 16).u32(opcode & 0xffff);
    for (const immediate of immediates) this.#writer.u32(immediate);
    return this;
  }

  constant(value: number): this {
    this.#writer.byte(Op.I32Const).s32(value);
    return this;
  }

  call(callee: Callee): this {
    return this.op(Op.Call, this.#indices.indexOf(callee));
  }

  /** `local.get` of locals from 0 on, as many as there are parameters. */
  parameters(count: number): this {
    for (let index = 0; index < count; index++) this.op(Op.LocalGet, index);
    return this;
  }

  /** An `if` without a result, with the condition on the stack. */
  when(then: (code: this) => void): this {
    this.#writer.byte(Op.If).byte(NO_RESULT);
    then(this);
    return this.op(Op.End);
  }

  /**
   * Begins a block with these results.
   *
   * @param typeOf gives the index of a type of their number, if they are several
   */
  block(results: readonly string[], typeOf: (results: readonly string[]) => number): this {
    const [only, ...others] = results;
    this.#writer.byte(Op.Block);
    if (only === undefined) this.#writer.byte(NO_RESULT);
    else if (others.length === 0) writeValueType(this.#writer, only);
    else this.#writer.s32(typeOf(results));
    return this;
  }

  /** A `loop` without a result. */
  loop(body: (code: this) => void): this {
    this.#writer.byte(Op.Loop).byte(NO_RESULT);
    body(this);
    return this.op(Op.End);
  }
}

/** The block type of a block without parameters and results. */
const NO_RESULT = 0x40;
