/**
 * From asc's program to what the host must know of its types: the section `wasm-fibers.types`. What is exported and
 * imported is walked as asc's own bindings walk it, with re-exports added. What cannot pass between a guest and JavaScript
 * is an error at the source line that says so.
 */
import type { FunctionType, GlobalType, ImportType, Parameter, TypeSection } from '../types.ts';
import { TYPES_VERSION } from '../types.ts';
import { CommonFlags, DecoratorKind, ElementKind, SourceKind } from './asc.ts';
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
import { eclipsedImports, importedFunctions } from './imports.ts';
import { TASKS_MODULE } from '../provided.ts';
import { LIBRARY } from './library.ts';
import type { Reporter } from './report.ts';
import { showSignature, showType, TypeTable, Undescribable } from './type-table.ts';

/** An element and the name that it has on the other side. */
export interface Named<E extends Element> {
  readonly name: string;
  readonly element: E;
}

export interface ImportedGlobal extends Named<GlobalElement> {
  readonly module: string;
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
  readonly importedGlobals: readonly ImportedGlobal[];
  readonly enums: readonly EnumDescription[];
}

/** The value of a constant of the compiled module, null if it is not known before it runs. */
export type ReadGlobal = (internalName: string) => number | null;

const RUNTIMES = ['stub', 'minimal', 'incremental'] as const;

export function describe(
  program: Program,
  suspending: ReadonlySet<Element>,
  readGlobal: ReadGlobal,
  report: Reporter,
): Description {
  return new Describer(program, suspending, readGlobal, report).run();
}

class Describer {
  readonly #program: Program;
  readonly #suspending: ReadonlySet<Element>;
  readonly #readGlobal: ReadGlobal;
  readonly #report: Reporter;
  readonly #types: TypeTable;
  readonly #seen = new Set<string>();
  readonly #exports: (Named<FunctionElement> & { type: FunctionType })[] = [];
  readonly #globals: (Named<GlobalElement> & { type: GlobalType })[] = [];
  readonly #enums: EnumDescription[] = [];

  constructor(program: Program, suspending: ReadonlySet<Element>, readGlobal: ReadGlobal, report: Reporter) {
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
    for (const { module, name, element } of importedFunctions(this.#program)) {
      if (module === TASKS_MODULE) continue;
      this.#checkCode(element);
      const type = this.#function(element, `the import "${module}.${name}"`, true);
      if (type === null) continue;
      imports.push({ element, type: { module, name, suspending: this.#suspending.has(element), ...type } });
    }
    this.#checkEclipsed();
    const { exportStart } = this.#program.options;
    return {
      section: {
        version: TYPES_VERSION,
        runtime: RUNTIMES[this.#program.options.runtime] ?? 'incremental',
        types: this.#types.list,
        exports: this.#exports.map(({ name, type }) => ({ name, ...type })),
        imports: imports.map((each) => each.type),
        globals: this.#globals.map((each) => each.type),
        ...(exportStart === null ? {} : { start: exportStart }),
      },
      types: this.#types,
      exports: this.#exports.map((each) => each.element),
      globals: this.#globals.map((each) => each.element),
      imports: imports.map((each) => each.element),
      importedGlobals: this.#importedGlobals(),
      enums: this.#enums,
    };
  }

  /** Two declarations of one import get the same function of the host, whose values can be of one type only. */
  #checkEclipsed(): void {
    for (const { module, name, element } of eclipsedImports(this.#program)) {
      const listed = this.#program.moduleImports.get(module)?.get(name) as FunctionElement;
      if (showSignature(listed.signature) === showSignature(element.signature)) continue;
      this.#report.error(
        `The import "${module}.${name}" is declared twice, as ${showSignature(element.signature)} and as ${showSignature(listed.signature)}. Give one of them another name with @external.`,
        element.declaration,
      );
    }
  }

  #checkCode(element: FunctionElement): void {
    if (isStandard(element)) return;
    const { declaration } = element;
    const code = declaration.decorators?.find((each) => each.decoratorKind === DecoratorKind.ExternalJs);
    if (code === undefined) return;
    this.#report.error('wasm-fibers has no @external.js: pass the function to instantiate() as an import.', code);
  }

  #importedGlobals(): ImportedGlobal[] {
    const found: ImportedGlobal[] = [];
    for (const [module, names] of this.#program.moduleImports) {
      for (const [name, element] of names) {
        if (element.kind !== ElementKind.Global) continue;
        const global = element as GlobalElement;
        if (global.type.isInternalReference) {
          this.#report.error(
            `The imported variable "${module}.${name}" is of the type ${showType(global.type)}, which cannot be made before the program runs. Import a function that returns it.`,
            global.declaration,
          );
        } else if (this.#type(global.type, `the imported variable "${module}.${name}"`, global.declaration) !== null) {
          found.push({ module, name, element: global });
        }
      }
    }
    return found;
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
    if (name.startsWith('__fibers_')) {
      this.#report.error(
        `"${name}" is exported: names that begin with "__fibers_" are wasm-fibers' own.`,
        element.declaration,
      );
      return;
    }
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
      this.#report.error(`${capital(what)} ${error.message}`, at);
      return null;
    }
  }
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Is it an import that asc's standard library declares? */
function isStandard(element: Element): boolean {
  const { normalizedPath } = element.declaration.range.source;
  return normalizedPath.startsWith('~lib/') && !normalizedPath.startsWith(LIBRARY);
}
