/**
 * Values as scripts write them and as JavaScript gets them. Numbers are compared by their bits. What the bits of a constant
 * are, the assembler and the engine say: a module is made that stores all constants of a script into its memory.
 */
import { assembleText } from '../wat.ts';
import type { List, Node } from './sexpr.ts';
import { head } from './wast.ts';

export type NumberType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

/** A value that has been computed. */
export type Value =
  | { readonly type: NumberType; readonly bits: bigint }
  | { readonly type: 'reference'; readonly reference: unknown };

const BYTES: Readonly<Record<NumberType, number>> = { i32: 4, i64: 8, f32: 4, f64: 8, v128: 16 };

export function isNumberType(type: string): type is NumberType {
  return Object.hasOwn(BYTES, type);
}

/** `(f32.const nan:canonical)` is none. */
function isConstant(node: List): boolean {
  return /^(?:i32|i64|f32|f64|v128)\.const$/.test(head(node)) && !words(node).some((word) => isNaNPattern(word));
}

const isNaNPattern = (word: string): boolean => word === 'nan:canonical' || word === 'nan:arithmetic';

const words = (node: List): string[] =>
  node.items.slice(1).flatMap((each) => (each.kind === 'atom' ? [each.text] : []));

const written = (node: List): string =>
  `(${node.items.map((each) => (each.kind === 'atom' ? each.text : '')).join(' ')})`;

/** The lanes of a vector of floats, each as a constant of its own, of which some may be patterns. */
function floatLanes(node: List): List[] | null {
  const [shape = '', ...lanes] = words(node);
  if (head(node) !== 'v128.const' || !/^f(?:32x4|64x2)$/.test(shape)) return null;
  const atom = (text: string): Node => ({ kind: 'atom', text, from: 0, to: 0 });
  return lanes.map((lane) => ({
    kind: 'list',
    items: [atom(`${shape.slice(0, 3)}.const`), atom(lane)],
    from: 0,
    to: 0,
  }));
}

/** What the constants of a script are. */
export class Constants {
  readonly #bits = new Map<string, bigint>();

  /** @param all arguments and expected results */
  constructor(all: Iterable<List>) {
    const wanted = new Set<string>();
    const add = (node: List): void => {
      const lanes = floatLanes(node);
      if (lanes !== null) lanes.forEach(add);
      else if (head(node) === 'either') node.items.slice(1).forEach((each) => each.kind === 'list' && add(each));
      else if (isConstant(node)) wanted.add(written(node));
    };
    for (const node of all) add(node);
    this.#compute([...wanted]);
  }

  #compute(texts: readonly string[]): void {
    const stores = texts.map((text, at) => `(func (${typeOf(text)}.store (i32.const ${at * 16}) ${text}))`);
    // In calls of one function each: there is no limit on them, as there is on the size of one.
    const names = stores.map((store, at) => store.replace('(func', `(func $${at}`));
    const calls = texts.map((_, at) => `(call $${at})`);
    const pages = Math.ceil((texts.length * 16) / 65_536) + 1;
    const wasm = assembleText(
      `(module (memory (export "memory") ${pages}) ${names.join(' ')} (func (export "run") ${calls.join(' ')}))`,
    );
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm));
    (exports['run'] as () => void)();
    const memory = new DataView((exports['memory'] as WebAssembly.Memory).buffer);
    for (const [at, text] of texts.entries()) {
      const low = memory.getBigUint64(at * 16, true);
      const high = memory.getBigUint64(at * 16 + 8, true);
      this.#bits.set(text, (high << 64n) | low);
    }
  }

  /** @returns null if scripts mean something by it that JavaScript cannot make */
  value(node: List): Value | null {
    if (isConstant(node)) {
      const type = typeOf(head(node));
      const lanes = floatLanes(node);
      return { type, bits: lanes === null ? this.#known(node) : join(lanes.map((lane) => this.#known(lane))) };
    }
    switch (head(node)) {
      case 'ref.null':
        return { type: 'reference', reference: null };
      case 'ref.extern':
      case 'ref.host':
        return { type: 'reference', reference: host(words(node)[0] ?? '') };
      default:
        return null;
    }
  }

  #known(node: List): bigint {
    const bits = this.#bits.get(written(node));
    if (bits === undefined) throw new Error(`The constant ${written(node)} is not known`);
    return bits;
  }

  /** Is it what a script expects? */
  matches(expected: List, actual: Value | undefined): boolean {
    if (actual === undefined) return false;
    if (head(expected) === 'either') {
      return expected.items.slice(1).some((each) => each.kind === 'list' && this.matches(each, actual));
    }
    if (actual.type === 'reference') return this.#matchesReference(expected, actual.reference);
    const lanes = floatLanes(expected);
    if (lanes !== null && actual.type === 'v128') {
      const size = BigInt(128 / lanes.length);
      const type = lanes.length === 4 ? 'f32' : 'f64';
      return lanes.every((lane, at) => {
        const bits = (actual.bits >> (BigInt(at) * size)) & ((1n << size) - 1n);
        return this.matches(lane, { type, bits });
      });
    }
    if (typeOf(head(expected)) !== actual.type) return false;
    const [word = ''] = words(expected);
    if (isNaNPattern(word)) return isNaNOf(word, actual.type, actual.bits);
    return this.#known(expected) === actual.bits;
  }

  #matchesReference(expected: List, reference: unknown): boolean {
    const [word] = words(expected);
    switch (head(expected)) {
      case 'ref.null':
        return reference === null;
      case 'ref.func':
        return typeof reference === 'function';
      case 'ref.extern':
      case 'ref.host':
        return word === undefined ? reference !== null : reference === host(word);
      case 'ref.i31':
        return typeof reference === 'number';
      case 'ref.eq':
      case 'ref.any':
      case 'ref.struct':
      case 'ref.array':
        return reference !== null && typeof reference !== 'function';
      default:
        return false;
    }
  }
}

