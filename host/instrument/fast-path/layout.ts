/** Where in a frame the values of locals lie: one behind the other, as large as their types are, and a word behind them. */
import type { Ref } from '../binaryen.ts';
import type { Walker } from '../walk.ts';

/** A value in a frame; a local of several values has several. */
interface Slot {
  readonly local: number;
  /** Type of the local, and of the value. */
  readonly type: Ref;
  readonly part: Ref;
  /** Which of its values it is; -1 if it has just one. */
  readonly index: number;
  readonly offset: number;
}

export interface Layout {
  readonly slots: readonly Slot[];
  /** Bytes. */
  readonly size: number;
}

/** Frames of one layout. */
export interface Group {
  readonly index: number;
  readonly layout: Layout;
}

/** @returns null if a value cannot be written into memory */
export function layOut(walker: Walker, types: readonly Ref[], locals: Iterable<number>): Layout | null {
  const { binaryen } = walker.raw;
  const sizes = new Map([
    [binaryen.i32, 4],
    [binaryen.i64, 8],
    [binaryen.f32, 4],
    [binaryen.f64, 8],
    [binaryen.v128, 16],
  ]);
  const slots: Slot[] = [];
  let offset = 0;
  for (const local of [...locals].sort((a, b) => a - b)) {
    const type = types[local] ?? binaryen.none;
    const parts = binaryen.expandType(type);
    for (const [index, part] of parts.entries()) {
      const size = sizes.get(part);
      if (size === undefined) return null;
      slots.push({ local, type, part, index: parts.length === 1 ? -1 : index, offset });
      offset += size;
    }
  }
  return { slots, size: offset + 4 };
}
