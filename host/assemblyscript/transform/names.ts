/** Names in generated code: which may stand as they are, and how the others are written. */

/** What no declaration of a module can be called. */
const RESERVED = new Set(
  (
    'arguments await break case catch class const continue debugger default delete do else enum eval export extends false ' +
    'finally for function if implements import in instanceof interface let new null package private protected public ' +
    'return static super switch this throw true try typeof var void while with yield'
  ).split(' '),
);

/** What TypeScript does not let an interface be called. */
const TYPE_NAMES = new Set(
  'any bigint boolean never null number object string symbol undefined unknown void'.split(' '),
);

export function isIdentifier(name: string): boolean {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u.test(name);
}

/** Can a module declare something of this name? */
export function isDeclarable(name: string): boolean {
  return isIdentifier(name) && !RESERVED.has(name);
}

/** As the key of a property. */
export function property(name: string): string {
  return isIdentifier(name) ? name : quoted(name);
}

/** As a string literal. */
export function quoted(text: string): string {
  const escaped = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${escaped.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}'`;
}

/** Hands out names of declarations, each once. */
export class NamePool {
  readonly #taken: Set<string>;

  constructor(taken: Iterable<string>) {
    this.#taken = new Set(taken);
  }

  /** A name like this one, `Box<i32>` as `Box_i32`. */
  take(wanted: string): string {
    const base = wanted
      .replace(/[^\p{ID_Continue}$]+/gu, '_')
      .replace(/^(?=\p{Nd})|_+$/gu, (edge) => (edge ? '' : '_'));
    let name = isDeclarable(base) && !TYPE_NAMES.has(base) ? base : `${base}_`;
    for (let number = 2; this.#taken.has(name); number++) name = `${base}${number}`;
    this.#taken.add(name);
    return name;
  }
}
