/**
 * A module as `explain` and `report` look at it: its call graph, and which functions are instrumented for given options. A
 * module that was instrumented already says itself which options those were. Nothing is refused here that instrumenting would
 * refuse: why a function is in the set that must not have a tail call is just what somebody may want to know.
 */
import { traceSegment } from '@jridgewell/trace-mapping';
import { FiberError } from '../errors.ts';
import type { Metadata, Target } from '../runtime/metadata.ts';
import { analyse } from './binary/analysis.ts';
import { CallGraph } from './binary/call-graph.ts';
import { Op, decodeBody } from './binary/code.ts';
import { functionImports, functionName, readOutline } from './binary/module.ts';
import type { Import, Outline } from './binary/module.ts';
import { nearMatches, wildcard } from './lists.ts';
import { invalid, settle } from './options.ts';
import type { InstrumentOptions, Settings } from './options.ts';
import { isOwn, joinBodies, metadataOf, ownersOf, suspendingOf } from './own.ts';
import { instrumentedBy, matchSuspending } from './refuse.ts';
import { selectFunctions } from './select.ts';
import type { Selection } from './select.ts';
import { parseSourceMap } from './source-map.ts';
import type { SourceMap } from './source-map.ts';

/** Options of `instrument` that decide which functions are instrumented, and a source map to name places by. */
export type StudyOptions = Partial<
  Pick<
    InstrumentOptions,
    'suspending' | 'target' | 'only' | 'add' | 'remove' | 'ignoreIndirect' | 'closedTables' | 'sourceMap'
  >
>;

/** A place in the source, counted from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A function of the module. */
export interface StudiedFunction {
  readonly index: number;
  /** Its name; of an import `module.name`; if it has none, an export of it or `function 12`. */
  readonly name: string;
  readonly imported: boolean;
  /** Names of its exports. */
  readonly exported: readonly string[];
  /** Bytes of its body; in an instrumented module, with the other one in which it goes on after a wait, if it has that. */
  readonly bytes: number;
  /** Where it is in the source, if a source map was given and knows it. */
  readonly place: Place | null;
}

const LISTS = ['only', 'add', 'remove'] as const;
const FLAGS = ['ignoreIndirect', 'closedTables'] as const;
const KNOWN: readonly string[] = ['suspending', 'target', 'sourceMap', ...LISTS, ...FLAGS];

export class Study {
  readonly outline: Outline;
  readonly graph: CallGraph;
  readonly settings: Settings;
  /** What the module says of itself, if it was instrumented. */
  readonly metadata: Metadata | null;
  readonly target: Target;
  /** Function indices of suspending imports. */
  readonly suspending: ReadonlySet<number>;
  readonly selection: Selection;
  /** Of what instrumentation has added, the function that it belongs to, by indices. */
  readonly owners: ReadonlyMap<number, number>;
  readonly #parts = new Map<number, readonly number[]>();
  /** What instrumentation has added, though no name says so. */
  readonly #helpers = new Set<number>();
  readonly #map: SourceMap | null;
  readonly #imports: readonly Import[];
  readonly #exports = new Map<number, string[]>();

  /**
   * @param what the function that was called, for messages
   * @throws FiberError `NOT_WASM`, `BAD_MODULE`, `BAD_METADATA`, `BAD_SOURCE_MAP`, `INVALID_OPTION`, `ALREADY_INSTRUMENTED`,
   * `NO_SUSPENDING_IMPORTS`, `NO_MATCH`
   */
  constructor(wasm: Uint8Array, options: StudyOptions, what: 'explain' | 'report') {
    checkKeys(options, what);
    this.outline = readOutline(wasm);
    if (instrumentedBy(this.outline) === 'asyncify') {
      throw new FiberError(
        'ALREADY_INSTRUMENTED',
        'This module was instrumented with Asyncify by another tool, which does not say for which imports. Take a build without it: emcc without -sASYNCIFY, wasm-opt without --asyncify.',
      );
    }
    this.metadata = metadataOf(this.outline);
    const analysis = analyse(this.outline);
    this.owners =
      this.metadata === null ? new Map() : ownersOf(this.outline, analysis, suspendingOf(this.outline, this.metadata));
    for (const [index, owner] of this.owners) {
      if (owner >= this.outline.importedFunctions) this.#parts.set(owner, [...(this.#parts.get(owner) ?? []), index]);
    }
    this.graph = new CallGraph(this.outline, joinBodies(this.outline, analysis, this.owners));
    const given = this.metadata === null ? options : ownOptions(this.outline, this.metadata, options);
    const { suspending = [], sourceMap: _, ...others } = given;
    this.settings = settle({ ...others, suspending });
    this.target = this.metadata?.target ?? this.settings.target;
    this.suspending =
      this.metadata === null ? matchSuspending(this.outline, suspending) : suspendingOf(this.outline, this.metadata);
    this.selection = this.#select();
    this.#map = options.sourceMap === undefined ? null : parseSourceMap(options.sourceMap);
    this.#imports = functionImports(this.outline);
    for (const { kind, index, name } of this.outline.exports) {
      if (kind === 'function') this.#exports.set(index, [...(this.#exports.get(index) ?? []), name]);
    }
  }

