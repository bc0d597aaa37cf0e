/** The bytes of a module, from whoever may be JavaScript. */
import { FiberError } from '../errors.ts';

/**
 * @param by the function that was called, for the message
 * @throws FiberError `NOT_WASM`
 */
export function asBytes(wasm: unknown, by: 'instrument' | 'explain' | 'report'): Uint8Array {
  if (wasm instanceof Uint8Array) return new Uint8Array(wasm.buffer, wasm.byteOffset, wasm.byteLength);
  if (wasm instanceof ArrayBuffer) return new Uint8Array(wasm);
  const what =
    typeof wasm === 'string' ? 'a string (of a path or of the text format?)' : wasm === null ? 'null' : typeof wasm;
  throw new FiberError('NOT_WASM', `${by}() takes the bytes of a module as a Uint8Array, not ${what}.`);
}
