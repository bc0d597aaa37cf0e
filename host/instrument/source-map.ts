/**
 * Source maps through instrumentation. Binaryen.js reads a binary without its map, but writes one from locations attached to
 * expressions; so the input's map is attached here. Reading keeps every instruction, and their order is the execution
 * order of the expressions, so the k-th call of a body is the k-th call of its tree.
 *
 * Two kinds of instructions get a location: those that a stack trace can show, because they call or can trap, and those
 * that a debugger stops at. The former always get one, if the map knows anything of their function; compilers leave out
 * what they made themselves, such as asc the call of `abort`, but a frame without a line helps nobody.
 */
import type { SourceMapSegment } from '@jridgewell/trace-mapping';
import { type DecodedMap, FUNCTION_NAMES, decodeMap } from '../source-maps/decode.ts';
import { Op, decodeBody } from './binary/code.ts';
import type { Outline } from './binary/module.ts';
import type { BinaryenModule, Ref } from './binaryen.ts';
import type { Tree, Walker } from './walk.ts';

export interface SourceMap extends DecodedMap {
  readonly root: string | null;
}

/** @throws FiberError `BAD_SOURCE_MAP` */
export function parseSourceMap(text: string): SourceMap {
  const decoded = decodeMap(text, 'The input source map');
  const { sourceRoot } = decoded.trace;
  return { ...decoded, root: sourceRoot ?? null };
}

/**
 * A map as Binaryen wrote it, with what it does not carry over.
 *
 * @param functionNames of the functions by index, if the module does not have them itself
 */
export function completeSourceMap(text: string, input: SourceMap, functionNames: ReadonlyMap<number, string>): string {
  const map = JSON.parse(text) as Record<string, unknown> & { sources: string[] };
  const contents = map.sources.map((source) => input.contents[input.sources.indexOf(source)] ?? null);
  return JSON.stringify({
    ...map,
    ...(input.root === null ? {} : { sourceRoot: input.root }),
    ...(contents.some((each) => each !== null) ? { sourcesContent: contents } : {}),
    ...(functionNames.size === 0 ? {} : { [FUNCTION_NAMES]: Object.fromEntries(functionNames) }),
  });
}

/** What a stack trace can show; these are never dropped or made up when a module is read. */
const VISIBLE = [
  'Call',
  'CallIndirect',
  'CallRef',
  'Unreachable',
  'Throw',
  'Load',
  'Store',
  'SIMDLoad',
  'SIMDLoadStoreLane',
  'Binary',
  'Unary',
  'MemoryInit',
  'MemoryCopy',
  'MemoryFill',
  'TableGet',
  'TableSet',
] as const;
/** What a debugger stops at. Reading adds some for values that stay on the stack over several instructions. */
const STEPS = ['LocalSet', 'GlobalSet', 'Break', 'Switch', 'Return', 'MemoryGrow'] as const;

/** Binaryen's names of the expressions. `Binary` and `Unary` stand for those that can trap. */
type Kind = (typeof VISIBLE)[number] | (typeof STEPS)[number];
const steps: ReadonlySet<Kind> = new Set(STEPS);

const TRAPPING = {
  Binary: ['DivS', 'DivU', 'RemS', 'RemU'].flatMap((name) => [`${name}Int32`, `${name}Int64`]),
  Unary: ['S', 'U'].flatMap((sign) =>
    ['32', '64'].flatMap((from) => [`Trunc${sign}Float${from}ToInt32`, `Trunc${sign}Float${from}ToInt64`]),
  ),
} as const;

const SIMPLE: Readonly<Record<number, Kind>> = {
  [Op.Unreachable]: 'Unreachable',
  [Op.Throw]: 'Throw',
  [Op.Br]: 'Break',
  0x0d: 'Break',
  [Op.BrTable]: 'Switch',
  [Op.Return]: 'Return',
  [Op.Call]: 'Call',
  [Op.ReturnCall]: 'Call',
  [Op.CallIndirect]: 'CallIndirect',
  [Op.ReturnCallIndirect]: 'CallIndirect',
  [Op.CallRef]: 'CallRef',
  [Op.ReturnCallRef]: 'CallRef',
  0x21: 'LocalSet',
  0x22: 'LocalSet',
  [Op.GlobalSet]: 'GlobalSet',
  0x25: 'TableGet',
  0x26: 'TableSet',
  [Op.MemoryGrow]: 'MemoryGrow',
  [(0xfc << 16) | 8]: 'MemoryInit',
  [(0xfc << 16) | 10]: 'MemoryCopy',
  [(0xfc << 16) | 11]: 'MemoryFill',
};

const RANGES: readonly (readonly [first: number, last: number, kind: Kind])[] = [
  [0x28, 0x35, 'Load'],
  [0x36, 0x3e, 'Store'],
  [0x6d, 0x70, 'Binary'],
  [0x7f, 0x82, 'Binary'],
  [0xa8, 0xab, 'Unary'],
  [0xae, 0xb1, 'Unary'],
  [0xfd << 16, 0xfd << 16, 'Load'],
  [(0xfd << 16) | 1, (0xfd << 16) | 10, 'SIMDLoad'],
  [(0xfd << 16) | 11, (0xfd << 16) | 11, 'Store'],
  [(0xfd << 16) | 84, (0xfd << 16) | 91, 'SIMDLoadStoreLane'],
  [(0xfd << 16) | 92, (0xfd << 16) | 93, 'SIMDLoad'],
];

function kindOf(opcode: number): Kind | null {
  return SIMPLE[opcode] ?? RANGES.find(([first, last]) => first <= opcode && opcode <= last)?.[2] ?? null;
}

