/**
 * What kind of guest a module is, as far as its shadow stack and its allocator go. Toolchains say little about it, so this
 * is detective work; every guess can be overruled by an option, and what cannot be found out is refused with the option
 * that tells it.
 */
import { FiberError } from '../errors.ts';
import type { Analysis } from './binary/analysis.ts';
import { Op, decodeBody } from './binary/code.ts';
import type { Outline } from './binary/module.ts';
import type { FunctionType } from './binary/types.ts';
import { nearMatches } from './lists.ts';
import { invalid } from './options.ts';
import type { Settings } from './options.ts';

const PAGE = 65_536;

/** Functions that an AssemblyScript guest must have compiled in, see assembly/fibers.ts. */
const GUEST_PART = ['__fibers_window', '__fibers_save', '__fibers_restore'] as const;

export interface ShadowStack {
  readonly kind: 'llvm' | 'assemblyscript';
  /** Index of the global. */
  readonly pointer: number;
  /** Lowest address that the main stack may reach, as far as known. */
  readonly low: number;
}

/** A function of the guest by index, and the name of its export if it has one. */
export interface GuestFunction {
  readonly index: number;
  readonly exported: string | null;
}

export type Allocator =
  | {
      readonly kind: 'functions';
      readonly alloc: GuestFunction;
      readonly free: GuestFunction | null;
      readonly shape: AllocatorShape;
    }
  | { readonly kind: 'grow' }
  | null;

/**
 * How the guest's allocator is called.
 * - plain: `alloc(size)`, `free(pointer)`
 * - aligned: `alloc(size, align)`, `free(pointer, size, align)` (Rust, wasm-bindgen)
 * - realloc: `realloc(pointer, oldSize, align, newSize)` (the component model's `cabi_realloc`), nothing is freed
 * - object: `__new(size, id)` of AssemblyScript's stub runtime, nothing is freed
 * - block: `alloc(size)`, nothing is freed
 */
export type AllocatorShape = 'plain' | 'aligned' | 'realloc' | 'object' | 'block';

/** Is this the output of asc? */
export function isAssemblyScript(outline: Outline): boolean {
  const exported = new Set(outline.exports.map((each) => each.name));
  if (exported.has('__rtti_base') || (exported.has('__new') && exported.has('__pin'))) return true;
  if (exported.has('__fibers_window')) return true;
  for (const name of outline.names.functions.values()) if (name.startsWith('~lib/rt/')) return true;
  return outline.imports.some(
    (each) => each.module === 'env' && each.name === 'abort' && isType(each.type, ['i32', 'i32', 'i32', 'i32'], []),
  );
}

/**
 * Finds the shadow stack.
 *
 * @throws FiberError `MISSING_GUEST_PART` if an AssemblyScript guest lacks the functions of assembly/fibers.ts,
 * `NO_MATCH` if the global asked for does not exist
 */
export function findShadowStack(outline: Outline, analysis: Analysis, settings: Settings): ShadowStack | null {
  if (settings.shadowStack === 'none' || settings.stackPointer === 'none') return null;
  const kind =
    settings.shadowStack === 'auto' ? (isAssemblyScript(outline) ? 'assemblyscript' : 'llvm') : settings.shadowStack;
  const pointer = findPointer(outline, analysis, settings.stackPointer, kind);
  if (pointer === null) {
    if (settings.shadowStack === 'auto') return null;
    throw new FiberError(
      'NO_MATCH',
      `No shadow stack pointer was found in this module, though one of kind "${settings.shadowStack}" was asked for. Name its global with --stack-pointer, or say --shadow-stack none.`,
    );
  }
  if (kind === 'assemblyscript') {
    const exported = new Set(outline.exports.map((each) => each.name));
    const missing = GUEST_PART.filter((name) => !exported.has(name));
    if (missing.length > 0) {
      throw new FiberError(
        'MISSING_GUEST_PART',
        `This AssemblyScript module does not export ${missing.join(', ')}: without them its garbage collector would free what suspended fibers still use. ` +
          'Compile the guest part in, as an entry file before your own: asc node_modules/wasm-fibers/assembly/fibers.ts app.ts ...',
      );
    }
    return { kind, pointer, low: 0 };
  }
  return { kind, pointer, low: lowestAddress(outline, pointer) };
}

