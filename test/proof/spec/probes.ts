/**
 * Modules of the specification tests import next to nothing, and nothing of theirs could wait. So they get places at which
 * they can: a call of `proof.pause` at the entry of functions, at the head of loops, and in front of some instructions,
 * whatever values are on the operand stack there. The rest of the code stays as it is, byte by byte.
 *
 * Two things more are added. For each export whose type has floats or vectors another one that takes and gives their bits, since
 * JavaScript has no vectors and is free to change NaNs. And a call of `proof.restore` behind each call that may have waited:
 * the window through which stacks are unwound lies in the module's own memory, in which the tests look at every byte, so the
 * host puts back what was there before. When an export has returned the runtime may write to the window once more, so those
 * others end with a call of `proof.leave`, which tells the host to take note of what is there.
 */
import { analyse } from '../../../host/instrument/binary/analysis.ts';
import type { Analysis } from '../../../host/instrument/binary/analysis.ts';
import { decodeBody, Op } from '../../../host/instrument/binary/code.ts';
import type { AddedFunction, CodeWriter } from '../../../host/instrument/binary/code-writer.ts';
import { ModuleEdit } from '../../../host/instrument/binary/edit.ts';
import { readOutline } from '../../../host/instrument/binary/module.ts';
import type { Outline } from '../../../host/instrument/binary/module.ts';
import { isReference } from '../../../host/instrument/binary/types.ts';
import type { FunctionType } from '../../../host/instrument/binary/types.ts';
import type { Random } from '../random.ts';

/** Begins the names of what is added. */
export const PROOF = 'proof';
export const BITS = 'proof.bits.';
export const MEMORY = 'proof.memory';

/**
 * Where pauses go: everywhere; or not into functions that have references, which cannot be saved; or not into what those call
 * either, nor those with calls that cannot be on the stack at a wait.
 */
export const REACHES = ['everywhere', 'no references', 'far from references'] as const;
export type Reach = (typeof REACHES)[number];

/** In front of at most so many instructions of a function, beside its entry and its loops. */
const MOST_PAUSES = 8;
/** Loops with a pause, per function. */
const MOST_LOOPS = 4;

export function addProbes(wasm: Uint8Array, reach: Reach, random: Random): Uint8Array<ArrayBuffer> {
  const outline = readOutline(wasm);
  const edit = new ModuleEdit(outline);
  const pause = edit.addImport(PROOF, 'pause', edit.type(['i32'], []), 'proof.pause');
  const restore = edit.addImport(PROOF, 'restore', edit.type([], []), 'proof.restore');
  const leave = edit.addImport(PROOF, 'leave', edit.type([], []), 'proof.leave');
  const room = edit.addImport(PROOF, 'room', edit.type(['i32'], ['i32']), 'proof.room');
  const alloc = edit.addFunction('proof.alloc', edit.type(['i32'], ['i32']), [], (code) => {
    code.parameters(1).call(room);
  });
  const free = edit.addFunction('proof.free', edit.type(['i32'], []), [], () => undefined);
  edit.addExport('proof.alloc', 'function', alloc);
  edit.addExport('proof.free', 'function', free);
  if (outline.memories.length > 0) edit.addExport(MEMORY, 'memory', 0);
  addPauses(edit, pausable(outline, reach), pause, restore, random);
  for (const each of outline.exports) {
    const type = each.kind === 'function' ? typeOf(outline, each.index) : null;
    if (type === null) continue;
    if (needsBits(type) || (outline.memories.length > 0 && ![...type.params, ...type.results].some(isReference)))
      addBits(edit, each.name, each.index, type, leave);
  }
  return Uint8Array.from(edit.write(() => false).wasm);
}

function typeOf(outline: Outline, index: number): FunctionType | null {
  return outline.types[outline.functionTypes[index] ?? -1] ?? null;
}

function addPauses(
  edit: ModuleEdit,
  isPausable: (order: number) => boolean,
  pause: AddedFunction,
  restore: AddedFunction,
  random: Random,
): void {
  const { outline } = edit;
  const hasMemory = outline.memories.length > 0;
  let pauses = 0;
  let order = -1;
  edit.watch((body) => {
    const chosen = isPausable(++order) ? choosePlaces(outline, order, random) : new Set<number>();
    let at = 0;
    let waited = false;
    return (instruction) => {
      if (waited) body.insert(instruction, (code) => void code.call(restore));
      waited = hasMemory && mayWait(outline, instruction.opcode, instruction.immediate);
      if (!chosen.has(at++)) return;
      const number = pauses++;
      body.insert(instruction, (code) => {
        code.constant(number).call(pause);
        if (hasMemory) code.call(restore);
      });
    };
  });
}

function mayWait(outline: Outline, opcode: number, callee: number): boolean {
  return (
    opcode === Op.CallIndirect || opcode === Op.CallRef || (opcode === Op.Call && callee < outline.importedFunctions)
  );
}

/** Numbers of the instructions to pause in front of. */
function choosePlaces(outline: Outline, order: number, random: Random): Set<number> {
  const { start, end } = outline.bodies[order] ?? { start: 0, end: 0 };
  const places = new Set([0]);
  let count = 0;
  let loops = 0;
  decodeBody(outline.bytes, start, end, ({ opcode }) => {
    count += 1;
    if (opcode === Op.Loop && loops++ < MOST_LOOPS) places.add(count);
  });
  for (let left = Math.min(MOST_PAUSES, count); left > 0; left--) places.add(random.below(count));
  return places;
}

