/**
 * Source maps through changes to bytes: whatever was copied keeps its place in the source. Instructions that a stack trace
 * can show get the place of what stands before them if they have none, as in source-map.ts.
 */
import { TraceMap, encodedMappings } from '@jridgewell/trace-mapping';
import type { SourceMapSegment } from '@jridgewell/trace-mapping';
import type { Move } from './binary/code-section.ts';
import type { Outline } from './binary/module.ts';
import { isMapped, readInstructions } from './source-map.ts';
import type { SourceMap } from './source-map.ts';

/** @param end where code begins that has no source, if there is any */
export function moveSourceMap(map: SourceMap, moves: readonly Move[], end: number | null): SourceMap {
  const segments: SourceMapSegment[] = [];
  let at = -1;
  for (const segment of map.segments) {
    while ((moves[at + 1]?.from ?? Infinity) <= segment[0]) at += 1;
    const move = moves[at];
    // What stands before the code belongs to no instruction.
    if (move !== undefined) segments.push(replaced(segment, segment[0] - move.from + move.to));
  }
  if (end !== null) segments.push([end]);
  return { ...map, segments };
}

function replaced(segment: SourceMapSegment, offset: number): SourceMapSegment {
  const moved: SourceMapSegment = [...segment];
  moved[0] = offset;
  return moved;
}

/** The map as JSON text, with the locations that it lacks. */
export function printSourceMap(map: SourceMap, outline: Outline): string {
  const fields = { version: 3 as const, sources: [...map.sources], names: [...map.trace.names] };
  const mappings = encodedMappings(new TraceMap({ ...fields, mappings: [completed(map, outline)] }));
  return JSON.stringify({ ...fields, mappings });
}

/** All segments, with some for the instructions that have a location only by what stands before them. */
function completed({ segments }: SourceMap, outline: Outline): SourceMapSegment[] {
  const all = new Map(segments.map((segment) => [segment[0], segment]));
  let next = 0;
  let covered = false;
  for (const { start, end } of outline.bodies) {
    for (const { offset, mapping } of readInstructions(outline.bytes, start, end, segments)) {
      for (; (segments[next]?.[0] ?? Infinity) <= offset; next++) covered = isMapped(segments[next]);
      if (mapping === null || covered) continue;
      all.set(offset, [offset, mapping[1], mapping[2], mapping[3]]);
      // For this instruction alone: one byte further begins the next, or none.
      if (!all.has(offset + 1)) all.set(offset + 1, [offset + 1]);
    }
  }
  return [...all.values()].sort(([left], [right]) => left - right);
}