function findPointer(
  outline: Outline,
  analysis: Analysis,
  wanted: string | number,
  kind: 'llvm' | 'assemblyscript',
): number | null {
  const { globals, names, exports } = outline;
  if (wanted !== 'auto') return namedGlobal(outline, wanted, 'stackPointer');
  for (const [index, name] of names.globals) {
    if (name === '__stack_pointer' || name === '~lib/memory/__stack_pointer') return index;
  }
  const exported = exports.find((each) => each.kind === 'global' && each.name === '__stack_pointer');
  if (exported !== undefined) return exported.index;
  let index = 0;
  for (const each of outline.imports) {
    if (each.kind !== 'global') continue;
    if (each.name === '__stack_pointer') return index;
    index += 1;
  }
  for (const name of ['__fibers_get_stack', 'emscripten_stack_get_current', 'stackSave']) {
    const global = returnedGlobal(outline, name);
    if (global !== null) return global;
  }
  const size = (outline.memories[0]?.min ?? 0) * PAGE;
  let best: number | null = null;
  for (const [at, global] of globals.entries()) {
    const { initial } = global;
    const use = analysis.globals[at];
    if (!global.mutable || global.type !== 'i32' || initial === null || use === undefined || use.lowered === 0)
      continue;
    if (initial < 1024 || (size > 0 && initial > size) || use.sets < use.lowered) continue;
    if (kind === 'llvm' && initial % 16 !== 0) continue;
    if (best === null || use.lowered > (analysis.globals[best]?.lowered ?? 0)) best = at;
  }
  return best;
}

/** The global that an exported function returns and does nothing else. */
function returnedGlobal(outline: Outline, name: string): number | null {
  const found = outline.exports.find((each) => each.kind === 'function' && each.name === name);
  const body = found === undefined ? undefined : outline.bodies[found.index - outline.importedFunctions];
  if (body === undefined) return null;
  const code: { opcode: number; immediate: number }[] = [];
  decodeBody(outline.bytes, body.start, body.end, ({ opcode, immediate }) => code.push({ opcode, immediate }));
  const [first, second] = code;
  const isGetter = code.length <= 3 && first?.opcode === Op.GlobalGet && second !== undefined;
  return isGetter && (second.opcode === Op.End || second.opcode === Op.Return) ? first.immediate : null;
}

/**
 * The lowest address of the main stack. With data below the stack it ends at the data; with the stack first (wasm-ld
 * --stack-first, Emscripten) it ends at 0. Memory that is zero from the start is in no segment, so this may be too low.
 */
function lowestAddress(outline: Outline, pointer: number): number {
  const top = outline.globals[pointer]?.initial ?? 0;
  const exported = outline.exports.find((each) => each.kind === 'global' && each.name === '__data_end');
  const said = exported === undefined ? null : (outline.globals[exported.index]?.initial ?? null);
  const end = Math.max(outline.dataEnd, said ?? 0);
  return end <= top ? end : 0;
}

/** Index of a global given by index, by its name in the name section, or by the name of its export. */
export function namedGlobal(outline: Outline, wanted: string | number, option: string): number {
  const index = typeof wanted === 'number' || /^\d+$/.test(wanted) ? Number(wanted) : globalByName(outline, wanted);
  const global = index === null ? undefined : outline.globals[index];
  if (index === null || global === undefined) {
    const known = [...outline.names.globals.values(), ...exportedGlobals(outline)];
    const near = nearMatches(String(wanted), known);
    throw new FiberError(
      'NO_MATCH',
      `The option "${option}" names the global "${wanted}", which this module does not have (it has ${outline.globals.length} globals${
        known.length === 0 ? ' without names: give an index' : ''
      }).${near.length === 0 ? '' : ` Did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`}`,
    );
  }
  if (!global.mutable || (option === 'stackPointer' && global.type !== 'i32')) {
    const must = option === 'stackPointer' ? 'a mutable i32' : 'mutable';
    throw invalid(
      option,
      `names the global "${wanted}", which is ${global.mutable ? '' : 'im'}mutable ${global.type}; it must be ${must}`,
    );
  }
  return index;
}

