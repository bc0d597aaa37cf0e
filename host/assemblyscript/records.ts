/**
 * Plain classes: objects with the same properties on the other side. Further properties of an object are ignored, as
 * TypeScript's structural types have it; a missing one is undefined, which fits no type. Getters and proxies are read
 * like everything else, in the order of the fields, once each.
 */
import type { Codec } from './codec.ts';
import type { Depth } from './depth.ts';
import type { GuestMemory } from './memory.ts';
import { Mismatch, within } from './mismatch.ts';
import { corrupt, objectCodec, orNull } from './text.ts';

export interface RecordShape {
  readonly name: string;
  readonly id: number;
  /** Bytes. */
  readonly size: number;
  readonly nullable: boolean;
  readonly holds: boolean;
}

export interface FieldCodec {
  readonly name: string;
  readonly offset: number;
  /** May be made later than the record's. */
  readonly codec: () => Codec;
}

interface LinkedField {
  readonly name: string;
  readonly offset: number;
  readonly load: Codec['load'];
  readonly store: Codec['store'];
}

/** An object with these properties, undefined ones, of its own: also one called `__proto__`. */
export function template(names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

export function recordCodec(
  memory: GuestMemory,
  shape: RecordShape,
  fields: readonly FieldCodec[],
  depth: Depth | null,
): Codec {
  const { id, size, nullable, holds } = shape;
  const expected = orNull(`an object (${shape.name})`, nullable);
  // A property takes the host no less if its field is a single byte.
  const counted = Math.max(size, 8 * fields.length);
  const empty = template(fields.map(({ name }) => name));

  // Linked at the first use: a field's converter may be made later than this one.
  let linked: LinkedField[] | null = null;
  const link = (): LinkedField[] =>
    (linked = fields.map(({ name, offset, codec }) => ({ name, offset, load: codec().load, store: codec().store })));

  const fill = (address: number, value: Record<string, unknown>): void => {
    const all = linked ?? link();
    let i = 0;
    try {
      for (; i < all.length; i++) {
        const { name, offset, store } = all[i] as LinkedField; // Within its length.
        store(address + offset, value[name]);
      }
    } catch (error) {
      throw within(all[i]?.name ?? '', error);
    }
  };
  const lift = (address: number): unknown => {
    const all = linked ?? link();
    const value = { ...empty };
    let i = 0;
    try {
      for (; i < all.length; i++) {
        const { name, offset, load } = all[i] as LinkedField; // Within its length.
        value[name] = load(address + offset);
      }
    } catch (error) {
      throw within(all[i]?.name ?? '', error);
    }
    return value;
  };
  const read = (address: number): unknown => {
    if ((address & 7) !== 0 || !memory.holds(address, size)) throw corrupt(address);
    memory.output.spend(counted);
    if (depth === null) return lift(address);
    depth.enter(address);
    try {
      return lift(address);
    } finally {
      depth.leave();
    }
  };
  const make = (value: unknown, slot: number): number => {
    if (typeof value !== 'object' || value === null) throw new Mismatch(expected, value);
    const address = memory.allocate(size, id);
    if (slot !== 0) memory.u32[slot >>> 2] = address;
    const source = value as Record<string, unknown>;
    if (depth === null) {
      fill(address, source);
      return address;
    }
    depth.enter(value);
    try {
      fill(address, source);
    } finally {
      depth.leave();
    }
    return address;
  };
  return objectCodec(memory, { expected, nullable, deep: true, holds }, read, make);
}
