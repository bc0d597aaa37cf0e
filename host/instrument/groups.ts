/**
 * Functions by the parts of their names: modules, namespaces and classes as far as names tell, and prefixes as C has them.
 *
 *     core::fmt::Formatter<a::b>::pad      core / fmt / Formatter<a::b> / pad
 *     ~lib/rt/itcms/__new                  ~lib / rt / itcms / __new
 *     assembly/app/Parser#next             assembly / app / Parser / next
 *     sqlite3VdbeExec, sqlite3_exec        sqlite3 / Vdbe / Exec, sqlite3 / exec
 *
 * A group of two is no group, and neither is one that holds nothing but another.
 */

export interface Group {
  readonly name: string;
  readonly groups: readonly Group[];
  /** Positions in the list that was given. */
  readonly members: readonly number[];
}

/** Deeper nesting is cut: names may be hostile. */
const DEEPEST = 12;
const OPENING = '<([{';
const CLOSING = '>)]}';

/** The parts of a name, outermost first. */
export function partsOf(name: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < name.length && parts.length < DEEPEST; at++) {
    const char = name.charAt(at);
    // The arrow of `operator->` and of types closes nothing.
    if (OPENING.includes(char)) depth += 1;
    else if (CLOSING.includes(char) && name.charAt(at - 1) !== '-') depth = Math.max(0, depth - 1);
    if (depth > 0 || at === from) continue;
    const width = name.startsWith('::', at) ? 2 : '/.#'.includes(char) ? 1 : 0;
    if (width === 0 || at + width >= name.length) continue;
    parts.push(name.slice(from, at));
    from = at + width;
    at = from - 1;
  }
  const last = name.slice(from);
  // A dot in a path is an extension or a hidden file as often as not; what has separators already needs no prefixes.
  return parts.length > 0 ? [...parts, last] : prefixed(last);
}

/** `lua_pushnil` and `luaV_execute` to `lua`, `luaV` and the rest; what then begins like a word may be one. */
function prefixed(name: string): string[] {
  const [whole = '', head = ''] = /^(_*[a-z][a-z0-9]*(?:[A-Z](?=_))?)(?:_+(?=.)|(?=[A-Z]))/.exec(name) ?? [];
  if (head === '' || whole.length >= name.length) return [name];
  const rest = name.slice(whole.length);
  const [word] = /^[A-Z][a-z0-9]+(?=[A-Z])/.exec(rest) ?? [];
  return word === undefined ? [head, rest] : [head, word, rest.slice(word.length)];
}

interface Node {
  readonly children: Map<string, Node>;
  readonly members: number[];
}

export function groupNames(names: readonly string[]): Group {
  const root: Node = { children: new Map(), members: [] };
  for (const [position, name] of names.entries()) {
    let node = root;
    for (const part of partsOf(name).slice(0, -1)) {
      const next = node.children.get(part) ?? { children: new Map(), members: [] };
      node.children.set(part, next);
      node = next;
    }
    node.members.push(position);
  }
  return collapse('', root);
}

/** Fewer functions than this are not worth a frame around them. */
const SMALLEST = 3;

function collapse(name: string, { children, members }: Node): Group {
  const groups: Group[] = [];
  const own = [...members];
  for (const [part, child] of children) {
    const group = collapse(part, child);
    const [only, ...others] = group.groups;
    if (group.groups.length === 0 && group.members.length < SMALLEST) own.push(...group.members);
    else if (only !== undefined && others.length === 0 && group.members.length === 0) {
      groups.push({ ...only, name: `${part}/${only.name}` });
    } else groups.push(group);
  }
  return { name, groups, members: own.sort((left, right) => left - right) };
}