function globalByName(outline: Outline, wanted: string): number | null {
  for (const [index, name] of outline.names.globals) if (name === wanted) return index;
  return outline.exports.find((each) => each.kind === 'global' && each.name === wanted)?.index ?? null;
}

function exportedGlobals(outline: Outline): string[] {
  return outline.exports.filter((each) => each.kind === 'global').map((each) => each.name);
}

/** Pairs to look for, in this order, among the exports and then among the names. */
const CANDIDATES: readonly { alloc: string; free: string | null; shape: AllocatorShape }[] = [
  { alloc: 'malloc', free: 'free', shape: 'plain' },
  { alloc: '_malloc', free: '_free', shape: 'plain' },
  { alloc: '__wbindgen_malloc', free: '__wbindgen_free', shape: 'aligned' },
  { alloc: 'dlmalloc', free: 'dlfree', shape: 'plain' },
  { alloc: 'emscripten_builtin_malloc', free: 'emscripten_builtin_free', shape: 'plain' },
  { alloc: '__rust_alloc', free: '__rust_dealloc', shape: 'aligned' },
  { alloc: '__rustc::__rust_alloc', free: '__rustc::__rust_dealloc', shape: 'aligned' },
  { alloc: '__rdl_alloc', free: '__rdl_dealloc', shape: 'aligned' },
  { alloc: '__fibers_window', free: null, shape: 'block' },
  { alloc: '~lib/rt/stub/__alloc', free: null, shape: 'block' },
  { alloc: 'cabi_realloc', free: null, shape: 'realloc' },
  // A program that never frees is linked without free. Nothing is lost: the runtime pools what it takes.
  { alloc: 'malloc', free: null, shape: 'block' },
  { alloc: 'dlmalloc', free: null, shape: 'block' },
];

const SHAPES: Readonly<Record<AllocatorShape, { alloc: FunctionType; free: FunctionType | null }>> = {
  plain: {
    alloc: { params: ['i32'], results: ['i32'] },
    free: { params: ['i32'], results: [] },
  },
  aligned: {
    alloc: { params: ['i32', 'i32'], results: ['i32'] },
    free: { params: ['i32', 'i32', 'i32'], results: [] },
  },
  realloc: { alloc: { params: ['i32', 'i32', 'i32', 'i32'], results: ['i32'] }, free: null },
  object: { alloc: { params: ['i32', 'i32'], results: ['i32'] }, free: null },
  block: { alloc: { params: ['i32'], results: ['i32'] }, free: null },
};

/** How a guest without an allocator that we know comes to one. */
export const ALLOCATOR_REMEDY: string =
  'Export malloc and free (clang: -Wl,--export=malloc,--export=free; emcc: -sEXPORTED_FUNCTIONS=_malloc,_free,...), or name two functions with --allocator ALLOC,FREE: internal ones if the name section was kept (-g), minified exports as the glue code has them (Emscripten: _malloc = wasmExports[...]). ' +
  'If nothing in the guest relies on owning all memory that it has not asked for, say --allocator memory.grow.';

/**
 * Finds out where the host can get memory in the guest: for the window that stacks are unwound into, and for the shadow
 * stacks of LLVM guests.
 *
 * @returns null if the runtime can do without: AssemblyScript guests bring the window and share one stack, LLVM guests run
 * one fiber at a time
 * @throws FiberError `NO_ALLOCATOR` if it cannot be found out, `NO_MATCH` if a function asked for does not exist
 */
