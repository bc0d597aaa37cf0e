/**
 * Changes to a module as bytes: what is added goes behind what is there, functions imported anew go between, and every
 * index of a function that follows moves up. Whatever is not changed is copied byte by byte, so that code stays as its
 * compiler made it, with instructions and types that no tool here knows more about than their length.
 *
 * Functions are meant by `Callee`, since the index of an added one is known only when all have been added: bodies of added
 * functions are therefore written last.
 */
import type { IndirectCall } from './analysis.ts';
import { Op } from './code.ts';
import { writeCode } from './code-section.ts';
import type { Move, NewFunction, StandIn, Watch } from './code-section.ts';
import type { AddedFunction, Callee, CodeWriter } from './code-writer.ts';
import { patched, readElements, readGlobal, readImportType, readTable } from './items.ts';
import type { Visit } from './items.ts';
import type { ImportKind, Outline } from './module.ts';
import { editedNames } from './name-section.ts';
import { Reader } from './reader.ts';
import { I32, writeValueType } from './types.ts';
import type { FunctionType } from './types.ts';
import { Writer } from './writer.ts';

interface NewImport {
  readonly module: string;
  readonly name: string;
  readonly type: number;
  readonly label: string;
}

interface NewExport {
  readonly name: string;
  readonly kind: ImportKind;
  readonly of: Callee;
}

export interface Edited {
  readonly wasm: Uint8Array;
  /** Sorted. */
  readonly moves: readonly Move[];
}

const TYPES = 1;
const IMPORTS = 2;
const FUNCTIONS = 3;
const TABLES = 4;
const MEMORIES = 5;
const GLOBALS = 6;
const EXPORTS = 7;
const START = 8;
const ELEMENTS = 9;
const CODE = 10;
const NAMES = 'name';
const HAS_MAXIMUM = 1;
/** Order of the sections; custom ones may stand anywhere. */
const RANKS = [TYPES, IMPORTS, FUNCTIONS, TABLES, MEMORIES, 13, GLOBALS, EXPORTS, START, ELEMENTS, 12, CODE, 11];
const KINDS: Readonly<Record<ImportKind, number>> = { function: 0, table: 1, memory: 2, global: 3, tag: 4 };

export class ModuleEdit {
  readonly outline: Outline;
  readonly #types: FunctionType[] = [];
  readonly #imports: NewImport[] = [];
  readonly #functions: NewFunction[] = [];
  readonly #memories: { readonly initial: number; readonly maximum: number }[] = [];
  readonly #globals: { readonly label: string; readonly initial: number }[] = [];
  readonly #exports: NewExport[] = [];
  readonly #redirected = new Map<number, Callee>();
  readonly #retyped = new Map<number, number>();
  #keepStart = true;
  #watch: Watch | null = null;
  #standIn: StandIn = () => null;

  constructor(outline: Outline) {
    this.outline = outline;
  }

  /** Index of a function type. Types of the source are not searched: they may be part of a recursive group. */
  type(params: readonly string[], results: readonly string[]): number {
    const { types } = this.outline;
    const known = this.#types.findIndex(
      (each) => each.params.join() === params.join() && each.results.join() === results.join(),
    );
    return types.length + (known < 0 ? this.#types.push({ params, results }) - 1 : known);
  }

