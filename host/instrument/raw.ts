/**
 * Binaryen's C interface: several times faster than `getExpressionInfo`, which builds an object and its strings for each
 * expression. Names are interned in Binaryen, so equal names have equal addresses and each is decoded once.
 */
import { FiberError } from '../errors.ts';
import type { Binaryen, Ref } from './binaryen.ts';

type Call = (...args: number[]) => number;

export class Raw {
  readonly binaryen: Binaryen;
  readonly getId: Call;
  readonly getType: Call;
  readonly #strings = new Map<number, string>();
  readonly #loadByte: Call;

  constructor(binaryen: Binaryen) {
    this.binaryen = binaryen;
    this.getId = this.call('ExpressionGetId');
    this.getType = this.call('ExpressionGetType');
    this.#loadByte = this.#find('__i32_load8_u');
  }

  /** A function of binaryen-c.h, named without its prefix `Binaryen`. */
  call(name: string): Call {
    return this.#find(`_Binaryen${name}`);
  }

  /** The same if this version of Binaryen has it. */
  optional(name: string): Call | null {
    const found = this.binaryen[`_Binaryen${name}`];
    return typeof found === 'function' ? (found as Call) : null;
  }

  /** The id of a kind of expression, such as `Call`; -1 if this version of Binaryen does not have it. */
  id(kind: string): number {
    return this.optional(`${kind}Id`)?.() ?? -1;
  }

  /** The C string at an address. */
  string(address: number): string {
    const known = this.#strings.get(address);
    if (known !== undefined) return known;
    const bytes: number[] = [];
    for (let at = address; ; at++) {
      const byte = this.#loadByte(at) & 0xff;
      if (byte === 0) break;
      bytes.push(byte);
    }
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
    this.#strings.set(address, text);
    return text;
  }

  functionName(func: Ref): string {
    return this.string(this.call('FunctionGetName')(func));
  }

  #find(name: `_${string}`): Call {
    const found = this.binaryen[name];
    if (typeof found === 'function') return found as Call;
    throw new FiberError(
      'BINARYEN_FAILED',
      `This version of binaryen has no ${name.slice(1)}. Use the version that wasm-fibers names as its peer dependency: npm i -D binaryen@132`,
    );
  }
}