export function findAllocator(
  outline: Outline,
  analysis: Analysis,
  settings: Settings,
  stack: ShadowStack | null,
): Allocator {
  const { allocator } = settings;
  if (allocator === 'memory.grow') return { kind: 'grow' };
  if (allocator !== 'auto') return askedFor(outline, allocator);
  // The guest part brings the window, and needs no regions.
  if (stack?.kind === 'assemblyscript') return null;
  for (const { alloc, free, shape } of CANDIDATES) {
    const found = pair(outline, alloc, free, shape);
    if (found !== null) return found;
  }
  if (isAssemblyScript(outline)) {
    const found = pair(outline, '__new', null, 'object');
    if (found !== null) return found;
  }
  const growsByImport = outline.imports.some((each) => each.name === 'emscripten_resize_heap');
  const untouched = !analysis.memoryGrow && !analysis.memorySize && !growsByImport;
  const memory = outline.memories[0];
  const canGrow = memory === undefined || memory.max === null || memory.max > memory.min;
  if (untouched && canGrow) return { kind: 'grow' };
  // The window lies on the guest's own stack, and so does one fiber at a time; only a second one needs more (a warning).
  if (stack?.kind === 'llvm') return null;
  if (untouched && memory !== undefined) {
    throw new FiberError(
      'NO_ALLOCATOR',
      `The runtime needs memory inside this guest, but it exports no allocator and its memory cannot grow (${memory.min} of at most ${memory.max} pages). Export malloc and free, or give the memory a larger maximum.`,
    );
  }
  const remedy = isAssemblyScript(outline)
    ? 'Compile the guest part in: asc node_modules/wasm-fibers/assembly/fibers.ts app.ts ...'
    : ALLOCATOR_REMEDY;
  throw new FiberError(
    'NO_ALLOCATOR',
    `The runtime needs memory inside this guest, and no allocator was found: it exports no malloc and free, and none are named. ${remedy}`,
  );
}

function askedFor(outline: Outline, [alloc, free]: readonly [string, string]): Allocator {
  const found = pair(outline, alloc, free, 'plain') ?? pair(outline, alloc, free, 'aligned');
  if (found !== null) return found;
  for (const name of [alloc, free]) {
    if (lookUp(outline, name) !== null) continue;
    const near = nearMatches(name, [...outline.exports.map((each) => each.name), ...outline.names.functions.values()]);
    throw new FiberError(
      'NO_MATCH',
      `The option "allocator" names the function "${name}", which this module neither exports nor names.${
        near.length === 0 ? '' : ` Did you mean ${near.map((each) => `"${each}"`).join(' or ')}?`
      }`,
    );
  }
  throw invalid(
    'allocator',
    `names "${alloc}" and "${free}", whose types do not fit: alloc must be (i32) -> i32 and free (i32) -> (), or with an alignment (i32, i32) -> i32 and (i32, i32, i32) -> ()`,
  );
}

function pair(outline: Outline, alloc: string, free: string | null, shape: AllocatorShape): Allocator {
  const types = SHAPES[shape];
  const first = lookUp(outline, alloc);
  if (first === null || !hasType(outline, first.index, types.alloc)) return null;
  if (free === null || types.free === null) return { kind: 'functions', alloc: first, free: null, shape };
  const second = lookUp(outline, free);
  if (second === null || !hasType(outline, second.index, types.free)) return null;
  return { kind: 'functions', alloc: first, free: second, shape };
}

/** A defined function by the name of an export, else by its name in the name section. */
function lookUp(outline: Outline, name: string): GuestFunction | null {
  const exported = outline.exports.find((each) => each.kind === 'function' && each.name === name);
  if (exported !== undefined) return { index: exported.index, exported: name };
  for (const [index, each] of outline.names.functions) {
    if (each === name && index >= outline.importedFunctions) return { index, exported: null };
  }
  return null;
}

function hasType(outline: Outline, index: number, wanted: FunctionType): boolean {
  return isType(outline.types[outline.functionTypes[index] ?? -1] ?? null, wanted.params, wanted.results);
}

function isType(type: FunctionType | null, params: readonly string[], results: readonly string[]): boolean {
  return type !== null && type.params.join() === params.join() && type.results.join() === results.join();
}
