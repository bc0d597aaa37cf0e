/**
 * From asc's program to what the host must know of its types: the section `wasm-fibers.types`. What is exported and
 * imported is walked as asc's own bindings walk it, with re-exports added. What cannot pass between a guest and JavaScript
 * is an error at the source line that says so.
 */
import type { FunctionType, GlobalType, ImportType, Parameter, TypeSection } from '../types.ts';
import { TYPES_VERSION } from '../types.ts';
import { CommonFlags, ElementKind, SourceKind } from './asc.ts';
import type {
  Element,
  EnumValue,
  File,
  FunctionElement,
  FunctionPrototype,
  GlobalElement,
  Node,
  Program,
  Type,
} from './asc.ts';
import { LIBRARY, TASKS_MODULE } from './library.ts';
import { TypeTable, Undescribable } from './type-table.ts';

/** An element and the name that it has on the other side. */
export interface Named<E extends Element> {
  readonly name: string;
  readonly element: E;
}

export interface EnumDescription extends Named<Element> {
  /** Null for members whose value is only known at run time. */
  readonly members: readonly { readonly name: string; readonly value: number | null }[];
}

/** Everything that app.js, app.d.ts and the section are made from. */
export interface Description {
  readonly section: TypeSection;
  readonly types: TypeTable;
  /** Elements of `section.exports`, of `section.globals` and of `section.imports`, in their order. */
  readonly exports: readonly FunctionElement[];
  readonly globals: readonly GlobalElement[];
  readonly imports: readonly FunctionElement[];
  /** Imported globals, by module. */
  readonly importedGlobals: readonly (Named<GlobalElement> & { readonly module: string })[];
  readonly enums: readonly EnumDescription[];
}

/** The value of a constant of the compiled module, null if it is not known before it runs. */
export type ReadGlobal = (internalName: string) => number | null;

/** Says that something cannot be described, at its place in the source. */
export type Report = (sentence: string, at: Node) => void;

const RUNTIMES = ['stub', 'minimal', 'incremental'] as const;

export function describe(
  program: Program,
  suspending: ReadonlySet<Element>,
  readGlobal: ReadGlobal,
  report: Report,
): Description {
  return new Describer(program, suspending, readGlobal, report).run();
}

class Describer {
  readonly #program: Program;
  readonly #suspending: ReadonlySet<Element>;
  readonly #readGlobal: ReadGlobal;
  readonly #report: Report;
  readonly #types: TypeTable;
  readonly #seen = new Set<string>();
  readonly #exports: (Named<FunctionElement> & { type: FunctionType })[] = [];
  readonly #globals: (Named<GlobalElement> & { type: GlobalType })[] = [];
  readonly #enums: EnumDescription[] = [];

  constructor(program: Program, suspending: ReadonlySet<Element>, readGlobal: ReadGlobal, report: Report) {
    this.#program = program;
    this.#suspending = suspending;
    this.#readGlobal = readGlobal;
    this.#report = report;
    this.#types = new TypeTable(program);
  }

