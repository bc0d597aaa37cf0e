/**
 * Puts source locations into stack traces. What holds: an error stays the same object, nothing here throws while an
 * error is being handled, and what is mapped once is not mapped again.
 */
import {
  type Line,
  type Location,
  type WasmFrame,
  isBoundary,
  joinBodies,
  parseLine,
  parseStack,
  printFrame,
} from './frames.ts';
import type { SourceMap } from './source-map.ts';

/** A frame of a guest, innermost first in lists. Lines and columns count from 1, as editors do. */
export interface GuestFrame {
  /** As the guest's compiler calls it: `assembly/index/parse`. Null where neither the module nor its map has names. */
  readonly function: string | null;
  /** As the map has it, such as `assembly/index.ts` or `~lib/array.ts`; null if the frame could not be mapped. */
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
  /** The text of the line, if the map has the source. */
  readonly text: string | null;
  /** Index of the function in the module. */
  readonly index: number;
  /** Offset of the instruction in the module, bytes. */
  readonly offset: number;
}

interface Mapped {
  readonly line: Line;
  readonly map: SourceMap | null;
  readonly place: Location | null;
  readonly name: string | null;
}

interface Trace {
  /** What the error's stack was set to. If it is another now, somebody has changed it. */
  readonly stack: string;
  readonly lines: readonly Mapped[];
}

const traces = new WeakMap<object, Trace>();

/**
 * Rewrites the `stack` of an error, and of its causes, so that the frames of guests name places in their source. Frames
 * that no map fits stay as they are. Calling it again, or with other maps, maps what is left. Never throws.
 *
 * @param error whatever was thrown; what is no error is returned as it is
 * @param maps of all guests that may be on the stack
 * @returns the same error
 * @example
 * const map = await loadSourceMap(new URL('app.wasm', import.meta.url));
 * try {
 *   await guest.exports.run();
 * } catch (error) {
 *   console.error(mapError(error, map)); // RuntimeError: unreachable at parse (assembly/index.ts:12:5) ...
 * }
 * @example
 * // Every error of a guest, before anybody else sees it.
 * const guest = await instantiate(url, imports, { onEvent: ({ error }) => void mapError(error, map) });
 */
export function mapError<E>(error: E, ...maps: readonly SourceMap[]): E {
  for (const each of withCauses(error)) {
    try {
      mapStack(each, maps);
    } catch {
      // A stack that cannot be read or set, such as that of a frozen error, stays what it is.
    }
  }
  return error;
}

/**
 * The frames of guests in an error's stack trace, innermost first, with what `mapError` found out about them.
 *
 * @example
 * const [innermost] = guestFrames(mapError(error, map));
 * if (innermost?.file != null) openEditor(innermost.file, innermost.line, innermost.column);
 */
export function guestFrames(error: unknown): GuestFrame[] {
  if (!(error instanceof Error)) return [];
  try {
    return framesOf(readTrace(error));
  } catch {
    return [];
  }
}

/**
 * The same for the frames of a suspended fiber, `fiber.stack` or those in `guest.dump()` (option `debug`).
 *
 * @returns one line each, `name (file:line:column)`
 * @example
 * for (const { name, stack } of guest.dump()) console.log(name, mapFrames(stack ?? [], map).join('\n  '));
 */
export function mapFrames(frames: readonly string[], ...maps: readonly SourceMap[]): string[] {
  const lines = frames.map((frame) => unmapped(parseLine(frame, 'v8')));
  return applyMaps(lines, maps).map(print);
}

/** The lines of an error's stack as far as they are known. */
export function linesOf(error: Error): readonly Mapped[] {
  return readTrace(error).lines;
}

export type { Mapped };

export function framesOf({ lines }: { readonly lines: readonly Mapped[] }): GuestFrame[] {
  const frames: GuestFrame[] = [];
  let past = false;
  for (const { line, map, place, name } of lines) {
    past ||= isBoundary(line);
    const { frame } = line;
    if (frame === null || (past && !line.lead.includes('async'))) continue;
    frames.push({
      function: name,
      file: place?.file ?? null,
      line: place?.line ?? null,
      column: place?.column ?? null,
      text: place === null ? null : (map?.textOf(place) ?? null),
      index: frame.index,
      offset: frame.offset,
    });
  }
  return frames;
}

/** An error, its causes and the errors that it is made of, each once. */
export function withCauses(error: unknown): Set<Error> {
  const found = new Set<Error>();
  const add = (each: unknown): void => {
    try {
      if (!(each instanceof Error) || found.has(each)) return;
      found.add(each);
      add(each.cause);
      if (each instanceof AggregateError) for (const inner of each.errors as unknown[]) add(inner);
    } catch {
      // A getter of the embedder's.
    }
  };
  add(error);
  return found;
}

function readTrace(error: Error): Trace {
  const stack = String(error.stack ?? '');
  const known = traces.get(error);
  if (known?.stack === stack) return known;
  // What was appended since is not mapped yet.
  const before = known !== undefined && stack.startsWith(`${known.stack}\n`) ? known : { stack: '', lines: [] };
  const rest = stack.slice(before.stack === '' ? 0 : before.stack.length + 1);
  const message = before.stack === '' ? String(error.message) : '';
  return { stack, lines: [...before.lines, ...parseStack(rest, message).map(unmapped)] };
}

