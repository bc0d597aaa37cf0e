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
import type { Callee } from './regions.ts';
import { weightOf } from './weights.ts';

/** Units that a function may take without a check of its own. */
const UNCHECKED = 2000;
/** Calls within calls that cost more than that: whoever is deeper need not be looked at, nor be stood on the host's stack for. */
const DEEPEST = UNCHECKED / weightOf(Op.Call);
/** Units that a caller pays for a call. */
const PAID_BY_CALLER = 100;

const ANY: Callee = { isBounded: false, unchecked: UNCHECKED };
const CHECKED: Callee = { isBounded: false, unchecked: 0 };

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

  /** @param func null if it is not known */
  calleeOf(func: number | null): Callee {
    if (func === null) return ANY;
    const units = this.#of(func);
    return units === null ? CHECKED : { isBounded: true, unchecked: units };
  }

  /** What a call costs the caller beside the call itself. */
  paidByCaller(func: number): number {
    return func >= this.#imported && this.isPaidByCaller(func) ? (this.#of(func) ?? 0) : 0;
  }

  isPaidByCaller(func: number): boolean {
    const units = this.#of(func);
    return units !== null && units <= PAID_BY_CALLER && !this.#referenced.has(func);
  }

  /**
   * Null if it is not bounded, or by more than anybody asks for.
   *
   * @param depth how many calls lead here from the function that was asked for
   */
  #of(func: number, depth: number = 0): number | null {
    const offset = func - this.#imported;
    // What the host does is not the guest's work.
    if (offset < 0) return 0;
    const known = this.#units[offset];
    if (known !== undefined) return known;
    if (depth > DEEPEST) return null;
    // Whoever comes here again is recursive.
    this.#units[offset] = null;
    let sum = 0;
    for (const callee of this.#calls[offset] ?? []) {
      const units = callee < 0 ? -1 - callee : this.#of(callee, depth + 1);
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
