/**
 * What cannot work is refused before anything is changed: one sentence with the function's name, the reason and the remedy.
 * The functions that decide are those that may be on the stack at a suspension; what the others do does not matter, with
 * the exceptions that Binaryen makes.
 */
import { FiberError } from '../errors.ts';
import { parseMetadata, SECTION, TASKS } from '../runtime/metadata.ts';
import type { Analysis, FunctionFacts } from './binary/analysis.ts';
import type { CallGraph } from './binary/call-graph.ts';
import { functionImports, functionName } from './binary/module.ts';
import type { Import, Outline } from './binary/module.ts';
import { isReference, showSignature } from './binary/types.ts';
import { enumerate, nearMatches, wildcard } from './lists.ts';
import type { Settings } from './options.ts';

/** Refuses a module as a whole, whatever is asked of it. */
export function refuseModule(outline: Outline): void {
  const sections = new Set(outline.sections.map((each) => each.name));
  refuseInstrumented(outline);
  if (sections.has('dylink') || sections.has('dylink.0')) {
    throw unsupported(
      'This is a dynamically linked module (it has a dylink section): modules that share one shadow stack cannot have fibers. Link it statically.',
    );
  }
  if (sections.has('linking')) {
    throw unsupported(
      'This is an object file (it has a linking section), not a linked module. Link it first: wasm-ld.',
    );
  }
  for (const memory of outline.memories) {
    if (memory.shared) {
      throw unsupported(
        'This module has a shared memory (threads): other threads would see a fiber halfway. Compile it without threads: no -pthread, no -matomics.',
      );
    }
    if (memory.is64) throw unsupported('This module has a 64-bit memory (memory64). Compile it for wasm32.');
  }
  if (outline.memories.length > 1) {
    throw unsupported(
      `This module has ${outline.memories.length} memories; fibers need to know which one holds the shadow stack, and only one is supported.`,
    );
  }
  for (const each of outline.imports) {
    if (each.module === 'asyncify' || (OURS.test(each.module) && each.module !== TASKS)) {
      throw new FiberError(
        'RESERVED_NAME',
        `This module imports "${each.module}.${each.name}": the import module "${each.module}" is reserved, since such a module could forge or rewind stacks, or fill its budget, by itself. Rename the import.`,
      );
    }
  }
  for (const each of outline.exports) {
    if (each.name.startsWith('asyncify_') || OURS.test(each.name)) {
      throw new FiberError(
        'RESERVED_NAME',
        `This module exports "${each.name}": "wasm-fibers", and names that begin with "asyncify_", "wasm-fibers." or "wasm-fibers:" are reserved. Rename the export.`,
      );
    }
  }
}

/** Names of what instrumented modules import from us and export for us. */
const OURS = /^wasm-fibers(?:$|[.:])/;

const ASYNCIFY_EXPORTS = [
  'asyncify_start_unwind',
  'asyncify_stop_unwind',
  'asyncify_start_rewind',
  'asyncify_stop_rewind',
];

/** Who instrumented this module already: null if nobody did. */
export function instrumentedBy(outline: Outline): 'wasm-fibers' | 'asyncify' | null {
  if (outline.sections.some((each) => each.id === 0 && each.name === SECTION)) return 'wasm-fibers';
  const exported = new Set(outline.exports.map((each) => each.name));
  return ASYNCIFY_EXPORTS.every((name) => exported.has(name)) ? 'asyncify' : null;
}

function refuseInstrumented(outline: Outline): void {
  const by = instrumentedBy(outline);
  if (by === 'wasm-fibers') {
    const section = outline.sections.find((each) => each.name === SECTION);
    const metadata = parseMetadata(outline.bytes.subarray(section?.body ?? 0, section?.end ?? 0));
    const suspending = metadata.imports.filter((each) => each.suspending).map((each) => `${each.module}.${each.name}`);
    throw new FiberError(
      'ALREADY_INSTRUMENTED',
      `This module was already instrumented by wasm-fibers for the target ${metadata.target} (format ${metadata.version}; suspending: ${enumerate(suspending)}). To change that, instrument the original module again.`,
    );
  }
  if (by === 'asyncify') {
    throw new FiberError(
      'ALREADY_INSTRUMENTED',
      'This module was already instrumented with Asyncify by another tool (it exports asyncify_start_unwind and the rest). Take a build without it: emcc without -sASYNCIFY, wasm-opt without --asyncify; for Ruby and the like, the plain build.',
    );
  }
}

