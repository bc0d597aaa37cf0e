/**
 * What the bytes of a module say that its source map does not: where each function lies, and where the map is. With it,
 * frames of several modules can be told apart, and an offset cannot be taken for one of the function before.
 *
 * The bytes are whatever somebody served: what cannot be read is left out, and nothing here throws.
 */

/** Which function has which bytes. */
export interface Functions {
  /** How many are imported; the first that is the module's own has this index. */
  readonly imported: number;
  /** Begin and end of each body in turn. */
  readonly ranges: readonly number[];
}

export interface ModuleFacts {
  readonly functions: Functions | null;
  readonly sourceMappingUrl: string | null;
}

const IMPORTS = 2;
const CODE = 10;

export function isModule(bytes: Uint8Array): boolean {
  return bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d;
}

export function readModule(bytes: Uint8Array): ModuleFacts {
  let sourceMappingUrl: string | null = null;
  let imported: number | null = 0;
  let ranges: number[] | null = null;
  const at = { bytes, position: 8 };
  while (at.position < bytes.length) {
    const id = number(at);
    const size = number(at);
    const end = at.position + size;
    if (id === 0 && text(at) === 'sourceMappingURL') sourceMappingUrl = text(at);
    if (id === IMPORTS) imported = countFunctionImports(at);
    if (id === CODE) ranges = readRanges(at, end);
    at.position = end;
  }
  return { functions: imported === null || ranges === null ? null : { imported, ranges }, sourceMappingUrl };
}

/** The content of a `sourceMappingURL` section. */
export function readUrl(section: ArrayBuffer): string {
  return text({ bytes: new Uint8Array(section), position: 0 });
}

interface Cursor {
  readonly bytes: Uint8Array;
  position: number;
}

function number(at: Cursor): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    // What is beyond the end reads as zero.
    const byte = at.bytes[at.position++] ?? 0;
    value += (byte & 127) * scale;
    if (byte < 128 || scale > 2 ** 28) return value;
  }
}

function text(at: Cursor): string {
  const length = number(at);
  const start = at.position;
  at.position += length;
  return new TextDecoder().decode(at.bytes.subarray(start, at.position));
}

function readRanges(at: Cursor, end: number): number[] | null {
  const count = number(at);
  const ranges: number[] = [];
  for (let index = 0; index < count; index++) {
    const size = number(at);
    ranges.push(at.position, at.position + size);
    at.position += size;
    if (at.position > end) return null;
  }
  return ranges;
}

/** Null where an import is of a kind that is not known here. */
function countFunctionImports(at: Cursor): number | null {
  let functions = 0;
  for (let left = number(at); left > 0; left--) {
    text(at);
    text(at);
    const kind = number(at);
    if (kind === 0) {
      functions++;
      number(at);
    } else if (kind === 1) {
      skipType(at);
      skipLimits(at);
    } else if (kind === 2) skipLimits(at);
    else if (kind === 3) {
      skipType(at);
      number(at);
    } else if (kind === 4) {
      number(at);
      number(at);
    } else return null;
    if (at.position > at.bytes.length) return null;
  }
  return functions;
}

function skipType(at: Cursor): void {
  const code = number(at);
  // A reference with its heap type written out.
  if (code === 0x63 || code === 0x64) number(at);
}

function skipLimits(at: Cursor): void {
  const flags = number(at);
  number(at);
  if (flags & 1) number(at);
  // A page size of its own.
  if (flags & 8) number(at);
}
