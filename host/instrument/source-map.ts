/**
 * Source maps through instrumentation. Binaryen.js reads a binary without its map, but writes one from locations attached to
 * expressions; so the input's map is attached here. The k-th call of a function in the binary is the k-th call of its
 * expression tree in execution order, and the same holds for every other kind of instruction that can trap or be seen in
 * a stack trace. Where the two sequences differ (unreachable code is dropped on reading) they are aligned by kind.
 */
import { FiberError } from '../errors.ts';
import { Op, decodeBody } from './binary/code.ts';
import type { Outline } from './binary/module.ts';
import type { BinaryenModule, Ref } from './binaryen.ts';
import type { Walker } from './walk.ts';

interface Mapping {
  /** Offset in the module. */
  readonly offset: number;
  readonly source: number;
  /** 0-based, as in the map. */
  readonly line: number;
  readonly column: number;
}

export interface SourceMap {
  readonly sources: readonly string[];
  /** Sorted by offset. */
  readonly mappings: readonly Mapping[];
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * Reads a source map of version 3 of a WebAssembly module, whose columns are offsets.
 *
 * @throws FiberError `INVALID_OPTION`
 */
export function parseSourceMap(text: string): SourceMap {
  let map: unknown;
  try {
    map = JSON.parse(text);
  } catch (cause) {
    throw new FiberError('INVALID_OPTION', 'The input source map is not JSON.', { cause });
  }
  const { version, sources, mappings } = (map ?? {}) as Record<string, unknown>;
  if (version !== 3 || !Array.isArray(sources) || typeof mappings !== 'string') {
    throw new FiberError(
      'INVALID_OPTION',
      'The input source map is not a source map of version 3 (version, sources, mappings).',
    );
  }
  return { sources: sources.map(String), mappings: decodeMappings(mappings) };
}

function decodeMappings(text: string): Mapping[] {
  const found: Mapping[] = [];
  let offset = 0;
  let source = 0;
  let line = 0;
  let column = 0;
  // A module is one line; what a generator put behind a ";" does not belong to it.
  for (const segment of (text.split(';', 1)[0] ?? '').split(',')) {
    const [first, ...rest] = decodeVlq(segment);
    if (first === undefined) continue;
    offset += first;
    if (rest.length < 3) continue;
    source += rest[0] ?? 0;
    line += rest[1] ?? 0;
    column += rest[2] ?? 0;
    found.push({ offset, source, line, column });
  }
  return found.sort((a, b) => a.offset - b.offset);
}

function decodeVlq(segment: string): number[] {
  const values: number[] = [];
  let value = 0;
  let shift = 0;
  for (const letter of segment) {
    const digit = DIGITS.indexOf(letter);
    if (digit < 0)
      throw new FiberError(
        'INVALID_OPTION',
        `The input source map has mappings that are not Base64 VLQ ("${letter}").`,
      );
    value += (digit & 31) * 2 ** shift;
    shift += 5;
    if (digit & 32) continue;
    values.push(value % 2 === 1 ? -Math.floor(value / 2) : value / 2);
    value = 0;
    shift = 0;
  }
  return values;
}

/** Kinds of instructions that carry a location, and the names that Binaryen has for their expressions. */
const KINDS = [
  'Call',
  'CallIndirect',
  'CallRef',
  'Load',
  'Store',
  'GlobalSet',
  'LocalSet',
  'Unreachable',
  'Throw',
  'MemoryGrow',
  'Break',
  'Return',
] as const;
type Kind = (typeof KINDS)[number];

function kindOf(opcode: number): Kind | null {
  if (opcode >= 0x28 && opcode <= 0x35) return 'Load';
  if (opcode >= 0x36 && opcode <= 0x3e) return 'Store';
  switch (opcode) {
    case Op.Call:
    case Op.ReturnCall:
      return 'Call';
    case Op.CallIndirect:
    case Op.ReturnCallIndirect:
      return 'CallIndirect';
    case Op.CallRef:
    case Op.ReturnCallRef:
      return 'CallRef';
    case Op.GlobalSet:
      return 'GlobalSet';
    case 0x21:
    case 0x22:
      return 'LocalSet';
    case Op.Unreachable:
      return 'Unreachable';
    case Op.Throw:
      return 'Throw';
    case Op.MemoryGrow:
      return 'MemoryGrow';
    case Op.Br:
    case 0x0d:
      return 'Break';
    case Op.Return:
      return 'Return';
    default:
      return null;
  }
}

/** Gives the expressions of a module that was just read their locations. */
export function attachLocations(walker: Walker, module: BinaryenModule, outline: Outline, map: SourceMap): void {
  const files = map.sources.map((name) => module.addDebugInfoFileName(name));
  const ids = new Map<number, Kind>(KINDS.map((kind) => [walker.raw.id(kind), kind]));
  const find = lookUp(map);
  for (const [index, body] of outline.bodies.entries()) {
    const inBinary: { kind: Kind; mapping: Mapping | null }[] = [];
    decodeBody(outline.bytes, body.start, body.end, ({ opcode, offset }) => {
      const kind = kindOf(opcode);
      if (kind !== null) inBinary.push({ kind, mapping: find(offset, body.start) });
    });
    if (inBinary.every((each) => each.mapping === null)) continue;
    const func = module.getFunctionByIndex(outline.importedFunctions + index);
    const tree = walker.tree(func);
    const inTree = executionOrder(tree.parents)
      .map((at) => ({ kind: ids.get(tree.ids[at] ?? -1), expression: tree.expressions[at] ?? 0 }))
      .filter((each): each is { kind: Kind; expression: Ref } => each.kind !== undefined);
    let from = 0;
    for (const { kind, expression } of inTree) {
      let at = from;
      while (at < from + LOOK_AHEAD && inBinary[at] !== undefined && inBinary[at]?.kind !== kind) at += 1;
      const same = inBinary[at];
      if (same?.kind !== kind) continue;
      from = at + 1;
      const { mapping } = same;
      const file = mapping ? files[mapping.source] : undefined;
      if (mapping && file !== undefined)
        module.setDebugLocation(func, expression, file, mapping.line + 1, mapping.column);
    }
  }
}

/** How many instructions that have no expression (they were unreachable) are skipped in one go. */
const LOOK_AHEAD = 64;

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

/** The mapping that an offset belongs to: the last one at or before it, within the same function. */
function lookUp(map: SourceMap): (offset: number, start: number) => Mapping | null {
  const { mappings } = map;
  return (offset, start) => {
    let low = 0;
    let high = mappings.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((mappings[middle]?.offset ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    const found = mappings[low - 1];
    return found !== undefined && found.offset >= start ? found : null;
  };
}
