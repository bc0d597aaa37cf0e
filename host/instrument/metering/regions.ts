/**
 * Where a function pays for its work: the regions of its body that are executed as a whole, each of which is paid for where it
 * begins.
 *
 *     function entry      what is executed however the function goes on; checked if it calls what is not bounded (bounds.ts)
 *       loop              each time around; checked
 *       if, else, catch   an arm
 *       after br_if       the rest of the block, which is left out if the branch is taken
 *       after an end      where something inside may have left for further out
 *
 * A loop that does not end, and calls that call without end, come by a check. To check at loops and at recursive functions alone would
 * not do: forty functions of which each calls the next one twice neither loop nor recurse. Nor would what is above: a function may
 * call one that is bounded a million times in a row. So code is also checked after so many units (STRETCH), counted along it as if
 * all of it were executed, with what is called.
 *
 * A region of a few instructions is paid for by the one around it, even if it is not executed then: paying costs as much as three or
 * four instructions. The sum is the same each time, so fuel stays exact in the sense that matters: the same code with the
 * same input takes the same.
 */
import { Op, decodeBody } from '../binary/code.ts';
import type { Instruction } from '../binary/code.ts';
import { weightOf } from './weights.ts';

/** Something to pay. */
export interface Charge {
  /** The instruction before which it is paid, by its offset in the file. */
  readonly offset: number;
  readonly units: number;
  /** Is it looked at then whether all is used up? */
  readonly checked: boolean;
}

/** What a call calls. */
export interface Callee {
  /** Is it sure to be? */
  readonly isBounded: boolean;
  /** Units that it may take before it checks, whoever pays for them. */
  readonly unchecked: number;
}

/** Units between two checks in code without loops: some microseconds. */
const STRETCH = 20_000;

/** What regions cost at most that are paid for around them, alone and together. */
const SMALL = 40;

class Region {
  readonly offset: number;
  readonly checked: boolean;
  /** Where it may be paid for instead. */
  readonly around: Region | null;
  units = 0;
  /** What is in it of others. */
  folded = 0;

  constructor(offset: number, checked: boolean, around: Region | null) {
    this.offset = offset;
    this.checked = checked;
    this.around = around;
  }
}

/** A block that is open. */
interface Frame {
  /** What it began in; null in code that is never executed. */
  readonly outer: Region | null;
  /** May something in it leave it for further out? */
  left: boolean;
}

/**
 * @param start, end of a body
 * @param extra what else an instruction costs: a bulk operation whose size is known, a call that pays for what is called
 * @returns what is to be paid where, and whether there is a call of what is not bounded
 */
export function chargesOf(
  bytes: Uint8Array,
  start: number,
  end: number,
  extra: (instruction: Instruction) => number,
  calleeOf: (instruction: Instruction) => Callee,
): { readonly charges: readonly Charge[]; readonly calls: boolean } {
  const regions: Region[] = [];
  const frames: Frame[] = [{ outer: null, left: false }];
  let calls = false;
  /** Units since the last check. */
  let stretch = 0;
  let entry: Region | null = null;
  let region: Region | null = null;
  const begin = (offset: number, checked: boolean, around: Region | null): Region => {
    const begun = new Region(offset, checked, around);
    regions.push(begun);
    if (checked) stretch = 0;
    return begun;
  };
  const call = (instruction: Instruction): void => {
    const { isBounded, unchecked } = calleeOf(instruction);
    calls ||= !isBounded;
    stretch += unchecked;
  };
  /** A branch leaves so many blocks. */
  const leave = (depth: number): void => {
    for (let at = Math.max(0, frames.length - depth); at < frames.length; at++) {
      const frame = frames[at];
      if (frame !== undefined) frame.left = true;
    }
  };
  decodeBody(bytes, start, end, (instruction) => {
    const { opcode, offset, end: next, immediate } = instruction;
    entry ??= region = begin(offset, false, null);
    const units = opcode === Op.Loop ? 0 : weightOf(opcode) + extra(instruction);
    stretch += units;
    if (region !== null) region.units += units;
    switch (opcode) {
      case Op.Block:
      case Op.Try:
      case Op.TryTable:
        frames.push({ outer: region, left: false });
        break;
      case Op.Loop:
        frames.push({ outer: region, left: false });
        if (region === null) break;
        region = begin(next, true, null);
        region.units = weightOf(opcode);
        break;
      case Op.If:
        frames.push({ outer: region, left: false });
        region &&= begin(next, false, region);
        break;
      case Op.Else:
      case Op.Catch:
      case Op.CatchAll: {
        const outer = frames.at(-1)?.outer ?? null;
        region = outer && begin(next, false, outer);
        break;
      }
      case Op.End:
      case Op.Delegate: {
        const { outer, left } = frames.pop() ?? { outer: null, left: false };
        region = left && outer !== null ? begin(next, false, outer) : outer;
        break;
      }
      case Op.BrIf:
      case Op.BrOnNull:
      case Op.BrOnNonNull:
      case Op.BrOnCast:
      case Op.BrOnCastFail:
        leave(immediate);
        region &&= begin(next, false, region);
        break;
      case Op.Br:
      case Op.BrTable:
        leave(immediate);
        region = null;
        break;
      case Op.Return:
      case Op.Throw:
      case Op.Rethrow:
      case Op.ThrowRef:
        leave(frames.length);
        region = null;
        break;
      case Op.Unreachable:
        region = null;
        break;
      case Op.ReturnCall:
      case Op.ReturnCallIndirect:
      case Op.ReturnCallRef:
        call(instruction);
        leave(frames.length);
        region = null;
        break;
      case Op.Call:
      case Op.CallIndirect:
      case Op.CallRef:
        call(instruction);
    }
    if (stretch > STRETCH && region !== null) region = begin(next, true, null);
  });
  // From within: whatever is paid for around is by then known as a whole.
  for (const each of regions.toReversed()) {
    const { around } = each;
    if (each.checked || around === null || each.units + around.folded > SMALL) continue;
    around.units += each.units;
    around.folded += each.units;
    each.units = 0;
  }
  const charges = regions.flatMap((each) => {
    const checked = each.checked || (each === entry && calls);
    // One that is only there to be checked may have nothing of its own to pay for.
    return each.units > 0 || each.checked ? [{ offset: each.offset, units: each.units, checked }] : [];
  });
  return { charges, calls };
}
