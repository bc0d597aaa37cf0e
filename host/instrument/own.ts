/**
 * What of an instrumented module's code belongs to which of its functions. A function may have been given a second body, in which
 * it goes on after a wait (fast-path/bodies.ts), and one by which the host enters it (fast-path/parts.ts). Whoever counts functions
 * counts these to theirs.
 *
 *     f                      if (state) return wasm-fibers.resumed:f(...); ...
 *     wasm-fibers.resumed:f  called by f alone
 *     wasm-fibers.part.12    calls f; stands in a table through which `wasm-fibers.enter` calls
 *     wasm-fibers.wait:m.n   in the place of the import m.n, which nobody else calls (passes/waits.ts)
 *
 * Found by what the code is, since a module may have lost its names.
 */
import { SECTION, parseMetadata } from '../runtime/metadata.ts';
import type { Metadata } from '../runtime/metadata.ts';
import type { Analysis } from './binary/analysis.ts';
import { Op, decodeBody } from './binary/code.ts';
import { functionImports } from './binary/module.ts';
import type { Outline } from './binary/module.ts';
import { readTables } from './binary/tables.ts';
import { tableContents } from './binary/table-contents.ts';
import { RESUMED } from './fast-path/bodies.ts';
import { ENTER } from './fast-path/parts.ts';

/** Is this a function that instrumentation has added? */
export function isOwn(name: string): boolean {
  return name.startsWith(`${SECTION}.`) || name.startsWith('asyncify_');
}

/** What an instrumented module says of itself; null if it is none. */
export function metadataOf({ sections, bytes }: Outline): Metadata | null {
  const section = sections.find((each) => each.id === 0 && each.name === SECTION);
  return section === undefined ? null : parseMetadata(bytes.subarray(section.body, section.end));
}

/** Indices of the imports that may suspend, as the module says. */
export function suspendingOf(outline: Outline, { imports }: Metadata): Set<number> {
  const wanted = new Set(imports.filter((each) => each.suspending).map((each) => `${each.module}.${each.name}`));
  const found = new Set<number>();
  for (const [index, each] of functionImports(outline).entries()) {
    if (wanted.has(`${each.module}.${each.name}`)) found.add(index);
  }
  return found;
}

/**
 * The function that each added body belongs to, by indices; it may be imported.
 *
 * @param analysis of a module that wasm-fibers has instrumented
 * @param suspending the imports that may suspend
 */
export function ownersOf(outline: Outline, analysis: Analysis, suspending: ReadonlySet<number>): Map<number, number> {
  const owners = new Map<number, number>();
  const callers = callersOf(outline, analysis);
  if (exportedFunction(outline, ENTER) >= 0) {
    for (const imported of suspending) {
      for (const caller of callers.get(imported) ?? []) owners.set(caller, imported);
    }
  }
  const state = stateOf(outline);
  for (const offset of outline.bodies.keys()) {
    const index = outline.importedFunctions + offset;
    const resumed = resumedBy(outline, index, state);
    const name = outline.names.functions.get(resumed) ?? RESUMED;
    if (name.startsWith(RESUMED) && callers.get(resumed)?.length === 1) owners.set(resumed, index);
  }
  // Where optimising has changed how a body begins, its name tells.
  for (const [index, name] of outline.names.functions) {
    const [owner, ...others] = name.startsWith(RESUMED) ? (callers.get(index) ?? []) : [];
    if (owner !== undefined && others.length === 0) owners.set(index, owner);
  }
  for (const entrance of entrancesOf(outline, analysis)) {
    const [callee, ...others] = analysis.functions[entrance - outline.importedFunctions]?.calls ?? [];
    if (callee !== undefined && others.length === 0) owners.set(entrance, owners.get(callee) ?? callee);
  }
  return owners;
}