  run(): Description {
    for (const file of this.#program.filesByName.values()) {
      const { source } = file;
      if (source.sourceKind !== SourceKind.UserEntry || source.normalizedPath.startsWith('~lib/')) continue;
      this.#file(file, new Set());
    }
    const imports: { element: FunctionElement; type: ImportType }[] = [];
    const importedGlobals: (Named<GlobalElement> & { module: string })[] = [];
    for (const [module, names] of this.#program.moduleImports) {
      if (module === TASKS_MODULE) continue;
      for (const [name, element] of names) {
        if (element.kind === ElementKind.Global) {
          importedGlobals.push({ module, name, element: element as GlobalElement });
          continue;
        }
        if (element.kind !== ElementKind.Function) continue;
        const fn = element as FunctionElement;
        const type = this.#function(fn, `the import "${module}.${name}"`, true);
        if (type === null) continue;
        imports.push({ element: fn, type: { module, name, suspending: this.#suspending.has(element), ...type } });
      }
    }
    return {
      section: {
        version: TYPES_VERSION,
        runtime: RUNTIMES[this.#program.options.runtime] ?? 'incremental',
        types: this.#types.list,
        exports: this.#exports.map(({ name, type }) => ({ name, ...type })),
        imports: imports.map((each) => each.type),
        globals: this.#globals.map((each) => each.type),
      },
      types: this.#types,
      exports: this.#exports.map((each) => each.element),
      globals: this.#globals.map((each) => each.element),
      imports: imports.map((each) => each.element),
      importedGlobals,
      enums: this.#enums,
    };
  }

  #file(file: File, visited: Set<File>): void {
    if (visited.has(file)) return;
    visited.add(file);
    for (const [name, element] of file.exports ?? []) this.#export(name, element);
    // A name of the file's own wins over one that it passes on, and the first of several files over the others.
    for (const star of file.exportsStar ?? []) this.#file(star, visited);
  }

  #export(name: string, element: Element): void {
    if (this.#seen.has(name) || element.is(CommonFlags.Private)) return;
    switch (element.kind) {
      case ElementKind.FunctionPrototype: {
        if (element.is(CommonFlags.Generic)) return;
        for (const instance of (element as FunctionPrototype).instances?.values() ?? []) {
          if (!instance.is(CommonFlags.Compiled)) continue;
          this.#seen.add(name);
          const type = this.#function(instance, `the export "${name}"`, false);
          if (type !== null) this.#exports.push({ name, element: instance, type });
        }
        return;
      }
      case ElementKind.Global: {
        if (!element.is(CommonFlags.Compiled)) return;
        this.#seen.add(name);
        this.#global(name, element as GlobalElement);
        return;
      }
      case ElementKind.Enum: {
        if (!element.is(CommonFlags.Compiled)) return;
        this.#seen.add(name);
        const members = [...(element.members ?? [])]
          .filter(([, member]) => member.kind === ElementKind.EnumValue)
          .map(([key, member]) => ({
            name: key,
            value: this.#enumValue(member as EnumValue),
          }));
        this.#enums.push({ name, element, members });
        return;
      }
    }
  }

  #enumValue(element: EnumValue): number | null {
    if (element.is(CommonFlags.Inlined)) return element.constantIntegerValue.low;
    return element.isImmutable ? this.#readGlobal(element.internalName) : null;
  }

  #global(name: string, element: GlobalElement): void {
    const at = element.declaration;
    const type = this.#type(element.type, `the exported variable "${name}"`, at);
    if (type === null) return;
    const constant = element.is(CommonFlags.Const) || element.is(CommonFlags.Static | CommonFlags.Readonly);
    this.#globals.push({ name, element, type: { name, type, mutable: !constant } });
  }

  #function(element: FunctionElement, what: string, isImport: boolean): FunctionType | null {
    const { signature, declaration } = element;
    const params: Parameter[] = [];
    let whole = true;
    const add = (name: string, type: Type, optional: boolean): void => {
      const index = this.#type(type, `the parameter "${name}" of ${what}`, declaration);
      if (index === null) whole = false;
      else params.push({ name, type: index, optional });
    };
    if (signature.thisType !== null) add('this', signature.thisType, false);
    for (const [index, type] of signature.parameterTypes.entries()) {
      add(element.getParameterName(index), type, index >= signature.requiredParameters);
    }
    const { returnType } = signature;
    let result: number | null = null;
    if (!this.#types.isVoid(returnType)) {
      const described =
        isImport && this.#types.isResult(returnType)
          ? this.#attempt(() => this.#types.addResult(returnType), `the result of ${what}`, declaration)
          : this.#type(returnType, `the result of ${what}`, declaration);
      if (described === null) whole = false;
      result = described;
    }
    return whole ? { params, result } : null;
  }

  #type(type: Type, what: string, at: Node): number | null {
    return this.#attempt(() => this.#types.add(type), what, at);
  }

  #attempt(add: () => number, what: string, at: Node): number | null {
    try {
      return add();
    } catch (error) {
      if (!(error instanceof Undescribable)) throw error;
      this.#report(`${capital(what)} ${error.message}`, at);
      return null;
    }
  }
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Does the runtime, not the embedder, provide this import? */
export function isProvided(element: Element): boolean {
  const { normalizedPath } = element.declaration.range.source;
  return normalizedPath.startsWith('~lib/') && !normalizedPath.startsWith(LIBRARY);
}
