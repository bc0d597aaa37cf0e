/** The source map of one guest: from a place in its code to a place in its source. */
import { traceSegment } from '@jridgewell/trace-mapping';
import { type DecodedMap, bad } from './decode.ts';
import type { Location, WasmFrame } from './frames.ts';
import type { Functions } from './module.ts';

/** What `loadSourceMap` gives, to be handed to `mapError` and the others. */
export class SourceMap {
  /** Where the module came from, if that is known: some engines name it in their frames. */
  readonly url: string | null;
  readonly #map: DecodedMap;
  readonly #functions: Functions | null;
  readonly #lines = new Map<number, readonly string[]>();

  /** @throws FiberError `BAD_SOURCE_MAP` if the map is not that of the module */
  constructor(map: DecodedMap, what: string, functions: Functions | null, url: string | null) {
    this.#map = map;
    this.#functions = functions;
    this.url = url;
    const last = map.segments.at(-1)?.[0] ?? 0;
    const end = functions?.ranges.at(-1) ?? last;
    if (last > end) {
      throw bad(
        what,
        `is that of another module: it speaks of the offset 0x${last.toString(16)}, and the code ends at 0x${end.toString(16)}. Give the map that was written together with this module, after instrumenting it`,
      );
    }
  }

  /** Can this be a frame of the module? Without the module's bytes, every one can. */
  owns(frame: WasmFrame): boolean {
    if (this.#functions === null) return true;
    const [start, end] = this.#range(frame);
    return start <= frame.offset && frame.offset < end;
  }

  locate(frame: WasmFrame): Location | null {
    const segment = traceSegment(this.#map.trace, 0, frame.offset);
    // Before the function's first mapping stands what was mapped in the function before it.
    if (segment === null || segment.length === 1 || segment[0] < this.#range(frame)[0]) return null;
    return { file: this.#map.sources[segment[1]] ?? '', line: segment[2] + 1, column: segment[3] + 1 };
  }

  /** What the map says that a function is called. */
  nameOf(frame: WasmFrame): string | null {
    const name: unknown = this.#map.functionNames[frame.index];
    return typeof name === 'string' ? name : null;
  }

  /** The text of a line, where the map has the source. */
  textOf(place: Location): string | null {
    return this.linesOf(place.file)?.[place.line - 1] ?? null;
  }

  /** All lines of a source, where the map has it. */
  linesOf(file: string): readonly string[] | null {
    const source = this.#map.sources.indexOf(file);
    const content = this.#map.contents[source];
    if (typeof content !== 'string') return null;
    const lines = this.#lines.get(source) ?? content.split(/\r\n|\r|\n/);
    this.#lines.set(source, lines);
    return lines;
  }

  #range(frame: WasmFrame): readonly [number, number] {
    if (this.#functions === null) return [0, Infinity];
    const { imported, ranges } = this.#functions;
    const at = (frame.index - imported) * 2;
    return [ranges[at] ?? Infinity, ranges[at + 1] ?? -1];
  }
}
