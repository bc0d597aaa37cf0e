/**
 * Value types and function types as text: `i32`, `externref`, `(ref null $3)`. Text is all that is asked of them: they
 * are compared, shown to people, and written into the custom section.
 */
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

export interface FunctionType {
  readonly params: readonly string[];
  readonly results: readonly string[];
}

/** The type's byte. */
export const I32 = 0x7f;

const SIMPLE: Readonly<Record<number, string>> = {
  [I32]: 'i32',
  0x7e: 'i64',
  0x7d: 'f32',
  0x7c: 'f64',
  0x7b: 'v128',
  0x78: 'i8',
  0x77: 'i16',
};

const HEAP: Readonly<Record<number, string>> = {
  0x74: 'noexn',
  0x73: 'nofunc',
  0x72: 'noextern',
  0x71: 'none',
  0x70: 'func',
  0x6f: 'extern',
  0x6e: 'any',
  0x6d: 'eq',
  0x6c: 'i31',
  0x6b: 'struct',
  0x6a: 'array',
  0x69: 'exn',
  0x68: 'cont',
  0x67: 'string',
};

/** Types that need no more than the first reference-types proposal: `null` of them is a plain default. */
const NUMERIC: ReadonlySet<string> = new Set(['i32', 'i64', 'f32', 'f64', 'v128']);

/** Is a value of this type a reference, which cannot be written into linear memory? */
export function isReference(type: string): boolean {
  return !NUMERIC.has(type);
}

/** The heap types that are older than garbage collection, or independent of it. */
const OLDER: ReadonlySet<string> = new Set(['func', 'extern', 'exn', 'noexn', 'cont', 'string']);

/** Those of null, which compilers give to `ref.null` also where nothing else is of that time: it can be written as it was before. */
const OF_NULL: ReadonlySet<string> = new Set(['none', 'nofunc', 'noextern']);

const OF_EXCEPTIONS: ReadonlySet<string> = new Set(['exn', 'noexn']);

export function readHeapType(reader: Reader): string {
  const start = reader.pos;
  const code = reader.s33();
  if (code >= 0) {
    reader.hasGcReferences = true;
    return `$${code}`;
  }
  const name = HEAP[code + 0x80];
  if (name === undefined) {
    reader.pos = start;
    throw reader.malformed('an unknown heap type');
  }
  reader.hasGcReferences ||= !OLDER.has(name) && !OF_NULL.has(name);
  reader.hasExceptionReferences ||= OF_EXCEPTIONS.has(name);
  return name;
}

export function readValueType(reader: Reader): string {
  const code = reader.byte();
  const simple = SIMPLE[code];
  if (simple !== undefined) return simple;
  const heap = HEAP[code];
  reader.hasGcReferences ||= heap === undefined ? code === 0x63 || code === 0x64 : !OLDER.has(heap);
  if (heap !== undefined) {
    reader.hasExceptionReferences ||= OF_EXCEPTIONS.has(heap);
    return `${heap}ref`;
  }
  if (code === 0x64) return `(ref ${readHeapType(reader)})`;
  if (code === 0x63) return `(ref null ${readHeapType(reader)})`;
  reader.pos -= 1;
  throw reader.malformed('an unknown value type');
}

/** The inverse of `readValueType`. */
export function writeValueType(writer: Writer, type: string): void {
  const definite = /^\(ref (null )?(.+)\)$/.exec(type);
  if (definite !== null) {
    writer.byte(definite[1] === undefined ? 0x64 : 0x63);
    const heap = definite[2] ?? '';
    // Signed, since negative numbers are the abstract types.
    if (heap.startsWith('$')) writer.s32(Number(heap.slice(1)));
    else writer.byte(codeOf(HEAP, heap));
  } else if (type.endsWith('ref')) writer.byte(codeOf(HEAP, type.slice(0, -3)));
  else writer.byte(codeOf(SIMPLE, type));
}

function codeOf(codes: Readonly<Record<number, string>>, name: string): number {
  return Number(Object.keys(codes).find((code) => codes[Number(code)] === name));
}

/** `(i32, f64) -> i32` as a person reads it. */
export function showSignature(type: FunctionType): string {
  const results = type.results.length === 0 ? '()' : type.results.join(', ');
  return `(${type.params.join(', ')}) -> ${results}`;
}
