/**
 * `Array<T>` and `StaticArray<T>`: JavaScript arrays on the other side, and nothing else: no typed arrays, whose types are
 * others, and no other iterables. Every index must have an element, so an array with holes is refused.
 *
 * Elements are read one by one, in order, and a getter among them may call the guest. So the length is read once, and
 * memory is looked for again after each element that was not a plain value.
 */
import type { Codec } from './codec.ts';
import type { Depth } from './depth.ts';
import { DATA_START, type GuestMemory, LENGTH } from './memory.ts';
import { Mismatch, within } from './mismatch.ts';
import { INTEGERS, type IntegerKind, notAnInteger } from './numbers.ts';
import { corrupt, objectCodec, orNull, sizeOf } from './text.ts';
import type { ValueType } from './types.ts';

/** No object of the guest is larger. */
const MAX_BYTES = 0x3fff_ffff;

export interface ArrayShape {
  readonly id: number;
  readonly nullable: boolean;
  readonly holds: boolean;
  /** A StaticArray has its elements in itself, an Array in a buffer. */
  readonly inline: boolean;
  readonly element: ValueType;
}

/** @param codec gives the element's converter, which may be made later than this one */
export function arrayCodec(memory: GuestMemory, shape: ArrayShape, codec: () => Codec, depth: Depth | null): Codec {
  const { id, nullable, inline, holds } = shape;
  const expected = orNull('an array', nullable);
  const size = sizes(shape.element);
  const lift = lifter(memory, shape.element, codec);
  const fill = filler(memory, shape.element, codec);

  const elements = (address: number): readonly [start: number, length: number] => {
    if (inline) return [address, sizeOf(memory, address, size) / size];
    if (!memory.holds(address, LENGTH + 4)) throw corrupt(address);
    // Within memory, as was just checked.
    const start = memory.u32[(address + DATA_START) >>> 2] as number;
    const length = memory.u32[(address + LENGTH) >>> 2] as number; // As above.
    if (start % size !== 0 || !memory.holds(start, length * size)) throw corrupt(address);
    return [start, length];
  };
  const read = (address: number): unknown[] => {
    const [start, length] = elements(address);
    memory.output.spend(length * size);
    if (depth === null) return lift(start, length);
    depth.enter(address);
    try {
      return lift(start, length);
    } finally {
      depth.leave();
    }
  };
  const make = (value: unknown, slot: number): number => {
    if (!Array.isArray(value)) throw new Mismatch(expected, value);
    const { length } = value as unknown[];
    // A proxy of an array may say anything.
    if (!Number.isInteger(length) || length < 0) throw new Mismatch(`${expected} with a length`, value);
    const bytes = length * size;
    if (bytes > MAX_BYTES) throw new Mismatch(`${expected} of at most ${MAX_BYTES / size} elements`, value);
    const address = inline ? memory.allocate(bytes, id) : memory.allocateArray(id, bytes, length);
    if (slot !== 0) memory.u32[slot >>> 2] = address;
    const start = inline ? address : (memory.u32[(address + DATA_START) >>> 2] as number); // Just allocated.
    if (depth === null) {
      fill(start, value as unknown[], length);
      return address;
    }
    depth.enter(value);
    try {
      fill(start, value as unknown[], length);
    } finally {
      depth.leave();
    }
    return address;
  };
  return objectCodec(memory, { expected, nullable, deep: true, holds }, read, make);
}

export function sizes(type: ValueType): Codec['bytes'] {
  switch (type.kind) {
    case 'i8':
    case 'u8':
    case 'bool':
      return 1;
    case 'i16':
    case 'u16':
      return 2;
    case 'i64':
    case 'u64':
    case 'f64':
      return 8;
    default:
      return 4;
  }
}

type Lift = (start: number, length: number) => unknown[];
type Fill = (start: number, values: readonly unknown[], length: number) => void;

/** Numbers that pass as they are, by the view that they are in. */
const VIEWS = {
  i8: 'i8',
  i16: 'i16',
  i32: 'i32',
  u8: 'u8',
  u16: 'u16',
  u32: 'u32',
  i64: 'i64',
  u64: 'u64',
  f32: 'f32',
  f64: 'f64',
} as const;

const isPlain = (kind: string): kind is keyof typeof VIEWS => Object.hasOwn(VIEWS, kind);

/** An array that never grows: twice as fast as one that does. No longer than memory, as whoever calls has checked. */
function sized(length: number): unknown[] {
  // oxlint-disable-next-line unicorn/no-new-array -- a length is what is meant
  return new Array<unknown>(length);
}

function lifter(memory: GuestMemory, element: ValueType, codec: () => Codec): Lift {
  const size = sizes(element);
  const { kind } = element;
  if (isPlain(kind)) {
    return (start, length) => {
      const view = memory[VIEWS[kind]];
      const first = start / size;
      const values = sized(length);
      for (let i = 0; i < length; i++) values[i] = view[first + i];
      return values;
    };
  }
  return (start, length) => {
    const { load } = codec();
    const values: unknown[] = [];
    values.length = length;
    let i = 0;
    try {
      for (; i < length; i++) values[i] = load(start + i * size);
    } catch (error) {
      throw within(i, error);
    }
    return values;
  };
}

function filler(memory: GuestMemory, element: ValueType, codec: () => Codec): Fill {
  const size = sizes(element);
  const oneByOne: Fill = (start, values, length) => {
    const { store } = codec();
    let i = 0;
    try {
      for (; i < length; i++) store(start + i * size, values[i]);
    } catch (error) {
      throw within(i, error);
    }
  };
  const { kind } = element;
  if (!isPlain(kind) || kind === 'i64' || kind === 'u64') return oneByOne;
  const check = kind === 'f32' || kind === 'f64' ? null : bounds(kind);
  return (start, values, length) => {
    const view = memory[VIEWS[kind]];
    const first = start / size;
    if (check === null) fillFloats(view, first, values, length);
    else fillIntegers(view, first, values, length, check);
    // A getter among the elements had the guest grow its memory, and the rest was written to nothing.
    if (view.length === 0) {
      memory.refresh();
      oneByOne(start, values, length);
    }
  };
}

type NumberView = Exclude<GuestMemory[(typeof VIEWS)[keyof typeof VIEWS]], BigInt64Array | BigUint64Array>;

interface Bounds {
  readonly kind: IntegerKind;
  readonly least: number;
  readonly greatest: number;
}

function bounds(kind: IntegerKind): Bounds {
  const [least, greatest] = INTEGERS[kind];
  return { kind, least, greatest };
}

function fillIntegers(
  view: NumberView,
  first: number,
  values: readonly unknown[],
  length: number,
  { kind, least, greatest }: Bounds,
): void {
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (
      typeof value !== 'number' ||
      ((value | 0) !== value && value >>> 0 !== value) ||
      value < least ||
      value > greatest
    ) {
      throw within(i, notAnInteger(kind, value));
    }
    view[first + i] = value;
  }
}

function fillFloats(view: NumberView, first: number, values: readonly unknown[], length: number): void {
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (typeof value !== 'number') throw within(i, new Mismatch('a number', value));
    view[first + i] = value;
  }
}