function typeOf(text: string): NumberType {
  const [type = ''] = text.replace('(', '').split('.');
  return isNumberType(type) ? type : 'i32';
}

/** Lanes in order, the first one lowest. */
function join(lanes: readonly bigint[]): bigint {
  const size = BigInt(128 / lanes.length);
  return lanes.reduce((all, lane, at) => all | (lane << (BigInt(at) * size)), 0n);
}

function isNaNOf(word: string, type: NumberType, bits: bigint): boolean {
  const [exponent, fraction] = type === 'f32' ? [0x7f80_0000n, 23n] : [0x7ff0_0000_0000_0000n, 52n];
  const payload = bits & ((1n << fraction) - 1n);
  const quiet = 1n << (fraction - 1n);
  if ((bits & exponent) !== exponent) return false;
  return word === 'nan:canonical' ? payload === quiet : (payload & quiet) !== 0n;
}

const hosts = new Map<string, object>();

/** The host's reference of a number: always the same. */
function host(number: string): object {
  const known = hosts.get(number) ?? { number };
  hosts.set(number, known);
  return known;
}

/** How values go to JavaScript and come from there. Floats and vectors go as the integers that they are made of. */
export function toBits(values: readonly Value[]): unknown[] {
  return values.flatMap((value): unknown[] => {
    if (value.type === 'reference') return [value.reference];
    const { type, bits } = value;
    if (type === 'i32' || type === 'f32') return [Number(BigInt.asIntN(32, bits))];
    if (type === 'v128') return [BigInt.asIntN(64, bits), BigInt.asIntN(64, bits >> 64n)];
    return [BigInt.asIntN(64, bits)];
  });
}

/** @param types of the results, as the module declares them */
export function fromBits(types: readonly string[], result: unknown, count: number): Value[] {
  const all = count === 0 ? [] : count === 1 ? [result] : [...(result as Iterable<unknown>)];
  return types.map((type): Value => {
    const first = all.shift();
    if (!isNumberType(type)) return { type: 'reference', reference: first };
    const size = BYTES[type] * 8;
    const low = BigInt.asUintN(Math.min(size, 64), BigInt(first as number | bigint));
    return { type, bits: type === 'v128' ? low | (BigInt.asUintN(64, all.shift() as bigint) << 64n) : low };
  });
}

export function showValue(value: Value): string {
  if (value.type !== 'reference') return `${value.type} 0x${value.bits.toString(16)}`;
  return value.reference === null ? 'null' : `a reference (${typeof value.reference})`;
}

export function fromGlobal(type: string, value: unknown): Value {
  if (!isNumberType(type)) return { type: 'reference', reference: value };
  const view = new DataView(new ArrayBuffer(8));
  if (type === 'f32') view.setFloat32(0, value as number, true);
  else if (type === 'f64') view.setFloat64(0, value as number, true);
  else view.setBigInt64(0, BigInt(value as number | bigint), true);
  return { type, bits: BigInt.asUintN(BYTES[type] * 8, view.getBigUint64(0, true)) };
}
