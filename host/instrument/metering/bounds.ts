/**
 * Functions whose work is bounded, however they are called: they have no loop, call nobody through a table, and whom they call is
 * bounded too. Nobody has to check in them; and those that do little, and are called by name only, are paid for by their callers,
 * which saves the most frequent payments of all.
 *
 * The bound is the sum of all that a function could execute, as if it executed all its arms: more than it does, and the same
 * each time.
 */
import { Op, decodeBody } from '../binary/code.ts';
import type { Outline } from '../binary/module.ts';
import { weightOf } from './weights.ts';

/** Units that may pass without a check. */
const UNCHECKED = 2000;
/** Units that a caller pays for a call. */
const PAID_BY_CALLER = 100;

export class Bounds {
  readonly #imported: number;
  /** Of each function with a body; null if there is none, undefined while that is not known. */
  readonly #units: (number | null | undefined)[];
  readonly #calls: readonly (readonly number[])[];
  /** Called otherwise than by name. */
  readonly #referenced: ReadonlySet<number>;

  /**
   * @param referenced functions that are exported, start the module or can be put into tables
   * @param isUnbounded instructions whose work depends on an operand
   */
  constructor(outline: Outline, referenced: ReadonlySet<number>, isUnbounded: (opcode: number) => boolean) {
    this.#imported = outline.importedFunctions;
    this.#referenced = referenced;
    this.#units = [];
    const calls: number[][] = [];
    for (const { start, end } of outline.bodies) {
      let units: number | null = 0;
      const own: number[] = [];
      decodeBody(outline.bytes, start, end, ({ opcode, immediate }) => {
        if (units === null) return;
        if (opcode === Op.Call || opcode === Op.ReturnCall) own.push(immediate);
        units = UNBOUNDED.has(opcode) || isUnbounded(opcode) ? null : units + weightOf(opcode);
      });
      // Those that call others are summed up when somebody asks.
      this.#units.push(own.length > 0 && units !== null ? undefined : units);
      calls.push(units === null ? [] : [...own, -1 - units]);
    }
    this.#calls = calls;
  }

  /** Must the work of a function that this one calls be checked there? */
  isBounded(func: number): boolean {
    const units = this.#of(func);
    return units !== null && units <= UNCHECKED;
  }

  /** What a call costs the caller beside the call itself. */
  paidByCaller(func: number): number {
    return func >= this.#imported && this.isPaidByCaller(func) ? (this.#of(func) ?? 0) : 0;
  }

  isPaidByCaller(func: number): boolean {
    const units = this.#of(func);
    return units !== null && units <= PAID_BY_CALLER && !this.#referenced.has(func);
  }

  /** Null if it is not bounded, or by more than anybody asks for. */
  #of(func: number): number | null {
    const offset = func - this.#imported;
    // What the host does is not the guest's work.
    if (offset < 0) return 0;
    const known = this.#units[offset];
    if (known !== undefined) return known;
    // Whoever comes here again is recursive.
    this.#units[offset] = null;
    let sum = 0;
    for (const callee of this.#calls[offset] ?? []) {
      const units = callee < 0 ? -1 - callee : this.#of(callee);
      if (units === null) return null;
      sum += units;
      if (sum > UNCHECKED) return null;
    }
    this.#units[offset] = sum;
    return sum;
  }
}

const UNBOUNDED: ReadonlySet<number> = new Set([
  Op.Loop,
  Op.CallIndirect,
  Op.ReturnCallIndirect,
  Op.CallRef,
  Op.ReturnCallRef,
]);