/**
 * Which imports are suspending, by function index.
 *
 * @throws FiberError `NO_SUSPENDING_IMPORTS` if none are asked for (the message lists them all), `NO_MATCH` if an entry
 * matches none
 */
export function matchSuspending(outline: Outline, patterns: readonly string[]): Set<number> {
  const imports = functionImports(outline);
  if (imports.length === 0) {
    throw new FiberError(
      'NO_SUSPENDING_IMPORTS',
      'This module imports no functions, so nothing in it can wait for the host. Import a function, and call it where the guest is to wait.',
    );
  }
  if (patterns.length === 0) {
    throw new FiberError(
      'NO_SUSPENDING_IMPORTS',
      `No suspending imports were named: say which imports may return a promise, with --suspending MODULE.NAME (repeatable; * is a wildcard; '*' means all). This module imports:\n${listImports(imports)}`,
    );
  }
  const found = new Set<number>();
  // Lists may be as long as the imports are: whole names are looked up, not compared.
  const byName = new Map<string, number[]>();
  for (const [index, { module, name }] of imports.entries()) {
    const path = `${module}.${name}`;
    const same = byName.get(path);
    if (same === undefined) byName.set(path, [index]);
    else same.push(index);
  }
  const names = [...byName.keys()];
  for (const pattern of patterns) {
    const matched = pattern.includes('*') ? names.filter(wildcard(pattern)) : byName.has(pattern) ? [pattern] : [];
    for (const name of matched) for (const index of byName.get(name) ?? []) found.add(index);
    if (matched.length > 0) continue;
    const near = nearMatches(pattern, names);
    const hint = near.length === 0 ? '' : ` Did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`;
    throw new FiberError(
      'NO_MATCH',
      `--suspending ${pattern} matches no import of this module.${hint} It imports:\n${listImports(imports)}`,
    );
  }
  return found;
}

/** One line for each import, aligned. */
export function listImports(imports: readonly Import[]): string {
  const names = imports.map((each) => `${each.module}.${each.name}`);
  const width = Math.min(48, Math.max(...names.map((name) => name.length)));
  return imports
    .map(
      (each, index) => `  ${(names[index] ?? '').padEnd(width)}  ${each.type === null ? '' : showSignature(each.type)}`,
    )
    .join('\n');
}

/** Do functions of the module's own have names, by which lists could mean them? Those of imports, and ours, do not count. */
export function hasNames(outline: Outline): boolean {
  return [...outline.names.functions].some(
    ([index, name]) => index >= outline.importedFunctions && !name.startsWith(`${SECTION}.`),
  );
}

/**
 * The defined functions that a list of names and patterns means.
 *
 * @throws FiberError `NO_MATCH`
 */
export function matchFunctions(outline: Outline, patterns: readonly string[], option: string): Set<number> {
  const found = new Set<number>();
  if (patterns.length === 0) return found;
  const names = new Map<number, string>();
  for (let index = outline.importedFunctions; index < outline.functionTypes.length; index++) {
    const name = outline.names.functions.get(index);
    if (name !== undefined) names.set(index, name);
  }
  const exported = outline.exports.filter((each) => each.kind === 'function');
  for (const pattern of patterns) {
    const matches = wildcard(pattern);
    const before = found.size;
    for (const [index, name] of names) if (matches(name)) found.add(index);
    for (const each of exported) {
      if (matches(each.name) && each.index >= outline.importedFunctions) found.add(each.index);
    }
    if (found.size > before) continue;
    if ([...found].some((index) => matches(names.get(index) ?? ''))) continue;
    const near = nearMatches(pattern, [...names.values(), ...exported.map((each) => each.name)]);
    const lack = outline.sections.some((each) => each.id === 0 && each.name === 'name')
      ? 'The name section of this module names none of its own functions'
      : 'This module has no name section';
    const why = hasNames(outline) ? '' : ` ${lack}, so only exports can be named: compile it with -g.`;
    const hint = near.length === 0 ? '' : ` Did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`;
    throw new FiberError('NO_MATCH', `--${option} ${pattern} matches no function of this module.${hint}${why}`);
  }
  return found;
}