  /** @param label its name in the name section */
  addImport(module: string, name: string, type: number, label: string): AddedFunction {
    return { imported: true, order: this.#imports.push({ module, name, type, label }) - 1 };
  }

  addFunction(
    label: string,
    type: number,
    locals: readonly string[],
    build: (code: CodeWriter) => void,
  ): AddedFunction {
    return { imported: false, order: this.#functions.push({ label, type, locals, build }) - 1 };
  }

  /** Pages. Segments that are there already may be copied into it. */
  addMemory(initial: number, maximum: number): number {
    return this.outline.memories.length + this.#memories.push({ initial, maximum }) - 1;
  }

  /** Adds a mutable i32; returns its index. */
  addGlobal(label: string, initial: number): number {
    return this.outline.globals.length + this.#globals.push({ label, initial }) - 1;
  }

  /** @param of a function, or the index of anything else */
  addExport(name: string, kind: ImportKind, of: Callee): void {
    this.#exports.push({ name, kind, of });
  }

  /** Has everything in the source that means a function mean another: calls, references, tables, exports. */
  redirect(source: number, to: Callee): void {
    this.#redirected.set(source, to);
  }

  /** Has indirect calls in bodies of the source call functions instead, which take the place in the table as well. */
  redirectIndirect(standIn: StandIn): void {
    this.#standIn = standIn;
  }

  /** What is called in the place of an indirect call; null if that stays. */
  standIn(caller: number, call: IndirectCall): Callee | null {
    return this.#standIn(caller, call);
  }

  /** Gives a function import of the source another type. */
  retype(source: number, type: number): void {
    this.#retyped.set(source, type);
  }

  /** Leaves the start section out. */
  dropStart(): void {
    this.#keepStart = false;
  }

  watch(watch: Watch): void {
    this.#watch = watch;
  }

  /** What stands in the place of a function of the source. */
  replaced(source: number): Callee {
    return this.#redirected.get(source) ?? source;
  }

  /** The index that a function will have. */
  indexOf(callee: Callee): number {
    const { importedFunctions, functionTypes } = this.outline;
    if (typeof callee === 'number') return callee < importedFunctions ? callee : callee + this.#imports.length;
    if (callee.imported) return importedFunctions + callee.order;
    return functionTypes.length + this.#imports.length + callee.order;
  }

  /** Names of the functions that are not imported, by the index that they will have. */
  functionNames(): Map<number, string> {
    const { names, importedFunctions } = this.outline;
    const own = [...names.functions].filter(([index]) => index >= importedFunctions);
    return new Map([...own.map(([index, name]) => [this.indexOf(index), name] as const), ...this.#addedNames()]);
  }

  /**
   * @param drop should this custom section go?
   * @param names which names there are to be: all, those of what was added, none, or all if there were any before
   */
  write(drop: (customSection: string) => boolean, names: 'all' | 'added' | 'none' | 'as before' = 'as before'): Edited {
    const { outline } = this;
    const out = new Writer().raw(outline.bytes.subarray(0, 8));
    let moves: readonly Move[] = [];
    const edits = this.#sections((inSection) => (moves = inSection));
    const put = (id: number, contents: Uint8Array): void => {
      out.byte(id).u32(contents.length);
      if (id === CODE) moves = moves.map(({ from, to }) => ({ from, to: to + out.length }));
      out.raw(contents);
    };
    let oldNames: Reader | null = null;
    const missing = RANKS.filter((id) => edits.has(id) && !outline.sections.some((each) => each.id === id));
    for (const { id, name, start, body, end } of outline.sections) {
      if (id === 0) {
        if (name === NAMES) oldNames = new Reader(outline.bytes, body, end);
        else if (!drop(name)) out.raw(outline.bytes.subarray(start, end));
        continue;
      }
      while (missing[0] !== undefined && RANKS.indexOf(missing[0]) < RANKS.indexOf(id)) {
        const next = missing.shift() ?? 0;
        put(next, edits.get(next)?.(null) ?? new Uint8Array());
      }
      if (id === START && !this.#keepStart) continue;
      const edit = edits.get(id);
      if (edit === undefined) out.raw(outline.bytes.subarray(start, end));
      else put(id, edit(new Reader(outline.bytes, body, end)));
    }
    for (const id of missing) put(id, edits.get(id)?.(null) ?? new Uint8Array());
    // Where compilers put it: behind all that is not for people.
    if (names === 'all' || names === 'added' || (names === 'as before' && oldNames !== null)) {
      put(0, new Writer().name(NAMES).raw(this.#names(names === 'added' ? null : oldNames)).bytes);
    }
    return { wasm: out.bytes.slice(), moves };
  }

  /** The sections that change, each as a function of its old contents, of which there may be none. */
  #sections(tell: (moves: readonly Move[]) => void): Map<number, (old: Reader | null) => Uint8Array> {
    const sections = new Map<number, (old: Reader | null) => Uint8Array>();
    const append = (id: number, items: readonly ((writer: Writer) => void)[]): void => {
      if (items.length > 0) sections.set(id, (old) => patched(old, null, items));
    };
    append(
      TYPES,
      this.#types.map(({ params, results }) => (writer) => {
        writer.byte(0x60);
        for (const list of [params, results]) {
          writer.u32(list.length);
          for (const each of list) writeValueType(writer, each);
        }
      }),
    );
    if (this.#imports.length > 0 || this.#retyped.size > 0) sections.set(IMPORTS, (old) => this.#importSection(old));
    append(
      FUNCTIONS,
      this.#functions.map(
        ({ type }) =>
          (writer) =>
            writer.u32(type),
      ),
    );
    append(
      MEMORIES,
      this.#memories.map(
        ({ initial, maximum }) =>
          (writer) =>
            writer.byte(HAS_MAXIMUM).u32(initial).u32(maximum),
      ),
    );
    sections.set(TABLES, (old) => this.#withConstants(old, readTable));
    const globals = this.#globals.map(({ initial }) => (writer: Writer) => {
      writer.byte(I32).byte(1).byte(Op.I32Const).s32(initial).byte(Op.End);
    });
    sections.set(GLOBALS, (old) => this.#withConstants(old, readGlobal, globals));
    sections.set(EXPORTS, () => this.#exportSection());
    sections.set(START, () => new Writer().u32(this.#moved(this.outline.start ?? 0)).bytes);
    sections.set(ELEMENTS, (old) => this.#withConstants(old, readElements));
    sections.set(CODE, () => {
      const { bytes, moves } = writeCode(this.outline, this.#functions, this, this.#watch);
      tell(moves);
      return bytes;
    });
    const has = new Set(this.outline.sections.map((each) => each.id));
    for (const id of [TABLES, START, ELEMENTS]) if (!has.has(id)) sections.delete(id);
    if (!has.has(GLOBALS) && globals.length === 0) sections.delete(GLOBALS);
    if (!has.has(CODE) && this.#functions.length === 0) sections.delete(CODE);
    return sections;
  }

  #importSection(old: Reader | null): Uint8Array {
    const imports = this.#imports.map(({ module, name, type }) => (writer: Writer) => {
      writer.name(module).name(name).byte(KINDS.function).u32(type);
    });
    let index = 0;
    return patched(
      old,
      (reader, visit) =>
        readImportType(reader, (type, from, to) => {
          visit(this.#retyped.get(index++) ?? type, from, to);
        }),
      imports,
    );
  }

  #moved(source: number): number {
    return this.indexOf(this.replaced(source));
  }

  /** A section with the functions that it means moved, and items behind its own. */
  #withConstants(
    old: Reader | null,
    read: (reader: Reader, visit: Visit) => void,
    items: readonly ((writer: Writer) => void)[] = [],
  ): Uint8Array {
    return patched(
      old,
      (reader, visit) => read(reader, (index, from, to) => visit(this.#moved(index), from, to)),
      items,
    );
  }

  #exportSection(): Uint8Array {
    const writer = new Writer();
    const own = this.outline.exports;
    writer.u32(own.length + this.#exports.length);
    for (const { name, kind, index } of own) {
      writer.name(name).byte(KINDS[kind]);
      writer.u32(kind === 'function' ? this.#moved(index) : index);
    }
    for (const { name, kind, of } of this.#exports) {
      writer.name(name).byte(KINDS[kind]);
      if (typeof of !== 'number') writer.u32(this.indexOf(of));
      else writer.u32(kind === 'function' ? this.#moved(of) : of);
    }
    return writer.bytes;
  }

  #addedNames(): (readonly [index: number, name: string])[] {
    return this.#functions.map(({ label }, order) => [this.indexOf({ imported: false, order }), label]);
  }

  #names(old: Reader | null): Uint8Array {
    return editedNames(old, {
      shifted: (index) => this.indexOf(index),
      functions: [
        ...this.#imports.map(({ label }, order) => [this.indexOf({ imported: true, order }), label] as const),
        ...this.#addedNames(),
      ],
      globals: this.#globals.map(({ label }, order) => [this.outline.globals.length + order, label] as const),
    });
  }
}