/** @returns whether the body of that number may have pauses */
function pausable(outline: Outline, reach: Reach): (order: number) => boolean {
  if (reach === 'everywhere') return () => true;
  const analysis = analyse(outline);
  const withReferences = analysis.functions.map((_, order) => hasReferences(outline, analysis, order));
  if (reach === 'no references') return (order) => withReferences[order] !== true;
  const far = reachable(
    outline,
    analysis,
    withReferences.map((has, order) => has || cannotWait(analysis, order)),
  );
  return (order) => far[order] !== true;
}

function cannotWait(analysis: Analysis, order: number): boolean {
  const facts = analysis.functions[order];
  return facts === undefined || facts.tailCalls || facts.tryTable || facts.callsReference.size > 0;
}

function hasReferences(outline: Outline, { functions }: Analysis, order: number): boolean {
  const facts = functions[order];
  const body = outline.bodies[order];
  if (facts === undefined || body === undefined) return true;
  const holds = (type: FunctionType | null): boolean =>
    type === null || [...type.params, ...type.results].some(isReference);
  if (facts.referenceLocals > 0 || holds(typeOf(outline, outline.importedFunctions + order))) return true;
  if ([...facts.calls].some((index) => holds(typeOf(outline, index)))) return true;
  if (facts.indirectCalls.some(({ type }) => holds(outline.types[type] ?? null))) return true;
  let found = false;
  decodeBody(outline.bytes, body.start, body.end, ({ opcode, immediate }) => {
    const global = opcode === Op.GlobalGet ? outline.globals[immediate] : undefined;
    found ||= makesReference(opcode) || (global !== undefined && isReference(global.type));
  });
  return found;
}

/** `ref.null` and the like, `table.get`, and all of garbage collection. */
function makesReference(opcode: number): boolean {
  return (opcode >= 0xd0 && opcode <= 0xd6) || opcode === 0x25 || opcode >> 16 === 0xfb;
}

/** @param from and @returns by number of the body */
function reachable(outline: Outline, { functions }: Analysis, from: readonly boolean[]): boolean[] {
  const reached = [...from];
  const queue = [...from.keys()].filter((order) => from[order] === true);
  for (let order = queue.pop(); order !== undefined; order = queue.pop()) {
    const facts = functions[order];
    // Whatever is in a table, or has its reference taken: all of them, to be sure.
    const anything = facts === undefined || facts.indirectCalls.length > 0 || facts.callsReference.size > 0;
    const callees = anything
      ? [...functions.keys()]
      : [...facts.calls].map((index) => index - outline.importedFunctions).filter((callee) => callee >= 0);
    for (const callee of callees) {
      if (reached[callee] === true) continue;
      reached[callee] = true;
      queue.push(callee);
    }
  }
  return reached;
}

/** Must values of it go as bits? */
export function needsBits({ params, results }: FunctionType): boolean {
  return [...params, ...results].some((type) => type === 'f32' || type === 'f64' || type === 'v128');
}

/** The types that carry the bits of one. */
export function bitTypes(types: readonly string[]): string[] {
  return types.flatMap((type) =>
    type === 'f32' ? ['i32'] : type === 'f64' ? ['i64'] : type === 'v128' ? ['i64', 'i64'] : [type],
  );
}

const SIMD = 0xfd;
const I64X2_SPLAT = 0x12;
const I64X2_EXTRACT_LANE = 0x1d;
const I64X2_REPLACE_LANE = 0x1e;
const REINTERPRET = { f32ToI32: 0xbc, f64ToI64: 0xbd, i32ToF32: 0xbe, i64ToF64: 0xbf } as const;

function addBits(edit: ModuleEdit, name: string, index: number, type: FunctionType, leave: AddedFunction): void {
  const params = bitTypes(type.params);
  const build = (code: CodeWriter): void => {
    let local = 0;
    for (const param of type.params) {
      code.op(Op.LocalGet, local++);
      if (param === 'f32') code.op(REINTERPRET.i32ToF32);
      else if (param === 'f64') code.op(REINTERPRET.i64ToF64);
      else if (param === 'v128') {
        code.op(SIMD, I64X2_SPLAT);
        code.op(Op.LocalGet, local++).op(SIMD, I64X2_REPLACE_LANE, 1);
      }
    }
    code.call(index).call(leave);
    for (let at = type.results.length - 1; at >= 0; at--) code.op(Op.LocalSet, params.length + at);
    for (const [at, result] of type.results.entries()) {
      const get = (): CodeWriter => code.op(Op.LocalGet, params.length + at);
      if (result === 'f32') get().op(REINTERPRET.f32ToI32);
      else if (result === 'f64') get().op(REINTERPRET.f64ToI64);
      else if (result === 'v128') {
        get().op(SIMD, I64X2_EXTRACT_LANE, 0);
        get().op(SIMD, I64X2_EXTRACT_LANE, 1);
      } else get();
    }
  };
  const added = edit.addFunction(`${BITS}${name}`, edit.type(params, bitTypes(type.results)), [...type.results], build);
  edit.addExport(`${BITS}${name}`, 'function', added);
}
