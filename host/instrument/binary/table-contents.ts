/**
 * Which functions can be in each table, at any time: what an indirect call may reach.
 *
 * What the module puts there is known: initial values, active segments, segments that `table.init` copies, other tables that
 * `table.copy` copies. Code that stores single references can store any whose reference is taken anywhere in the module,
 * since where references go is not followed. What the host puts there is not known: into a table that is exported or
 * imported, and into any that code stores references to while the host can hand some in. Such a table may hold any function
 * at all, those of other modules included.
 */
import type { Analysis } from './analysis.ts';
import type { Outline } from './module.ts';
import type { Given, Tables } from './tables.ts';

export interface TableContents {
  /** Why nobody knows what is in it, as the end of a sentence that begins with the table; null if it is known. */
  readonly unknown: string | null;
  /** Does only the host's access to it make it unknown? */
  readonly host: boolean;
  /** Indices of the functions that the module itself can put there. */
  readonly functions: ReadonlySet<number>;
}

interface Contents {
  unknown: string | null;
  host: boolean;
  readonly functions: Set<number>;
}

/**
 * @param closed take it that the host puts no function into a table
 */
export function tableContents(outline: Outline, analysis: Analysis, tables: Tables, closed: boolean): TableContents[] {
  const { written, filled, copied } = analysis.tables;
  const contents = tables.tables.map(({ imported, exported }): Contents => {
    const why = closed ? null : whyOpen(imported, exported);
    return { unknown: why, host: why !== null, functions: new Set() };
  });
  const importedGlobals = outline.globals.filter((each) => each.imported).length;
  const put = (table: number, { functions, globals }: Given): void => {
    const into = contents[table];
    if (into === undefined) return;
    for (const index of functions) into.functions.add(index);
    if (globals.size > 0) for (const index of tables.globals.functions) into.functions.add(index);
    if ([...globals].some((index) => index < importedGlobals)) into.unknown ??= 'is filled from an imported global';
  };
  for (const [index, { initial }] of tables.tables.entries()) put(index, initial);
  for (const segment of tables.segments) if (segment.mode === 'active') put(segment.table, segment);
  for (const { table, segment } of filled) {
    const found = tables.segments[segment];
    if (found !== undefined) put(table, found);
  }
  if (written.size > 0) {
    const handedIn = hostGivesReferences(outline, tables, closed);
    const taken = referencesTaken(analysis, tables);
    for (const table of written) {
      put(table, { functions: taken, globals: new Set() });
      const into = contents[table];
      if (into !== undefined && handedIn) into.unknown ??= 'is written by code that the host can hand functions to';
    }
  }
  copyTables(contents, copied);
  return contents;
}

function whyOpen(imported: string | null, exported: readonly string[]): string | null {
  if (imported !== null) return `is imported ("${imported}"), so the host can put any function into it`;
  const [name] = exported;
  return name === undefined ? null : `is exported ("${name}"), so the host can put any function into it`;
}

/** To a fixed point, since what is copied into a table may be copied on. */
function copyTables(contents: readonly Contents[], copied: Analysis['tables']['copied']): void {
  for (let changed = true; changed;) {
    changed = false;
    for (const { to, from } of copied) {
      const source = contents[from];
      const target = contents[to];
      if (source === undefined || target === undefined || source === target) continue;
      if (source.unknown !== null && target.unknown === null) {
        target.unknown = `takes what is in table ${from}, which ${source.unknown}`;
        target.host = source.host;
        changed = true;
      }
      const before = target.functions.size;
      for (const index of source.functions) target.functions.add(index);
      changed ||= target.functions.size > before;
    }
  }
}

/** Every function whose reference the module can get hold of by itself. */
function referencesTaken(analysis: Analysis, tables: Tables): Set<number> {
  const taken = new Set(analysis.referenced);
  const givers: readonly Given[] = [tables.globals, ...tables.segments, ...tables.tables.map((each) => each.initial)];
  for (const { functions } of givers) for (const index of functions) taken.add(index);
  return taken;
}

/**
 * Can the host hand a function reference to the guest? As an argument, a result, in an exception, a global or a table. With
 * structs and arrays nobody looks further: they may have references inside and come from another module.
 */
function hostGivesReferences(outline: Outline, tables: Tables, closed: boolean): boolean {
  if (outline.gcTypes) return true;
  if (outline.types.some((type) => type !== null && [...type.params, ...type.results].some(isFunctionReference)))
    return true;
  const shared = outline.globals.some(
    ({ type, imported, mutable }, index) =>
      isFunctionReference(type) &&
      (imported || (mutable && outline.exports.some((each) => each.kind === 'global' && each.index === index))),
  );
  if (shared) return true;
  return (
    !closed &&
    tables.tables.some(
      ({ type, imported, exported }) => isFunctionReference(type) && (imported !== null || exported.length > 0),
    )
  );
}

function isFunctionReference(type: string): boolean {
  return type === 'funcref' || type === 'nofuncref' || /^\(ref (null )?(func|nofunc|\$\d+)\)$/.test(type);
}