/** Refuses what a function must not contain, whatever suspends it. */
export function refuseCode(outline: Outline, analysis: Analysis): void {
  refuse(
    having(outline, analysis, (facts) => facts.stackSwitching),
    'stack-switching instructions (cont.new, suspend, resume)',
    'No engine that wasm-fibers runs on has them.',
  );
  refuse(
    having(outline, analysis, (facts) => facts.unknown !== null),
    'an instruction that wasm-fibers does not know',
    'Compile without experimental features.',
  );
}

/**
 * Refuses what a function that Asyncify is to instrument must not contain.
 *
 * @param instrumented indices, see `selectFunctions`
 * @param how the settings that decide how it is done
 * @param watched functions with indirect calls that are made to trap at a suspension
 */
export function refuseForAsyncify(
  graph: CallGraph,
  suspending: ReadonlySet<number>,
  instrumented: ReadonlySet<number>,
  { asserts, closedTables, fastPath }: Pick<Settings, 'asserts' | 'closedTables' | 'fastPath'>,
  watched: ReadonlySet<number> = new Set(),
): void {
  const { outline, analysis } = graph;
  const refuseThat = (names: readonly string[], has: string, remedy: string): void =>
    refuse(names, has, `${remedy} ${OTHER_TARGET}`);
  const all = (test: Test): string[] => having(outline, analysis, test);
  const among = (test: Test, functions = instrumented): string[] => having(outline, analysis, test, functions);
  const LEGACY_EXCEPTIONS =
    'Compile with legacy exception handling (emcc -sWASM_LEGACY_EXCEPTIONS=1, clang -mllvm -wasm-use-legacy-eh=true).';
  const NO_TAIL_CALLS = 'Compile without tail calls: -mno-tail-call, -C target-feature=-tail-call, no musttail';
  const KEEP_OUT = 'If it never waits, leave it out with --remove.';

  refuseThat(
    among((facts) => facts.tailCalls),
    'a tail call (return_call), and may be on the stack at a suspension, which Asyncify cannot instrument',
    // Not --remove: the module would have to be watched for suspensions, which is refused below.
    `${NO_TAIL_CALLS}.`,
  );
  if (asserts) {
    const waiting = graph.reach(suspending).causes;
    const inTheWay = analysis.functions.some(
      (facts, offset) => facts.tailCalls && waiting.has(outline.importedFunctions + offset),
    );
    refuseThat(
      all((facts) => facts.tailCalls),
      'a tail call (return_call), which cannot be watched for suspensions',
      `${NO_TAIL_CALLS}${inTheWay ? '.' : '; or instrument without --only, --remove and --ignore-indirect.'}`,
    );
  }
  refuseThat(
    among((facts) => facts.tailCalls, watched),
    'a tail call (return_call) and an indirect call that is to be watched for suspensions, which goes only without tail calls',
    `${NO_TAIL_CALLS}; or instrument without --closed-tables.`,
  );
  refuseThat(
    among((facts) => facts.tryTable),
    'a try_table (the new form of exception handling), and may be waiting at a suspension, which Asyncify cannot instrument',
    `${LEGACY_EXCEPTIONS} ${KEEP_OUT}`,
  );
  // Binaryen's own assertions reach into one, and do not know of the calls that are hidden from it.
  if (closedTables || (asserts && fastPath)) {
    const leftOut = [...graph.reach(suspending).causes.keys()].filter((index) => !instrumented.has(index));
    refuseThat(
      among((facts) => facts.tryTable, new Set([...leftOut, ...watched])),
      'a try_table (the new form of exception handling), in which calls cannot be watched for suspensions',
      `${LEGACY_EXCEPTIONS} ${closedTables ? 'Or instrument without --closed-tables.' : 'Or instrument with --no-fast-path.'}`,
    );
  }
  if (!fastPath) {
    refuseThat(
      among((facts) => facts.branchesOnReference),
      "a branch that tests a reference (br_on_null, br_on_cast and the like), and may be on the stack at a suspension, which Binaryen's Asyncify pass cannot instrument",
      `Instrument without --no-fast-path. ${KEEP_OUT}`,
    );
  }
  const definite = (type: number): boolean => (outline.types[type]?.results ?? []).some(isDefinite);
  refuseThat(
    all(
      (facts) =>
        [...facts.calls].some((callee) => definite(outline.functionTypes[callee] ?? -1)) ||
        facts.indirectCalls.some((call) => definite(call.type)),
    ),
    'a call that returns a reference that cannot be null, on which Asyncify fails even where nothing suspends',
    'Let the called function return a nullable reference.',
  );
  refuseThat(
    among((_, index) => takes(outline, index, isDefinite)),
    'a parameter or a result that is a reference that cannot be null, and may be on the stack at a suspension, where there is none to hand over',
    `Let it be nullable. ${KEEP_OUT}`,
  );
  const reached = [...suspending, ...instrumented].map((index) => outline.functionTypes[index] ?? -1);
  const types = new Set(reached.map((type) => graph.types.canonical(type)));
  const takesOne = (wanted: number): boolean => [...types].some((type) => graph.types.isSubtype(type, wanted));
  refuseThat(
    all((facts) => [...facts.callsReference].some(takesOne)),
    'a call_ref to a type of function that may suspend, which Asyncify silently leaves out',
    'Call through a table (call_indirect) instead.',
  );
}

