/**
 * Reads source maps: `@jridgewell/trace-mapping` decodes, and what it takes on trust is checked here, once, so that
 * nothing has to be checked while an error is being handled. The columns of a module's map are offsets in its bytes.
 */
import { FlattenMap, decodedMappings } from '@jridgewell/trace-mapping';
import type { SourceMapSegment, TraceMap } from '@jridgewell/trace-mapping';
import { FiberError } from '../errors.ts';

/**
 * Names of functions by index, as our instrumenter adds them to the map of a module that has none itself. The prefix is
 * what the format reserves for extensions.
 */
export const FUNCTION_NAMES = 'x_wasm_function_names';

export interface DecodedMap {
  readonly trace: TraceMap;
  /** Sorted by offset. One that has an offset alone ends the one before: what follows belongs to no source. */
  readonly segments: readonly SourceMapSegment[];
  readonly sources: readonly string[];
  /** The text of each source, where the map has it. */
  readonly contents: readonly (string | null)[];
  readonly functionNames: Readonly<Record<string, string>>;
}

/**
 * @param map the text, or what JSON.parse made of it
 * @param what it is, in sentences: "The source map app.wasm.map"
 * @throws FiberError `BAD_SOURCE_MAP`
 */
export function decodeMap(map: unknown, what: string): DecodedMap {
  const parsed = typeof map === 'string' ? parse(map, what) : map;
  const fields = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as Record<string, unknown>;
  const { version, sources, mappings, sections, sourcesContent } = fields;
  const plain = Array.isArray(sources) && typeof mappings === 'string';
  if (version !== 3 || !(plain || Array.isArray(sections))) {
    throw bad(what, 'is not a source map of version 3 (version, sources, mappings)');
  }
  if (plain && /[^A-Za-z0-9+/,;]/.test(mappings)) throw bad(what, 'has mappings that are not Base64 VLQ');
  let trace: TraceMap;
  let segments: readonly SourceMapSegment[];
  try {
    trace = new FlattenMap(parsed as string);
    // A module is one line; what a generator put behind a ";" does not belong to it.
    segments = decodedMappings(trace)[0] ?? [];
  } catch (cause) {
    throw bad(what, 'cannot be decoded', cause);
  }
  for (const segment of segments) if (!isSound(segment, trace.sources.length)) throw bad(what, 'has damaged mappings');
  const contents = sourcesContent === undefined ? (trace.sourcesContent ?? []) : sourcesContent;
  const names = fields[FUNCTION_NAMES];
  return {
    trace,
    segments,
    // Without `sourceRoot`: asc's is the name of the module, and names no folder.
    sources: (plain ? sources : trace.sources).map(String),
    contents: Array.isArray(contents) ? contents.map((each) => (typeof each === 'string' ? each : null)) : [],
    functionNames: typeof names === 'object' && names !== null ? (names as Record<string, string>) : {},
  };
}

function parse(text: string, what: string): unknown {
  try {
    // The first line may be one that keeps the file from being run as a script.
    return JSON.parse(text.replace(/^\)\]\}'[^\n]*\n/, ''));
  } catch (cause) {
    throw bad(what, 'is not JSON', cause);
  }
}

/** Letters that are not Base64 VLQ decode to nonsense, silently. */
function isSound(segment: SourceMapSegment, sources: number): boolean {
  const [offset, source = 0, line = 0, column = 0] = segment;
  const numbers = [offset, source, line, column].every((each) => Number.isInteger(each) && each >= 0);
  return numbers && (segment.length === 1 || source < sources);
}

export function bad(what: string, problem: string, cause?: unknown): FiberError {
  return new FiberError('BAD_SOURCE_MAP', `${what} ${problem}.`, cause === undefined ? {} : { cause });
}
