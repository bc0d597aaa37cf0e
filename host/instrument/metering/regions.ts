/**
 * Where a function pays for its work: the regions of its body that are executed as a whole, each of which is paid for where it
 * begins.
 *
 *     function entry      what is executed however the function goes on; checked if it calls anything
 *       loop              each time around; checked
 *       if, else, catch   an arm
 *       after br_if       the rest of the block, which is left out if the branch is taken
 *       after an end      where something inside may have left for further out
 *
 * A loop that does not end, and calls that call without end, come by a check. What is between two checks is a piece of one
 * function and the leaf functions it calls, so it is bounded by the size of the code. To check at loops and at recursive functions
 * alone would not do: forty functions of which each calls the next one twice neither loop nor recurse.
 *
 * A region of a few instructions is paid for by the one around it, even if it is not executed then: paying costs as much as three or
 * four instructions. The sum is the same each time, so fuel stays exact in the sense that matters: the same code with the
 * same input takes the same.
 */
import { Op, decodeBody } from '../binary/code.ts';
import { weightOf } from './weights.ts';

/** Something to pay. */
export interface Charge {
  /** The instruction before which it is paid, by its offset in the file. */
  readonly offset: number;
  readonly units: number;
  /** Is it looked at then whether all is used up? */
  readonly checked: boolean;
}

/** What regions cost at most that are paid for around them, alone and together. */
const SMALL = 12;

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
 * @param extra what else an instruction costs: a bulk operation whose size is known
 * @returns what is to be paid where, and whether the function calls others
 */
export function chargesOf(
  bytes: Uint8Array,
  start: number,
  end: number,
  extra: (offset: number) => number,
): { readonly charges: readonly Charge[]; readonly calls: boolean } {
  const regions: Region[] = [];
  const frames: Frame[] = [{ outer: null, left: false }];
  let calls = false;
  let entry: Region | null = null;
  let region: Region | null = null;
  const begin = (offset: number, checked: boolean, around: Region | null): Region => {
    const begun = new Region(offset, checked, around);
    regions.push(begun);
    return begun;
  };
  /** A branch leaves so many blocks. */
  const leave = (depth: number): void => {
    for (let at = Math.max(0, frames.length - depth); at < frames.length; at++) {
      const frame = frames[at];
      if (frame !== undefined) frame.left = true;
    }
  };
  decodeBody(bytes, start, end, ({ opcode, offset, end: next, immediate }) => {
    entry ??= region = begin(offset, false, null);
    if (region !== null) region.units += opcode === Op.Loop ? 0 : weightOf(opcode) + extra(offset);
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
        calls = true;
        leave(frames.length);
        region = null;
        break;
      case Op.Call:
      case Op.CallIndirect:
      case Op.CallRef:
        calls = true;
    }
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
    return each.units > 0 ? [{ offset: each.offset, units: each.units, checked }] : [];
  });
  return { charges, calls };
}