/** The same analysis as if each function had one body, which does all that its bodies do, and only its callers entered it. */
export function joinBodies(outline: Outline, analysis: Analysis, owners: ReadonlyMap<number, number>): Analysis {
  const { importedFunctions } = outline;
  const isImport = (index: number | undefined): index is number => index !== undefined && index < importedFunctions;
  const called = (callee: number): number => {
    const owner = owners.get(callee);
    return isImport(owner) ? owner : callee;
  };
  const functions = analysis.functions.map((each) => ({ ...each, calls: new Set([...each.calls].map(called)) }));
  const empty = { calls: new Set<number>(), indirectCalls: [], callsReference: new Set<number>() };
  for (const [index, owner] of owners) {
    const own = functions[owner - importedFunctions];
    const other = functions[index - importedFunctions];
    if (own === undefined || other === undefined) continue;
    functions[owner - importedFunctions] = {
      ...own,
      calls: new Set([...own.calls, ...other.calls].filter((callee) => owners.get(callee) !== owner)),
      indirectCalls: [...own.indirectCalls, ...other.indirectCalls],
      callsReference: new Set([...own.callsReference, ...other.callsReference]),
    };
    functions[index - importedFunctions] = { ...other, ...empty };
  }
  const offset = exportedFunction(outline, ENTER) - importedFunctions;
  const enter = functions[offset];
  if (enter !== undefined) functions[offset] = { ...enter, ...empty };
  return { ...analysis, functions };
}

/** The function whose result a body returns, if the first that it does is to look whether the guest rewinds; else -1. */
function resumedBy(outline: Outline, index: number, state: number): number {
  const { start = 0, end = 0 } = outline.bodies[index - outline.importedFunctions] ?? {};
  let phase: 'state' | 'if' | 'call' | 'return' | 'over' = 'state';
  let callee = -1;
  let found = -1;
  decodeBody(outline.bytes, start, end, ({ opcode, immediate }) => {
    // What it is given does not matter to it, so that optimising may have left it away.
    if (phase === 'over' || (phase === 'state' && opcode === Op.Block) || (phase === 'call' && opcode === Op.LocalGet))
      return;
    if (phase === 'state' && opcode === Op.GlobalGet && immediate === state) phase = 'if';
    else if (phase === 'if' && opcode === Op.If) phase = 'call';
    else if (phase === 'call' && opcode === Op.Call) {
      callee = immediate;
      phase = 'return';
    } else {
      if (phase === 'return' && opcode === Op.Return) found = callee;
      phase = 'over';
    }
  });
  return found;
}

/** The functions through which the host enters others. */
function entrancesOf(outline: Outline, analysis: Analysis): readonly number[] {
  const enter = analysis.functions[exportedFunction(outline, ENTER) - outline.importedFunctions];
  const [through] = enter?.indirectCalls ?? [];
  if (through === undefined) return [];
  const contents = tableContents(outline, analysis, readTables(outline), true);
  return [...(contents[through.table]?.functions ?? [])];
}

function callersOf(outline: Outline, analysis: Analysis): Map<number, number[]> {
  const callers = new Map<number, number[]>();
  for (const [offset, { calls }] of analysis.functions.entries()) {
    for (const callee of calls) {
      const known = callers.get(callee) ?? [];
      known.push(outline.importedFunctions + offset);
      callers.set(callee, known);
    }
  }
  return callers;
}

/** The global that says whether the guest runs, unwinds or rewinds; -1 if there is none. */
function stateOf(outline: Outline): number {
  const index = exportedFunction(outline, 'asyncify_get_state');
  const { start = 0, end = 0 } = outline.bodies[index - outline.importedFunctions] ?? {};
  let state = -1;
  if (end > start)
    decodeBody(outline.bytes, start, end, ({ opcode, immediate }) => {
      if (opcode === Op.GlobalGet && state < 0) state = immediate;
    });
  return state;
}

function exportedFunction(outline: Outline, name: string): number {
  return outline.exports.find((each) => each.kind === 'function' && each.name === name)?.index ?? -1;
}
