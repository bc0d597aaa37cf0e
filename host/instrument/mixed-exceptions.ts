/**
 * Does a module use both forms of exceptions, the one with `try` and the one with `try_table` and references to exceptions? No module may.
 * But V8 (Node 26) finds it out while several threads look at its functions, so that it refuses such a module only now and
 * then; and where its second look, which is for the message, finds nothing, it ends the process. So strangers' modules are looked at
 * before the engine is.
 */
import { Op, decodeBody } from './binary/code.ts';
import type { Instruction } from './binary/code.ts';
import { readOutline } from './binary/module.ts';

const OLD: ReadonlySet<number> = new Set([Op.Try, Op.Catch, Op.Rethrow, Op.Delegate, Op.CatchAll]);
const NEW: ReadonlySet<number> = new Set([Op.ThrowRef, Op.TryTable]);

/** @throws FiberError `BAD_MODULE`, `NOT_WASM` for what cannot be read */
export function mixesExceptions(wasm: Uint8Array): boolean {
  const outline = readOutline(wasm);
  const named = [
    ...outline.types.flatMap((type) => (type === null ? [] : [...type.params, ...type.results])),
    ...outline.globals.map(({ type }) => type),
  ];
  let hasOld = false;
  let hasNew = named.some((type) => /\b(?:no)?exn(?:ref)?\b/.test(type));
  const look = ({ opcode }: Instruction): void => {
    hasOld ||= OLD.has(opcode);
    hasNew ||= NEW.has(opcode);
  };
  for (const { start, end } of outline.bodies) {
    hasNew = decodeBody(outline.bytes, start, end, look).hasExceptionReferences || hasNew;
  }
  return hasOld && hasNew;
}
