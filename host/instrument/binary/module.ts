/**
 * The outline of a module, read from its bytes without Binaryen: types, imports, exports, globals, where each function
 * body lies, names and features. It serves `inspect`, and every refusal that can be made before fifteen megabytes of
 * Binaryen are loaded. Bodies are not decoded here: see code.ts.
 */
import { FiberError } from '../../errors.ts';
import { readNames } from './names.ts';
import type { Names } from './names.ts';
import { Reader } from './reader.ts';
import { readHeapType, readValueType } from './types.ts';
import type { FunctionType } from './types.ts';

export interface Limits {
  readonly min: number;
  readonly max: number | null;
  readonly shared: boolean;
  readonly is64: boolean;
}

export type ImportKind = 'function' | 'table' | 'memory' | 'global' | 'tag';

export interface Import {
  readonly module: string;
  readonly name: string;
  readonly kind: ImportKind;
  /** The signature of a function import. */
  readonly type: FunctionType | null;
  /** The rest of what the import asks for, as a person reads it. */
  readonly detail: string;
}

export interface Export {
  readonly name: string;
  readonly kind: ImportKind;
  readonly index: number;
}

export interface Global {
  readonly type: string;
  readonly mutable: boolean;
  readonly imported: boolean;
  /** The value of an `i32.const` initialiser. */
  readonly initial: number | null;
}

export interface Section {
  readonly id: number;
  /** Name of a custom section, else the empty string. */
  readonly name: string;
  /** First byte of the header. */
  readonly start: number;
  /** First byte of the contents (behind the name of a custom section). */
  readonly body: number;
  readonly end: number;
}

export interface Outline {
  readonly bytes: Uint8Array;
  readonly sections: readonly Section[];
  readonly types: readonly (FunctionType | null)[];
  /** Does the type section define structs, arrays, recursive groups or subtypes? */
  readonly gcTypes: boolean;
  /** Are types of references named outside of code that came with garbage collection? */
  readonly hasGcReferences: boolean;
  readonly imports: readonly Import[];
  /** Type index of every function, imports first. */
  readonly functionTypes: readonly number[];
  readonly importedFunctions: number;
  readonly memories: readonly Limits[];
  readonly importedMemories: number;
  readonly globals: readonly Global[];
  readonly exports: readonly Export[];
  readonly start: number | null;
  /** Byte range of each body, `bodies[i]` being that of function `importedFunctions + i`. */
  readonly bodies: readonly { readonly start: number; readonly end: number }[];
  /** End of the highest active data segment with a constant address: statically allocated data ends here or later. */
  readonly dataEnd: number;
  /** Is there arithmetic in a constant expression? */
  readonly extendedConstants: boolean;
  readonly names: Names;
  /** Names from the `target_features` section, or null if there is none. */
  readonly features: ReadonlySet<string> | null;
}

const KINDS: readonly ImportKind[] = ['function', 'table', 'memory', 'global', 'tag'];

/**
 * Reads the outline of a core module.
 *
 * @throws FiberError `NOT_WASM` (text, JavaScript, HTML, a component ...) or `BAD_MODULE` (truncated, malformed)
 */
export function readOutline(bytes: Uint8Array): Outline {
  checkMagic(bytes);
  const reader = new Reader(bytes, 8);
  const sections: Section[] = [];
  const types: (FunctionType | null)[] = [];
  let gcTypes = false;
  let hasGcReferences = false;
  const constants: Constants = { extended: false };
  let imports: Import[] = [];
  const functionTypes: number[] = [];
  const memories: Limits[] = [];
  const globals: Global[] = [];
  let exports: Export[] = [];
  let start: number | null = null;
  let bodies: { start: number; end: number }[] = [];
  let declaredBodies = 0;
  let dataEnd = 0;
  let names: Names = { functions: new Map(), globals: new Map(), memories: new Map() };
  let namesSection: Section | null = null;
  let features: Set<string> | null = null;
  let importedFunctions = 0;
  let importedMemories = 0;

  while (!reader.done) {
    const sectionStart = reader.pos;
    const id = reader.byte();
    const size = reader.u32();
    const section = reader.sub(size);
    const name = id === 0 ? section.name() : '';
    sections.push({ id, name, start: sectionStart, body: section.pos, end: section.end });
    if (id === 0 && name === 'name') namesSection = sections.at(-1) ?? null;
    else if (id === 0 && name === 'target_features') features = readFeatures(section);
    else if (id === 1) gcTypes = readTypes(section, types);
    else if (id === 2) {
      imports = section.list(() => readImport(section, types, { functionTypes, memories, globals }));
      importedFunctions = functionTypes.length;
      importedMemories = memories.length;
    } else if (id === 3) {
      declaredBodies = section.list(() => functionTypes.push(section.u32())).length;
    } else if (id === 4) section.list(() => readTable(section, constants));
    else if (id === 9) section.list(() => readElements(section, constants));
    else if (id === 5) section.list(() => memories.push(readLimits(section)));
    else if (id === 6) section.list(() => globals.push(readGlobal(section, constants)));
    else if (id === 7) {
      exports = section.list(() => ({
        name: section.name(),
        kind: readKind(section),
        index: section.u32(),
      }));
    } else if (id === 8) start = section.u32();
    else if (id === 10) {
      bodies = section.list(() => {
        const body = section.sub(section.u32());
        return { start: body.pos, end: body.end };
      });
    } else if (id === 11) dataEnd = readDataEnd(section, constants);
    else if (id > 13) {
      reader.pos = sectionStart;
      throw reader.malformed(`an unknown section (${id})`);
    }
    hasGcReferences ||= section.hasGcReferences;
  }
  if (bodies.length !== declaredBodies) {
    throw reader.malformed(`${declaredBodies} functions are declared, ${bodies.length} have a body;`);
  }
  for (const type of functionTypes) {
    if (types[type] === undefined) throw reader.malformed('a function of a type that does not exist');
  }
  if (namesSection !== null) names = readNames(new Reader(bytes, namesSection.body, namesSection.end));
  return {
    bytes,
    sections,
    types,
    gcTypes,
    hasGcReferences,
    imports,
    functionTypes,
    importedFunctions,
    memories,
    importedMemories,
    globals,
    exports,
    start,
    bodies,
    dataEnd,
    extendedConstants: constants.extended,
    names,
    features,
  };
}

