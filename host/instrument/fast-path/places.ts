/**
 * The places at which a function can be left with a frame and entered again: its suspension points. Each has a number, by
 * which jumps find it, and belongs to a group, whose frames have one layout.
 *
 * A frame must hold what is alive at its place. One layout for all would take the least code, but then a local that is dead at
 * a place is saved there nevertheless, so an optimising compiler must keep its last value until then (measured: a Lua
 * interpreter took 1.5x as long for it). A layout for each place would take the most. So places share one as long as that
 * costs less than it saves.
 */
import type { Ref } from '../binaryen.ts';
import type { Walker } from '../walk.ts';
import { type Group, layOut } from './layout.ts';
import type { Level, Point } from './lower.ts';

/** A suspension point, and what is alive there. */
export interface Alive {
  readonly point: Point;
  readonly level: Level;
  readonly live: ReadonlySet<number>;
}

export interface Place extends Alive {
  /** From 1. Those inside of a level follow each other, its own first. */
  readonly number: number;
  /** Index of its group. */
  readonly group: number;
}

export interface Places {
  readonly places: readonly Place[];
  readonly groups: readonly Group[];
}

/** Bytes of code: to save and to load one local, and for a group itself. */
const LOCAL = 13;
const GROUP = 24;
/** What it costs to keep a value that is dead, in bytes that one would give to avoid it. */
const STALE = 2;
const MOST_GROUPS = 64;

/**
 * @param points outer levels first, those of a level together
 * @returns null if something is alive that cannot be written into memory
 */
export function groupPlaces(walker: Walker, types: readonly Ref[], points: readonly Alive[]): Places | null {
  const unions: Union[] = [];
  const places = points.map((point, index) => ({ ...point, number: index + 1, group: assign(unions, point.live) }));
  const groups: Group[] = [];
  for (const [index, { locals }] of unions.entries()) {
    const layout = layOut(walker, types, locals);
    if (layout === null) return null;
    groups.push({ index, layout });
  }
  return { places, groups };
}

interface Union {
  readonly locals: Set<number>;
  members: number;
}

/** Index of the union that is the cheapest to put these locals into; a new one, if that is cheaper. */
function assign(unions: Union[], live: ReadonlySet<number>): number {
  let best = unions.length < MOST_GROUPS ? GROUP + LOCAL * live.size : Number.POSITIVE_INFINITY;
  let found = unions.length;
  for (const [index, { locals, members }] of unions.entries()) {
    let added = 0;
    for (const local of live) if (!locals.has(local)) added++;
    const stale = locals.size + added - live.size;
    const cost = added * (LOCAL + STALE * members) + stale * STALE;
    if (cost > best) continue;
    best = cost;
    found = index;
  }
  const union = (unions[found] ??= { locals: new Set(), members: 0 });
  for (const local of live) union.locals.add(local);
  union.members++;
  return found;
}

/** A level and all inside of it, outer ones first. */
export function* levelsIn(level: Level): Generator<Level> {
  yield level;
  for (const inner of level.inner) yield* levelsIn(inner);
}