export type Mapped = SourceMapSegment & { readonly length: 4 | 5 };
export const isMapped = (segment: SourceMapSegment | undefined): segment is Mapped =>
  segment !== undefined && segment.length > 1;

/** An instruction that should have a location, and the one that it is given. */
export interface Located {
  readonly kind: Kind;
  readonly offset: number;
  readonly mapping: Mapped | null;
}

interface Expression {
  readonly kind: Kind;
  readonly ref: Ref;
}

/** Where expressions came from. Binaryen.js can be told, but not asked. */
export interface Locations {
  /** Gives an expression of a function the location of another one, if that has one. */
  copy(func: Ref, to: Ref, from: Ref): void;
}

export const NO_LOCATIONS: Locations = { copy() {} };

/** Gives the expressions of a module that was just read their locations. */
export function attachLocations(walker: Walker, module: BinaryenModule, outline: Outline, map: SourceMap): Locations {
  const known = new Map<Ref, readonly [file: number, line: number, column: number]>();
  const files = map.sources.map((name) => module.addDebugInfoFileName(name));
  const expressionsOf = kindsOfExpressions(walker);
  for (const [index, body] of outline.bodies.entries()) {
    const instructions = readInstructions(outline.bytes, body.start, body.end, map.segments);
    if (instructions.every(({ mapping }) => mapping === null)) continue;
    const func = module.getFunctionByIndex(outline.importedFunctions + index);
    for (const [{ mapping }, { ref }] of pair(instructions, expressionsOf(walker.tree(func)))) {
      if (mapping === null) continue;
      const [, source, line, column] = mapping;
      const location = [files[source] ?? 0, line + 1, column] as const;
      known.set(ref, location);
      module.setDebugLocation(func, ref, ...location);
    }
  }
  return {
    copy(func, to, from) {
      const location = known.get(from);
      if (location === undefined) return;
      known.set(to, location);
      module.setDebugLocation(func, to, ...location);
    },
  };
}

/** The instructions of a body that matter here, each with the place that it came from. */
export function readInstructions(
  bytes: Uint8Array,
  start: number,
  end: number,
  segments: readonly SourceMapSegment[],
): Located[] {
  let next = firstAt(segments, start);
  const begin = segments.slice(next, firstAt(segments, end)).find(isMapped);
  if (begin === undefined) return [];
  let current: Mapped | null = null;
  let before: Mapped = begin;
  const instructions: Located[] = [];
  decodeBody(bytes, start, end, ({ opcode, offset }) => {
    for (; (segments[next]?.[0] ?? Infinity) <= offset; next++) {
      const segment = segments[next];
      current = isMapped(segment) ? segment : null;
      before = current ?? before;
    }
    const kind = kindOf(opcode);
    if (kind !== null) instructions.push({ kind, offset, mapping: current ?? (steps.has(kind) ? null : before) });
  });
  return instructions;
}

/** Index of the first segment at an offset or behind it. */
function firstAt(segments: readonly SourceMapSegment[], offset: number): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((segments[middle]?.[0] ?? Infinity) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The expressions of a tree that matter here, in execution order. */
function kindsOfExpressions({ raw }: Walker): (tree: Tree) => Expression[] {
  const ids = new Map([...VISIBLE, ...STEPS].map((kind) => [raw.id(kind), kind]));
  const operations = (kind: keyof typeof TRAPPING): Set<number> =>
    new Set(TRAPPING[kind].map((name) => raw.optional(name)?.() ?? -1));
  const trapping = { Binary: operations('Binary'), Unary: operations('Unary') };
  const operation = { Binary: raw.call('BinaryGetOp'), Unary: raw.call('UnaryGetOp') };
  return ({ parents, ids: kinds, expressions }) =>
    executionOrder(parents).flatMap((at) => {
      const kind = ids.get(kinds[at] ?? -1);
      const ref = expressions[at] ?? 0;
      if (kind === undefined) return [];
      if ((kind === 'Binary' || kind === 'Unary') && !trapping[kind].has(operation[kind](ref))) return [];
      return [{ kind, ref }];
    });
}

/** Indices of a tree, which is in order of parents first, in the order in which the instructions stand: operands first. */
function executionOrder(parents: readonly number[]): number[] {
  const order: number[] = [];
  const open: number[] = [];
  for (const [at, parent] of parents.entries()) {
    while (open.length > 0 && open.at(-1) !== parent) order.push(open.pop() ?? 0);
    open.push(at);
  }
  while (open.length > 0) order.push(open.pop() ?? 0);
  return order;
}

/** Which expression each instruction became; without the steps where those differ, and nothing where more does. */
function pair(
  instructions: readonly Located[],
  expressions: readonly Expression[],
): (readonly [Located, Expression])[] {
  const matches = (left: readonly { kind: Kind }[], right: readonly { kind: Kind }[]): boolean =>
    left.length === right.length && left.every(({ kind }, at) => right[at]?.kind === kind);
  const zip = (left: readonly Located[], right: readonly Expression[]): (readonly [Located, Expression])[] =>
    left.flatMap((each, at) => {
      const other = right[at];
      return other === undefined ? [] : [[each, other] as const];
    });
  if (matches(instructions, expressions)) return zip(instructions, expressions);
  const visible = ({ kind }: { kind: Kind }): boolean => !steps.has(kind);
  const [left, right] = [instructions.filter(visible), expressions.filter(visible)];
  return matches(left, right) ? zip(left, right) : [];
}
