/**
 * What instructions cost, in units of fuel: about what they take on today's engines relative to an addition in a register. The
 * numbers are part of what a module is instrumented with, so the same module takes the same fuel on every engine and every run.
 *
 * What only structures code costs nothing, but for `loop`, which must cost something each time around.
 */
import { Op } from '../binary/code.ts';

/** A call takes a frame, and what is called may do nothing else that costs. */
const CALL = 6;

const WEIGHTS = new Map<number, number>([
  [Op.Block, 0],
  [Op.Loop, 1],
  [0x01, 0],
  [Op.Else, 0],
  [Op.End, 0],
  [Op.Try, 0],
  [Op.TryTable, 0],
  [Op.Delegate, 0],
  [Op.Drop, 0],
  [Op.Unreachable, 0],
  [Op.Throw, 100],
  [Op.Rethrow, 100],
  [Op.ThrowRef, 100],
  [Op.BrTable, 3],
  [Op.Call, CALL],
  [Op.ReturnCall, CALL],
  [Op.CallIndirect, CALL + 4],
  [Op.ReturnCallIndirect, CALL + 4],
  [Op.CallRef, CALL + 2],
  [Op.ReturnCallRef, CALL + 2],
  [Op.TableGet, 3],
  [Op.TableSet, 6],
  // The engine asks the operating system.
  [Op.MemoryGrow, 500],
]);

const LOADS = [0x28, 0x35] as const;
const STORES = [0x36, 0x3e] as const;
/** Division and remainder of integers. */
const DIVISIONS = [0x6d, 0x6e, 0x6f, 0x70, 0x7f, 0x80, 0x81, 0x82];
/** `f32.sqrt` and `f32.div`, and those of `f64`. */
const SLOW_FLOATS = [0x91, 0x95, 0x9f, 0xa3];
for (const opcode of DIVISIONS) WEIGHTS.set(opcode, 8);
for (const opcode of SLOW_FLOATS) WEIGHTS.set(opcode, 5);

/** By prefix: garbage collection, bulk operations and saturating conversions, vectors, atomics. */
const PREFIXED = new Map<number, number>([
  [0xfb, 4],
  [0xfc, 4],
  [0xfd, 2],
  [0xfe, 10],
]);

/** Units of fuel, without what a bulk operation costs by its size. */
export function weightOf(opcode: number): number {
  const known = WEIGHTS.get(opcode);
  if (known !== undefined) return known;
  if (opcode >= LOADS[0] && opcode <= LOADS[1]) return 2;
  if (opcode >= STORES[0] && opcode <= STORES[1]) return 2;
  return opcode > 0xff ? (PREFIXED.get(opcode >> 16) ?? 1) : 1;
}

/** So many bytes, or half as many references, are moved for one unit, as a power of two. */
export const BYTES_PER_UNIT = 5;