/** The way out for what only Asyncify cannot do. */
export const OTHER_TARGET: string =
  'Or instrument it for engines that switch stacks themselves, which carry everything: --target jspi.';

type Test = (facts: FunctionFacts, index: number) => boolean;

/** A reference that cannot be null. */
function isDefinite(type: string): boolean {
  return type.startsWith('(ref ') && !type.startsWith('(ref null');
}

/** Has the type of a function anything like that among its parameters and results? */
function takes(outline: Outline, index: number, test: (type: string) => boolean): boolean {
  const { params = [], results = [] } = outline.types[outline.functionTypes[index] ?? -1] ?? {};
  return [...params, ...results].some(test);
}

/** Names of the functions that pass a test. */
function having(outline: Outline, analysis: Analysis, test: Test, among: ReadonlySet<number> | null = null): string[] {
  const names: string[] = [];
  for (const [offset, facts] of analysis.functions.entries()) {
    const index = outline.importedFunctions + offset;
    if (test(facts, index) && (among === null || among.has(index))) names.push(`"${functionName(outline, index)}"`);
  }
  return names;
}

function refuse(names: readonly string[], has: string, remedy: string): void {
  if (names.length === 0) return;
  const subject =
    names.length === 1 ? `The function ${names[0] ?? ''} has` : `The functions ${enumerate(names, 3)} have`;
  throw unsupported(`${subject} ${has}. ${remedy}`);
}

/**
 * Functions that could hold a reference across a suspension; Binaryen says that one does, and not which. What a call is given
 * and what it returns is held by the caller: rewinding calls again, with the same arguments.
 */
export function referenceSuspects(outline: Outline, analysis: Analysis, instrumented: ReadonlySet<number>): number[] {
  const holds = (type: number): boolean => {
    const { params = [], results = [] } = outline.types[type] ?? {};
    return [...params, ...results].some(isReference);
  };
  const typeOf = (index: number): number => outline.functionTypes[index] ?? -1;
  return [...instrumented].filter((index) => {
    const facts = analysis.functions[index - outline.importedFunctions];
    if (facts === undefined) return false;
    const params = outline.types[typeOf(index)]?.params ?? [];
    return (
      facts.referenceLocals > 0 ||
      params.some(isReference) ||
      [...facts.calls].some((callee) => holds(typeOf(callee))) ||
      facts.indirectCalls.some(({ type }) => holds(type))
    );
  });
}

export function unsupported(message: string): FiberError {
  return new FiberError('UNSUPPORTED_FEATURE', message);
}
