/** The converters of a module's types: one for each, made once. */
import { arrayCodec } from './arrays.ts';
import type { Codec } from './codec.ts';
import { Depth } from './depth.ts';
import type { GuestMemory } from './memory.ts';
import { externCodec, numberCodec } from './numbers.ts';
import { recordCodec } from './records.ts';
import { referenceCodec, type References } from './references.ts';
import { resultCodec, type ResultCodec } from './results.ts';
import { bufferCodec, stringCodec } from './text.ts';
import { typedArrayCodec } from './typed-arrays.ts';
import { type Field, type TypeIndex, type ValueType } from './types.ts';

/** Levels of nesting that a type may have by itself, so that nobody need count them while values pass. */
const SHALLOW = 50;

export class Codecs {
  readonly #all: Codec[] = [];
  readonly #results = new Map<TypeIndex, ResultCodec>();

  constructor(types: readonly ValueType[], memory: GuestMemory, references: References) {
    const depth = new Depth();
    const deep = deepTypes(types);
    const holding = holdingTypes(types);
    types.forEach((type, index) => {
      const found = { depth: deep.has(index) ? depth : null, holds: holding.has(index) };
      this.#all.push(this.#make(type, index, types, memory, references, found));
    });
  }

  /** @param index checked by whoever read the section */
  of(index: TypeIndex): Codec {
    return this.#all[index] as Codec;
  }

  /** Null if the type is of another kind. */
  result(index: TypeIndex): ResultCodec | null {
    return this.#results.get(index) ?? null;
  }

  #make(
    type: ValueType,
    index: TypeIndex,
    types: readonly ValueType[],
    memory: GuestMemory,
    references: References,
    { depth, holds }: { readonly depth: Depth | null; readonly holds: boolean },
  ): Codec {
    // Types may be recursive: a converter finds those that it uses when it is used itself.
    const later = (each: TypeIndex) => (): Codec => this.of(each);
    switch (type.kind) {
      case 'string':
        return stringCodec(memory, type.id, type.nullable);
      case 'buffer':
        return bufferCodec(memory, type.id, type.nullable);
      case 'typedarray':
        return typedArrayCodec(memory, type.array, type.id, type.nullable);
      case 'reference':
        return referenceCodec(memory, references, type);
      case 'array':
      case 'staticarray': {
        const { id, nullable, element } = type;
        // Checked by whoever read the section.
        const shape = {
          id,
          nullable,
          holds,
          inline: type.kind === 'staticarray',
          element: types[element] as ValueType,
        };
        return arrayCodec(memory, shape, later(element), depth);
      }
      case 'record': {
        const fields = type.fields.map(({ name, offset, type: each }) => ({ name, offset, codec: later(each) }));
        return recordCodec(memory, { ...type, holds }, fields, depth);
      }
      case 'result': {
        const field = (name: string): Field | undefined => type.fields.find((each) => each.name === name);
        const value = field('value');
        // Both were found by whoever read the section.
        const ok = field('ok') as Field;
        const failure = field('failure') as Field; // As above.
        const { id, size } = type;
        const shape = { id, size, ok: ok.offset, failure: failure.offset, value: value?.offset ?? null };
        const codecs = { failure: later(failure.type), value: value === undefined ? null : later(value.type) };
        const codec = resultCodec(memory, shape, codecs);
        this.#results.set(index, codec);
        return codec;
      }
      case 'externref':
        return externCodec;
      default:
        return numberCodec(memory, type.kind);
    }
  }
}

/** What a type is made of. */
export function partsOf(type: ValueType): readonly TypeIndex[] {
  if (type.kind === 'array' || type.kind === 'staticarray') return [type.element];
  return type.kind === 'record' || type.kind === 'result' ? type.fields.map((field) => field.type) : [];
}

/** The types from which a reference can be reached: their values keep objects of the guest. */
function holdingTypes(types: readonly ValueType[]): Set<TypeIndex> {
  const users = usersOf(types);
  const found = new Set<TypeIndex>();
  const next = types.flatMap((type, index) => (type.kind === 'reference' ? [index] : []));
  for (let index = next.pop(); index !== undefined; index = next.pop()) {
    if (found.has(index)) continue;
    found.add(index);
    next.push(...(users[index] ?? []));
  }
  return found;
}

/** Those that are recursive, or contain such a type, or are nested deep without being recursive. */
function deepTypes(types: readonly ValueType[]): Set<TypeIndex> {
  const users = usersOf(types);
  const waiting = types.map((type) => partsOf(type).length);
  const levels = types.map(() => 0);
  const deep = new Set(types.keys());
  const next = [...types.keys()].filter((index) => waiting[index] === 0);
  // From the types without parts upwards; what is in a cycle, or above one, is never reached.
  for (let index = next.pop(); index !== undefined; index = next.pop()) {
    const level = levels[index] ?? 0;
    if (level < SHALLOW) deep.delete(index);
    for (const user of users[index] ?? []) {
      levels[user] = Math.max(levels[user] ?? 0, level + 1);
      waiting[user] = (waiting[user] ?? 0) - 1;
      if (waiting[user] === 0) next.push(user);
    }
  }
  return deep;
}

/** For each type those that it is a part of, as often as it is. */
function usersOf(types: readonly ValueType[]): TypeIndex[][] {
  const users: TypeIndex[][] = types.map(() => []);
  types.forEach((type, index) => {
    for (const part of partsOf(type)) users[part]?.push(index);
  });
  return users;
}
