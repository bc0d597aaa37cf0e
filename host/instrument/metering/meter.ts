/**
 * Metering: rewrites a module so that it pays for its work out of a budget, and hands over to the host when that is used up. Comes
 * before everything else, on the bytes, so that it is the same for both targets, needs no Binaryen, and what it adds suspends as an
 * import of the module's own would.
 *
 *     budget: i32, exported as wasm-fibers.budget        the host fills it
 *     pay UNITS                                          budget -= UNITS
 *     pay and check                                      the same; if (budget < 0) call slice
 *     import wasm-fibers:meter slice: () -> ()           the host fills the budget again, at once, or after a turn of the event loop
 *     import wasm-fibers:meter limit: (i32) -> ()        ends the fiber; does not return
 *
 * Where is paid and where checked: regions.ts. What it costs: weights.ts. What works in pieces: bulk.ts. How deep calls may be:
 * depth.ts.
 *
 * A module gets the same numbers wherever it is metered, and what is paid depends on nothing but the way that is taken through the
 * code: so a fiber that is given so much fuel ends at the same instruction on every engine and in every run, however often it
 * was pre-empted.
 */
import { FiberError } from '../../errors.ts';
import { numberOfLimit } from '../../runtime/limit-names.ts';
import { BUDGET, METER } from '../../runtime/metadata.ts';
import { Op, decodeBody } from '../binary/code.ts';
import type { BodyEdit } from '../binary/code-section.ts';
import type { AddedFunction, CodeWriter } from '../binary/code-writer.ts';
import { ModuleEdit } from '../binary/edit.ts';
import { readOutline } from '../binary/module.ts';
import type { Outline } from '../binary/module.ts';
import { readTables } from '../binary/tables.ts';
import { moveSourceMap } from '../source-map-bytes.ts';
import type { SourceMap } from '../source-map.ts';
import { Bounds } from './bounds.ts';
import { BulkFunctions, costOf, isArrayOperation, isBulk, makesArray } from './bulk.ts';
import { DEPTH, DepthLimit } from './depth.ts';
import type { Limits } from './limits.ts';
import { chargesOf } from './regions.ts';
import type { Charge } from './regions.ts';

export interface Metered {
  readonly outline: Outline;
  readonly sourceMap: SourceMap | null;
  /** Index of the import `slice`, which may suspend. */
  readonly slice: number;
  /** Globals of which each fiber has its own, by name. */
  readonly fiberGlobals: ReadonlyMap<string, number>;
}

/** What is done to one body. */
interface BodyPlan {
  /** Does it call functions that are not bounded? */
  readonly calls: boolean;
  readonly charges: ReadonlyMap<number, Charge>;
  /** What stands in the place of instructions, by their offset; null where the instruction is only paid for. */
  readonly bulk: ReadonlyMap<number, AddedFunction | null>;
}

/** The local that keeps the length of an array operation. */
const LENGTH = 'length';

/** The least that the budget is lowered to at once: far enough from the least i32 for what is paid without a check from there on. */
const FLOOR = -(2 ** 30);

const NOTHING: BodyPlan = { calls: false, charges: new Map(), bulk: new Map() };

/** @throws FiberError `LIMIT_REACHED` if the module begins with more than a limit allows */
export function meter(outline: Outline, limits: Limits, sourceMap: SourceMap | null): Metered {
  refuseBeyond(outline, limits);
  const edit = new ModuleEdit(outline);
  const budget = edit.addGlobal(BUDGET, 0);
  edit.addExport(BUDGET, 'global', budget);
  const slice = edit.addImport(METER, 'slice', edit.type([], []), `${METER}.slice`);
  const limit = edit.addImport(METER, 'limit', edit.type(['i32'], []), `${METER}.limit`);
  const pay = edit.addFunction('wasm-fibers.pay', edit.type(['i32'], []), ['i32'], (code) => {
    writeSaturated(code, budget);
    code.op(Op.GlobalGet, budget).constant(0).op(Op.I32LtS);
    code.when((used) => void used.call(slice));
  });
  const payUnchecked = edit.addFunction('wasm-fibers.charge', edit.type(['i32'], []), ['i32'], (code) => {
    writeSaturated(code, budget);
  });
  const tables = readTables(outline).tables;
  const bulk = new BulkFunctions(
    edit,
    limits,
    { pay, charge: payUnchecked, limit },
    (table) => tables[table]?.type ?? 'funcref',
  );
  const bounds = new Bounds(outline, referencedIn(outline), (opcode) => isBulk(opcode, limits));
  const plans = outline.bodies.map((_, order) => planBody(outline, order, limits, bulk, bounds));
  const depth =
    limits.callDepth === null ? null : new DepthLimit(edit, limits.callDepth, limit, numberOfLimit('callDepth'));
  let next = 0;
  edit.watch((body) => {
    const order = next++;
    const plan = plans[order];
    const count = depth !== null && plan?.calls === true ? depth.watch(order, body) : null;
    const payForArray = (code: CodeWriter): void => {
      code.op(Op.LocalGet, body.scratch(LENGTH)).constant(1).op(Op.I32ShrU).call(pay);
    };
    /** Is the instruction before this one still to be paid for? */
    let isOwed = false;
    return (instruction) => {
      if (isOwed) body.insert(instruction, payForArray);
      isOwed = false;
      count?.(instruction);
      const charge = plan?.charges.get(instruction.offset);
      if (charge !== undefined) body.insert(instruction, (code) => writeCharge(code, charge, body, budget, slice));
      const replacement = plan?.bulk.get(instruction.offset);
      if (replacement === undefined) return;
      if (replacement !== null) body.replace(instruction, (code) => void code.call(replacement));
      else {
        const isNew = makesArray(instruction.opcode);
        body.insert(instruction, (code) => {
          code.op(Op.LocalTee, body.scratch(LENGTH));
          if (isNew) payForArray(code);
        });
        // What changes one has it among its operands, which Asyncify cannot save while the fiber is pre-empted.
        isOwed = !isNew;
      }
    };
  });
  const { wasm, moves } = edit.write(() => false);
  const metered = readOutline(wasm);
  const firstAdded = metered.bodies[outline.bodies.length]?.start ?? null;
  return {
    outline: metered,
    sourceMap: sourceMap === null ? null : moveSourceMap(sourceMap, moves, firstAdded),
    slice: edit.indexOf(slice),
    fiberGlobals: new Map(depth === null ? [] : [[DEPTH, depth.global]]),
  };
}

