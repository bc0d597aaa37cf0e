/**
 * Which of a module's types are one and the same to an engine, whatever their indices, and which are subtypes of which:
 * what decides whether `call_indirect` takes a function or traps. Types are equal if the recursive groups that they stand in
 * are, and they stand at the same place in them; a type outside of any group is a group of its own.
 */
import type { Outline } from './module.ts';
import { Reader } from './reader.ts';
import { readHeapType, readValueType } from './types.ts';

export interface TypeIdentity {
  /** The lowest index of a type that is the same. */
  canonical(type: number): number;
  /** Is a function of the one type taken where the other one is asked for? */
  isSubtype(type: number, wanted: number): boolean;
}

const TYPE_SECTION = 1;
const GROUP = 0x4e;
const OPEN_SUBTYPE = 0x50;
const FINAL_SUBTYPE = 0x4f;
const FUNCTION = 0x60;
const STRUCT = 0x5f;
const ARRAY = 0x5e;
const CONTINUATION = 0x5d;
/** Prefixes of later proposals: shared, and two that have the index of a type with them. */
const SHARED = 0x65;
const DESCRIPTORS: readonly number[] = [0x4d, 0x4c];

/** One type as text, in which other types are known by what they are and not by their index. */
interface Definition {
  readonly text: string;
  readonly supertypes: readonly number[];
}

export function readTypeIdentity(outline: Outline): TypeIdentity {
  const section = outline.sections.find((each) => each.id === TYPE_SECTION);
  const canonical: number[] = [];
  const supertypes = new Map<number, readonly number[]>();
  if (section !== undefined) {
    const reader = new Reader(outline.bytes, section.body, section.end);
    const groups = new Map<string, number>();
    reader.list(() => {
      const first = canonical.length;
      const definitions = readGroup(reader, (type) => show(type, first, canonical));
      const key = JSON.stringify(definitions.map((each) => each.text));
      const same = groups.get(key) ?? first;
      groups.set(key, same);
      for (const [place, definition] of definitions.entries()) {
        canonical.push(same + place);
        supertypes.set(first + place, definition.supertypes);
      }
    });
  }
  const identity = (type: number): number => canonical[type] ?? type;
  return {
    canonical: identity,
    isSubtype(type, wanted) {
      const goal = identity(wanted);
      // Supertypes come earlier, so this ends; a module that says otherwise is invalid, and its size ends it.
      let left = canonical.length + 1;
      const above: number[] = [type];
      for (let each = above.pop(); each !== undefined && left > 0; each = above.pop(), left--) {
        if (identity(each) === goal) return true;
        above.push(...(supertypes.get(identity(each)) ?? []));
      }
      return false;
    },
  };
}

/** A reference to a type of the same group by its place, to an earlier one by its identity. */
function show(type: number, first: number, canonical: readonly number[]): string {
  return type >= first ? `group+${type - first}` : `type ${canonical[type] ?? type}`;
}

function readGroup(reader: Reader, name: (type: number) => string): Definition[] {
  if (reader.bytes[reader.pos] !== GROUP) return [readDefinition(reader, name)];
  reader.pos += 1;
  return reader.list(() => readDefinition(reader, name));
}

function readDefinition(reader: Reader, name: (type: number) => string): Definition {
  const named = (text: string): string => text.replace(/\$(\d+)/, (_, index: string) => name(Number(index)));
  const first = reader.bytes[reader.pos];
  let open = false;
  let supertypes: number[] = [];
  if (first === OPEN_SUBTYPE || first === FINAL_SUBTYPE) {
    open = first === OPEN_SUBTYPE;
    reader.pos += 1;
    supertypes = reader.list(() => reader.u32());
  }
  const parts = [open ? 'open' : 'final', ...supertypes.map(name)];
  let code = reader.byte();
  for (; code === SHARED || DESCRIPTORS.includes(code); code = reader.byte()) {
    parts.push(`prefix ${code}`);
    if (code !== SHARED) parts.push(name(reader.u32()));
  }
  const value = (): string => named(readValueType(reader));
  const field = (): string => `${value()} ${reader.byte()}`;
  if (code === FUNCTION) {
    parts.push('function', reader.list(value).join(), '->', reader.list(value).join());
  } else if (code === STRUCT) parts.push('struct', reader.list(field).join());
  else if (code === ARRAY) parts.push('array', field());
  else if (code === CONTINUATION) parts.push('continuation', named(readHeapType(reader)));
  else throw reader.malformed('an unknown type');
  return { text: parts.join(' '), supertypes };
}