/** A function as a person may look it up: its name, else an export of it, else its index. */
export function functionName(outline: Outline, index: number): string {
  const name = outline.names.functions.get(index);
  if (name !== undefined) return name;
  const exported = outline.exports.find((each) => each.kind === 'function' && each.index === index);
  return exported === undefined ? `function ${index}` : exported.name;
}

/** The function imports in order; index in this list is the function index. */
export function functionImports(outline: Outline): Import[] {
  return outline.imports.filter((each) => each.kind === 'function');
}

/** @throws FiberError `NOT_WASM`, which says what it is instead */
export function checkMagic(bytes: Uint8Array): void {
  const word = (at: number): number =>
    (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
  if (bytes.length === 0) throw new FiberError('NOT_WASM', 'The input is empty: it has 0 bytes.');
  if (bytes.length < 8 || word(0) !== 0x6d736100) {
    throw new FiberError('NOT_WASM', `This is not a WebAssembly binary: ${looksLike(bytes)}`);
  }
  const version = word(4);
  if (version === 0x0001000d) {
    throw new FiberError(
      'NOT_WASM',
      'This is a WebAssembly component, not a core module. Take its core module out first: `wasm-tools component unbundle` or `jco transpile`.',
    );
  }
  if (version !== 1) {
    throw new FiberError('NOT_WASM', `This WebAssembly binary has version ${version}; only version 1 exists.`);
  }
}

function looksLike(bytes: Uint8Array): string {
  const head = new TextDecoder().decode(bytes.subarray(0, 512)).trimStart();
  if (bytes.length < 8 && bytes[0] === 0 && bytes[1] === 0x61) return 'it ends within the first 8 bytes (truncated?).';
  if (/^(;;|\(;|\(module\b|\(component\b)/.test(head)) {
    return 'it is the text format. Assemble it first: `wasm-as in.wat -o in.wasm` (from the npm package binaryen) or `wat2wasm`.';
  }
  if (head.startsWith('\u007fELF')) return 'it is a native ELF file. Compile with --target=wasm32-wasi.';
  if (head.startsWith('!<arch>')) return 'it is an archive of object files (.a). Link it first.';
  if (/^<(!doctype|html)/i.test(head)) return 'it is an HTML page, perhaps the error page of a download.';
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return 'it is gzip-compressed. Decompress it first: `gunzip`.';
  if (head.startsWith('version https://git-lfs')) return 'it is a Git LFS pointer. Run `git lfs pull`.';
  return 'it does not begin with the bytes 00 61 73 6D ("\\0asm").';
}

function readKind(reader: Reader): ImportKind {
  const kind = KINDS[reader.byte()];
  if (kind !== undefined) return kind;
  reader.pos -= 1;
  throw reader.malformed('an unknown kind of import or export');
}

function readTypes(reader: Reader, types: (FunctionType | null)[]): boolean {
  let gc = false;
  const field = (): void => {
    readValueType(reader);
    reader.byte();
  };
  const composite = (): void => {
    let code = reader.byte();
    while (code === 0x65 || code === 0x4d || code === 0x4c) {
      // shared, describes, descriptor: prefixes of later proposals.
      gc = true;
      if (code !== 0x65) reader.u32();
      code = reader.byte();
    }
    if (code === 0x60) {
      const params = reader.list(() => readValueType(reader));
      const results = reader.list(() => readValueType(reader));
      types.push({ params, results });
      return;
    }
    gc = true;
    if (code === 0x5f) reader.list(field);
    else if (code === 0x5e) field();
    else if (code === 0x5d) readHeapType(reader);
    else throw reader.malformed('an unknown type');
    types.push(null);
  };
  const subtype = (): void => {
    const code = reader.bytes[reader.pos];
    if (code === 0x50 || code === 0x4f) {
      gc = true;
      reader.pos += 1;
      reader.list(() => reader.u32());
    }
    composite();
  };
  reader.list(() => {
    if (reader.bytes[reader.pos] === 0x4e) {
      gc = true;
      reader.pos += 1;
      reader.list(subtype);
    } else subtype();
  });
  return gc;
}

export function readLimits(reader: Reader): Limits {
  const flags = reader.byte();
  const is64 = (flags & 4) !== 0;
  const bound = (): number => (is64 ? reader.u64() : reader.u32());
  const min = bound();
  const max = flags & 1 ? bound() : null;
  if (flags & 8) reader.u32();
  return { min, max, shared: (flags & 2) !== 0, is64 };
}

interface Spaces {
  functionTypes: number[];
  memories: Limits[];
  globals: Global[];
}

function readImport(reader: Reader, types: readonly (FunctionType | null)[], into: Spaces): Import {
  const module = reader.name();
  const name = reader.name();
  const kind = readKind(reader);
  let type: FunctionType | null = null;
  let detail = '';
  if (kind === 'function') {
    const index = reader.u32();
    type = types[index] ?? null;
    into.functionTypes.push(index);
  } else if (kind === 'memory') {
    const limits = readLimits(reader);
    into.memories.push(limits);
    detail = showLimits(limits);
  } else if (kind === 'global') {
    const valueType = readValueType(reader);
    const mutable = reader.byte() === 1;
    into.globals.push({ type: valueType, mutable, imported: true, initial: null });
    detail = mutable ? `mut ${valueType}` : valueType;
  } else if (kind === 'table') {
    detail = readValueType(reader);
    readLimits(reader);
  } else {
    reader.byte();
    const tag = types[reader.u32()];
    detail = tag ? `(${tag.params.join(', ')})` : '';
  }
  return { module, name, kind, type, detail };
}

/** `2 pages (128 KiB), at most 16 pages`. */
export function showLimits(limits: Limits): string {
  const size = limits.min === 1 ? '1 page' : `${limits.min} pages`;
  const flags = `${limits.shared ? ', shared' : ''}${limits.is64 ? ', 64-bit' : ''}`;
  return `${size} (${limits.min * 64} KiB)${limits.max === null ? '' : `, at most ${limits.max}`}${flags}`;
}

/** Its initial value stands behind it if a prefix says so. */
function readTable(reader: Reader, seen: Constants): void {
  const hasInitial = reader.bytes[reader.pos] === 0x40;
  if (hasInitial) reader.skip(2);
  reader.hasGcReferences ||= hasInitial;
  readValueType(reader);
  readLimits(reader);
  if (hasInitial) readConstant(reader, seen);
}

/** For what its expressions tell; tables.ts reads what is in it. */
function readElements(reader: Reader, seen: Constants): void {
  const flags = reader.u32();
  const isActive = (flags & 1) === 0;
  const hasExpressions = (flags & 4) !== 0;
  if (isActive && (flags & 2) !== 0) reader.u32();
  if (isActive) readConstant(reader, seen);
  if ((flags & 3) !== 0) {
    if (hasExpressions) readValueType(reader);
    else reader.byte();
  }
  reader.list(() => (hasExpressions ? readConstant(reader, seen) : reader.u32()));
}

function readGlobal(reader: Reader, seen: Constants): Global {
  const type = readValueType(reader);
  const mutable = reader.byte() === 1;
  return { type, mutable, imported: false, initial: readConstant(reader, seen) };
}

/** What was seen in constant expressions. */
interface Constants {
  extended: boolean;
}

/** Reads a constant expression to its end; its value if it is one `i32.const`. */
function readConstant(reader: Reader, seen: Constants): number | null {
  let value: number | null = null;
  for (let count = 0; ; count++) {
    const code = reader.byte();
    if (code === 0x0b) return count === 1 ? value : null;
    value = null;
    if (code >= 0x6a && code <= 0x7e) seen.extended = true;
    if (code === 0x41) value = reader.s33();
    else if (code === 0x42) reader.skipLeb();
    else if (code === 0x43) reader.skip(4);
    else if (code === 0x44) reader.skip(8);
    else if (code === 0x23 || code === 0xd2) reader.u32();
    else if (code === 0xd0) readHeapType(reader);
    else if (code === 0xfd) {
      reader.u32();
      reader.skip(16);
    } else if (code === 0xfb) {
      const sub = reader.u32();
      if (sub <= 1 || sub === 6 || sub === 7) reader.u32();
      else if (sub === 8) {
        reader.u32();
        reader.u32();
      }
    }
  }
}

function readDataEnd(reader: Reader, seen: Constants): number {
  let highest = 0;
  reader.list(() => {
    const flags = reader.u32();
    if (flags === 2) reader.u32();
    const at = flags === 1 ? null : readConstant(reader, seen);
    const size = reader.u32();
    reader.skip(size);
    if (at !== null) highest = Math.max(highest, (at >>> 0) + size);
  });
  return highest;
}

function readFeatures(reader: Reader): Set<string> {
  const features = new Set<string>();
  reader.list(() => {
    const used = reader.byte();
    const name = reader.name();
    if (used !== 0x2d) features.add(name);
  });
  return features;
}
