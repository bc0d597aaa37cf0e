/** S-expressions of the WebAssembly text format, as far as it takes to tell where one ends: lists, atoms and strings. */

export type Node = List | Atom | Text;

export interface List {
  readonly kind: 'list';
  readonly items: readonly Node[];
  /** Where it stands in the source. */
  readonly from: number;
  readonly to: number;
}

export interface Atom {
  readonly kind: 'atom';
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

export interface Text {
  readonly kind: 'string';
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** White space and line comments; a string; a parenthesis; a block comment begins; anything else. */
const TOKEN =
  /(?<space>[ \t\r\n]+|;;[^\n]*)|(?<string>"(?:[^"\\]|\\.)*")|(?<comment>\(;)|(?<paren>[()])|[^\s()";]+|;/gsu;

export function parse(source: string): Node[] {
  const top: Node[] = [];
  const open: { items: Node[]; from: number }[] = [];
  const add = (node: Node): void => void (open.at(-1)?.items ?? top).push(node);
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(source); match !== null; match = TOKEN.exec(source)) {
    const { space, string, comment, paren } = match.groups ?? {};
    const [text] = match;
    const from = match.index;
    const to = from + text.length;
    if (space !== undefined) continue;
    if (comment !== undefined) TOKEN.lastIndex = endOfComment(source, to);
    else if (string !== undefined) add({ kind: 'string', bytes: unescape(string.slice(1, -1)), from, to });
    else if (paren === undefined) add({ kind: 'atom', text, from, to });
    else if (paren === '(') open.push({ items: [], from });
    else {
      const list = open.pop();
      if (list === undefined) throw new SyntaxError(`A ")" too many at ${from}`);
      add({ kind: 'list', items: list.items, from: list.from, to });
    }
  }
  if (open.length > 0) throw new SyntaxError(`${open.length} lists do not end`);
  return top;
}

/** Comments nest. @param at behind the beginning */
function endOfComment(source: string, at: number): number {
  const edge = /\(;|;\)/g;
  edge.lastIndex = at;
  for (let depth = 1; depth > 0;) {
    const match = edge.exec(source);
    if (match === null) throw new SyntaxError('A comment does not end');
    depth += match[0] === '(;' ? 1 : -1;
  }
  return edge.lastIndex;
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', '"': '"', "'": "'", '\\': '\\' };

function unescape(text: string): Uint8Array {
  const encoder = new TextEncoder();
  const pieces: Uint8Array[] = [];
  for (const [piece, hex, unicode, escape] of text.matchAll(
    /\\([0-9a-fA-F]{2})|\\u\{([0-9a-fA-F_]+)\}|\\(.)|[^\\]+/gsu,
  )) {
    if (hex !== undefined) pieces.push(Uint8Array.of(Number.parseInt(hex, 16)));
    else if (unicode !== undefined)
      pieces.push(encoder.encode(String.fromCodePoint(Number.parseInt(unicode.replaceAll('_', ''), 16))));
    else pieces.push(encoder.encode(escape === undefined ? piece : (ESCAPES[escape] ?? escape)));
  }
  return Buffer.concat(pieces);
}
