/**
 * Numbers. What AssemblyScript would wrap or truncate in silence is refused: an integer that is none or is out of range,
 * a number for a bigint, anything but `true` and `false` for a bool. Floats take every number, NaN and -0 as they are;
 * an f32 rounds as `Math.fround` does.
 *
 * A small integer comes from the guest in 32 bits, of which only its own count.
 */
import type { Codec, Raw } from './codec.ts';
import type { GuestMemory } from './memory.ts';
import { Mismatch } from './mismatch.ts';
import type { NumberKind } from './types.ts';

/** Least and greatest value. */
export const INTEGERS = {
  i8: [-0x80, 0x7f],
  i16: [-0x8000, 0x7fff],
  i32: [-0x80000000, 0x7fffffff],
  u8: [0, 0xff],
  u16: [0, 0xffff],
  u32: [0, 0xffffffff],
} as const;
export type IntegerKind = keyof typeof INTEGERS;

export function numberCodec(memory: GuestMemory, kind: NumberKind): Codec {
  const { bytes, lift, check } = conversions(kind);
  return {
    lift,
    ...accessors(memory, kind, check),
    lower: check,
    bytes,
    managed: false,
    deep: false,
    holds: false,
    zero: kind === 'i64' || kind === 'u64' ? 0n : 0,
  };
}

interface Conversions {
  readonly bytes: Codec['bytes'];
  readonly lift: (raw: Raw) => unknown;
  /** @throws Mismatch */
  readonly check: (value: unknown) => Raw;
}

function conversions(kind: NumberKind): Conversions {
  switch (kind) {
    case 'i8':
      return { bytes: 1, lift: (raw) => (Number(raw) << 24) >> 24, check: integer(kind) };
    case 'i16':
      return { bytes: 2, lift: (raw) => (Number(raw) << 16) >> 16, check: integer(kind) };
    case 'i32':
      return { bytes: 4, lift: same, check: int32 };
    case 'u8':
      return { bytes: 1, lift: (raw) => Number(raw) & 0xff, check: integer(kind) };
    case 'u16':
      return { bytes: 2, lift: (raw) => Number(raw) & 0xffff, check: integer(kind) };
    case 'u32':
      return { bytes: 4, lift: (raw) => Number(raw) >>> 0, check: integer(kind) };
    case 'i64':
      return { bytes: 8, lift: same, check: bigint(-(2n ** 63n), 2n ** 63n - 1n) };
    case 'u64':
      return { bytes: 8, lift: (raw) => BigInt.asUintN(64, raw as bigint), check: bigint(0n, 2n ** 64n - 1n) };
    case 'f32':
    case 'f64':
      return { bytes: kind === 'f32' ? 4 : 8, lift: same, check: float };
    case 'bool':
      return { bytes: 1, lift: (raw) => raw !== 0, check: boolean };
    default:
      return kind satisfies never;
  }
}

const same = (raw: Raw): unknown => raw;

function int32(value: unknown): Raw {
  if (typeof value === 'number' && (value | 0) === value) return value;
  throw notAnInteger('i32', value);
}

function integer(kind: IntegerKind): (value: unknown) => Raw {
  const [least, greatest] = INTEGERS[kind];
  return (value) => {
    if (
      typeof value === 'number' &&
      ((value | 0) === value || value >>> 0 === value) &&
      value >= least &&
      value <= greatest
    ) {
      return value;
    }
    throw notAnInteger(kind, value);
  };
}

export function notAnInteger(kind: IntegerKind, value: unknown): Mismatch {
  const [least, greatest] = INTEGERS[kind];
  return new Mismatch(`an integer from ${least} to ${greatest} (${kind})`, value);
}

function bigint(least: bigint, greatest: bigint): (value: unknown) => Raw {
  return (value) => {
    if (typeof value === 'bigint' && value >= least && value <= greatest) return value;
    throw new Mismatch(`a bigint from ${least} to ${greatest}`, value);
  };
}

function float(value: unknown): Raw {
  if (typeof value === 'number') return value;
  throw new Mismatch('a number', value);
}

function boolean(value: unknown): Raw {
  if (value === true) return 1;
  if (value === false) return 0;
  throw new Mismatch('true or false', value);
}

/** How values are in memory. A getter may have given the value and have called the guest: memory is looked for again. */
function accessors(m: GuestMemory, kind: NumberKind, check: (value: unknown) => Raw): Pick<Codec, 'load' | 'store'> {
  switch (kind) {
    case 'i8':
      return {
        load: (at) => m.i8[at],
        store: (at, value) => {
          const raw = check(value) as number;
          m.refresh();
          m.i8[at] = raw;
        },
      };
    case 'i16':
      return {
        load: (at) => m.i16[at >>> 1],
        store: (at, value) => {
          const raw = check(value) as number;
          m.refresh();
          m.i16[at >>> 1] = raw;
        },
      };
    case 'i32':
      return {
        load: (at) => m.i32[at >>> 2],
        store: (at, value) => {
          const raw = check(value) as number;
          m.refresh();
          m.i32[at >>> 2] = raw;
        },
      };
    case 'u8':
      return {
        load: (at) => m.u8[at],
        store: (at, value) => {
          const raw = check(value) as number;
          m.refresh();
          m.u8[at] = raw;
        },
      };
    case 'u16':
      return {
        load: (at) => m.u16[at >>> 1],
        store: (at, value) => {
          const raw = check(value) as number;
          m.refresh();
          m.u16[at >>> 1] = raw;
        },
      };
    case 'u32':
      return {
        load: (at) => m.u32[at >>> 2],
        store: (at, value) => {
          const raw = check(value) as number;
          m.refresh();
          m.u32[at >>> 2] = raw;
        },
      };
    case 'i64':
      return {
        load: (at) => m.i64[at >>> 3],
        store: (at, value) => {
          const raw = check(value) as bigint;
          m.refresh();
          m.i64[at >>> 3] = raw;
        },
      };
    case 'u64':
      return {
        load: (at) => m.u64[at >>> 3],
        store: (at, value) => {
          const raw = check(value) as bigint;
          m.refresh();
          m.u64[at >>> 3] = raw;
        },
      };
    case 'f32':
      return {
        load: (at) => m.f32[at >>> 2],
        store: (at, value) => {
          const raw = check(value) as number;
          m.refresh();
          m.f32[at >>> 2] = raw;
        },
      };
    case 'f64':
      return {
        load: (at) => m.f64[at >>> 3],
        store: (at, value) => {
          const raw = check(value) as number;
          m.refresh();
          m.f64[at >>> 3] = raw;
        },
      };
    case 'bool':
      return {
        load: (at) => m.u8[at] !== 0,
        store: (at, value) => {
          const raw = check(value) as number;
          m.refresh();
          m.u8[at] = raw;
        },
      };
    default:
      return kind satisfies never;
  }
}

/** What the guest can hold and not look into passes as it is; no object of the guest has such a field. */
export const externCodec: Codec = {
  lift: (raw) => raw,
  load: () => undefined,
  // Whatever it is, the engine takes it.
  lower: (value) => value as Raw,
  store: () => undefined,
  bytes: 4,
  managed: false,
  deep: false,
  holds: false,
  zero: 0,
};