/**
 * Takes what the first local says, a number of at most 31 bits, off the budget. Sizes are the guest's to choose: wrapped around, the
 * budget would be full again.
 */
function writeSaturated(code: CodeWriter, budget: number): void {
  const [units, left] = [0, 1];
  code.op(Op.GlobalGet, budget).op(Op.LocalGet, units).op(Op.I32Sub).op(Op.LocalTee, left);
  code.op(Op.GlobalGet, budget).op(Op.I32GtS).op(Op.LocalGet, left).constant(FLOOR).op(Op.I32LtS).op(Op.I32Or);
  code.when((beyond) => void beyond.constant(FLOOR).op(Op.LocalSet, left));
  code.op(Op.LocalGet, left).op(Op.GlobalSet, budget);
}

/** Functions that are called otherwise than by name. */
function referencedIn(outline: Outline): Set<number> {
  const { segments, globals, tables } = readTables(outline);
  const given = [globals, ...segments, ...tables.map(({ initial }) => initial)].flatMap(({ functions }) => [
    ...functions,
  ]);
  const exported = outline.exports.filter(({ kind }) => kind === 'function').map(({ index }) => index);
  const referenced = new Set([...given, ...exported, outline.start ?? -1]);
  for (const { start, end } of outline.bodies) {
    decodeBody(outline.bytes, start, end, ({ opcode, immediate }) => {
      if (opcode === Op.RefFunc) referenced.add(immediate);
    });
  }
  return referenced;
}

function planBody(outline: Outline, order: number, limits: Limits, functions: BulkFunctions, bounds: Bounds): BodyPlan {
  const { start = 0, end = 0 } = outline.bodies[order] ?? {};
  // It calls nothing that is not paid for in the same way.
  if (bounds.isPaidByCaller(outline.importedFunctions + order)) return NOTHING;
  const bulk = new Map<number, AddedFunction | null>();
  const known = new Map<number, number>();
  let constant: number | null = null;
  decodeBody(outline.bytes, start, end, (instruction) => {
    const { opcode, offset, immediate } = instruction;
    if (isBulk(opcode, limits)) {
      const cost = constant === null ? null : costOf(opcode, constant);
      if (cost !== null) known.set(offset, cost);
      else bulk.set(offset, isArrayOperation(opcode) ? null : functions.get(instruction));
    }
    constant = opcode === Op.I32Const ? immediate : null;
  });
  const isCall = (opcode: number): boolean => opcode === Op.Call || opcode === Op.ReturnCall;
  const { charges, calls } = chargesOf(
    outline.bytes,
    start,
    end,
    ({ opcode, offset, immediate }) => (isCall(opcode) ? bounds.paidByCaller(immediate) : (known.get(offset) ?? 0)),
    ({ opcode, immediate }) => bounds.calleeOf(isCall(opcode) ? immediate : null),
  );
  return { calls, charges: new Map(charges.map((each) => [each.offset, each])), bulk };
}

function writeCharge(
  code: CodeWriter,
  { units, checked }: Charge,
  body: BodyEdit,
  budget: number,
  slice: AddedFunction,
): void {
  code.op(Op.GlobalGet, budget).constant(units).op(Op.I32Sub);
  if (!checked) {
    code.op(Op.GlobalSet, budget);
    return;
  }
  const left = body.scratch();
  code.op(Op.LocalTee, left).op(Op.GlobalSet, budget);
  code.op(Op.LocalGet, left).constant(0).op(Op.I32LtS);
  code.when((used) => void used.call(slice));
}

/** What a module has from the beginning counts as well. */
function refuseBeyond(outline: Outline, { memoryPages, tableElements }: Limits): void {
  const refuse = (limit: string, has: string, most: string): FiberError =>
    new FiberError(
      'LIMIT_REACHED',
      `This module begins with ${has}, and the limit "${limit}" is ${most}. Raise the limit, or build the module with less.`,
      { limit },
    );
  for (const { min } of outline.memories) {
    if (memoryPages !== null && min > memoryPages)
      throw refuse('memory', `a memory of ${min} pages of 64 KiB`, `${memoryPages} pages`);
  }
  for (const { minimum } of readTables(outline).tables) {
    if (tableElements !== null && minimum > tableElements)
      throw refuse('table', `a table of ${minimum} elements`, `${tableElements} elements`);
  }
}
