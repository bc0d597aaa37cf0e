/** What the page knows: the report as `html.ts` puts it into the page, and what is asked of it again and again. */

/** Compact, since there may be a hundred thousand functions. Lists are parallel, one entry for each function. */
export interface PageData {
  readonly indices: readonly number[];
  readonly names: readonly string[];
  readonly bytes: readonly number[];
  /** Positions in `STATES`. */
  readonly states: readonly number[];
  /**
   * What is next on the way to a wait: the position of a function; -1 if it may be anything, -2 if there is nothing, and
   * below that an import, the first of `imports` being -3.
   */
  readonly next: readonly number[];
  /** Positions in `hows`. */
  readonly how: readonly number[];
  readonly hows: readonly string[];
  readonly places: readonly (string | null)[];
  readonly exported: readonly (string | null)[];
  /** Bytes after instrumentation; null for all if that is not known. */
  readonly after: readonly (number | null)[] | null;
  /** Names of suspending imports. */
  readonly imports: readonly string[];
  readonly groups: PageGroup;
}

/** In `next`, the first import; the others are below it. */
export const FIRST_IMPORT = -3;

export interface PageGroup {
  readonly name: string;
  readonly groups: readonly PageGroup[];
  readonly members: readonly number[];
}

/** Name of a state, its class in the style sheet, and what it means. */
export const STATES: readonly (readonly [name: string, style: string, meaning: string])[] = [
  ['instrumented', 'direct', 'direct calls lead to a suspending import'],
  ['instrumented, through a table', 'indirect', 'only ways through indirect calls lead to a suspending import'],
  ['instrumented, open table', 'open-table', 'it calls through a table that may hold anything'],
  ['left out', 'left-out', 'an option left it out'],
  ['free', 'free', 'it never waits, and is left as it was'],
  ['added', 'added', 'it comes from instrumentation itself'],
];

/** Of these, the first are those that are instrumented. */
export const INSTRUMENTED = 3;

/** A group with what is in it counted; made once. */
export interface Box {
  /** Of a function without what the frames around it say already. */
  readonly label: string;
  readonly name: string;
  readonly parent: Box | null;
  /** Position of the function, if it is one; else -1. */
  readonly at: number;
  readonly bytes: number;
  /** Bytes in each state. */
  readonly byState: readonly number[];
  readonly functions: number;
  /** The largest first. */
  readonly children: readonly Box[];
}

export function boxesOf(data: PageData): Box {
  const build = (group: PageGroup, parent: Box | null, around: readonly string[]): Box => {
    const children: Box[] = [];
    const { name } = group;
    const box = { name, label: name, parent, at: -1, bytes: 0, byState: STATES.map(() => 0), functions: 0, children };
    for (const each of group.groups) children.push(build(each, box, [...around, ...each.name.split('/')]));
    for (const at of group.members) {
      const bytes = Math.max(1, data.bytes[at] ?? 0);
      const byState = STATES.map((_, state) => (state === data.states[at] ? bytes : 0));
      const own = data.names[at] ?? '';
      const label = withoutParts(own, around);
      children.push({ name: own, label, parent: box, at, bytes, byState, functions: 1, children: [] });
    }
    for (const child of children) {
      box.bytes += child.bytes;
      for (const state of STATES.keys()) box.byState[state] = (box.byState[state] ?? 0) + (child.byState[state] ?? 0);
      box.functions += child.functions;
    }
    children.sort((left, right) => right.bytes - left.bytes);
    return box;
  };
  return build(data.groups, null, []);
}

function withoutParts(name: string, parts: readonly string[]): string {
  let rest = name;
  for (const part of parts) {
    if (!rest.startsWith(part)) return rest;
    rest = rest.slice(part.length).replace(/^(::|[/.#_])/, '');
  }
  return rest === '' ? name : rest;
}

/** `1.4 MB`, `812 bytes`. */
export function showBytes(count: number): string {
  if (count < 1000) return `${count} bytes`;
  return count < 1_000_000 ? `${(count / 1000).toFixed(1)} kB` : `${(count / 1_000_000).toFixed(2)} MB`;
}
