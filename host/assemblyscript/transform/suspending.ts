/** Which imports may wait: those decorated with `@suspending`, and those that a pattern of the configuration names. */
import { nearMatches, wildcard } from '../../instrument/lists.ts';
import { isProvided, TASKS_MODULE } from '../provided.ts';
import { CommonFlags, DecoratorKind, ElementKind, NodeKind } from './asc.ts';
import type {
  ClassDeclaration,
  Declaration,
  Decorator,
  Element,
  Identifier,
  NamespaceDeclaration,
  Node,
  Program,
} from './asc.ts';
import { declaredImports, importedFunctions } from './imports.ts';
import type { Reporter } from './report.ts';
import { Refusal } from './refusal.ts';

const DECORATOR = 'suspending';
/** The one import of the guest library that waits. */
const PARK = `${TASKS_MODULE}.park`;

export interface SuspendingImports {
  readonly elements: ReadonlySet<Element>;
  /** `module.name` */
  readonly names: ReadonlySet<string>;
}

/**
 * @param patterns `module.name`, with `*` for any run of characters
 * @throws Refusal that names a pattern which matches no import, and what may have been meant
 */
export function findSuspending(program: Program, patterns: readonly string[]): SuspendingImports {
  const imports = importedFunctions(program).map(({ module, name, element }) => ({
    name: `${module}.${name}`,
    element,
    isProvided: isProvided(module, name),
  }));
  const found = imports.filter(({ name, element }) => name === PARK || isDecorated(element));
  const declared = patterns.length === 0 ? new Set<string>() : declaredImports(program);
  for (const pattern of patterns) {
    const matches = wildcard(pattern);
    const matching = imports.filter(({ name }) => matches(name));
    // What asc's own library calls, such as `abort` at every check of an index, is not meant by `env.*`: to make all that
    // may wait would double the module.
    found.push(...matching.filter((each) => !each.isProvided || each.name === pattern));
    // An import that nobody calls is not compiled. That it may wait is true all the same.
    if (matching.length > 0 || [...declared].some(matches)) continue;
    throw noMatch(pattern, new Set([...imports.map((each) => each.name), ...declared]));
  }
  return {
    elements: new Set(found.map((each) => each.element)),
    names: new Set(found.map((each) => each.name)),
  };
}

/** Reports decorators that would have no effect. To be called when everything is parsed. */
export function checkDecorators(program: Program, report: Reporter): void {
  const check = (declaration: Declaration): void => {
    for (const decorator of declaration.decorators ?? []) {
      const name = nameOf(decorator);
      if (name === null || decorator.decoratorKind !== DecoratorKind.Custom) continue;
      const isImport = (declaration.flags & CommonFlags.Ambient) !== 0;
      if (name !== DECORATOR) {
        const isMeant = isImport && nearMatches(name, [DECORATOR]).length > 0;
        if (isMeant) report.warn(`The decorator "@${name}" has no effect. Did you mean "@${DECORATOR}"?`, decorator);
      } else if (!isImport || !CARRIERS.includes(declaration.kind)) {
        report.error(
          `"@${DECORATOR}" says of an import that it may wait: "@${DECORATOR} declare function". Functions of the program wait where they call one; they need no decorator.`,
          decorator,
        );
      } else if (decorator.args !== null && decorator.args.length > 0) {
        report.error(
          `"@${DECORATOR}" takes no arguments. The name of the import is for "@external" to say.`,
          decorator,
        );
      }
    }
  };
  const walk = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      if (!DECLARATIONS.includes(node.kind)) continue;
      check(node as Declaration);
      if (node.kind === NodeKind.NamespaceDeclaration || node.kind === NodeKind.ClassDeclaration) {
        walk((node as NamespaceDeclaration | ClassDeclaration).members);
      }
    }
  };
  for (const source of program.sources) if (!source.normalizedPath.startsWith('~lib/')) walk(source.statements);
}

/** What `@suspending` may stand on, if it is declared and not defined. */
const CARRIERS: readonly number[] = [
  NodeKind.FunctionDeclaration,
  NodeKind.MethodDeclaration,
  NodeKind.NamespaceDeclaration,
];
const DECLARATIONS: readonly number[] = [
  ...CARRIERS,
  NodeKind.ClassDeclaration,
  NodeKind.EnumDeclaration,
  NodeKind.FieldDeclaration,
];

/** On the declaration itself, or on a namespace around it. */
function isDecorated(element: Element): boolean {
  for (let each = element; each.parent !== each; each = each.parent) {
    if (each.declaration.decorators?.some((decorator) => nameOf(decorator) === DECORATOR)) return true;
    if (each.kind !== ElementKind.Function && each.kind !== ElementKind.Namespace) return false;
  }
  return false;
}

function nameOf({ name }: Decorator): string | null {
  return name.kind === NodeKind.Identifier ? (name as Identifier).text : null;
}

function noMatch(pattern: string, names: ReadonlySet<string>): Refusal {
  const near = nearMatches(pattern, names);
  const hint = near.length === 0 ? '' : ` Did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`;
  const list = names.size === 0 ? ' no functions.' : `:\n${[...names].map((name) => `  ${name}`).join('\n')}`;
  return new Refusal(
    `The entry "${pattern}" of "suspending" matches no import of this program.${hint} It imports${list}`,
  );
}