function mapStack(error: Error, maps: readonly SourceMap[]): void {
  const before = readTrace(error).lines.filter(({ line }) => !NOTES.includes(line.text));
  const frames = before.filter(({ line }) => line.frame !== null);
  if (frames.every(({ place }) => place !== null)) return;
  const lines = correctAbort(error, applyMaps(before, maps));
  const note = isCut(before)
    ? CUT
    : lines.every(({ map }) => map === null) && maps.length > 0 && !lines.some((each) => isOwned(each, maps))
      ? FOREIGN
      : null;
  // SpiderMonkey ends its stacks with a line break.
  if (note !== null)
    lines.splice(lines.at(-1)?.line.text === '' ? -1 : lines.length, 0, unmapped(parseLine(note, 'v8')));
  error.stack = lines.map(print).join('\n');
  traces.set(error, { stack: error.stack, lines });
}

const unmapped = (line: Line): Mapped => ({ line, map: null, place: null, name: line.frame?.name ?? null });

function print({ line, place, name }: Mapped): string {
  return place === null ? line.text : printFrame(line, name, place);
}

/** Finds the map of each frame, and the place. */
function applyMaps(lines: readonly Mapped[], maps: readonly SourceMap[]): Mapped[] {
  const groups = groupFrames(lines);
  const mapped = lines.map((each, at) => {
    const { frame } = each.line;
    if (frame === null || each.place !== null) return each;
    const map = chooseMap(frame, groups[at] ?? [frame], maps);
    if (map === null) return each;
    return { ...each, map, place: map.locate(frame), name: each.name ?? map.nameOf(frame) };
  });
  // Where the module has no names, only the map knows.
  return joinBodies(
    mapped,
    ({ name }) => name,
    (each, name) => ({ ...each, name }),
  );
}

/**
 * For each line the frames that are of the same module as its own: those with the same name of the module in V8, and with
 * no frame of the host between them elsewhere, where all modules may have one name.
 */
function groupFrames(lines: readonly Mapped[]): WasmFrame[][] {
  const groups = new Map<string, WasmFrame[]>();
  let run = 0;
  return lines.map(({ line: { frame } }) => {
    if (frame === null) {
      run++;
      return [];
    }
    const key = frame.url.startsWith('wasm://') ? frame.url : `${frame.url} ${run}`;
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push(frame);
    return group;
  });
}

/** A map that cannot be told from another one that says something else is worse than none. */
function chooseMap(frame: WasmFrame, group: readonly WasmFrame[], maps: readonly SourceMap[]): SourceMap | null {
  const named = maps.filter((map) => map.url !== null && map.url === frame.url);
  const whole = (named.length > 0 ? named : maps).filter((map) => group.every((each) => map.owns(each)));
  const fitting = whole.length > 0 ? whole : maps.filter((map) => map.owns(frame));
  const [first, ...others] = fitting;
  if (first === undefined) return null;
  const place = JSON.stringify(first.locate(frame));
  return others.every((map) => JSON.stringify(map.locate(frame)) === place) ? first : null;
}

/** AssemblyScript's `abort` is told where it is called; optimised code may share one call between several places. */
function correctAbort(error: Error, lines: readonly Mapped[]): Mapped[] {
  const { name, fileName: file, lineNumber: line, columnNumber: column } = error as Error & Record<string, unknown>;
  const at = lines.findIndex((each) => each.line.frame !== null);
  const known = typeof file === 'string' && typeof line === 'number' && typeof column === 'number';
  // Errors of SpiderMonkey have properties of the same names, which are about the host.
  if (name !== 'AssemblyScriptError' || !known || line < 1) return [...lines];
  return lines.map((each, index) =>
    index === at && each.map !== null ? { ...each, place: { file, line, column } } : each,
  );
}

/** SpiderMonkey keeps no more frames than this, even where it knows V8's property. */
const SPIDERMONKEY_LIMIT = 128;
const CUT = '    ... and more that the engine did not keep (see Error.stackTraceLimit)';
const FOREIGN = '    (no source map was given for the module of these frames)';
const NOTES: readonly string[] = [CUT, FOREIGN];

/** A guest is called by the host, so a stack that ends in a guest frame has no end. */
function isCut(lines: readonly Mapped[]): boolean {
  const frames = lines.filter(({ line }) => line.counts);
  const last = frames.at(-1)?.line;
  if (last === undefined || last.frame === null || last.lead.includes('async')) return false;
  const { stackTraceLimit = Infinity } = Error as { stackTraceLimit?: number };
  return frames.length >= (last.style === 'v8' ? stackTraceLimit : Math.min(SPIDERMONKEY_LIMIT, stackTraceLimit));
}

function isOwned({ line: { frame } }: Mapped, maps: readonly SourceMap[]): boolean {
  return frame !== null && maps.some((map) => map.owns(frame));
}
