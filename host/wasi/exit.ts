/**
 * The end of a program in the middle of its code. Unwinding it by a JavaScript exception would run its handlers: `catch_all`
 * catches such exceptions, and C++ destructors are made of it. A trap goes through: nothing in WebAssembly catches one. So a
 * module of one instruction traps in the program's place.
 */

const WASM_HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00] as const;

/** (module (func (export "trap") unreachable)) */
const TRAP = Uint8Array.of(
  ...WASM_HEADER,
  ...section(1, [1, 0x60, 0, 0]),
  ...section(3, [1, 0]),
  ...section(7, [1, 4, 0x74, 0x72, 0x61, 0x70, 0, 0]),
  ...section(10, [1, 3, 0, 0x00, 0x0b]),
);

function section(id: number, content: readonly number[]): number[] {
  return [id, content.length, ...content];
}

let trap: (() => void) | null = null;

/** Ends the guest code that has called the host function. Never returns: it throws what nothing in the guest can catch. */
export function endGuest(): never {
  if (trap === null) {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(TRAP));
    trap = exports['trap'] as () => void;
  }
  trap();
  throw new Error('unreachable code was reached');
}
