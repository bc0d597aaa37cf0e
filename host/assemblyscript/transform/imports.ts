/**
 * What a program imports, by module and name: what it uses, as asc lists it, and what it declares. Names are made as asc
 * makes them: the file and the function's own name, unless `@external` says otherwise.
 */
import { CommonFlags, DecoratorKind, ElementKind, LiteralKind, NodeKind } from './asc.ts';
import type {
  Declaration,
  Decorator,
  Element,
  FunctionElement,
  NamespaceDeclaration,
  Node,
  Program,
  StringLiteral,
} from './asc.ts';

export interface ImportedFunction {
  readonly module: string;
  readonly name: string;
  readonly element: FunctionElement;
}

/** Functions that the program imports and uses. */
export function importedFunctions(program: Program): ImportedFunction[] {
  const found: ImportedFunction[] = [];
  for (const [module, names] of program.moduleImports) {
    for (const [name, element] of names) {
      if (element.kind === ElementKind.Function) found.push({ module, name, element: element as FunctionElement });
    }
  }
  return found;
}

/**
 * Functions that are imported under a name under which asc lists another one. The host can give only one function for
 * both, so they had better be of one type.
 */
export function eclipsedImports(program: Program): ImportedFunction[] {
  const found: ImportedFunction[] = [];
  for (const element of program.instancesByName.values()) {
    if (element.kind !== ElementKind.Function || !element.is(CommonFlags.ModuleImport | CommonFlags.Compiled)) continue;
    const [module, name] = importName(element.declaration, pathInFile(element));
    const listed = program.moduleImports.get(module)?.get(name);
    if (listed !== undefined && listed !== element) found.push({ module, name, element: element as FunctionElement });
  }
  return found;
}

/** `module.name` of every function that the program's own files declare, used or not. */
export function declaredImports(program: Program): Set<string> {
  const names = new Set<string>();
  const walk = (nodes: readonly Node[], path: string): void => {
    for (const node of nodes) {
      const declaration = node as Declaration;
      if (node.kind === NodeKind.NamespaceDeclaration) {
        walk((node as NamespaceDeclaration).members, `${path}${declaration.name.text}.`);
      } else if (node.kind === NodeKind.FunctionDeclaration && (declaration.flags & CommonFlags.Ambient) !== 0) {
        names.add(importName(declaration, path + declaration.name.text).join('.'));
      }
    }
  };
  for (const source of program.sources) {
    if (!source.normalizedPath.startsWith('~lib/')) walk(source.statements, '');
  }
  return names;
}

/** An element's name with those of the namespaces and classes around it. */
function pathInFile(element: Element): string {
  let file = element;
  while (file.parent !== file) file = file.parent;
  return element.internalName.slice(file.internalName.length + 1);
}

function importName(declaration: Declaration, path: string): [module: string, name: string] {
  const module = declaration.overriddenModuleName ?? declaration.range.source.simplePath;
  const external = declaration.decorators?.find((each) => each.decoratorKind === DecoratorKind.External);
  const [first, second] = strings(external);
  if (first === undefined) return [module, path];
  return second === undefined ? [module, first] : [first, second];
}

function strings(decorator: Decorator | undefined): string[] {
  const literals = (decorator?.args ?? []).filter(
    (each) => each.kind === NodeKind.Literal && (each as StringLiteral).literalKind === LiteralKind.String,
  );
  return literals.map((each) => (each as StringLiteral).value);
}
