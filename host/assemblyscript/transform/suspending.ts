/** Which imports may wait: those decorated with `@suspending`, and those that a pattern of the configuration names. */
import { nearMatches, wildcard } from '../../instrument/lists.ts';
import { ElementKind, NodeKind } from './asc.ts';
import type { Decorator, Element, Identifier, Program } from './asc.ts';

export const DECORATOR = 'suspending';

export interface SuspendingImports {
  readonly elements: ReadonlySet<Element>;
  /** `module.name` */
  readonly names: ReadonlySet<string>;
}

/**
 * @param patterns `module.name`, with `*` for any run of characters
 * @throws Error that names a pattern which matches no import, and what may have been meant
 */
export function findSuspending(program: Program, patterns: readonly string[]): SuspendingImports {
  const imports: { name: string; element: Element }[] = [];
  for (const [module, names] of program.moduleImports) {
    for (const [name, element] of names) {
      if (element.kind === ElementKind.Function) imports.push({ name: `${module}.${name}`, element });
    }
  }
  const found = imports.filter(({ element }) => isDecorated(element));
  for (const pattern of patterns) {
    const matches = wildcard(pattern);
    const matching = imports.filter(({ name }) => matches(name));
    if (matching.length === 0) {
      throw new Error(
        noMatch(
          pattern,
          imports.map((each) => each.name),
        ),
      );
    }
    found.push(...matching);
  }
  return {
    elements: new Set(found.map((each) => each.element)),
    names: new Set(found.map((each) => each.name)),
  };
}

/** On the declaration itself, or on a namespace around it. */
function isDecorated(element: Element): boolean {
  for (let each = element; each.parent !== each; each = each.parent) {
    if (each.kind !== ElementKind.Function && each.kind !== ElementKind.Namespace) break;
    if (each.declaration.decorators?.some((decorator) => nameOf(decorator) === DECORATOR)) return true;
  }
  return false;
}

export function nameOf({ name }: Decorator): string | null {
  return name.kind === NodeKind.Identifier ? (name as Identifier).text : null;
}

function noMatch(pattern: string, names: readonly string[]): string {
  const near = nearMatches(pattern, names);
  const hint = near.length === 0 ? '' : ` Did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`;
  const list = names.length === 0 ? 'no functions' : `\n${names.map((name) => `  ${name}`).join('\n')}`;
  return `The pattern "${pattern}" of "suspending" matches no import that this program uses.${hint} It imports ${list}`;
}