  #select(): Selection {
    if (this.target === 'jspi') {
      const { causes } = this.graph.reach(this.suspending, { references: true });
      return { instrumented: new Set(causes.keys()), added: new Set(), removed: new Set(), handlingOf: () => 'seen' };
    }
    const selection = selectFunctions(this.graph, this.suspending, this.settings);
    const saving = this.metadata === null ? null : functionsWithFrames(this.outline, this.owners);
    if (saving === null) return selection;
    const { causes } = this.graph.reach(this.suspending);
    for (const index of saving) {
      // What has no name, reaches no import that waits and yet uses the window serves it: it is what functions save frames by.
      if (causes.has(index) || this.outline.names.functions.has(index)) continue;
      saving.delete(index);
      this.#helpers.add(index);
    }
    return { ...selection, instrumented: saving };
  }

  describe(index: number): StudiedFunction {
    const { start = 0, end = 0 } = this.outline.bodies[index - this.outline.importedFunctions] ?? {};
    const others = (this.#parts.get(index) ?? []).map((each) => bodyBytes(this.outline, each));
    return {
      index,
      name: this.nameOf(index),
      imported: index < this.outline.importedFunctions,
      exported: this.#exports.get(index) ?? [],
      bytes: others.reduce((sum, each) => sum + each, end - start),
      place: this.#firstPlace(start, end),
    };
  }

  /** Does this function come from instrumentation itself? */
  isAdded(index: number): boolean {
    // Of a module that is not instrumented, a name like that is the module's own.
    if (this.metadata === null) return false;
    if (this.owners.has(index) || this.#helpers.has(index)) return true;
    return isOwn(this.nameOf(index)) || (this.#exports.get(index) ?? []).some(isOwn);
  }

  nameOf(index: number): string {
    const each = this.#imports[index];
    if (each !== undefined) return `${each.module}.${each.name}`;
    return this.outline.names.functions.get(index) ?? this.#exports.get(index)?.[0] ?? `function ${index}`;
  }

  /** The first place that the map knows in a body. */
  #firstPlace(start: number, end: number): Place | null {
    const segments = this.#map?.segments ?? [];
    let low = 0;
    let high = segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((segments[middle]?.[0] ?? 0) < start) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < segments.length; at++) {
      const segment = segments[at];
      if (segment === undefined || segment[0] >= end) break;
      const place = this.#place(segment);
      if (place !== null) return place;
    }
    return null;
  }

  #place(segment: readonly number[]): Place | null {
    const [, source, line, column] = segment;
    if (this.#map === null || source === undefined || line === undefined || column === undefined) return null;
    return { file: this.#map.sources[source] ?? '', line: line + 1, column: column + 1 };
  }

  /** Where in the source the first instruction of a body is that passes a test. */
  placeIn(index: number, test: (opcode: number, immediate: number, second: number) => boolean): Place | null {
    const { start = 0, end = 0 } = this.outline.bodies[index - this.outline.importedFunctions] ?? {};
    let found = -1;
    decodeBody(this.outline.bytes, start, end, ({ opcode, immediate, second, offset }) => {
      if (found < 0 && test(opcode, immediate, second)) found = offset;
    });
    const segment = found < 0 || this.#map === null ? null : traceSegment(this.#map.trace, 0, found);
    // Before the function's first mapping stands what was mapped in the function before it.
    return segment === null || segment[0] < start ? null : this.#place(segment);
  }

  /**
   * The function that somebody means: by name, by export, by import (`module.name`), by a pattern that matches one, or by
   * index (`12`, `function 12`, `wasm-function[12]`).
   *
   * @throws FiberError `NO_MATCH` if there is none (with those that have a similar name), or more than one
   */
  find(wanted: string | number): number {
    const { functionTypes, importedFunctions } = this.outline;
    const count = functionTypes.length;
    const found = typeof wanted === 'number' ? [] : this.#named(wanted);
    const [first] = found;
    if (first !== undefined && found.length === 1) return first;
    if (found.length > 1) {
      const names = found.slice(0, 8).map((index) => `"${this.nameOf(index)}" (${index})`);
      const more = found.length > 8 ? ` and ${found.length - 8} more` : '';
      throw new FiberError(
        'NO_MATCH',
        `"${wanted}" means ${found.length} functions: ${names.join(', ')}${more}. Name one of them, or give its index.`,
      );
    }
    const digits = /^(?:function |wasm-function\[)?(\d+)\]?$/.exec(String(wanted))?.[1];
    const index = digits === undefined ? -1 : Number(digits);
    if (index >= 0 && index < count) return index;
    if (digits !== undefined || typeof wanted === 'number') {
      throw new FiberError(
        'NO_MATCH',
        `There is no function ${wanted}: this module has ${count}, from 0 (${importedFunctions} of them imported).`,
      );
    }
    const names = functionTypes.flatMap((_, each) => this.#namesOf(each));
    const near = nearMatches(wanted, names);
    const hint = near.length === 0 ? '' : ` Did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`;
    const nameless = functionTypes.every(
      (_, each) => each < importedFunctions || this.isAdded(each) || !this.outline.names.functions.has(each),
    );
    const remedy = !nameless
      ? ''
      : this.metadata === null
        ? ' Its functions have no names: compile it with -g, or give an index.'
        : ' Its functions have no names: ask of the module from before, with the same options, or instrument it without --strip-debug.';
    throw new FiberError('NO_MATCH', `No function of this module is called "${wanted}".${hint}${remedy}`);
  }

  #named(wanted: string): number[] {
    const matches = wildcard(wanted);
    const all = this.outline.functionTypes.map((_, index) => index);
    // A name that is there as it stands is not a pattern, whatever is in it.
    const exact = all.filter((index) => this.#namesOf(index).includes(wanted));
    if (exact.length > 0 || !wanted.includes('*')) return exact;
    return all.filter((index) => this.#namesOf(index).some(matches));
  }

  #namesOf(index: number): string[] {
    return [this.nameOf(index), ...(this.#exports.get(index) ?? [])];
  }
}

function checkKeys(options: StudyOptions, what: string): void {
  if (typeof options !== 'object' || options === null) throw invalid('options', 'must be an object', options);
  for (const key of Object.keys(options)) {
    if (KNOWN.includes(key)) continue;
    const [near] = nearMatches(key, KNOWN);
    throw invalid(key, `is no option of ${what}()${near === undefined ? '' : `: did you mean "${near}"?`}`);
  }
}

/** The options that an instrumented module was made with, as far as they still mean something in it. */
function ownOptions(outline: Outline, { options, target }: Metadata, given: StudyOptions): StudyOptions {
  for (const key of ['suspending', 'target', ...LISTS, ...FLAGS] as const) {
    const value: unknown = given[key];
    if (value === undefined || value === false || (Array.isArray(value) && value.length === 0)) continue;
    throw invalid(
      key,
      'is for a module that is not instrumented yet; this one says itself how it was made. Leave it out, or give the module from before',
    );
  }
  const own: Record<string, unknown> = { target, sourceMap: given.sourceMap };
  if (target === 'jspi') return own;
  for (const key of FLAGS) own[key] = options[key] === true;
  for (const key of LISTS) {
    const list: unknown = options[key];
    const names = Array.isArray(list) ? list.filter((each): each is string => typeof each === 'string') : [];
    // What was inlined, or has lost its name, is not there any more to be meant.
    own[key] = names.filter((name) => [...outline.names.functions.values()].some(wildcard(name)));
  }
  return own;
}

/** Functions that use the window, whose address `asyncify_start_unwind` sets; null if that is not as it should be. */
function functionsWithFrames(outline: Outline, owners: ReadonlyMap<number, number>): Set<number> | null {
  const { importedFunctions, bodies, bytes } = outline;
  const start = outline.exports.find((each) => each.name === 'asyncify_start_unwind' && each.kind === 'function');
  const body = start === undefined ? undefined : bodies[start.index - importedFunctions];
  if (body === undefined) return null;
  let state = -1;
  let window = -1;
  decodeBody(bytes, body.start, body.end, ({ opcode, immediate }) => {
    if (opcode !== Op.GlobalSet) return;
    if (state < 0) state = immediate;
    else if (immediate !== state && window < 0) window = immediate;
  });
  if (window < 0) return null;
  const found = new Set<number>();
  for (const [order, { start: from, end }] of bodies.entries()) {
    const index = importedFunctions + order;
    if (
      owners.has(index) ||
      isOwn(functionName(outline, index)) ||
      outline.exports.some((each) => each.index === index && isOwn(each.name))
    )
      continue;
    decodeBody(bytes, from, end, ({ opcode, immediate }) => {
      if (opcode === Op.GlobalGet && immediate === window) found.add(index);
    });
  }
  return found;
}

/** Bytes of a function's body. */
export function bodyBytes(outline: Outline, index: number): number {
  const { start = 0, end = 0 } = outline.bodies[index - outline.importedFunctions] ?? {};
  return end - start;
}
